//! What strangers' labels get, and what they are refused.

use reprise_model::labels::{MachineWish, parse, read_wish};
use reprise_model::machine::{Volume, VolumeKind};

use super::*;
use crate::offer::{ImageOffer, Limits, RegionOffer};
use crate::samples::{catalogue, here, instance};

const STRANGER: &str = "ami-0123456789abcdef0";

#[test]
fn labels_choose_within_what_is_offered() {
    let labels = "family=c7a/cpu=2+4/spot=lp/image=debian/volume=100gb:gp3/private/tag=team:shop";
    let mut case = Case::default();
    let Selection::Read(Need::Image(query)) = choose(labels, &case) else {
        panic!("a volume needs the name of the image's root device");
    };
    case.ec2.images.insert(query, Some(view("ami-0123abcd")));
    let request = machine(labels, &case);
    assert_eq!(
        request,
        MachineRequest {
            region: here().region,
            subnets: vec!["subnet-private".to_owned()],
            instance_types: vec!["c7a.large".to_owned(), "c7a.xlarge".to_owned()],
            strategy: SpotStrategy::LowestPrice,
            image: Some("ami-0123abcd".parse().expect("an id")),
            volume: Some(RootVolume {
                device: "/dev/xvda".to_owned(),
                volume: Volume {
                    size_gib: Some(100),
                    kind: Some(VolumeKind::Gp3),
                    ..Volume::default()
                },
            }),
            tags: BTreeMap::from([("team".to_owned(), "shop".to_owned())]),
        }
    );
}

#[test]
fn labels_that_ask_for_nothing_get_the_defaults() {
    let request = machine("", &Case::default());
    assert_eq!(request.region, here().region);
    assert_eq!(request.subnets, here().subnets);
    assert_eq!(request.strategy, SpotStrategy::PriceCapacityOptimized);
    assert_eq!((request.image, request.volume), (None, None));
    assert_eq!(
        request.instance_types,
        ["c7a.large", "c7i.large", "m7a.large", "r7a.large"]
    );
}

#[test]
fn family_p5_is_refused_by_name_of_the_setting() {
    assert_eq!(
        refused("family=p5", &Case::default()),
        ["family=p5 is not allowed by limits.families; \
          to be had: every family without accelerators"]
    );
    let mut case = Case::default();
    case.offer.limits.families = vec!["c7a".parse().expect("valid")];
    assert_eq!(
        refused("family=p5.48xlarge", &case),
        ["family=p5.48xlarge is not allowed by limits.families; to be had: c7a"]
    );
}

#[test]
fn a_strangers_ami_is_refused_and_not_even_looked_at_where_nobody_is_trusted() {
    assert_eq!(
        refused(&format!("ami={STRANGER}"), &Case::default()),
        [format!(
            "ami={STRANGER} is named by its id, and limits.image_owners names no owner"
        )]
    );
}

#[test]
fn a_label_by_which_others_find_their_runners_is_refused_unless_it_is_allowed() {
    let mut case = Case::default();
    let words = [
        "runs-on=1",
        "self-hosted",
        "Linux",
        "cpu=2",
        "deploy-prod",
        "team-shop",
    ];
    let words = words.map(str::to_owned);
    let Selection::Refused(refusals) = choose_all(&words, &case) else {
        panic!("its runner would take the jobs of others");
    };
    let told: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    let because = "says nothing to Reprise and is not allowed by limits.labels; to be had: none";
    assert_eq!(
        told,
        ["deploy-prod", "team-shop"].map(|word| format!("label {word:?} {because}"))
    );
    assert_eq!(refusals.first().as_str(), "label-not-allowed");
    let allowed = ["Deploy-Prod", "team-*"];
    case.offer.limits.labels = allowed.map(|word| word.parse().expect("a label")).to_vec();
    let chosen = choose_all(&words, &case);
    assert!(matches!(chosen, Selection::Machine(_)), "{chosen:?}");
}

#[test]
fn an_ami_is_judged_by_the_owner_that_ec2_tells() {
    let mut case = Case::default();
    case.offer.limits.image_owners = vec!["self".to_owned(), "amazon".to_owned()];
    let label = format!("ami={STRANGER}");
    let query = ImageQuery {
        region: here().region,
        source: ImageSource::Ami(STRANGER.parse().expect("an id")),
        architecture: None,
    };
    assert_eq!(
        choose(&label, &case),
        Selection::Read(Need::Image(query.clone()))
    );
    for (owner, alias, allowed) in [
        (instance().account.as_str(), None, true),
        ("210987654321", Some("amazon"), true),
        ("210987654321", None, false),
        ("210987654321", Some("aws-marketplace"), false),
    ] {
        let view = ImageView {
            owner: AccountId::new(owner),
            owner_alias: alias.map(str::to_owned),
            ..view(STRANGER)
        };
        case.ec2.images.insert(query.clone(), Some(view));
        if allowed {
            let image = machine(&label, &case).image.expect("an image");
            assert_eq!(image.as_str(), STRANGER);
        } else {
            assert_eq!(
                refused(&label, &case),
                [format!(
                    "ami={STRANGER} belongs to {owner}, which is none of limits.image_owners; \
                     to be had: self, amazon"
                )]
            );
        }
    }
    case.ec2.images.insert(query, None);
    assert_eq!(
        refused(&label, &case),
        [format!("there is no image {STRANGER} in eu-west-1")]
    );
}

#[test]
fn a_volume_of_16_tb_is_refused() {
    assert_eq!(
        refused("volume=16384gb:io2:200000iops", &Case::default()),
        [
            "volume=16384gb is more than limits.volume, which is 500 GiB",
            "volume=200000iops is more than limits.iops, which is 16000"
        ]
    );
}

#[test]
fn a_volume_without_a_device_to_name_is_refused_and_not_attached_as_a_second_one() {
    let mut case = Case::default();
    case.offer.root_device = None;
    assert_eq!(
        refused("volume=80gb", &case),
        [
            "volume=80gb needs the name of the image's root device; name an image, or set \
          fleet.root_device for that of the launch template"
        ]
    );
}

#[test]
fn a_forged_tag_is_refused_whatever_its_case() {
    assert_eq!(
        refused(
            "tag=runs-on-stack-name:other+Runs-On-x:1+reprise-launch:2+aws:x+team:shop",
            &Case::default()
        ),
        [
            "tag=Runs-On-x is reserved; its key begins as those of this installation or of AWS do",
            "tag=reprise-launch is reserved; its key begins as those of this installation or of \
             AWS do",
            "tag=runs-on-stack-name is reserved; its key begins as those of this installation or \
             of AWS do",
        ],
        "aws: cannot be said, as what stands before the first colon is the key"
    );
    let many: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    assert_eq!(
        refused(&format!("tag={}", many.join("+")), &Case::default()),
        ["tag= sets 40 tags, and an instance takes 30 beside ours"]
    );
}

#[test]
fn every_reason_is_told_at_once() {
    assert_eq!(
        refused(
            "runner=gpuu/cpu=96/ram=512/region=eu-west-2/private/image=debain/volume=1000gb/spot=cop",
            &Case::default()
        ),
        [
            "cpu=96 is more than limits.cpu, which is 64",
            "ram=512 is more than limits.ram, which is 256",
            "volume=1000gb is more than limits.volume, which is 500 GiB",
            "runner=gpuu is neither one of [runners] nor of the form 2cpu-linux-x64; \
             did you mean gpu?",
            "region=eu-west-2 is none that is launched in; did you mean eu-west-1?",
            "image=debain is none of [images]; did you mean debian?",
            "spot=capacity-optimized-prioritized goes by exact types, and family= names none",
        ]
    );
}

#[test]
fn a_configured_runner_stands_for_its_parts_and_labels_override_them() {
    let case = Case::default();
    let request = machine("runner=gpu", &case);
    assert_eq!(request.instance_types, ["g5.xlarge"]);
    assert_eq!(
        size(&request),
        Some(2_000),
        "limits bind labels, and not what configuration says"
    );
    let request = machine("runner=gpu/volume=50gb", &case);
    assert_eq!(size(&request), Some(50));
    assert_eq!(
        refused("runner=gpu/family=p5", &case),
        ["family=p5 is not allowed by limits.families; \
          to be had: every family without accelerators"]
    );
    assert_eq!(
        refused("runner=gpu/cpu=2", &case),
        ["family=g5 is not allowed by limits.families; \
          to be had: every family without accelerators"],
        "a label that says anything of the size is bound by all its limits"
    );
}

#[test]
fn a_predefined_runner_means_its_vcpus_and_its_architecture() {
    let case = Case::default();
    let request = machine("runner=4cpu-linux-x64", &case);
    assert_eq!(request.instance_types, ["c7a.xlarge"]);
    let request = machine("runner=4cpu-linux-x64/cpu=16", &case);
    assert_eq!(request.instance_types, ["c7a.4xlarge"]);
    assert_eq!(
        refused("runner=96cpu-linux-x64", &case),
        ["cpu=96 is more than limits.cpu, which is 64"]
    );
    assert_eq!(
        refused("runner=2cpu-linux-arm64", &case),
        ["the image is for x64, and runner=2cpu-linux-arm64 is for another architecture"]
    );
    let request = machine(
        "runner=2cpu-linux-arm64/image=arm",
        &case.with_newest("arm"),
    );
    assert_eq!(request.instance_types, ["c7g.large"]);
    let mut case = case;
    let own = read_wish(&["cpu=16".to_owned()]).expect("good");
    let name = "4cpu-linux-x64".parse().expect("a name");
    case.offer.runners.insert(name, own);
    let request = machine("runner=4cpu-linux-x64", &case);
    assert_eq!(
        request.instance_types,
        ["c7a.4xlarge"],
        "a configured name goes first"
    );
}

#[test]
fn the_newest_image_of_a_name_is_read_first() {
    let case = Case::default();
    let Selection::Read(Need::Image(query)) = choose("image=arm", &case) else {
        panic!("it is read");
    };
    assert_eq!(query.architecture, Some(Architecture::Arm64));
    let request = machine("image=arm", &case.with_newest("arm"));
    assert_eq!(request.instance_types, ["c7g.large"]);
    assert_eq!(request.image.expect("one").as_str(), "ami-000000a1");
}

#[test]
fn a_region_must_be_launched_in_and_allowed() {
    let mut case = Case::default();
    let there = RegionOffer {
        region: Region::new("us-east-1"),
        private_subnets: Vec::new(),
        ..here()
    };
    case.offer.regions.push(there.clone());
    case.ec2
        .catalogue
        .insert(there.region.clone(), catalogue().into());
    assert_eq!(machine("region=us-east-1", &case).region, there.region);
    assert_eq!(
        refused("region=us-east-1/private/image=debian", &case),
        [
            "private=true, and no private_subnets are configured for us-east-1",
            "there is no image ami-0123abcd in us-east-1",
        ],
        "an AMI's id holds in one region"
    );
    case.offer.limits.regions = vec![here().region];
    assert_eq!(
        refused("region=us-east-1", &case),
        ["region=us-east-1 is not allowed by limits.regions; to be had: eu-west-1"]
    );
}

#[test]
fn what_needs_no_call_is_refused_before_anything_is_read() {
    let case = Case {
        ec2: Ec2Facts::default(),
        ..Case::default()
    };
    assert_eq!(
        choose("", &case),
        Selection::Read(Need::MachineTypes(here().region))
    );
    assert_eq!(
        refused("volume=900gb", &case),
        ["volume=900gb is more than limits.volume, which is 500 GiB"]
    );
}

#[test]
fn types_are_fifteen_at_most_and_with_the_subnets_no_more_pools_than_a_request_takes() {
    let mut case = Case::default();
    let types =
        (0..1_000).map(|number| crate::samples::machine(&format!("z{number:03}.large"), 2, 4));
    case.ec2.catalogue.insert(here().region, types.collect());
    for (subnets, types) in [(1, 15), (3, 15), (30, 10), (300, 1), (400, 1)] {
        let names = (0..subnets).map(|number| format!("subnet-{number}"));
        case.offer.regions[0].subnets = names.collect();
        let request = machine("", &case);
        assert_eq!(request.instance_types.len(), types, "{subnets} subnets");
        assert!(request.instance_types.len() * request.subnets.len() <= MOST_POOLS);
        assert_eq!(request.instance_types[0], "z000.large");
    }
}

#[test]
fn a_strategy_by_order_takes_a_runners_exact_types() {
    let mut case = Case::default();
    let exact = read_wish(&["family=c7i.large+c7a.large".to_owned()]).expect("good");
    case.offer
        .runners
        .insert("exact".parse().expect("a name"), exact);
    let request = machine("runner=exact/spot=cop", &case);
    assert_eq!(request.strategy, SpotStrategy::CapacityOptimizedPrioritized);
    assert_eq!(request.instance_types, ["c7i.large", "c7a.large"]);
    assert_eq!(
        refused("runner=gpu/spot=cop", &case),
        ["spot=capacity-optimized-prioritized goes by exact types, and family=g5 is none"]
    );
}

struct Case {
    offer: FleetOffer,
    ec2: Ec2Facts,
}

impl Default for Case {
    fn default() -> Self {
        let debian = ImageOffer {
            source: ImageSource::Ami("ami-0123abcd".parse().expect("an id")),
            architecture: Architecture::X64,
        };
        let arm = ImageOffer {
            source: ImageSource::Newest {
                owner: "self".to_owned(),
                name: "runner-*".to_owned(),
            },
            architecture: Architecture::Arm64,
        };
        let gpu = ["family=g5", "cpu=4", "volume=2000gb"].map(str::to_owned);
        let gpu: MachineWish = read_wish(&gpu).expect("good");
        let offer = FleetOffer {
            runners: BTreeMap::from([("gpu".parse().expect("a name"), gpu)]),
            images: BTreeMap::from([
                ("debian".parse().expect("a name"), debian),
                ("arm".parse().expect("a name"), arm),
            ]),
            limits: Limits {
                cpu: Some(64),
                ram: Some(256),
                volume: Some(500),
                iops: Some(16_000),
                ..Limits::default()
            },
            root_device: Some("/dev/sda1".to_owned()),
            ..FleetOffer::of_types(here(), Vec::new())
        };
        let ec2 = Ec2Facts {
            catalogue: BTreeMap::from([(here().region, catalogue().into())]),
            images: BTreeMap::new(),
        };
        Self { offer, ec2 }
    }
}

impl Case {
    /// The same once the newest image of a configured name was read.
    fn with_newest(&self, name: &str) -> Self {
        let image = &self.offer.images[&name.parse().expect("a name")];
        let query = ImageQuery {
            region: here().region,
            source: image.source.clone(),
            architecture: Some(image.architecture),
        };
        let view = ImageView {
            architecture: image.architecture,
            ..view("ami-000000a1")
        };
        let mut ec2 = self.ec2.clone();
        ec2.images.insert(query, Some(view));
        Self {
            offer: self.offer.clone(),
            ec2,
        }
    }
}

fn size(request: &MachineRequest) -> Option<u32> {
    request.volume.as_ref()?.volume.size_gib
}

fn view(id: &str) -> ImageView {
    ImageView {
        id: id.parse().expect("an id"),
        owner: instance().account,
        owner_alias: None,
        architecture: Architecture::X64,
        root_device: Some("/dev/xvda".to_owned()),
    }
}

fn choose(labels: &str, case: &Case) -> Selection {
    let labels = match labels {
        "" => "runs-on=1".to_owned(),
        some => format!("runs-on=1/{some}"),
    };
    choose_all(&[labels], case)
}

fn choose_all(labels: &[String], case: &Case) -> Selection {
    let labels = parse(labels).expect("good").expect("ours");
    select(&MachineFacts {
        labels: &labels,
        offer: &case.offer,
        tags: &TagKeys::default(),
        capacity: Capacity::Spot,
        ec2: &case.ec2,
    })
}

fn machine(labels: &str, case: &Case) -> MachineRequest {
    match choose(labels, case) {
        Selection::Machine(request) => request,
        other @ (Selection::Read(_) | Selection::Refused(_)) => panic!("{labels}: {other:?}"),
    }
}

fn refused(labels: &str, case: &Case) -> Vec<String> {
    match choose(labels, case) {
        Selection::Refused(refusals) => refusals.iter().map(ToString::to_string).collect(),
        other @ (Selection::Read(_) | Selection::Machine(_)) => panic!("{labels}: {other:?}"),
    }
}

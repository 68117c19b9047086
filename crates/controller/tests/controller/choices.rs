//! What labels choose is what EC2 is asked for.

use reprise_engine::offer::{ImageOffer, ImageSource};
use reprise_engine::select::ImageView;
use reprise_model::ids::{AccountId, RunAttempt};
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, Job};
use reprise_model::launch::SpotStrategy;
use reprise_model::machine::{Architecture, MachineType, VolumeKind};
use reprise_model::policy::OnDemandRetries;
use reprise_model::webhook::JobAction;

use crate::fakes::github::Fault;
use crate::fakes::house::House;
use crate::fakes::samples::{ACCOUNT, ended, queued, settings};

const LABELS: &str =
    "runs-on=900/image=ubuntu/spot=lp/volume=80gb:gp3/private/tag=team:shop+Name:mine";

#[tokio::test(start_paused = true)]
async fn types_and_images_are_read_from_ec2_once_and_asked_for() {
    let house = House::new();
    house.cloud.has(
        vec![
            machine("c7g.large", Architecture::Arm64),
            machine("m7a.large", Architecture::X64),
        ],
        vec![ubuntu()],
    );
    let running = house.start_with(choosing(), 10);
    for id in [1, 2] {
        let mut job = queued(id, "build");
        job.labels = vec![LABELS.to_owned()];
        house.send_job(JobAction::Queued, &job);
        house.until_quiet().await;
        let launched = async || house.cloud.orders().len() == usize::try_from(id).expect("few");
        house.until("launched", launched).await;
    }
    let order = &house.cloud.orders()[1];
    assert_eq!(
        order.instance_types,
        ["c7g.large"],
        "as the image is for arm64"
    );
    assert_eq!(order.image.as_deref(), Some("ami-0123456789abcdef0"));
    assert_eq!(order.strategy, SpotStrategy::LowestPrice);
    assert_eq!(order.subnets, ["subnet-private"]);
    assert_eq!(order.tags["team"], "shop");
    let root = order.volume.as_ref().expect("a volume");
    assert_eq!(root.device, "/dev/xvda");
    assert_eq!(root.volume.size_gib, Some(80));
    assert_eq!(root.volume.kind, Some(VolumeKind::Gp3));
    assert_eq!(house.cloud.reads(), (1, 1));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_forged_tag_or_a_strangers_image_launches_nothing_and_reads_nothing() {
    let house = House::new();
    let running = house.start_with(choosing(), 10);
    for (id, label) in [
        (1, "tag=runs-on-stack-name:other"),
        (2, "ami=ami-0123456789abcdef0"),
    ] {
        let mut job = queued(id, "build");
        job.labels = vec![format!("runs-on=900/{label}")];
        house.send_job(JobAction::Queued, &job);
        house.until_quiet().await;
    }
    assert!(house.cloud.orders().is_empty());
    assert_eq!(house.cloud.reads(), (0, 0));
    assert!(
        running.shows(r#"reprise_messages_total{outcome="launch-refused",queue="webhooks"} 2"#)
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn with_same_job_what_runs_for_the_first_time_is_spot_and_one_list_tells_it_of_all() {
    for (can_be_read, capacities) in [
        (true, [Capacity::OnDemand, Capacity::Spot, Capacity::Spot]),
        (false, [Capacity::OnDemand; 3]),
    ] {
        let house = House::new();
        let build = house.job_on_spot(1, "build");
        house
            .github
            .put(&ended(build, Conclusion::Failure, house.now()));
        let mut settings = settings(true);
        settings.rules.on_demand_retries = OnDemandRetries::SameJob;
        let running = house.start_with(settings, 10);
        house
            .github
            .fail_reads((!can_be_read).then_some(Fault::Down));
        for (id, name) in (1_001..).zip(["build", "deploy (1)", "deploy (2)"]) {
            let job = Job {
                run_attempt: RunAttempt::FIRST.next(),
                ..queued(id, name)
            };
            house.send_job(JobAction::Queued, &job);
            house.until_quiet().await;
        }
        assert_eq!(house.cloud.launched(), capacities);
        let reads = if can_be_read { 1 } else { 3 };
        assert_eq!(house.github.jobs_reads(), reads);
        running.stop().await;
    }
}

/// A fleet that leaves the types to EC2 and has one image, the newest of a name.
fn choosing() -> reprise_config::Settings {
    let mut settings = settings(true);
    let offer = &mut settings.fleet.as_mut().expect("a fleet").offer;
    offer.types = Vec::new();
    offer.images.insert(
        "ubuntu".parse().expect("a name"),
        ImageOffer {
            source: ImageSource::Newest {
                owner: "self".to_owned(),
                name: "ubuntu-*".to_owned(),
            },
            architecture: Architecture::Arm64,
        },
    );
    settings
}

fn machine(name: &str, architecture: Architecture) -> MachineType {
    MachineType {
        name: name.to_owned(),
        cpu: 2,
        ram_mib: 4096,
        architecture,
        spot: true,
        bare_metal: false,
        accelerated: false,
        burstable: false,
        current: true,
    }
}

fn ubuntu() -> ImageView {
    ImageView {
        id: "ami-0123456789abcdef0".parse().expect("an id"),
        owner: AccountId::new(ACCOUNT),
        owner_alias: None,
        architecture: Architecture::Arm64,
        root_device: Some("/dev/xvda".to_owned()),
    }
}

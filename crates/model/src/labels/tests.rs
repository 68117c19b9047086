mod machine;
mod properties;

use super::*;
use crate::ids::Region;
use crate::launch::SpotStrategy;
use crate::machine::{Volume, VolumeKind};

fn read(labels: &[&str]) -> Result<Option<JobLabels>, LabelErrors> {
    let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
    parse(&labels)
}

fn good(labels: &[&str]) -> JobLabels {
    read(labels).expect("no mistake").expect("ours")
}

fn errors(labels: &[&str]) -> Vec<String> {
    let LabelErrors(errors) = read(labels).expect_err("mistakes");
    errors.iter().map(ToString::to_string).collect()
}

fn families(texts: &[&str]) -> Vec<FamilyPattern> {
    texts
        .iter()
        .map(|text| FamilyPattern::new(text).expect("valid"))
        .collect()
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn full() -> JobLabels {
    JobLabels {
        id: Some("42-build".to_owned()),
        runner: Some(name("fast")),
        env: Some(name("production")),
        retry: Some(RetryPolicy::Never),
        machine: MachineWish {
            spot: Some(SpotChoice::Off),
            family: families(&["c7a", "m7"]),
            cpu: Some(Range { min: 4, max: 16 }),
            ram: Some(Range { min: 8, max: 8 }),
            image: Some(ImageChoice::Named(name("ubuntu24"))),
            volume: Some(Volume {
                size_gib: Some(80),
                kind: Some(VolumeKind::Gp3),
                ..Volume::default()
            }),
            region: Some(Region::new("eu-west-1")),
            private: Some(true),
            tags: tags(&[("purpose", "build"), ("team", "shop")]),
        },
        ignored: Vec::new(),
        others: Vec::new(),
    }
}

fn tags(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn slashes_commas_arrays_and_mixtures_mean_the_same() {
    for labels in [
        &[
            "runs-on=42-build/runner=fast/env=production/spot=false/retry=false/family=c7a+m7\
           /cpu=4+16/ram=8/image=ubuntu24/volume=80gb:gp3/region=eu-west-1/private\
           /tag=team:shop+purpose:build",
        ] as &[&str],
        &[
            "runs-on=42-build,runner=fast,env=production,spot=false,retry=false,family=c7a+m7,\
           cpu=4+16,ram=8,image=ubuntu24,volume=80gb:gp3,region=eu-west-1,private,\
           tag=team:shop+purpose:build",
        ],
        &[
            "runs-on=42-build",
            "runner=fast",
            "env=production",
            "spot=false",
            "retry=false",
            "family=c7a+m7",
            "cpu=4+16",
            "ram=8",
            "image=ubuntu24",
            "volume=gp3:80gb",
            "region=eu-west-1",
            "private=true",
            "tag=team:shop+purpose:build",
        ],
        &[
            "self-hosted",
            "cpu=4+16,ram=8",
            "runs-on=42-build/spot=never",
            "linux",
            "private",
            "retry=0/volume=80gb:gp3",
            "env=production",
            "family=c7a+m7/image=ubuntu24/tag=purpose:build+team:shop",
            "region=eu-west-1/runner=fast",
        ],
        &[
            "Runs-On=42-build / SPOT = False /,/ retry=false, family=C7A+m7,cpu=16+4,ram=8,\
             image=Ubuntu24,runner=Fast,env=Production,region=EU-West-1, PRIVATE = True,\
             volume=80GB : GP3, tag = team:shop + purpose:build,",
        ],
    ] {
        let read = JobLabels {
            others: Vec::new(),
            ..good(labels)
        };
        assert_eq!(read, full(), "{labels:?}");
    }
}

#[test]
fn a_job_without_our_label_is_not_ours_whatever_else_its_labels_say() {
    for labels in [
        &[] as &[&str],
        &[""],
        &["ubuntu-latest"],
        &["self-hosted", "linux", "cpu=4", "nonsense=1"],
        &["runs-on-demand"],
        &["cpu=4/runs-on=1"],
    ] {
        assert_eq!(read(labels), Ok(None), "{labels:?}");
    }
}

#[test]
fn a_job_that_asks_for_nothing_gets_the_defaults() {
    let labels = good(&["runs-on"]);
    assert_eq!(labels, JobLabels::default());
    assert_eq!(
        labels.machine.spot, None,
        "the runner or the default decides"
    );
    assert_eq!(labels.retry, None, "policy decides");
    let spot = SpotChoice::On(SpotStrategy::PriceCapacityOptimized);
    assert_eq!(SpotChoice::default(), spot);
}

#[test]
fn a_bare_key_means_true() {
    let on = Some(SpotChoice::default());
    assert_eq!(good(&["runs-on=1/spot"]).machine.spot, on);
    let labels = good(&[
        "runs-on=1/spot=false/retry=false",
        "spot",
        "retry",
        "private",
    ]);
    assert_eq!(labels.machine.spot, on);
    assert_eq!(labels.machine.private, Some(true));
    assert_eq!(labels.retry, Some(RetryPolicy::USUAL));
}

#[test]
fn the_last_duplicate_wins() {
    let labels = good(&[
        "runs-on=1/cpu=2/cpu=4/image=ubuntu24/tag=a:1",
        "runs-on=2,cpu=8,ami=ami-0123456789abcdef0,tag=b:2",
    ]);
    assert_eq!(labels.id.as_deref(), Some("2"));
    assert_eq!(labels.machine.cpu, Some(Range { min: 8, max: 8 }));
    let ami = "ami-0123456789abcdef0".parse().expect("an id");
    assert_eq!(labels.machine.image, Some(ImageChoice::Ami(ami)));
    assert_eq!(labels.machine.tags, tags(&[("b", "2")]));
}

#[test]
fn other_peoples_bare_words_beside_our_label_are_left_alone() {
    let labels = good(&[
        "self-hosted",
        "linux",
        "x64",
        "image",
        "runner",
        "tag",
        "region",
        "",
        "runs-on=1",
    ]);
    let others = [
        "self-hosted",
        "linux",
        "x64",
        "image",
        "runner",
        "tag",
        "region",
    ];
    let alone = JobLabels {
        id: Some("1".to_owned()),
        others: others.map(str::to_owned).to_vec(),
        ..JobLabels::default()
    };
    assert_eq!(labels, alone);
}

#[test]
fn a_label_is_other_peoples_where_any_part_of_it_says_nothing_to_us() {
    let labels = [
        "runs-on=1/spot/debug",
        "cpu=4",
        "spot",
        "private,retry",
        "pool=fast",
        "debug",
        "spot/deploy-prod",
        "deploy-prod,cpu=4",
        ",",
        "runs-on=2",
    ];
    let others = ["debug", "spot/deploy-prod", "deploy-prod,cpu=4"];
    assert_eq!(good(&labels).others, others);
}

#[test]
fn the_environment_is_read_whatever_else_is_wrong() {
    for (labels, expected) in [
        (
            &["runs-on=1/env=staging/cpu=lots"] as &[&str],
            Some("staging"),
        ),
        (&["runs-on=1/familly=c7a", "env=Staging"], Some("staging")),
        (&["runs-on=1/env=staging", "env=qa"], Some("qa")),
        (&["runs-on=1/cpu=lots", "env"], None),
        (&["runs-on=1/env=a b"], None),
        (&["runs-on=1"], None),
    ] {
        let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
        let read = env_of(&labels);
        assert_eq!(read, expected.map(name), "{labels:?}");
    }
}

#[test]
fn settings_of_other_fleets_that_change_nothing_here_are_ignored_and_listed() {
    let labels = good(&[
        "runs-on=1/extras=s3-cache+efs,pool=fast",
        "ssh=false",
        "debug",
        "preinstall=1",
        "run-id=42",
    ]);
    assert_eq!(
        labels.ignored,
        [
            "extras=s3-cache+efs",
            "pool=fast",
            "ssh=false",
            "debug",
            "preinstall=1",
            "run-id=42"
        ]
    );
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_would_be_right() {
    insta::assert_snapshot!(
        errors(&[
            "runs-on=42/familly=c7a/cpu=four/spot=flase",
            "ram=16gb",
            "größe=3/retry=9/image=",
            "image=ami-123/ami=x y/runner=a:b/env=/region=ireland/privat/private=yes/tag=a;b+c:1+:x",
        ])
        .join(
            "
"
        )
    );
}

#[test]
fn keys_that_choose_the_machine_in_other_fleets_say_what_to_use() {
    insta::assert_snapshot!(errors(&["runs-on=1,disk=large,hdd=80"]).join(
        "
"
    ));
}

#[test]
fn values_that_no_machine_can_have_are_mistakes() {
    insta::assert_snapshot!(
        errors(&[
            "runs-on=/cpu=99999999999/cpu=0/cpu=4097/ram=/ram=-1/ram=1.5/cpu=16+4/cpu=1+2+3/cpu=4+",
            "runs-on=1/family=c7a++m 7/family/image=a+b/spot=/=4/4cpu/",
        ])
        .join(
            "
"
        )
    );
}

#[test]
fn a_mistake_is_told_even_where_a_later_setting_is_right() {
    assert_eq!(errors(&["runs-on=1/cpu=x/cpu=4"]).len(), 1);
}

#[test]
fn a_strangers_endless_label_is_not_repeated() {
    let long = format!("runs-on=1/{}", "x/".repeat(10_000));
    let LabelErrors(errors) = read(&[&long]).expect_err("too long");
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().len() < 250, "{}", errors[0]);

    let many = format!("runs-on=1/{}", "x/".repeat(400));
    let labels: Vec<&str> = std::iter::repeat_n(many.as_str(), 100).collect();
    let LabelErrors(errors) = read(&labels).expect_err("unknown keys");
    assert_eq!(errors.len(), 32);
}

#[test]
fn labels_survive_serialisation() {
    let text = serde_json::to_string(&full()).expect("serialises");
    let back: JobLabels = serde_json::from_str(&text).expect("deserialises");
    assert_eq!(back, full());
}

#[test]
fn a_range_holds_both_its_ends() {
    let range = Range { min: 4, max: 16 };
    for (value, inside) in [(3, false), (4, true), (16, true), (17, false)] {
        assert_eq!(range.contains(value), inside, "{value}");
    }
}

#[test]
fn what_labels_say_of_re_runs_is_read_whatever_else_is_wrong_with_them() {
    for (labels, policy) in [
        (
            &["runs-on=1/disk=large/retry=false"] as &[&str],
            Some(RetryPolicy::Never),
        ),
        (
            &["runs-on=1/region=ireland/retry=false"],
            Some(RetryPolicy::Never),
        ),
        (&["runs-on=1/nested-virt/retry=0"], Some(RetryPolicy::Never)),
        (
            &["runs-on=1/volume=80", "retry=when-interrupted"],
            Some(RetryPolicy::USUAL),
        ),
        (&["runs-on=1,ami=x,RETRY"], Some(RetryPolicy::USUAL)),
        (
            &["runs-on=1/retry=false/retry=true"],
            Some(RetryPolicy::USUAL),
        ),
        (&["runs-on=1/runner=x"], None),
        (&["self-hosted", "retry=false"], None),
        (&[], None),
    ] {
        assert_eq!(retry(labels), policy, "{labels:?}");
    }
}

#[test]
fn a_word_about_re_runs_that_cannot_be_understood_never_re_runs_more() {
    for label in [
        "runs-on=1/retry=sometimes",
        "runs-on=1/retry=",
        "runs-on=1/retry=true/retry=6",
        "runs-on=1/retry=when-interrupted:0",
    ] {
        assert_eq!(retry(&[label]), Some(RetryPolicy::Never), "{label}");
    }
}

fn retry(labels: &[&str]) -> Option<RetryPolicy> {
    let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    retry_of(&labels)
}

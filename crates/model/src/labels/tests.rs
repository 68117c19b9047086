use proptest::prelude::*;

use super::*;

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

fn full() -> JobLabels {
    JobLabels {
        id: Some("42-build".to_owned()),
        spot: SpotChoice::Off,
        retry: Some(RetryPolicy::Never),
        family: families(&["c7a", "m7"]),
        cpu: Some(Range { min: 4, max: 16 }),
        ram: Some(Range { min: 8, max: 8 }),
        image: Some("ubuntu24".to_owned()),
        ignored: Vec::new(),
    }
}

#[test]
fn slashes_commas_arrays_and_mixtures_mean_the_same() {
    for labels in [
        &["runs-on=42-build/spot=false/retry=false/family=c7a+m7/cpu=4+16/ram=8/image=ubuntu24"]
            as &[&str],
        &["runs-on=42-build,spot=false,retry=false,family=c7a+m7,cpu=4+16,ram=8,image=ubuntu24"],
        &[
            "runs-on=42-build",
            "spot=false",
            "retry=false",
            "family=c7a+m7",
            "cpu=4+16",
            "ram=8",
            "image=ubuntu24",
        ],
        &[
            "self-hosted",
            "cpu=4+16,ram=8",
            "runs-on=42-build/spot=never",
            "linux",
            "retry=0",
            "family=c7a+m7/image=ubuntu24",
        ],
        &[
            "Runs-On=42-build / SPOT = False /,/ retry=false, family=C7A+m7,cpu=4+16,ram=8,image=ubuntu24,",
        ],
    ] {
        assert_eq!(good(labels), full(), "{labels:?}");
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
    assert_eq!(labels.spot, SpotChoice::On);
    assert_eq!(labels.retry, None, "policy decides");
}

#[test]
fn a_bare_key_means_true() {
    assert_eq!(good(&["runs-on=1/spot"]).spot, SpotChoice::On);
    let labels = good(&["runs-on=1/spot=false/retry=false", "spot", "retry"]);
    assert_eq!(labels.spot, SpotChoice::On);
    assert_eq!(labels.retry, Some(RetryPolicy::WhenInterrupted));
}

#[test]
fn the_last_duplicate_wins() {
    let labels = good(&["runs-on=1/cpu=2/cpu=4", "runs-on=2,cpu=8"]);
    assert_eq!(labels.id.as_deref(), Some("2"));
    assert_eq!(labels.cpu, Some(Range { min: 8, max: 8 }));
}

#[test]
fn every_allocation_strategy_means_spot() {
    for word in [
        "true",
        "pco",
        "price-capacity-optimized",
        "co",
        "capacity-optimized",
        "lp",
        "lowest-price",
        "cop",
        "capacity-optimized-prioritized",
    ] {
        let label = format!("runs-on=1/spot={word}");
        assert_eq!(good(&[&label]).spot, SpotChoice::On, "{word}");
    }
}

#[test]
fn other_peoples_bare_words_beside_our_label_are_left_alone() {
    let labels = good(&[
        "self-hosted",
        "linux",
        "x64",
        "image",
        "runner",
        "",
        "runs-on=1",
    ]);
    assert_eq!(labels.id.as_deref(), Some("1"));
    assert_eq!(labels.image, None);
    assert!(labels.ignored.is_empty());
}

#[test]
fn settings_of_other_fleets_that_change_nothing_here_are_ignored_and_listed() {
    let labels = good(&[
        "runs-on=1/env=dev/private/extras=s3-cache+efs,pool=fast",
        "ssh=false",
        "debug",
        "tag=x",
        "preinstall=1",
    ]);
    assert_eq!(
        labels.ignored,
        [
            "env=dev",
            "private",
            "extras=s3-cache+efs",
            "pool=fast",
            "ssh=false",
            "debug",
            "tag=x",
            "preinstall=1"
        ]
    );
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_would_be_right() {
    insta::assert_snapshot!(
        errors(&[
            "runs-on=42/familly=c7a/cpu=four/spot=flase",
            "ram=16gb",
            "größe=3/retry=3/image=",
        ])
        .join(
            "
"
        )
    );
}

#[test]
fn keys_that_choose_the_machine_in_other_fleets_say_what_to_use() {
    insta::assert_snapshot!(
        errors(&[
            "runs-on=1,runner=2cpu-linux-x64,ami=ami-1234,volume=80gb,disk=large,hdd=80,region=us-east-1",
        ])
        .join("
"));
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
            &["runs-on=1/runner=2cpu-linux-x64/retry=false"] as &[&str],
            Some(RetryPolicy::Never),
        ),
        (
            &["runs-on=1/region=eu-west-1/retry=false"],
            Some(RetryPolicy::Never),
        ),
        (&["runs-on=1/nested-virt/retry=0"], Some(RetryPolicy::Never)),
        (
            &["runs-on=1/volume=80gb", "retry=when-interrupted"],
            Some(RetryPolicy::WhenInterrupted),
        ),
        (
            &["runs-on=1,ami=x,RETRY"],
            Some(RetryPolicy::WhenInterrupted),
        ),
        (
            &["runs-on=1/retry=false/retry=true"],
            Some(RetryPolicy::WhenInterrupted),
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
        "runs-on=1/retry=true/retry=2",
    ] {
        assert_eq!(retry(&[label]), Some(RetryPolicy::Never), "{label}");
    }
}

fn retry(labels: &[&str]) -> Option<RetryPolicy> {
    let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
    retry_of(&labels)
}

fn any_labels() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        any::<String>(),
        "[a-zß=+/, ]{0,20}",
        "(runs-on|spot|retry|family|cpu|ram|image|ami|env)(=[0-9a-z+.* é]{0,12})?",
    ];
    let label = proptest::collection::vec(word, 0..6).prop_map(|words| words.join("/"));
    let ours = any::<bool>().prop_map(|ours| if ours { "runs-on=1/" } else { "" });
    proptest::collection::vec((ours, label), 0..4).prop_map(|labels| {
        labels
            .into_iter()
            .map(|(mark, rest)| format!("{mark}{rest}"))
            .collect()
    })
}

fn any_setting() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("spot"),
        Just("spot=true"),
        Just("spot=false"),
        Just("retry=when-interrupted"),
        Just("retry=false"),
        Just("retry"),
        Just("family=c7a+m7"),
        Just("family=c7a.*"),
        Just("cpu=4"),
        Just("cpu=4+16"),
        Just("cpu=x"),
        Just("ram=8"),
        Just("image=ubuntu24"),
        Just("ami=ami-1"),
        Just("env=dev"),
        Just("private"),
        Just("unknown=1"),
    ]
    .prop_map(str::to_owned)
}

/// What a reading says apart from where it stands.
fn without_places(
    reading: Result<Option<JobLabels>, LabelErrors>,
) -> Result<Option<JobLabels>, Vec<(String, String)>> {
    reading.map_err(|LabelErrors(errors)| {
        errors
            .into_iter()
            .map(|error| (error.problem, error.hint))
            .collect()
    })
}

proptest! {
    #[test]
    fn where_the_labels_can_be_read_their_word_about_re_runs_is_the_same(labels in any_labels()) {
        let word = retry_of(&labels);
        if let Ok(read) = parse(&labels) {
            prop_assert_eq!(word, read.and_then(|read| read.retry));
        }
    }

    #[test]
    fn no_label_panics_and_every_position_lies_inside_its_label(labels in any_labels()) {
        if let Err(LabelErrors(errors)) = parse(&labels) {
            prop_assert!(!errors.is_empty());
            for error in errors {
                let length = error.label.chars().count();
                prop_assert!((1..=length).contains(&error.position), "{error}");
                prop_assert!(!error.hint.is_empty());
            }
        }
    }

    #[test]
    fn the_same_settings_read_alike_in_every_form(
        settings in proptest::collection::vec(any_setting(), 0..8),
    ) {
        let mut array = vec!["runs-on=1".to_owned()];
        array.extend(settings);
        let expected = without_places(parse(&array));
        for separator in ["/", ","] {
            let joined = [array.join(separator)];
            prop_assert_eq!(without_places(parse(&joined)), expected.clone());
        }
    }

    #[test]
    fn a_range_that_is_read_never_ends_before_it_begins(min in 0_u64.., max in 0_u64..) {
        let label = format!("runs-on=1/cpu={min}+{max}");
        if let Ok(Some(labels)) = parse(&[label]) {
            let range = labels.cpu.expect("read");
            prop_assert!(range.min <= range.max);
        }
    }
}

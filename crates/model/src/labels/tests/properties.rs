//! What holds of any labels.

use proptest::prelude::*;

use super::*;

fn any_labels() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        any::<String>(),
        "[a-zß=+/, ]{0,20}",
        "(runs-on|runner|spot|retry|family|cpu|ram|image|ami|env)(=[0-9a-z+.*: é-]{0,12})?",
        "(region|private|tag)(=[0-9a-z+.*: é-]{0,12})?",
        "volume(=[0-9]{0,4}(gb|mbs|iops|gp3|io2|é)?(:[0-9]{0,4}(gb|mbs|iops|gp3|io2)?){0,3})?",
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
        Just("ami=ami-0123abcd"),
        Just("runner=2cpu-linux-x64"),
        Just("env=dev"),
        Just("volume=80gb:gp3"),
        Just("volume=gp2:5mbs"),
        Just("region=eu-west-1"),
        Just("spot=cop"),
        Just("tag=team:shop+x"),
        Just("ssh"),
        Just("private"),
        Just("unknown=1"),
    ]
    .prop_map(str::to_owned)
}

/// What a reading says apart from where it stands. A word that says nothing to us is a label of others where it
/// stands by itself, and a part of ours in one.
fn without_places(
    reading: Result<Option<JobLabels>, LabelErrors>,
) -> Result<Option<JobLabels>, Vec<(String, String)>> {
    let by_its_settings = |labels: JobLabels| JobLabels {
        others: Vec::new(),
        ..labels
    };
    let reading = reading.map(|labels| labels.map(by_its_settings));
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
            let range = labels.machine.cpu.expect("read");
            prop_assert!(range.min <= range.max);
        }
    }

    #[test]
    fn a_volume_says_the_same_when_it_is_written_down(
        size in proptest::option::of(1_u32..=65_536),
        throughput in proptest::option::of(1_u32..=2_000),
        iops in proptest::option::of(1_u32..=256_000),
    ) {
        let volume = Volume {
            size_gib: size,
            kind: Some(VolumeKind::Gp3),
            throughput_mibs: throughput,
            iops,
        };
        let wish = read_wish(&[format!("volume={volume}")]).expect("good");
        prop_assert_eq!(wish.volume, Some(volume));
    }
}

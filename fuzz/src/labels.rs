//! The labels of a job, one a line.

use reprise_model::labels::{
    FamilyPattern, JobLabels, LabelError, LabelErrors, MachineWish, parse, retry_of,
};

/// The longest label that is repeated in an error, in characters.
const LONGEST_LABEL: usize = 1024;

/// The most errors that are told of one job.
const MOST_ERRORS: usize = 32;

/// A quoted character takes ten at most, as `\u{10ffff}`; the sentences around it are short.
const LONGEST_PROBLEM: usize = 10 * LONGEST_LABEL + 200;

/// Checks one input.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let labels: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let read = parse(&labels);
    match &read {
        Ok(None) => assert_eq!(retry_of(&labels), None, "not ours, and yet it has a policy"),
        Ok(Some(read)) => good(&labels, read),
        Err(errors) => {
            assert!(!errors.0.is_empty(), "a refusal without an error");
            assert!(errors.0.len() <= MOST_ERRORS, "{} errors", errors.0.len());
            for error in &errors.0 {
                bad(&labels, error);
            }
        }
    }
    let mut more = labels;
    more.push("self-hosted".to_owned());
    let wider = parse(&more);
    if let Ok(Some(wider)) = &wider {
        let last = wider.others.last().map(String::as_str);
        assert_eq!(
            last,
            Some("self-hosted"),
            "a word of somebody else's is lost"
        );
    }
    let ours = |read: Result<Option<JobLabels>, LabelErrors>| read.map(|read| read.map(ours));
    assert_eq!(
        ours(wider),
        ours(read),
        "somebody else's word changed something"
    );
}

/// What is said to us, and nothing else.
fn ours(read: JobLabels) -> JobLabels {
    JobLabels {
        others: Vec::new(),
        ..read
    }
}

fn good(labels: &[String], read: &JobLabels) {
    assert_eq!(retry_of(labels), read.retry, "two readings of retry=");
    let machine = &read.machine;
    for range in [machine.cpu, machine.ram].into_iter().flatten() {
        assert!(1 <= range.min && range.min <= range.max, "{range:?}");
        assert!(range.contains(range.min) && range.contains(range.max));
    }
    for family in &machine.family {
        assert_eq!(FamilyPattern::new(family.as_str()).as_ref(), Ok(family));
        let _ = family.matches("m7i-flex.large");
    }
    let again = parse(&written(read)).map(|read| read.map(ours));
    assert_eq!(again, Ok(Some(ours(read.clone()))));
    let stored = serde_json::to_string(read).expect("it can be stored");
    assert_eq!(
        serde_json::from_str::<JobLabels>(&stored).ok().as_ref(),
        Some(read)
    );
}

fn bad(labels: &[String], error: &LabelError) {
    let characters = error.label.chars().count();
    assert!(characters <= LONGEST_LABEL, "a label of {characters}");
    assert!(
        (1..=characters).contains(&error.position),
        "position {} of {characters}",
        error.position
    );
    assert!(
        labels.iter().any(|label| label.starts_with(&error.label)),
        "the error names a label that nobody wrote"
    );
    assert!(!error.problem.is_empty() && error.problem.len() <= LONGEST_PROBLEM);
    assert!(!error.hint.is_empty() && error.hint.len() <= 300);
    let stored = serde_json::to_string(error).expect("it can be stored");
    assert_eq!(
        serde_json::from_str::<LabelError>(&stored).ok().as_ref(),
        Some(error)
    );
}

/// The labels again, one a setting.
fn written(read: &JobLabels) -> Vec<String> {
    let mut labels = vec![match &read.id {
        Some(id) => format!("runs-on={id}"),
        None => "runs-on".to_owned(),
    }];
    labels.extend(read.runner.as_ref().map(|name| format!("runner={name}")));
    labels.extend(read.env.as_ref().map(|name| format!("env={name}")));
    labels.extend(read.retry.map(|retry| format!("retry={retry}")));
    labels.extend(wish(&read.machine));
    labels.extend(read.ignored.iter().cloned());
    labels
}

fn wish(machine: &MachineWish) -> Vec<String> {
    let families: Vec<&str> = machine.family.iter().map(FamilyPattern::as_str).collect();
    let tags: Vec<String> = machine
        .tags
        .iter()
        .map(|(key, value)| format!("{key}:{value}"))
        .collect();
    let listed =
        |key: &str, list: &[&str]| (!list.is_empty()).then(|| format!("{key}={}", list.join("+")));
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let parts = [
        machine.spot.map(|spot| format!("spot={spot}")),
        machine.cpu.map(|cpu| format!("cpu={cpu}")),
        machine.ram.map(|ram| format!("ram={ram}")),
        machine.image.as_ref().map(|image| format!("image={image}")),
        machine.volume.map(|volume| format!("volume={volume}")),
        machine
            .region
            .as_ref()
            .map(|region| format!("region={region}")),
        machine.private.map(|private| format!("private={private}")),
        listed("family", &families),
        listed("tag", &tags),
    ];
    parts.into_iter().flatten().collect()
}

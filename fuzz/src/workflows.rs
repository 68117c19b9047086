//! A workflow file, as anybody may hand it to the linter.

use reprise_lint::{Code, Finding, Place, Source, lint};

/// No message or hint has more characters, though a label and the expressions in it are quoted.
const LONGEST: usize = 20_000;

/// Checks one input.
pub fn check(input: &[u8]) {
    let source = Source {
        name: "ci.yml".to_owned(),
        bytes: input.to_vec(),
    };
    let findings = lint(std::slice::from_ref(&source));
    for finding in &findings {
        is_sound(input, finding);
    }
    let in_order = findings.is_sorted_by_key(|finding| (finding.place, finding.code));
    assert!(in_order, "not from top to bottom");
    let unreadable = findings
        .iter()
        .filter(|finding| finding.code == Code::UnreadableWorkflow)
        .count();
    assert!(unreadable == 0 || findings.len() == 1, "read, and yet not");
    assert_eq!(lint(&[source]), findings, "another look, another answer");
}

fn is_sound(input: &[u8], finding: &Finding) {
    let Place { line, column } = finding.place;
    let breaks = input.iter().filter(|byte| matches!(byte, b'\n' | b'\r'));
    assert!((1..=breaks.count() + 2).contains(&line), "line {line}");
    assert!((1..=input.len() + 2).contains(&column), "column {column}");
    assert!(!finding.message.is_empty(), "a finding says what is wrong");
    let hint = finding.hint.as_deref().unwrap_or_default();
    let label = finding.label.as_ref();
    let shown = label.map_or("", |label| label.text.as_str());
    for text in [finding.message.as_str(), hint, shown] {
        let characters = text.chars().count();
        assert!(
            characters <= LONGEST,
            "{characters} characters: {text:.300}"
        );
    }
    if let Some(label) = label {
        assert!(label.position >= 1, "{label:?}");
    }
}

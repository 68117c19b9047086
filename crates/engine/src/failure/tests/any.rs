//! Any log and any annotation gives a judgement, and a long one takes no longer than its length says.

use proptest::prelude::*;

use super::*;

/// Pieces that mean something to the reader of logs, and any bytes.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "2026-01-01T00:00:03.1234567Z ",
        "##[error]",
        "##[group]Run make\n",
        "##[endgroup]\n",
        "shell: x\n",
        "\u{1b}[36;1m",
        "\u{1b}[",
        "\u{1b}]8;;",
        "\u{7}",
        "\u{feff}",
        "\r",
        "\n",
        "connection reset\n",
        "tests: 1\n",
        "file not found\n",
        "Process completed with exit code 137.",
    ]);
    prop_oneof![
        known.prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

fn log() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::collection::vec(piece(), 0..60);
    pieces.prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_log_gives_a_judgement_that_can_be_shown(log in log(), message in ".{0,200}", has_step in any::<bool>()) {
        let mut facts = printed("");
        facts.log = JobLog::End(log);
        facts.annotations = Some(vec![annotation(&message)]);
        if !has_step {
            facts.steps.clear();
        }
        let judgement = judged(&facts);
        let told = judgement.to_string();
        prop_assert!(!told.is_empty());
        if let Some(decided_by) = &judgement.decided_by {
            prop_assert!(decided_by.line.chars().count() <= 303);
            prop_assert!(!decided_by.line.chars().any(|c| c.is_ascii_control() && c != '\t'));
        }
    }
}

#[test]
fn only_the_end_of_an_endless_log_is_looked_at() {
    let mut log = b"tests: 1\n".to_vec();
    log.resize(8 << 20, b'x');
    log.extend_from_slice(b"\nconnection reset\n##[error]no");
    let mut facts = printed("");
    facts.log = JobLog::End(log);
    assert_eq!(class(&facts), FailureClass::Transient);
}

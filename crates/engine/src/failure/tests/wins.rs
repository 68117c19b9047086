//! Rows of the order in which lines count.

use super::*;

const EXIT: &str = "##[error]Process completed with exit code 1.";

#[test]
fn a_permanent_line_wins_over_a_transient_one_wherever_it_stands_at_the_end() {
    for lines in [
        "connection reset\nfile not found",
        "file not found\nconnection reset",
    ] {
        let facts = printed(&format!("{lines}\n{EXIT}"));
        assert_eq!(class(&facts), FailureClass::Permanent, "{lines}");
    }
}

#[test]
fn node_not_found_is_the_named_exception_to_not_found() {
    let facts = printed(&format!("node not found\n{EXIT}"));
    assert_eq!(class(&facts), FailureClass::Transient);
    let facts = printed(&format!("node not found\nfile not found\n{EXIT}"));
    assert_eq!(class(&facts), FailureClass::Permanent);
}

#[test]
fn another_line_of_the_step_may_void_a_rule() {
    let facts = printed(&format!(
        "index is down\nconnection reset\nx not found\n{EXIT}"
    ));
    assert_eq!(class(&facts), FailureClass::Transient);
}

#[test]
fn harmless_lines_and_bare_words_without_an_error_say_nothing() {
    for line in [
        "connection reset, retrying",
        "test file not found ... ok",
        "--timeout 5",
    ] {
        let facts = printed(&format!("{line}\n{EXIT}"));
        assert_eq!(class(&facts), FailureClass::Unknown, "{line}");
    }
    let facts = printed(&format!("fatal: timeout\n{EXIT}"));
    assert_eq!(class(&facts), FailureClass::Transient);
}

#[test]
fn what_is_certain_counts_anywhere_and_the_rest_at_the_end() {
    let far = "more\n".repeat(END);
    for (line, expected) in [
        ("tests: 1 failed", FailureClass::Permanent),
        ("file not found", FailureClass::Unknown),
        ("connection reset", FailureClass::Unknown),
        ("##[error]file not found", FailureClass::Permanent),
        ("##[error]connection reset", FailureClass::Unknown),
    ] {
        let facts = printed(&format!("{line}\n{far}{EXIT}"));
        assert_eq!(class(&facts), expected, "{line}");
    }
}

#[test]
fn what_follows_the_last_error_line_does_not_count() {
    let facts = printed(&format!(
        "working\n{EXIT}\nconnection reset\nfile not found"
    ));
    assert_eq!(class(&facts), FailureClass::Unknown);
}

#[test]
fn each_failed_step_must_be_transient() {
    let log = "2026-03-01T10:00:01.5Z connection reset\n\
               2026-03-01T10:00:02.5Z ##[error]Process completed with exit code 1.\n\
               2026-03-01T10:00:11.5Z LAST\n\
               2026-03-01T10:00:12.5Z ##[error]Process completed with exit code 1.";
    let start = "2026-03-01T10:00:00Z"
        .parse::<jiff::Timestamp>()
        .expect("a time");
    let moment = |seconds| Some(start + jiff::SignedDuration::from_secs(seconds));
    for (last, expected) in [
        ("connection reset", FailureClass::Transient),
        ("something", FailureClass::Unknown),
        ("tests: 3", FailureClass::Permanent),
    ] {
        let mut facts = printed(&log.replace("LAST", last));
        facts.steps = [(0, 5), (10, 15)]
            .map(|(from, to)| Step {
                started_at: moment(from),
                completed_at: moment(to),
                ..step(Conclusion::Failure, 0, 0)
            })
            .to_vec();
        assert_eq!(class(&facts), expected, "{last}");
        // A step that passed counts for nothing.
        facts.steps[1].conclusion = Some(Conclusion::Success);
        assert_eq!(class(&facts), FailureClass::Transient, "{last}");
    }
}

#[test]
fn signs_of_the_host_go_before_everything_and_those_of_the_step_give_way_to_what_is_certain() {
    let lost = "The self-hosted runner: i-0123abcd lost communication with the server.";
    let mut facts = printed(&format!("tests: 1\n{EXIT}"));
    facts.annotations = Some(vec![annotation(lost)]);
    assert_eq!(class(&facts), FailureClass::Transient);
    for sign in [
        "##[error]Process completed with exit code 137.",
        "##[error]The action 'Run make' has timed out after 5 minutes.",
    ] {
        assert_eq!(class(&printed(sign)), FailureClass::Transient, "{sign}");
        let weak = printed(&format!("file not found\n{sign}"));
        assert_eq!(class(&weak), FailureClass::Transient, "{sign}");
        let certain = printed(&format!("tests: 1\n{sign}"));
        assert_eq!(class(&certain), FailureClass::Permanent, "{sign}");
    }
}

#[test]
fn exit_codes_that_only_hold_137_are_no_kill() {
    for line in [
        "##[error]Process completed with exit code 1137.",
        "exit code 137",
    ] {
        let facts = printed(&format!("{line}\n##[error]no"));
        assert_eq!(class(&facts), FailureClass::Unknown, "{line}");
    }
}

#[test]
fn a_cancelled_step_without_a_failed_one_is_a_lost_host_unless_somebody_cancelled() {
    let mut facts = printed("##[error]The operation was canceled.");
    facts.steps = vec![
        step(Conclusion::Success, 0, 5),
        step(Conclusion::Cancelled, 5, 9),
    ];
    assert_eq!(class(&facts), FailureClass::Transient);
    facts.annotations = Some(vec![annotation("The run was canceled by @mona.")]);
    assert_eq!(class(&facts), FailureClass::Unknown);
    facts.annotations = None;
    facts.conclusion = Some(Conclusion::Cancelled);
    assert_eq!(class(&facts), FailureClass::Unknown);
    facts.annotations = Some(Vec::new());
    facts.steps.push(step(Conclusion::Failure, 9, 9));
    assert_eq!(class(&facts), FailureClass::Unknown);
}

#[test]
fn an_annotation_counts_where_its_step_failed() {
    let mut facts = printed(EXIT);
    facts.annotations = Some(vec![annotation("connection reset\nwhile reading")]);
    assert_eq!(class(&facts), FailureClass::Transient);
    let of_another = format!("##[error]connection reset\n##[group]Run make\n##[endgroup]\n{EXIT}");
    facts.log = JobLog::End(of_another.into_bytes());
    assert_eq!(class(&facts), FailureClass::Unknown);
    let mut warned = printed(EXIT);
    let warning = Annotation {
        level: Some(AnnotationLevel::Warning),
        ..annotation("connection reset")
    };
    warned.annotations = Some(vec![warning]);
    assert_eq!(class(&warned), FailureClass::Unknown);
}

#[test]
fn a_finding_in_a_file_is_permanent() {
    let mut facts = printed(&format!("connection reset\n{EXIT}"));
    let found = Annotation {
        path: Some("src/net.ts".to_owned()),
        ..annotation("unused")
    };
    facts.annotations = Some(vec![found]);
    let judgement = judged(&facts);
    assert_eq!(judgement.class, FailureClass::Permanent);
    assert_eq!(
        judgement.to_string(),
        "permanent: a checker found something in a file, by an annotation: \"src/net.ts: unused\""
    );
}

#[test]
fn the_operators_word_counts_before_the_built_in_one_in_its_line_alone() {
    let rules = vec![rule(
        Group::Transient,
        Reach::End,
        &["mirror: .* not found"],
    )];
    let own = table(FailureTable::Configured, rules);
    let built_in = built_in();
    let tables = Tables {
        configured: Some(&own),
        built_in: &built_in,
    };
    let facts = printed(&format!("mirror: x.jar not found\n{EXIT}"));
    assert_eq!(judge(&facts, tables).class, FailureClass::Transient);
    let facts = printed(&format!("mirror: x.jar not found\nfile not found\n{EXIT}"));
    assert_eq!(judge(&facts, tables).class, FailureClass::Permanent);
}

#[test]
fn nothing_known_is_unknown() {
    let facts = FailureFacts {
        conclusion: None,
        steps: Vec::new(),
        annotations: None,
        log: JobLog::Missing,
    };
    assert_eq!(
        judged(&facts),
        Judgement {
            class: FailureClass::Unknown,
            decided_by: None,
            failed_step: None,
        }
    );
}

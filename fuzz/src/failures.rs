//! The judgement of a failure: the message of an annotation, then a line `=====`, then a log.

use jiff::Timestamp;
use reprise_config::failures::built_in;
use reprise_engine::failure::{Tables, judge};
use reprise_model::failure::{
    Annotation, AnnotationLevel, DecidedBy, FailureClass, FailureFacts, FailureRule, FailureSign,
    JobLog, Judgement, Step,
};
use reprise_model::job::{Conclusion, JobStatus};

/// A shown line has 300 characters and three dots.
const LONGEST_LINE: usize = 303;

const BETWEEN: &[u8] = b"\n=====\n";

/// Checks one input.
pub fn check(input: &[u8]) {
    let at = input
        .windows(BETWEEN.len())
        .position(|bytes| bytes == BETWEEN);
    let (message, log) = match at {
        Some(at) => (&input[..at], &input[at + BETWEEN.len()..]),
        None => (&[] as &[u8], input),
    };
    let message = String::from_utf8_lossy(message);
    for steps in [Vec::new(), vec![failed()]] {
        let facts = facts(&message, log, steps);
        let judgement = judged(&facts);
        assert_eq!(judged(&facts), judgement, "it was judged otherwise before");
        told(&judgement);
    }
}

fn judged(facts: &FailureFacts) -> Judgement {
    let tables = Tables {
        configured: None,
        built_in: built_in().expect("a test reads it"),
    };
    judge(facts, tables)
}

fn told(judgement: &Judgement) {
    match (judgement.class, &judgement.decided_by) {
        (FailureClass::Transient | FailureClass::Permanent, None) => {
            panic!("nothing decided that it is {}", judgement.class)
        }
        (FailureClass::Unknown, Some(decided_by)) => {
            let cancelled = FailureRule::Sign(FailureSign::Cancelled);
            assert_eq!(decided_by.rule, cancelled, "it is known");
            shown(decided_by);
        }
        (_, Some(decided_by)) => shown(decided_by),
        (FailureClass::Unknown, None) => {}
    }
}

fn shown(decided_by: &DecidedBy) {
    let line = &decided_by.line;
    assert!(line.chars().count() <= LONGEST_LINE, "{line}");
    let controls = line.chars().any(|c| c.is_ascii_control() && c != '\t');
    assert!(!controls, "{line:?}");
}

fn facts(message: &str, log: &[u8], steps: Vec<Step>) -> FailureFacts {
    FailureFacts {
        conclusion: Some(Conclusion::Failure),
        steps,
        annotations: Some(vec![Annotation {
            level: Some(AnnotationLevel::Failure),
            path: None,
            message: Some(message.to_owned()),
        }]),
        log: JobLog::End(log.to_vec()),
    }
}

/// A step that failed, at the times of the corpus's logs.
fn failed() -> Step {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    Step {
        name: "Run make".to_owned(),
        status: JobStatus::Completed,
        conclusion: Some(Conclusion::Failure),
        started_at: time("2026-01-01T10:00:05Z"),
        completed_at: time("2026-01-01T10:00:15Z"),
    }
}

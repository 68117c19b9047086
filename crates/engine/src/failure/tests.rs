//! What counts, and what wins, with small tables; the built-in one is tested where it is.

mod any;
mod wins;

use reprise_model::failure::{
    Annotation, AnnotationLevel, FailureClass, FailureFacts, FailureTable, JobLog, Step,
};
use reprise_model::job::{Conclusion, JobStatus};

use super::*;
use crate::samples::at;

fn table(name: FailureTable, rules: Vec<Rule>) -> Table {
    Table::compile(name, rules).expect("good")
}

fn built_in() -> Table {
    let rules = vec![
        rule(Group::Transient, Reach::End, &["connection reset"]),
        rule(Group::Transient, Reach::Error, &["timeout"]),
        rule(Group::Permanent, Reach::Step, &["^tests: [1-9]"]),
        Rule {
            except: vec!["node not found".to_owned()],
            unless: vec!["index is down".to_owned()],
            ..rule(Group::Permanent, Reach::End, &["not found"])
        },
        rule(Group::Transient, Reach::End, &["node not found"]),
        rule(Group::Harmless, Reach::End, &["retrying", r"\.\.\. ok$"]),
    ];
    table(FailureTable::BuiltIn, rules)
}

fn rule(group: Group, reach: Reach, patterns: &[&str]) -> Rule {
    Rule {
        group,
        reach,
        patterns: patterns.iter().map(|one| (*one).to_owned()).collect(),
        except: Vec::new(),
        unless: Vec::new(),
        note: String::new(),
        examples: Vec::new(),
    }
}

/// A job whose only failed step printed this.
fn printed(lines: &str) -> FailureFacts {
    FailureFacts {
        conclusion: Some(Conclusion::Failure),
        steps: vec![step(Conclusion::Failure, 0, 10)],
        annotations: Some(Vec::new()),
        log: JobLog::End(lines.as_bytes().to_vec()),
    }
}

fn step(conclusion: Conclusion, from: i64, to: i64) -> Step {
    Step {
        name: "Run make".to_owned(),
        status: JobStatus::Completed,
        conclusion: Some(conclusion),
        started_at: Some(at(from)),
        completed_at: Some(at(to)),
    }
}

fn annotation(message: &str) -> Annotation {
    Annotation {
        level: Some(AnnotationLevel::Failure),
        path: Some(".github".to_owned()),
        message: Some(message.to_owned()),
    }
}

fn class(facts: &FailureFacts) -> FailureClass {
    judged(facts).class
}

fn judged(facts: &FailureFacts) -> Judgement {
    let built_in = built_in();
    let tables = Tables {
        configured: None,
        built_in: &built_in,
    };
    judge(facts, tables)
}

#[test]
fn a_log_that_is_not_there_yet_is_waited_for_as_long_as_evidence_is() {
    let built_in = built_in();
    let tables = Tables {
        configured: None,
        built_in: &built_in,
    };
    let after = |facts: &FailureFacts, seconds| {
        let window = SignedDuration::from_secs(60);
        said(Some(facts), tables, Some(at(10)), window, at(seconds))
    };
    let missing = FailureFacts {
        log: JobLog::Missing,
        ..printed("")
    };
    assert_eq!(after(&missing, 69), FailureSaid::TooEarly { at: at(70) });
    let in_make = |judgement| {
        FailureSaid::Judged(Judgement {
            failed_step: Some("Run make".to_owned()),
            ..judgement
        })
    };
    assert_eq!(after(&missing, 70), in_make(UNTOLD));
    let reset = printed("connection reset");
    assert_eq!(after(&reset, 11), in_make(judged(&reset)));
    let nothing = printed("");
    assert_eq!(after(&nothing, 11), in_make(UNTOLD));
    let no = said(None, tables, Some(at(10)), SignedDuration::ZERO, at(11));
    assert_eq!(no, FailureSaid::Judged(UNTOLD));
}

use reprise_world::invariants::JobRow;

use super::*;

fn row(attempt: u32) -> JobRow {
    JobRow {
        repository: "acme/shop".parse().expect("a repository"),
        workflow: "ci".to_owned(),
        run: reprise_model::ids::RunId(1),
        job: "e2e".to_owned(),
        attempt: reprise_model::ids::RunAttempt::new(attempt).expect("an attempt"),
        capacity: None,
        instance: None,
        conclusion: Some(Conclusion::Failure),
        carried_over: false,
        job_id: JobId(7),
    }
}

fn log(decision: &str, more: &str) -> String {
    format!(
        r#"{{"level":"INFO","decision":"{decision}","repository":"acme/shop","run.id":"1","run.attempt":"1","job.id":"7","job.name":"e2e"{more}}}"#
    )
}

#[test]
fn a_decision_is_told_in_a_sentence_and_remembered_for_the_table() {
    let mut narrator = Narrator::default();
    let said = narrator.controller(&log("awaiting", r#","evidence":"tag""#));
    assert_eq!(
        said,
        Some((
            "controller",
            "e2e (acme/shop, attempt 1) was interrupted (evidence: tag); stored, and re-run once its run has completed"
                .to_owned()
        ))
    );
    assert_eq!(narrator.why(&row(1)), "re-run by Reprise");
}

#[test]
fn a_job_that_came_back_is_re_run_by_us_also_when_it_was_judged_after_its_run_was_asked_for() {
    let mut narrator = Narrator::default();
    narrator.controller(&log(
        "settled",
        r#","reason":"recovered","detail":"its re-run passed""#,
    ));
    assert_eq!(narrator.why(&row(1)), "re-run by Reprise");
}

#[test]
fn a_wait_is_told_once_however_often_the_run_is_read() {
    let mut narrator = Narrator::default();
    let waiting = log("waiting", r#","reason":"run-active""#);
    assert!(narrator.controller(&waiting).is_some());
    assert_eq!(narrator.controller(&waiting), None);
}

#[test]
fn a_later_attempt_says_why_it_has_its_capacity() {
    let mut narrator = Narrator::default();
    let launched = r#","instance.id":"i-1","runner.name":"one","capacity":"on-demand","reason":"later-attempt""#;
    let said = narrator.controller(&log("launched", launched));
    let said = said.map(|(_, text)| text);
    assert_eq!(
        said.as_deref(),
        Some(
            "gives e2e (acme/shop, attempt 1) an on-demand machine, i-1, and a runner that works once: \
             every attempt above 1 is"
        )
    );
    narrator.controller(&log(
        "settled",
        r#","reason":"succeeded","detail":"it passed""#,
    ));
    assert_eq!(
        narrator.why(&row(2)),
        "on-demand: every attempt above 1 is; it passed"
    );
    assert_eq!(narrator.why(&row(1)), "it passed");
}

#[test]
fn what_goes_wrong_in_a_program_is_told_and_the_rest_of_its_log_is_not() {
    let mut narrator = Narrator::default();
    let fine = r#"{"level":"INFO","message":"a message asks for nothing"}"#;
    let wrong = r#"{"level":"ERROR","message":"failed to receive; tried again","error":"refused"}"#;
    assert_eq!(narrator.controller(fine), None);
    assert_eq!(
        narrator.controller(wrong),
        Some((
            "controller",
            "ERROR: failed to receive; tried again: refused".to_owned()
        ))
    );
    assert_eq!(narrator.controller("thread 'main' panicked"), None);
}

#[test]
fn the_table_says_of_an_interrupted_job_that_it_was() {
    let mut narrator = Narrator::default();
    let instance: InstanceId = "i-0123456789abcdef0".parse().expect("an id");
    let row = JobRow {
        instance: Some(instance.clone()),
        ..row(1)
    };
    assert_eq!(narrator.what_happened(&row), "failure");
    narrator.noticed.insert(instance);
    assert_eq!(narrator.what_happened(&row), "interrupted, failure");
}

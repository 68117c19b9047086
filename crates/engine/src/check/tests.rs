//! What is shown of a run. When a merge queue may go on is in [`gates`].

mod gates;

use reprise_model::check::CheckState;
use reprise_model::evidence::EvidenceSource;
use reprise_model::ids::RunAttempt;
use reprise_model::job::Conclusion;
use reprise_model::ledger::{Rerun, RerunAnswer, RerunOrder, RerunTarget, TrackedState};
use reprise_model::notes::Parked;

use super::*;
use crate::run as run_table;
use crate::samples::{at, evidence, instance, interrupted_by, job, run, run_key, secs};

const MIDDLE: Jitter = Jitter(0.5);
const CHECK: CheckRunId = CheckRunId(77);

#[test]
fn the_check_runs_of_the_commit_are_read_before_one_is_made_and_its_number_is_kept() {
    let ledger = interrupted_jobs(&["build"]);
    let entry = interrupted(None, &run_key(), &job(1, "build"), false, at(0)).expect("new");
    let facts = facts(&entry, &ledger);
    let step = decide(&facts, at(0), MIDDLE, &Rules::default());
    assert_eq!(
        step,
        CheckStep::ReadChecks(entry.head.clone(), "Reprise".to_owned())
    );
    let facts = CheckFacts {
        checks: CheckWords::Seen(&[]),
        ..facts
    };
    let (entry, order) = written(decide(&facts, at(0), MIDDLE, &Rules::default()));
    assert_eq!(order.external_id, "900");
    assert_eq!(order.text.state, CheckState::InProgress);
    let told = accepted(entry, &order, Some(CHECK));
    assert_eq!(told.id, Some(CHECK));
    assert_eq!(told.due, Some(Due::now(at(15 * 60))), "looked at anyway");
}

#[test]
fn one_that_is_there_already_is_written_over_and_one_that_says_so_is_left() {
    let ledger = interrupted_jobs(&["build"]);
    let entry = interrupted(None, &run_key(), &job(1, "build"), false, at(0)).expect("new");
    let text = words::text(&entry, Some(&ledger), None).expect("something");
    let there = |text| {
        let external_id = Some("900".to_owned());
        [CheckRunSeen {
            id: CHECK,
            external_id,
            text,
        }]
    };
    let other = there(None);
    let facts = CheckFacts {
        checks: CheckWords::Seen(&other),
        ..facts(&entry, &ledger)
    };
    let (after, _) = written(decide(&facts, at(0), MIDDLE, &Rules::default()));
    assert_eq!(after.id, Some(CHECK), "it is patched");
    let same = there(Some(text));
    let facts = CheckFacts {
        checks: CheckWords::Seen(&same),
        ..facts
    };
    let after = committed(decide(&facts, at(0), MIDDLE, &Rules::default()));
    assert_eq!(after.id, Some(CHECK));
}

#[test]
fn a_lost_answer_is_resolved_by_a_read() {
    let ledger = interrupted_jobs(&["build"]);
    let entry = CheckEntry {
        id: Some(CHECK),
        ..interrupted(None, &run_key(), &job(1, "build"), false, at(0)).expect("new")
    };
    let (entry, order) = written(decide(
        &facts(&entry, &ledger),
        at(0),
        MIDDLE,
        &Rules::default(),
    ));
    let after = reply(entry, &order, &ChangeAnswer::Unclear);
    assert_eq!(after.due.map(|due| due.at), Some(at(45)));
    let step = decide(&facts(&after, &ledger), at(45), MIDDLE, &Rules::default());
    assert!(matches!(step, CheckStep::ReadChecks(..)), "{step:?}");
}

#[test]
fn what_another_one_may_have_written_is_read() {
    let ledger = interrupted_jobs(&["build"]);
    let text = words::text(&known_gate(), Some(&ledger), None);
    let left_behind = CheckEntry {
        told: text,
        held_until: Some(at(30)),
        ..known_gate()
    };
    let taken = taken(left_behind);
    assert_eq!(
        (taken.id, &taken.told, taken.held_until),
        (None, &None, None)
    );
    let step = decide(&facts(&taken, &ledger), at(30), MIDDLE, &Rules::default());
    assert!(matches!(step, CheckStep::ReadChecks(..)), "{step:?}");
}

#[test]
fn whoever_has_the_record_is_not_overtaken_and_looks_once_more() {
    let ledger = interrupted_jobs(&["build"]);
    let new = interrupted(None, &run_key(), &job(1, "build"), false, at(0)).expect("new");
    let held = CheckEntry {
        due: Some(Due::now(at(30))),
        held_until: Some(at(30)),
        ..new.clone()
    };
    let changed = woken(&held, at(1)).expect("its version tells");
    assert_eq!(changed, held, "and nobody else takes it");
    let facts = CheckFacts {
        checks: CheckWords::Seen(&[]),
        ..facts(&new, &ledger)
    };
    let (entry, order) = written(decide(&facts, at(2), MIDDLE, &Rules::default()));
    let after = accepted(entry, &order, Some(CHECK));
    let merged = changed_meanwhile(&changed, at(30), after.clone(), at(3)).expect("it is its own");
    assert_eq!(
        (merged.id, merged.due),
        (Some(CHECK), Some(Due::now(at(3))))
    );
    assert_eq!((merged.told, merged.held_until), (after.told.clone(), None));
    assert_eq!(changed_meanwhile(&changed, at(29), after, at(3)), None);
}

#[test]
fn what_becomes_of_interrupted_jobs_is_told_to_the_end() {
    let mut ledger = interrupted_jobs(&["build", "e2e `x`\n[y](z)"]);
    let mut told = vec![shown(&ledger)];
    let order = RerunOrder {
        from: RunAttempt::FIRST,
        target: RerunTarget::FailedJobs,
        wanted: vec![JobId(1), JobId(2)],
        along: Vec::new(),
        siblings: Vec::new(),
    };
    ledger.reruns.push(Rerun {
        order,
        decided_at: at(1),
        answer: RerunAnswer::Accepted,
        not_before: None,
    });
    let asked = || TrackedState::Asked { rerun: 0 };
    stand(&mut ledger, &[asked(), asked()]);
    told.push(shown(&ledger));
    stand(
        &mut ledger,
        &[
            settled(SettleReason::Recovered),
            settled(SettleReason::FailedAgain),
        ],
    );
    told.push(shown(&ledger));
    stand(
        &mut ledger,
        &[
            settled(SettleReason::Recovered),
            settled(SettleReason::Recovered),
        ],
    );
    told.push(shown(&ledger));
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn each_reason_for_which_nothing_is_re_run_is_told_in_plain_words() {
    let refusals = RefusalKind::ALL.map(|kind| {
        SettleReason::Refused(Refusal {
            kind,
            message: "`no` for arn:aws:iam::123456789012:role/x".to_owned(),
        })
    });
    let reasons = SettleReason::PLAIN.into_iter().chain(refusals);
    let told = reasons.map(|reason| {
        let mut ledger = interrupted_jobs(&["build"]);
        stand(&mut ledger, &[settled(reason)]);
        shown(&ledger)
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_job_that_is_left_alone_is_told_of_once() {
    let (key, build) = (run_key(), job(1, "build"));
    let reason = SettleReason::OptedOut;
    let entry = left_alone(None, &key, &build, &reason, false, at(0)).expect("new");
    assert_eq!(entry.due, Some(Due::now(at(0))));
    let again = left_alone(Some(&entry), &key, &build, &reason, false, at(1));
    assert_eq!(again, None);
    let text = words::text(&entry, None, None).expect("something");
    assert_eq!(text.state, CheckState::Neutral);
    assert!(
        text.summary.contains("its policy is retry=false"),
        "{}",
        text.summary
    );
}

#[test]
fn the_last_word_ends_the_looks_and_another_interruption_begins_them_anew() {
    let mut ledger = interrupted_jobs(&["build"]);
    stand(&mut ledger, &[settled(SettleReason::Recovered)]);
    let build = job(1, "build");
    let entry = CheckEntry {
        id: Some(CHECK),
        ..interrupted(None, &run_key(), &build, false, at(0)).expect("new")
    };
    let (entry, order) = written(decide(
        &facts(&entry, &ledger),
        at(0),
        MIDDLE,
        &Rules::default(),
    ));
    let told = accepted(entry, &order, None);
    assert_eq!((told.due, told.id), (None, Some(CHECK)));
    assert_eq!(woken(&told, at(1)), None);
    let requeued = retold(&told, at(1)).expect("something else is to be told");
    assert_eq!(requeued.due, Some(Due::now(at(1))));
    let again = interrupted(Some(&told), &run_key(), &build, false, at(2)).expect("reopened");
    assert_eq!(again.due, Some(Due::now(at(2))));
    assert_eq!(
        interrupted(Some(&again), &run_key(), &build, false, at(3)),
        None
    );
}

#[test]
fn one_that_was_looked_at_before_its_interruption_was_written_is_looked_at_again() {
    let entry = interrupted(None, &run_key(), &job(1, "build"), false, at(0)).expect("new");
    let mut ledger = interrupted_jobs(&["build"]);
    ledger.jobs.clear();
    ledger.due = Some(Due::now(at(0)));
    let early = committed(decide(
        &facts(&entry, &ledger),
        at(0),
        MIDDLE,
        &Rules::default(),
    ));
    assert_eq!(
        early.due,
        Some(Due::now(at(900))),
        "nobody may live to say more"
    );
    let retold = retold(&early, at(1)).expect("the interruption is written now");
    assert_eq!(retold.due, Some(Due::now(at(1))));
    ledger.due = None;
    let ended = committed(decide(
        &facts(&entry, &ledger),
        at(0),
        MIDDLE,
        &Rules::default(),
    ));
    assert_eq!(ended.due, None);
}

#[test]
fn without_the_permission_nobody_is_told_and_a_gate_tries_again() {
    let refusal = Refusal {
        kind: RefusalKind::MissingPermission,
        message: "Resource not accessible by integration".to_owned(),
    };
    let ledger = interrupted_jobs(&["build"]);
    let entry = interrupted(None, &run_key(), &job(1, "build"), false, at(0)).expect("new");
    let refused = |entry: &CheckEntry, run| {
        let facts = CheckFacts {
            checks: CheckWords::Refused(&refusal),
            run,
            ..facts(entry, &ledger)
        };
        committed(decide(&facts, at(0), MIDDLE, &Rules::default())).due
    };
    assert_eq!(refused(&entry, RunWords::Unread), None);
    let run = merge_run();
    let due = refused(&gate(), RunWords::Seen(&run));
    assert_eq!(due.map(|due| due.at), Some(at(600)));
}

#[test]
fn who_wants_no_reports_reads_none_of_a_run_that_no_queue_waits_for() {
    let ledger = interrupted_jobs(&["build"]);
    let entry = interrupted(None, &run_key(), &job(1, "build"), true, at(0)).expect("new");
    let run = run();
    let facts = CheckFacts {
        run: RunWords::Seen(&run),
        reports: false,
        ..facts(&entry, &ledger)
    };
    let after = committed(decide(&facts, at(0), MIDDLE, &Rules::default()));
    assert_eq!(after.due, None);
}

#[test]
fn an_answer_that_may_pass_is_waited_out() {
    let ledger = interrupted_jobs(&["build"]);
    let entry = CheckEntry {
        id: Some(CHECK),
        ..interrupted(None, &run_key(), &job(1, "build"), false, at(0)).expect("new")
    };
    let (entry, order) = written(decide(
        &facts(&entry, &ledger),
        at(0),
        MIDDLE,
        &Rules::default(),
    ));
    let after = answered(
        entry.clone(),
        &order,
        &ChangeAnswer::NotNow,
        None,
        Some(secs(120)),
        (at(0), MIDDLE),
        &Rules::default(),
    );
    assert_eq!(after.due.map(|due| due.at), Some(at(120)));
    assert_eq!((after.id, after.told), (Some(CHECK), None));
    let gone = Refusal {
        kind: RefusalKind::NotFound,
        message: "Not Found".to_owned(),
    };
    assert_eq!(reply(entry, &order, &ChangeAnswer::Refused(gone)).due, None);
}

#[test]
fn only_what_people_would_read_otherwise_is_told_anew() {
    let ledger = interrupted_jobs(&["build"]);
    let mut later = ledger.clone();
    later.due = None;
    assert!(!tells_more(&ledger, &later));
    stand(&mut later, &[settled(SettleReason::Cancelled)]);
    assert!(tells_more(&ledger, &later));
}

#[test]
fn a_re_run_over_budget_is_told_once_however_long_it_waits() {
    let ledger = interrupted_jobs(&["build"]);
    let mut parked = ledger.clone();
    let mut over = Parked {
        since: at(1),
        until: at(100),
        from: RunAttempt::FIRST,
        jobs: 1,
        limit: 300,
    };
    parked.notes.parked = Some(over);
    assert!(tells_more(&ledger, &parked));
    let entry = interrupted(None, &run_key(), &job(1, "build"), false, at(0)).expect("new");
    let text = words::text(&entry, Some(&parked), None).expect("something");
    assert_eq!(text.state, CheckState::InProgress);
    insta::assert_snapshot!(format!("{}\n\n{}", text.title, text.summary));
    over.until = at(200);
    let mut longer = parked.clone();
    longer.notes.parked = Some(over);
    assert!(!tells_more(&parked, &longer));
}

fn interrupted_jobs(names: &[&str]) -> RunEntry {
    let mut entry = None;
    for (id, name) in (1..).zip(names) {
        let proof = vec![evidence(EvidenceSource::Tag, 150)];
        let taken = run_table::await_job(
            entry,
            run_key(),
            &job(id, name),
            interrupted_by(proof),
            at(0),
        );
        entry = Some(taken);
    }
    entry.expect("one at least")
}

fn stand(ledger: &mut RunEntry, states: &[TrackedState]) {
    for (job, state) in ledger.jobs.values_mut().zip(states) {
        job.state = state.clone();
    }
}

fn settled(reason: SettleReason) -> TrackedState {
    TrackedState::Settled { reason, at: at(9) }
}

fn facts<'a>(entry: &'a CheckEntry, ledger: &'a RunEntry) -> CheckFacts<'a> {
    CheckFacts {
        ledger: Some(ledger),
        ..nothing_known(entry)
    }
}

fn nothing_known(entry: &CheckEntry) -> CheckFacts<'_> {
    CheckFacts {
        entry,
        ledger: None,
        run: RunWords::Unread,
        verdicts: None,
        reports: true,
        checks: CheckWords::Unread,
    }
}

fn gate() -> CheckEntry {
    gate_opened(None, &run_key(), &run().head_sha, at(0)).expect("new")
}

/// A gate whose check run is there.
fn known_gate() -> CheckEntry {
    let mut entry = gate();
    if let Some(gate) = &mut entry.gate {
        gate.workflow = Some("ci.yml".to_owned());
    }
    CheckEntry {
        id: Some(CHECK),
        ..entry
    }
}

fn merge_run() -> Run {
    Run {
        event: "merge_group".to_owned(),
        head_branch: Some("gh-readonly-queue/main/pr-7-0123abc".to_owned()),
        ..run()
    }
}

fn written(step: CheckStep) -> (CheckEntry, CheckRunOrder) {
    let CheckStep::Write(entry, order) = step else {
        panic!("{step:?}");
    };
    (entry, order)
}

fn committed(step: CheckStep) -> CheckEntry {
    let CheckStep::Commit(entry) = step else {
        panic!("{step:?}");
    };
    entry
}

fn accepted(entry: CheckEntry, order: &CheckRunOrder, made: Option<CheckRunId>) -> CheckEntry {
    let answer = &ChangeAnswer::Accepted;
    answered(
        entry,
        order,
        answer,
        made,
        None,
        (at(0), MIDDLE),
        &Rules::default(),
    )
}

fn reply(entry: CheckEntry, order: &CheckRunOrder, answer: &ChangeAnswer) -> CheckEntry {
    answered(
        entry,
        order,
        answer,
        None,
        None,
        (at(0), MIDDLE),
        &Rules::default(),
    )
}

fn shown(ledger: &RunEntry) -> String {
    let entry = interrupted(None, &run_key(), &job(1, "build"), false, at(0)).expect("new");
    read(&words::text(&entry, Some(ledger), None).expect("something"))
}

fn read(text: &CheckText) -> String {
    format!("{:?}: {}\n{}\n", text.state, text.title, text.summary)
}

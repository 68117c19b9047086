//! When a merge queue may go on.

use reprise_model::check::GateEnd;
use reprise_model::run::RunStatus;

use super::*;

#[test]
fn a_gate_that_is_opened_while_a_report_is_written_is_another_check_run() {
    let report = interrupted(None, &run_key(), &job(1, "build"), false, at(0)).expect("new");
    let held = CheckEntry {
        due: Some(Due::now(at(30))),
        held_until: Some(at(30)),
        ..report.clone()
    };
    let gate = gate_opened(Some(&held), &run_key(), &held.head, at(1)).expect("a gate");
    let after = CheckEntry {
        id: Some(CHECK),
        ..report
    };
    let merged = changed_meanwhile(&gate, at(30), after, at(2)).expect("it is its own");
    assert!(merged.gate.is_some());
    assert_eq!((merged.id, merged.due), (None, Some(Due::now(at(2)))));
}

#[test]
fn a_gate_is_named_by_the_workflows_file_once_github_has_shown_the_run() {
    let entry = gate();
    let nothing = nothing_known(&entry);
    let step = decide(&nothing, at(0), MIDDLE, &Rules::default());
    assert_eq!(step, CheckStep::ReadRun);
    let run = completed(Conclusion::Success);
    let facts = CheckFacts {
        run: RunWords::Seen(&run),
        ..nothing
    };
    let step = decide(&facts, at(0), MIDDLE, &Rules::default());
    let name = "Reprise merge queue (ci.yml)".to_owned();
    assert_eq!(step, CheckStep::ReadChecks(run.head_sha.clone(), name));
}

#[test]
fn a_run_that_merely_has_such_a_branch_has_no_gate() {
    let entry = gate();
    let run = run();
    let facts = CheckFacts {
        run: RunWords::Seen(&run),
        ..nothing_known(&entry)
    };
    let after = committed(decide(&facts, at(0), MIDDLE, &Rules::default()));
    assert_eq!((after.gate, after.due), (None, None));
}

#[test]
fn a_pull_request_that_wants_to_enter_the_queue_has_a_gate_too() {
    let entry = gate();
    let run = Run {
        event: "pull_request".to_owned(),
        ..completed(Conclusion::Success)
    };
    let facts = CheckFacts {
        run: RunWords::Seen(&run),
        ..nothing_known(&entry)
    };
    let step = decide(&facts, at(0), MIDDLE, &Rules::default());
    assert!(matches!(step, CheckStep::ReadChecks(..)), "{step:?}");
}

#[test]
fn a_run_that_github_does_not_show_yet_is_read_again_until_the_limit() {
    let entry = gate();
    let facts = CheckFacts {
        run: RunWords::Gone,
        ..nothing_known(&entry)
    };
    let after = committed(decide(&facts, at(0), MIDDLE, &Rules::default()));
    assert_eq!(after.due.map(|due| due.at), Some(at(10)));
    let after = committed(decide(&facts, at(3_600), MIDDLE, &Rules::default()));
    assert_eq!(after.due, None);
}

#[test]
fn a_gate_opens_the_way_only_when_the_run_has_passed_and_no_retry_is_due() {
    let passed = completed(Conclusion::Success);
    let active = Run {
        status: RunStatus::InProgress,
        conclusion: None,
        ..merge_run()
    };
    let mut ledger = interrupted_jobs(&["build"]);
    assert_eq!(state_of(&active, None, None), CheckState::InProgress);
    assert_eq!(
        state_of(&passed, Some(&ledger), None),
        CheckState::InProgress
    );
    stand(&mut ledger, &[settled(SettleReason::Recovered)]);
    assert_eq!(
        state_of(&active, Some(&ledger), None),
        CheckState::InProgress
    );
    assert_eq!(state_of(&passed, Some(&ledger), None), CheckState::Success);
    for word in [Conclusion::Skipped, Conclusion::Neutral] {
        assert_eq!(state_of(&completed(word), None, None), CheckState::Success);
    }
}

#[test]
fn a_gate_shuts_the_way_only_when_every_job_has_its_verdict() {
    let failed = completed(Conclusion::Failure);
    let entry = known_gate();
    let facts = CheckFacts {
        run: RunWords::Seen(&failed),
        ..nothing_known(&entry)
    };
    let step = decide(&facts, at(0), MIDDLE, &Rules::default());
    assert_eq!(step, CheckStep::JudgeJobs);
    let looking = JobVerdict::LookAgain {
        at: at(5),
        until: at(60),
    };
    let awaited = JobVerdict::Await {
        instance: instance(),
        evidence: vec![evidence(EvidenceSource::Tag, 1)],
        policy: reprise_model::policy::RetryPolicy::USUAL,
        advice: None,
    };
    let final_one = JobVerdict::Settle {
        reason: SettleReason::NotInterrupted,
        end: None,
        ran_on: None,
        evidence: Vec::new(),
        given_up: None,
    };
    for (verdict, state) in [
        (looking, CheckState::InProgress),
        (JobVerdict::ReadEarlier, CheckState::InProgress),
        (awaited, CheckState::InProgress),
        (final_one, CheckState::Failure),
    ] {
        let verdicts = BTreeMap::from([(JobId(1), verdict)]);
        assert_eq!(state_of(&failed, None, Some(&verdicts)), state);
    }
}

#[test]
fn a_gate_fails_when_its_time_is_over_whatever_is_due() {
    let ledger = interrupted_jobs(&["build"]);
    let entry = known_gate();
    let facts = facts(&entry, &ledger);
    let rules = Rules::default();
    let (_, order) = written(decide(&facts, at(3_599), MIDDLE, &rules));
    assert_eq!(order.text.state, CheckState::InProgress);
    let (after, order) = written(decide(&facts, at(3_600), MIDDLE, &rules));
    assert_eq!(order.text.state, CheckState::Failure);
    assert_eq!(
        after.gate.as_ref().and_then(|gate| gate.end.clone()),
        Some(GateEnd::TooLate)
    );
    let told = accepted(after, &order, None);
    assert_eq!(told.due, None);
    let late = interrupted(Some(&told), &run_key(), &job(1, "build"), true, at(3_700));
    assert_eq!(late, None, "its pull request has left the queue");
}

#[test]
fn a_retry_that_becomes_due_after_all_shuts_an_open_gate_again() {
    let passed = completed(Conclusion::Success);
    let entry = known_gate();
    let seen = CheckFacts {
        run: RunWords::Seen(&passed),
        ..nothing_known(&entry)
    };
    let (after, order) = written(decide(&seen, at(0), MIDDLE, &Rules::default()));
    let told = accepted(after, &order, None);
    let again = interrupted(Some(&told), &run_key(), &job(1, "build"), true, at(9));
    let again = again.expect("it is open again");
    let ledger = interrupted_jobs(&["build"]);
    let (_, order) = written(decide(
        &facts(&again, &ledger),
        at(9),
        MIDDLE,
        &Rules::default(),
    ));
    assert_eq!(order.text.state, CheckState::InProgress);
}

#[test]
fn a_gate_that_github_would_not_take_yet_stays_shut_when_a_person_re_runs_its_run_meanwhile() {
    let passed = completed(Conclusion::Success);
    let entry = known_gate();
    let seen = CheckFacts {
        run: RunWords::Seen(&passed),
        ..nothing_known(&entry)
    };
    let (open, order) = written(decide(&seen, at(0), MIDDLE, &Rules::default()));
    assert_eq!(order.text.state, CheckState::Success);
    let (rules, busy) = (Rules::default(), ChangeAnswer::NotNow);
    let untold = answered(open, &order, &busy, None, None, (at(1), MIDDLE), &rules);
    let nothing = nothing_known(&untold);
    let step = decide(&nothing, at(60), MIDDLE, &rules);
    assert_eq!(step, CheckStep::ReadRun, "what it was is not what it is");
    let again = Run {
        status: RunStatus::InProgress,
        conclusion: None,
        ..merge_run()
    };
    let seen = CheckFacts {
        run: RunWords::Seen(&again),
        ..nothing
    };
    let (_, order) = written(decide(&seen, at(60), MIDDLE, &rules));
    assert_eq!(order.text.state, CheckState::InProgress);
}

#[test]
fn a_job_that_is_left_alone_in_a_later_attempt_has_its_gate_judged_anew() {
    let passed = completed(Conclusion::Success);
    let entry = known_gate();
    let seen = CheckFacts {
        run: RunWords::Seen(&passed),
        ..nothing_known(&entry)
    };
    let (after, order) = written(decide(&seen, at(0), MIDDLE, &Rules::default()));
    let told = accepted(after, &order, None);
    let (build, reason) = (job(5, "build"), SettleReason::AttemptLimit);
    let again = left_alone(Some(&told), &run_key(), &build, &reason, true, at(4_000));
    let again = again.expect("it is new");
    let gate = again.gate.as_ref().expect("a gate");
    assert_eq!((gate.opened_at, &gate.end), (at(4_000), &None));
}

#[test]
fn a_gate_is_opened_once_and_takes_the_place_of_a_report() {
    let report = interrupted(None, &run_key(), &job(1, "build"), false, at(0)).expect("new");
    assert_eq!(report.gate, None);
    let gate = gate_opened(Some(&report), &run_key(), &report.head, at(5)).expect("a gate");
    assert!(gate.gate.is_some());
    assert_eq!(
        gate_opened(Some(&gate), &run_key(), &report.head, at(6)),
        None
    );
    let queued = Job {
        head_branch: Some("gh-readonly-queue/main/pr-7-0123abc".to_owned()),
        ..job(1, "build")
    };
    let at_once = interrupted(None, &run_key(), &queued, true, at(0)).expect("new");
    assert!(at_once.gate.is_some());
    let off = interrupted(None, &run_key(), &queued, false, at(0)).expect("new");
    assert_eq!(off.gate, None);
}

#[test]
fn what_a_gate_says_can_be_read() {
    let mut ledger = interrupted_jobs(&["build"]);
    let mut told = Vec::new();
    let passed = completed(Conclusion::Success);
    let failed = completed(Conclusion::Failure);
    let settle = BTreeMap::new();
    let say = |run: &Run, ledger: Option<&RunEntry>, now| {
        let entry = known_gate();
        let facts = CheckFacts {
            run: RunWords::Seen(run),
            ledger,
            verdicts: Some(&settle),
            ..nothing_known(&entry)
        };
        read(
            &written(decide(&facts, at(now), MIDDLE, &Rules::default()))
                .1
                .text,
        )
    };
    told.push(say(&passed, Some(&ledger), 0));
    stand(&mut ledger, &[settled(SettleReason::Recovered)]);
    told.push(say(&passed, Some(&ledger), 0));
    told.push(say(&passed, None, 0));
    told.push(say(&failed, None, 0));
    told.push(say(&failed, None, 3_600));
    insta::assert_snapshot!(told.join("\n"));
}

fn completed(conclusion: Conclusion) -> Run {
    Run {
        conclusion: Some(conclusion),
        ..merge_run()
    }
}

fn state_of(
    run: &Run,
    ledger: Option<&RunEntry>,
    verdicts: Option<&BTreeMap<JobId, JobVerdict>>,
) -> CheckState {
    let entry = known_gate();
    let facts = CheckFacts {
        run: RunWords::Seen(run),
        ledger,
        verdicts,
        ..nothing_known(&entry)
    };
    let (_, order) = written(decide(&facts, at(0), MIDDLE, &Rules::default()));
    order.text.state
}

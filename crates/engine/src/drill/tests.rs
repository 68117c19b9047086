use reprise_model::ids::{JobId, RunAttempt};

use super::*;
use crate::samples::{at, evidence, job, remembered, run, view};

fn running() -> Job {
    Job {
        status: JobStatus::InProgress,
        conclusion: None,
        completed_at: None,
        ..job(1, "build")
    }
}

fn ended(conclusion: Conclusion) -> Job {
    Job {
        status: JobStatus::Completed,
        conclusion: Some(conclusion),
        completed_at: Some(at(300)),
        ..running()
    }
}

fn again(conclusion: Option<Conclusion>) -> Job {
    Job {
        id: JobId(1001),
        run_attempt: RunAttempt::FIRST.next(),
        status: if conclusion.is_some() {
            JobStatus::Completed
        } else {
            JobStatus::InProgress
        },
        conclusion,
        completed_at: Some(at(600)),
        ..running()
    }
}

fn ours() -> InstanceView {
    view()
}

fn refused(view: &InstanceView, job: Option<&Job>) -> Option<Refusal> {
    let rules = Rules::default();
    let stack = view_stack();
    may_interrupt(view, job, &stack, &rules).err()
}

fn view_stack() -> String {
    let key = Rules::default().tags.stack();
    view().tags.get(&key).cloned().expect("a stack")
}

fn seen<'a>(job: &'a Job, before: &'a [Job], after: &'a [Job]) -> Seen<'a> {
    Seen {
        started: at(100),
        job,
        sight: None,
        spot: None,
        known: None,
        run: None,
        ledger: None,
        before,
        after,
        machine: None,
    }
}

#[test]
fn only_a_running_spot_machine_of_the_stack_with_a_job_is_interrupted() {
    let job = running();
    assert_eq!(refused(&ours(), Some(&job)), None);
    assert_eq!(refused(&ours(), None), Some(Refusal::NoJob));
    assert_eq!(
        refused(&ours(), Some(&ended(Conclusion::Success))),
        Some(Refusal::NoJob)
    );
    let on_demand = InstanceView {
        capacity: Capacity::OnDemand,
        ..ours()
    };
    assert_eq!(refused(&on_demand, Some(&job)), Some(Refusal::NotSpot));
    let gone = InstanceView {
        state: InstanceState::Terminated,
        ..ours()
    };
    assert_eq!(
        refused(&gone, Some(&job)),
        Some(Refusal::NotRunning(InstanceState::Terminated))
    );
    let mut theirs = ours();
    theirs
        .tags
        .insert(Rules::default().tags.stack(), "another".to_owned());
    assert!(matches!(
        refused(&theirs, Some(&job)),
        Some(Refusal::NotOurs { .. })
    ));
    theirs.tags.clear();
    assert!(matches!(
        refused(&theirs, Some(&job)),
        Some(Refusal::NotOurs { .. })
    ));
    let mut marked = ours();
    marked
        .tags
        .insert(Rules::default().tags.interrupted(), "true".to_owned());
    assert_eq!(refused(&marked, Some(&job)), Some(Refusal::Marked));
}

#[test]
fn steps_are_told_as_they_are_seen_and_with_their_times() {
    let job = running();
    let words = |seen: &Seen<'_>| -> Vec<(&str, Option<i64>)> {
        let taken = steps(seen, &Rules::default());
        let since = |at: Timestamp| at.duration_since(self::at(0)).as_secs();
        taken
            .iter()
            .map(|one| (one.step.as_str(), one.at.map(since)))
            .collect()
    };
    assert_eq!(
        words(&seen(&job, &[], &[])),
        [("interruption-asked", Some(100))]
    );

    let spot = SpotStatus {
        code: TAKEN.to_owned(),
        since: Some(at(110)),
    };
    let known = remembered(vec![evidence(EvidenceSource::Tag, 112)]);
    let before = [ended(Conclusion::Failure)];
    let after = [again(Some(Conclusion::Success))];
    let next = Run {
        run_attempt: RunAttempt::FIRST.next(),
        run_started_at: Some(at(320)),
        ..run()
    };
    let machine = InstanceView {
        capacity: Capacity::OnDemand,
        launched_at: Some(at(330)),
        ..ours()
    };
    let all = Seen {
        spot: Some(&spot),
        known: Some(&known),
        run: Some(&next),
        machine: Some(&machine),
        ..seen(&job, &before, &after)
    };
    assert_eq!(
        words(&all),
        [
            ("interruption-asked", Some(100)),
            ("notice", Some(110)),
            ("tagged", Some(112)),
            ("job-ended", Some(300)),
            ("run-completed", Some(300)),
            ("re-run-asked", Some(320)),
            ("machine", Some(330)),
            ("green", Some(600)),
        ]
    );
    assert_eq!(outcome(&all), Outcome::Green);
}

#[test]
fn a_tag_that_only_ec2_shows_has_no_time_and_a_warning_is_a_notice() {
    let job = running();
    let mut tagged = ours();
    tagged
        .tags
        .insert(Rules::default().tags.interrupted(), "true".to_owned());
    let sight = InstanceSight::Seen(tagged);
    let known = remembered(vec![evidence(EvidenceSource::InterruptionWarning, 105)]);
    let seen = Seen {
        sight: Some(&sight),
        known: Some(&known),
        ..seen(&job, &[], &[])
    };
    let taken = steps(&seen, &Rules::default());
    assert_eq!(taken[1].at, Some(at(105)));
    assert_eq!((taken[2].step, taken[2].at), (Step::Tagged, None));
}

#[test]
fn other_ends_are_told_as_what_they_are() {
    let job = running();
    let failed =
        |before: &[Job], after: &[Job], machine: Option<&InstanceView>| match outcome(&Seen {
            machine,
            ..seen(&job, before, after)
        }) {
            Outcome::Failed(why) => why,
            other @ (Outcome::Open | Outcome::Green) => panic!("{other:?}"),
        };
    assert!(failed(&[ended(Conclusion::Success)], &[], None).contains("passed before"));
    let lost = [ended(Conclusion::Failure)];
    assert!(failed(&lost, &[again(Some(Conclusion::Failure))], None).contains("failure"));
    let green = [again(Some(Conclusion::Success))];
    assert!(failed(&lost, &green, Some(&ours())).contains("spot"));
    assert_eq!(outcome(&seen(&job, &lost, &[again(None)])), Outcome::Open);
    assert_eq!(outcome(&seen(&job, &[], &[])), Outcome::Open);
}

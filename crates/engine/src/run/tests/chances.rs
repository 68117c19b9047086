//! A fresh chance for what was settled: asked for once, given or refused once, and never past what
//! forbids a re-run.

use proptest::prelude::*;
use reprise_model::notes::{Happened, Happening};

use super::invariants::any_world;
use super::*;

proptest! {
    #[test]
    fn a_question_is_answered_once_and_only_a_read_run_is_asked_for(
        world in any_world(),
        never in prop::collection::btree_set(1_u64..5, 0..4),
    ) {
        let mut world = world.with_questions(&never);
        let before = world.entry.clone();
        let step = world.step();
        let is_read = matches!(step, RunStep::Wait(WaitReason::JobLooking) | RunStep::Ask(_));
        if is_read {
            prop_assert!(world.entry.notes.requeued.is_empty());
        }
        if step == RunStep::Done {
            prop_assert!(world.entry.notes.requeued.is_empty());
            prop_assert_eq!(world.entry.due, None);
        } else {
            prop_assert!(world.entry.due.is_some());
        }
        for (renewed, old) in &world.entry.notes.renewed {
            prop_assert!(before.notes.requeued.contains(old));
            prop_assert!(!never.contains(&renewed.0));
            prop_assert!(world.entry.notes.dismissed.contains(old));
        }
        let RunStep::Ask(order) = step else { return Ok(()) };
        prop_assert_eq!(&world.run.status, &RunStatus::Completed);
        prop_assert_eq!(world.rival, Rival::No);
        let listed = world.jobs.clone().unwrap_or_default();
        let passed = |id: &JobId| listed.iter().any(|job| job.id == *id && crate::job::passed(job));
        let of_chance = |id: &&JobId| world.entry.notes.renewed.contains_key(id);
        prop_assert!(!order.wanted.iter().filter(of_chance).any(passed));
        prop_assert_eq!(world.step(), RunStep::Wait(WaitReason::AnswerUnclear));
    }
}

/// A job that was interrupted, came back once, and failed again.
fn exhausted() -> World {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
    world.answer(RerunAnswer::Accepted);
    world.next_attempt(vec![failed_again(11)]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::FailedAgain);
    world
}

fn failed_again(id: u64) -> Job {
    Job {
        conclusion: Some(Conclusion::Failure),
        ..again(id, "a")
    }
}

/// What happens to a world.
type Change = fn(&mut World);

impl World {
    /// The same after somebody asked for all that may have a chance; these have the policy `false`.
    fn with_questions(mut self, never: &std::collections::BTreeSet<u64>) -> Self {
        let settled = |job: &mut TrackedState| {
            if matches!(job, TrackedState::Settled { .. }) {
                *job = TrackedState::Settled {
                    reason: SettleReason::FailedAgain,
                    at: at(250),
                };
            }
        };
        let tracked = self.entry.jobs.values_mut();
        tracked.for_each(|job| settled(&mut job.state));
        let ids: Vec<JobId> = self.entry.jobs.keys().copied().collect();
        for id in ids {
            if let Ok(entry) = requeued(&self.entry, id, self.now) {
                self.entry = entry;
            }
        }
        for job in self.jobs.iter().flatten() {
            let policy = match never.contains(&job.id.0) {
                true => RetryPolicy::Never,
                false => RetryPolicy::USUAL,
            };
            self.policies.insert(job.id, policy);
        }
        self
    }

    fn requeue(&mut self, id: u64) {
        self.entry = requeued(&self.entry, JobId(id), self.now).expect("it may have one");
    }

    fn allow(&mut self, id: u64, policy: RetryPolicy) {
        self.policies.insert(JobId(id), policy);
    }

    fn last_note(&self) -> Happened {
        let Some(Happening { what, .. }) = self.entry.notes.happened.last() else {
            panic!("no note")
        };
        what.clone()
    }
}

#[test]
fn an_exhausted_job_gets_one_fresh_chance_by_its_newest_record() {
    let mut world = exhausted();
    assert_eq!(world.entry.due, None, "nobody works on it by itself");
    world.requeue(1);
    assert_eq!(world.entry.due, Some(Due::now(world.now)));
    world.allow(11, RetryPolicy::USUAL);
    let asked = RunStep::Ask(order(2, RerunTarget::Job(JobId(11)), &[11], &[]));
    assert_eq!(world.go(), asked);
    assert!(world.entry.notes.requeued.is_empty(), "it is asked once");
    assert_eq!(world.reason(1), SettleReason::FailedAgain);

    world.answer(RerunAnswer::Accepted);
    world.next_attempt(vec![Job {
        started_at: Some(at(2_000)),
        completed_at: Some(at(2_100)),
        ..passed(21, "a")
    }]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(11), SettleReason::Recovered);
    assert_eq!(world.entry.reruns.len(), 2);
    assert_eq!(world.entry.due, None);
}

#[test]
fn a_chance_that_fails_is_exhausted_anew_and_no_other_follows_by_itself() {
    let mut world = exhausted();
    world.requeue(1);
    world.allow(11, RetryPolicy::USUAL);
    world.go();
    world.answer(RerunAnswer::Accepted);
    world.next_attempt(vec![Job {
        started_at: Some(at(2_000)),
        completed_at: Some(at(2_100)),
        ..failed_again(21)
    }]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(11), SettleReason::FailedAgain);
    assert_eq!(world.entry.due, None);
    assert_eq!(
        requeued(&world.entry, JobId(1), world.now).map(|entry| entry.notes.requeued.len()),
        Ok(1),
        "a person may ask once more"
    );
}

#[test]
fn the_run_is_read_before_anything_is_asked_for_once_more() {
    let mut world = exhausted();
    world.requeue(1);
    let jobs = world.jobs.take();
    assert_eq!(world.step(), RunStep::ReadJobs);
    world.run.status = RunStatus::InProgress;
    assert_eq!(world.step(), RunStep::Wait(WaitReason::RerunActive));
    assert!(world.entry.notes.requeued.contains(&JobId(1)));
    world.run.status = RunStatus::Completed;
    world.jobs = jobs;
    world.allow(11, RetryPolicy::USUAL);
    assert!(matches!(world.step(), RunStep::Ask(_)));
}

/// Found by a simulation: the endpoint had named spot for the second attempt, and the third went there, too.
#[test]
fn what_an_endpoint_said_of_an_earlier_execution_names_no_capacity_for_a_fresh_chance() {
    let mut world = exhausted();
    let before = world.entry.jobs.get_mut(&JobId(1)).expect("it is known");
    before.advice = Some(Advice {
        endpoint: "judge".parse().expect("a name"),
        at: at(NOW),
        said: Said::Yes {
            capacity: Some(Capacity::Spot),
            reason: None,
        },
        interrupted: true,
    });
    world.requeue(1);
    world.allow(11, RetryPolicy::USUAL);
    world.go();
    world.answer(RerunAnswer::Accepted);
    assert_eq!(advised_capacity(&world.entry, &again(21, "a")), None);
    let third = Job {
        run_attempt: RunAttempt::FIRST.next().next(),
        ..again(21, "a")
    };
    assert_eq!(advised_capacity(&world.entry, &third), None);
}

#[test]
fn what_github_refused_may_be_asked_for_again_in_the_same_attempt() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    world.go();
    let denied = Refusal {
        kind: RefusalKind::MissingPermission,
        ..gone()
    };
    world.answer(RerunAnswer::Refused(denied));
    assert_eq!(world.go(), RunStep::Done);
    world.requeue(1);
    world.allow(1, RetryPolicy::USUAL);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
    assert!(world.entry.notes.dismissed.is_empty());
}

#[test]
fn guards_hold_for_a_fresh_chance_too() {
    for (rival, cause, reason) in [
        (
            Rival::Run(RunId(901)),
            CancelCause::Unreadable,
            SettleReason::Superseded,
        ),
        (Rival::No, CancelCause::Person, SettleReason::Cancelled),
    ] {
        let mut world = exhausted();
        world.requeue(1);
        world.jobs = Some(vec![Job {
            run_attempt: attempt(2),
            conclusion: Some(Conclusion::Cancelled),
            ..failed_again(11)
        }]);
        world.causes.insert(JobId(11), cause);
        world.rival = rival;
        world.allow(11, RetryPolicy::USUAL);
        assert_eq!(world.go(), RunStep::Done);
        assert_eq!(world.reason(11), reason);
    }
}

#[test]
fn the_present_configuration_and_what_came_of_it_may_refuse_a_chance() {
    let passed_since: Change = |world| {
        world.jobs = Some(vec![Job {
            run_attempt: attempt(2),
            ..again(11, "a")
        }]);
    };
    let opted_out: Change = |world| world.allow(11, RetryPolicy::Never);
    let gone: Change = |world| world.jobs = Some(vec![passed(12, "b")]);
    let cases = [
        (passed_since, "passed"),
        (opted_out, "policy-false"),
        (gone, "not-listed"),
    ];
    for (change, why) in cases {
        let mut world = exhausted();
        world.requeue(1);
        change(&mut world);
        assert_eq!(world.go(), RunStep::Done, "{why}");
        let denied = Happened::ChanceDenied {
            job: JobId(1),
            why: why.to_owned(),
        };
        assert_eq!(world.last_note(), denied);
        assert_eq!((world.entry.due, world.entry.reruns.len()), (None, 1));
    }
}

#[test]
fn a_run_that_cannot_be_read_or_is_too_old_answers_a_question_with_no() {
    let mut world = exhausted();
    world.requeue(1);
    let unreadable = refused(world.entry.clone(), gone(), world.now, MIDDLE);
    assert_eq!(unreadable.due, None);
    assert!(unreadable.notes.requeued.is_empty());

    world.now = at(40 * 24 * 3_600);
    assert_eq!(world.go(), RunStep::Done);
    assert!(matches!(world.last_note(), Happened::ChanceDenied { .. }));
}

#[test]
fn only_what_is_settled_and_not_by_a_person_or_a_success_gets_a_chance() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    let ask = |world: &World, id| requeued(&world.entry, JobId(id), world.now).map(drop);
    assert_eq!(ask(&world, 1), Err(NotPossible::UnderWay));
    assert_eq!(ask(&world, 2), Err(NotPossible::Unknown));
    for (reason, answer) in [
        (SettleReason::Recovered, Err(NotPossible::Recovered)),
        (SettleReason::Cancelled, Err(NotPossible::Cancelled)),
        (SettleReason::CancelledByUs, Err(NotPossible::Cancelled)),
        (SettleReason::Superseded, Ok(())),
        (SettleReason::NeverCompleted, Ok(())),
        (SettleReason::OptedOut, Ok(())),
    ] {
        let at = world.now;
        let job = world.entry.jobs.get_mut(&JobId(1)).expect("there");
        job.state = TrackedState::Settled { reason, at };
        assert_eq!(ask(&world, 1), answer);
    }
    let mut twice = exhausted();
    twice.requeue(1);
    assert_eq!(ask(&twice, 1), Err(NotPossible::AskedAlready));
}

#[test]
fn what_is_dismissed_stays_in_the_record_and_what_is_under_way_is_not_dismissed() {
    let world = exhausted();
    let entry = dismissed(&world.entry, JobId(1), world.now);
    let entry = entry.expect("it is settled").expect("it was not");
    assert_eq!(entry.jobs, world.entry.jobs);
    assert!(entry.notes.dismissed.contains(&JobId(1)));
    assert_eq!(dismissed(&entry, JobId(1), world.now), Ok(None));
    let back = requeued(&entry, JobId(1), world.now).expect("it may have one");
    assert!(back.notes.dismissed.is_empty());
    assert_eq!(
        dismissed(&back, JobId(1), world.now),
        Err(NotPossible::UnderWay)
    );
}

#[test]
fn githubs_passing_answers_are_noted_and_a_plain_yes_is_not() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    world.go();
    for (answer, is_noted) in [
        (RerunAnswer::Accepted, false),
        (RerunAnswer::Refused(gone()), false),
        (RerunAnswer::NotNow, true),
        (RerunAnswer::Unclear, true),
    ] {
        let entry = noted(world.entry.clone(), &answer, "words", world.now);
        assert_eq!(!entry.notes.is_empty(), is_noted, "{answer:?}");
    }
    world.now = at(NOW + 60);
    assert!(matches!(world.step(), RunStep::Ask(_)));
    assert_eq!(world.entry.notes.happened[0].what, Happened::FoundNotTaken);
}

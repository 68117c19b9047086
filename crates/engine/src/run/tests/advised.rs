//! Jobs that come back because an endpoint said so.

use reprise_model::advice::{NoAnswer, Said};
use reprise_model::ids::RunnerName;

use super::*;
use crate::samples::instance;

#[test]
fn the_capacity_that_an_endpoint_named_holds_for_the_next_attempt_of_its_job_alone() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.advise(1, yes(Some(Capacity::Spot)));
    world.await_jobs(&[2]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    let named = |id, name, number| {
        let job = Job {
            run_attempt: attempt(number),
            ..job(id, name)
        };
        advised_capacity(&world.entry, &job)
    };
    assert_eq!(named(11, "a", 2), Some(Capacity::Spot));
    assert_eq!(named(12, "b", 2), None, "nobody said anything of it");
    assert_eq!(named(1, "a", 1), None);
    assert_eq!(named(21, "a", 3), None);
}

#[test]
fn of_jobs_with_one_name_all_must_be_let_onto_spot() {
    for (other, wanted) in [
        (yes(Some(Capacity::Spot)), Some(Capacity::Spot)),
        (yes(Some(Capacity::OnDemand)), Some(Capacity::OnDemand)),
        (yes(None), None),
    ] {
        let elsewhere = Job {
            runner_name: Some(RunnerName::new("another")),
            ..job(2, "a")
        };
        let mut world = World::with(&[job(1, "a"), elsewhere]);
        world.advise(1, yes(Some(Capacity::Spot)));
        world.advise(2, other);
        assert!(matches!(world.go(), RunStep::Ask(_)));
        let job = Job {
            run_attempt: attempt(2),
            ..job(11, "a")
        };
        assert_eq!(advised_capacity(&world.entry, &job), wanted);
    }
}

#[test]
fn what_an_endpoint_said_of_an_execution_is_found_under_any_id_of_it() {
    let mut world = World::with(&[job(1, "a")]);
    world.advise(1, yes(None));
    let carried_over = Job {
        id: JobId(11),
        ..job(1, "a")
    };
    let advice = advice_on(&world.entry, &carried_over).expect("it is kept");
    assert_eq!(advice.said, yes(None));
    assert_eq!(advice_on(&world.entry, &job(2, "b")), None);
}

#[test]
fn a_job_that_an_endpoint_gave_up_for_want_of_an_answer_is_reopened_by_late_evidence() {
    let mut world = World::with(&[job(1, "a")]);
    let said = Said::Nothing {
        why: NoAnswer::TimedOut,
    };
    let verdict = JobVerdict::Settle {
        reason: SettleReason::EndpointUnanswered,
        end: None,
        ran_on: Some(instance()),
        evidence: Vec::new(),
        given_up: Some(Box::new(grounds(said))),
    };
    let buried = bury(None, run_key(), &job(1, "a"), &verdict, at(NOW));
    world.entry = buried.expect("it is kept");
    world.await_jobs(&[1]);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
}

impl World {
    /// It failed, and its endpoint says this.
    fn advise(&mut self, id: u64, said: Said) {
        let jobs = self.jobs.clone().unwrap_or_default();
        let job = jobs.iter().find(|job| job.id.0 == id).expect("it is there");
        let entry = Some(self.entry.clone());
        self.entry = await_job(entry, run_key(), job, grounds(said), self.now);
    }
}

fn grounds(said: Said) -> Grounds {
    let endpoint = "judge".parse().expect("a name");
    Grounds {
        why: Why::Advised,
        policy: RetryPolicy::Ask(endpoint),
        instance: None,
        evidence: Vec::new(),
        told: None,
        advice: Some(Advice {
            endpoint,
            at: at(NOW),
            said,
            interrupted: false,
        }),
        pause: secs(0),
    }
}

fn yes(capacity: Option<Capacity>) -> Said {
    Said::Yes {
        capacity,
        reason: None,
    }
}

//! Which instances are ended, a test a row.

mod withdrawn;

use std::collections::BTreeMap;

use proptest::prelude::*;
use reprise_model::evidence::EvidenceSource;
use reprise_model::ids::{JobId, RunAttempt, RunId, RunnerName};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_model::ledger::ClaimState;
use reprise_model::run::{Run, RunStatus};

use super::idle::is_bound_to;
use super::*;
use crate::samples::{STACK, at, attempt, claim, evidence, job, run, view};
use crate::share::leading;

/// [`crate::samples::view`] was launched at 50.
const LAUNCHED: i64 = 50;
const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;

#[test]
fn what_is_not_ours_does_not_run_or_is_young_costs_no_question() {
    let mut foreign = House::new();
    foreign.view.tags.clear();
    assert_eq!(foreign.at(HOUR), Reap::Keep(KeepReason::NotOurs));
    for state in [
        InstanceState::Pending,
        InstanceState::ShuttingDown,
        InstanceState::Terminated,
        InstanceState::Stopping,
        InstanceState::Stopped,
        InstanceState::Unknown,
    ] {
        let mut house = House::new();
        house.view.state = state;
        assert_eq!(house.at(HOUR), Reap::Keep(KeepReason::NotRunning));
    }
    let young = House::new();
    let grace = LAUNCHED + 10 * MINUTE;
    assert_eq!(young.at(grace - 1), Reap::Keep(KeepReason::Young));
    assert_eq!(young.at(grace), Reap::Ask(Question::Ledger));
    let mut timeless = House::new();
    timeless.view.launched_at = None;
    assert_eq!(timeless.at(9 * HOUR), Reap::Keep(KeepReason::Young));
}

#[test]
fn what_was_asked_about_rests_for_a_quarter_of_its_age() {
    let mut house = House::new();
    let asked = LAUNCHED + 20 * MINUTE;
    let until = rests_until(&house.view, at(asked));
    assert_eq!(until, at(asked + 5 * MINUTE));
    house.rests_until = Some(until);
    assert_eq!(house.at(asked + 299), Reap::Keep(KeepReason::Rests));
    assert_eq!(house.at(asked + 300), Reap::Ask(Question::Ledger));
    let later = LAUNCHED + 9 * HOUR;
    assert_eq!(rests_until(&house.view, at(later)), at(later + 30 * MINUTE));
}

#[test]
fn an_instance_that_ec2_may_take_is_left_to_it_while_the_evidence_counts() {
    let mut house = House::read();
    house.evidence = vec![evidence(EvidenceSource::Tag, HOUR)];
    assert_eq!(house.at(HOUR + 900), Reap::Keep(KeepReason::MayBeTaken));
    assert_eq!(house.at(HOUR + 901), Reap::End(EndReason::JobEnded));
}

#[test]
fn the_run_is_read_step_by_step() {
    let mut house = House::new();
    house.ledger_is_read = true;
    let jobs = |number| Reap::Ask(Question::GitHub(RunRead::Jobs(attempt(number))));
    assert_eq!(house.at(HOUR), jobs(1));
    house.list(1, vec![elsewhere(job(1, "build"))]);
    assert_eq!(house.at(HOUR), Reap::Ask(Question::GitHub(RunRead::Run)));
    house.run = Some(Run {
        run_attempt: attempt(2),
        ..run()
    });
    assert_eq!(house.at(HOUR), jobs(2));
}

#[test]
fn an_instance_whose_job_has_ended_is_ended_once_its_event_had_its_time() {
    let house = House::read();
    // Jobs end at 200; the instance is past its grace.
    let mut late = House::read();
    late.list(
        1,
        vec![Job {
            completed_at: Some(at(HOUR)),
            ..job(1, "build")
        }],
    );
    assert_eq!(house.at(HOUR), Reap::End(EndReason::JobEnded));
    assert_eq!(late.at(HOUR + 299), Reap::Keep(KeepReason::JobJustEnded));
    assert_eq!(late.at(HOUR + 300), Reap::End(EndReason::JobEnded));
}

#[test]
fn an_instance_whose_job_runs_is_never_ended() {
    for status in [
        JobStatus::InProgress,
        JobStatus::Queued,
        JobStatus::Unknown("new".to_owned()),
    ] {
        let mut house = House::read();
        let running = Job {
            status,
            conclusion: None,
            completed_at: None,
            ..job(1, "build")
        };
        house.list(1, vec![running]);
        assert_eq!(house.at(48 * HOUR), Reap::Keep(KeepReason::JobRuns));
    }
}

#[test]
fn a_runner_that_took_another_job_of_its_run_serves_that_one() {
    let mut house = House::read();
    let stolen = Job {
        status: JobStatus::InProgress,
        conclusion: None,
        completed_at: None,
        ..job(2, "test")
    };
    house.list(1, vec![elsewhere(job(1, "build")), stolen]);
    assert_eq!(house.at(HOUR), Reap::Keep(KeepReason::JobRuns));
    house.list(1, vec![elsewhere(job(1, "build")), job(2, "test")]);
    assert_eq!(house.at(HOUR), Reap::End(EndReason::JobEnded));
}

#[test]
fn a_job_of_a_later_attempt_is_served_too() {
    let mut house = House::read();
    house.list(1, vec![never_ran(job(1, "build"))]);
    house.run = Some(Run {
        run_attempt: attempt(2),
        status: RunStatus::InProgress,
        ..run()
    });
    let again = Job {
        run_attempt: attempt(2),
        status: JobStatus::InProgress,
        ..job(11, "build")
    };
    house.list(2, vec![again]);
    assert_eq!(house.at(HOUR), Reap::Keep(KeepReason::JobRuns));
}

#[test]
fn an_instance_whose_job_was_cancelled_before_it_began_is_ended_with_its_run() {
    let mut house = House::read();
    house.list(1, vec![never_ran(job(1, "build"))]);
    let mut just_ended = house.clone();
    just_ended.list(
        1,
        vec![Job {
            completed_at: Some(at(HOUR)),
            ..never_ran(job(1, "build"))
        }],
    );
    assert_eq!(house.at(HOUR), Reap::End(EndReason::NeverNeeded));
    assert_eq!(
        just_ended.at(HOUR + 299),
        Reap::Keep(KeepReason::RunGoesOn),
        "a re-run may come at once"
    );
    assert_eq!(just_ended.at(HOUR + 300), Reap::End(EndReason::NeverNeeded));
}

#[test]
fn in_a_run_that_goes_on_without_it_an_instance_idles_for_an_hour_at_most() {
    let mut house = House::read();
    house.list(1, vec![never_ran(job(1, "build"))]);
    house.run = Some(Run {
        status: RunStatus::InProgress,
        ..run()
    });
    // The job ended at 200.
    assert_eq!(house.at(200 + HOUR - 1), Reap::Keep(KeepReason::RunGoesOn));
    assert_eq!(house.at(200 + HOUR), Reap::End(EndReason::NeverNeeded));
}

#[test]
fn an_instance_whose_job_runs_elsewhere_is_ended_with_the_run() {
    let mut house = House::read();
    house.list(1, vec![elsewhere(job(1, "build"))]);
    assert_eq!(house.at(HOUR), Reap::End(EndReason::JobTakenElsewhere));
}

#[test]
fn a_job_that_waits_may_be_for_this_instance_unless_it_has_waited_too_long() {
    let mut house = House::read();
    house.run = Some(Run {
        status: RunStatus::Queued,
        ..run()
    });
    // Made at 90.
    house.list(1, vec![waiting(job(1, "build"))]);
    assert_eq!(house.at(90 + HOUR - 1), Reap::Keep(KeepReason::JobWaits));
    assert_eq!(house.at(90 + HOUR), Reap::End(EndReason::NeverRan));
    let young = Job {
        created_at: Some(at(HOUR)),
        ..waiting(job(2, "test"))
    };
    house.list(1, vec![waiting(job(1, "build")), young]);
    assert_eq!(house.at(90 + HOUR), Reap::Keep(KeepReason::JobWaits));
    let held = Job {
        status: JobStatus::Waiting,
        ..waiting(job(2, "test"))
    };
    house.list(1, vec![never_ran(job(1, "build")), held]);
    assert_eq!(
        house.at(9 * HOUR),
        Reap::Keep(KeepReason::JobWaits),
        "for an approval, and not for a runner"
    );
}

#[test]
fn a_job_with_other_labels_waits_for_another_runner() {
    let mut house = House::read();
    let other = Job {
        labels: vec!["ubuntu-latest".to_owned()],
        ..waiting(job(2, "test"))
    };
    house.list(1, vec![never_ran(job(1, "build")), other]);
    assert_eq!(house.at(HOUR), Reap::End(EndReason::NeverNeeded));
}

#[test]
fn where_nobody_can_tell_an_instance_is_kept_and_a_person_told_after_six_hours() {
    let mut unbound = House::read();
    unbound.list(1, vec![never_ran(job(1, "build"))]);
    let mut claim = claim();
    claim.runner_labels = vec!["runs-on=linux/family=c7a".to_owned()];
    unbound.claim = Some(claim);
    let mut without_claim = House::read();
    without_claim.claim = None;
    let mut unlisted = House::read();
    unlisted.list(1, vec![elsewhere(job(2, "test"))]);
    let mut unreadable = House::read();
    unreadable.refused = true;
    for (house, reason) in [
        (unbound, KeepReason::MayServeAnotherRun),
        (without_claim, KeepReason::NoClaim),
        (unlisted, KeepReason::JobUnknown),
        (unreadable, KeepReason::RunUnreadable),
    ] {
        assert_eq!(house.at(LAUNCHED + 6 * HOUR - 1), Reap::Keep(reason));
        assert_eq!(
            house.at(LAUNCHED + 6 * HOUR),
            Reap::Keep(KeepReason::DoubtfulForLong)
        );
    }
}

#[test]
fn only_labels_with_the_runs_own_id_bind_a_runner_to_it() {
    for (label, bound) in [
        ("runs-on=900", true),
        ("runs-on=900/family=c7a", true),
        ("runs-on=900-build/family=c7a", true),
        ("runs-on=9001/family=c7a", false),
        ("runs-on/family=c7a", false),
        ("runs-on=linux", false),
        ("ubuntu-latest", false),
    ] {
        assert_eq!(
            is_bound_to(RunId(900), &[label.to_owned()]),
            bound,
            "{label}"
        );
    }
}

proptest! {
    #[test]
    fn nothing_is_ended_that_is_young_not_ours_may_be_taken_or_has_a_job_at_work(
        jobs in prop::collection::vec(any_job(), 0..4),
        (seconds, is_over, is_ours, sign) in
            (0_i64..200_000, any::<bool>(), any::<bool>(), prop::option::of(0_i64..200_000)),
    ) {
        let mut house = House::read();
        house.list(1, jobs);
        if !is_ours {
            house.view.tags.clear();
        }
        if !is_over {
            house.run = Some(Run { status: RunStatus::InProgress, ..run() });
        }
        let signs = sign.map(|sign| evidence(EvidenceSource::InterruptionWarning, sign));
        house.evidence = signs.into_iter().collect();
        if let Reap::End(_) = house.at(seconds) {
            prop_assert!(is_ours);
            prop_assert!(seconds >= LAUNCHED + 10 * MINUTE);
            prop_assert!(sign.is_none_or(|sign| seconds - sign > 15 * MINUTE));
            let here = job(1, "build").runner_name;
            let jobs = house.lists.values().flatten();
            for job in jobs.filter(|job| job.runner_name == here) {
                prop_assert_eq!(&job.status, &JobStatus::Completed);
            }
        }
    }
}

fn any_job() -> impl Strategy<Value = Job> {
    let kind = prop::sample::select(vec![
        job(1, "build"),
        elsewhere(job(1, "build")),
        never_ran(job(1, "build")),
        waiting(job(1, "build")),
        Job {
            status: JobStatus::InProgress,
            conclusion: None,
            completed_at: None,
            ..job(1, "build")
        },
    ]);
    (kind, 1_u64..4, any::<bool>()).prop_map(|(kind, id, is_labelled)| Job {
        id: JobId(id),
        labels: if is_labelled {
            kind.labels.clone()
        } else {
            vec!["ubuntu-latest".to_owned()]
        },
        ..kind
    })
}

/// An instance, and what is known of it, owned.
#[derive(Debug, Clone)]
struct House {
    view: InstanceView,
    rests_until: Option<Timestamp>,
    ledger_is_read: bool,
    claim: Option<LaunchClaim>,
    crew: Option<Vec<LaunchClaim>>,
    evidence: Vec<Evidence>,
    refused: bool,
    runner: RunnerWords,
    run: Option<Run>,
    lists: BTreeMap<RunAttempt, Vec<Job>>,
}

impl House {
    /// Nothing was read.
    fn new() -> Self {
        Self {
            view: view(),
            rests_until: None,
            crew: None,
            ledger_is_read: false,
            claim: Some(claim()),
            evidence: Vec::new(),
            refused: false,
            runner: RunnerWords::Unknown,
            run: None,
            lists: BTreeMap::new(),
        }
    }

    /// All was read: the run has completed, and the job on the instance failed.
    fn read() -> Self {
        let mut house = Self {
            ledger_is_read: true,
            run: Some(run()),
            ..Self::new()
        };
        house.list(1, vec![job(1, "build")]);
        house
    }

    fn list(&mut self, number: u32, jobs: Vec<Job>) {
        self.lists.insert(attempt(number), jobs);
    }

    fn at(&self, seconds: i64) -> Reap {
        let facts = ReapFacts {
            view: &self.view,
            stack: STACK,
            rests_until: self.rests_until,
            ledger: self.ledger_is_read.then_some(LedgerWords {
                claim: self.claim.as_ref(),
                crew: self.crew.as_deref(),
                evidence: &self.evidence,
            }),
            runner_name: &RunnerNamePattern::default(),
            github: if self.refused {
                GitHubWords::Refused
            } else {
                GitHubWords::Seen(RunSeen {
                    run: self.run.as_ref(),
                    lists: &self.lists,
                })
            },
            runner: self.runner,
        };
        decide(&facts, &Rules::default(), at(seconds))
    }
}

#[test]
fn an_idle_instance_that_nobody_has_is_ended_once_no_job_waits_for_its_kind() {
    let mut house = House::read();
    house.run = Some(Run {
        status: RunStatus::InProgress,
        ..run()
    });
    house.list(
        1,
        vec![
            elsewhere(job(1, "build")),
            running_elsewhere(job(2, "test")),
        ],
    );
    let shared = leading(claim(), vec![JobId(2)]);
    let other = LaunchClaim {
        state: ClaimState::Launched {
            instance: "i-0123456789abcdef1".parse().expect("an id"),
            capacity: Capacity::Spot,
        },
        ..shared
    };
    house.claim = Some(other.clone());
    let grace = LAUNCHED + 10 * MINUTE;
    assert_eq!(house.at(grace), Reap::Ask(Question::Crew));
    house.crew = Some(vec![other]);
    assert_eq!(house.at(grace), Reap::End(EndReason::Surplus));
    house.list(1, vec![waiting(job(1, "build"))]);
    assert_eq!(house.at(grace), Reap::Keep(KeepReason::JobWaits));
}

#[test]
fn an_idle_instance_of_one_of_the_crew_is_kept_as_its_own_would_be() {
    let mut house = House::read();
    house.run = Some(Run {
        status: RunStatus::InProgress,
        ..run()
    });
    house.list(
        1,
        vec![
            elsewhere(job(1, "build")),
            running_elsewhere(job(2, "test")),
        ],
    );
    let mut mate = claim();
    mate.key.job_id = JobId(2);
    let shared = leading(claim(), vec![JobId(2)]);
    house.claim = Some(LaunchClaim {
        state: ClaimState::GivenUp { why: String::new() },
        ..shared
    });
    house.crew = Some(vec![mate]);
    let grace = LAUNCHED + 10 * MINUTE;
    assert_eq!(house.at(grace), Reap::Keep(KeepReason::RunGoesOn));
}

fn running_elsewhere(job: Job) -> Job {
    Job {
        status: JobStatus::InProgress,
        conclusion: None,
        completed_at: None,
        ..elsewhere(job)
    }
}

fn elsewhere(job: Job) -> Job {
    Job {
        runner_name: Some(RunnerName::new("reprise--i-0123456789abcdef1--x")),
        ..job
    }
}

fn never_ran(job: Job) -> Job {
    Job {
        conclusion: Some(Conclusion::Cancelled),
        runner_name: None,
        started_at: None,
        ..job
    }
}

fn waiting(job: Job) -> Job {
    Job {
        status: JobStatus::Queued,
        conclusion: None,
        runner_name: None,
        started_at: None,
        completed_at: None,
        ..job
    }
}

#[test]
fn all_of_keep_reason_are_in_all() {
    // Whoever adds one comes by here, and adds it to `ALL`.
    let place = |one: &KeepReason| -> usize {
        match one {
            KeepReason::NotOurs => 0,
            KeepReason::NotRunning => 1,
            KeepReason::Young => 2,
            KeepReason::Rests => 3,
            KeepReason::MayBeTaken => 4,
            KeepReason::JobRuns => 5,
            KeepReason::RunnerBusy => 6,
            KeepReason::RunnerNotAsked => 7,
            KeepReason::JobJustEnded => 8,
            KeepReason::JobWaits => 9,
            KeepReason::RunGoesOn => 10,
            KeepReason::NoClaim => 11,
            KeepReason::RunUnreadable => 12,
            KeepReason::JobUnknown => 13,
            KeepReason::MayServeAnotherRun => 14,
            KeepReason::DoubtfulForLong => 15,
        }
    };
    let places: Vec<usize> = KeepReason::ALL.iter().map(place).collect();
    assert_eq!(places, (0..16).collect::<Vec<_>>());
}

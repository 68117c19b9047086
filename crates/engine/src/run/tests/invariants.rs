//! What holds for every run: of one decision on any facts, and of a whole life against a GitHub
//! that answers as it likes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use reprise_model::ids::RunnerName;

use super::*;

proptest! {
    #[test]
    fn a_re_run_is_asked_for_only_with_evidence_and_only_when_the_run_has_completed(
        world in any_world(),
    ) {
        let mut world = world;
        let RunStep::Ask(order) = world.step() else { return Ok(()) };
        prop_assert_eq!(&world.run.status, &RunStatus::Completed);
        prop_assert_eq!(order.from, world.run.run_attempt);
        prop_assert_eq!(world.rival, Rival::No);
        prop_assert!(!order.wanted.is_empty());
        for id in &order.wanted {
            let job = &world.entry.jobs[id];
            prop_assert!(!job.evidence.is_empty() || job.why == Why::Failed);
            if job.why == Why::Failed {
                let over = job.not_before.is_none_or(|until| until <= world.now);
                let along = order.wanted.iter().any(|id| world.entry.jobs[id].why != Why::Failed);
                let again = world.entry.reruns.len() > 1;
                prop_assert!(over || along || again, "its pause is not over");
            }
            let is_open = !matches!(job.state, TrackedState::Settled { .. });
            prop_assert!(is_open);
        }
        let last = world.entry.reruns.last().expect("written down");
        prop_assert_eq!((&last.order, &last.answer), (&order, &RerunAnswer::Unclear));
    }

    #[test]
    fn an_open_job_always_has_a_record_that_is_due(world in any_world()) {
        let mut world = world;
        let step = world.step();
        // A record of which nothing is known yet waits for its run, too.
        let may_wait = ledger::has_open(&world.entry) || ledger::is_new(&world.entry);
        prop_assert_eq!(step == RunStep::Done, world.entry.due.is_none());
        prop_assert!(step != RunStep::Done || !ledger::has_open(&world.entry));
        prop_assert!(step == RunStep::Done || may_wait);
        if let (RunStep::Wait(_) | RunStep::Ask(_), Some(due)) = (step, world.entry.due) {
            prop_assert!(due.at > world.now);
        }
    }

    #[test]
    fn deciding_twice_on_the_same_facts_is_deciding_once(world in any_world()) {
        let mut world = world;
        let first = world.step();
        let entry = world.entry.clone();
        let second = world.step();
        match &first {
            RunStep::Ask(_) => prop_assert_eq!(second, RunStep::Wait(WaitReason::AnswerUnclear)),
            RunStep::ReadJobs
            | RunStep::ReadCauses(_)
            | RunStep::ReadRival
            | RunStep::ReadBudget
            | RunStep::Spend(_)
            | RunStep::Wait(_)
            | RunStep::Done => prop_assert_eq!(second, first),
        }
        prop_assert_eq!(&world.entry, &entry);
    }

    #[test]
    fn a_settled_job_stays_settled(world in any_world()) {
        let mut world = world;
        let before = world.entry.clone();
        let _ = world.step();
        for (id, job) in before.jobs {
            if matches!(job.state, TrackedState::Settled { .. }) {
                prop_assert_eq!(&world.entry.jobs[&id].state, &job.state);
            }
        }
    }

    #[test]
    fn every_life_of_a_run_ends_settled_with_each_execution_re_run_at_most_once(
        names in prop::sample::select(vec![
            vec!["a"],
            vec!["a", "b"],
            vec!["test (1)", "test (2)", "lint"],
        ]),
        interrupted in prop::collection::btree_set(1_u64..4, 0..3),
        choices in prop::collection::vec(any::<u8>(), 400),
    ) {
        let mut life = Life::new(&names, &interrupted, choices);
        life.live()?;
        life.check_end()?;
    }

    #[test]
    fn a_life_with_fail_fast_siblings_and_records_tracked_twice_ends_as_well(
        interrupted in prop::collection::btree_set(1_u64..4, 0..2),
        takes_cancelled in any::<bool>(),
        choices in prop::collection::vec(any::<u8>(), 400),
    ) {
        let names = ["test (1)", "test (2)", "test (3)", "test (3)"];
        let mut life = Life::new(&names, &interrupted, choices);
        life.takes_cancelled = takes_cancelled;
        life.tracks_carried_over = true;
        life.cancel_siblings();
        life.live()?;
        life.check_end()?;
        life.check_siblings()?;
    }
}

/// A run and a GitHub whose every choice is drawn.
struct Life {
    world: World,
    choices: std::vec::IntoIter<u8>,
    next_id: u64,
    /// The executions for which GitHub was asked and said neither "not now" nor nothing at all.
    asked: BTreeSet<(String, Execution)>,
    /// The executions that a re-run really followed.
    followed: BTreeSet<(String, Execution)>,
    /// Whether a re-run of failed jobs takes cancelled ones along.
    takes_cancelled: bool,
    /// Whether the verdict on a record that was carried over may be that it was interrupted, as
    /// when the list of an earlier attempt lagged.
    tracks_carried_over: bool,
}

impl Life {
    fn new(names: &[&str], interrupted: &BTreeSet<u64>, choices: Vec<u8>) -> Self {
        let jobs: Vec<Job> = (1..).zip(names).map(|(id, name)| job(id, name)).collect();
        let mut world = World::with(&jobs);
        let ids: Vec<u64> = interrupted.iter().copied().chain([1]).collect();
        world.await_jobs(&ids);
        Self {
            world,
            choices: choices.into_iter(),
            next_id: 100,
            asked: BTreeSet::new(),
            followed: BTreeSet::new(),
            takes_cancelled: true,
            tracks_carried_over: false,
        }
    }

    /// What was not interrupted was cancelled by fail-fast, each on a runner of its own.
    fn cancel_siblings(&mut self) {
        let tracked = &self.world.entry.jobs;
        for job in self.world.jobs.iter_mut().flatten() {
            if !tracked.contains_key(&job.id) {
                job.conclusion = Some(Conclusion::Cancelled);
                job.runner_name = Some(RunnerName::new(job.id.to_string()));
                self.world.causes.insert(job.id, CancelCause::FailFast);
            }
        }
    }

    fn check_end(&self) -> Result<(), TestCaseError> {
        let entry = &self.world.entry;
        prop_assert!(!ledger::has_open(entry), "still open: {entry:?}");
        let executions: BTreeSet<(&String, &Execution)> = entry
            .jobs
            .values()
            .map(|job| (&job.key.name, &job.execution))
            .collect();
        prop_assert_eq!(
            executions.len(),
            entry.jobs.len(),
            "tracked twice: {:?}",
            entry
        );
        Ok(())
    }

    /// A sibling whose cancelled execution is still its last was asked for by its own id, or
    /// nothing could be asked for any more.
    fn check_siblings(&self) -> Result<(), TestCaseError> {
        let entry = &self.world.entry;
        let is_given_up = entry.jobs.values().any(|job| {
            let state = &job.state;
            matches!(
                state,
                TrackedState::Settled {
                    reason: SettleReason::Refused(_),
                    ..
                }
            )
        });
        let left_behind = self.world.jobs.iter().flatten().find(|job| {
            classify::is_cancelled(job) && !ledger::holds(entry, &job.name, &job.execution())
        });
        prop_assert!(
            is_given_up || left_behind.is_none(),
            "{left_behind:?}: {entry:?}"
        );
        Ok(())
    }

    fn choose(&mut self, among: u8) -> u8 {
        self.choices.next().unwrap_or_default() % among
    }

    fn live(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..200 {
            match self.world.step() {
                RunStep::Done => return Ok(()),
                RunStep::Wait(_) => self.world.now = self.world.due(),
                RunStep::Ask(order) => self.post(&order)?,
                step @ (RunStep::ReadJobs
                | RunStep::ReadCauses(_)
                | RunStep::ReadRival
                | RunStep::ReadBudget
                | RunStep::Spend(_)) => {
                    return Err(TestCaseError::fail(format!("all was read: {step:?}")));
                }
            }
        }
        Ok(())
    }

    fn post(&mut self, order: &RerunOrder) -> Result<(), TestCaseError> {
        prop_assert_eq!(&self.world.run.status, &RunStatus::Completed);
        // In the end GitHub answers, or no life would have an end.
        let (taken, answer) = match self.choose(6) {
            0 => (false, RerunAnswer::NotNow),
            1 => (false, RerunAnswer::Unclear),
            2 => (true, RerunAnswer::Unclear),
            3 => (false, RerunAnswer::Refused(gone())),
            _ => (true, RerunAnswer::Accepted),
        };
        if answer == RerunAnswer::Accepted {
            self.note_asked(order)?;
        }
        if self.choose(4) > 0 {
            self.world.answer(answer);
        }
        if taken {
            self.take(order)?;
        }
        Ok(())
    }

    /// The same execution may be asked for by two orders only when the first left it behind; an
    /// execution that was followed is never wanted again.
    fn note_asked(&mut self, order: &RerunOrder) -> Result<(), TestCaseError> {
        for id in &order.wanted {
            let tracked = &self.world.entry.jobs[id];
            let execution = (tracked.key.name.clone(), tracked.execution.clone());
            prop_assert!(
                !self.followed.contains(&execution),
                "{execution:?} was re-run"
            );
            let is_new = self.asked.insert(execution.clone());
            let is_chain = self.world.run.run_attempt > tracked.attempt;
            prop_assert!(is_new || is_chain, "{execution:?} was asked for twice");
        }
        Ok(())
    }

    /// The next attempt: what the order names executes or is left behind, the rest is carried
    /// over.
    fn take(&mut self, order: &RerunOrder) -> Result<(), TestCaseError> {
        let jobs = self.world.jobs.clone().unwrap_or_default();
        let mut next = Vec::new();
        for job in jobs {
            let named = match order.target {
                RerunTarget::Job(id) => job.id == id,
                RerunTarget::FailedJobs => {
                    job.is_unsuccessful() && (self.takes_cancelled || !classify::is_cancelled(&job))
                }
            };
            next.push(self.cloned(job, named)?);
        }
        let carried_over: Vec<u64> = next
            .iter()
            .filter(|job| job.completed_at <= Some(self.world.now))
            .map(|job| job.id.0)
            .collect();
        self.world.next_attempt(next);
        for id in carried_over {
            let tracked = &self.world.entry.jobs;
            let shows = |job: &&Job| {
                let is_known = tracked
                    .values()
                    .any(|known| known.execution == job.execution());
                job.id.0 == id && is_known
            };
            let is_known = self.world.jobs.iter().flatten().any(|job| shows(&job));
            if is_known && self.tracks_carried_over && self.choose(3) == 0 {
                self.world.verdicts.insert(JobId(id), awaits());
                self.world.await_jobs(&[id]);
            }
        }
        Ok(())
    }

    fn cloned(&mut self, job: Job, named: bool) -> Result<Job, TestCaseError> {
        self.next_id += 1;
        let record = Job {
            id: JobId(self.next_id),
            run_attempt: job.run_attempt.next(),
            ..job.clone()
        };
        if !named || self.choose(4) == 0 {
            return Ok(record);
        }
        let is_first = self.followed.insert((job.name.clone(), job.execution()));
        prop_assert!(is_first, "{:?} was followed twice", job.execution());
        let ended = self.world.now + secs(300);
        let conclusion = match self.choose(2) {
            0 => Conclusion::Success,
            _ => Conclusion::Failure,
        };
        Ok(Job {
            started_at: Some(self.world.now),
            completed_at: Some(ended),
            conclusion: Some(conclusion),
            ..record
        })
    }
}

/// Any facts about a run of up to four jobs, whether or not GitHub could tell them.
pub(super) fn any_world() -> impl Strategy<Value = World> {
    let jobs = prop::collection::vec(any_job(), 4);
    (jobs, any_reruns(), any_run(), 0_i64..60, any::<bool>()).prop_map(
        |(mut jobs, reruns, run, later, has_jobs)| {
            for (id, one) in (1..).zip(&mut jobs) {
                one.job.id = JobId(id);
            }
            let listed: Vec<Job> = jobs.iter().map(|one| one.job.clone()).collect();
            let mut world = World::with(&listed);
            let accepted: Vec<usize> = (0..)
                .zip(&reruns)
                .filter(|(_, rerun)| rerun.answer == RerunAnswer::Accepted)
                .map(|(index, _)| index)
                .collect();
            for one in &jobs {
                one.add_to(&mut world, &accepted);
            }
            world.entry.reruns = reruns;
            // A record of which nothing is known yet was opened for a read of its run.
            let reads = ledger::has_open(&world.entry) || ledger::is_new(&world.entry);
            world.entry.due = reads.then(|| Due::now(at(NOW)));
            if !reads {
                world.jobs = None;
            }
            world.run = run;
            world.now = at(NOW + later);
            if !has_jobs {
                world.jobs = None;
            }
            world
        },
    )
}

#[derive(Debug, Clone)]
struct AnyJob {
    job: Job,
    state: u8,
    rerun: usize,
    verdict: u8,
    cause: u8,
}

impl AnyJob {
    fn add_to(&self, world: &mut World, accepted: &[usize]) {
        let id = self.job.id;
        let state = match self.state {
            0 => None,
            1 => Some(TrackedState::Settled {
                reason: SettleReason::Recovered,
                at: at(250),
            }),
            2 if !accepted.is_empty() => Some(TrackedState::Asked {
                rerun: accepted[self.rerun % accepted.len()],
            }),
            _ => Some(TrackedState::Awaiting),
        };
        if let Some(state) = state {
            let grounds = match self.verdict {
                3 => failures::retried(i64::from(self.cause)).grounds(),
                _ => awaits().grounds(),
            };
            ledger::track(
                &mut world.entry,
                &self.job,
                grounds.expect("it is to come back"),
            );
            if let Some(tracked) = world.entry.jobs.get_mut(&id) {
                tracked.state = state;
            }
        }
        let verdict = match self.verdict {
            0 => Some(awaits()),
            1 => Some(JobVerdict::LookAgain {
                at: at(NOW + 5),
                until: at(NOW + 30),
            }),
            2 => Some(JobVerdict::Ignore(IgnoreReason::CarriedOver)),
            4 => Some(failures::retried(i64::from(self.cause))),
            _ => None,
        };
        world.verdicts.extend(verdict.map(|verdict| (id, verdict)));
        let cause = [
            CancelCause::Person,
            CancelCause::Superseded,
            CancelCause::FailFast,
        ]
        .get(usize::from(self.cause))
        .copied()
        .unwrap_or(CancelCause::Unreadable);
        world.causes.insert(id, cause);
    }
}

fn any_job() -> impl Strategy<Value = AnyJob> {
    let names = prop::sample::select(vec!["a", "test (1)", "test (2)", "test (2)"]);
    let conclusions = prop::sample::select(vec![
        Conclusion::Success,
        Conclusion::Failure,
        Conclusion::Failure,
        Conclusion::Cancelled,
    ]);
    (
        1_u32..3,
        names,
        conclusions,
        (0_u8..6, any::<usize>(), 0_u8..8, 0_u8..12),
    )
        .prop_map(
            |(number, name, conclusion, (state, rerun, verdict, cause))| AnyJob {
                job: Job {
                    run_attempt: attempt(number),
                    conclusion: Some(conclusion),
                    ..job(0, name)
                },
                state,
                rerun,
                verdict,
                cause,
            },
        )
}

fn any_reruns() -> impl Strategy<Value = Vec<Rerun>> {
    let answers = prop::sample::select(vec![
        RerunAnswer::Unclear,
        RerunAnswer::Accepted,
        RerunAnswer::NotNow,
        RerunAnswer::Refused(gone()),
    ]);
    let rerun = (
        1_u32..3,
        answers,
        prop::collection::btree_set(1_u64..6, 1..3),
    )
        .prop_map(|(from, answer, wanted)| Rerun {
            order: order(from, RerunTarget::FailedJobs, &Vec::from_iter(wanted), &[]),
            decided_at: at(NOW),
            answer,
            not_before: None,
        });
    // Only the last may still be without an answer.
    prop::collection::vec(rerun, 0..3).prop_map(|mut reruns| {
        let last = reruns.len().saturating_sub(1);
        for rerun in &mut reruns[..last] {
            if rerun.answer == RerunAnswer::Unclear {
                rerun.answer = RerunAnswer::Accepted;
            }
        }
        reruns
    })
}

fn any_run() -> impl Strategy<Value = Run> {
    (1_u32..4, prop::bool::weighted(0.7)).prop_map(|(number, is_completed)| Run {
        run_attempt: attempt(number),
        status: if is_completed {
            RunStatus::Completed
        } else {
            RunStatus::InProgress
        },
        ..run()
    })
}

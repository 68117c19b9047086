//! The table "A run with awaiting jobs", a test a row, and the record's other changes. What holds
//! for every run is in [`invariants`].

mod advised;
mod budget;
mod cancels;
mod chances;
mod equal_names;
mod failures;
mod invariants;
mod reruns;
mod sequential;
mod siblings;

use reprise_model::evidence::{Evidence, EvidenceSource};
use reprise_model::ids::RunAttempt;
use reprise_model::job::{Conclusion, Execution, JobStatus};
use reprise_model::ledger::{Rerun, RerunTarget, Sibling, TrackedState, Why};
use reprise_model::policy::{MixedReruns, RetryPolicy};
use reprise_model::reason::{IgnoreReason, RefusalKind};
use reprise_model::run::RunStatus;

use super::*;
use crate::samples::{at, attempt, evidence, instance, job, run, run_key, secs};

const MIDDLE: Jitter = Jitter(0.5);
const NOW: i64 = 300;

#[test]
fn an_active_run_is_waited_for_10_30_and_90_seconds_and_then_at_most_5_minutes() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    world.run.status = RunStatus::InProgress;
    let mut waits = Vec::new();
    for _ in 0..5 {
        let before = world.now;
        assert_eq!(world.step(), RunStep::Wait(WaitReason::RunActive));
        world.now = world.due();
        waits.push(world.now.duration_since(before));
    }
    assert_eq!(waits, [10, 30, 90, 270, 300].map(secs));
}

#[test]
fn the_runs_event_makes_it_due_at_once() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    world.run.status = RunStatus::InProgress;
    assert_eq!(world.step(), RunStep::Wait(WaitReason::RunActive));
    let woken = woken(world.entry, at(301)).expect("it is open");
    assert_eq!(woken.due, Some(Due::now(at(301))));
}

#[test]
fn a_second_awaiting_job_makes_a_waiting_record_due_now() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.await_jobs(&[1]);
    world.run.status = RunStatus::InProgress;
    assert_eq!(world.step(), RunStep::Wait(WaitReason::RunActive));
    assert_eq!(world.due(), at(NOW + 10));
    world.now = at(NOW + 1);
    world.await_jobs(&[2]);
    assert_eq!(world.entry.due, Some(Due::now(at(NOW + 1))));
}

#[test]
fn evidence_that_comes_late_brings_the_job_back_while_the_run_has_not_moved_on() {
    let mut world = World::with(&[job(1, "a")]);
    world.now = at(2_000);
    let late = vec![evidence(EvidenceSource::StateReason, 1_990)];
    let grounds = interrupted(late);
    let failed = job(1, "a");
    world.entry = await_job(None, run_key(), &failed, grounds, world.now);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
}

#[test]
fn an_event_of_a_run_without_open_jobs_wakes_nothing() {
    let mut world = World::with(&[job(1, "a")]);
    assert_eq!(woken(opened(run_key(), at(0)), at(1)), None);
    world.await_jobs(&[1]);
    world.rival = Rival::Run(RunId(901));
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(woken(world.entry, at(301)), None);
}

#[test]
fn a_job_that_is_still_looked_at_is_waited_for_until_its_next_look() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.await_jobs(&[1]);
    world.verdicts.insert(
        JobId(2),
        JobVerdict::LookAgain {
            at: at(305),
            until: at(330),
        },
    );
    assert_eq!(world.go(), RunStep::Wait(WaitReason::JobLooking));
    assert_eq!(world.due(), at(305));
}

#[test]
fn jobs_are_read_before_anything_is_decided_and_all_else_only_when_it_matters() {
    let mut world = World::with(&[job(1, "a"), cancelled(2, "b")]);
    world.await_jobs(&[1]);
    let all = world.jobs.take();
    let causes = std::mem::take(&mut world.causes);
    world.rival = Rival::Unread;
    assert_eq!(world.step(), RunStep::ReadJobs);
    world.jobs = all;
    assert_eq!(world.step(), RunStep::ReadCauses(vec![JobId(2)]));
    world.causes = causes;
    assert_eq!(world.step(), RunStep::ReadRival);
    world.rival = Rival::No;
    assert!(matches!(world.step(), RunStep::Ask(_)));
}

#[test]
fn a_run_that_somebody_else_re_ran_is_left_to_them() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    world.run.run_attempt = attempt(2);
    world.run.run_started_at = Some(at(290));
    assert_eq!(world.step(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::AlreadyRerun);
}

#[test]
fn evidence_that_came_after_the_run_had_moved_on_came_too_late() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    world.run.run_attempt = attempt(2);
    world.run.run_started_at = Some(at(205));
    assert_eq!(world.step(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::EvidenceTooLate);
}

#[test]
fn the_only_failed_job_is_re_run_alone() {
    let mut world = World::with(&[job(1, "a"), passed(2, "b")]);
    world.await_jobs(&[1]);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
}

#[test]
fn several_interrupted_jobs_come_back_in_one_attempt() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.await_jobs(&[1, 2]);
    assert_eq!(world.go(), ask(RerunTarget::FailedJobs, &[1, 2], &[]));
}

#[test]
fn one_interrupted_job_beside_real_failures_is_re_run_alone() {
    let mut world = World::with(&[job(1, "a"), job(2, "b"), cancelled(3, "c")]);
    world.await_jobs(&[1]);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
}

#[test]
fn several_interrupted_jobs_beside_real_failures_come_back_with_them_named() {
    let mut world = World::with(&[job(1, "a"), job(2, "b"), job(3, "gate")]);
    world.await_jobs(&[1, 2]);
    assert_eq!(world.go(), ask(RerunTarget::FailedJobs, &[1, 2], &["gate"]));
}

#[test]
fn a_run_that_was_re_run_as_often_as_github_allows_is_given_up() {
    let mut world = World::with(&[]);
    let mut late = job(1, "a");
    late.run_attempt = attempt(51);
    world.jobs = Some(vec![late]);
    world.run.run_attempt = attempt(51);
    world.await_jobs(&[1]);
    assert_eq!(world.go(), RunStep::Done);
    assert!(is_refused(&world.reason(1), RefusalKind::NotRetryable));
}

#[test]
fn a_run_past_the_age_that_github_re_runs_is_given_up() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    world.now = at(32 * 24 * 3600);
    assert_eq!(world.go(), RunStep::Done);
    assert!(is_refused(&world.reason(1), RefusalKind::TooOld));
}

#[test]
fn an_interrupted_job_whose_event_was_lost_is_found_by_reading_the_attempt() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.await_jobs(&[1]);
    world.verdicts.insert(JobId(2), awaits());
    assert_eq!(world.go(), ask(RerunTarget::FailedJobs, &[1, 2], &[]));
    assert_eq!(world.entry.jobs[&JobId(2)].attempt, RunAttempt::FIRST);
}

#[test]
fn jobs_of_equal_name_are_told_apart_once_the_whole_list_is_known() {
    let mut world = World::with(&[job(1, "a"), job(2, "a")]);
    world.await_jobs(&[2]);
    assert_eq!(world.entry.jobs[&JobId(2)].key.ordinal, 0);
    world.go();
    let key = &world.entry.jobs[&JobId(2)].key;
    assert_eq!(key.ordinal, 1);
    assert_eq!(key.workflow.as_deref(), Some(".github/workflows/ci.yml"));
}

#[test]
fn a_list_that_lacks_an_awaiting_job_is_read_again_later() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.await_jobs(&[1, 2]);
    world.jobs = Some(vec![job(1, "a")]);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::RunActive));
}

#[test]
fn a_job_becomes_awaiting_once_however_often_it_is_told() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    let before = world.entry.clone();
    world.await_jobs(&[1]);
    assert_eq!(world.entry, before);
}

#[test]
fn a_run_that_cannot_be_read_is_read_later_and_one_that_is_gone_is_given_up() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    let later = postponed(world.entry.clone(), None, at(NOW), MIDDLE);
    assert_eq!(later.due.map(|due| due.at), Some(at(NOW + 10)));
    let limited = postponed(world.entry.clone(), Some(secs(3_000)), at(NOW), MIDDLE);
    assert_eq!(limited.due.map(|due| due.at), Some(at(NOW + 3_000)));
    world.entry = refused(later, gone(), at(NOW + 10), MIDDLE);
    assert_eq!(world.reason(1), SettleReason::Refused(gone()));
    assert_eq!(world.entry.due, None);
    assert_eq!(postponed(world.entry, None, at(NOW), MIDDLE).due, None);
}

#[test]
fn a_run_that_was_just_made_may_not_be_shown_yet_and_is_read_again() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    let began = job(1, "a").started_at.expect("it began");
    let soon = began + secs(119);
    let unseen = refused(world.entry.clone(), gone(), soon, MIDDLE);
    assert_eq!(unseen.due.map(|due| due.at), Some(soon + secs(10)));
    assert_eq!(unseen.jobs, world.entry.jobs);
    let denied = Refusal {
        kind: RefusalKind::MissingPermission,
        ..gone()
    };
    assert_eq!(refused(unseen.clone(), denied, soon, MIDDLE).due, None);
    world.entry = refused(unseen, gone(), began + secs(120), MIDDLE);
    assert_eq!(world.reason(1), SettleReason::Refused(gone()));
}

/// A run's facts, owned, and its record.
#[derive(Debug, Clone)]
struct World {
    entry: RunEntry,
    run: Run,
    jobs: Option<Vec<Job>>,
    verdicts: BTreeMap<JobId, JobVerdict>,
    causes: BTreeMap<JobId, CancelCause>,
    rival: Rival,
    policies: BTreeMap<JobId, RetryPolicy>,
    budget: Option<Budget>,
    rules: Rules,
    now: Timestamp,
}

impl World {
    /// A completed first attempt of which everything was read: every cancel is unreadable, and
    /// there is no newer run.
    fn with(jobs: &[Job]) -> Self {
        Self {
            entry: opened(run_key(), at(NOW)),
            run: run(),
            jobs: Some(jobs.to_vec()),
            verdicts: BTreeMap::new(),
            causes: jobs
                .iter()
                .map(|job| (job.id, CancelCause::Unreadable))
                .collect(),
            rival: Rival::No,
            policies: BTreeMap::new(),
            budget: None,
            rules: Rules::default(),
            now: at(NOW),
        }
    }

    fn await_jobs(&mut self, ids: &[u64]) {
        let jobs = self.jobs.clone().unwrap_or_default();
        for job in jobs.iter().filter(|job| ids.contains(&job.id.0)) {
            self.entry = await_job(
                Some(self.entry.clone()),
                run_key(),
                job,
                interrupted(vec![tag()]),
                self.now,
            );
        }
    }

    /// One decision on exactly these facts; its record is kept. What it spends is spent.
    fn step(&mut self) -> RunStep {
        let decision = self.decision();
        let RunStep::Spend(budget) = decision.step else {
            self.entry = decision.entry;
            return decision.step;
        };
        self.budget = Some(budget);
        self.step()
    }

    fn decision(&self) -> RunDecision {
        decide(&self.facts(), self.now, MIDDLE, &self.rules)
    }

    fn facts(&self) -> RunFacts<'_> {
        RunFacts {
            entry: &self.entry,
            run: &self.run,
            jobs: self.jobs.as_deref(),
            verdicts: &self.verdicts,
            causes: &self.causes,
            rival: self.rival,
            policies: &self.policies,
            spent: Spent::Known(self.budget.as_ref()),
        }
    }

    /// As [`World::step`], where everything was read: no read may be asked for.
    fn go(&mut self) -> RunStep {
        let step = self.step();
        let is_read = matches!(
            step,
            RunStep::ReadJobs | RunStep::ReadCauses(_) | RunStep::ReadRival
        );
        assert!(!is_read, "everything was read, and yet {step:?}");
        step
    }

    fn answer(&mut self, answer: RerunAnswer) {
        self.entry = answered(self.entry.clone(), answer, None, self.now, MIDDLE);
    }

    /// The next attempt, completed, with these jobs.
    fn next_attempt(&mut self, mut jobs: Vec<Job>) {
        self.run.run_attempt = self.run.run_attempt.next();
        for job in &mut jobs {
            job.run_attempt = self.run.run_attempt;
        }
        self.run.run_started_at = Some(self.now);
        self.now += secs(600);
        self.run.updated_at = Some(self.now);
        self.causes = jobs
            .iter()
            .map(|job| (job.id, CancelCause::Unreadable))
            .collect();
        self.verdicts.clear();
        self.jobs = Some(jobs);
    }

    fn due(&self) -> Timestamp {
        self.entry.due.expect("it is due").at
    }

    fn state(&self, id: u64) -> TrackedState {
        self.entry.jobs[&JobId(id)].state.clone()
    }

    fn reason(&self, id: u64) -> SettleReason {
        match self.state(id) {
            TrackedState::Settled { reason, .. } => reason,
            state @ (TrackedState::Awaiting | TrackedState::Asked { .. }) => {
                panic!("job {id} is {state:?}")
            }
        }
    }
}

fn cancelled(id: u64, name: &str) -> Job {
    Job {
        conclusion: Some(Conclusion::Cancelled),
        ..job(id, name)
    }
}

fn passed(id: u64, name: &str) -> Job {
    Job {
        conclusion: Some(Conclusion::Success),
        ..job(id, name)
    }
}

/// The record of a new execution that passed.
fn again(id: u64, name: &str) -> Job {
    Job {
        started_at: Some(at(1_000)),
        completed_at: Some(at(1_100)),
        ..passed(id, name)
    }
}

fn tag() -> Evidence {
    evidence(EvidenceSource::Tag, 210)
}

fn awaits() -> JobVerdict {
    JobVerdict::Await {
        instance: instance(),
        evidence: vec![tag()],
        policy: RetryPolicy::USUAL,
        advice: None,
    }
}

fn interrupted(evidence: Vec<Evidence>) -> Grounds {
    Grounds {
        evidence,
        ..awaits().grounds().expect("it is to come back")
    }
}

fn ask(target: RerunTarget, wanted: &[u64], along: &[&str]) -> RunStep {
    RunStep::Ask(order(1, target, wanted, along))
}

fn order(from: u32, target: RerunTarget, wanted: &[u64], along: &[&str]) -> RerunOrder {
    RerunOrder {
        from: attempt(from),
        target,
        wanted: wanted.iter().copied().map(JobId).collect(),
        along: along.iter().map(|name| (*name).to_owned()).collect(),
        siblings: Vec::new(),
    }
}

/// As [`ask`] for all failed jobs, with the siblings that are to come back.
fn ask_all(wanted: &[u64], along: &[&str], siblings: &[&Job]) -> RunStep {
    let siblings = siblings.iter().map(|job| Sibling {
        name: job.name.clone(),
        execution: job.execution(),
    });
    RunStep::Ask(RerunOrder {
        siblings: siblings.collect(),
        ..order(1, RerunTarget::FailedJobs, wanted, along)
    })
}

fn is_refused(reason: &SettleReason, kind: RefusalKind) -> bool {
    matches!(reason, SettleReason::Refused(refusal) if refusal.kind == kind)
}

fn gone() -> Refusal {
    Refusal {
        kind: RefusalKind::NotFound,
        message: "Not Found".to_owned(),
    }
}

#[test]
fn an_order_says_which_row_of_the_table_it_comes_from() {
    let one = RerunTarget::Job(JobId(1));
    for (order, word) in [
        (order(1, one, &[1], &[]), "one-wanted"),
        (order(1, one, &[1, 2], &[]), "one-by-one"),
        (order(1, one, &[7], &[]), "left-behind"),
        (
            order(1, RerunTarget::FailedJobs, &[1, 2], &[]),
            "all-wanted",
        ),
        (
            order(1, RerunTarget::FailedJobs, &[1, 2], &["lint"]),
            "mixed",
        ),
    ] {
        assert_eq!(rule(&order), word);
    }
}

#[test]
fn all_of_wait_reason_are_in_all() {
    // Whoever adds one comes by here, and adds it to `ALL`.
    let place = |one: &WaitReason| -> usize {
        match one {
            WaitReason::RunActive => 0,
            WaitReason::JobLooking => 1,
            WaitReason::RerunActive => 2,
            WaitReason::AnswerUnclear => 3,
            WaitReason::Delayed => 4,
            WaitReason::OverBudget => 5,
        }
    };
    let places: Vec<usize> = WaitReason::ALL.iter().map(place).collect();
    assert_eq!(places, (0..6).collect::<Vec<_>>());
}

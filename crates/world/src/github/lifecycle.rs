//! A run from its push to its end: what starts a job, and what its end starts.
//!
//! Every change of a job's record goes through [`GitHub::change`], which keeps the index in step
//! with the records.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{JobId, RunAttempt, RunId};
use reprise_model::job::{Conclusion, JobStatus};
use reprise_model::run::RunStatus;

use super::audit::HappeningKind;
use super::spec::{Plan, RunSpec};
use super::state::{Annotation, Attempt, Deadline, ForcedEnd, Job, Run, Start};
use super::{GitHub, webhooks};

/// A job that no runner took fails after a day.
const LONGEST_IN_QUEUE: SignedDuration = SignedDuration::from_hours(24);

impl GitHub {
    /// Starts a run. A workflow that could not start (no jobs, an unknown need, a circle) ends at
    /// once as `startup_failure`.
    pub fn push(&mut self, now: Timestamp, spec: RunSpec) -> RunId {
        let id = RunId(self.next_run);
        self.next_run += 1;
        let run = self.new_run(now, id, spec);
        self.runs.insert(id, run);
        self.happened(now, id, HappeningKind::RunStarted);
        self.announce_run(now, id, webhooks::RunAction::Requested);
        self.admit(now, id);
        id
    }

    fn new_run(&mut self, now: Timestamp, id: RunId, spec: RunSpec) -> Run {
        let workflow = self.workflow_of(&spec.repository, &spec.workflow_path);
        let number = self.run_numbers.entry(workflow).or_default();
        *number += 1;
        let number = *number;
        let plan = Plan::of(&spec.jobs);
        let mut current = self.new_attempt(now, RunAttempt::FIRST, &spec.actor, spec.jobs.len());
        if plan.is_some() {
            current.waiting = (0..spec.jobs.len()).collect();
        }
        Run {
            id,
            number,
            workflow,
            created_at: now.checked_sub(spec.waited).unwrap_or(now),
            repository_id: self.know(&spec.repository),
            plan,
            past: Vec::new(),
            current,
            spec,
        }
    }

    pub(super) fn new_attempt(
        &mut self,
        now: Timestamp,
        number: RunAttempt,
        actor: &str,
        jobs: usize,
    ) -> Attempt {
        let first = self.next_job;
        self.next_job += jobs as u64;
        Attempt {
            number,
            status: RunStatus::Queued,
            conclusion: None,
            started_at: now,
            updated_at: now,
            triggering_actor: actor.to_owned(),
            cancelled: None,
            jobs: Default::default(),
            ids: (first..self.next_job).map(JobId).collect(),
            waiting: Default::default(),
            necessary_jobs: String::new(),
        }
    }

    /// A job of a run's current attempt puts out which jobs are necessary.
    pub(crate) fn put_out_necessary_jobs(&mut self, run: RunId, text: String) {
        if let Some(run) = self.runs.get_mut(&run) {
            run.current.necessary_jobs = text;
        }
    }

    /// Adds a record to the current attempt of its run.
    pub(super) fn add_job(&mut self, run_id: RunId, job: Job) {
        let Some(run) = self.runs.get_mut(&run_id) else {
            return;
        };
        run.current.waiting.remove(&job.place);
        self.places.insert(job.id, (run_id, run.current.number));
        self.index.note(&job);
        run.current.jobs.insert(job.id, job);
    }

    /// Changes a record of a run's current attempt; the queue and the deadlines follow.
    pub(super) fn change(&mut self, now: Timestamp, id: JobId, change: impl FnOnce(&mut Job)) {
        let run = self.places.get(&id).map(|(run, _)| *run);
        let Some(run) = run.and_then(|run| self.runs.get_mut(&run)) else {
            return;
        };
        let Some(job) = run.current.jobs.get_mut(&id) else {
            return;
        };
        self.index.forget(job);
        change(job);
        self.index.note(job);
        run.current.updated_at = now;
    }

    /// Starts what can start, and ends the run when nothing is left.
    pub(super) fn settle(&mut self, now: Timestamp, run: RunId) {
        loop {
            let ready = self.runs.get(&run).map(Run::ready).unwrap_or_default();
            if ready.is_empty() {
                break;
            }
            for (place, start) in ready {
                self.start(now, run, place, start);
            }
        }
        self.complete_run_if_done(now, run);
    }

    fn start(&mut self, now: Timestamp, run_id: RunId, place: usize, start: Start) {
        let Some(run) = self.runs.get(&run_id) else {
            return;
        };
        let cancelled = run.current.cancelled.clone();
        let Some(job) = fresh_job(now, run, place) else {
            return;
        };
        let id = job.id;
        let name = job.name.clone();
        self.add_job(run_id, job);
        match start {
            Start::Queued => {
                self.happened(now, run_id, HappeningKind::JobQueued { job: id, name });
                self.announce_job(now, id, webhooks::JobAction::Queued);
            }
            Start::Skipped => self.conclude(now, id, Conclusion::Skipped, None),
            Start::Cancelled => {
                let why = cancelled.map(|cancel| cancel.annotation());
                self.conclude(now, id, Conclusion::Cancelled, why);
            }
        }
    }

    pub(super) fn conclude_and_settle(
        &mut self,
        now: Timestamp,
        id: JobId,
        conclusion: Conclusion,
        why: Option<Annotation>,
    ) {
        self.conclude(now, id, conclusion, why);
        if let Some((run, _)) = self.places.get(&id).copied() {
            self.settle(now, run);
        }
    }

    /// Ends a job without looking what that starts.
    pub(super) fn conclude(
        &mut self,
        now: Timestamp,
        id: JobId,
        conclusion: Conclusion,
        why: Option<Annotation>,
    ) {
        self.change(now, id, |job| {
            job.status = JobStatus::Completed;
            job.conclusion = Some(conclusion.clone());
            job.completed_at = Some(now);
            job.started_at = job.started_at.or(Some(now));
            job.deadline = None;
            job.annotations.extend(why);
        });
        self.runner_of_job_ended(id);
        self.tell_completed(now, id);
        if matches!(conclusion, Conclusion::Failure | Conclusion::TimedOut) {
            self.fail_fast(now, id);
        }
    }

    /// The event and the happening of a job that ended, or whose end was carried over.
    pub(super) fn tell_completed(&mut self, now: Timestamp, id: JobId) {
        let Some((run, _, job)) = self.job(id) else {
            return;
        };
        let run = run.id;
        let what = HappeningKind::JobCompleted {
            job: id,
            name: job.name.clone(),
            conclusion: job.conclusion.clone().unwrap_or(Conclusion::Neutral),
            carried_over: job.is_carried_over(),
        };
        self.happened(now, run, what);
        self.announce_job(now, id, webhooks::JobAction::Completed);
    }

    fn complete_run_if_done(&mut self, now: Timestamp, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else {
            return;
        };
        if !run.is_active() || !run.current.is_done() {
            return;
        }
        let conclusion = conclusion_of(run);
        run.current.status = RunStatus::Completed;
        run.current.conclusion = Some(conclusion.clone());
        run.current.updated_at = now;
        self.happened(now, id, HappeningKind::RunCompleted { conclusion });
        self.announce_run(now, id, webhooks::RunAction::Completed);
        self.leave_group(now, id);
    }
}

fn fresh_job(now: Timestamp, run: &Run, place: usize) -> Option<Job> {
    let spec = run.spec.jobs.get(place)?;
    Some(Job {
        id: *run.current.ids.get(place)?,
        name: spec.name.clone(),
        labels: spec.labels.clone(),
        status: JobStatus::Queued,
        conclusion: None,
        created_at: now,
        started_at: None,
        completed_at: None,
        runner: None,
        steps: Vec::new(),
        annotations: Vec::new(),
        carried_over_from: None,
        place,
        deadline: Some(Deadline {
            at: now + LONGEST_IN_QUEUE,
            end: ForcedEnd::QueuedTooLong,
        }),
    })
}

/// A cancel of the whole run outweighs failures, a failure outweighs a cancelled sibling.
fn conclusion_of(run: &Run) -> Conclusion {
    let attempt = &run.current;
    let any = |wanted: Conclusion| {
        attempt
            .jobs
            .values()
            .any(|job| job.conclusion.as_ref() == Some(&wanted))
    };
    let stopped = attempt.jobs.is_empty() || any(Conclusion::Cancelled);
    if run.plan.is_none() {
        Conclusion::StartupFailure
    } else if attempt.cancelled.is_some() && stopped {
        Conclusion::Cancelled
    } else if any(Conclusion::Failure) || any(Conclusion::TimedOut) {
        Conclusion::Failure
    } else if any(Conclusion::Cancelled) {
        Conclusion::Cancelled
    } else if any(Conclusion::Success) {
        Conclusion::Success
    } else {
        Conclusion::Skipped
    }
}

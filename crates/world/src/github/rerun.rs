//! Re-runs: the whole run is cloned into a new attempt, whatever part of it executes again.
//!
//! The invariant: at the end of an attempt every job of the workflow has a record of that attempt,
//! with an id that no earlier attempt used.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{JobId, RunAttempt, RunId};
use reprise_model::job::Conclusion;

use super::GitHub;
use super::audit::HappeningKind;
use super::state::{Attempt, Job, Run};

/// GitHub re-runs nothing older.
const OLDEST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The re-runs a run may have. Past it GitHub accepts the request and no attempt appears.
const MOST_RERUNS: usize = 50;

/// What to re-run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rerun {
    /// One job and its dependents, by an id of the current attempt.
    Job(JobId),
    /// All failed jobs and their dependents.
    FailedJobs(RunId),
    /// Every job.
    WholeRun(RunId),
}

/// Why a re-run is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such run or job.
    #[error("Not Found")]
    NotFound,
    /// The job's id belongs to an earlier attempt.
    #[error("Only jobs from the current attempt can be re-run")]
    EarlierAttempt,
    /// The run of the job is not completed.
    #[error("The workflow run containing this job is already running")]
    RunOfJobActive,
    /// The run is not completed.
    #[error("This workflow is already running")]
    RunActive,
    /// The run was created more than 30 days ago.
    #[error("Unable to retry this workflow run because it was created over a month ago")]
    OverAMonthOld,
    /// It never started, has no job, or nothing in it failed.
    #[error("This workflow run cannot be retried")]
    CannotBeRetried,
    /// Its workflow is disabled. These words are a guess; GitHub's are not known.
    #[error("Unable to re-run this workflow run because the workflow is disabled")]
    WorkflowDisabled,
    /// The App may not.
    #[error("Resource not accessible by integration")]
    NotPermitted,
}

impl Refusal {
    const ALL: [Self; 8] = [
        Self::NotFound,
        Self::EarlierAttempt,
        Self::RunOfJobActive,
        Self::RunActive,
        Self::OverAMonthOld,
        Self::CannotBeRetried,
        Self::WorkflowDisabled,
        Self::NotPermitted,
    ];

    /// The refusal that GitHub words so.
    pub(super) fn of_words(words: &str) -> Self {
        let all = Self::ALL.into_iter();
        let mut matching = all.filter(|refusal| refusal.to_string() == words);
        matching.next().unwrap_or(Self::NotFound)
    }
}

impl GitHub {
    /// A person re-runs. Answers the run's attempt: the new one, or the old one when the run has
    /// used up its re-runs, which GitHub accepts without doing anything.
    pub fn rerun(&mut self, now: Timestamp, asked: Rerun, by: &str) -> Result<RunAttempt, Refusal> {
        self.rerun_of(now, asked, by, Extent::Asked)
    }

    pub(super) fn rerun_of(
        &mut self,
        now: Timestamp,
        asked: Rerun,
        by: &str,
        extent: Extent,
    ) -> Result<RunAttempt, Refusal> {
        let Some(run) = self.run_of(asked) else {
            return Err(Refusal::NotFound);
        };
        let id = run.id;
        let takes_cancelled = self.settings.rerun_failed_takes_cancelled;
        let planned = match plan(now, run, asked, takes_cancelled, extent) {
            Ok(_) if self.faults.workflows_are_disabled => Err(Refusal::WorkflowDisabled),
            Ok(_) if self.faults.logs_are_gone => Err(Refusal::CannotBeRetried),
            planned => planned.map(|again| (again, run.past.len() < MOST_RERUNS)),
        };
        match planned {
            Ok((again, true)) => Ok(self.clone_run(now, id, again, asked, by)),
            Ok((_, false)) => Ok(run.current.number),
            Err(refusal) => {
                let by = by.to_owned();
                let what = HappeningKind::RerunRefused { asked, by, refusal };
                self.happened(now, id, what);
                Err(refusal)
            }
        }
    }

    /// The run that a re-run is about.
    pub(super) fn run_of(&self, asked: Rerun) -> Option<&Run> {
        let run = match asked {
            Rerun::Job(job) => self.job(job).map(|(run, _, _)| run),
            Rerun::FailedJobs(run) | Rerun::WholeRun(run) => self.runs.get(&run),
        };
        run.filter(|run| !self.is_gone(&run.spec.repository))
    }

    fn clone_run(
        &mut self,
        now: Timestamp,
        id: RunId,
        again: Again,
        asked: Rerun,
        by: &str,
    ) -> RunAttempt {
        let mut attempt = self.new_attempt(now, again.attempt, by, again.jobs);
        let carried = carry_over(now, &attempt, again.carried);
        attempt.waiting = again.places;
        if let Some(run) = self.runs.get_mut(&id) {
            let old = std::mem::replace(&mut run.current, attempt);
            run.past.push(old);
        }
        let by = by.to_owned();
        self.happened(now, id, HappeningKind::RerunAccepted { asked, by });
        let ids: Vec<JobId> = carried.iter().map(|job| job.id).collect();
        for job in carried {
            self.add_job(id, job);
        }
        for job in ids {
            self.tell_completed(now, job);
        }
        self.admit(now, id);
        again.attempt
    }
}

/// How much of what was asked for executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it.
    Asked,
    /// Nothing: every record is carried over.
    Nothing,
}

/// What a re-run does.
struct Again {
    attempt: RunAttempt,
    jobs: usize,
    /// What executes again.
    places: BTreeSet<usize>,
    /// The records of everything else.
    carried: Vec<Job>,
}

fn plan(
    now: Timestamp,
    run: &Run,
    asked: Rerun,
    takes_cancelled: bool,
    extent: Extent,
) -> Result<Again, Refusal> {
    let current = &run.current;
    if let Rerun::Job(job) = asked
        && !current.jobs.contains_key(&job)
    {
        return Err(Refusal::EarlierAttempt);
    }
    if run.is_active() {
        return Err(match asked {
            Rerun::Job(_) => Refusal::RunOfJobActive,
            Rerun::FailedJobs(_) | Rerun::WholeRun(_) => Refusal::RunActive,
        });
    }
    if now.duration_since(run.created_at) > OLDEST {
        return Err(Refusal::OverAMonthOld);
    }
    let roots: BTreeSet<usize> = match asked {
        Rerun::Job(job) => places(current, |other| other.id == job),
        Rerun::FailedJobs(_) => places(current, |job| has_failed(job, takes_cancelled)),
        Rerun::WholeRun(_) => places(current, |_| true),
    };
    let plan = run.plan.as_ref().filter(|_| !roots.is_empty());
    let places = plan.ok_or(Refusal::CannotBeRetried)?.with_dependents(roots);
    let places = match extent {
        Extent::Asked => places,
        Extent::Nothing => BTreeSet::new(),
    };
    let kept = current
        .jobs
        .values()
        .filter(|job| !places.contains(&job.place));
    Ok(Again {
        attempt: current.number.next(),
        jobs: current.ids.len(),
        carried: kept.cloned().collect(),
        places,
    })
}

fn places(attempt: &Attempt, wanted: impl Fn(&Job) -> bool) -> BTreeSet<usize> {
    let jobs = attempt.jobs.values().filter(|job| wanted(job));
    jobs.map(|job| job.place).collect()
}

fn has_failed(job: &Job, takes_cancelled: bool) -> bool {
    match job.conclusion {
        Some(Conclusion::Cancelled) => takes_cancelled,
        Some(Conclusion::Failure | Conclusion::TimedOut) => true,
        Some(_) | None => false,
    }
}

/// New records for what does not execute again: name, runner and times stay, the id does not.
fn carry_over(now: Timestamp, attempt: &Attempt, jobs: Vec<Job>) -> Vec<Job> {
    let renew = |job: Job| {
        let id = *attempt.ids.get(job.place)?;
        Some(Job {
            id,
            created_at: now,
            carried_over_from: Some(job.id),
            ..job
        })
    };
    jobs.into_iter().filter_map(renew).collect()
}

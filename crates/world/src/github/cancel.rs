//! What cancels jobs: a person, a newer run of the concurrency group, a failed matrix sibling.
//!
//! A queued job ends at once; a running one is told to stop and ends when its runner says so, or
//! when [`Settings::stopping_takes`](super::Settings) has passed. A job with `if: always()` is not
//! stopped by the cancel of its run.

use jiff::Timestamp;
use reprise_model::ids::{JobId, Repository, RunAttempt, RunId};
use reprise_model::job::{Conclusion, JobStatus};
use reprise_model::run::RunStatus;

use super::GitHub;
use super::audit::HappeningKind;
use super::spec::Condition;
use super::state::{Annotation, Cancel, Deadline, ForcedEnd, Job, Run};

/// A concurrency group: one active run, and at most one that waits.
#[derive(Debug)]
pub(super) struct Group {
    active: RunId,
    waiting: Option<RunId>,
}

impl GitHub {
    /// A person cancels a run. `false` when it is unknown or completed, so that nothing happens.
    pub fn cancel_run(&mut self, now: Timestamp, run: RunId, by: &str) -> bool {
        let active = self.runs.get(&run).is_some_and(Run::is_active);
        if active {
            self.cancel(now, run, Cancel::Person(by.to_owned()));
        }
        active
    }

    /// Lets a run start, or has it wait for its concurrency group.
    pub(super) fn admit(&mut self, now: Timestamp, id: RunId) {
        let Some(concurrency) = self
            .runs
            .get(&id)
            .and_then(|run| run.spec.concurrency.clone())
        else {
            return self.settle(now, id);
        };
        let Some(key) = self.group_key(id) else {
            return;
        };
        let group = self.groups.entry(key).or_insert(Group {
            active: id,
            waiting: None,
        });
        if group.active == id {
            return self.settle(now, id);
        }
        let active = group.active;
        let displaced = group.waiting.replace(id);
        self.set_status(id, RunStatus::Pending);
        let cause = Cancel::Superseded {
            group: concurrency.group,
        };
        let in_the_way = concurrency.cancel_in_progress.then_some(active);
        for run in displaced.into_iter().chain(in_the_way) {
            self.cancel(now, run, cause.clone());
        }
    }

    /// A completed run makes room in its concurrency group.
    pub(super) fn leave_group(&mut self, now: Timestamp, id: RunId) {
        let Some(key) = self.group_key(id) else {
            return;
        };
        let Some(group) = self.groups.get_mut(&key) else {
            return;
        };
        if group.waiting == Some(id) {
            group.waiting = None;
        }
        if group.active != id {
            return;
        }
        match group.waiting.take() {
            Some(next) => {
                group.active = next;
                self.set_status(next, RunStatus::Queued);
                self.settle(now, next);
            }
            None => {
                self.groups.remove(&key);
            }
        }
    }

    /// The runs that hold and that wait for a group, in this order.
    pub(super) fn group_members(&self, repository: &Repository, group: &str) -> Vec<RunId> {
        let key = (repository.clone(), group.to_owned());
        let members = self.groups.get(&key).map(|group| {
            let active = std::iter::once(group.active);
            active.chain(group.waiting).collect()
        });
        members.unwrap_or_default()
    }

    /// Another run that holds or waits for this one's group.
    pub(crate) fn group_holder(&self, run: RunId) -> Option<RunId> {
        let (repository, group) = self.group_key(run)?;
        let mut members = self.group_members(&repository, &group).into_iter();
        members.find(|other| *other != run)
    }

    /// The failure of one part of a matrix cancels the others, if the matrix says so.
    pub(super) fn fail_fast(&mut self, now: Timestamp, failed: JobId) {
        let why = match self.job(failed) {
            Some((_, _, job)) => format!("The job was canceled because \"{}\" failed.", job.name),
            None => return,
        };
        for sibling in self.siblings(failed) {
            self.stop(now, sibling, Annotation::failure(why.clone()));
        }
    }

    fn siblings(&self, id: JobId) -> Vec<JobId> {
        let Some((run, attempt, job)) = self.job(id) else {
            return Vec::new();
        };
        let matrix_of = |job: &Job| run.spec_of(job).and_then(|spec| spec.matrix.as_ref());
        let Some(matrix) = matrix_of(job).filter(|matrix| matrix.fail_fast) else {
            return Vec::new();
        };
        let same = |other: &&Job| matrix_of(other).is_some_and(|m| m.group == matrix.group);
        let others = attempt.jobs.values().filter(|other| other.id != id);
        others.filter(same).map(|other| other.id).collect()
    }

    fn cancel(&mut self, now: Timestamp, id: RunId, cause: Cancel) {
        let Some(run) = self.runs.get_mut(&id) else {
            return;
        };
        run.current.cancelled = Some(cause.clone());
        let never_began =
            run.current.status == RunStatus::Pending && run.current.number == RunAttempt::FIRST;
        if never_began {
            run.current.waiting.clear();
        }
        let jobs = stoppable(run);
        let by = match &cause {
            Cancel::Person(login) => login.clone(),
            Cancel::Superseded { group } => group.clone(),
        };
        self.happened(now, id, HappeningKind::CancelAccepted { by });
        for job in jobs {
            self.stop(now, job, cause.annotation());
        }
        self.settle(now, id);
    }

    fn stop(&mut self, now: Timestamp, id: JobId, why: Annotation) {
        let Some(status) = self.job(id).map(|(_, _, job)| job.status.clone()) else {
            return;
        };
        if status == JobStatus::Queued {
            self.conclude(now, id, Conclusion::Cancelled, Some(why));
        } else if status == JobStatus::InProgress {
            let at = now + self.settings.stopping_takes;
            self.change(now, id, |job| tell_to_stop(job, at, why));
        }
    }

    fn set_status(&mut self, id: RunId, status: RunStatus) {
        if let Some(run) = self.runs.get_mut(&id) {
            run.current.status = status;
        }
    }

    fn group_key(&self, id: RunId) -> Option<(Repository, String)> {
        let spec = &self.runs.get(&id)?.spec;
        let group = spec.concurrency.as_ref()?.group.clone();
        Some((spec.repository.clone(), group))
    }
}

fn stoppable(run: &Run) -> Vec<JobId> {
    let stops = |job: &&Job| {
        run.spec_of(job).is_some_and(|spec| match spec.condition {
            Condition::Success | Condition::Necessary => true,
            Condition::Always => false,
        })
    };
    let jobs = run.current.jobs.values().filter(stops);
    jobs.map(|job| job.id).collect()
}

/// Told twice, a job keeps its first deadline.
fn tell_to_stop(job: &mut Job, at: Timestamp, why: Annotation) {
    job.annotations.push(why);
    if !job.is_told_to_stop() {
        job.deadline = Some(Deadline {
            at,
            end: ForcedEnd::Stopped,
        });
    }
}

//! What runners do: take a job, end it, or vanish; and what GitHub does when its patience ends.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{JobId, RunId, RunnerName};
use reprise_model::job::{Conclusion, JobStatus};
use reprise_model::run::RunStatus;

use super::audit::HappeningKind;
use super::registrations::RunnerState;
use super::state::{Annotation, Deadline, ForcedEnd, Job, Runner, Step};
use super::{GitHub, webhooks};

/// The lease of a runner: a host that is gone is noticed this much later.
const LEASE: SignedDuration = SignedDuration::from_mins(10);

/// Why a runner cannot do this to a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// GitHub does not know the id.
    #[error("there is no job {0}; ask for the jobs of the run's current attempt")]
    Unknown(JobId),
    /// No runner has it: it is still queued, or ended already.
    #[error("job {0} is not in progress; only a runner that took it can end it, and only once")]
    NotInProgress(JobId),
}

impl GitHub {
    /// Jobs that wait for a runner, the oldest first; with labels, those that such a runner could take.
    pub fn queued_jobs<'a>(&'a self, runner_labels: Option<&'a [String]>) -> Vec<&'a Job> {
        self.waiting_for(runner_labels).collect()
    }

    /// A runner asks for work: the oldest queued job whose every label it has, whoever started it for
    /// which job. An ephemeral runner asks once. A registered one has its own labels, and gets jobs of
    /// its own place only.
    pub fn take_job(
        &mut self,
        now: Timestamp,
        runner: &RunnerName,
        runner_labels: &[String],
    ) -> Option<JobId> {
        let registered = self.idle_registration(runner);
        let labels = registered.map_or(runner_labels, |one| one.labels.as_slice());
        let serves = |job: &&Job| {
            let run = self.job(job.id).map(|(run, _, _)| run);
            registered.is_none_or(|one| run.is_some_and(|run| one.serves(&run.spec.repository)))
        };
        let first = self.waiting_for(Some(labels)).find(serves)?;
        let (job, name) = (first.id, first.name.clone());
        let run = self.places.get(&job)?.0;
        let id = registered.map(|one| one.id);
        let taken_by = Runner {
            id: self.runner_takes(id, job),
            name: runner.to_string(),
        };
        self.change(now, job, |job| {
            job.status = JobStatus::InProgress;
            job.started_at = Some(now);
            job.deadline = None;
            job.runner = Some(taken_by);
        });
        let runner = runner.to_string();
        self.happened(now, run, HappeningKind::JobStarted { job, name, runner });
        self.announce_job(now, job, webhooks::JobAction::InProgress);
        self.run_in_progress(now, run);
        Some(job)
    }

    /// A runner reports the end of its job. A job that was told to stop ends cancelled unless it
    /// succeeded all the same; one whose host came back within the lease ends as if nothing
    /// had been.
    pub fn finish_job(
        &mut self,
        now: Timestamp,
        job: JobId,
        conclusion: Conclusion,
        steps: Vec<Step>,
    ) -> Result<(), JobError> {
        let told = self.in_progress(job)?.is_told_to_stop();
        let stopped = told && conclusion != Conclusion::Success;
        let conclusion = if stopped {
            Conclusion::Cancelled
        } else {
            conclusion
        };
        self.change(now, job, |job| job.steps = steps);
        self.conclude_and_settle(now, job, conclusion, None);
        Ok(())
    }

    /// The host of a job's runner is gone without a word: GitHub notices when the lease ends.
    pub fn lose_runner(&mut self, now: Timestamp, job: JobId) -> Result<(), JobError> {
        let told = self.in_progress(job)?.is_told_to_stop();
        let deadline = (!self.faults.lost_jobs_never_end).then_some(Deadline {
            at: now + LEASE,
            end: ForcedEnd::Lost,
        });
        if !told {
            self.change(now, job, |job| job.deadline = deadline);
        }
        Ok(())
    }

    /// The same, and GitHub never notices: the job stays in progress for ever (actions/runner#4309).
    pub fn lose_runner_unnoticed(&mut self, now: Timestamp, job: JobId) -> Result<(), JobError> {
        if !self.in_progress(job)?.is_told_to_stop() {
            self.change(now, job, |job| job.deadline = None);
        }
        Ok(())
    }

    /// Does everything that GitHub does by itself up to `now`, each at its own time.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some((at, job)) = self.index.take_due(now) {
            self.force_end(at, job);
        }
    }

    /// When GitHub does something by itself next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.index.next_deadline()
    }

    /// The number of the runner that takes a job: its own, or a new one.
    fn runner_takes(&mut self, registered: Option<u64>, job: JobId) -> u64 {
        if let Some(runner) = registered.and_then(|id| self.registrations.get_mut(&id)) {
            runner.state = RunnerState::Took(job);
            return runner.id;
        }
        let id = self.next_runner;
        self.next_runner += 1;
        id
    }

    fn waiting_for<'a>(&'a self, labels: Option<&'a [String]>) -> impl Iterator<Item = &'a Job> {
        self.index
            .queued()
            .filter_map(|id| self.job(id))
            .map(|(_, _, job)| job)
            .filter(move |job| labels.is_none_or(|labels| matches(job, labels)))
    }

    fn force_end(&mut self, at: Timestamp, id: JobId) {
        let deadline = self.job(id).and_then(|(_, _, job)| job.deadline.as_ref());
        let Some(end) = deadline.map(|deadline| deadline.end) else {
            return;
        };
        let (conclusion, message) = match end {
            ForcedEnd::Stopped => (Conclusion::Cancelled, None),
            ForcedEnd::QueuedTooLong => (
                Conclusion::Failure,
                Some("The job was not acquired by a runner within 24 hours.".to_owned()),
            ),
            ForcedEnd::Lost => (Conclusion::Failure, Some(self.lost_message(id))),
        };
        self.conclude_and_settle(at, id, conclusion, message.map(Annotation::failure));
    }

    fn lost_message(&self, id: JobId) -> String {
        let runner = self.job(id).and_then(|(_, _, job)| job.runner.as_ref());
        let name = runner.map_or("", |runner| runner.name.as_str());
        format!("The self-hosted runner: {name} lost communication with the server.")
    }

    fn in_progress(&self, id: JobId) -> Result<&Job, JobError> {
        let (_, _, job) = self.job(id).ok_or(JobError::Unknown(id))?;
        if job.status == JobStatus::InProgress {
            Ok(job)
        } else {
            Err(JobError::NotInProgress(id))
        }
    }

    fn run_in_progress(&mut self, now: Timestamp, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else {
            return;
        };
        if run.current.status == RunStatus::Queued {
            run.current.status = RunStatus::InProgress;
            self.announce_run(now, id, webhooks::RunAction::InProgress);
        }
    }
}

fn matches(job: &Job, runner_labels: &[String]) -> bool {
    job.labels.iter().all(|wanted| {
        runner_labels
            .iter()
            .any(|label| label.eq_ignore_ascii_case(wanted))
    })
}

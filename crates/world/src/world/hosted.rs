//! GitHub's own machines: a runner is there as soon as a job asks for one, and nobody takes it away.

use reprise_model::ids::{JobId, RunnerName};
use reprise_model::job::Conclusion;

use super::World;
use super::appointments::Appointment;

/// The label of jobs that run there.
pub const HOSTED: &str = "ubuntu-latest";

impl World {
    /// Jobs that ask for one of GitHub's own machines get it; tells whether any did.
    pub(super) fn serve_hosted_jobs(&mut self) -> bool {
        let labels = [HOSTED.to_owned()];
        let mut any = false;
        loop {
            let name = RunnerName::new(format!("GitHub Actions {}", self.hosted.len() + 1));
            let Some(job) = self.github.take_job(self.now, &name, &labels) else {
                return any;
            };
            self.hosted.insert(job);
            let takes = self.fate_of(job).takes;
            let ends_at = self.now.saturating_add(takes);
            self.appoint(
                ends_at.unwrap_or(jiff::Timestamp::MAX),
                Appointment::HostedJobEnds(job),
            );
            any = true;
        }
    }

    /// They stop when GitHub says so.
    pub(super) fn stop_hosted_jobs(&mut self) -> bool {
        let is_told = |id: &JobId| {
            let record = self.github.job(*id).map(|(_, _, job)| job);
            record.is_some_and(|job| !job.is_completed() && job.is_told_to_stop())
        };
        let told: Vec<JobId> = self.hosted.iter().copied().filter(is_told).collect();
        for job in &told {
            self.end_hosted_job(*job, Conclusion::Cancelled);
        }
        !told.is_empty()
    }

    /// One works to its end.
    pub(super) fn hosted_job_ends(&mut self, job: JobId) {
        let ends = self.fate_of(job).ends;
        self.end_hosted_job(job, ends);
    }

    fn end_hosted_job(&mut self, job: JobId, ends: Conclusion) {
        let steps = self.steps_of(self.now, job, ends.clone());
        if let Err(error) = self.github.finish_job(self.now, job, ends, steps) {
            tracing::debug!(%error, "a job on one of GitHub's machines had ended already");
        }
    }
}

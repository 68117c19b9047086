//! Repositories that their owner deletes.
//!
//! GitHub stops what runs in one, answers 404 for all of it from then on, and tells nobody: no event
//! of it is sent any more.

use jiff::Timestamp;
use reprise_model::ids::{JobId, Repository, RunId};
use reprise_model::job::Conclusion;

use super::GitHub;

impl GitHub {
    /// Whether a repository was deleted.
    pub fn is_gone(&self, repository: &Repository) -> bool {
        self.gone.contains(repository)
    }

    /// A repository is deleted, with everything in it.
    pub fn delete_repository(&mut self, now: Timestamp, repository: &Repository) {
        self.gone.insert(repository.clone());
        let runs = self.runs.values();
        let active = runs.filter(|run| run.spec.repository == *repository && run.is_active());
        let active: Vec<RunId> = active.map(|run| run.id).collect();
        for run in active {
            self.end_at_once(now, run);
        }
    }

    fn end_at_once(&mut self, now: Timestamp, id: RunId) {
        let Some(run) = self.runs.get_mut(&id) else {
            return;
        };
        run.current.waiting.clear();
        let jobs = run.current.jobs.values();
        let open: Vec<JobId> = jobs
            .filter(|job| !job.is_completed())
            .map(|job| job.id)
            .collect();
        for job in open {
            self.conclude(now, job, Conclusion::Cancelled, None);
        }
        self.settle(now, id);
    }
}

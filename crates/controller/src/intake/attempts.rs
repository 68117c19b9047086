//! The job lists of a run's attempts, each read once, and what they tell of a job's earlier
//! executions.

use std::collections::BTreeMap;

use reprise_model::ids::{Repository, RunAttempt, RunId};
use reprise_model::job::{Execution, Job};
use reprise_model::ledger::RunKey;

use crate::ports::{GitHub, PortError, PortErrorKind};

/// The attempts of one run.
pub(crate) struct Attempts<'a, G> {
    github: &'a G,
    repository: Repository,
    run: RunId,
    lists: BTreeMap<RunAttempt, Vec<Job>>,
}

impl<'a, G: GitHub> Attempts<'a, G> {
    pub(crate) fn new(github: &'a G, key: RunKey) -> Self {
        Self {
            github,
            repository: key.repository,
            run: key.run_id,
            lists: BTreeMap::new(),
        }
    }

    /// All jobs of an attempt.
    pub(crate) async fn jobs(&mut self, attempt: RunAttempt) -> Result<&[Job], PortError> {
        if !self.lists.contains_key(&attempt) {
            let jobs = self
                .github
                .jobs(&self.repository, self.run, attempt)
                .await?;
            self.lists.insert(attempt, jobs);
        }
        Ok(self
            .lists
            .get(&attempt)
            .map(Vec::as_slice)
            .unwrap_or_default())
    }

    /// The executions of the job's key in the attempts before its own, oldest first; a record that
    /// was carried over counts once.
    ///
    /// GitHub fills the list of a new attempt over some seconds. Where equal names make the place in
    /// that list matter and the list is not complete yet, this fails in passing: a missing
    /// execution would allow a re-run too many.
    pub(crate) async fn earlier_executions(
        &mut self,
        job: &Job,
    ) -> Result<Vec<Execution>, PortError> {
        let mut executions: Vec<Execution> = Vec::new();
        for attempt in (1..job.run_attempt.get()).filter_map(RunAttempt::new) {
            let namesakes = namesakes(job, self.jobs(attempt).await?);
            let place = match namesakes.len() {
                0 | 1 => 0,
                count => place(job, self.jobs(job.run_attempt).await?, count)
                    .ok_or_else(|| incomplete(job))?,
            };
            let same = namesakes
                .into_iter()
                .nth(place)
                .map(|(_, execution)| execution);
            executions.extend(same.filter(|one| !executions.contains(one)));
        }
        Ok(executions)
    }
}

/// The jobs of the same name, in the order of their ids.
fn namesakes(job: &Job, jobs: &[Job]) -> Vec<(u64, Execution)> {
    let mut found: Vec<(u64, Execution)> = jobs
        .iter()
        .filter(|other| other.name == job.name)
        .map(|other| (other.id.0, other.execution()))
        .collect();
    found.sort_by_key(|(id, _)| *id);
    found
}

/// The job's place among its namesakes; `None` when fewer than `count` are listed yet, or it is not.
fn place(job: &Job, current: &[Job], count: usize) -> Option<usize> {
    let namesakes = namesakes(job, current);
    if namesakes.len() < count {
        return None;
    }
    namesakes.iter().position(|(id, _)| *id == job.id.0)
}

fn incomplete(job: &Job) -> PortError {
    PortError {
        operation: "find a job's earlier executions",
        kind: PortErrorKind::Passing,
        retry_after: None,
        source: format!(
            "GitHub does not list all jobs named {:?} of attempt {} of run {} yet",
            job.name, job.run_attempt, job.run_id
        )
        .into(),
    }
}

//! A run at GitHub and the job lists of its attempts, each read once.
//!
//! Which of them are read, and what they tell, the engine says.

use std::collections::BTreeMap;

use reprise_engine::job::{EarlierRead, earlier_executions};
use reprise_engine::tenant::{RunRead, RunSeen};
use reprise_model::ids::RunAttempt;
use reprise_model::job::{Execution, Job};
use reprise_model::ledger::RunKey;
use reprise_model::run::Run;

use crate::ports::{GitHub, PortError, PortErrorKind};

/// One run, as far as it was read.
pub(crate) struct Attempts<G> {
    github: G,
    key: RunKey,
    run: Option<Run>,
    lists: BTreeMap<RunAttempt, Vec<Job>>,
}

impl<G: GitHub> Attempts<G> {
    pub(crate) fn new(github: G, key: RunKey) -> Self {
        Self {
            github,
            key,
            run: None,
            lists: BTreeMap::new(),
        }
    }

    /// All jobs of an attempt.
    pub(crate) async fn jobs(&mut self, attempt: RunAttempt) -> Result<&[Job], PortError> {
        self.read(RunRead::Jobs(attempt)).await?;
        Ok(self
            .lists
            .get(&attempt)
            .map(Vec::as_slice)
            .unwrap_or_default())
    }

    /// What was read so far.
    pub(crate) fn seen(&self) -> RunSeen<'_> {
        RunSeen {
            run: self.run.as_ref(),
            lists: &self.lists,
        }
    }

    /// Reads this, unless it was read before.
    pub(crate) async fn read(&mut self, what: RunRead) -> Result<(), PortError> {
        let RunKey { repository, run_id } = &self.key;
        match what {
            RunRead::Run if self.run.is_none() => {
                self.run = Some(self.github.run(repository, *run_id).await?);
            }
            RunRead::Jobs(attempt) if !self.lists.contains_key(&attempt) => {
                let jobs = self.github.jobs(repository, *run_id, attempt).await?;
                self.lists.insert(attempt, jobs);
            }
            RunRead::Run | RunRead::Jobs(_) => {}
        }
        Ok(())
    }

    /// The executions of the job's key in the attempts before its own. Fails in passing while
    /// GitHub's lists do not tell yet.
    pub(crate) async fn earlier_executions(
        &mut self,
        job: &Job,
    ) -> Result<Vec<Execution>, PortError> {
        loop {
            match earlier_executions(job, &self.lists) {
                EarlierRead::Read(attempt) => self.read(RunRead::Jobs(attempt)).await?,
                EarlierRead::Incomplete => return Err(incomplete(job)),
                EarlierRead::Known(executions) => return Ok(executions),
            }
        }
    }
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

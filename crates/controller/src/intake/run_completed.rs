//! GitHub says that a run has completed.

use reprise_engine::run;
use reprise_model::ids::{Repository, RunId};
use reprise_model::ledger::RunKey;
use reprise_model::reason::IgnoreReason;

use crate::context::{Controller, WorkError};
use crate::intake::Outcome;
use crate::ports::Ports;

impl<P: Ports> Controller<P> {
    /// Makes the run due at once. The event is only a hint (one early `completed` is on record):
    /// the run is read before anything is done.
    pub(crate) async fn run_completed(
        &self,
        repository: &Repository,
        run_id: RunId,
    ) -> Result<Outcome, WorkError> {
        if !self.allows(repository) {
            return Ok(Outcome::Ignored(IgnoreReason::RepositoryNotAllowed));
        }
        let key = RunKey {
            repository: repository.clone(),
            run_id,
        };
        let now = self.now();
        let woken = self
            .change_run(&key, |entry| run::woken(entry?.clone(), now))
            .await?;
        if woken.is_some() {
            self.due.notify_one();
            Ok(Outcome::RunDue)
        } else {
            Ok(Outcome::Ignored(IgnoreReason::NothingAwaited))
        }
    }
}

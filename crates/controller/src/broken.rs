//! What mutants do where a broken line needs more than a line. Only with the feature `mutants`.

use reprise_engine::run::RunStep;
use reprise_model::ledger::{LaunchClaim, RerunAnswer, RerunOrder, RunEntry};
use reprise_store::StoreError;

use crate::claims::Claimed;
use crate::context::{Controller, WorkError};
use crate::ports::{Ports, Queue, RerunReply};
use crate::pump::{Pump, Received};

impl<P: Ports> Controller<P> {
    /// Posts again when the answer is unclear.
    pub(crate) async fn post_twice(&self, asked: &RunEntry, order: &RerunOrder) -> RerunReply {
        let reply = self.post(asked, order).await;
        if reply.answer == RerunAnswer::Unclear {
            self.post(asked, order).await
        } else {
            reply
        }
    }

    /// Posts first and commits then.
    pub(crate) async fn ask_first(
        &self,
        claimed: &Claimed<RunEntry>,
        entry: RunEntry,
        step: RunStep,
    ) -> Result<(), WorkError> {
        match step {
            RunStep::Ask(order) => {
                let reply = self.post(&entry, &order).await;
                self.commit_run(claimed, &entry).await?;
                self.take_answer(&entry, &order, reply).await
            }
            RunStep::Wait(_)
            | RunStep::Done
            | RunStep::ReadJobs
            | RunStep::ReadCauses(_)
            | RunStep::ReadRival
            | RunStep::ReadBudget
            | RunStep::Spend(_) => self.commit_run(claimed, &entry).await,
        }
    }

    /// A client token that no try had before.
    pub(crate) fn a_new_token(&self, claim: &LaunchClaim) -> String {
        format!("{}-{}", claim.client_token(), self.jitter().0)
    }
}

impl<P: Ports> Pump<P> {
    /// Deletes a message, come what may.
    pub(crate) async fn acknowledge(&self, message: &Received<P>) {
        drop(self.queue.delete(&message.receipt).await);
    }
}

/// Takes an unclear answer for a yes.
pub(crate) fn as_yes(reply: &RerunReply) -> RerunAnswer {
    match &reply.answer {
        RerunAnswer::Unclear => RerunAnswer::Accepted,
        clear @ (RerunAnswer::Accepted | RerunAnswer::NotNow | RerunAnswer::Refused(_)) => {
            clear.clone()
        }
    }
}

/// Takes a lost commit for a success.
pub(crate) fn won_anyway(committed: Result<(), StoreError>) -> Result<(), StoreError> {
    match committed {
        Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

//! Records in our hands: claimed before they are worked on, renewed meanwhile, let go at the end.
//!
//! Which time a record is pushed to is the engine's to say. Here it is written, on the version that
//! was read: whoever does not get it written has lost the record, and does nothing about it.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_engine::{due, mutant};
use reprise_model::ledger::{Due, InstanceEntry, LaunchClaim, RunEntry};
use reprise_store::{Change, Expect, Store, StoreError, Version, Versioned};
use tracing::warn;

#[cfg(feature = "mutants")]
use crate::broken;
use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::logging::chain;
use crate::ports::Ports;

/// How long after the end was asked for a claimed record may still be worked on. It is handed back
/// then, while there is time for that.
const FINISH_WITHIN: SignedDuration = SignedDuration::from_secs(15);

/// A record that holds due work.
pub(crate) trait DueRecord: Clone + Send + Sync {
    /// When it wants to be worked on.
    fn due(&self) -> Option<Due>;

    /// The same record, due then.
    fn due_at(self, due: Due) -> Self;

    /// The change that writes it.
    fn put<P: Ports>(self, controller: &Controller<P>, expect: Expect) -> Change;
}

/// A record that nobody else works on before its deadline.
#[derive(Debug, Clone)]
pub(crate) struct Claimed<R> {
    /// The record as it was when it was due. It is what decisions go by: a claim decides nothing.
    pub(crate) record: R,
    version: Version,
    deadline: Timestamp,
}

impl Claimed<LaunchClaim> {
    /// A launch claim that we have just written for the first time. `None` for one without a
    /// deadline: nothing is to be done for it.
    pub(crate) fn born(record: LaunchClaim) -> Option<Self> {
        let deadline = record.due?.at;
        Some(Self {
            record,
            version: Version::FIRST,
            deadline,
        })
    }

    /// Whether somebody else may have taken it over.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.deadline <= now
    }
}

impl Claimed<InstanceEntry> {
    /// A due record that is worked on without a claim, where a claim would cost a write and two
    /// replicas at the same work harm nobody. `None` when it is not due any more.
    pub(crate) fn unclaimed(found: Versioned<InstanceEntry>, now: Timestamp) -> Option<Self> {
        due::is_due(found.record.due, now).then_some(Self {
            record: found.record,
            version: found.version,
            deadline: now,
        })
    }
}

impl<P: Ports> Controller<P> {
    /// Claims a record that was read. `None` when it is not due any more.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else was faster.
    pub(crate) async fn claim_due<R: DueRecord>(
        &self,
        found: Option<Versioned<R>>,
    ) -> Result<Option<Claimed<R>>, WorkError> {
        let now = self.now();
        let Some(found) = found.filter(|found| due::is_due(found.record.due(), now)) else {
            return Ok(None);
        };
        let mut claimed = Claimed {
            record: found.record,
            version: found.version,
            deadline: now,
        };
        self.renew(&mut claimed).await?;
        Ok(Some(claimed))
    }

    /// Does `work` on a claimed record, and keeps it claimed for as long as that takes: a run with
    /// many jobs is not begun anew by one replica after the other. When somebody changed the record
    /// meanwhile, or the end has come, the work is dropped; so it must be such that reads and
    /// repeats harmlessly.
    pub(crate) async fn while_claimed<R: DueRecord, T>(
        &self,
        claimed: &mut Claimed<R>,
        work: impl Future<Output = T>,
    ) -> Result<T, WorkError> {
        let mut work = pin!(work);
        let mut end = pin!(self.draining_for(FINISH_WITHIN));
        loop {
            tokio::select! {
                // What is done need neither be renewed nor handed back.
                biased;
                done = &mut work => return Ok(done),
                () = &mut end => {
                    self.hand_back(claimed).await;
                    return Err(WorkError::Draining);
                }
                () = self.clock.sleep_until(due::renew_at(claimed.deadline)) => {}
            }
            self.renew(claimed).await?;
        }
    }

    /// Commits what came of the work, and lets the record go.
    pub(crate) async fn conclude_claim<R: DueRecord>(
        &self,
        claimed: &Claimed<R>,
        record: R,
    ) -> Result<(), StoreError> {
        let put = record.put(self, Expect::At(claimed.version));
        let commit = self.store.commit(vec![put]);
        mutant!(IgnoreLostCommit => broken::won_anyway(commit.await), commit.await)
    }

    /// Lets a record go unfinished: it is anybody's at once. Where that fails, it is so at the
    /// deadline.
    pub(crate) async fn hand_back<R: DueRecord>(&self, claimed: &Claimed<R>) {
        let Some(due) = claimed.record.due() else {
            return;
        };
        let back = due::handed_back(due, self.now());
        let record = claimed.record.clone().due_at(back);
        match self.conclude_claim(claimed, record).await {
            // Somebody has it already.
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => warn!(
                error = %chain(&error),
                "failed to hand back a due record; another replica takes it over at its deadline"
            ),
        }
    }

    async fn renew<R: DueRecord>(&self, claimed: &mut Claimed<R>) -> Result<(), WorkError> {
        let now = self.now();
        let due = due::claimed(claimed.record.due().unwrap_or(Due::now(now)), now);
        let record = claimed.record.clone().due_at(due);
        self.conclude_claim(claimed, record).await?;
        claimed.version = claimed.version.next();
        claimed.deadline = due.at;
        Ok(())
    }
}

/// Launch claims that this process wrote, and so holds, from the message to the work.
#[derive(Debug)]
pub(crate) struct Own(Mutex<Option<VecDeque<Claimed<LaunchClaim>>>>);

impl Default for Own {
    fn default() -> Self {
        Self(Mutex::new(Some(VecDeque::new())))
    }
}

impl Own {
    /// Takes a claim in; gives it back once nothing is launched here any more.
    #[must_use]
    pub(crate) fn push(&self, claimed: Claimed<LaunchClaim>) -> Option<Claimed<LaunchClaim>> {
        match self.lock().as_mut() {
            Some(waiting) => {
                waiting.push_back(claimed);
                None
            }
            None => Some(claimed),
        }
    }

    /// The claim that has waited longest.
    pub(crate) fn pop(&self) -> Option<Claimed<LaunchClaim>> {
        self.lock().as_mut()?.pop_front()
    }

    /// Takes no more in; those that wait.
    pub(crate) fn close(&self) -> VecDeque<Claimed<LaunchClaim>> {
        self.lock().take().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<VecDeque<Claimed<LaunchClaim>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DueRecord for RunEntry {
    fn due(&self) -> Option<Due> {
        self.due
    }

    fn due_at(self, due: Due) -> Self {
        Self {
            due: Some(due),
            ..self
        }
    }

    fn put<P: Ports>(self, controller: &Controller<P>, expect: Expect) -> Change {
        controller.put_run(self, expect)
    }
}

impl DueRecord for InstanceEntry {
    fn due(&self) -> Option<Due> {
        self.due
    }

    fn due_at(self, due: Due) -> Self {
        Self {
            due: Some(due),
            ..self
        }
    }

    fn put<P: Ports>(self, controller: &Controller<P>, expect: Expect) -> Change {
        controller.put_instance(self, expect)
    }
}

impl DueRecord for LaunchClaim {
    fn due(&self) -> Option<Due> {
        self.due
    }

    fn due_at(self, due: Due) -> Self {
        Self {
            due: Some(due),
            ..self
        }
    }

    fn put<P: Ports>(self, controller: &Controller<P>, expect: Expect) -> Change {
        controller.put_claim(self, expect)
    }
}

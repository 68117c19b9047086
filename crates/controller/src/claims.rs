//! Records in our hands: claimed before they are worked on, renewed meanwhile, let go at the end.
//!
//! Until when a record is claimed is the engine's to say. Here it is written, on the version that was
//! read: whoever does not get it written has lost the record, and does nothing about it.

use std::pin::pin;

use jiff::{SignedDuration, Timestamp};
use reprise_engine::{due, mutant};
use reprise_model::check::CheckEntry;
use reprise_model::ledger::{Due, InstanceEntry, LaunchClaim, RunEntry};
use reprise_store::{Change, Expect, Store, StoreError, Version, Versioned};
use tracing::warn;

#[cfg(feature = "mutants")]
use crate::broken;
use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::intake::wanted;
use crate::logging::chain;
use crate::ports::Ports;

/// How long after the end was asked for a claimed record may still be worked on. It is handed back
/// then, while there is time for that.
const FINISH_WITHIN: SignedDuration = SignedDuration::from_secs(15);

/// A record that holds work, which one replica at a time does.
pub(crate) trait DueRecord: Clone + Send + Sync {
    /// When it wants to be worked on.
    fn due(&self) -> Option<Due>;

    /// The same record, due then.
    fn due_at(self, due: Due) -> Self;

    /// The same record, claimed from now, and until when it is.
    fn claimed(self, now: Timestamp) -> (Self, Timestamp) {
        let due = due::claimed(self.due().unwrap_or(Due::now(now)), now);
        (self.due_at(due), due.at)
    }

    /// The same record, claimed by nobody.
    fn handed_back(self, now: Timestamp) -> Self {
        let due = due::handed_back(self.due().unwrap_or(Due::now(now)), now);
        self.due_at(due)
    }

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

impl<R> Claimed<R> {
    /// Until when it is nobody else's.
    pub(crate) fn deadline(&self) -> Timestamp {
        self.deadline
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

    /// Claims a launch by writing its claim, new or in the place of the one that was read. The
    /// message of its job must be held until what came of it is committed: nothing else leads back
    /// to it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else was faster.
    pub(crate) async fn hold_launch(
        &self,
        claim: LaunchClaim,
        expect: Expect,
    ) -> Result<Claimed<LaunchClaim>, StoreError> {
        let (held, deadline) = claim.clone().claimed(self.now());
        self.store.commit(vec![held.put(self, expect)]).await?;
        if expect == Expect::Absent {
            wanted(&claim);
        }
        let version = match expect {
            Expect::Absent => Version::FIRST,
            Expect::At(version) => version.next(),
        };
        Ok(Claimed {
            record: claim,
            version,
            deadline,
        })
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
        let record = claimed.record.clone().handed_back(self.now());
        match self.conclude_claim(claimed, record).await {
            // Somebody has it already.
            Ok(()) | Err(StoreError::Conflict { .. }) => {}
            Err(error) => warn!(
                error = %chain(&error),
                "failed to hand back a record; another replica takes it over at its deadline"
            ),
        }
    }

    /// Claims a record anew, as it stands here.
    pub(crate) async fn renew<R: DueRecord>(
        &self,
        claimed: &mut Claimed<R>,
    ) -> Result<(), WorkError> {
        let (record, deadline) = claimed.record.clone().claimed(self.now());
        self.conclude_claim(claimed, record).await?;
        claimed.version = claimed.version.next();
        claimed.deadline = deadline;
        Ok(())
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

impl DueRecord for CheckEntry {
    fn due(&self) -> Option<Due> {
        self.due
    }

    fn due_at(self, due: Due) -> Self {
        Self {
            due: Some(due),
            ..self
        }
    }

    /// Whoever changes it meanwhile leaves it to the one who has it.
    fn claimed(self, now: Timestamp) -> (Self, Timestamp) {
        let due = due::claimed(self.due.unwrap_or(Due::now(now)), now);
        let held = Self {
            due: Some(due),
            held_until: Some(due.at),
            ..self
        };
        (held, due.at)
    }

    /// What was written is not known: whoever takes it reads.
    fn handed_back(self, now: Timestamp) -> Self {
        let due = due::handed_back(self.due.unwrap_or(Due::now(now)), now);
        Self {
            due: Some(due),
            held_until: Some(now),
            ..self
        }
    }

    fn put<P: Ports>(self, controller: &Controller<P>, expect: Expect) -> Change {
        controller.put_check(self, expect)
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

/// Nothing but its job's message leads to one that is not due: it is held, and let go, without ever
/// becoming so.
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

    fn claimed(self, now: Timestamp) -> (Self, Timestamp) {
        match self.due {
            Some(due) => {
                let due = due::claimed(due, now);
                (self.due_at(due), due.at)
            }
            None => {
                let until = due::held_until(now);
                let held_until = Some(until);
                (Self { held_until, ..self }, until)
            }
        }
    }

    fn handed_back(self, now: Timestamp) -> Self {
        let due = self.due.map(|due| due::handed_back(due, now));
        Self {
            due,
            held_until: None,
            ..self
        }
    }

    fn put<P: Ports>(self, controller: &Controller<P>, expect: Expect) -> Change {
        controller.put_claim(self, expect)
    }
}

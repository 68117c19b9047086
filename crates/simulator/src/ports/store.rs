//! One ledger for all replicas, behind calls that fail.

use jiff::{SignedDuration, Timestamp};
use reprise_model::breaker::Breakers;
use reprise_model::budget::Budget;
use reprise_model::check::CheckEntry;
use reprise_model::ids::Repository;
use reprise_model::instance::Instance;
use reprise_model::ledger::{ClaimKey, InstanceEntry, LaunchClaim, RunEntry, RunKey};
use reprise_store::{
    Change, DueKey, DueList, Fence, HolderId, LeaseName, RunKeys, RunsWanted, Store, StoreError,
    Versioned,
};

use super::Wire;

/// How long one way usually takes at most.
const USUAL: SignedDuration = SignedDuration::from_millis(15);

/// The shared ledger, as one replica reaches it.
#[derive(Clone)]
pub struct SimStore(pub Wire);

impl SimStore {
    /// A call that fails or is carried out.
    async fn read<T>(
        &self,
        operation: &'static str,
        read: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let wire = &self.0;
        let crash = wire.begin().await;
        wire.travel(USUAL).await;
        let fails = wire.universe.hits(wire.universe.rates().store.fails);
        let answer = if fails {
            wire.fault("the store fails");
            Err(failed(operation))
        } else {
            read.await
        };
        wire.end(crash, USUAL).await;
        answer
    }

    fn lags(&self) -> Option<SignedDuration> {
        let universe = &self.0.universe;
        let rates = universe.rates().store;
        universe.hits(rates.due_lags).then_some(rates.due_lag)
    }

    /// What the index knows that lags behind by so much.
    fn indexed(&self, keys: Vec<DueKey>, lag: SignedDuration) -> Vec<DueKey> {
        let universe = &self.0.universe;
        let now = universe.now();
        let (known, missed): (Vec<DueKey>, Vec<DueKey>) = keys.into_iter().partition(|key| {
            let written = universe.written_at(key);
            written.is_none_or(|at| now.duration_since(at) >= lag)
        });
        if !missed.is_empty() {
            self.0.fault("the index of due work lags");
        }
        known
    }

    async fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let universe = &self.0.universe;
        let keys: Vec<DueKey> = changes.iter().filter_map(key_of).collect();
        universe.store.commit(changes).await?;
        keys.into_iter().for_each(|key| universe.wrote(key));
        Ok(())
    }

    async fn faulty_commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let (wire, universe) = (&self.0, &self.0.universe);
        let rates = universe.rates().store;
        if changes.len() > 1 && universe.hits(rates.transactions_collide) {
            wire.fault("transactions collide");
            return Err(conflict());
        }
        if universe.hits(rates.fails) {
            wire.fault("the store fails");
            return Err(failed("commit"));
        }
        self.write(changes).await?;
        if universe.hits(rates.repeats_conflict) {
            wire.fault("a commit is done and its repeat conflicts");
            return Err(conflict());
        }
        self.unless_lost("commit", ())
    }

    /// The answer of a call that was carried out.
    fn unless_lost<T>(&self, operation: &'static str, answer: T) -> Result<T, StoreError> {
        let universe = &self.0.universe;
        if universe.hits(universe.rates().store.lost_answers) {
            self.0.fault("the store does it and its answer is lost");
            return Err(failed(operation));
        }
        Ok(answer)
    }
}

impl Store for SimStore {
    async fn instance(
        &self,
        key: &Instance,
    ) -> Result<Option<Versioned<InstanceEntry>>, StoreError> {
        self.read("read an instance", self.0.universe.store.instance(key))
            .await
    }

    async fn run(&self, key: &RunKey) -> Result<Option<Versioned<RunEntry>>, StoreError> {
        self.read("read a run", self.0.universe.store.run(key))
            .await
    }

    async fn claim(&self, key: &ClaimKey) -> Result<Option<Versioned<LaunchClaim>>, StoreError> {
        self.read("read a claim", self.0.universe.store.claim(key))
            .await
    }

    async fn check(&self, key: &RunKey) -> Result<Option<Versioned<CheckEntry>>, StoreError> {
        self.read(
            "read what is shown of a run",
            self.0.universe.store.check(key),
        )
        .await
    }

    async fn breakers(&self) -> Result<Option<Versioned<Breakers>>, StoreError> {
        self.read("read the breakers", self.0.universe.store.breakers())
            .await
    }

    async fn budget(
        &self,
        repository: &Repository,
    ) -> Result<Option<Versioned<Budget>>, StoreError> {
        self.read("read a budget", self.0.universe.store.budget(repository))
            .await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let wire = &self.0;
        let crash = wire.begin().await;
        wire.travel(USUAL).await;
        let answer = self.faulty_commit(changes).await;
        wire.end(crash, USUAL).await;
        answer
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<DueList, StoreError> {
        let store = &self.0.universe.store;
        let list = self.read("read what is due", store.due(now, limit)).await?;
        Ok(match self.lags() {
            Some(lag) => DueList {
                keys: self.indexed(list.keys, lag),
                ..list
            },
            None => list,
        })
    }

    async fn runs(&self, wanted: &RunsWanted, limit: usize) -> Result<RunKeys, StoreError> {
        self.read("list runs", self.0.universe.store.runs(wanted, limit))
            .await
    }

    async fn take_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Fence>, StoreError> {
        let taken = self.0.universe.store.take_lease(name, holder, now, until);
        let fence = self.read("take a lease", taken).await?;
        self.unless_lost("take a lease", fence)
    }

    async fn release_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        fence: Fence,
    ) -> Result<(), StoreError> {
        let released = self.0.universe.store.release_lease(name, holder, fence);
        self.read("release a lease", released).await?;
        self.unless_lost("release a lease", ())
    }

    async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.read("expire records", self.0.universe.store.expire(now))
            .await
    }
}

fn key_of(change: &Change) -> Option<DueKey> {
    match change {
        Change::PutInstance { entry, .. } => Some(DueKey::Instance(entry.instance.clone())),
        Change::PutRun { entry, .. } => Some(DueKey::Run(entry.key.clone())),
        Change::PutClaim { claim, .. } => Some(DueKey::Claim(claim.key.clone())),
        Change::PutCheck { entry, .. } => Some(DueKey::Check(entry.key.clone())),
        Change::PutBreakers { .. } | Change::PutBudget { .. } => None,
    }
}

fn conflict() -> StoreError {
    StoreError::Conflict {
        key: "one that the fault does not name".to_owned(),
    }
}

fn failed(operation: &'static str) -> StoreError {
    StoreError::Backend {
        operation,
        source: "the simulated store failed".into(),
    }
}

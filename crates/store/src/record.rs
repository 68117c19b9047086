//! The six kinds of record as any backend sees them: a key, a few columns, a body.
//!
//! The columns are copies for indexes and for people; only the body is believed.

use std::fmt;

use jiff::Timestamp;
use reprise_model::breaker::{BreakerState, Breakers};
use reprise_model::budget::Budget;
use reprise_model::check::CheckEntry;
use reprise_model::ids::{AccountId, InstanceId, JobId, Region, Repository, RunId};
use reprise_model::instance::Instance;
use reprise_model::ledger::{
    ClaimKey, ClaimState, Due, InstanceEntry, LaunchClaim, RunEntry, RunKey, TrackedJob,
    TrackedState,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StoreError;
use crate::contract::{Change, Expect};
use crate::format;

/// Which kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Instance,
    Run,
    Claim,
    Breakers,
    Check,
    Budget,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Run => "run",
            Self::Claim => "claim",
            Self::Breakers => "breakers",
            Self::Check => "check",
            Self::Budget => "budget",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [
            Self::Instance,
            Self::Run,
            Self::Claim,
            Self::Breakers,
            Self::Check,
            Self::Budget,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == word)
    }
}

/// A key as it is stored: equal keys have equal text, in whatever case GitHub wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordKey {
    kind: Kind,
    text: String,
}

impl RecordKey {
    /// That of the one record of breakers: they are of spot pools alone.
    pub(crate) fn breakers() -> Self {
        Self {
            kind: Kind::Breakers,
            text: "spot".to_owned(),
        }
    }

    /// That of what GitHub shows of a run: the run's own, of another kind.
    pub(crate) fn check(key: &RunKey) -> Self {
        Self {
            kind: Kind::Check,
            ..Self::from(key)
        }
    }

    /// That of a repository's budget.
    pub(crate) fn budget(repository: &Repository) -> Self {
        Self {
            kind: Kind::Budget,
            text: repository.to_string().to_ascii_lowercase(),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.text)
    }
}

impl From<&Instance> for RecordKey {
    fn from(key: &Instance) -> Self {
        Self {
            kind: Kind::Instance,
            text: key.to_string(),
        }
    }
}

impl From<&RunKey> for RecordKey {
    fn from(key: &RunKey) -> Self {
        Self {
            kind: Kind::Run,
            text: key.to_string().to_ascii_lowercase(),
        }
    }
}

impl From<&ClaimKey> for RecordKey {
    fn from(key: &ClaimKey) -> Self {
        Self {
            kind: Kind::Claim,
            text: key.to_string().to_ascii_lowercase(),
        }
    }
}

/// The instance whose key has this text.
pub(crate) fn instance(key: &str) -> Option<Instance> {
    let (account, rest) = key.split_once('/')?;
    let (region, id) = rest.split_once('/')?;
    Some(Instance {
        account: AccountId::new(account),
        region: Region::new(region),
        id: id.parse().ok()?,
    })
}

/// What of a record stands beside its body.
pub(crate) struct Columns {
    pub(crate) state: &'static str,
    pub(crate) repository: Option<Repository>,
    pub(crate) run_id: Option<RunId>,
    pub(crate) job_id: Option<JobId>,
    pub(crate) instance_id: Option<InstanceId>,
    pub(crate) due: Option<Due>,
    /// Since when nothing is to be done about a run any more: by this it is listed.
    pub(crate) ended_at: Option<Timestamp>,
}

/// One of the six records.
pub(crate) trait Record: Serialize + DeserializeOwned {
    fn key(&self) -> RecordKey;
    fn columns(&self) -> Columns;
}

impl Record for InstanceEntry {
    fn key(&self) -> RecordKey {
        RecordKey::from(&self.instance)
    }

    fn columns(&self) -> Columns {
        let job = self.unexplained.as_ref();
        Columns {
            state: match (self.evidence.is_empty(), job) {
                (false, _) => "interrupted",
                (true, Some(_)) => "unexplained",
                (true, None) => "known",
            },
            repository: job.map(|job| job.repository.clone()),
            run_id: job.map(|job| job.job.run_id),
            job_id: job.map(|job| job.job.id),
            instance_id: Some(self.instance.id.clone()),
            due: self.due,
            ended_at: None,
        }
    }
}

impl Record for RunEntry {
    fn key(&self) -> RecordKey {
        RecordKey::from(&self.key)
    }

    fn columns(&self) -> Columns {
        Columns {
            state: run_state(self),
            repository: Some(self.key.repository.clone()),
            run_id: Some(self.key.run_id),
            job_id: None,
            instance_id: None,
            due: self.due,
            ended_at: run_ended_at(self),
        }
    }
}

impl Record for LaunchClaim {
    fn key(&self) -> RecordKey {
        RecordKey::from(&self.key)
    }

    fn columns(&self) -> Columns {
        let (state, instance_id) = match &self.state {
            ClaimState::Wanted => ("wanted", None),
            ClaimState::Launched { instance, .. } => ("launched", Some(instance.clone())),
            ClaimState::GivenUp { .. } => ("given-up", None),
        };
        Columns {
            state,
            repository: Some(self.key.repository.clone()),
            run_id: Some(self.run_id),
            job_id: Some(self.key.job_id),
            instance_id,
            due: self.due,
            ended_at: None,
        }
    }
}

impl Record for Breakers {
    fn key(&self) -> RecordKey {
        RecordKey::breakers()
    }

    fn columns(&self) -> Columns {
        let mut pools = self.pools.values();
        let is_any_open = pools.any(|one| matches!(one.state, BreakerState::Open { .. }));
        Columns {
            state: if is_any_open { "opened" } else { "closed" },
            repository: None,
            run_id: None,
            job_id: None,
            instance_id: None,
            due: None,
            ended_at: None,
        }
    }
}

impl Record for Budget {
    fn key(&self) -> RecordKey {
        RecordKey::budget(&self.repository)
    }

    fn columns(&self) -> Columns {
        Columns {
            state: "spent",
            repository: Some(self.repository.clone()),
            run_id: None,
            job_id: None,
            instance_id: None,
            due: None,
            ended_at: None,
        }
    }
}

impl Record for CheckEntry {
    fn key(&self) -> RecordKey {
        RecordKey::check(&self.key)
    }

    fn columns(&self) -> Columns {
        let told = self.told.as_ref();
        Columns {
            state: told.map_or("untold", |told| told.state.as_str()),
            repository: Some(self.key.repository.clone()),
            run_id: Some(self.key.run_id),
            job_id: None,
            instance_id: None,
            due: self.due,
            ended_at: None,
        }
    }
}

/// A run stands where the job stands that has the most before it.
fn run_state(entry: &RunEntry) -> &'static str {
    let rank = |state: &TrackedState| match state {
        TrackedState::Awaiting => (0, "awaiting"),
        TrackedState::Asked { .. } => (1, "asked"),
        TrackedState::Settled { .. } => (2, "settled"),
    };
    entry
        .jobs
        .values()
        .map(|job| rank(&job.state))
        .min()
        .map_or("settled", |(_, word)| word)
}

/// When the last of its jobs was settled, where nothing is due; the earliest time where it has none.
fn run_ended_at(entry: &RunEntry) -> Option<Timestamp> {
    let settled_at = |job: &TrackedJob| match job.state {
        TrackedState::Settled { at, .. } => Some(at),
        TrackedState::Awaiting | TrackedState::Asked { .. } => None,
    };
    let last = entry.jobs.values().filter_map(settled_at).max();
    match entry.due {
        Some(_) => None,
        None => Some(last.unwrap_or(Timestamp::UNIX_EPOCH)),
    }
}

/// A change as a backend carries it out: a write in the form that every kind shares.
pub(crate) struct Write {
    pub(crate) key: RecordKey,
    pub(crate) expect: Expect,
    pub(crate) columns: Columns,
    pub(crate) expires_at: Timestamp,
    pub(crate) body: String,
}

impl Write {
    fn new<R: Record>(
        record: &R,
        expect: Expect,
        expires_at: Timestamp,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            key: record.key(),
            expect,
            columns: record.columns(),
            expires_at,
            body: format::encode(record)?,
        })
    }
}

impl TryFrom<&Change> for Write {
    type Error = StoreError;

    fn try_from(change: &Change) -> Result<Self, StoreError> {
        match change {
            Change::PutInstance {
                entry,
                expect,
                expires_at,
            } => Self::new(entry, *expect, *expires_at),
            Change::PutRun {
                entry,
                expect,
                expires_at,
            } => Self::new(entry, *expect, *expires_at),
            Change::PutClaim {
                claim,
                expect,
                expires_at,
            } => Self::new(claim, *expect, *expires_at),
            Change::PutCheck {
                entry,
                expect,
                expires_at,
            } => Self::new(entry, *expect, *expires_at),
            Change::PutBreakers {
                breakers,
                expect,
                expires_at,
            } => Self::new(breakers, *expect, *expires_at),
            Change::PutBudget {
                budget,
                expect,
                expires_at,
            } => Self::new(budget, *expect, *expires_at),
        }
    }
}

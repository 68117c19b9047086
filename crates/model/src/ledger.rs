//! The records that the store keeps: what neither the queue, EC2 nor GitHub remembers.
//!
//! Three aggregates, each committed whole under its own version: what is known of an **instance**,
//! of a **run** with interrupted jobs, and of a **launch**. Work that is due stands in the record
//! it concerns (`due`), so a decision and its effects are one write.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::advice::Advice;
use crate::breaker::LeftOut;
use crate::console::ConsoleTail;
use crate::ending::VisibleEnd;
use crate::evidence::Evidence;
use crate::failure::DecidedBy;
use crate::ids::{InstanceId, JobId, Region, Repository, RunAttempt, RunId, RunnerId, RunnerName};
use crate::instance::{Capacity, Instance};
use crate::job::{Execution, JobKey};
use crate::launch::{Asked, LaunchFault, Share, SpotStrategy};
use crate::machine::RootVolume;
use crate::notes::Notes;
use crate::policy::RetryPolicy;
use crate::reason::{Refusal, SettleReason};
use crate::runner_row::made_for;

/// When a record wants to be worked on next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// Not before this.
    pub at: Timestamp,
    /// How often it was worked on in vain: the step of its backoff.
    pub tries: u32,
}

impl Due {
    /// Work to be done now, for the first time.
    pub fn now(now: Timestamp) -> Self {
        Self { at: now, tries: 0 }
    }
}

/// The key of a run's record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunKey {
    /// The repository.
    pub repository: Repository,
    /// The run.
    pub run_id: RunId,
}

impl fmt::Display for RunKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.repository, self.run_id)
    }
}

/// The key of a launch claim: a job of one attempt is launched for once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClaimKey {
    /// The repository.
    pub repository: Repository,
    /// The queued job.
    pub job_id: JobId,
}

impl fmt::Display for ClaimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.repository, self.job_id)
    }
}

/// What is remembered of an instance: EC2 forgets it an hour after its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceEntry {
    /// Which instance.
    pub instance: Instance,
    /// Each source's word, at most one a source: the earliest.
    pub evidence: Vec<Evidence>,
    /// A job that failed on it without evidence; evidence that comes late reopens it.
    pub unexplained: Option<UnexplainedJob>,
    /// The job on it that was judged with this evidence: a sweep need not judge it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<JobId>,
    /// What it had written to its console, where it died or never had a runner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<ConsoleTail>,
    /// When to look for late evidence.
    pub due: Option<Due>,
}

/// A job that was settled as not interrupted and may still turn out to have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnexplainedJob {
    /// Where it ran.
    pub repository: Repository,
    /// Its record as GitHub sent it.
    pub job: crate::job::Job,
}

/// A run with at least one job that is, or was, to come back, or has had all the re-runs that its policy
/// allows: the re-run ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEntry {
    /// Which run.
    pub key: RunKey,
    /// These jobs, by their id in the attempt in which they were interrupted, or failed.
    pub jobs: BTreeMap<JobId, TrackedJob>,
    /// The re-runs asked for, oldest first.
    pub reruns: Vec<Rerun>,
    /// When to read the run next; `None` when everything is settled.
    pub due: Option<Due>,
    /// What the rest does not tell.
    #[serde(default, skip_serializing_if = "Notes::is_empty")]
    pub notes: Notes,
}

/// What a job is to come back for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// EC2 took its instance, and there is evidence of it.
    #[default]
    Interrupted,
    /// It failed, and its policy re-runs failures.
    Failed,
    /// It failed for something that looks as if it would pass, and its policy re-runs that.
    Transient,
    /// It failed, and the endpoint that its policy asks said to re-run it.
    Advised,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Interrupted,
        Self::Failed,
        Self::Transient,
        Self::Advised,
    ];

    /// The word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::Transient => "transient",
            Self::Advised => "advised",
        }
    }

    /// Records of old know of interruptions alone.
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// A job that is to come back: one that was interrupted, or whose policy re-runs its failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedJob {
    /// What stays the same of it in later attempts. The ordinal is known only once the whole
    /// attempt was read, and is 0 until then.
    pub key: JobKey,
    /// The attempt in which it was interrupted, or failed.
    pub attempt: RunAttempt,
    /// The execution that was interrupted, or failed.
    pub execution: Execution,
    /// What it is to come back for.
    #[serde(default, skip_serializing_if = "Why::is_usual")]
    pub why: Why,
    /// The policy that allows the re-run; unknown in records of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<RetryPolicy>,
    /// Where it ran, when that may have been interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// What shows the interruption; empty where there was none.
    pub evidence: Vec<Evidence>,
    /// What its failure was judged by, where its policy asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<DecidedBy>,
    /// What came of asking the endpoint that its policy names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<Advice>,
    /// How long its policy waits after the end of the run, give or take.
    #[serde(default, skip_serializing_if = "SignedDuration::is_zero")]
    pub pause: SignedDuration,
    /// When that is over, once the run has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Where it stands.
    pub state: TrackedState,
}

/// Where an interrupted job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackedState {
    /// It is to come back; the run must complete before GitHub allows the re-run.
    Awaiting,
    /// A re-run was asked for: the index into [`RunEntry::reruns`]. What comes back is watched.
    Asked {
        /// Which re-run.
        rerun: usize,
    },
    /// Nothing more will be done.
    Settled {
        /// Why.
        reason: SettleReason,
        /// Since when.
        at: Timestamp,
    },
}

/// A re-run in the ledger. It is written before it is asked for, so that an answer that never came
/// is known to be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rerun {
    /// What is asked.
    pub order: RerunOrder,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// What GitHub answered.
    pub answer: RerunAnswer,
    /// Where GitHub named a time to wait: it is not asked again before this, whatever happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

/// What to ask GitHub for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RerunOrder {
    /// The attempt it starts from; the re-run makes the next one.
    pub from: RunAttempt,
    /// One job, or all that failed.
    pub target: RerunTarget,
    /// The interrupted jobs that it is for.
    pub wanted: Vec<JobId>,
    /// Names of real failures that come along, for the record.
    pub along: Vec<String>,
    /// The matrix siblings that fail-fast cancelled because of the interruption. They are to come
    /// back too, and GitHub does not always take cancelled jobs along.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub siblings: Vec<Sibling>,
}

/// A job that a re-run is to bring back beside the interrupted ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sibling {
    /// Its name, with matrix values.
    pub name: String,
    /// The execution that was cancelled, or the lack of one.
    pub execution: Execution,
}

/// The two re-runs that GitHub offers and Reprise uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RerunTarget {
    /// `POST /repos/{o}/{r}/actions/jobs/{id}/rerun`: bound to the attempt by the job's id.
    Job(JobId),
    /// `POST /repos/{o}/{r}/actions/runs/{id}/rerun-failed-jobs`: not bound to an attempt.
    FailedJobs,
}

/// What became of a re-run's POST.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RerunAnswer {
    /// Written down and perhaps sent: the run must be read before anything is repeated.
    Unclear,
    /// 201, or the next attempt was seen.
    Accepted,
    /// A no that may pass: the run is active, or the rate limit holds. Asked again after a read.
    NotNow,
    /// A final no.
    Refused(Refusal),
}

/// The promise to launch one instance for a queued job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchClaim {
    /// The job it is for.
    pub key: ClaimKey,
    /// The job's run.
    pub run_id: RunId,
    /// The run's attempt.
    pub attempt: RunAttempt,
    /// The job's name.
    pub job_name: String,
    /// The labels the runner registers with: exactly those of the job, or GitHub gives it another.
    pub runner_labels: Vec<String>,
    /// Where and as what to launch.
    pub spec: LaunchSpec,
    /// Why this capacity.
    pub why: CapacityReason,
    /// Why the capacity that was decided on at first, where another one took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_why: Option<CapacityReason>,
    /// Counts the requests of this capacity that differ, so that each has a client token of its own.
    pub generation: u32,
    /// Where it stands.
    pub state: ClaimState,
    /// When to work on it next. `None`, too, while EC2 was not heard yet and the message of its job
    /// leads to it.
    pub due: Option<Due>,
    /// Until when it is left to the one who holds that message and launches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    /// How often it waited because there were as many instances as there may be.
    #[serde(default, skip_serializing_if = "is_none")]
    pub waited: u32,
    /// When its job was queued, as GitHub said it last before its present request; records of old do not
    /// tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<Timestamp>,
    /// Since when it waits for room; `None` where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_since: Option<Timestamp>,
    /// How many instances were launched for it that its job did not get.
    #[serde(default, skip_serializing_if = "is_none")]
    pub lost: u32,
    /// The last of those instances that EC2 still showed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost_instances: Vec<Instance>,
    /// How its end is made visible, where it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<VisibleEnd>,
    /// The runner that was handed over to the last instance launched for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<HandedOver>,
    /// Which request answers it.
    #[serde(default, skip_serializing_if = "Asked::is_usual")]
    pub asked: Asked,
}

/// A runner of GitHub's whose configuration an instance got from us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// GitHub's number for it.
    pub id: RunnerId,
    /// Its name, which holds the instance's id and a random number.
    pub name: RunnerName,
    /// Whether the instance can have got no other one: nobody had asked for it before, and died.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_only: bool,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Records of old do not count, and most have nothing to count.
fn is_none(count: &u32) -> bool {
    *count == 0
}

impl LaunchClaim {
    /// CreateFleet's `ClientToken`: the same for a repeat of the same request, so that a lost
    /// answer launches nothing twice. At most 64 ASCII characters.
    ///
    /// It names the capacity: on-demand takes the place of spot without a commit in between, so
    /// whoever begins anew may come to it after another number of requests, and must still find the
    /// instance that was launched. A shared request's token names the number of instances, too: EC2
    /// refuses a known token with another one.
    pub fn client_token(&self) -> String {
        let request = self.request();
        match self.share() {
            None => request,
            Some(Share { of, .. }) => format!("{request}-{of}"),
        }
    }

    /// What its request is known by, which its instances are tagged with.
    pub fn request(&self) -> String {
        let (leader, capacity) = (self.leader(), self.spec.capacity);
        let generation = self
            .share()
            .map_or(self.generation, |share| share.generation);
        format!("reprise-{leader}-{capacity}-{generation}")
    }

    /// Why the capacity that was decided on, whatever took its place.
    pub fn decided(&self) -> CapacityReason {
        self.first_why.unwrap_or(self.why)
    }

    /// The job in whose name EC2 is asked.
    pub fn leader(&self) -> JobId {
        self.share().map_or(self.key.job_id, |share| share.leader)
    }

    /// How many instances its request is for.
    pub fn count(&self) -> u32 {
        self.share().map_or(1, |share| share.of)
    }

    /// Which of them is its own.
    pub fn place(&self) -> u32 {
        self.share().map_or(0, |share| share.place)
    }

    /// The runner that this instance got for it, or one of them.
    pub fn runner_of(&self, instance: &InstanceId) -> Option<&HandedOver> {
        let is_its = |one: &&HandedOver| made_for(&one.name).as_ref() == Some(instance);
        self.runner.as_ref().filter(is_its)
    }

    /// The same, where it is known to have got no other one.
    pub fn only_runner_of(&self, instance: &InstanceId) -> Option<&HandedOver> {
        self.runner_of(instance).filter(|one| one.is_only)
    }

    /// Its place in a request that it shares.
    pub fn share(&self) -> Option<&Share> {
        match &self.asked {
            Asked::Alone | Asked::NotYet => None,
            Asked::Together(share) => Some(share),
        }
    }
}

/// What to launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// In which region.
    pub region: Region,
    /// Spot or on-demand, as the next request will say.
    pub capacity: Capacity,
    /// Whether on-demand may take the place of spot where spot has none.
    pub may_fall_back: bool,
    /// Instance types in order of preference, as `c7a.large`.
    pub instance_types: Vec<String>,
    /// The AMI, where a label named an image; else the launch template's.
    pub image: Option<String>,
    /// The subnets, one a zone; empty in records of old, which meant all that are configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<String>,
    /// The spot pools that are not asked, because their breakers were open when this was decided. It
    /// stays as it is: EC2 refuses another request under the same token.
    #[serde(default, skip_serializing_if = "LeftOut::is_empty")]
    pub left_out: LeftOut,
    /// How EC2 is to choose among spot pools.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub strategy: SpotStrategy,
    /// The root volume, where labels ask for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<RootVolume>,
    /// Tags that labels set, beside ours.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Records of old name no strategy, and meant the default.
fn is_usual(strategy: &SpotStrategy) -> bool {
    *strategy == SpotStrategy::default()
}

/// Why a job gets the capacity it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CapacityReason {
    /// A first attempt, and spot is the default.
    FirstAttempt,
    /// The label says `spot=false`.
    SpotOff,
    /// Every attempt above 1 is on-demand.
    LaterAttempt,
    /// A later attempt that configuration lets follow its spot label.
    LaterAttemptMayUseSpot,
    /// The endpoint that the job's policy asks named it, for this attempt.
    Advised,
    /// EC2 gave no spot capacity: it had none, or the account's spot quota is used up.
    NoSpotCapacity,
    /// The breakers of all spot pools that would do are open.
    BreakerOpen,
}

impl CapacityReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::FirstAttempt,
        Self::SpotOff,
        Self::LaterAttempt,
        Self::LaterAttemptMayUseSpot,
        Self::Advised,
        Self::NoSpotCapacity,
        Self::BreakerOpen,
    ];

    /// The label value for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FirstAttempt => "first-attempt",
            Self::SpotOff => "spot-off",
            Self::LaterAttempt => "later-attempt",
            Self::LaterAttemptMayUseSpot => "later-attempt-may-use-spot",
            Self::Advised => "advised",
            Self::NoSpotCapacity => "no-spot-capacity",
            Self::BreakerOpen => "breaker-open",
        }
    }
}

/// Where a launch stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimState {
    /// An instance is wanted.
    Wanted,
    /// An instance was launched.
    Launched {
        /// Which.
        instance: InstanceId,
        /// As what.
        capacity: Capacity,
    },
    /// No instance will be launched.
    GivenUp {
        /// The last answer.
        why: String,
    },
}

/// What EC2 answered to a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaunchAnswer {
    /// An instance is on its way.
    Launched {
        /// Which.
        instance: InstanceId,
        /// As what.
        capacity: Capacity,
    },
    /// No capacity of this kind in any of the types and zones asked for.
    NoCapacity {
        /// EC2's codes, as `InsufficientInstanceCapacity`.
        codes: Vec<String>,
        /// How many of those who share the request got an instance.
        served: u32,
    },
    /// EC2 took the request, and throttled or failed in a pool of the fleet: later, as another
    /// request. A throttle of the whole call decides nothing and is [`Self::Unclear`].
    Throttled,
    /// A quota, a permission or an invalid request: an operator must act; tried again later.
    Refused {
        /// Which of them: what an operator must look at first.
        fault: LaunchFault,
        /// EC2's code and words.
        message: String,
        /// How many of those who share the request got an instance.
        served: u32,
    },
    /// An instance was launched, and does not wait for its runner any more.
    TooLate {
        /// Which.
        instance: InstanceId,
    },
    /// No answer came, or one that says nothing: repeat with the same client token.
    Unclear {
        /// What happened.
        message: String,
    },
}

#[cfg(test)]
mod tests;

//! A runner instance: it boots, starts an ephemeral runner, takes one job, and waits to be ended.
//!
//! Data and transitions of one machine; what they mean to EC2 and GitHub is done by the world. The
//! invariant: a machine takes at most one job in its life, also when it is stopped and resumed.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, JobId, RunnerName};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_model::policy::EvidenceRule;

use crate::ec2::EndReason;

/// How runner instances behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSettings {
    /// How a machine comes by its runner.
    pub runner: RunnerStart,
    /// From the instance's `running` to the registration of a runner that it brings along.
    pub boot_takes: SignedDuration,
    /// What becomes of a job whose operating system shuts down.
    pub when_taken: WhenTaken,
    /// How long after the shutdown began the job is reported.
    pub reports_after: SignedDuration,
    /// How long a runner takes to stop a job that GitHub told it to stop.
    pub stops_in: SignedDuration,
    /// So many of a thousand runners never come up.
    pub never_come_up: u16,
}

impl Default for MachineSettings {
    /// A runner that is told ends within seconds; both its times are shorter than the 10 s after
    /// which GitHub ends a cancelled job by itself and the 30 s that an instance takes to end.
    fn default() -> Self {
        Self {
            runner: RunnerStart::BroughtAlong,
            boot_takes: SignedDuration::from_secs(10),
            when_taken: WhenTaken::Fails,
            reports_after: SignedDuration::from_secs(3),
            stops_in: SignedDuration::from_secs(5),
            never_come_up: 0,
        }
    }
}

/// How a machine comes by its runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunnerStart {
    /// Its image registers one by itself, for the labels in its tags.
    BroughtAlong,
    /// Something on it starts one with a just-in-time configuration.
    JustInTime,
}

/// What becomes of a job whose operating system shuts down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhenTaken {
    /// The runner is told and reports `failure`, as its source says.
    Fails,
    /// The runner is told and reports `cancelled`, as seen in the field.
    IsCancelled,
    /// Nobody says a word; GitHub notices when the runner's lease ends.
    IsLost,
    /// Nobody says a word, and GitHub never ends the job (actions/runner#4309).
    IsNeverEnded,
}

impl WhenTaken {
    pub(crate) fn conclusion(self) -> Option<Conclusion> {
        match self {
            Self::Fails => Some(Conclusion::Failure),
            Self::IsCancelled => Some(Conclusion::Cancelled),
            Self::IsLost | Self::IsNeverEnded => None,
        }
    }
}

/// A runner instance, remembered for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The instance.
    pub id: InstanceId,
    /// The name under which its runner registers; a just-in-time one has its own from its start on.
    pub runner: RunnerName,
    /// The labels with which its runner registers; none before a just-in-time one has started.
    pub labels: Vec<String>,
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// Its type.
    pub instance_type: String,
    /// Whether it had our stack's tag at birth.
    pub ours: bool,
    /// The queued job that its tags say it was launched for.
    pub launched_for: Option<JobId>,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// How often its operating system began to run.
    pub boots: u32,
    /// When EC2 gave notice.
    pub notice_at: Option<Timestamp>,
    /// Everything that ever spoke for an interruption of it, earlier boots included.
    pub signs: Vec<Sign>,
    /// When after a stop it is brought back.
    pub(crate) resumes_after: Option<SignedDuration>,
    /// When and why it began to end.
    pub ending: Option<(Timestamp, EndReason)>,
    /// The job that it took.
    pub job: Option<JobId>,
    /// What it is doing.
    pub activity: Activity,
}

/// What a machine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Activity {
    /// EC2 or its operating system is starting.
    Booting,
    /// Its runner waits for a job.
    Idle,
    /// Its runner has a job.
    Working,
    /// GitHub told its runner to stop the job.
    Stopping,
    /// Its operating system shuts down under a job that its runner will still report.
    Dying,
    /// Its runner had its job; the machine waits to be ended.
    Done,
    /// It is ending, ended or stopped.
    Gone,
}

impl Machine {
    /// Whether its runner still has its job.
    pub fn is_busy(&self) -> bool {
        match self.activity {
            Activity::Working | Activity::Stopping | Activity::Dying => true,
            Activity::Booting | Activity::Idle | Activity::Done | Activity::Gone => false,
        }
    }

    /// Whether something that had happened by `known`, and that is enough by the rule, may explain the end of
    /// a job that ran on it from `started` to `ended`.
    pub fn may_explain(
        &self,
        (started, ended): (Timestamp, Timestamp),
        known: Timestamp,
        rule: EvidenceRule,
    ) -> bool {
        let mut signs = self.signs_by(known, rule);
        signs.any(|sign| sign.may_explain(started, ended))
    }

    /// What spoke by `known` for an interruption: where proof is asked for, the tag does not.
    fn signs_by(&self, known: Timestamp, rule: EvidenceRule) -> impl Iterator<Item = &Sign> {
        let counts = move |sign: &&Sign| match (rule, sign.kind) {
            (EvidenceRule::Proof, SignKind::Tag) => false,
            (EvidenceRule::Claim | EvidenceRule::Proof, _) => sign.at <= known,
        };
        self.signs.iter().filter(counts)
    }

    pub(crate) fn note_sign(&mut self, at: Timestamp, kind: SignKind) {
        self.signs.push(Sign { at, kind });
    }

    /// When EC2 took it from under a job that ran from `started` to `ended`.
    pub fn was_taken_during(&self, started: Timestamp, ended: Timestamp) -> Option<Timestamp> {
        let taken = self.signs.iter().filter(|sign| match sign.kind {
            SignKind::Taken => true,
            SignKind::Notice | SignKind::Tag => false,
        });
        let mut during = taken.map(|sign| sign.at);
        during.find(|at| started <= *at && *at <= ended)
    }

    /// Whether by then it bore itself what tells of an interruption: the tag, or EC2's state reason.
    pub(crate) fn bears_a_sign_by(&self, known: Timestamp, rule: EvidenceRule) -> bool {
        self.signs_by(known, rule).any(|sign| match sign.kind {
            SignKind::Taken | SignKind::Tag => true,
            SignKind::Notice => false,
        })
    }

    /// Whether it bore the tag of an interruption by then.
    pub fn was_tagged_by(&self, known: Timestamp) -> bool {
        let is_tag = |sign: &Sign| sign.kind == SignKind::Tag && sign.at <= known;
        self.signs.iter().any(is_tag)
    }
}

/// One thing that speaks for an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sign {
    /// When it was there first.
    pub at: Timestamp,
    /// What it is.
    pub kind: SignKind,
}

/// What speaks for an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignKind {
    /// EC2 gave notice, of which EventBridge tells.
    Notice,
    /// The tag, whoever set it: it is a claim.
    Tag,
    /// EC2 took it, which its state reason says.
    Taken,
}

/// How long before a job's start a notice may be: its two minutes, and five seconds for clocks that
/// differ.
const NOTICE_BEFORE_START: SignedDuration = SignedDuration::from_secs(125);

/// How long after a job's end a notice may come. One second more than the 30 that count, as GitHub
/// and EventBridge tell whole seconds.
const NOTICE_AFTER_END: SignedDuration = SignedDuration::from_secs(31);

/// A job that ended so long after a notice survived it.
const NOTICE_COUNTS_FOR: SignedDuration = SignedDuration::from_secs(15 * 60 + 1);

impl Sign {
    /// The reach of each source. A notice is told with its own time. A tag and a state reason count
    /// from when they are first looked at, which may be long after they were there and after the
    /// job's end: for them nothing can be excluded from here.
    fn may_explain(&self, started: Timestamp, ended: Timestamp) -> bool {
        match self.kind {
            SignKind::Tag | SignKind::Taken => true,
            SignKind::Notice => {
                started.duration_since(self.at) <= NOTICE_BEFORE_START
                    && self.at.duration_since(ended) <= NOTICE_AFTER_END
                    && ended.duration_since(self.at) <= NOTICE_COUNTS_FOR
            }
        }
    }
}

/// What is going to happen to a machine by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MachineStep {
    /// Its runner registers.
    Register,
    /// Something strikes it.
    Strike,
    /// Its job forges the tag of an interruption.
    Forge,
    /// It is brought back after a stop.
    Resume,
    /// Its job ends as its fate says.
    Finish,
    /// Its runner gives up the job as it was told to.
    Stop,
    /// Its runner reports the job that the shutdown ended.
    Report,
}

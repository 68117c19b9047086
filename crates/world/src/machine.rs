//! A runner instance: it boots, registers an ephemeral runner, takes one job, and waits to be ended.
//!
//! Data and transitions of one machine; what they mean to EC2 and GitHub is done by the world. The
//! invariant: a machine takes at most one job in its life, also when it is stopped and resumed.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, JobId, RunnerName};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;

use crate::ec2::EndReason;

/// How runner instances behave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineSettings {
    /// From the instance's `running` to its runner's registration.
    pub boot_takes: SignedDuration,
    /// What becomes of a job whose operating system shuts down.
    pub when_taken: WhenTaken,
    /// How long after the shutdown began the job is reported.
    pub reports_after: SignedDuration,
    /// How long a runner takes to stop a job that GitHub told it to stop.
    pub stops_in: SignedDuration,
}

impl Default for MachineSettings {
    /// A runner that is told ends within seconds; both its times are shorter than the 10 s after
    /// which GitHub ends a cancelled job by itself and the 30 s that an instance takes to end.
    fn default() -> Self {
        Self {
            boot_takes: SignedDuration::from_secs(10),
            when_taken: WhenTaken::Fails,
            reports_after: SignedDuration::from_secs(3),
            stops_in: SignedDuration::from_secs(5),
        }
    }
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
}

impl WhenTaken {
    pub(crate) fn conclusion(self) -> Option<Conclusion> {
        match self {
            Self::Fails => Some(Conclusion::Failure),
            Self::IsCancelled => Some(Conclusion::Cancelled),
            Self::IsLost => None,
        }
    }
}

/// A runner instance, remembered for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The instance.
    pub id: InstanceId,
    /// The name under which its runner registers.
    pub runner: RunnerName,
    /// The labels with which its runner registers.
    pub labels: Vec<String>,
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// Its type.
    pub instance_type: String,
    /// Whether it had our stack's tag at birth.
    pub ours: bool,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// When EC2 gave notice.
    pub notice_at: Option<Timestamp>,
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

    /// Whether EC2 took it, or said that it would, at a moment that can explain the end of a job
    /// that ran from `started` to `ended`.
    pub fn was_interrupted_during(&self, started: Timestamp, ended: Timestamp) -> bool {
        let taken = self.ending.and_then(|(at, reason)| match reason {
            EndReason::SpotTermination | EndReason::SpotShutdown => Some(at),
            EndReason::UserInitiated | EndReason::FromInside | EndReason::HostFailure => None,
        });
        let mut signs = self.notice_at.into_iter().chain(taken);
        signs.any(|at| started <= at && at <= ended)
    }
}

/// What is going to happen to a machine by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MachineStep {
    /// Its runner registers.
    Register,
    /// EC2 gives notice.
    Interrupt,
    /// Its job ends as its fate says.
    Finish,
    /// Its runner gives up the job as it was told to.
    Stop,
    /// Its runner reports the job that the shutdown ended.
    Report,
}

//! What is going to happen to a job once a runner has it.

use jiff::SignedDuration;
use reprise_model::job::Conclusion;

use crate::ec2::Interruption;
use crate::machine::WhenTaken;

/// The fate of one execution of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// How long it works, if nobody stops it.
    pub takes: SignedDuration,
    /// How it ends then.
    pub ends: Conclusion,
    /// When after its start its instance is struck.
    pub interrupted_after: Option<SignedDuration>,
    /// By what. EC2 interrupts spot instances only: on-demand, the job goes on.
    pub stroke: Stroke,
    /// When after its start the job puts the tag of an interruption on its own instance: the rights
    /// of the instance's role are also the job's.
    pub forges_after: Option<SignedDuration>,
    /// What becomes of it when its machine is taken, where that is not as usual.
    pub when_taken: Option<WhenTaken>,
}

/// What strikes an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// EC2 gives two minutes of notice and terminates it.
    Usual,
    /// EC2 interrupts it in some other way.
    Interruption {
        /// How.
        interruption: Interruption,
        /// When after it stopped it is brought back: another boot, with the same tags.
        resumes_after: Option<SignedDuration>,
    },
    /// Its host dies, spot or not: no notice, and no evidence of an interruption.
    HostDies,
    /// Its operating system shuts itself down, spot or not.
    PowersOff,
}

impl Fate {
    /// It passes.
    pub fn passes(takes: SignedDuration) -> Self {
        Self {
            takes,
            ends: Conclusion::Success,
            interrupted_after: None,
            stroke: Stroke::Usual,
            forges_after: None,
            when_taken: None,
        }
    }

    /// It fails, and nobody but itself is to blame.
    pub fn fails(takes: SignedDuration) -> Self {
        Self {
            ends: Conclusion::Failure,
            ..Self::passes(takes)
        }
    }

    /// It would pass, but on spot EC2 takes its instance first.
    pub fn interrupted(after: SignedDuration) -> Self {
        Self {
            interrupted_after: Some(after),
            ..Self::passes(after + WOULD_GO_ON)
        }
    }

    /// The same, but struck by something else.
    #[must_use]
    pub fn by(self, stroke: Stroke) -> Self {
        Self { stroke, ..self }
    }
}

/// How long after its notice an interrupted job would still have worked: twice the notice of two
/// minutes, so that it never ends by itself first.
const WOULD_GO_ON: SignedDuration = SignedDuration::from_secs(240);

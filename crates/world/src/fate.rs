//! What is going to happen to a job once a runner has it.

use jiff::SignedDuration;
use reprise_model::job::Conclusion;

/// The fate of one execution of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// How long it works, if nobody stops it.
    pub takes: SignedDuration,
    /// How it ends then.
    pub ends: Conclusion,
    /// When after its start EC2 gives notice, if it runs on spot.
    pub interrupted_after: Option<SignedDuration>,
}

impl Fate {
    /// It passes.
    pub fn passes(takes: SignedDuration) -> Self {
        Self {
            takes,
            ends: Conclusion::Success,
            interrupted_after: None,
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
}

/// How long after its notice an interrupted job would still have worked: twice the notice of two
/// minutes, so that it never ends by itself first.
const WOULD_GO_ON: SignedDuration = SignedDuration::from_secs(240);

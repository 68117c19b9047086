//! How steps and jobs end, and which of two ends counts (`Runner.Common/Util/TaskResultUtil.cs`).

use reprise_world::stand_in::{Conclusion, Condition};

/// An end, the worse the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    Succeeded = 0,
    Failed = 2,
    Canceled = 3,
    Skipped = 4,
}

/// What a Worker's exit code is more than its job's end.
const OFFSET: u8 = 100;

impl Verdict {
    /// The worse of the two, but nothing follows a cancel.
    pub(crate) fn merge(self, next: Self) -> Self {
        match self > Self::Failed || next < self {
            true => self,
            false => next,
        }
    }

    pub(crate) fn return_code(self) -> u8 {
        OFFSET + self as u8
    }

    pub(crate) fn from_return_code(code: i32) -> Option<Self> {
        let all = [Self::Succeeded, Self::Failed, Self::Canceled, Self::Skipped];
        all.into_iter()
            .find(|one| i32::from(one.return_code()) == code)
    }

    pub(crate) fn conclusion(self) -> Conclusion {
        match self {
            Self::Succeeded => Conclusion::Success,
            Self::Failed => Conclusion::Failure,
            Self::Canceled => Conclusion::Cancelled,
            Self::Skipped => Conclusion::Skipped,
        }
    }

    /// Whether a step with this condition runs in a job that is at this end so far.
    pub(crate) fn lets(self, condition: Condition) -> bool {
        match condition {
            Condition::Always => true,
            Condition::Success => self == Self::Succeeded,
            Condition::Failure => self == Self::Failed,
            Condition::Cancelled => self == Self::Canceled,
            Condition::NotCancelled => self != Self::Canceled,
        }
    }
}

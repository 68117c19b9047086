//! The port that tags the agent's own instance, and what its failures mean.

use std::future::Future;
use std::time::SystemTime;

use jiff::SignedDuration;
use reprise_model::instance::Instance;

use crate::credentials::RoleCredentials;

/// Puts one tag on an instance.
pub trait Tagger: Send + Sync {
    /// Returns when EC2 has confirmed the tag. Tagging twice does no harm.
    fn tag(&self, request: &TagRequest) -> impl Future<Output = Result<(), TagFailure>> + Send;
}

/// One tag on one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRequest {
    /// Which instance.
    pub instance: Instance,
    /// Who asks.
    pub credentials: RoleCredentials,
    /// The true time of day, for the signature.
    pub signed_at: SystemTime,
    /// The tag's key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Why an attempt did not put the tag there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagFailure {
    /// The role may not do it. Trying again changes nothing.
    #[error(
        "EC2 denies the tag ({code}); allow ec2:CreateTags on the instance itself in its role: \
         {message}"
    )]
    Denied {
        /// EC2's error code.
        code: String,
        /// EC2's words, cut.
        message: String,
    },
    /// EC2 does not accept the request as such. Trying again changes nothing.
    #[error("EC2 refuses the tag ({code}): {message}")]
    Refused {
        /// EC2's error code.
        code: String,
        /// EC2's words, cut.
        message: String,
    },
    /// The credentials have expired or are not valid.
    #[error("EC2 does not accept the credentials ({code})")]
    StaleCredentials {
        /// EC2's error code.
        code: String,
    },
    /// Too many requests in this account and region.
    #[error("EC2 throttles ({code})")]
    Throttled {
        /// EC2's error code.
        code: String,
    },
    /// Any other answer that may be different next time.
    #[error("EC2 answered with status {status} ({code})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// EC2's error code, or a word for its absence.
        code: String,
    },
    /// Nothing came within the deadline; the tag may be there nevertheless.
    #[error("EC2 did not answer in time")]
    TimedOut,
    /// Refused, reset, no name, no TLS.
    #[error("EC2 cannot be reached: {0}")]
    Transport(String),
    /// There is nothing to sign with.
    #[error("no credentials: {0}")]
    NoCredentials(String),
    /// The agent does not know its instance yet.
    #[error("the instance's identity is not known: {0}")]
    NoIdentity(String),
}

/// What a failure leaves to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing: it will fail again.
    None,
    /// Try again after a wait.
    Wait,
    /// Fetch credentials and try again at once; wait if that was the remedy the last time too.
    NewCredentials,
}

impl TagFailure {
    /// What the failure leaves to do.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Denied { .. } | Self::Refused { .. } => Remedy::None,
            Self::StaleCredentials { .. } => Remedy::NewCredentials,
            Self::Throttled { .. }
            | Self::Unavailable { .. }
            | Self::TimedOut
            | Self::Transport(_)
            | Self::NoCredentials(_)
            | Self::NoIdentity(_) => Remedy::Wait,
        }
    }
}

/// Full jitter: a random part (0 to 1) of a span that doubles from a quarter of a second up to
/// `cap`, so that a thousand instances that were interrupted at once do not ask in step.
pub fn full_jitter(failed_attempts: u32, cap: SignedDuration, random: f64) -> SignedDuration {
    const BASE: SignedDuration = SignedDuration::from_millis(250);
    let doublings = failed_attempts.saturating_sub(1).min(16);
    let span = (BASE * (1 << doublings)).min(cap);
    span.mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_of_waits_doubles_up_to_its_cap() {
        let cap = SignedDuration::from_secs(5);
        let spans: Vec<i128> = (1..8)
            .map(|failed| full_jitter(failed, cap, 1.0).as_millis())
            .collect();
        assert_eq!(spans, [250, 500, 1000, 2000, 4000, 5000, 5000]);
        assert_eq!(full_jitter(u32::MAX, cap, 1.0), cap);
    }

    #[test]
    fn a_wait_is_any_part_of_its_span() {
        let cap = SignedDuration::from_secs(5);
        assert_eq!(full_jitter(4, cap, 0.0), SignedDuration::ZERO);
        assert_eq!(full_jitter(4, cap, 0.25), SignedDuration::from_millis(500));
    }
}

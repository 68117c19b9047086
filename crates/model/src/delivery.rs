//! GitHub's attempts to deliver its webhooks, as GitHub lists them.
//!
//! A delivery has one id for good, `X-GitHub-Delivery`; each attempt to deliver it has its own.

use jiff::Timestamp;

use crate::ids::{DeliveryId, HookAttemptId, HookCursor};

/// One attempt to deliver a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookAttempt {
    /// The attempt.
    pub id: HookAttemptId,
    /// What was to be delivered.
    pub delivery: DeliveryId,
    /// When.
    pub at: Timestamp,
    /// Whether somebody asked for it after an earlier one.
    pub redelivery: bool,
    /// Whether the webhook's address took it.
    pub arrived: bool,
    /// What it tells of.
    pub event: HookEvent,
}

/// What a webhook tells of, as far as anything follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookEvent {
    /// A job waits for a machine.
    JobQueued,
    /// A job ended.
    JobCompleted,
    /// A run ended.
    RunCompleted,
    /// Nothing that is acted on.
    Other,
}

/// A page of GitHub's list of attempts, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookPage {
    /// The attempts.
    pub attempts: Vec<HookAttempt>,
    /// Where the next, older page begins, if there is one.
    pub next: Option<HookCursor>,
}

/// What GitHub answered when it was asked to deliver again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedeliveryAnswer {
    /// It will.
    Accepted,
    /// It will not: the attempt is too old, or not there any more.
    Refused {
        /// GitHub's words.
        message: String,
    },
    /// Not now, as for a rate limit.
    NotNow,
    /// Whether it will is not known. GitHub's list tells.
    Unclear,
}

impl HookEvent {
    /// By the event and the action of a webhook.
    pub fn of(event: &str, action: Option<&str>) -> Self {
        match (event, action) {
            ("workflow_job", Some("queued")) => Self::JobQueued,
            ("workflow_job", Some("completed")) => Self::JobCompleted,
            ("workflow_run", Some("completed")) => Self::RunCompleted,
            _ => Self::Other,
        }
    }

    /// In a word, for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JobQueued => "job-queued",
            Self::JobCompleted => "job-completed",
            Self::RunCompleted => "run-completed",
            Self::Other => "other",
        }
    }
}

impl RedeliveryAnswer {
    /// In a word, for logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused { .. } => "refused",
            Self::NotNow => "not-now",
            Self::Unclear => "unclear",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_that_is_acted_on_by_its_action() {
        let of = HookEvent::of;
        assert_eq!(of("workflow_job", Some("queued")), HookEvent::JobQueued);
        assert_eq!(
            of("workflow_job", Some("completed")),
            HookEvent::JobCompleted
        );
        assert_eq!(
            of("workflow_run", Some("completed")),
            HookEvent::RunCompleted
        );
        for (event, action) in [
            ("workflow_job", Some("in_progress")),
            ("workflow_run", Some("requested")),
            ("workflow_run", None),
            ("ping", None),
            ("check_run", Some("completed")),
        ] {
            assert_eq!(of(event, action), HookEvent::Other, "{event} {action:?}");
        }
    }
}

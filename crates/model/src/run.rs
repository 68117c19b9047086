//! A workflow run as GitHub describes it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{Repository, RunAttempt, RunId, Sha, WorkflowId};
use crate::job::Conclusion;

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Waits for runners.
    Queued,
    /// Waits for an approval.
    Waiting,
    /// Asked for.
    Requested,
    /// Waits for a concurrency group.
    Pending,
    /// At least one job runs.
    InProgress,
    /// Every job ended. Only now does GitHub allow a re-run.
    Completed,
    /// A word added since.
    #[serde(untagged)]
    Unknown(String),
}

/// A workflow run, as one GET answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Where it runs.
    pub repository: Repository,
    /// The latest attempt.
    pub run_attempt: RunAttempt,
    /// Where that attempt stands.
    pub status: RunStatus,
    /// How that attempt ended.
    pub conclusion: Option<Conclusion>,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The workflow's `name:`.
    pub workflow_name: Option<String>,
    /// The workflow file, as `.github/workflows/ci.yml`.
    pub path: Option<String>,
    /// What started it, as `push` or `merge_group`.
    pub event: String,
    /// The commit.
    pub head_sha: Sha,
    /// The branch; absent for some events.
    pub head_branch: Option<String>,
    /// When the first attempt was made.
    pub created_at: Timestamp,
    /// When this attempt began.
    pub run_started_at: Option<Timestamp>,
    /// When GitHub last changed it: that of a completed attempt is not before its end.
    pub updated_at: Option<Timestamp>,
}

/// Why a job was cancelled, as its check run's annotations tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelCause {
    /// `The run was canceled by @NAME`.
    Person,
    /// The same words, about a cancel that the ledger says we asked for. Annotations alone never tell it.
    Ours,
    /// `Canceling since a higher priority waiting request for ... exists`.
    Superseded,
    /// `The job was canceled because "..." failed`: a matrix sibling with fail-fast.
    FailFast,
    /// The annotations say nothing that is known, or could not be read.
    Unreadable,
}

impl CancelCause {
    /// Reads the cause from the messages of a cancelled job's annotations.
    ///
    /// Where they tell several, a person outweighs the concurrency group and that a sibling: a job
    /// that two things would have cancelled is not brought back against the word of a person.
    pub fn from_annotations<'a>(messages: impl IntoIterator<Item = &'a str>) -> Self {
        let told: Vec<Self> = messages.into_iter().map(Self::told_by).collect();
        [Self::Person, Self::Superseded, Self::FailFast]
            .into_iter()
            .find(|cause| told.contains(cause))
            .unwrap_or(Self::Unreadable)
    }

    fn told_by(message: &str) -> Self {
        if message.starts_with("The run was canceled by @") {
            Self::Person
        } else if message.starts_with("Canceling since a higher priority waiting request") {
            Self::Superseded
        } else if message.starts_with("The job was canceled because") {
            Self::FailFast
        } else {
            Self::Unreadable
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_cancel_is_read_from_githubs_words() {
        for (messages, cause) in [
            (
                &["The run was canceled by @mona."] as &[&str],
                CancelCause::Person,
            ),
            (
                &["Canceling since a higher priority waiting request for 'ci-main' exists"],
                CancelCause::Superseded,
            ),
            (
                &["The job was canceled because \"test_1\" failed."],
                CancelCause::FailFast,
            ),
            (
                &[
                    "Node.js 16 is deprecated.",
                    "The run was canceled by @mona.",
                ],
                CancelCause::Person,
            ),
            (&["The operation was canceled."], CancelCause::Unreadable),
            (&[], CancelCause::Unreadable),
        ] {
            let read = CancelCause::from_annotations(messages.iter().copied());
            assert_eq!(read, cause, "{messages:?}");
        }
    }

    #[test]
    fn a_person_and_the_concurrency_group_outweigh_fail_fast_wherever_they_stand() {
        let fail_fast = "The job was canceled because \"test_1\" failed.";
        let superseded = "Canceling since a higher priority waiting request for 'ci-main' exists";
        let person = "The run was canceled by @mona.";
        for (messages, cause) in [
            ([fail_fast, person], CancelCause::Person),
            ([person, fail_fast], CancelCause::Person),
            ([fail_fast, superseded], CancelCause::Superseded),
            ([superseded, person], CancelCause::Person),
        ] {
            let read = CancelCause::from_annotations(messages);
            assert_eq!(read, cause, "{messages:?}");
        }
    }

    #[test]
    fn a_message_that_merely_quotes_githubs_words_says_nothing() {
        let quoted = ["build: The run was canceled by @mona."];
        assert_eq!(
            CancelCause::from_annotations(quoted),
            CancelCause::Unreadable
        );
    }

    #[test]
    fn a_stored_run_is_read_back() {
        for status in [
            RunStatus::Queued,
            RunStatus::Waiting,
            RunStatus::Requested,
            RunStatus::Pending,
            RunStatus::InProgress,
            RunStatus::Completed,
            RunStatus::Unknown("paused".to_owned()),
        ] {
            let run = Run {
                id: RunId(42),
                repository: "acme/shop".parse().expect("valid"),
                run_attempt: RunAttempt::FIRST,
                status,
                conclusion: Some(Conclusion::Cancelled),
                workflow_id: WorkflowId(1),
                workflow_name: None,
                path: Some(".github/workflows/ci.yml".to_owned()),
                event: "merge_group".to_owned(),
                head_sha: Sha::new("0123456789abcdef0123456789abcdef01234567"),
                head_branch: None,
                created_at: Timestamp::UNIX_EPOCH,
                run_started_at: None,
                updated_at: None,
            };
            let text = serde_json::to_string(&run).expect("writable");
            let back: Run = serde_json::from_str(&text).expect("readable");
            assert_eq!(back, run);
        }
    }
}

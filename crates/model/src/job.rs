//! A workflow job as GitHub describes it, and what stays the same of it from attempt to attempt.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{CheckRunId, JobId, Repository, RunAttempt, RunId, RunnerId, RunnerName, Sha};

/// Where a job stands. GitHub adds words over time, so an unknown one is kept as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waits for a runner.
    Queued,
    /// Waits for an approval or a concurrency group.
    Waiting,
    /// Asked for but not yet queued.
    Requested,
    /// Waits for a concurrency group.
    Pending,
    /// On a runner.
    InProgress,
    /// Ended; the conclusion says how.
    Completed,
    /// A word added since.
    #[serde(untagged)]
    Unknown(String),
}

/// How a job or a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// Everything passed.
    Success,
    /// Something failed; also how most interrupted jobs end.
    Failure,
    /// Ended by a person, a newer run, fail-fast or a runner that was told to stop.
    Cancelled,
    /// Its condition was false.
    Skipped,
    /// Neither good nor bad.
    Neutral,
    /// Ran past its time limit.
    TimedOut,
    /// Waits for a person.
    ActionRequired,
    /// GitHub gave up on it.
    Stale,
    /// The workflow could not start at all.
    StartupFailure,
    /// A word added since.
    #[serde(untagged)]
    Unknown(String),
}

impl Conclusion {
    /// Whether a re-run of failed jobs would be for this: failed, cancelled or timed out.
    pub fn is_unsuccessful(&self) -> bool {
        match self {
            Self::Failure | Self::Cancelled | Self::TimedOut => true,
            Self::Success
            | Self::Skipped
            | Self::Neutral
            | Self::ActionRequired
            | Self::Stale
            | Self::StartupFailure
            | Self::Unknown(_) => false,
        }
    }

    /// GitHub's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
            Self::Neutral => "neutral",
            Self::TimedOut => "timed_out",
            Self::ActionRequired => "action_required",
            Self::Stale => "stale",
            Self::StartupFailure => "startup_failure",
            Self::Unknown(word) => word,
        }
    }
}

/// A job of one attempt of a run, from a webhook or from the REST API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id, good for this attempt only.
    pub id: JobId,
    /// The run it belongs to.
    pub run_id: RunId,
    /// The attempt of the run; one old webhook example lacks it and counts as the first.
    pub run_attempt: RunAttempt,
    /// Its name, with matrix values, as `test (1, linux)`.
    pub name: String,
    /// The `name:` of its workflow.
    pub workflow_name: Option<String>,
    /// Where it stands.
    pub status: JobStatus,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// Its `runs-on` labels, written by whoever wrote the workflow.
    pub labels: Vec<String>,
    /// The runner that took it.
    pub runner_name: Option<RunnerName>,
    /// GitHub's number for that runner. A name can be given to any runner; a number cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<RunnerId>,
    /// When its record was made.
    pub created_at: Option<Timestamp>,
    /// When a runner took it.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// The commit it runs on.
    pub head_sha: Sha,
    /// The branch, where there is one.
    pub head_branch: Option<String>,
    /// The check run behind it, whose annotations say why it was cancelled.
    pub check_run: Option<CheckRunId>,
}

impl Job {
    /// What tells one execution of it from another.
    pub fn execution(&self) -> Execution {
        Execution {
            runner_name: self.runner_name.clone(),
            started_at: self.started_at,
            completed_at: self.completed_at,
        }
    }

    /// Whether it ended failed, cancelled or timed out.
    pub fn is_unsuccessful(&self) -> bool {
        self.status == JobStatus::Completed
            && self
                .conclusion
                .as_ref()
                .is_some_and(Conclusion::is_unsuccessful)
    }
}

/// One execution of a job: a record of a later attempt that shows the same three values did not
/// execute again but was carried over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Execution {
    /// The runner.
    pub runner_name: Option<RunnerName>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

/// A job as it stays the same in every attempt; its id does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobKey {
    /// The repository.
    pub repository: Repository,
    /// The run.
    pub run_id: RunId,
    /// The workflow file's path, where GitHub told it.
    pub workflow: Option<String>,
    /// The job's name.
    pub name: String,
    /// Its place among jobs of equal name, in the order of their ids.
    pub ordinal: u32,
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} run {} job {:?}",
            self.repository, self.run_id, self.name
        )?;
        match self.ordinal {
            0 => Ok(()),
            ordinal => write!(f, " (number {} of that name)", ordinal + 1),
        }
    }
}

/// The keys of all jobs of one attempt. `jobs` must be the whole list: an ordinal counts equal names.
pub fn keys_of(
    repository: &Repository,
    workflow: Option<&str>,
    jobs: &[Job],
) -> BTreeMap<JobId, JobKey> {
    let mut by_id: Vec<&Job> = jobs.iter().collect();
    by_id.sort_by_key(|job| job.id);
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for job in by_id {
        let ordinal = seen.entry(&job.name).or_default();
        keys.insert(
            job.id,
            JobKey {
                repository: repository.clone(),
                run_id: job.run_id,
                workflow: workflow.map(str::to_owned),
                name: job.name.clone(),
                ordinal: *ordinal,
            },
        );
        *ordinal += 1;
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: u64, name: &str) -> Job {
        Job {
            id: JobId(id),
            run_id: RunId(42),
            run_attempt: RunAttempt::FIRST,
            name: name.to_owned(),
            workflow_name: Some("CI".to_owned()),
            status: JobStatus::Completed,
            conclusion: Some(Conclusion::Failure),
            labels: vec!["runs-on=42".to_owned()],
            runner_name: Some(RunnerName::new("i-0123456789abcdef0")),
            runner_id: None,
            created_at: None,
            started_at: "2026-03-01T10:00:00Z".parse().ok(),
            completed_at: "2026-03-01T10:02:00Z".parse().ok(),
            head_sha: Sha::new("0123456789abcdef0123456789abcdef01234567"),
            head_branch: None,
            check_run: Some(CheckRunId(7)),
        }
    }

    fn repository() -> Repository {
        "acme/shop".parse().expect("valid")
    }

    #[test]
    fn a_job_has_the_same_key_in_every_attempt_though_its_id_changes() {
        let first = keys_of(&repository(), None, &[job(1, "build"), job(2, "test")]);
        let second = keys_of(&repository(), None, &[job(12, "test"), job(11, "build")]);
        assert_eq!(first[&JobId(1)], second[&JobId(11)]);
        assert_eq!(first[&JobId(2)], second[&JobId(12)]);
        assert_ne!(first[&JobId(1)], first[&JobId(2)]);
    }

    #[test]
    fn jobs_of_equal_name_are_told_apart_by_the_order_of_their_ids() {
        let jobs = [job(3, "test"), job(1, "test"), job(2, "build")];
        let keys = keys_of(&repository(), Some(".github/workflows/ci.yml"), &jobs);
        let ordinals: Vec<u32> = keys.values().map(|key| key.ordinal).collect();
        assert_eq!(ordinals, [0, 0, 1]);
        assert_eq!(
            keys[&JobId(3)].to_string(),
            "acme/shop run 42 job \"test\" (number 2 of that name)"
        );
        assert_eq!(
            keys[&JobId(2)].to_string(),
            "acme/shop run 42 job \"build\""
        );
    }

    #[test]
    fn a_carried_over_record_is_the_same_execution_and_a_new_one_is_not() {
        let before = job(1, "test");
        let carried_over = Job {
            run_attempt: RunAttempt::FIRST.next(),
            ..job(11, "test")
        };
        assert_eq!(before.execution(), carried_over.execution());
        let again = Job {
            started_at: "2026-03-01T10:30:00Z".parse().ok(),
            ..carried_over
        };
        assert_ne!(before.execution(), again.execution());
    }

    #[test]
    fn only_a_completed_job_that_failed_was_cancelled_or_timed_out_is_unsuccessful() {
        for (conclusion, unsuccessful) in [
            (Conclusion::Success, false),
            (Conclusion::Failure, true),
            (Conclusion::Cancelled, true),
            (Conclusion::Skipped, false),
            (Conclusion::Neutral, false),
            (Conclusion::TimedOut, true),
            (Conclusion::ActionRequired, false),
            (Conclusion::Stale, false),
            (Conclusion::StartupFailure, false),
            (Conclusion::Unknown("host_lost".to_owned()), false),
        ] {
            let job = Job {
                conclusion: Some(conclusion.clone()),
                ..job(1, "test")
            };
            assert_eq!(job.is_unsuccessful(), unsuccessful, "{conclusion:?}");
            let stored = serde_json::to_value(&conclusion).expect("writable");
            assert_eq!(stored, conclusion.as_str());
        }
        let running = Job {
            status: JobStatus::InProgress,
            ..job(1, "test")
        };
        assert!(!running.is_unsuccessful());
    }

    #[test]
    fn a_stored_job_is_read_back() {
        for status in [
            JobStatus::Queued,
            JobStatus::Waiting,
            JobStatus::Requested,
            JobStatus::Pending,
            JobStatus::InProgress,
            JobStatus::Completed,
            JobStatus::Unknown("preempted".to_owned()),
        ] {
            let job = Job {
                status,
                ..job(1, "test")
            };
            let text = serde_json::to_string(&job).expect("writable");
            let back: Job = serde_json::from_str(&text).expect("readable");
            assert_eq!(back, job);
        }
    }
}

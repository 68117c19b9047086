//! What an endpoint is asked, as JSON. docs/ask.md tells it to whoever writes one.

use jiff::Timestamp;
use serde::Serialize;

use super::EndpointName;
use crate::evidence::EvidenceSource;
use crate::failure::{FailureClass, FailureSource};
use crate::ids::{JobId, Repository, RunAttempt, RunId, Sha};
use crate::instance::Capacity;
use crate::job::Conclusion;

/// The version of the question. It grows within a version; only what changes its meaning makes another.
pub const VERSION: u32 = 1;

/// Whether a job is to come back, with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Question {
    /// [`VERSION`].
    pub version: u32,
    /// Who is asked: one address may serve several names.
    pub endpoint: EndpointName,
    /// The repository.
    pub repository: Repository,
    /// The workflow's name, where it has one.
    pub workflow: Option<String>,
    /// The run.
    pub run: AskedRun,
    /// The job.
    pub job: AskedJob,
    /// Whether EC2 took its instance.
    pub interrupted: bool,
    /// What shows that.
    pub evidence: Vec<Seen>,
    /// What its failure was judged to be; nothing where it was interrupted, which explains it.
    pub failure: Option<Judged>,
    /// What it ran on; nothing where that is not known, as on a machine that is not ours.
    pub capacity: Option<Capacity>,
    /// After an interruption how often it ran on a runner, this time included; after a failure the attempt of
    /// its run.
    pub attempts: u32,
    /// After so many it is not re-run any more, whatever is answered.
    pub most_attempts: u32,
}

/// The run that is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskedRun {
    /// Its id.
    pub id: RunId,
    /// The attempt in which the job ended.
    pub attempt: RunAttempt,
    /// Where people see it.
    pub url: String,
    /// The commit.
    pub head_sha: Sha,
    /// The branch.
    pub head_branch: Option<String>,
}

/// The job that is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AskedJob {
    /// Its id in that attempt.
    pub id: JobId,
    /// Its name, with matrix values.
    pub name: String,
    /// Where people see it.
    pub url: String,
    /// What its `runs-on` says.
    pub labels: Vec<String>,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// The first of its steps that failed, where that was read.
    pub failed_step: Option<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Who says so.
    pub source: EvidenceSource,
    /// Since when that is known.
    pub first_seen_at: Timestamp,
}

/// What a failure was judged to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// What it is.
    pub class: FailureClass,
    /// The rule that decided, in words.
    pub rule: Option<String>,
    /// Where the line stands that it found.
    pub source: Option<FailureSource>,
    /// That line, shortened. Strangers wrote it.
    pub line: Option<String>,
}

//! What an operator is shown of the ledger: the words that the controller's API and the command line
//! share.
//!
//! Its JSON is documented in docs/operator.md, and only grows. How a record becomes a view is decided
//! in `reprise-engine`.

mod subject;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{JobId, Repository, RunAttempt, RunId};

pub use subject::{NoSubject, Subject};

/// Where a job stands that is, or was, to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryState {
    /// Its run must complete before GitHub allows the re-run.
    Awaiting,
    /// Its repository has had its re-runs of this hour: it is re-run when there is room again.
    Parked,
    /// It is to be worked on now.
    Due,
    /// A re-run was asked for; what comes back is watched.
    Asked,
    /// A re-run brought it through.
    Recovered,
    /// It was not brought through, and nothing more is done by itself.
    Exhausted,
    /// It was left alone: its policy, a person or a newer run said so.
    LeftAlone,
}

impl RetryState {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Awaiting,
        Self::Parked,
        Self::Due,
        Self::Asked,
        Self::Recovered,
        Self::Exhausted,
        Self::LeftAlone,
    ];

    /// What is listed unless told otherwise: what is under way, and what nobody works on any more.
    pub const USUAL: [Self; 5] = [
        Self::Awaiting,
        Self::Parked,
        Self::Due,
        Self::Asked,
        Self::Exhausted,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Awaiting => "awaiting",
            Self::Parked => "parked",
            Self::Due => "due",
            Self::Asked => "asked",
            Self::Recovered => "recovered",
            Self::Exhausted => "exhausted",
            Self::LeftAlone => "left-alone",
        }
    }

    /// Whether something may still happen by itself.
    pub fn is_open(self) -> bool {
        match self {
            Self::Awaiting | Self::Parked | Self::Due | Self::Asked => true,
            Self::Recovered | Self::Exhausted | Self::LeftAlone => false,
        }
    }
}

impl fmt::Display for RetryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no state; known are awaiting, parked, due, asked, recovered, exhausted and left-alone"
)]
pub struct NoState(pub String);

impl FromStr for RetryState {
    type Err = NoState;

    fn from_str(word: &str) -> Result<Self, NoState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| NoState(word.to_owned()))
    }
}

/// A job that is, or was, to come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryView {
    /// Its repository.
    pub repository: Repository,
    /// Its run.
    pub run: RunId,
    /// Its id in the attempt in which it was interrupted.
    pub job: JobId,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub state: RetryState,
    /// The newest attempt of its run that the ledger knows of.
    pub attempt: RunAttempt,
    /// The last attempt that its policy brings about by itself.
    pub limit: Option<u32>,
    /// That policy, as a label says it.
    pub policy: Option<String>,
    /// The word for why it is settled, or for what keeps it waiting.
    pub reason: Option<String>,
    /// The same in a sentence, or GitHub's words.
    pub detail: Option<String>,
    /// What came of asking the endpoint that its policy names, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// When it failed last.
    pub failed_at: Option<Timestamp>,
    /// Seconds since then.
    pub seconds_since_failure: Option<i64>,
    /// When its run is looked at next.
    pub next_due: Option<Timestamp>,
    /// How often that was done in vain.
    pub tries: u32,
    /// Whether lists leave it out.
    pub dismissed: bool,
}

/// What lists are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetryFilter {
    /// Only jobs in these states; none means [`RetryState::USUAL`].
    pub states: Vec<RetryState>,
    /// Only those of this repository.
    pub repository: Option<Repository>,
    /// Only those that failed since then.
    pub since: Option<Timestamp>,
}

impl RetryFilter {
    /// The states that are wanted.
    pub fn wanted(&self) -> &[RetryState] {
        match self.states.as_slice() {
            [] => &RetryState::USUAL,
            states => states,
        }
    }
}

/// The answer to a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RetryList {
    /// The jobs, those that failed last first.
    pub retries: Vec<RetryView>,
    /// Whether there are runs that were not looked at: too many for one answer.
    pub more: bool,
    /// Records that could not be read, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

/// What happened to a run or a job, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The repository.
    pub repository: Repository,
    /// The run, where it is known.
    pub run: Option<RunId>,
    /// The one job that was asked for.
    pub job: Option<JobId>,
    /// One sentence: where it stands.
    pub summary: String,
    /// The jobs that are, or were, to come back.
    pub retries: Vec<RetryView>,
    /// What happened, in the order of time.
    pub story: Vec<Line>,
}

/// One line of a story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When. Of an answer of GitHub's: when its question was written down, at most 36 s before.
    pub at: Option<Timestamp>,
    /// What kind of thing happened.
    pub kind: LineKind,
    /// To which job, where it is one.
    pub job: Option<JobId>,
    /// Who says so: a source of evidence, `github`, `ledger`, `operator`.
    pub source: String,
    /// The word of the rule that decided, where something was decided.
    pub rule: Option<String>,
    /// What happened, for people.
    pub text: String,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineKind {
    /// A machine was asked for, or came.
    Launch,
    /// A job began or ended.
    Job,
    /// A source says that EC2 took the instance.
    Evidence,
    /// It was decided what is to become of a job.
    Verdict,
    /// GitHub was asked for something.
    Effect,
    /// What GitHub answered.
    Answer,
    /// A person asked for something.
    Operator,
    /// What an instance had written to its console.
    Console,
    /// What comes next.
    Next,
}

impl LineKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launch => "launch",
            Self::Job => "job",
            Self::Evidence => "evidence",
            Self::Verdict => "verdict",
            Self::Effect => "effect",
            Self::Answer => "answer",
            Self::Operator => "operator",
            Self::Console => "console",
            Self::Next => "next",
        }
    }
}

/// The answer where something went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What is wrong, and what to do.
    pub error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_told_and_read_by_its_word() {
        for state in RetryState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(
                serde_json::to_value(state).expect("writable"),
                state.as_str()
            );
        }
        assert_eq!(
            "lost".parse::<RetryState>().expect_err("none").to_string(),
            "\"lost\" is no state; known are awaiting, parked, due, asked, recovered, exhausted and left-alone"
        );
    }

    #[test]
    fn every_kind_of_line_has_one_word() {
        for kind in [
            LineKind::Launch,
            LineKind::Job,
            LineKind::Evidence,
            LineKind::Verdict,
            LineKind::Effect,
            LineKind::Answer,
            LineKind::Operator,
            LineKind::Console,
            LineKind::Next,
        ] {
            assert_eq!(serde_json::to_value(kind).expect("writable"), kind.as_str());
        }
    }
}

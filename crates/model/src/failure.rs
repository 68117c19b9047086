//! Why a job failed: what is known of one failed execution, and what that was judged to be.
//!
//! Whoever reads GitHub fills in [`FailureFacts`], a decision makes a [`Judgement`] of them, and the
//! judgement is kept and shown. What a log says was written by strangers: a line of it is shortened and
//! without control characters when it is shown.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::job::{Conclusion, JobStatus};

/// So much of a log's end is read and looked at.
pub const LOG_END: usize = 64 * 1024;

/// All that is read of one failed execution of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureFacts {
    /// How the job ended.
    pub conclusion: Option<Conclusion>,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// The annotations of its check run; `None` where they may not be read.
    pub annotations: Option<Vec<Annotation>>,
    /// Its log.
    pub log: JobLog,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Step {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Where it stands.
    pub status: JobStatus,
    /// How it ended. A step that may fail (`continue-on-error`) ends as a success.
    #[serde(default)]
    pub conclusion: Option<Conclusion>,
    /// When it began, in whole seconds.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When it ended, in whole seconds.
    #[serde(default)]
    pub completed_at: Option<Timestamp>,
}

/// An annotation of a job's check run: by GitHub, by its runner, or by what the job ran.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Annotation {
    /// How much it matters.
    #[serde(rename = "annotation_level", default)]
    pub level: Option<AnnotationLevel>,
    /// The file that it speaks of; `.github` where it speaks of none.
    #[serde(default)]
    pub path: Option<String>,
    /// What people read.
    #[serde(default)]
    pub message: Option<String>,
}

/// How much an annotation matters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnotationLevel {
    /// For information.
    Notice,
    /// Something to look at.
    Warning,
    /// Something failed.
    Failure,
    /// A word added since.
    #[serde(untagged)]
    Unknown(String),
}

/// The log of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobLog {
    /// Its last bytes, [`LOG_END`] at most; all of it where it is shorter.
    End(Vec<u8>),
    /// There is none (any more), it may not be read, or its end cannot be reached.
    Missing,
}

/// What a failure was judged to be, and what said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// What it is.
    pub class: FailureClass,
    /// What decided; `None` where nothing said anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<DecidedBy>,
    /// The first step that failed, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_step: Option<String>,
}

/// What a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// Of its surroundings: the same may pass when it is run again.
    Transient,
    /// Of what was run: it fails again.
    Permanent,
    /// Nothing tells, so it is left alone.
    Unknown,
}

/// The rule that decided, and the line that it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedBy {
    /// Which rule.
    pub rule: FailureRule,
    /// Where the line stands.
    pub source: FailureSource,
    /// The line, shortened.
    pub line: String,
}

/// A rule about failures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureRule {
    /// What GitHub or its runner says, whatever the job printed.
    Sign(FailureSign),
    /// A pattern of a table.
    Pattern {
        /// Which table.
        table: FailureTable,
        /// The pattern as it is written there.
        pattern: String,
        /// What the table says about it.
        note: String,
    },
}

/// What GitHub or its runner says of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureSign {
    /// It was cancelled by a person, a newer run or a failed sibling.
    Cancelled,
    /// No step failed, and one was cancelled or never ended.
    HostLost,
    /// GitHub heard nothing more of the runner.
    LostCommunication,
    /// The runner was told to shut down.
    ShutDown,
    /// The runner could not write its own files.
    DiskFull,
    /// The time limit of the job or of a step has passed.
    TimedOut,
    /// The process was killed (exit code 137), as for want of memory.
    Killed,
    /// A checker found something in a file of the repository.
    CodeAnnotated,
}

/// A table of patterns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureTable {
    /// The one that comes with the program.
    BuiltIn,
    /// The operator's, from the configuration.
    Configured,
}

/// Where a line stands that says why a job failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureSource {
    /// The list of its steps.
    Steps,
    /// An annotation of its check run.
    Annotation,
    /// A line of its log that the runner marks as an error.
    ErrorLine,
    /// Any other line of its log.
    Log,
}

impl FailureClass {
    /// Whether a re-run may help.
    pub fn is_transient(self) -> bool {
        self == Self::Transient
    }

    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Unknown => "unknown",
        }
    }

    /// All of them.
    pub const ALL: [Self; 3] = [Self::Transient, Self::Permanent, Self::Unknown];
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for FailureSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "it was cancelled on purpose",
            Self::HostLost => "no step failed, and one was cancelled or never ended",
            Self::LostCommunication => "GitHub lost the runner",
            Self::ShutDown => "the runner was told to shut down",
            Self::DiskFull => "the runner's disk was full",
            Self::TimedOut => "its time limit passed",
            Self::Killed => "its process was killed",
            Self::CodeAnnotated => "a checker found something in a file",
        })
    }
}

impl fmt::Display for FailureTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BuiltIn => "the built-in table",
            Self::Configured => "the configuration",
        })
    }
}

impl fmt::Display for FailureSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Steps => "its steps",
            Self::Annotation => "an annotation",
            Self::ErrorLine => "an error line of its log",
            Self::Log => "its log",
        })
    }
}

impl fmt::Display for FailureRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sign(sign) => sign.fmt(f),
            Self::Pattern {
                table,
                pattern,
                note,
            } => write!(f, "pattern {pattern:?} of {table} ({note})"),
        }
    }
}

impl fmt::Display for DecidedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, by {}: {:?}", self.rule, self.source, self.line)
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.decided_by {
            None => write!(f, "{}: nothing tells why it failed", self.class),
            Some(decided_by) => write!(f, "{}: {decided_by}", self.class),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judgement_reads_as_a_sentence_and_is_read_back() {
        let judgement = Judgement {
            class: FailureClass::Transient,
            decided_by: Some(DecidedBy {
                rule: FailureRule::Pattern {
                    table: FailureTable::BuiltIn,
                    pattern: "connection reset".to_owned(),
                    note: "the other side hung up".to_owned(),
                },
                source: FailureSource::ErrorLine,
                line: "curl: (56) Connection reset by peer".to_owned(),
            }),
            failed_step: None,
        };
        assert_eq!(
            judgement.to_string(),
            "transient: pattern \"connection reset\" of the built-in table (the other side hung up), \
             by an error line of its log: \"curl: (56) Connection reset by peer\""
        );
        let sign = Judgement {
            class: FailureClass::Unknown,
            decided_by: Some(DecidedBy {
                rule: FailureRule::Sign(FailureSign::Cancelled),
                source: FailureSource::Annotation,
                line: "The run was canceled by @mona.".to_owned(),
            }),
            failed_step: None,
        };
        for judgement in [judgement, sign] {
            let text = serde_json::to_string(&judgement).expect("writable");
            let back: Judgement = serde_json::from_str(&text).expect("readable");
            assert_eq!(back, judgement);
        }
    }

    #[test]
    fn a_judgement_that_nothing_decided_says_so() {
        let judgement = Judgement {
            class: FailureClass::Unknown,
            decided_by: None,
            failed_step: None,
        };
        assert_eq!(
            judgement.to_string(),
            "unknown: nothing tells why it failed"
        );
        let text = serde_json::to_string(&judgement).expect("writable");
        assert_eq!(text, r#"{"class":"unknown"}"#);
    }

    #[test]
    fn steps_and_annotations_are_read_as_github_writes_them() {
        let step: Step = serde_json::from_str(
            r#"{"name": "Run make", "status": "completed", "conclusion": "failure", "number": 3,
                "started_at": "2026-01-01T10:00:00Z", "completed_at": "2026-01-01T10:00:05.000Z"}"#,
        )
        .expect("readable");
        assert_eq!(step.conclusion, Some(Conclusion::Failure));
        let unfinished: Step = serde_json::from_str(
            r#"{"name": "Run make", "status": "in_progress", "conclusion": null, "number": 4,
                "started_at": null, "completed_at": null}"#,
        )
        .expect("readable");
        assert_eq!(unfinished.status, JobStatus::InProgress);
        let annotation: Annotation = serde_json::from_str(
            r#"{"path": ".github", "annotation_level": "failure", "message": "no"}"#,
        )
        .expect("readable");
        assert_eq!(annotation.level, Some(AnnotationLevel::Failure));
        let bare: Annotation =
            serde_json::from_str(r#"{"annotation_level": "shout", "message": null}"#)
                .expect("readable");
        assert_eq!(
            bare.level,
            Some(AnnotationLevel::Unknown("shout".to_owned()))
        );
    }
}

//! Asking an endpoint of the operator's whether a job is to come back: the question, the answer, and what the
//! ledger keeps of both.
//!
//! Whoever asks by HTTPS or Lambda sends a [`Question`] as JSON and reads the answer with [`read_answer`].
//! An answer was written by somebody else: it is bounded, and cleaned of what no line of text holds.

mod name;
mod question;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::name::{EndpointName, NoEndpointName};
pub use self::question::{AskedJob, AskedRun, Judged, Question, Seen, VERSION};
use crate::instance::Capacity;
use crate::json::JsonError;
use crate::notes::bounded;

/// The most bytes of an answer: a sentence, with room for what others may add to it.
pub const LONGEST_ANSWER: usize = 16 * 1024;

/// What an endpoint answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the job is to come back.
    pub retry: bool,
    /// On what its next attempt may run.
    pub capacity: Option<Capacity>,
    /// Why, in its words.
    pub reason: Option<String>,
}

/// The answer as it is written. What it holds beside that is left to later versions.
#[derive(Deserialize)]
struct Written {
    retry: bool,
    #[serde(default)]
    capacity: Option<Capacity>,
    #[serde(default)]
    reason: Option<String>,
}

/// Reads an answer.
///
/// # Errors
/// It is too long, no JSON, or lacks what it must say.
pub fn read_answer(body: &[u8]) -> Result<Answer, NoAnswer> {
    if body.len() > LONGEST_ANSWER {
        return Err(too_long());
    }
    let written: Written = serde_json::from_slice(body).map_err(|error| NoAnswer::BadAnswer {
        words: clean(&JsonError::from(error).to_string()),
    })?;
    Ok(Answer {
        retry: written.retry,
        capacity: written.capacity,
        reason: written.reason.as_deref().map(clean),
    })
}

/// An answer goes on past [`LONGEST_ANSWER`].
pub fn too_long() -> NoAnswer {
    NoAnswer::BadAnswer {
        words: format!("it is longer than {LONGEST_ANSWER} bytes"),
    }
}

/// Somebody else's words as one line that shows what it holds, and no more of them than are kept.
pub fn clean(text: &str) -> String {
    // They turn the direction of what follows, or stand there unseen.
    let hides = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let blank = |c: char| if c.is_control() || hides(c) { ' ' } else { c };
    let text: String = text.chars().map(blank).collect();
    bounded(
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .as_str(),
    )
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum NoAnswer {
    /// It did not come in time.
    #[error("no whole answer came in time")]
    TimedOut,
    /// No connection, no TLS, or an end in the middle.
    #[error("it cannot be reached: {words}")]
    Unreachable {
        /// What went wrong.
        words: String,
    },
    /// Not 200.
    #[error("it answered with status {status}")]
    BadStatus {
        /// Which.
        status: u16,
    },
    /// What it said is no answer.
    #[error("what it said is no answer: {words}")]
    BadAnswer {
        /// What is wrong with it.
        words: String,
    },
    /// The Lambda function ran, and failed.
    #[error("its function failed: {words}")]
    FunctionFailed {
        /// Lambda's word for it.
        words: String,
    },
    /// A label named it that may not, or nothing of that name is configured.
    #[error("the configuration has no such endpoint for this repository, and it was not asked")]
    NotAllowed,
}

impl NoAnswer {
    /// All words of [`Self::as_str`].
    pub const WORDS: [&str; 6] = [
        "timed-out",
        "unreachable",
        "bad-status",
        "bad-answer",
        "function-failed",
        "not-allowed",
    ];

    /// The word for logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::TimedOut => "timed-out",
            Self::Unreachable { .. } => "unreachable",
            Self::BadStatus { .. } => "bad-status",
            Self::BadAnswer { .. } => "bad-answer",
            Self::FunctionFailed { .. } => "function-failed",
            Self::NotAllowed => "not-allowed",
        }
    }

    /// It cannot be reached.
    pub fn unreachable(words: &str) -> Self {
        Self::Unreachable {
            words: clean(words),
        }
    }
}

/// What the ledger keeps of a question about one execution of a job. It stands, but for a no to a failure that
/// turns out to be an interruption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// Who was asked.
    pub endpoint: EndpointName,
    /// When the answer was there, or was known not to come.
    pub at: Timestamp,
    /// What came of it.
    pub said: Said,
    /// Whether the job was known to be interrupted when it was asked about. A no to a failure is none to an
    /// interruption that shows later.
    #[serde(default, skip_serializing_if = "is_false")]
    pub interrupted: bool,
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl Advice {
    /// Whether it answers a question about a job that is known to be interrupted, or is not.
    pub fn answers(&self, interrupted: bool) -> bool {
        match self.said {
            Said::No { .. } => self.interrupted || !interrupted,
            Said::Yes { .. } | Said::Nothing { .. } => true,
        }
    }
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// The job is to come back.
    Yes {
        /// On what, where it said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capacity: Option<Capacity>,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// It is not.
    No {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// There is no answer, so that the default policy holds.
    Nothing {
        /// Why.
        why: NoAnswer,
    },
}

impl Said {
    /// What an answer, or the lack of one, says.
    pub fn by(answer: Result<Answer, NoAnswer>) -> Self {
        match answer {
            Ok(Answer {
                retry: true,
                capacity,
                reason,
            }) => Self::Yes { capacity, reason },
            Ok(Answer { reason, .. }) => Self::No { reason },
            Err(why) => Self::Nothing { why },
        }
    }

    /// The word for logs and metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Yes { .. } => "yes",
            Self::No { .. } => "no",
            Self::Nothing { why } => why.as_str(),
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, .. } = self;
        let because = |reason: &Option<String>| match reason {
            Some(reason) => format!(": {reason:?}"),
            None => String::new(),
        };
        match &self.said {
            Said::Yes {
                capacity: Some(capacity),
                reason,
            } => write!(
                f,
                "{endpoint} says to re-run it, on {capacity}{}",
                because(reason)
            ),
            Said::Yes { reason, .. } => {
                write!(f, "{endpoint} says to re-run it{}", because(reason))
            }
            Said::No { reason } => {
                write!(f, "{endpoint} says not to re-run it{}", because(reason))
            }
            Said::Nothing { why } => {
                write!(
                    f,
                    "no answer of {endpoint}, so the default policy holds: {why}"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_whether_on_what_and_why_and_may_say_more() {
        let answer =
            read_answer(br#"{"retry": true, "capacity": "spot", "reason": "flaky", "x": 1}"#);
        let yes = Answer {
            retry: true,
            capacity: Some(Capacity::Spot),
            reason: Some("flaky".to_owned()),
        };
        assert_eq!(answer, Ok(yes));
        let answer = read_answer(br#"{"retry": false, "capacity": null, "reason": null}"#);
        let no = Answer {
            retry: false,
            capacity: None,
            reason: None,
        };
        assert_eq!(answer, Ok(no));
    }

    #[test]
    fn what_is_no_answer_says_what_is_wrong_with_it() {
        for (body, problem) in [
            ("", "EOF while parsing"),
            ("<html>", "expected value"),
            ("{}", "missing field `retry`"),
            (r#"{"retry": "yes"}"#, "expected a boolean"),
            (r#"{"retry": 1}"#, "expected a boolean"),
            (
                r#"{"retry": true, "capacity": "cheap"}"#,
                "unknown variant `cheap`",
            ),
            (r#"{"retry": true} {"retry": false}"#, "trailing characters"),
            (
                r#"{"retry": true, "retry": false}"#,
                "duplicate field `retry`",
            ),
        ] {
            let why = read_answer(body.as_bytes()).expect_err(body);
            assert_eq!(why.as_str(), "bad-answer");
            assert!(why.to_string().contains(problem), "{why}");
        }
        let long = format!(
            r#"{{"retry": true, "reason": "{}"}}"#,
            "x".repeat(LONGEST_ANSWER)
        );
        assert_eq!(read_answer(long.as_bytes()), Err(too_long()));
    }

    #[test]
    fn a_reason_is_one_line_of_what_can_be_seen() {
        let body = r#"{"retry": false, "reason": "no:\n\u001b[31m \u202ered\u0000 \t "}"#;
        let answer = read_answer(body.as_bytes()).expect("an answer");
        assert_eq!(answer.reason.as_deref(), Some("no: [31m red"));
        assert_eq!(clean(&"é".repeat(200)).chars().count(), 163);
    }

    #[test]
    fn advice_reads_as_a_sentence_and_is_read_back() {
        let said = [
            (
                Said::Yes {
                    capacity: Some(Capacity::Spot),
                    reason: Some("flaky".to_owned()),
                },
                r#"ci-judge says to re-run it, on spot: "flaky""#,
            ),
            (
                Said::Yes {
                    capacity: None,
                    reason: None,
                },
                "ci-judge says to re-run it",
            ),
            (Said::No { reason: None }, "ci-judge says not to re-run it"),
            (
                Said::Nothing {
                    why: NoAnswer::BadStatus { status: 500 },
                },
                "no answer of ci-judge, so the default policy holds: it answered with status 500",
            ),
            (
                Said::Nothing {
                    why: NoAnswer::TimedOut,
                },
                "no answer of ci-judge, so the default policy holds: no whole answer came in time",
            ),
        ];
        for (said, sentence) in said {
            let advice = Advice {
                endpoint: "ci-judge".parse().expect("a name"),
                at: Timestamp::UNIX_EPOCH,
                said,
                interrupted: true,
            };
            assert_eq!(advice.to_string(), sentence);
            let text = serde_json::to_string(&advice).expect("writable");
            let back: Advice = serde_json::from_str(&text).expect("readable");
            assert_eq!(back, advice);
        }
    }
}

//! What a job asks to be done about its failures.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::advice::{EndpointName, NoEndpointName};

/// What follows when a queued job gets no machine, beside the check run that says so.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum OnLaunchExhausted {
    /// It waits on; another runner may take it, and GitHub ends it after a day.
    #[default]
    LeaveQueued,
    /// Its run is cancelled.
    CancelRun,
}

/// How many re-runs a policy allows a job: 1 to [`Reruns::MOST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reruns(u32);

impl Reruns {
    /// Once.
    pub const ONE: Self = Self(1);

    /// No policy allows more: what fails so often is broken, and each re-run costs a machine.
    pub const MOST: u32 = 5;

    /// So many; `None` where that is none or too many.
    pub fn new(count: u32) -> Option<Self> {
        (1..=Self::MOST).contains(&count).then_some(Self(count))
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

/// The `retry=` label's meaning, or a `[[policy]]` entry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RetryPolicy {
    /// Re-run a job that lost its spot instance, so often.
    WhenInterrupted(Reruns),
    /// Re-run a job that failed, for whatever reason, in a run that ended as failed, so often. It is
    /// written with the attempts that the run has at most, one more.
    WhenFailed(Reruns),
    /// The same of a job whose failure looks as if it would pass.
    WhenTransient(Reruns),
    /// Ask an endpoint of the operator's, whether it was interrupted or failed. Where that does not answer,
    /// [`Self::USUAL`] holds.
    Ask(EndpointName),
    /// Never re-run.
    Never,
}

impl RetryPolicy {
    /// What holds where nothing is said: a job that lost its spot instance is re-run once.
    pub const USUAL: Self = Self::WhenInterrupted(Reruns::ONE);

    /// The highest execution of a job key that is still re-run: 1 means that a job which lost its
    /// instance twice stays failed. 0 re-runs nothing.
    pub fn last_retried_execution(self) -> u32 {
        match self {
            Self::WhenInterrupted(reruns)
            | Self::WhenFailed(reruns)
            | Self::WhenTransient(reruns) => reruns.get(),
            // An endpoint cannot have a job re-run for ever.
            Self::Ask(_) => Reruns::MOST,
            Self::Never => 0,
        }
    }

    /// Which failures without an interruption it re-runs, if any.
    pub fn failure(self) -> Option<FailurePolicy> {
        match self {
            Self::WhenFailed(_) => Some(FailurePolicy::WhenFailed),
            Self::WhenTransient(_) => Some(FailurePolicy::WhenTransient),
            Self::WhenInterrupted(_) | Self::Ask(_) | Self::Never => None,
        }
    }

    /// The endpoint that it asks, if it asks one.
    pub fn endpoint(self) -> Option<EndpointName> {
        match self {
            Self::Ask(endpoint) => Some(endpoint),
            Self::WhenInterrupted(_)
            | Self::WhenFailed(_)
            | Self::WhenTransient(_)
            | Self::Never => None,
        }
    }

    /// What may be written without a number.
    pub const WORDS: [&str; 6] = [
        "when-interrupted",
        "when-failed",
        "when-transient",
        "true",
        "false",
        "0",
    ];
}

/// A policy that re-runs failures which no interruption explains: only where configuration says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailurePolicy {
    /// Whatever made them fail.
    WhenFailed,
    /// Only what looks as if it would pass.
    WhenTransient,
}

impl FailurePolicy {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::WhenFailed, Self::WhenTransient];

    /// The word of labels and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WhenFailed => "when-failed",
            Self::WhenTransient => "when-transient",
        }
    }
}

/// As a label says it.
impl fmt::Display for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::USUAL => f.write_str("when-interrupted"),
            Self::WhenInterrupted(reruns) => write!(f, "when-interrupted:{}", reruns.get()),
            Self::WhenFailed(reruns) => write!(f, "when-failed:{}", attempts(reruns)),
            Self::WhenTransient(reruns) => write!(f, "when-transient:{}", attempts(reruns)),
            Self::Ask(endpoint) => write!(f, "ask:{endpoint}"),
            Self::Never => f.write_str("false"),
        }
    }
}

/// Why a text is no retry policy. It fits behind the name of what was set so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRetryPolicy {
    /// No word that is known.
    #[error("{0:?} is no retry policy")]
    Unknown(String),
    /// A policy with a number that it does not take.
    #[error("{word} takes a number from {least} to {most}, and {number:?} is none")]
    Number {
        /// The policy.
        word: &'static str,
        /// What stands in the place of its number.
        number: String,
        /// The least that it takes.
        least: u32,
        /// The most.
        most: u32,
    },
    /// It asks nobody that has a name.
    #[error("ask: takes the name of an endpoint, and {0}")]
    Endpoint(#[from] NoEndpointName),
}

impl FromStr for RetryPolicy {
    type Err = NoRetryPolicy;

    /// Nothing depends on upper or lower case. A number by itself is how another fleet writes how
    /// often an interrupted job is re-run.
    fn from_str(text: &str) -> Result<Self, NoRetryPolicy> {
        let lower = text.to_ascii_lowercase();
        let (word, number) = match lower.split_once(':') {
            Some((word, number)) => (word, Some(number)),
            None => (lower.as_str(), None),
        };
        match (word, number) {
            ("when-interrupted" | "true", None) => Ok(Self::USUAL),
            ("when-interrupted", Some(number)) => interrupted("when-interrupted", number),
            ("when-failed", number) => {
                before(FailurePolicy::WhenFailed, number.unwrap_or("3")).map(Self::WhenFailed)
            }
            ("when-transient", number) => {
                before(FailurePolicy::WhenTransient, number.unwrap_or("4")).map(Self::WhenTransient)
            }
            ("ask", name) => Ok(Self::Ask(name.unwrap_or_default().parse()?)),
            ("false" | "0", None) => Ok(Self::Never),
            (number, None) if is_number(number) => interrupted("retry", number),
            (_, _) => Err(NoRetryPolicy::Unknown(text.to_owned())),
        }
    }
}

fn interrupted(word: &'static str, number: &str) -> Result<RetryPolicy, NoRetryPolicy> {
    reruns(number)
        .map(RetryPolicy::WhenInterrupted)
        .ok_or_else(|| NoRetryPolicy::Number {
            word,
            number: number.to_owned(),
            least: 1,
            most: Reruns::MOST,
        })
}

/// The number is that of the attempts: those before it are re-run.
fn before(policy: FailurePolicy, number: &str) -> Result<Reruns, NoRetryPolicy> {
    let count = is_number(number).then(|| number.parse::<u32>().ok());
    let reruns = count.flatten().and_then(|count| count.checked_sub(1));
    reruns
        .and_then(Reruns::new)
        .ok_or_else(|| NoRetryPolicy::Number {
            word: policy.as_str(),
            number: number.to_owned(),
            least: attempts(Reruns::ONE),
            most: attempts(Reruns(Reruns::MOST)),
        })
}

/// The attempts that come of so many re-runs.
fn attempts(reruns: Reruns) -> u32 {
    reruns.get().saturating_add(1)
}

fn reruns(number: &str) -> Option<Reruns> {
    let count = is_number(number).then(|| number.parse().ok());
    Reruns::new(count.flatten()?)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl TryFrom<String> for RetryPolicy {
    type Error = NoRetryPolicy;

    fn try_from(text: String) -> Result<Self, NoRetryPolicy> {
        text.parse()
    }
}

impl From<RetryPolicy> for String {
    fn from(policy: RetryPolicy) -> Self {
        policy.to_string()
    }
}

/// How several jobs come back of a run in which others really failed. GitHub re-runs one job, or all failed ones.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum MixedReruns {
    /// All failed jobs in one attempt: the real failures come along.
    #[default]
    FailedJobs,
    /// One after the other, each in an attempt of its own: the real failures stay failed.
    Sequential,
}

/// What it takes to believe that EC2 took a job's instance.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceRule {
    /// The agent's tag is enough, though a job may set it on its own instance.
    #[default]
    Claim,
    /// EC2 itself must say so: by its warning, by the spot request's status or by the state reason.
    Proof,
}

/// Which attempts above 1 are kept off spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDemandRetries {
    /// Every attempt above 1, whatever its labels say.
    #[default]
    Always,
    /// Every attempt above 1 but those of jobs with `retry=false`, which keep their spot label.
    UnlessOptedOut,
    /// Only attempts that Reprise itself asked for; a person's re-run keeps its spot label.
    AutomaticOnly,
    /// Only jobs that ran in an earlier attempt already; one that runs for the first time keeps its spot
    /// label.
    SameJob,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_says_how_often_a_job_is_re_run_at_most() {
        let judge = "judge".parse().expect("a name");
        for (text, policy, last_retried) in [
            ("when-interrupted", RetryPolicy::USUAL, 1),
            ("true", RetryPolicy::USUAL, 1),
            ("1", RetryPolicy::USUAL, 1),
            ("When-Interrupted:3", times(3), 3),
            ("2", times(2), 2),
            ("5", times(5), 5),
            ("when-failed", failed(2), 2),
            ("when-failed:2", failed(1), 1),
            ("WHEN-FAILED:6", failed(5), 5),
            ("when-transient", transient(3), 3),
            ("when-transient:2", transient(1), 1),
            ("Ask:Judge", RetryPolicy::Ask(judge), 5),
            ("false", RetryPolicy::Never, 0),
            ("0", RetryPolicy::Never, 0),
        ] {
            let read: RetryPolicy = text.parse().expect(text);
            assert_eq!(read, policy, "{text}");
            assert_eq!(read.last_retried_execution(), last_retried, "{text}");
            assert_eq!(read.to_string().parse(), Ok(read), "{text}");
        }
    }

    #[test]
    fn what_is_no_policy_is_told_with_what_would_be_one() {
        let told = |text: &str| text.parse::<RetryPolicy>().expect_err(text).to_string();
        for text in ["sometimes", "", "-1", "2.5", "false:1", "when-interrupted "] {
            assert_eq!(told(text), format!("{text:?} is no retry policy"));
        }
        assert_eq!(
            told("when-interrupted:0"),
            "when-interrupted takes a number from 1 to 5, and \"0\" is none"
        );
        for number in ["6", "99999999999999999999"] {
            assert_eq!(
                told(number),
                format!("retry takes a number from 1 to 5, and {number:?} is none")
            );
        }
        for number in ["0", "1", "7", "x"] {
            assert_eq!(
                told(&format!("when-failed:{number}")),
                format!("when-failed takes a number from 2 to 6, and {number:?} is none")
            );
        }
        for name in ["ask", "ask:", "ask:a b", "ask:a:2"] {
            assert!(told(name).contains("is no endpoint's name"), "{name}");
        }
        for number in ["", "x", "+2", "1:2"] {
            let text = format!("when-interrupted:{number}");
            assert!(told(&text).contains("takes a number"), "{text}");
        }
    }

    #[test]
    fn a_stored_policy_is_what_a_label_says() {
        let stored = serde_json::to_string(&times(2)).expect("writable");
        assert_eq!(stored, "\"when-interrupted:2\"");
        let back: RetryPolicy = serde_json::from_str(&stored).expect("readable");
        assert_eq!(back, times(2));
    }

    fn failed(count: u32) -> RetryPolicy {
        RetryPolicy::WhenFailed(Reruns::new(count).expect("within the bounds"))
    }

    fn transient(count: u32) -> RetryPolicy {
        RetryPolicy::WhenTransient(Reruns::new(count).expect("within the bounds"))
    }

    fn times(count: u32) -> RetryPolicy {
        RetryPolicy::WhenInterrupted(Reruns::new(count).expect("within the bounds"))
    }
}

//! What is written down about a notice, so that an agent that starts again goes on with it.
//!
//! Everybody on the machine may read it (the runner's job-completed hook does), so nothing in it is
//! secret. It counts for the boot in which it was written alone: what comes after a stop, or a restart of
//! the machine, is another life.

use std::future::Future;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::notice::{Action, Notice};
use crate::plan::OUTLIVED;
use crate::remaining::{NOTICE_SPAN, Remaining, Standing};
use crate::watch::Seen;

/// The only format there is.
const FORMAT: u32 = 1;

/// Keeps one record, durably.
pub trait Records: Send + Sync {
    /// Which boot this is, and how long it has lasted; the error says what is missing.
    fn boot(&self) -> Result<Boot, String>;

    /// The record as it was saved last, if there is one.
    fn load(&self) -> impl Future<Output = Result<Option<String>, String>> + Send;

    /// Returns when the record would outlive the machine's sudden end.
    fn save(&self, text: String) -> impl Future<Output = Result<(), String>> + Send;

    /// Takes the record away.
    fn remove(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// A life of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// Its own id.
    pub id: String,
    /// How long it has lasted, sleep included.
    pub uptime: SignedDuration,
}

/// How the job was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// By its running step.
    FailStep,
    /// By the runner.
    StopRunner,
}

/// A notice, and how far the agent has come with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    format: u32,
    /// The boot in which it was written.
    pub boot_id: String,
    /// What EC2 is going to do, in its word.
    pub action: String,
    /// When, as the notice said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// When the agent saw it, by its own time of day.
    pub first_seen: Timestamp,
    /// The same, counted from the boot.
    pub first_seen_uptime_ms: i64,
    /// What was left then.
    pub remaining_ms: i64,
    /// What that is worth.
    pub standing: Standing,
    /// The instance, where it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// Whether the notice has gone again.
    #[serde(default)]
    pub gone: bool,
    /// Whether the instance is tagged.
    #[serde(default)]
    pub tagged: bool,
    /// The hooks that were begun.
    #[serde(default)]
    pub hooks_begun: Vec<String>,
    /// How the job was ended, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_ended: Option<Ending>,
}

/// Why a record does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Void {
    /// It cannot be read.
    #[error("it cannot be read")]
    Unreadable,
    /// It was written before the machine started.
    #[error("it is from another boot of this machine")]
    AnotherBoot,
    /// The machine lives long after the end that it tells of.
    #[error("the machine has outlived the interruption that it tells of")]
    Outlived {
        /// How the job was ended, if it was.
        job_ended: Option<Ending>,
    },
}

impl Record {
    /// Of a notice that is seen now, which is `uptime` after the boot.
    pub fn of(seen: &Seen, boot: Boot, instance_id: Option<String>) -> Self {
        Self {
            format: FORMAT,
            boot_id: boot.id,
            action: seen.notice.action.to_string(),
            time: seen.notice.time,
            first_seen: seen.at,
            first_seen_uptime_ms: millis(boot.uptime),
            remaining_ms: millis(seen.remaining.span),
            standing: seen.remaining.standing,
            instance_id,
            gone: false,
            tagged: false,
            hooks_begun: Vec::new(),
            job_ended: None,
        }
    }

    /// A record of this boot that still counts.
    pub fn read(text: &str, boot: &Boot) -> Result<Self, Void> {
        let record: Self = serde_json::from_str(text).map_err(|_| Void::Unreadable)?;
        if record.format != FORMAT || Action::read(&record.action).is_none() {
            return Err(Void::Unreadable);
        }
        if record.boot_id != boot.id {
            return Err(Void::AnotherBoot);
        }
        let since = record.since_first_sight(boot);
        if since < SignedDuration::ZERO || since > record.remaining().span + OUTLIVED {
            let job_ended = record.job_ended;
            return Err(Void::Outlived { job_ended });
        }
        Ok(record)
    }

    /// The record as it is saved.
    pub fn text(&self) -> String {
        // Words and numbers alone: there is nothing in it that could fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// The notice and its first sight, told by a clock that shows `now`.
    pub fn seen(&self, boot: &Boot, now: Timestamp) -> Seen {
        let terminate = || Action::Terminate;
        Seen {
            notice: Notice {
                action: Action::read(&self.action).unwrap_or_else(terminate),
                time: self.time,
            },
            at: now
                .saturating_sub(self.since_first_sight(boot))
                .unwrap_or(now),
            remaining: self.remaining(),
        }
    }

    fn since_first_sight(&self, boot: &Boot) -> SignedDuration {
        boot.uptime - SignedDuration::from_millis(self.first_seen_uptime_ms)
    }

    fn remaining(&self) -> Remaining {
        let span = SignedDuration::from_millis(self.remaining_ms);
        Remaining {
            span: span.clamp(SignedDuration::ZERO, NOTICE_SPAN),
            standing: self.standing,
        }
    }
}

fn millis(duration: SignedDuration) -> i64 {
    crate::agent::millis(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot(id: &str, uptime: i64) -> Boot {
        Boot {
            id: id.to_owned(),
            uptime: SignedDuration::from_secs(uptime),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn seen(at: Timestamp) -> Seen {
        Seen {
            notice: Notice {
                action: Action::Stop,
                time: Some(at),
            },
            at,
            remaining: Remaining {
                span: SignedDuration::from_secs(100),
                standing: Standing::Ahead,
            },
        }
    }

    #[test]
    fn an_agent_that_starts_again_finds_the_same_first_sight_by_its_new_clock() {
        let mut record = Record::of(&seen(at(5000)), boot("a", 60), None);
        record.hooks_begun.push("10-save".to_owned());
        let later = boot("a", 90);
        let read = Record::read(&record.text(), &later).expect("counts");
        assert_eq!(read, record);
        // Its time of day was set back by an hour meanwhile.
        let resumed = read.seen(&later, at(1430));
        assert_eq!(resumed.at, at(1400));
        assert_eq!(resumed.ends_at(), at(1500));
        assert_eq!(resumed.notice.action, Action::Stop);
    }

    #[test]
    fn a_record_of_another_boot_is_void() {
        let record = Record::of(&seen(at(5000)), boot("a", 60), None).text();
        assert_eq!(
            Record::read(&record, &boot("b", 90)),
            Err(Void::AnotherBoot)
        );
    }

    #[test]
    fn a_record_of_an_interruption_that_the_machine_outlived_is_void() {
        let mut record = Record::of(&seen(at(5000)), boot("a", 60), None);
        let outlived = |job_ended| Err(Void::Outlived { job_ended });
        let text = record.text();
        assert!(Record::read(&text, &boot("a", 160 + 600)).is_ok());
        assert_eq!(Record::read(&text, &boot("a", 161 + 600)), outlived(None));
        assert_eq!(Record::read(&text, &boot("a", 59)), outlived(None));
        let ending = Some(Ending::FailStep);
        record.job_ended = ending;
        let read = Record::read(&record.text(), &boot("a", 161 + 600));
        assert_eq!(read, outlived(ending));
    }

    #[test]
    fn half_a_record_and_one_of_another_format_are_void() {
        let record = Record::of(&seen(at(5000)), boot("a", 60), None).text();
        let newer = record.replace("\"format\": 1", "\"format\": 2");
        for text in ["", "{}", "null", &record[..40], &newer] {
            let read = Record::read(text, &boot("a", 90));
            assert_eq!(read, Err(Void::Unreadable), "{text}");
        }
    }
}

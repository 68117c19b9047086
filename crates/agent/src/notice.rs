//! The interruption notice as the metadata service words it.
//!
//! It only reads. What a notice leads to is decided in [`crate::watch`].

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;

use crate::shown::shown;

/// Where the notice stands; 404 while there is none.
pub const NOTICE_PATH: &str = "/latest/meta-data/spot/instance-action";

/// Where a rebalance recommendation stands; 404 while there is none.
pub const REBALANCE_PATH: &str = "/latest/meta-data/events/recommendations/rebalance";

/// EC2's word that it takes the instance back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What EC2 is going to do.
    pub action: Action,
    /// When, if it said so legibly. Not to be trusted: it may be past, absurd or change.
    pub time: Option<Timestamp>,
}

/// What EC2 is going to do with the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// End it.
    Terminate,
    /// Stop it; it may come back, with its tags.
    Stop,
    /// Freeze it, beginning at once.
    Hibernate,
    /// A word that EC2 has added since (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>
    /// has the three above); treated like [`Action::Terminate`].
    Other(String),
}

impl Action {
    /// Reads the word; `None` when there is none.
    pub fn read(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().as_str() {
            "" => None,
            "terminate" => Some(Self::Terminate),
            "stop" => Some(Self::Stop),
            "hibernate" => Some(Self::Hibernate),
            // Cut, because it is shown in logs.
            other => Some(Self::Other(other.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "terminate",
            Self::Stop => "stop",
            Self::Hibernate => "hibernate",
            Self::Other(word) => word,
        })
    }
}

/// What could be made of a notice's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// As documented.
    Clean(Notice),
    /// It has one of EC2's actions, so it is a notice, but its time says nothing.
    NoTime(Notice, Shown),
    /// It is not a notice: it has no action, or neither one that EC2 has nor a time.
    NotANotice(Shown),
}

/// How an odd body begins, fit for a log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(pub String);

/// Reads a body that came with status 200.
///
/// An action that EC2 does not have yet is one that it has added since, where it says when: all of EC2's do, and an
/// instance lives longer in its image than EC2's list of actions. Without that it is anybody's word, and ends no job.
pub fn read_notice(body: &[u8]) -> Reading {
    let odd = || Shown(shown(body));
    let Some((action, time)) = words(body) else {
        return Reading::NotANotice(odd());
    };
    match (action, time) {
        (action, Some(_)) => Reading::Clean(Notice { action, time }),
        (Action::Other(_), None) => Reading::NotANotice(odd()),
        (action @ (Action::Terminate | Action::Stop | Action::Hibernate), None) => {
            Reading::NoTime(Notice { action, time }, odd())
        }
    }
}

fn words(body: &[u8]) -> Option<(Action, Option<Timestamp>)> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let action = Action::read(text("action")?)?;
    let time = text("time").and_then(|text| text.parse().ok());
    Some((action, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_documented_action_is_read_with_its_time() {
        for (word, action) in [
            ("terminate", Action::Terminate),
            ("stop", Action::Stop),
            ("hibernate", Action::Hibernate),
        ] {
            let body = format!(r#"{{"action":"{word}","time":"2026-01-01T00:02:00Z"}}"#);
            let time = "2026-01-01T00:02:00Z".parse().ok();
            assert_eq!(
                read_notice(body.as_bytes()),
                Reading::Clean(Notice { action, time })
            );
        }
    }

    #[test]
    fn an_action_without_a_legible_time_is_still_a_notice() {
        for body in [
            r#"{"action":"stop"}"#,
            r#"{"action":"stop","time":"soon"}"#,
            r#"{"action":"stop","time":12}"#,
        ] {
            let notice = Notice {
                action: Action::Stop,
                time: None,
            };
            let shown = Shown(format!("{body:?}"));
            assert_eq!(read_notice(body.as_bytes()), Reading::NoTime(notice, shown));
        }
    }

    #[test]
    fn a_body_without_an_action_is_not_a_notice() {
        for body in [
            "",
            "null",
            "[]",
            "<html>",
            "{\"action\":",
            r#"{"action":""}"#,
            r#"{"action":7}"#,
            r#"{"time":"2026-01-01T00:02:00Z"}"#,
        ] {
            let shown = Shown(format!("{body:?}"));
            assert_eq!(read_notice(body.as_bytes()), Reading::NotANotice(shown));
        }
    }

    #[test]
    fn an_action_that_ec2_adds_later_is_a_notice_where_it_says_when() {
        let read = read_notice(br#"{"action":"Evict","time":"2026-01-01T00:02:00Z"}"#);
        let Reading::Clean(notice) = read else {
            panic!("not a notice: {read:?}");
        };
        assert_eq!(notice.action, Action::Other("evict".to_owned()));
    }

    #[test]
    fn an_action_that_ec2_does_not_have_is_no_notice_without_a_legible_time() {
        for body in [
            r#"{"action":"explode"}"#,
            r#"{"action":"explode","time":"soon"}"#,
            r#"{"action":"explode","time":12}"#,
        ] {
            let shown = Shown(format!("{body:?}"));
            assert_eq!(read_notice(body.as_bytes()), Reading::NotANotice(shown));
        }
    }
}

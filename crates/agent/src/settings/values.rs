//! What tags begin with, and the time between two polls.

use std::fmt;

use jiff::SignedDuration;
use serde::Deserialize;

/// What tag keys begin with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct TagPrefix(String);

impl Default for TagPrefix {
    fn default() -> Self {
        Self(reprise_model::tags::DEFAULT_PREFIX.to_owned())
    }
}

impl TryFrom<String> for TagPrefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let sound = text.chars().all(|c| {
            c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '=' | '.' | '_' | ':' | '/' | '@')
        });
        if !sound || text.len() > 90 {
            return Err(format!(
                "{text:?} is no prefix of a tag's key; use up to 90 letters, digits and +-=._:/@"
            ));
        }
        if text.to_ascii_lowercase().starts_with("aws:") {
            return Err(format!("{text:?}: keys that begin with aws: belong to AWS"));
        }
        Ok(Self(text))
    }
}

/// The time between two polls, from a millisecond to a minute.
///
/// The lower end is for the bench, which has an agent poll a hundred thousand times within minutes.
/// A real metadata service throttles long before: on an instance a second is the time to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PollInterval(SignedDuration);

impl PollInterval {
    /// The time.
    pub fn get(self) -> SignedDuration {
        self.0
    }
}

impl Default for PollInterval {
    /// A second: a notice is seen within 1.1 s, at a cost of a tenth of a millisecond of CPU.
    fn default() -> Self {
        Self(SignedDuration::from_secs(1))
    }
}

impl TryFrom<SignedDuration> for PollInterval {
    type Error = String;

    fn try_from(interval: SignedDuration) -> Result<Self, Self::Error> {
        let bounds = SignedDuration::from_millis(1)..=SignedDuration::from_secs(60);
        match bounds.contains(&interval) {
            true => Ok(Self(interval)),
            false => Err("a poll interval is between 1ms and 60s".to_owned()),
        }
    }
}

impl TryFrom<String> for PollInterval {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.parse::<SignedDuration>() {
            Ok(interval) => interval.try_into(),
            Err(_) => Err(format!("{text:?} is no time; write it as 1s or 500ms")),
        }
    }
}

impl fmt::Display for TagPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

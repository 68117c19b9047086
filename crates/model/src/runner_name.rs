//! From a runner's name to the instance it runs on.
//!
//! The name says which instance a job claims to have run on, and nothing more: whether that
//! instance exists and is ours is asked of EC2.

use std::fmt;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::ids::{InstanceId, Region, RunnerName};

/// An instance id with no letter or digit right before or after it, so that `multi-0123abcd` is
/// not read as one. The form with 17 digits stands first, as it is what EC2 gives today.
const DEFAULT_PATTERN: &str = "(?:^|[^0-9A-Za-z])\
                               (?<instance>i-[0-9a-f]{17}|i-[0-9a-f]{8})\
                               (?:[^0-9A-Za-z]|$)";

/// The group that every pattern must have.
const INSTANCE: &str = "instance";

/// The group that a pattern may have.
const REGION: &str = "region";

/// How runner names of a fleet hold the instance id, and perhaps the region.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunnerNamePattern(Regex);

/// What a runner's name says of its instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedInstance {
    /// The instance.
    pub id: InstanceId,
    /// Its region, where the pattern has that group and the name fills it.
    pub region: Option<Region>,
}

/// Why a text is no pattern for runner names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRunnerNamePattern {
    /// Not a regular expression.
    #[error("the runner name pattern {pattern:?} is not a regular expression: {problem}")]
    NotARegex {
        /// The pattern as it came.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing in it says where the instance id stands.
    #[error(
        "the runner name pattern {pattern:?} lacks the named group `instance`; \
         write (?<instance>i-[0-9a-f]+) where the instance id stands"
    )]
    NoInstanceGroup {
        /// The pattern as it came.
        pattern: String,
    },
}

impl RunnerNamePattern {
    /// Compiles a pattern; the group `instance` must be in it, `region` may.
    pub fn new(pattern: &str) -> Result<Self, InvalidRunnerNamePattern> {
        let regex = Regex::new(pattern).map_err(|error| InvalidRunnerNamePattern::NotARegex {
            pattern: pattern.to_owned(),
            problem: error.to_string(),
        })?;
        if regex.capture_names().flatten().any(|name| name == INSTANCE) {
            Ok(Self(regex))
        } else {
            Err(InvalidRunnerNamePattern::NoInstanceGroup {
                pattern: pattern.to_owned(),
            })
        }
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The instance that the name holds; `None` when it does not match, or when what the pattern
    /// took for an instance id is none.
    pub fn read(&self, name: &RunnerName) -> Option<NamedInstance> {
        let found = self.0.captures(name.as_str())?;
        let id = found.name(INSTANCE)?.as_str().parse().ok()?;
        let region = found
            .name(REGION)
            .map(|text| text.as_str())
            .filter(|text| !text.is_empty())
            .map(Region::new);
        Some(NamedInstance { id, region })
    }
}

impl Default for RunnerNamePattern {
    #[expect(clippy::expect_used, reason = "a constant; a test compiles it")]
    fn default() -> Self {
        Self::new(DEFAULT_PATTERN).expect("the default pattern is valid")
    }
}

impl PartialEq for RunnerNamePattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for RunnerNamePattern {}

impl TryFrom<String> for RunnerNamePattern {
    type Error = InvalidRunnerNamePattern;

    fn try_from(pattern: String) -> Result<Self, Self::Error> {
        Self::new(&pattern)
    }
}

impl From<RunnerNamePattern> for String {
    fn from(pattern: RunnerNamePattern) -> Self {
        pattern.as_str().to_owned()
    }
}

impl fmt::Display for RunnerNamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &RunnerNamePattern, name: &str) -> Option<(String, Option<String>)> {
        let found = pattern.read(&RunnerName::new(name))?;
        let region = found.region.map(|region| region.to_string());
        Some((found.id.to_string(), region))
    }

    #[test]
    fn the_default_pattern_finds_the_id_anywhere_in_the_name() {
        let pattern = RunnerNamePattern::default();
        for (name, id) in [
            ("i-0123456789abcdef0", "i-0123456789abcdef0"),
            ("runs-on--i-0123456789abcdef0--xYz", "i-0123456789abcdef0"),
            ("eu-west-1_i-0123abcd", "i-0123abcd"),
            ("ip-10-0-0-1.i-0123456789abcdef0", "i-0123456789abcdef0"),
        ] {
            assert_eq!(read(&pattern, name), Some((id.to_owned(), None)), "{name}");
        }
    }

    #[test]
    fn the_default_pattern_takes_no_part_of_a_word_for_an_id() {
        let pattern = RunnerNamePattern::default();
        for name in [
            "",
            "GitHub Actions 12",
            "multi-0123abcd",
            "i-0123abcd9",
            "i-0123456789abcdef01",
            "i-0123456789ABCDEF0",
            "i-0123abcdx",
        ] {
            assert_eq!(read(&pattern, name), None, "{name}");
        }
    }

    #[test]
    fn a_configured_pattern_may_name_the_region() {
        let pattern: RunnerNamePattern =
            serde_json::from_str(r#""^fleet-(?<region>[a-z0-9-]*)/(?<instance>i-[0-9a-f]+)$""#)
                .expect("valid");
        assert_eq!(
            read(&pattern, "fleet-eu-west-1/i-0123abcd"),
            Some(("i-0123abcd".to_owned(), Some("eu-west-1".to_owned())))
        );
        assert_eq!(
            read(&pattern, "fleet-/i-0123abcd"),
            Some(("i-0123abcd".to_owned(), None))
        );
        assert_eq!(read(&pattern, "fleet-eu-west-1/i-012"), None, "no id");
    }

    #[test]
    fn a_pattern_without_the_instance_group_is_refused_with_what_is_missing() {
        let error = RunnerNamePattern::new("^runner-(.*)$").expect_err("no group");
        assert_eq!(
            error.to_string(),
            "the runner name pattern \"^runner-(.*)$\" lacks the named group `instance`; \
             write (?<instance>i-[0-9a-f]+) where the instance id stands"
        );
        let error = RunnerNamePattern::new("(").expect_err("no expression");
        assert!(error.to_string().contains("unclosed group"), "{error}");
    }

    #[test]
    fn a_pattern_survives_serialisation() {
        let pattern = RunnerNamePattern::default();
        let text = serde_json::to_string(&pattern).expect("serialises");
        let back: RunnerNamePattern = serde_json::from_str(&text).expect("deserialises");
        assert_eq!(back, pattern);
    }
}

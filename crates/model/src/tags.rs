//! The tags that Reprise and its agent put on instances.
//!
//! The prefix is configurable; the default is the protocol that other runner fleets know too.

use serde::{Deserialize, Serialize};

/// The prefix of every tag key unless configuration says otherwise.
pub const DEFAULT_PREFIX: &str = "runs-on-";

/// What no key that a label sets may begin with, whatever our own prefix is.
const RESERVED: [&str; 3] = [DEFAULT_PREFIX, "reprise-", "aws:"];

/// The value of a tag that only says yes.
pub const TRUE: &str = "true";

/// The tag keys of one installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TagKeys {
    prefix: String,
}

impl Default for TagKeys {
    fn default() -> Self {
        Self {
            prefix: DEFAULT_PREFIX.to_owned(),
        }
    }
}

impl TagKeys {
    /// Keys that begin with `prefix`.
    pub fn with_prefix(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    /// Set to `true` by the agent when EC2 gave notice: `runs-on-workflow-job-interrupted`.
    pub fn interrupted(&self) -> String {
        self.key("workflow-job-interrupted")
    }

    /// The stack that launched the instance.
    pub fn stack(&self) -> String {
        self.key("stack-name")
    }

    /// The launch claim that the instance was launched for.
    pub fn launch(&self) -> String {
        self.key("launch-id")
    }

    /// The request that brought the instance: a launch may make several, and only a repeat of the same
    /// one brings no other instance.
    pub fn request(&self) -> String {
        self.key("launch-request")
    }

    /// `spot` or `on-demand`, as asked for.
    pub fn capacity(&self) -> String {
        self.key("capacity")
    }

    /// The `runs-on` labels that the instance's runner registers with, joined by a space: no label
    /// holds one, and a tag may, while it may hold no comma.
    pub fn labels(&self) -> String {
        self.key("labels")
    }

    /// The repository whose queued job the instance was launched for.
    pub fn repository(&self) -> String {
        self.key("repository")
    }

    /// The run whose queued job the instance was launched for.
    pub fn run(&self) -> String {
        self.key("workflow-run-id")
    }

    /// The job that the instance's runner took, by its id.
    pub fn job(&self) -> String {
        self.key("workflow-job-id")
    }

    /// When its runner took it.
    pub fn job_started(&self) -> String {
        self.key("workflow-job-started")
    }

    /// Whether a key is not for labels to set: it begins as one of ours or of AWS's own do, in any
    /// case. A forged tag could make an instance another stack's, or look interrupted.
    pub fn reserves(&self, key: &str) -> bool {
        let key = key.to_lowercase();
        let prefix = self.prefix.to_lowercase();
        RESERVED.iter().any(|reserved| key.starts_with(reserved)) || key.starts_with(&prefix)
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interruption_tag_is_the_protocols() {
        assert_eq!(
            TagKeys::default().interrupted(),
            "runs-on-workflow-job-interrupted"
        );
        assert_eq!(
            TagKeys::with_prefix("x:").interrupted(),
            "x:workflow-job-interrupted"
        );
    }

    #[test]
    fn every_tag_has_a_key_of_its_own_under_one_prefix() {
        let keys = TagKeys::with_prefix("x:");
        let mut all = vec![
            keys.interrupted(),
            keys.stack(),
            keys.launch(),
            keys.capacity(),
            keys.labels(),
            keys.repository(),
            keys.run(),
            keys.job(),
            keys.job_started(),
        ];
        assert!(all.iter().all(|key| key.starts_with("x:")), "{all:?}");
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 9);
    }

    #[test]
    fn keys_of_ours_and_of_aws_are_not_for_labels_to_set() {
        let keys = TagKeys::with_prefix("X-");
        for key in [
            "runs-on-a",
            "Runs-On-a",
            "reprise-a",
            "aws:a",
            "AWS:a",
            "x-a",
            "X-A",
        ] {
            assert!(keys.reserves(key), "{key}");
        }
        for key in ["team", "runs-on", "x", "awsome", "my-runs-on-a"] {
            assert!(!keys.reserves(key), "{key}");
        }
    }

    #[test]
    fn the_keys_are_configured_by_their_prefix_alone() {
        let keys: TagKeys = serde_json::from_str("\"x:\"").expect("readable");
        assert_eq!(keys, TagKeys::with_prefix("x:"));
        assert_eq!(serde_json::to_string(&keys).expect("writable"), "\"x:\"");
    }
}

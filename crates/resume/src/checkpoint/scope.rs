//! Whose checkpoint it is.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use super::trust::Trust;
use crate::key::Prefix;

/// What all keys of checkpoints begin with.
const FOLDER: &str = "checkpoints";

/// In a key a job's name is one part, whatever it is made of. Stores and shells have their own mind of `%`, so it is written `=`.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// A job of a run, through all of its attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    repository: String,
    trust: String,
    run_id: u64,
    job: String,
}

impl Scope {
    /// That of a job.
    ///
    /// # Errors
    /// Where the repository is none, or the names are too long for a key.
    pub fn new(
        repository: &str,
        trust: &Trust,
        run_id: u64,
        job: &str,
    ) -> Result<Self, CheckpointError> {
        let parts: Vec<&str> = repository.split('/').collect();
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let is_name = |name: &&str| !name.is_empty() && name.chars().all(is_letter);
        if parts.len() != 2 || !parts.iter().all(is_name) {
            return Err(CheckpointError::Variable("GITHUB_REPOSITORY"));
        }
        let scope = Self {
            repository: repository.to_owned(),
            trust: trust.as_part(),
            run_id,
            job: job.to_owned(),
        };
        scope.prefix()?;
        Ok(scope)
    }

    /// The run, as GitHub numbers it.
    pub fn run_id(&self) -> u64 {
        self.run_id
    }

    /// What all keys of this job's checkpoints begin with.
    pub(super) fn prefix(&self) -> Result<Prefix, CheckpointError> {
        let Self {
            repository,
            trust,
            run_id,
            job,
        } = self;
        // The trust first: in a policy `checkpoints/fork-*` then means what it says, as `*` there goes over `/`, too.
        let encoded = utf8_percent_encode(job, PART).to_string().replace('%', "=");
        let text = format!("{FOLDER}/{trust}/{repository}/{run_id}/{encoded}");
        Prefix::parse(&text).map_err(|source| CheckpointError::Key {
            job: job.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(repository: &str, job: &str) -> Option<String> {
        let scope = Scope::new(repository, &Trust::Fork(7), 9, job).ok()?;
        scope.prefix().ok().map(|prefix| prefix.as_str().to_owned())
    }

    #[test]
    fn a_jobs_name_is_one_part_of_its_keys() {
        for (job, part) in [
            ("build", "build"),
            ("Build [a/b]", "Build=20=5Ba=2Fb=5D"),
            ("..", "=2E=2E"),
            ("a/../../own", "a=2F=2E=2E=2F=2E=2E=2Fown"),
        ] {
            let wanted = format!("checkpoints/fork-7/acme/shop/9/{part}");
            assert_eq!(prefix("acme/shop", job), Some(wanted));
        }
        assert_eq!(prefix("acme/shop", ""), None);
        assert_eq!(prefix("acme/shop", &"x".repeat(2_000)), None);
    }

    #[test]
    fn a_repository_has_an_owner_and_a_name() {
        for repository in ["", "acme", "acme/shop/x", "../shop", "acme/", "a b/c"] {
            let found = prefix(repository, "build");
            assert!(found.is_none(), "{repository}: {found:?}");
        }
    }
}

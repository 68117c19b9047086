//! Names of artifacts outside of a manifest: `put` and `get` write them as the manifest does.

use std::path::Path;

use thiserror::Error;

use crate::hash::{FileSet, HashError, Hashes};
use crate::run::RunFacts;
use crate::template::{Slot, Template};

/// Why a text is not what it could be in a run.
#[derive(Debug, Error)]
pub enum FillError {
    /// It is no text with placeholders, or one of them has no value.
    #[error("{text:?} {why}")]
    Text {
        /// What was written.
        text: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// Files that it names could not be read.
    #[error(transparent)]
    Hash(#[from] HashError),
}

/// A text with the placeholders of the run filled in, as `{workflow_id}` and `{hash:GLOB}` of files of the workspace.
///
/// # Errors
///
/// Says which placeholder is none, or has no value here.
pub fn fill(text: &str, run: &RunFacts, workspace: &Path) -> Result<String, FillError> {
    let wrong = |why| FillError::Text {
        text: text.to_owned(),
        why,
    };
    let template = Template::parse(text).map_err(wrong)?;
    let files: Vec<&FileSet> = template.slots().filter_map(files).collect();
    let hashes = Hashes::of(files, workspace)?;
    template.filled(run, &hashes).map_err(wrong)
}

fn files(slot: &Slot) -> Option<&FileSet> {
    match slot {
        Slot::Hash(files) => Some(files),
        Slot::Run(_) | Slot::Matrix(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let variables = [
            ("GITHUB_REPOSITORY", "acme/shop"),
            (
                "GITHUB_WORKFLOW_REF",
                "acme/shop/.github/workflows/ci.yml@refs/heads/main",
            ),
            ("GITHUB_RUN_NUMBER", "17"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let run = RunFacts::from_environment(&variables.into());
        fill(text, &run, Path::new(env!("CARGO_MANIFEST_DIR"))).map_err(|error| error.to_string())
    }

    #[test]
    fn an_artifact_is_named_as_the_manifest_names_it() {
        assert_eq!(
            filled("s3://ours/{repository}/{workflow_id}/{run_number}/a.deb").as_deref(),
            Ok("s3://ours/acme/shop/ci.yml/17/a.deb")
        );
        assert_eq!(filled("a{{b}}").as_deref(), Ok("a{b}"));
        let hashed = filled("{hash:Cargo.toml}").expect("a hash");
        assert_eq!(hashed.len(), 64);
    }

    #[test]
    fn a_placeholder_without_a_value_is_told() {
        for (text, told) in [
            ("{sha}", "GITHUB_SHA"),
            ("{distro}", "{distro}"),
            ("{run_number", "without its }"),
            ("{hash:none/*}", "none/*"),
        ] {
            let error = filled(text).expect_err(text);
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}

//! What a job knows of itself, from the variables that GitHub and the runner set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use reprise_resume::checkpoint::{CheckpointError, Places, Scope, Trust};
use serde_json::Value;

/// What the declaration is called, in the folder that the runner clears before and after each job.
pub(super) const DECLARATION: &str = "reprise-checkpoint.json";

/// A job that runs.
pub(super) struct Facts<'a> {
    environment: &'a BTreeMap<String, String>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(environment: &'a BTreeMap<String, String>) -> Self {
        Self { environment }
    }

    fn variable(&self, name: &'static str) -> Result<&'a str, CheckpointError> {
        let value = self.environment.get(name).map(String::as_str);
        let value = value.filter(|value| !value.is_empty());
        value.ok_or(CheckpointError::Variable(name))
    }

    fn number<N: std::str::FromStr>(&self, name: &'static str) -> Result<N, CheckpointError> {
        let text = self.variable(name)?;
        text.parse().map_err(|_| CheckpointError::Variable(name))
    }

    fn folder(&self, name: &'static str) -> Result<PathBuf, CheckpointError> {
        let path = PathBuf::from(self.variable(name)?);
        if path.is_absolute() {
            Ok(path)
        } else {
            Err(CheckpointError::Variable(name))
        }
    }

    pub(super) fn attempt(&self) -> Result<u32, CheckpointError> {
        self.number("GITHUB_RUN_ATTEMPT")
    }

    /// As the AWS programs find it.
    pub(super) fn region(&self) -> Option<String> {
        let found = ["AWS_REGION", "AWS_DEFAULT_REGION"].map(|name| self.variable(name).ok());
        found.into_iter().flatten().next().map(str::to_owned)
    }

    /// Where the runner's files for this job are.
    pub(super) fn scratch(&self) -> Result<PathBuf, CheckpointError> {
        self.folder("RUNNER_TEMP")
    }

    pub(super) fn places(&self, paths: &[PathBuf]) -> Result<Places, CheckpointError> {
        let (workspace, home) = (self.folder("GITHUB_WORKSPACE")?, self.folder("HOME")?);
        Places::new(&workspace, &home, paths)
    }

    /// Whose checkpoint it is; jobs of a matrix need a name of their own, as they all have the same id.
    pub(super) fn scope(&self, name: Option<&str>) -> Result<Scope> {
        let repository = self.variable("GITHUB_REPOSITORY")?;
        let event = self.folder("GITHUB_EVENT_PATH")?;
        let event = read(&event)?;
        let trust = Trust::of(self.variable("GITHUB_EVENT_NAME")?, &event, repository)?;
        let job = match name {
            Some(name) => name,
            None => self.variable("GITHUB_JOB")?,
        };
        Ok(Scope::new(
            repository,
            &trust,
            self.number("GITHUB_RUN_ID")?,
            job,
        )?)
    }
}

fn read(event: &Path) -> Result<Value> {
    let text = std::fs::read(event);
    let text =
        text.with_context(|| format!("failed to read GitHub's event in {}", event.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is not JSON, as GitHub's event is", event.display()))
}

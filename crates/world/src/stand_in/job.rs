//! What the stand-in is told to run.

use serde::{Deserialize, Serialize};

/// A job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Job {
    /// Its name in the workflow file.
    pub name: String,
    /// `owner/name`.
    pub repository: String,
    /// The run.
    pub run_id: u64,
    /// The run's attempt.
    pub run_attempt: u32,
    /// What started the run.
    pub event_name: String,
    /// The image of its container, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Its steps.
    pub steps: Vec<Step>,
    /// By how much shorter the runner's own waits are.
    pub pace: u32,
}

impl Default for Job {
    fn default() -> Self {
        Self {
            name: "build".to_owned(),
            repository: "acme/shop".to_owned(),
            run_id: 4711,
            run_attempt: 1,
            event_name: "push".to_owned(),
            container: None,
            steps: Vec::new(),
            pace: 1,
        }
    }
}

/// A step of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    /// Its name; `Run ` and its first line without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its script.
    pub run: String,
    /// When it runs.
    #[serde(rename = "if", skip_serializing_if = "Condition::is_default")]
    pub condition: Condition,
    /// Whether the job goes on as if it had succeeded when it fails.
    pub continue_on_error: bool,
    /// The scripts of a composite action, instead of `run`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub composite: Vec<String>,
    /// What its action does after the job, as the saving of a cache; only a step that ran has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// Whether the next step starts at once.
    pub background: bool,
}

impl Step {
    /// A step with a name and a script.
    pub fn new(name: &str, run: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            run: run.to_owned(),
            ..Self::default()
        }
    }

    /// The same with a condition.
    #[must_use]
    pub fn when(self, condition: Condition) -> Self {
        Self { condition, ..self }
    }

    /// What people see.
    pub fn display_name(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("Run {}", self.run.lines().next().unwrap_or_default()),
        }
    }
}

/// When a step runs: the conditions of GitHub's that ask for the job's state alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// Nothing failed.
    #[default]
    #[serde(rename = "success()")]
    Success,
    /// Something failed.
    #[serde(rename = "failure()")]
    Failure,
    /// The job is cancelled.
    #[serde(rename = "cancelled()")]
    Cancelled,
    /// Whatever happened, unless it is cancelled.
    #[serde(rename = "!cancelled()")]
    NotCancelled,
    /// Whatever happened.
    #[serde(rename = "always()")]
    Always,
}

impl Condition {
    /// As the workflow file has it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Success => "success()",
            Self::Failure => "failure()",
            Self::Cancelled => "cancelled()",
            Self::NotCancelled => "!cancelled()",
            Self::Always => "always()",
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

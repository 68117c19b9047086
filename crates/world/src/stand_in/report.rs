//! What the stand-in says of a job that has ended.

use serde::{Deserialize, Serialize};

/// A job that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Its conclusion at GitHub.
    pub conclusion: Conclusion,
    /// What the runner itself said of the job, as that it was told to shut down.
    pub annotations: Vec<String>,
    /// Its steps in the order in which they ended, hooks and post steps too.
    pub steps: Vec<StepReport>,
}

impl Report {
    /// A step by its name.
    pub fn step(&self, name: &str) -> Option<&StepReport> {
        self.steps.iter().find(|step| step.name == name)
    }
}

/// A step that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// What people see.
    pub name: String,
    /// How it ended, before `continue-on-error`.
    pub outcome: Conclusion,
    /// How it counted.
    pub conclusion: Conclusion,
    /// All that it said.
    pub output: String,
}

/// GitHub's words for an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Conclusion {
    /// It went well.
    Success,
    /// It failed.
    Failure,
    /// It was ended.
    Cancelled,
    /// It did not run.
    Skipped,
}

//! What a step finds in its environment (`Runner.Worker/GitHubContext.cs`, `Runner.Sdk/ProcessInvoker.cs`).

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use reprise_world::stand_in::{Installed, Job};

/// The environment and the places of a job's steps.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) variables: BTreeMap<&'static str, String>,
    pub(crate) workspace: PathBuf,
    pub(crate) scripts: PathBuf,
}

impl Surroundings {
    pub(crate) fn of(runner: &Installed, job: &Job) -> io::Result<Self> {
        let workspace = runner.workspace(job);
        let scripts = runner.root().join("_work").join("_temp");
        std::fs::create_dir_all(&workspace)?;
        std::fs::create_dir_all(&scripts)?;
        let variables = BTreeMap::from([
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_REPOSITORY", job.repository.clone()),
            ("GITHUB_RUN_ID", job.run_id.to_string()),
            ("GITHUB_RUN_ATTEMPT", job.run_attempt.to_string()),
            ("GITHUB_JOB", job.name.clone()),
            ("GITHUB_EVENT_NAME", job.event_name.clone()),
            ("GITHUB_WORKSPACE", workspace.display().to_string()),
            ("RUNNER_TEMP", scripts.display().to_string()),
            (
                "RUNNER_TRACKING_ID",
                format!("github_{}", std::process::id()),
            ),
        ]);
        Ok(Self {
            variables,
            workspace,
            scripts,
        })
    }
}

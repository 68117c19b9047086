//! The Worker's log, in the shape of the real one (`Runner.Common/HostTraceListener.cs`, `Worker.cs`).

use std::fs::File;
use std::io::{self, Write};
use std::sync::Mutex;

use jiff::Timestamp;
use reprise_world::stand_in::{Installed, Job, Step};
use serde_json::{Value, json};

/// A log that is being written.
#[derive(Debug)]
pub(crate) struct Diagnostics(Mutex<File>);

impl Diagnostics {
    pub(crate) fn start(runner: &Installed) -> io::Result<Self> {
        let folder = runner.diagnostics();
        std::fs::create_dir_all(&folder)?;
        let name = format!("Worker_{}-utc.log", now().strftime("%Y%m%d-%H%M%S"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(folder.join(name));
        Ok(Self(Mutex::new(file?)))
    }

    /// One event; a log that cannot be written stops no job.
    pub(crate) fn info(&self, source: &str, text: &str) {
        let line = format!(
            "[{} INFO {source}] {text}\n",
            now().strftime("%Y-%m-%d %H:%M:%SZ")
        );
        if let Ok(mut file) = self.0.lock() {
            let _ = file.write_all(line.as_bytes());
        }
    }

    /// The job as GitHub sent it, over many lines.
    pub(crate) fn job_message(&self, job: &Job) {
        let text = serde_json::to_string_pretty(&job_message(job)).unwrap_or_default();
        self.info("Worker", &format!("Job message:\n {text}"));
    }
}

/// `AgentJobRequestMessage`, as far as steps and containers go. Literals without a place in a file are plain
/// values, others objects (`TemplateTokenJsonConverter.cs`); there are both kinds here.
fn job_message(job: &Job) -> Value {
    let steps: Vec<Value> = job.steps.iter().map(step).collect();
    let mut message = json!({
        "messageType": "RunnerJobRequest",
        "jobDisplayName": job.name,
        "jobName": "__default",
        "requestId": 0,
        "resources": {"endpoints": [{"name": "SystemVssConnection", "url": "https://pipelines.example/"}]},
        "contextData": {"github": {"t": 2, "d": [{"k": "repository", "v": job.repository}]}},
        "steps": steps,
        "variables": {"system.github.job": {"value": job.name}},
    });
    if let Some(image) = &job.container {
        message["jobContainer"] = json!(image);
    }
    message
}

fn step(step: &Step) -> Value {
    let kind = if step.composite.is_empty() {
        "script"
    } else {
        "repository"
    };
    let mut value = json!({
        "type": "action",
        "reference": {"type": kind},
        "condition": step.condition.text(),
        "name": "__run",
    });
    if let Some(name) = &step.name {
        value["displayName"] = json!(name);
        value["displayNameToken"] =
            json!({"type": 0, "file": 1, "line": 9, "col": 15, "lit": name});
    }
    if step.continue_on_error {
        value["continueOnError"] =
            json!({"type": 5, "file": 1, "line": 9, "col": 28, "bool": true});
    }
    if step.background {
        value["background"] = json!(true);
    }
    value
}

#[expect(clippy::disallowed_methods, reason = "a log tells the time of day")]
fn now() -> Timestamp {
    Timestamp::now()
}

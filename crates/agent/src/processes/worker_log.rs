//! What the Worker's log says of the step that runs: whether the job fails when that step fails.
//!
//! The Worker writes the job's message there as JSON when it begins, and a line for each step that it
//! comes to. Secrets are masked in it with `***`, wherever they occur, so a mask may stand anywhere.
//!
//! Invariants: what cannot be told is [`StepVerdict::Unclear`], never a guess: a job that goes on past
//! its killed step and succeeds is the worst end of all. Nothing that is read is kept or shown. The file
//! is the one that the Worker holds open, whatever stands under its name, and no more than
//! [`LOG_LIMIT`] of it is read: a job may write there.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use serde::Deserialize;
use serde_json::Value;

use super::{ProcFolder, Process};

/// The line that the job's message follows.
const MESSAGE_MARK: &str = "Job message:";

/// At the beginning of a step, then its name in quotes.
const STEP_MARK: &str = "Processing step: DisplayName='";

/// The same for a step within a composite action.
const EMBEDDED_MARK: &str = "Processing embedded step: DisplayName='";

/// The longest line that is looked at; longer ones hold no marks.
const LINE_LIMIT: u64 = 16 * 1024;

/// The longest log that is read, some tenths of a second; a step's own output is not in it, so that
/// hours of a job are a few megabytes.
pub const LOG_LIMIT: u64 = 64 * 1024 * 1024;

/// What the name of a step begins with that has not been given one, or that the runner made itself.
const MADE_NAMES: [&str; 3] = ["Run ", "Pre ", "Post "];

/// Whether a job fails with the step that runs in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepVerdict {
    /// The job fails when the step fails.
    FailsTheJob,
    /// It may go on and succeed, or nobody can tell.
    Unclear(Unclear),
}

/// Why a step must not be ended alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// Its processes are not the Worker's children.
    #[error("the job runs in a container")]
    Container,
    /// Its failure would be passed over.
    #[error("the step may fail without failing the job (continue-on-error)")]
    ContinueOnError,
    /// A step within an action, whose own text is not in the log.
    #[error("the step belongs to a composite action, which may pass over its failure")]
    Composite,
    /// Several steps run at once.
    #[error("steps run in the background")]
    Background,
    /// The step is not one of those in the job's message, or one of several with its name.
    #[error("the step cannot be told from one that may fail (continue-on-error)")]
    Unnamed,
    /// The message is not there, or not to be read.
    #[error("the runner's log does not say what the job is made of")]
    NoMessage,
    /// The end of the log, which tells of the step that runs, is not reached.
    #[error("the runner's log is too long, or takes too long, to be read to its end")]
    TooLong,
    /// Its processes belong to somebody else.
    #[error("the agent may not signal the step's processes")]
    NotAllowed,
    /// No step has begun.
    #[error("the runner's log names no step")]
    NoStep,
}

impl ProcFolder {
    /// Whether the job of a Worker fails when the step that it runs fails. Reads a file: not to be
    /// called where others wait.
    pub fn step_verdict(&self, worker: Process) -> StepVerdict {
        match self.log_of(worker) {
            Some(log) if self.lives(worker) => read_bounded(log),
            Some(_) | None => StepVerdict::Unclear(Unclear::NoMessage),
        }
    }

    /// The log that the Worker has open.
    fn log_of(&self, worker: Process) -> Option<File> {
        let open = std::fs::read_dir(self.of(worker.pid).join("fd")).ok()?;
        let links = open.flatten().map(|link| link.path());
        let named = links.filter_map(|link| Some((std::fs::read_link(&link).ok()?, link)));
        let logs = named.filter(|(name, _)| is_worker_log(name));
        // Their names hold the time of day, so the youngest sorts last.
        let (_, link) = logs.max()?;
        open_file(&link)
    }
}

/// By the kernel's link to what is open already. What is no file, or none any more, is not waited for.
fn open_file(link: &Path) -> Option<File> {
    let no_wait = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(no_wait)
        .open(link)
        .ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

fn read_bounded(log: File) -> StepVerdict {
    match log.metadata() {
        Ok(metadata) if metadata.len() > LOG_LIMIT => StepVerdict::Unclear(Unclear::TooLong),
        Ok(_) => read(BufReader::new(log.take(LOG_LIMIT))),
        Err(_) => StepVerdict::Unclear(Unclear::NoMessage),
    }
}

fn is_worker_log(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("Worker_") && name.ends_with(".log"))
}

/// Reads a Worker's log from its beginning.
pub fn read(mut log: impl BufRead) -> StepVerdict {
    match read_job(&mut log) {
        None => StepVerdict::Unclear(Unclear::NoMessage),
        Some(job) => match job.unclear(&read_last_step(&mut log)) {
            Some(why) => StepVerdict::Unclear(why),
            None => StepVerdict::FailsTheJob,
        },
    }
}

/// The job's message, as far as it counts here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    #[serde(default)]
    job_container: Value,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    #[serde(default)]
    continue_on_error: Value,
    #[serde(default)]
    background: Value,
    #[serde(default)]
    display_name: Value,
    #[serde(default)]
    display_name_token: Value,
    /// Its other words; one with a mask in its name could be any of the above.
    #[serde(flatten)]
    others: std::collections::BTreeMap<String, serde::de::IgnoredAny>,
}

/// The last step that the log names.
#[derive(Debug, Default)]
struct Current {
    name: Option<String>,
    embedded: bool,
}

impl Job {
    fn unclear(&self, current: &Current) -> Option<Unclear> {
        let Some(name) = &current.name else {
            return Some(Unclear::NoStep);
        };
        if !self.job_container.is_null() {
            Some(Unclear::Container)
        } else if current.embedded {
            Some(Unclear::Composite)
        } else if self.steps.iter().any(Step::is_background) {
            Some(Unclear::Background)
        } else if self.steps.iter().all(Step::fails_its_job) {
            None
        } else {
            self.unclear_among_others(name)
        }
    }

    /// Of a job that has a step which may fail: only a step that surely is another one is clear.
    fn unclear_among_others(&self, name: &str) -> Option<Unclear> {
        let alike: Vec<&Step> = self.steps.iter().filter(|s| s.is_named(name)).collect();
        let made = MADE_NAMES.iter().any(|made| name.starts_with(made));
        let mut may_pass = self.steps.iter().filter(|step| !step.fails_its_job());
        match alike[..] {
            // Its name is made while the job runs, and could be this one.
            _ if may_pass.any(Step::is_named_by_an_expression) => Some(Unclear::Unnamed),
            [step] if !step.fails_its_job() => Some(Unclear::ContinueOnError),
            [_] if !made => None,
            _ => Some(Unclear::Unnamed),
        }
    }
}

impl Step {
    fn fails_its_job(&self) -> bool {
        let named = match &self.continue_on_error {
            Value::Null => true,
            Value::Bool(continues) => !continues,
            // A literal with its place in the file; an expression has no such word.
            Value::Object(token) => token.get("bool") == Some(&Value::Bool(false)),
            Value::Number(_) | Value::String(_) | Value::Array(_) => false,
        };
        named && !self.others.keys().any(|name| name.contains("***"))
    }

    fn is_background(&self) -> bool {
        !matches!(self.background, Value::Null | Value::Bool(false))
    }

    fn is_named_by_an_expression(&self) -> bool {
        match &self.display_name_token {
            Value::Null | Value::String(_) => false,
            Value::Object(token) => !token.get("lit").is_some_and(Value::is_string),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => true,
        }
    }

    fn is_named(&self, name: &str) -> bool {
        let is = |value: &Value| value.as_str() == Some(name);
        let literal = self.display_name_token.get("lit");
        is(&self.display_name) || is(&self.display_name_token) || literal.is_some_and(is)
    }
}

/// The message is one JSON value that begins on the line after its mark.
fn read_job(log: &mut impl BufRead) -> Option<Job> {
    loop {
        let line = next_line(log)?;
        if line.trim_end().ends_with(MESSAGE_MARK) {
            break;
        }
    }
    let mut values = serde_json::Deserializer::from_reader(log);
    Job::deserialize(&mut values).ok()
}

fn read_last_step(log: &mut impl BufRead) -> Current {
    let mut current = Current::default();
    while let Some(line) = next_line(log) {
        if let Some((_, name)) = line.split_once(STEP_MARK) {
            let name = name.trim_end().trim_end_matches('\'');
            current = Current {
                name: Some(name.to_owned()),
                embedded: false,
            };
        } else if line.contains(EMBEDDED_MARK) {
            current.embedded = true;
        }
    }
    current
}

/// The next line or, of a very long one, its next part.
fn next_line(log: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    let read = Read::take(&mut *log, LINE_LIMIT).read_until(b'\n', &mut line);
    match read {
        Ok(1..) => Some(String::from_utf8_lossy(&line).into_owned()),
        Ok(0) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests;

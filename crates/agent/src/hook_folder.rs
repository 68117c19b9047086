//! The hooks of a folder: executables, each in a process group of its own.
//!
//! A hook is told what it needs in its environment and nothing else: neither the agent's own
//! environment nor the job's. What it prints goes to the log, line by line, within bounds.
//!
//! Invariant: what somebody else than the agent's user (or root) could have written does not run.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::host::HookWords;

mod listing;

use listing::Skipped;
pub(crate) use listing::{Listing, look};

/// Where a hook's own commands are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The longest line of a hook that is logged whole.
const LINE_BYTES: u64 = 2048;

/// How many lines of one hook are logged: a chatty one must not fill the journal's quota, which
/// would hide the agent's own lines.
const LINES: u32 = 200;

/// How often a hook is started again whose file is busy, and the pause before each.
const BUSY_TRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// Runs one to its end; dropped before, it is killed with all that it has started.
pub(crate) async fn run(folder: &Path, name: &str, words: &HookWords) -> Result<(), String> {
    let mut command = Command::new(folder.join(name));
    command
        .env_clear()
        .envs(environment(words))
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = started(&mut command)
        .await
        .map_err(|error| format!("it cannot be started: {error}"))?;
    let mut group = Group::of(&child);
    let output = (child.stdout.take(), child.stderr.take());
    let status = {
        let output = async {
            tokio::join!(log(name, "out", output.0), log(name, "err", output.1));
        };
        tokio::pin!(output);
        tokio::select! {
            biased;
            // What it left running may hold its output open, and is not waited for.
            status = child.wait() => {
                drain(output.as_mut()).await;
                status
            }
            () = output.as_mut() => child.wait().await,
        }
    };
    group.let_go();
    ended(status)
}

/// A file that somebody still writes, or another process has inherited open, is busy for a moment.
#[expect(
    clippy::disallowed_methods,
    reason = "a real file is busy, whatever time the Clock shows"
)]
async fn started(command: &mut Command) -> std::io::Result<Child> {
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES => {
                tries += 1;
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

fn environment(words: &HookWords) -> Vec<(&'static str, String)> {
    let job = &words.job;
    let known = [
        ("REPRISE_REPOSITORY", &job.repository),
        ("REPRISE_RUN_ID", &job.run_id),
        ("REPRISE_RUN_ATTEMPT", &job.run_attempt),
        ("REPRISE_JOB", &job.job),
        ("REPRISE_WORKSPACE", &job.workspace),
        ("REPRISE_INSTANCE_ID", &words.instance_id),
    ];
    let known = known
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.clone()?)));
    let always = [
        ("PATH", PATH.to_owned()),
        ("REPRISE_ACTION", words.action.clone()),
        ("REPRISE_SECONDS_LEFT", words.seconds_left.to_string()),
        ("REPRISE_HOOK_SECONDS", words.hook_seconds.to_string()),
    ];
    known.chain(always).collect()
}

async fn log(name: &str, stream: &'static str, output: Option<impl AsyncRead + Unpin>) {
    let Some(output) = output else { return };
    let mut output = BufReader::new(output);
    let mut count = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut part = (&mut output).take(LINE_BYTES);
        if !matches!(part.read_until(b'\n', &mut line).await, Ok(1..)) {
            return;
        }
        count += 1;
        let text = String::from_utf8_lossy(&line);
        if count <= LINES {
            tracing::info!(hook.name = name, hook.stream = stream, "{}", shown(&text));
        } else if count == LINES + 1 {
            tracing::warn!(
                hook.name = name,
                hook.stream = stream,
                "a hook prints more than {LINES} lines; the rest is left out"
            );
        }
    }
}

/// A line without what would break the log's own lines, or a terminal.
fn shown(line: &str) -> String {
    let line = line.trim_end();
    line.chars()
        .map(|c| if c.is_control() && c != '\t' { ' ' } else { c })
        .collect()
}

/// What is in the pipes already, and no more.
async fn drain(output: impl Future<Output = ()>) {
    let moment = Duration::from_millis(100);
    // Whether it came to its end says nothing: the hook has ended.
    tokio::time::timeout(moment, output).await.ok();
}

fn ended(status: std::io::Result<ExitStatus>) -> Result<(), String> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("it failed ({status})")),
        Err(error) => Err(format!("its end cannot be waited for: {error}")),
    }
}

/// Kills the whole group unless it is let go.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        Self(pid.and_then(Pid::from_raw))
    }

    fn let_go(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Its leader has not been waited for, so the number is still its own.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

/// A folder of hooks that runs them.
#[derive(Debug, Clone)]
pub(crate) struct HookFolder {
    folder: Option<PathBuf>,
    /// What was said not to run: it is said once.
    said: Arc<Mutex<BTreeSet<Skipped>>>,
}

impl HookFolder {
    /// This one, or none.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        let said = Arc::default();
        Self { folder, said }
    }

    /// Says which hooks there are and what does not run, while there is time to mend it.
    pub(crate) fn announce(&self) {
        match self.list() {
            Ok(names) if names.is_empty() => (),
            Ok(names) => tracing::info!(hook.names = names.join(" "), "hooks run on a notice"),
            Err(why) => tracing::warn!(error.message = why, "no hook will run on a notice"),
        }
    }

    fn list(&self) -> Result<Vec<String>, String> {
        let listing = look(self.folder.as_deref())?;
        // A panic elsewhere leaves a whole set behind.
        let mut said = self.said.lock().unwrap_or_else(|b| b.into_inner());
        for skipped in listing.skipped {
            if !said.contains(&skipped) {
                tracing::warn!(
                    hook.name = skipped.name,
                    reason = %skipped.why,
                    "a file among the hooks does not run"
                );
                said.insert(skipped);
            }
        }
        Ok(listing.run)
    }
}

impl crate::host::Hooks for HookFolder {
    fn hooks(&self) -> Result<Vec<String>, String> {
        self.list()
    }

    async fn run_hook(&self, name: &str, words: &HookWords) -> Result<(), String> {
        match &self.folder {
            Some(folder) => run(folder, name, words).await,
            None => Err("there is no folder of hooks".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;

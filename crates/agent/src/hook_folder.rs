//! The hooks of a folder: executables, each in a process group of its own.
//!
//! A hook is told what it needs in its environment and nothing else: neither the agent's own
//! environment nor the job's. What it prints goes to the log, line by line, within bounds.
//!
//! Invariant: what somebody else than the agent's user (or root) could have written does not run.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::host::HookWords;

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

/// The hooks' names, in the order in which they run. What may not run is said.
pub(crate) fn list(folder: Option<&Path>) -> Result<Vec<String>, String> {
    let Some(folder) = folder else {
        return Ok(Vec::new());
    };
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{} cannot be read: {error}", folder.display())),
    };
    sound(folder).map_err(|why| format!("{} {why}; no hook runs", folder.display()))?;
    let names = files.flatten().map(|file| file.file_name());
    let mut names: Vec<String> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| is_name(name))
        .collect();
    names.sort();
    names.retain(|name| may_run(&folder.join(name)));
    Ok(names)
}

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

/// Names as `run-parts` takes them, and with dots: no leftovers of editors and packages.
fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !name.starts_with('.') && !name.contains(".dpkg-") && name.bytes().all(sound)
}

fn may_run(path: &Path) -> bool {
    let metadata = std::fs::metadata(path);
    let is_program = metadata.is_ok_and(|m| m.is_file() && m.mode() & 0o111 != 0);
    let refusal = match is_program {
        true => sound(path).err(),
        false => Some("is no executable file"),
    };
    if let Some(why) = refusal {
        tracing::warn!(
            hook.file = %path.display(),
            "a hook {why}; it does not run"
        );
    }
    refusal.is_none()
}

/// Whether nobody else could have written it.
fn sound(path: &Path) -> Result<(), &'static str> {
    let metadata = std::fs::metadata(path).map_err(|_| "cannot be looked at")?;
    let own = geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != own {
        Err("belongs to another user than the agent's own")
    } else if metadata.mode() & 0o022 != 0 {
        Err("can be written by others than its owner")
    } else {
        Ok(())
    }
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
pub(crate) struct HookFolder(pub(crate) Option<PathBuf>);

impl crate::host::Hooks for HookFolder {
    fn hooks(&self) -> Result<Vec<String>, String> {
        list(self.0.as_deref())
    }

    async fn run_hook(&self, name: &str, words: &HookWords) -> Result<(), String> {
        match &self.0 {
            Some(folder) => run(folder, name, words).await,
            None => Err("there is no folder of hooks".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;

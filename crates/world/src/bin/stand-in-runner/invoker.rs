//! One process of a step, and its end when the step is to end (`Runner.Sdk/ProcessInvoker.cs`).
//!
//! Only the step's top process gets signals, and only it is killed at last: on Linux `KillProcessTree` is
//! `Process.Kill` of that one. What it started is left to the end of the job.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::surroundings::Surroundings;
use crate::verdict::Verdict;

/// How long it has after SIGINT.
const AFTER_INTERRUPT: Duration = Duration::from_millis(7500);
/// How long it has after SIGTERM.
const AFTER_TERMINATE: Duration = Duration::from_millis(2500);
/// How long its output is waited for when others still hold it open.
const STREAMS: Duration = Duration::from_secs(5);

/// What a step said so far.
pub(crate) type Output = Arc<Mutex<String>>;

/// How a process is run.
#[derive(Debug)]
pub(crate) struct Invoker<'a> {
    pub(crate) surroundings: &'a Surroundings,
    pub(crate) pace: u32,
    pub(crate) output: Output,
}

impl Invoker<'_> {
    /// Runs a script until it ends, or until `cancel` comes and it is made to end.
    pub(crate) async fn script(
        &self,
        file: &Path,
        cancel: impl Future<Output = ()>,
    ) -> io::Result<Verdict> {
        let mut child = self.start(file)?;
        let mut streams = JoinSet::new();
        self.collect(&mut streams, child.stdout.take());
        self.collect(&mut streams, child.stderr.take());
        let ended = tokio::select! {
            status = child.wait() => Some(status?),
            () = cancel => None,
        };
        if ended.is_none() {
            self.end(&mut child).await?;
        }
        let drained = async { while streams.join_next().await.is_some() {} };
        // Whoever still holds the other end keeps it.
        let _ = tokio::time::timeout(STREAMS / self.pace, drained).await;
        Ok(match ended {
            Some(status) => self.judge(status),
            None => Verdict::Canceled,
        })
    }

    /// As a `run` step without a shell of its own is started (`Handlers/ScriptHandlerHelpers.cs`).
    fn start(&self, file: &Path) -> io::Result<Child> {
        Command::new("bash")
            .arg("-e")
            .arg(file)
            .current_dir(&self.surroundings.workspace)
            .envs(&self.surroundings.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }

    fn collect(
        &self,
        streams: &mut JoinSet<()>,
        stream: Option<impl AsyncRead + Unpin + Send + 'static>,
    ) {
        let output = self.output.clone();
        if let Some(stream) = stream {
            streams.spawn(async move {
                let mut lines = BufReader::new(stream).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    say(&output, &line);
                }
            });
        }
    }

    /// .NET tells the end by a signal as the shell does.
    fn judge(&self, status: ExitStatus) -> Verdict {
        use std::os::unix::process::ExitStatusExt;
        let killed = status.signal().map(|signal| 128 + signal);
        match status.code().or(killed).unwrap_or(-1) {
            0 => Verdict::Succeeded,
            code => {
                let text = format!("##[error]Process completed with exit code {code}.");
                say(&self.output, &text);
                Verdict::Failed
            }
        }
    }

    async fn end(&self, child: &mut Child) -> io::Result<()> {
        let steps = [
            (Signal::INT, AFTER_INTERRUPT),
            (Signal::TERM, AFTER_TERMINATE),
        ];
        for (signal, patience) in steps {
            if let Some(process) = pid(child) {
                kill_process(process, signal)?;
            }
            let waited = tokio::time::timeout(patience / self.pace, child.wait()).await;
            if waited.is_ok() {
                return Ok(());
            }
        }
        child.kill().await
    }
}

/// Adds a line.
pub(crate) fn say(output: &Output, line: &str) {
    if let Ok(mut text) = output.lock() {
        text.push_str(line);
        text.push('\n');
    }
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?))
}

//! The real runner on this machine: processes of programs in its folder, and the command that powers off.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::caretaker::Premises;
use crate::processes::{Handle, ProcFolder, Process, Runner, Signal};
use crate::settings::{CommandWords, RunnerSettings};
use crate::tenure::Sight;

/// How often the one process that counts is looked at: 20 us of CPU each time.
const GLANCE: Duration = Duration::from_secs(2);

/// The runner in one folder.
#[derive(Debug)]
pub struct RunnerPremises {
    processes: ProcFolder,
    folder: PathBuf,
    leave: CommandWords,
    seen: Option<Process>,
}

impl RunnerPremises {
    /// As configured.
    pub fn new(settings: &RunnerSettings) -> Self {
        // Programs tell where they are without the links that lead there.
        let folder = std::fs::canonicalize(&settings.folder);
        Self {
            processes: ProcFolder::default(),
            folder: folder.unwrap_or_else(|_| settings.folder.clone()),
            leave: settings.leave.clone(),
            seen: None,
        }
    }

    /// Whether it is the one, as far as the agent may see its program.
    fn is_ours(&self, runner: &Runner) -> bool {
        let process = runner.listener.or(runner.worker);
        let Some(process) = process else { return false };
        let link = format!("/proc/{}/exe", process.pid);
        match std::fs::read_link(link) {
            Ok(program) => program.starts_with(&self.folder),
            // Named as a runner's, and not to be seen: rather ours than a job's end.
            Err(_) => true,
        }
    }
}

impl Premises for RunnerPremises {
    fn look(&mut self) -> Result<Sight, String> {
        let runners = self
            .processes
            .runners()
            .map_err(|error| error.to_string())?;
        let ours: Vec<&Runner> = runners.iter().filter(|one| self.is_ours(one)).collect();
        let busy = ours.iter().find(|one| one.worker.is_some());
        let one = busy.or(ours.first());
        self.seen = one.and_then(|one| one.listener.or(one.worker));
        Ok(match one.map(|one| one.worker) {
            None => Sight::Nothing,
            Some(None) => Sight::Idle,
            Some(Some(_)) => Sight::Busy,
        })
    }

    /// One process at a time is cheap to look at, and its number in other hands is told by its start.
    #[expect(
        clippy::disallowed_methods,
        reason = "another process's end comes by the real clock"
    )]
    async fn ended(&self) {
        let Some(process) = self.seen else {
            return std::future::pending().await;
        };
        while self.processes.lives(process) {
            tokio::time::sleep(GLANCE).await;
        }
    }

    fn ask_to_end(&self) -> Result<(), String> {
        let held = self
            .seen
            .and_then(|seen| Handle::open(&self.processes, seen));
        match held {
            Some(held) => held
                .signal(&self.processes, Signal::INT)
                .map(|_| ())
                .map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    async fn leave(&self) -> Result<(), String> {
        let program = self.leave.program();
        let status = Command::new(program)
            .args(self.leave.arguments())
            .stdin(Stdio::null())
            .status()
            .await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("the command {program} failed ({status})")),
            Err(error) => Err(format!(
                "the command {program} cannot be run: {error}; correct `leave` under [runner]"
            )),
        }
    }
}

//! The real runner on this machine: processes of programs in its folder, and the command that powers off.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::caretaker::Premises;
use crate::processes::{Handle, ProcFolder, Process, Signal};
use crate::settings::{CommandWords, RunnerSettings};
use crate::tenure::{Manner, Sight};

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
        Self {
            processes: ProcFolder::default(),
            folder: settings.folder.clone(),
            leave: settings.leave.clone(),
            seen: None,
        }
    }
}

impl RunnerPremises {
    fn look_elsewhere(&self) -> Result<Sight, String> {
        let runners = self.processes.runners();
        Ok(match runners.map_err(|error| error.to_string())?[..] {
            [] => Sight::Nothing,
            [..] => Sight::Elsewhere,
        })
    }
}

impl Premises for RunnerPremises {
    fn look(&mut self) -> Result<Sight, String> {
        let runners = match self.processes.runners_below(Some(&self.folder)) {
            // Without its folder there is no runner in it.
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            seen => seen.map_err(|error| error.to_string())?,
        };
        let busy = runners.iter().find(|one| one.worker.is_some());
        let one = busy.or(runners.first());
        let sight = match one.map(|one| one.worker) {
            None => self.look_elsewhere()?,
            Some(None) => Sight::Idle,
            Some(Some(_)) => Sight::Busy,
        };
        // Only with what is told: who waits for its end waits for what was seen.
        self.seen = one.and_then(|one| one.listener.or(one.worker));
        Ok(sight)
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

    fn end(&self, manner: Manner) -> Result<(), String> {
        let signal = match manner {
            Manner::Ask => Signal::INT,
            Manner::Kill => Signal::KILL,
        };
        let held = self
            .seen
            .and_then(|seen| Handle::open(&self.processes, seen));
        match held {
            Some(held) => held
                .signal(&self.processes, signal)
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

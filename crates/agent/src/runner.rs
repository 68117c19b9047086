//! Starting the runner: its configuration goes into a file that only its user reads, and a command of
//! the operator's does the rest.
//!
//! The command is meant to have the runner started by somebody else, as `systemctl start` does, so that
//! the runner is no child of the agent. It has ended when the runner is on its way.

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::runner_row::JitConfig;
use crate::settings::RunnerSettings;

/// Tells the command where the configuration is.
pub const CONFIG_FILE_VARIABLE: &str = "REPRISE_RUNNER_CONFIG_FILE";

/// Starts the runner of this instance.
pub trait Runner: Send + Sync {
    /// Whether an earlier agent of this boot has started it already.
    fn was_started(&self) -> bool;

    /// Starts it with its configuration; to be called once.
    fn start(&self, config: &JitConfig) -> impl Future<Output = Result<(), StartFailure>> + Send;
}

/// Why the runner could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartFailure {
    /// The configuration could not be left for it.
    #[error(
        "the configuration cannot be written to {file}: {source}; the agent must own its folder"
    )]
    Write {
        /// Where to.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is no such user.
    #[error("there is no user {0}; make the user, or correct `user` under [runner]")]
    NoUser(String),
    /// The command could not be run.
    #[error("the command {command} cannot be run: {source}; correct `command` under [runner]")]
    Spawn {
        /// Its first word.
        command: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The command ended badly.
    #[error("the command {command} failed ({status}); its own output says why")]
    Failed {
        /// Its first word.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
}

/// Starts it by a command.
#[derive(Debug, Clone)]
pub struct CommandRunner {
    settings: RunnerSettings,
}

impl CommandRunner {
    /// As configured.
    pub fn new(settings: RunnerSettings) -> Self {
        Self { settings }
    }

    fn write(&self, config: &JitConfig) -> Result<(), StartFailure> {
        let path = &self.settings.config_file;
        let failed = |source| StartFailure::Write {
            file: path.display().to_string(),
            source,
        };
        let owner = self.settings.user.as_deref().map(user).transpose()?;
        // New, so that nobody has it open or has put a link in its place.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        file.write_all(config.encoded.as_bytes()).map_err(failed)?;
        if let Some((user, group)) = owner {
            chown(path, Some(user), Some(group)).map_err(failed)?;
        }
        Ok(())
    }
}

impl Runner for CommandRunner {
    fn was_started(&self) -> bool {
        self.settings.config_file.exists()
    }

    async fn start(&self, config: &JitConfig) -> Result<(), StartFailure> {
        self.write(config)?;
        let command = self.settings.command.program().to_owned();
        let status = Command::new(&command)
            .args(self.settings.command.arguments())
            .env(CONFIG_FILE_VARIABLE, &self.settings.config_file)
            .stdin(Stdio::null())
            .status()
            .await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(StartFailure::Failed { command, status }),
            Err(source) => Err(StartFailure::Spawn { command, source }),
        }
    }
}

/// The numbers of a user and its group.
fn user(name: &str) -> Result<(u32, u32), StartFailure> {
    let passwd = std::fs::read_to_string(Path::new("/etc/passwd")).unwrap_or_default();
    find_user(&passwd, name).ok_or_else(|| StartFailure::NoUser(name.to_owned()))
}

fn find_user(passwd: &str, name: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields[..] {
            [first, _, user, group, ..] if first == name => {
                Some((user.parse().ok()?, group.parse().ok()?))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    fn runner(folder: &Path, command: &[&str]) -> CommandRunner {
        let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        CommandRunner::new(RunnerSettings {
            table: "runners".to_owned(),
            role_id: "AROAEXAMPLEEXAMPLE123"
                .to_owned()
                .try_into()
                .expect("an id"),
            command: command.try_into().expect("a command"),
            config_file: folder.join("config"),
            user: None,
        })
    }

    fn config() -> JitConfig {
        JitConfig {
            runner: None,
            encoded: "c2VjcmV0".to_owned(),
        }
    }

    fn text(path: PathBuf) -> String {
        std::fs::read_to_string(path).expect("a file")
    }

    #[tokio::test]
    async fn the_command_finds_the_configuration_in_a_file_that_nobody_else_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        let seen = folder.path().join("seen");
        let script = format!("cat \"$REPRISE_RUNNER_CONFIG_FILE\" > {}", seen.display());
        let runner = runner(folder.path(), &["sh", "-c", &script]);
        assert!(!runner.was_started());
        runner.start(&config()).await.expect("started");
        assert_eq!(text(seen), "c2VjcmV0");
        let mode = std::fs::metadata(folder.path().join("config")).expect("a file");
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        assert!(runner.was_started());
    }

    #[tokio::test]
    async fn a_file_that_is_there_already_is_not_followed_or_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let target = folder.path().join("target");
        std::fs::write(&target, "").expect("a file");
        std::os::unix::fs::symlink(&target, folder.path().join("config")).expect("a link");
        let failure = runner(folder.path(), &["true"]).start(&config()).await;
        let failure = failure.expect_err("refused");
        assert!(matches!(failure, StartFailure::Write { .. }), "{failure}");
        assert_eq!(text(target), "");
    }

    #[tokio::test]
    async fn a_command_that_fails_or_is_not_there_is_named() {
        for (command, says) in [
            ("false", "the command false failed (exit status: 1)"),
            (
                "/nowhere/at-all",
                "the command /nowhere/at-all cannot be run",
            ),
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let failure = runner(folder.path(), &[command]).start(&config()).await;
            let failure = failure.expect_err("a failure").to_string();
            assert!(failure.starts_with(says), "{failure}");
        }
    }

    #[test]
    fn a_user_is_found_by_name_with_its_group() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nrunner:x:1001:118:,,,:/home/runner:/bin/sh\n";
        assert_eq!(find_user(passwd, "runner"), Some((1001, 118)));
        assert_eq!(find_user(passwd, "run"), None);
    }
}

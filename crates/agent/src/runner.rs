//! Starting the runner: its configuration goes into a file that only its user reads, and somebody else does
//! the rest.
//!
//! That is a path unit of systemd's, which waits for the file, or a command of the operator's that has the
//! runner started by somebody else, as `systemctl start` does. The runner is no child of the agent, so that
//! what becomes of the agent never touches a job.
//!
//! Invariant: the file appears as a whole, under its name, with its owner and its mode, and once a boot: a mark
//! beside it outlives it, since whoever starts the runner removes the file.

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
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

/// Starts it by its file, and by a command where there is one.
#[derive(Debug, Clone)]
pub struct FileRunner {
    settings: RunnerSettings,
}

impl FileRunner {
    /// As configured.
    pub fn new(settings: RunnerSettings) -> Self {
        Self { settings }
    }

    fn write(&self, config: &JitConfig) -> Result<(), StartFailure> {
        let path = &self.settings.config_file;
        let owner = self.settings.user.as_deref().map(user).transpose()?;
        let written = self.mark().and_then(|()| place(path, config, owner));
        written.map_err(|source| StartFailure::Write {
            file: path.display().to_string(),
            source,
        })
    }

    /// Comes first: a configuration that is handed out twice starts a second runner, which GitHub refuses.
    fn mark(&self) -> std::io::Result<()> {
        std::fs::write(self.mark_file(), "")
    }

    fn mark_file(&self) -> PathBuf {
        beside(&self.settings.config_file, "handed-out")
    }
}

impl Runner for FileRunner {
    fn was_started(&self) -> bool {
        self.mark_file().exists()
    }

    async fn start(&self, config: &JitConfig) -> Result<(), StartFailure> {
        self.write(config)?;
        let Some(words) = &self.settings.command else {
            return Ok(());
        };
        let command = words.program().to_owned();
        let status = Command::new(&command)
            .args(words.arguments())
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

/// Makes the file under another name, and gives it its own when it is all that it is to be.
fn place(path: &Path, config: &JitConfig, owner: Option<(u32, u32)>) -> std::io::Result<()> {
    if path.symlink_metadata().is_ok() {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    let new = beside(path, "new");
    // Left by an agent that was killed just here.
    let _ = std::fs::remove_file(&new);
    // New, so that nobody has it open or has put a link in its place.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(config.encoded.as_bytes())?;
    if let Some((user, group)) = owner {
        chown(&new, Some(user), Some(group))?;
    }
    std::fs::rename(&new, path)
}

fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// The numbers of a user and its group.
fn user(name: &str) -> Result<(u32, u32), StartFailure> {
    let passwd = std::fs::read_to_string(Path::new("/etc/passwd")).unwrap_or_default();
    find_user(&passwd, name).ok_or_else(|| StartFailure::NoUser(name.to_owned()))
}

/// Whether there is such a user on this machine.
pub(crate) fn is_user(name: &str) -> bool {
    user(name).is_ok()
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
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn runner(folder: &Path, command: &[&str]) -> FileRunner {
        let file = folder.join("config");
        let settings = format!(
            "[runner]\ntable = 'runners'\nrole_id = 'AROAEXAMPLEEXAMPLE123'\n\
             config_file = {file:?}\ncommand = {command:?}"
        );
        let settings = crate::Settings::load(Some(&settings), &BTreeMap::new());
        FileRunner::new(settings.expect("valid").runner.expect("a runner"))
    }

    fn without_command(folder: &Path) -> FileRunner {
        let mut runner = runner(folder, &["false"]);
        runner.settings.command = None;
        runner
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
    async fn without_a_command_the_file_is_all_and_an_agent_that_starts_again_hands_out_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        // An agent was killed in the middle of it.
        std::fs::write(folder.path().join("config.new"), "half").expect("written");
        let runner = without_command(folder.path());
        assert!(!runner.was_started());
        runner.start(&config()).await.expect("left");
        let file = folder.path().join("config");
        assert_eq!(text(file.clone()), "c2VjcmV0");
        assert!(!folder.path().join("config.new").exists());
        // Whoever starts the runner takes the file away.
        std::fs::remove_file(file).expect("there");
        assert!(without_command(folder.path()).was_started());
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

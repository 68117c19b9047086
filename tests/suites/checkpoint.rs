//! `reprise checkpoint`, as steps of a job and the agent's hook run it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_tests::harness::operator::{Said, said};
use reprise_tests::harness::program::built;
use reprise_tests::wait;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;

const RUN: &str = "9000000001";
const MIB: u64 = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine of a job, laid out as a runner does it.
struct Machine {
    folder: TempDir,
    store: String,
    attempt: u32,
}

impl Machine {
    fn new(store: String, attempt: u32) -> Result<Self> {
        let machine = Self {
            folder: TempDir::new()?,
            store,
            attempt,
        };
        for folder in ["home", "_work/_temp", "_work/shop/shop/target"] {
            std::fs::create_dir_all(machine.path(folder))?;
        }
        let event = machine.path("_work/_temp/event.json");
        std::fs::write(event, r#"{"ref": "refs/heads/main"}"#)?;
        Ok(machine)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn target(&self, name: &str) -> PathBuf {
        self.path("_work/shop/shop/target").join(name)
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(built("reprise-job")?);
        command
            .arg("checkpoint")
            .args(arguments)
            .current_dir(self.path("_work/shop/shop"))
            .env_clear()
            .stdin(Stdio::null())
            .kill_on_drop(true);
        Ok(command)
    }

    /// A step of the job.
    fn step(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = self.command(arguments)?;
        command
            .env("GITHUB_REPOSITORY", "acme/shop")
            .env("GITHUB_RUN_ID", RUN)
            .env("GITHUB_RUN_ATTEMPT", self.attempt.to_string())
            .env("GITHUB_JOB", "build")
            .env("GITHUB_EVENT_NAME", "push")
            .env("GITHUB_EVENT_PATH", self.path("_work/_temp/event.json"))
            .env("GITHUB_WORKSPACE", self.path("_work/shop/shop"))
            .env("GITHUB_OUTPUT", self.path("_work/_temp/output"))
            .env("RUNNER_TEMP", self.path("_work/_temp"))
            .env("HOME", self.path("home"))
            .env("REPRISE_STORE", &self.store);
        Ok(command)
    }

    async fn restore(&self, more: &[&str]) -> Result<Said> {
        said(self.step(&[&["restore", "target"], more].concat())?).await
    }

    /// As the agent's hook starts it, with the hook's variables alone.
    fn hook(&self, run: &str) -> Result<Command> {
        let mut command = self.command(&["save"])?;
        command
            .env("REPRISE_WORKSPACE", self.path("_work/shop/shop"))
            .env("REPRISE_RUN_ID", run)
            .env("REPRISE_RUN_ATTEMPT", self.attempt.to_string())
            .env("REPRISE_HOOK_SECONDS", "30");
        Ok(command)
    }

    fn output(&self) -> Result<String> {
        std::fs::read_to_string(self.path("_work/_temp/output")).context("no output was written")
    }

    fn files(&self) -> Result<BTreeSet<String>> {
        let entries = std::fs::read_dir(self.path("_work/shop/shop/target"))?;
        entries
            .map(|entry| entry?.file_name().into_string().ok().context("text"))
            .collect()
    }
}

fn folder(store: &TempDir) -> String {
    format!("file://{}", store.path().display())
}

fn well(said: &Said) -> Result<()> {
    ensure!(said.code == Some(0), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn what_the_hook_saved_of_the_first_attempt_the_second_begins_with() -> Result<()> {
    let store = TempDir::new()?;
    let first = Machine::new(folder(&store), 1)?;
    let begun = first.restore(&[]).await?;
    well(&begun)?;
    ensure!(first.output()? == "restored=none\n");
    std::fs::write(first.target("made"), "made")?;
    let hook = said(first.hook(RUN)?).await?;
    well(&hook)?;
    ensure!(hook.complained.contains("saved 1 files"), "{hook:?}");

    let second = Machine::new(folder(&store), 2)?;
    let begun = second.restore(&[]).await?;
    well(&begun)?;
    ensure!(second.output()? == "restored=whole\n", "{begun:?}");
    ensure!(std::fs::read_to_string(second.target("made"))? == "made");
    // And what it makes itself is declared, too.
    std::fs::write(second.target("more"), "more")?;
    well(&said(second.hook(RUN)?).await?)?;
    let third = Machine::new(folder(&store), 3)?;
    well(&third.restore(&[]).await?)?;
    ensure!(third.files()? == ["made", "more"].map(str::to_owned).into());
    Ok(())
}

#[tokio::test]
async fn a_job_that_declared_nothing_is_left_alone_and_one_that_another_run_left_is_refused()
-> Result<()> {
    let store = TempDir::new()?;
    let machine = Machine::new(folder(&store), 1)?;
    let nothing = said(machine.hook(RUN)?).await?;
    well(&nothing)?;
    ensure!(
        nothing.complained.contains("declared nothing"),
        "{nothing:?}"
    );
    well(&machine.restore(&[]).await?)?;
    let other = said(machine.hook("9000000002")?).await?;
    ensure!(other.code == Some(1), "{other:?}");
    ensure!(
        other.complained.contains("run 9000000002 is to be saved"),
        "{other:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_path_outside_of_workspace_and_home_is_refused_with_what_to_do() -> Result<()> {
    let store = TempDir::new()?;
    let machine = Machine::new(folder(&store), 1)?;
    for path in ["/etc", "../other", "~"] {
        let said = said(machine.step(&["restore", path])?).await?;
        ensure!(said.code == Some(1), "{path}: {said:?}");
        ensure!(said.complained.contains("name what"), "{path}: {said:?}");
    }
    ensure!(!machine.path("_work/_temp/reprise-checkpoint.json").exists());
    Ok(())
}

/// Killed between any two bytes, a save is whole up to its last mark.
#[tokio::test]
async fn a_save_that_is_killed_leaves_the_files_that_changed_last() -> Result<()> {
    let store = TempDir::new()?;
    let first = Machine::new(folder(&store), 1)?;
    well(&first.restore(&[]).await?)?;
    // Each is a segment of its own; the first in the order of names changed last.
    let names: Vec<String> = (0..40).map(|number| format!("{number:02}")).collect();
    let mut time = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    for name in &names {
        let file = std::fs::File::create(first.target(name))?;
        file.set_len(33 * MIB)?;
        file.set_modified(time)?;
        time -= Duration::from_secs(1);
    }
    let mut saving = first.hook(RUN)?.spawn()?;
    let third = async || Ok((segments(store.path())? >= 3).then_some(()));
    wait::until("the third segment", PATIENCE, third).await?;
    saving.kill().await?;
    let second = Machine::new(folder(&store), 2)?;
    let restored = second.restore(&[]).await?;
    well(&restored)?;
    ensure!(second.output()? == "restored=partial\n", "{restored:?}");
    let files = second.files()?;
    let youngest: BTreeSet<String> = names.iter().take(files.len()).cloned().collect();
    ensure!(files == youngest, "{files:?}");
    ensure!((2..40).contains(&files.len()), "{files:?}");
    Ok(())
}

/// How many segments the store has.
fn segments(store: &Path) -> Result<usize> {
    let mut folders = vec![store.to_owned()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "zst") {
                count += 1;
            }
        }
    }
    Ok(count)
}

/// A store that takes connections and never answers.
struct Silent {
    listener: TcpListener,
    endpoint: String,
}

impl Silent {
    async fn listening() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, endpoint })
    }

    fn reach(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_ACCESS_KEY_ID", "AKIAFAKETEST")
            .env("AWS_SECRET_ACCESS_KEY", "fake-secret-of-a-test");
    }
}

#[tokio::test]
async fn a_notice_while_files_come_back_saves_nothing_of_what_is_there_so_far() -> Result<()> {
    let silent = Silent::listening().await?;
    let machine = Machine::new("s3://ours".to_owned(), 2)?;
    std::fs::write(machine.target("half"), "half")?;
    let mut begin = machine.step(&["restore", "target", "--within", "10m"])?;
    silent.reach(&mut begin);
    let mut begun = begin.spawn()?;
    let _asks = silent.listener.accept().await?;
    let mut hook = machine.hook(RUN)?;
    silent.reach(&mut hook);
    let hook = said(hook).await?;
    well(&hook)?;
    ensure!(hook.complained.contains("declared nothing"), "{hook:?}");
    begun.kill().await?;
    Ok(())
}

#[tokio::test]
async fn a_store_that_does_not_answer_keeps_no_job_from_its_work_and_no_hook_longer_than_it_has()
-> Result<()> {
    let silent = Silent::listening().await?;
    let machine = Machine::new("s3://ours".to_owned(), 2)?;
    let mut begin = machine.step(&["restore", "target", "--within", "1s"])?;
    silent.reach(&mut begin);
    let begun = said(begin).await?;
    well(&begun)?;
    ensure!(
        begun
            .complained
            .contains("warning: nothing was brought back"),
        "{begun:?}"
    );
    ensure!(machine.output()? == "restored=none\n");
    let mut strict =
        machine.step(&["restore", "target", "--within", "1s", "--on-error", "fail"])?;
    silent.reach(&mut strict);
    let strict = said(strict).await?;
    ensure!(strict.code == Some(1), "{strict:?}");
    ensure!(
        strict.complained.contains("did not say in time"),
        "{strict:?}"
    );
    std::fs::write(machine.target("made"), "made")?;
    let mut hook = machine.hook(RUN)?;
    silent.reach(&mut hook);
    hook.env("REPRISE_HOOK_SECONDS", "3");
    // A store is otherwise waited for by the minute.
    let hook = tokio::time::timeout(Duration::from_secs(15), said(hook)).await;
    let hook = hook.context("the hook took longer than it has")??;
    ensure!(
        hook.complained
            .contains("nothing could be saved in the time"),
        "{hook:?}"
    );
    Ok(())
}

/// What stands in `interrupt.d`, with a `systemd-run` that does what its last words say.
#[tokio::test]
async fn the_hook_runs_the_program_as_the_jobs_user_with_what_it_needs() -> Result<()> {
    let hook =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/agent/checkpoint/50-checkpoint");
    let programs = TempDir::new()?;
    let stand_in = programs.path().join("systemd-run");
    std::fs::write(&stand_in, "#!/bin/sh\nprintf '%s\\n' \"$@\"\n")?;
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&stand_in, executable)?;
    let workspace = TempDir::new()?;
    let run = async |workspace: Option<&Path>| {
        let mut command = Command::new(&hook);
        command
            .env_clear()
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", programs.path().display()),
            )
            .env("REPRISE_HOOK_SECONDS", "30")
            .envs(workspace.map(|path| ("REPRISE_WORKSPACE", path)))
            .env("REPRISE_RUN_ID", RUN)
            .env("REPRISE_RUN_ATTEMPT", "1")
            .stdin(Stdio::null());
        said(command).await
    };
    let idle = run(None).await?;
    ensure!((idle.code, idle.told.as_str()) == (Some(0), ""), "{idle:?}");
    let of_root = run(Some(Path::new("/usr"))).await?;
    ensure!(of_root.told.contains("nothing is saved"), "{of_root:?}");
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(workspace.path())?);
    if owner != 0 {
        let started = run(Some(workspace.path())).await?;
        ensure!(
            started.told.contains(&format!("--uid={owner}\n")),
            "{started:?}"
        );
        return Ok(());
    }
    std::os::unix::fs::chown(workspace.path(), Some(65_534), None)?;
    let started = run(Some(workspace.path())).await?;
    let here = format!(
        "--setenv=REPRISE_WORKSPACE={}\n",
        workspace.path().display()
    );
    // What `Machine::hook` gives the program, and no more than that.
    for word in [
        "--uid=65534\n",
        "--property=RuntimeMaxSec=30\n",
        "--property=NoNewPrivileges=yes\n",
        &here,
        "--setenv=REPRISE_HOOK_SECONDS=30\n",
        &format!("--setenv=REPRISE_RUN_ID={RUN}\n"),
        "--setenv=REPRISE_RUN_ATTEMPT=1\n",
        "/usr/local/bin/reprise\ncheckpoint\nsave\n",
    ] {
        ensure!(started.told.contains(word), "{word}: {started:?}");
    }
    Ok(())
}

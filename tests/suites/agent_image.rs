//! What turns a machine into the image of a runner, played in a folder: `deploy/ami/provision.sh` with a made-up
//! archive of the runner and a package of the agent's real files. Users, packages and services are not touched there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use reprise_tests::agent_host::deploy;
use reprise_tests::harness::program::built;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A machine in a folder, with what is to be installed.
struct Image {
    folder: TempDir,
}

impl Image {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("failed to make a folder")?;
        let image = Self { folder };
        image.make_archive()?;
        image.make_package()?;
        Ok(image)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn installed(&self, name: &str) -> PathBuf {
        self.path("root").join(name)
    }

    /// GitHub's runner, as far as a folder goes.
    fn make_archive(&self) -> Result<()> {
        let bin = self.path("runner/bin");
        fs::create_dir_all(&bin)?;
        fs::write(bin.join("Runner.Listener"), "")?;
        run(Command::new("tar")
            .args(["--create", "--gzip", "--file"])
            .arg(self.path("runner.tar.gz"))
            .arg("--directory")
            .arg(self.path("runner"))
            .arg("."))?;
        Ok(())
    }

    /// The agent's program and settings.
    fn make_package(&self) -> Result<()> {
        let tree = self.path("package");
        for folder in ["DEBIAN", "usr/bin", "etc/reprise"] {
            fs::create_dir_all(tree.join(folder))?;
        }
        let control = "Package: reprise-agent\nVersion: 0\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\n\
            Description: for a test\n";
        fs::write(tree.join("DEBIAN/control"), control)?;
        fs::copy(built("reprise-agent")?, tree.join("usr/bin/reprise-agent"))?;
        let settings = deploy()?.with_file_name("crates/agent/examples/agent.toml");
        fs::copy(settings, tree.join("etc/reprise/agent.toml"))?;
        run(Command::new("dpkg-deb")
            .args(["-Znone", "--root-owner-group", "--build"])
            .arg(tree)
            .arg(self.path("agent.deb")))?;
        Ok(())
    }

    fn provision(&self, version: &str, checksum: &str) -> Result<Command> {
        fs::create_dir_all(self.path("root"))?;
        fs::create_dir_all(self.path("tmp"))?;
        let mut script = Command::new("bash");
        script
            .arg(deploy()?.join("ami/provision.sh"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("TMPDIR", self.path("tmp"))
            .env("ROOT", self.path("root"))
            .env("RUNNER_VERSION", version)
            .env("RUNNER_SHA256", checksum)
            .env("RUNNER_ARCHIVE", self.path("runner.tar.gz"))
            .env("AGENT_PACKAGE", self.path("agent.deb"))
            .env("RUNNER_TABLE", "runners")
            .env("RUNNER_ROLE_ID", "AROAEXAMPLEEXAMPLE123");
        Ok(script)
    }

    fn checksum(&self) -> Result<String> {
        Ok(hex::encode(Sha256::digest(fs::read(
            self.path("runner.tar.gz"),
        )?)))
    }
}

fn run(command: &mut Command) -> Result<Output> {
    let output = command.output().context("cannot be started")?;
    ensure!(output.status.success(), "{}", said(&output));
    Ok(output)
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| path.display().to_string())
}

#[test]
fn a_machine_gets_runner_and_agent_and_may_be_provisioned_again() -> Result<()> {
    let image = Image::new()?;
    for _ in 0..2 {
        run(&mut image.provision("2.400.0", &image.checksum()?)?)?;
        ensure!(
            image
                .installed("opt/actions-runner/bin/Runner.Listener")
                .exists()
        );
        ensure!(text(&image.installed("opt/actions-runner/.reprise-version"))? == "2.400.0\n");
        let settings = text(&image.installed("etc/reprise/agent.toml"))?;
        ensure!(settings.matches("\n[runner]\n").count() == 1, "{settings}");
        ensure!(settings.contains("table = \"runners\""), "{settings}");
        let mode = fs::metadata(image.installed("usr/bin/reprise-agent"))?.permissions();
        ensure!(mode.mode() & 0o111 == 0o111);
    }
    let mut later = image.provision("2.401.0", &image.checksum()?)?;
    let output = run(later.env("RUNNER_TABLE", "other-runners"))?;
    let settings = text(&image.installed("etc/reprise/agent.toml"))?;
    ensure!(
        settings.contains("table = \"other-runners\"") && !settings.contains("table = \"runners\""),
        "{settings}"
    );
    ensure!(said(&output).contains("== runner 2.401.0"));
    ensure!(text(&image.installed("opt/actions-runner/.reprise-version"))? == "2.401.0\n");
    Ok(())
}

#[test]
fn an_image_for_checkpoints_has_the_jobs_program_and_a_hook_that_the_agent_runs() -> Result<()> {
    let image = Image::new()?;
    let hook = deploy()?.join("agent/checkpoint/50-checkpoint");
    let mut script = image.provision("2.400.0", &image.checksum()?)?;
    script.env("JOB_PROGRAM", built("reprise-job")?);
    let without = script.output()?;
    ensure!(
        said(&without).contains("CHECKPOINT_HOOK"),
        "{}",
        said(&without)
    );
    script.env("CHECKPOINT_HOOK", hook);
    run(&mut script)?;
    let version = run(Command::new(image.installed("usr/local/bin/reprise")).arg("--version"))?;
    ensure!(said(&version).starts_with("reprise "));
    let folder = image.installed("etc/reprise/interrupt.d");
    let settings = image.installed("etc/reprise/agent.toml");
    let told = text(&settings)?.replace("/etc/reprise/interrupt.d", &folder.display().to_string());
    let changed = image.path("agent.toml");
    fs::write(&changed, told)?;
    let judged = run(Command::new(built("reprise-agent")?)
        .args(["--check-config", "--config"])
        .arg(&changed))?;
    ensure!(said(&judged).contains("50-checkpoint"), "{}", said(&judged));
    let drop_in = "etc/systemd/system/reprise-agent.service.d/50-checkpoint.conf";
    let drop_in = text(&image.installed(drop_in))?;
    let (_, setting) = drop_in
        .split_once("Environment=")
        .context("the hook has no time of its own")?;
    let (name, value) = setting.trim().split_once('=').context("no setting")?;
    // A name or a time that the agent does not know is a mistake to it.
    let judged = run(Command::new(built("reprise-agent")?)
        .args(["--check-config", "--config"])
        .arg(&changed)
        .env(name, value))?;
    ensure!(said(&judged).contains("50-checkpoint"), "{}", said(&judged));
    ensure!(name == "REPRISE_AGENT_HOOK_TIMEOUT" && value == "75s");
    Ok(())
}

#[test]
fn what_is_missing_is_said_before_anything_is_done() -> Result<()> {
    let image = Image::new()?;
    let mut script = image.provision("2.400.0", &image.checksum()?)?;
    let output = script.env_remove("RUNNER_ROLE_ID").output()?;
    ensure!(!output.status.success());
    ensure!(
        said(&output).contains("RUNNER_ROLE_ID: say the RoleId"),
        "{}",
        said(&output)
    );
    ensure!(!image.installed("opt").exists());
    Ok(())
}

#[test]
fn an_archive_with_another_checksum_is_not_installed() -> Result<()> {
    let image = Image::new()?;
    let output = image.provision("2.400.0", &"0".repeat(64))?.output()?;
    ensure!(!output.status.success(), "{}", said(&output));
    ensure!(!image.installed("opt/actions-runner").exists());
    ensure!(
        fs::read_dir(image.path("tmp"))?.count() == 0,
        "it is left over"
    );
    ensure!(
        !image.installed("usr/bin/reprise-agent").exists(),
        "nothing follows it"
    );
    Ok(())
}

#[test]
fn what_is_not_said_is_asked_for() -> Result<()> {
    let image = Image::new()?;
    for missing in [
        "RUNNER_VERSION",
        "RUNNER_SHA256",
        "AGENT_PACKAGE",
        "RUNNER_ROLE_ID",
    ] {
        let mut script = image.provision("2.400.0", &image.checksum()?)?;
        let output = script.env_remove(missing).output()?;
        ensure!(!output.status.success(), "{missing}: {}", said(&output));
        ensure!(said(&output).contains(missing), "{}", said(&output));
    }
    Ok(())
}

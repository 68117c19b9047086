//! `reprise resume put`, `get`, `exists` and `prune` with an S3 that nobody here wrote.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_tests::harness::operator::{Said, said};
use reprise_tests::harness::program::reprise;
use reprise_tests::moto::Moto;
use reprise_tests::wait;
use tempfile::TempDir;
use tokio::process::Command;

const BUCKET: &str = "ours";

struct Setting {
    moto: Moto,
    here: TempDir,
}

impl Setting {
    async fn new() -> Result<Self> {
        let moto = Moto::start().await?;
        moto.bucket(BUCKET).await?;
        Ok(Self {
            moto,
            here: TempDir::new()?,
        })
    }

    /// With nothing of the caller's environment.
    fn command(&self, arguments: &[&str]) -> Result<Command> {
        self.command_of("resume", arguments)
    }

    fn command_of(&self, group: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(reprise()?);
        command
            .arg(group)
            .args(arguments)
            .current_dir(self.here.path())
            .env_clear()
            .env("AWS_ENDPOINT_URL", self.moto.url())
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAFAKETEST")
            .env("AWS_SECRET_ACCESS_KEY", "fake-secret-of-a-test")
            .env("REPRISE_STORE", format!("s3://{BUCKET}/all"))
            .env("REPRISE_UPLOADS", self.here.path().join("uploads"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        Ok(command)
    }

    async fn run(&self, arguments: &[&str]) -> Result<Said> {
        said(self.command(arguments)?).await
    }

    async fn goes_well(&self, arguments: &[&str]) -> Result<Said> {
        let said = self.run(arguments).await?;
        ensure!(said.code == Some(0), "{arguments:?}: {said:?}");
        Ok(said)
    }

    fn write(&self, name: &str, size: usize) -> Result<Vec<u8>> {
        let bytes: Vec<u8> = (0..size).map(|at| (at / 257) as u8).collect();
        std::fs::write(self.here.path().join(name), &bytes)?;
        Ok(bytes)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        std::fs::read(self.here.path().join(name)).context("nothing was fetched")
    }
}

#[tokio::test]
async fn files_and_folders_come_back_and_are_found_and_pruned_on_moto() -> Result<()> {
    let here = Setting::new().await?;
    for (name, size) in [("empty", 0), ("small", 1_000), ("large", 17 << 20)] {
        let bytes = here.write(name, size)?;
        let key = format!("ci/7/{name} [debian-12] 100%");
        let before = here.run(&["exists", &key]).await?;
        ensure!(before.code == Some(1), "{before:?}");
        here.goes_well(&["put", name, &key]).await?;
        here.goes_well(&["exists", &key]).await?;
        here.goes_well(&["get", &key, "back"]).await?;
        ensure!(here.read("back")? == bytes, "{name} came back changed");
    }
    std::fs::create_dir(here.here.path().join("tree"))?;
    let bytes = here.write("tree/file", 9 << 20)?;
    here.goes_well(&["put", "tree", "ci/7/tree.tar.zst"])
        .await?;
    here.goes_well(&["get", "--unpack", "ci/7/tree.tar.zst", "tree again"])
        .await?;
    ensure!(
        here.read("tree again/file")? == bytes,
        "it came back changed"
    );

    let dry = ["prune", "ci/7", "--older-than", "1h", "--dry-run"];
    let young = here.goes_well(&dry).await?;
    ensure!(young.told.is_empty(), "{young:?}");
    let missing = here.run(&["get", "ci/7/nothing", "never"]).await?;
    missing.fails_with(&["is not in the store"])?;
    ensure!(!here.here.path().join("never").exists());
    let mut astray = here.command(&["exists", "s3://nobodys/key"])?;
    astray.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    astray.env("AWS_MAX_RETRIES", "0");
    let astray = said(astray).await?;
    ensure!(astray.code == Some(2), "{astray:?}");
    Ok(())
}

/// How many lines of parts the journals have.
fn parts_sent(uploads: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(uploads) else {
        return 0;
    };
    let texts = entries
        .flatten()
        .map(|entry| std::fs::read_to_string(entry.path()));
    texts
        .flatten()
        .map(|text| text.lines().count().saturating_sub(1))
        .sum()
}

#[tokio::test]
async fn an_upload_that_was_killed_is_not_there_and_goes_on_on_moto() -> Result<()> {
    let here = Setting::new().await?;
    let bytes = here.write("large", 150 << 20)?;
    let mut child = here.command(&["put", "large", "ci/large"])?.spawn()?;
    let uploads = here.here.path().join("uploads");
    wait::until("some parts", Duration::from_secs(60), async || {
        ensure!(
            child.try_wait()?.is_none(),
            "it ended before it could be killed"
        );
        Ok((parts_sent(&uploads) >= 3).then_some(()))
    })
    .await?;
    // SIGKILL: the program has no say.
    child.kill().await?;
    let half = here.run(&["exists", "ci/large"]).await?;
    ensure!(half.code == Some(1), "{half:?}");
    let rest = here.goes_well(&["put", "large", "ci/large"]).await?;
    ensure!(rest.complained.contains("had been sent before"), "{rest:?}");
    here.goes_well(&["get", "ci/large", "back"]).await?;
    ensure!(here.read("back")? == bytes, "it came back changed");
    ensure!(
        parts_sent(&uploads) == 0,
        "the upload is over, and remembered"
    );
    Ok(())
}

/// The job's name has what keys, shells and URLs have their own mind of.
#[tokio::test]
async fn a_checkpoint_comes_back_from_moto() -> Result<()> {
    const NAME: &str = "Build [debian-12/3.4] 100% + ünï";
    let here = Setting::new().await?;
    for folder in ["temp", "work/target"] {
        std::fs::create_dir_all(here.here.path().join(folder))?;
    }
    std::fs::write(here.here.path().join("temp/event"), "{}")?;
    let checkpoint = async |attempt: &str, arguments: &[&str]| {
        let mut command = here.command_of("checkpoint", arguments)?;
        let path = |name: &str| here.here.path().join(name);
        command
            .env("GITHUB_REPOSITORY", "acme/shop")
            .env("GITHUB_RUN_ID", "9000000001")
            .env("GITHUB_RUN_ATTEMPT", attempt)
            .env("GITHUB_EVENT_NAME", "push")
            .env("GITHUB_EVENT_PATH", path("temp/event"))
            .env("GITHUB_WORKSPACE", path("work"))
            .env("RUNNER_TEMP", path("temp"))
            .env("HOME", "/home/nobody-at-all");
        let said = said(command).await?;
        ensure!(said.code == Some(0), "{arguments:?}: {said:?}");
        Ok(said)
    };
    let restore = ["restore", "target", "--name", NAME];
    checkpoint("1", &restore).await?;
    let small = here.write("work/target/small", 1_000)?;
    // More than one part of an upload, and more than one segment.
    let large = here.write("work/target/large", 33 << 20)?;
    let saved = checkpoint("1", &["save"]).await?;
    ensure!(saved.complained.contains("saved 2 files"), "{saved:?}");
    std::fs::remove_dir_all(here.here.path().join("work/target"))?;
    let restored = checkpoint("2", &restore).await?;
    ensure!(restored.told.contains("restored=whole"), "{restored:?}");
    ensure!(here.read("work/target/small")? == small);
    ensure!(here.read("work/target/large")? == large);
    Ok(())
}

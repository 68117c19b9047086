//! The real program, as a step of a job starts it, and the most memory that it had.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_tests::wait;
use tokio::process::Command;
use tokio::time::Instant;

/// How often memory is looked at: the kernel keeps the highest, so that only a rise just before the end is missed.
const GLANCE: Duration = Duration::from_millis(5);

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// What it took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    pub(crate) seconds: f64,
    /// A megabyte is a million bytes.
    pub(crate) peak_megabytes: f64,
}

/// The program and where it runs.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) file: PathBuf,
    pub(crate) folder: PathBuf,
    /// Of the server that answers as S3.
    pub(crate) endpoint: String,
}

impl Program {
    /// Runs it to its end, which must be a good one.
    pub(crate) async fn run(&self, store: &str, arguments: &[&str]) -> Result<Took> {
        let log = self.folder.join("log");
        let begun = Instant::now();
        let mut child = Command::new(&self.file)
            .arg("resume")
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .envs([
                ("REPRISE_STORE", store),
                ("AWS_ENDPOINT_URL", &self.endpoint),
                ("AWS_ALLOW_HTTP", "true"),
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "AKIAFAKEBENCH"),
                ("AWS_SECRET_ACCESS_KEY", "fake-secret-of-a-bench"),
                ("GITHUB_REPOSITORY", "acme/shop"),
                ("GITHUB_RUN_NUMBER", "7"),
                ("GITHUB_RUN_ID", "9000000001"),
                (
                    "GITHUB_WORKFLOW_REF",
                    "acme/shop/.github/workflows/ci.yml@refs/heads/main",
                ),
            ])
            .env("REPRISE_UPLOADS", self.folder.join("uploads"))
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(self.folder.join("said"))?)
            .stderr(std::fs::File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("failed to start {}", self.file.display()))?;
        let status = PathBuf::from(format!("/proc/{}/status", child.id().unwrap_or_default()));
        let mut peak: f64 = 0.0;
        let ended = wait::until_every(GLANCE, "the program's end", PATIENCE, async || {
            peak = peak.max(peak_of(&status).unwrap_or(0.0));
            Ok(child.try_wait()?)
        });
        let ended = ended.await?;
        let seconds = begun.elapsed().as_secs_f64();
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        ensure!(ended.success(), "{arguments:?} ended with {ended}: {said}");
        ensure!(peak > 0.0, "{arguments:?} ended before its memory was seen");
        Ok(Took {
            seconds,
            peak_megabytes: peak,
        })
    }
}

/// None once it has ended: then it has no memory.
fn peak_of(status: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

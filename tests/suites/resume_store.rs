//! `reprise resume` and a store: a local folder whose writers are killed, a bucket of thousands of objects, and stores that are not
//! as they must be.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::{Query, State};
use reprise_tests::harness::operator::{Said, said};
use reprise_tests::harness::program::reprise;
use reprise_tests::wait;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a large workflow's plan may take, from the start of the program to its end (issue 8).
const LIMIT: Duration = Duration::from_secs(2);

/// What S3 lists at once.
const PAGE: usize = 1000;

struct Step {
    here: TempDir,
}

impl Step {
    fn new() -> Result<Self> {
        let here = TempDir::new()?;
        std::fs::create_dir_all(here.path().join("store/ci"))?;
        std::fs::write(here.path().join("small"), "small")?;
        Ok(Self { here })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.here.path().join(name)
    }

    /// With nothing of the caller's environment, and a folder as the store.
    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(reprise()?);
        command
            .arg("resume")
            .args(arguments)
            .current_dir(self.here.path())
            .env_clear()
            .env(
                "REPRISE_STORE",
                format!("file://{}", self.path("store").display()),
            )
            .env("REPRISE_UPLOADS", self.path("uploads"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
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

    /// What does not count yet, in the folder that all keys here are in.
    fn unfinished(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(self.path("store/ci"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(".reprise") {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    /// SIGKILL in the midst of a put; what it leaves behind.
    async fn killed(&self, key: &str) -> Result<PathBuf> {
        let mut put = self.command(&["put", "large", key])?.spawn()?;
        let half = wait::until("half a file", PATIENCE, async || {
            ensure!(
                put.try_wait()?.is_none(),
                "it ended before it could be killed"
            );
            let found = self.unfinished()?.pop();
            Ok(found.filter(|file| file.metadata().is_ok_and(|facts| facts.len() > 0)))
        });
        let half = half.await?;
        put.kill().await?;
        Ok(half)
    }
}

/// As if nobody had written to it for two hours.
fn age(file: &std::path::Path) -> Result<()> {
    let file = std::fs::File::options().write(true).open(file)?;
    let old = file.metadata()?.modified()? - Duration::from_secs(7200);
    Ok(file.set_modified(old)?)
}

#[tokio::test]
async fn a_put_that_was_killed_is_not_there_and_what_it_left_goes_once_it_is_old() -> Result<()> {
    let step = Step::new()?;
    // A hole takes no disk, and the copy of it is broken off.
    std::fs::File::create(step.path("large"))?.set_len(64 << 30)?;
    let half = step.killed("ci/large").await?;
    let exists = step.run(&["exists", "ci/large"]).await?;
    ensure!(exists.code == Some(1), "{exists:?}");
    let got = step.run(&["get", "ci/large", "back"]).await?;
    got.fails_with(&["is not in the store"])?;
    step.goes_well(&["put", "small", "ci/other"]).await?;
    ensure!(half.exists(), "it might have been another machine's");
    age(&half)?;
    step.goes_well(&["put", "small", "ci/large"]).await?;
    ensure!(step.unfinished()?.is_empty(), "{:?}", step.unfinished());
    step.goes_well(&["get", "ci/large", "back"]).await?;
    ensure!(std::fs::read(step.path("back"))? == b"small");

    let half = step.killed("ci/again").await?;
    let before = step.goes_well(&["get", "ci/large", "back"]).await?;
    ensure!(before.code == Some(0) && half.exists());
    age(&half)?;
    let prune = ["prune", "ci", "--older-than", "1h"];
    let dry = [prune.as_slice(), &["--dry-run"]].concat();
    step.goes_well(&dry).await?;
    ensure!(half.exists(), "it was only to be told");
    let pruned = step.goes_well(&prune).await?;
    ensure!(
        pruned.complained.contains("removed 1 unfinished"),
        "{pruned:?}"
    );
    ensure!(!half.exists());
    Ok(())
}

#[tokio::test]
async fn without_a_prefix_all_that_is_old_in_the_store_is_removed_but_never_of_a_whole_bucket()
-> Result<()> {
    let step = Step::new()?;
    for key in ["ci/old", "old", "ci/young"] {
        step.goes_well(&["put", "small", key]).await?;
    }
    std::fs::write(step.path("beside"), "no artifact")?;
    for name in ["store/ci/old", "store/old", "beside"] {
        age(&step.path(name))?;
    }
    step.goes_well(&["prune", "--older-than", "1h"]).await?;
    ensure!(!step.path("store/old").exists() && !step.path("store/ci/old").exists());
    ensure!(step.path("store/ci/young").exists() && step.path("beside").exists());
    let bucket = ["prune", "--older-than", "1h", "--store", "s3://ours"];
    let bucket = step.run(&bucket).await?;
    bucket.fails_with(&["nothing in it", "s3://BUCKET/PREFIX"])?;
    let mut nowhere = step.command(&["prune", "--older-than", "1h"])?;
    nowhere.env_remove("REPRISE_STORE");
    said(nowhere)
        .await?
        .fails_with(&["no store is named", "REPRISE_STORE"])?;
    Ok(())
}

#[tokio::test]
async fn of_several_programs_that_put_the_same_into_a_folder_one_wins_whole() -> Result<()> {
    let step = Step::new()?;
    let mut contents = Vec::new();
    let mut writers = Vec::new();
    for writer in 0..4_u8 {
        let content = vec![writer; (9 << 20) + usize::from(writer)];
        let name = format!("file{writer}");
        std::fs::write(step.path(&name), &content)?;
        contents.push(content);
        writers.push(step.command(&["put", &name, "ci/same"])?.spawn()?);
    }
    for mut writer in writers {
        ensure!(writer.wait().await?.success(), "a writer failed");
    }
    step.goes_well(&["get", "ci/same", "back"]).await?;
    let back = std::fs::read(step.path("back"))?;
    ensure!(contents.contains(&back), "a mixture came back");
    ensure!(step.unfinished()?.is_empty(), "{:?}", step.unfinished());
    Ok(())
}

/// A bucket that is only listed: all its keys in order, and how often it was asked.
struct Bucket {
    keys: Vec<String>,
    asked: AtomicUsize,
}

#[derive(Debug, Deserialize)]
struct Page {
    prefix: Option<String>,
    #[serde(rename = "continuation-token")]
    token: Option<String>,
}

async fn list(State(bucket): State<Arc<Bucket>>, Query(page): Query<Page>) -> String {
    bucket.asked.fetch_add(1, Ordering::SeqCst);
    let prefix = page.prefix.unwrap_or_default();
    let after = page.token.unwrap_or_default();
    let mut left = bucket
        .keys
        .iter()
        .filter(|key| key.starts_with(&prefix) && **key > after);
    let mut body = "<ListBucketResult>".to_owned();
    let mut last = None;
    for key in left.by_ref().take(PAGE) {
        body.push_str(&format!(
            "<Contents><Key>{key}</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        ));
        last = Some(key);
    }
    if let (Some(_), Some(last)) = (left.next(), last) {
        body.push_str(&format!(
            "<NextContinuationToken>{last}</NextContinuationToken>"
        ));
    }
    body + "</ListBucketResult>"
}

#[tokio::test]
async fn a_plan_of_hundreds_of_jobs_asks_for_a_list_once_a_thousand_objects() -> Result<()> {
    const OBJECTS: usize = 10_000;
    let mut keys: Vec<String> = (0..OBJECTS - 200)
        .map(|other| format!("acme/ruby/ci.yml/7/other/{other}"))
        .collect();
    keys.extend((0..200).map(|n| format!("acme/ruby/ci.yml/7/built/{n}")));
    keys.sort();
    let bucket = Arc::new(Bucket {
        keys,
        asked: AtomicUsize::new(0),
    });
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let router = Router::new().fallback(list).with_state(Arc::clone(&bucket));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });

    let step = Step::new()?;
    std::fs::create_dir(step.path(".github"))?;
    let values: Vec<String> = (0..250).map(|n| format!("\"{n}\"")).collect();
    let manifest = format!(
        "matrix.n = [{}]\n[[job]]\nname = \"Build {{n}}\"\nartifacts = [\"built/{{n}}\"]\n",
        values.join(",")
    );
    std::fs::write(step.path(".github/reprise-resume.toml"), manifest)?;
    let mut plan = step.command(&["plan", "--store", "s3://ours"])?;
    plan.envs(s3(&url)).envs([
        ("GITHUB_REPOSITORY", "acme/ruby"),
        ("GITHUB_RUN_NUMBER", "7"),
        (
            "GITHUB_WORKFLOW_REF",
            "acme/ruby/.github/workflows/ci.yml@refs/heads/main",
        ),
    ]);
    let said = tokio::time::timeout(LIMIT, said(plan)).await;
    let said = said.with_context(|| format!("the plan took more than {LIMIT:?}"))??;
    server.abort();
    ensure!(said.code == Some(0), "{said:?}");
    let names = said
        .told
        .lines()
        .find_map(|line| line.split_once("necessary_jobs="));
    let (_, names) = names.context("no list")?;
    let left = names.split_terminator(';').skip(1).count();
    ensure!(left == 50 && names.contains(";Build 249;"), "{names}");
    let asked = bucket.asked.load(Ordering::SeqCst);
    ensure!(
        asked == OBJECTS.div_ceil(PAGE),
        "{asked} requests for lists"
    );
    Ok(())
}

fn s3(url: &str) -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT_URL", url.to_owned()),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIAFAKETEST".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "fake-secret-of-a-test".to_owned()),
    ]
}

#[tokio::test]
async fn a_store_that_is_not_as_it_must_be_is_told_with_what_to_do() -> Result<()> {
    let step = Step::new()?;
    // Nothing listens on port 1.
    let nowhere = "http://127.0.0.1:1";
    let tried = async |address: &str, set: &[(&str, &str)], unset: &[&str]| {
        let mut command = step.command(&["exists", address])?;
        command.envs(s3(nowhere)).env("AWS_MAX_RETRIES", "0");
        command.envs(set.iter().copied());
        unset.iter().for_each(|name| {
            command.env_remove(name);
        });
        said(command).await
    };
    let keys = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    for (address, set, unset, words) in [
        (
            "s3://ours/a",
            [].as_slice(),
            [].as_slice(),
            "that it can be reached",
        ),
        (
            "s3://ours/a",
            &[("AWS_ENDPOINT_URL", "nonsense")],
            &[],
            "write https://HOST",
        ),
        (
            "s3://ours/a",
            &[],
            &["AWS_ALLOW_HTTP"],
            "set AWS_ALLOW_HTTP=true",
        ),
        (
            "s3://ours/a",
            &[("AWS_METADATA_ENDPOINT", nowhere)],
            &keys,
            "no credentials were found",
        ),
        (
            "file:///no/such/store/a",
            &[],
            &[],
            "make it, or name another one",
        ),
        ("ftp://ours/a", &[], &[], "write file:///FOLDER"),
    ] {
        let said = tried(address, set, unset).await?;
        ensure!(said.code == Some(2), "{words}: {said:?}");
        ensure!(said.complained.contains(words), "{words:?}: {said:?}");
        ensure!(said.complained.lines().count() == 1, "{said:?}");
    }
    step.goes_well(&["put", "small", "ci/a"]).await?;
    let got = step.run(&["get", "ci/a", "."]).await?;
    got.fails_with(&["is a folder; name the file"])
}

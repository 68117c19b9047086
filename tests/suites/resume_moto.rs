//! `reprise resume put`, `get`, `exists` and `prune` with an S3 that nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_tests::harness::gate::Gate;
use reprise_tests::harness::operator::{Said, said};
use reprise_tests::harness::program::reprise;
use reprise_tests::moto::Moto;
use reprise_tests::wait;
use tempfile::TempDir;
use tokio::process::Command;

const BUCKET: &str = "ours";

/// What a store lists at once.
const PAGE: usize = 1000;

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

    async fn plan(&self, run: u64) -> Result<Said> {
        let mut plan = self.command(&["plan"])?;
        plan.env("GITHUB_RUN_ID", run.to_string());
        said(plan).await
    }

    async fn goes_well(&self, arguments: &[&str]) -> Result<Said> {
        let said = self.run(arguments).await?;
        ensure!(said.code == Some(0), "{arguments:?}: {said:?}");
        Ok(said)
    }

    /// What has a program take the time for two hours later; the tests' own library for that.
    async fn two_hours_later(&self) -> Result<Vec<(&'static str, PathBuf)>> {
        let (library, seconds) = (
            self.here.path().join("wall.so"),
            self.here.path().join("wall"),
        );
        std::fs::write(&seconds, 7200_i64.to_ne_bytes())?;
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/suites/agent_chaos/wall.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
        let status = compiler.arg(&library).arg(source).status().await;
        let done = status.context("there is no C compiler; install one (Debian: gcc)")?;
        ensure!(done.success(), "cc fails on {source}");
        Ok(vec![("LD_PRELOAD", library), ("WALL_SECONDS", seconds)])
    }

    fn write(&self, name: &str, size: usize) -> Result<Vec<u8>> {
        // Files of different sizes differ in every part.
        let bytes: Vec<u8> = (0..size).map(|at| (at / 257 + size) as u8).collect();
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

#[tokio::test]
async fn what_is_old_is_removed_on_moto_and_nothing_else() -> Result<()> {
    let here = Setting::new().await?;
    here.write("file", 10)?;
    for key in ["ci/7/a", "ci/7/deep/b", "ci/70/c"] {
        here.goes_well(&["put", "file", key]).await?;
    }
    let prune = ["prune", "ci/7", "--older-than", "1h"];
    let young = here.goes_well(&prune).await?;
    ensure!(young.told.is_empty(), "{young:?}");
    let clock = here.two_hours_later().await?;
    let mut dry = here.command(&["prune", "ci/7", "--older-than", "1h", "--dry-run"])?;
    dry.envs(clock.clone());
    let dry = said(dry).await?;
    ensure!(dry.told == "ci/7/a\nci/7/deep/b\n", "{dry:?}");
    here.goes_well(&["exists", "ci/7/a"]).await?;
    let mut later = here.command(&prune)?;
    later.envs(clock);
    let later = said(later).await?;
    ensure!(
        later.code == Some(0) && later.told == "ci/7/a\nci/7/deep/b\n",
        "{later:?}"
    );
    for (key, code) in [("ci/7/a", 1), ("ci/7/deep/b", 1), ("ci/70/c", 0)] {
        let said = here.run(&["exists", key]).await?;
        ensure!(said.code == Some(code), "{key}: {said:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_was_damaged_on_moto_is_not_fetched() -> Result<()> {
    let here = Setting::new().await?;
    here.write("file", 10)?;
    let bytes = here.write("place", 3)?;
    let whole = here.goes_well(&["put", "file", "ci/whole"]).await?;
    let (_, checksum) = whole
        .complained
        .trim()
        .split_once("blake3 ")
        .context("no checksum")?;
    let attribute = ("reprise_blake3", checksum);
    here.moto
        .object("ours/all/ci/cut", attribute, "123")
        .await?;
    here.moto
        .object("ours/all/ci/other", attribute, "1234567890")
        .await?;
    for key in ["ci/cut", "ci/other"] {
        let said = here.run(&["get", key, "place"]).await?;
        said.fails_with(&["is damaged", "put it again"])?;
        ensure!(here.read("place")? == bytes, "{key} was written");
    }
    let files = std::fs::read_dir(here.here.path())?.count();
    ensure!(files == 2, "{files} files are left");
    Ok(())
}

#[tokio::test]
async fn what_another_program_put_on_moto_has_its_own_name() -> Result<()> {
    let here = Setting::new().await?;
    // In an address, `~rc1[1]` and a space.
    let path = "ours/all/ci/ruby%7Erc1%5B1%5D%20a.deb";
    here.moto.object(path, ("by", "others"), "abc").await?;
    let key = "ci/ruby~rc1[1] a.deb";
    here.goes_well(&["exists", key]).await?;
    here.goes_well(&["get", key, "back"]).await?;
    ensure!(here.read("back")? == b"abc");
    Ok(())
}

#[tokio::test]
async fn a_folder_that_a_console_made_on_moto_is_no_artifact() -> Result<()> {
    let here = Setting::new().await?;
    std::fs::create_dir(here.here.path().join(".github"))?;
    let manifest = here.here.path().join(".github/reprise-resume.toml");
    std::fs::write(
        manifest,
        r#"
prefix = "runs/{run_id}"
[[job]]
name = "Site"
artifacts = ["site"]
[[job]]
name = "Stamp"
artifacts = ["stamp"]
"#,
    )?;
    for (name, body) in [("site/", ""), ("stamp", "")] {
        let path = format!("ours/all/runs/7/{name}");
        here.moto.object(&path, ("by", "hand"), body).await?;
    }
    let plan = here.plan(7).await?;
    ensure!(plan.code == Some(0), "{plan:?}");
    ensure!(plan.told.contains("necessary_jobs=;Site;"), "{plan:?}");
    // What nobody can ask for is told as such.
    let path = "ours/all/runs/8//stamp";
    here.moto.object(path, ("by", "hand"), "x").await?;
    let plan = here.plan(8).await?;
    ensure!(plan.code == Some(1), "{plan:?}");
    ensure!(plan.complained.contains("remove or rename it"), "{plan:?}");
    Ok(())
}

#[tokio::test]
async fn a_profile_says_on_moto_who_we_are_and_where() -> Result<()> {
    let here = Setting::new().await?;
    here.write("file", 100)?;
    std::fs::create_dir(here.here.path().join(".aws"))?;
    let write = |name: &str, text: &str| std::fs::write(here.here.path().join(name), text);
    let keys = "aws_access_key_id = AKIAFAKETEST\naws_secret_access_key = fake-secret-of-a-test\n";
    write(".aws/credentials", &format!("[ci]\n{keys}"))?;
    let url = here.moto.url();
    let config = format!(
        "[profile ci]\nregion = eu-west-1\nendpoint_url = {url}\n[profile role]\nrole_arn = arn:fake\n"
    );
    write(".aws/config", &config)?;
    let with = async |profile: &str| {
        let mut put = here.command(&["put", "file", "ci/file"])?;
        for name in [
            "AWS_ENDPOINT_URL",
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            put.env_remove(name);
        }
        put.env("HOME", here.here.path())
            .env("AWS_PROFILE", profile);
        said(put).await
    };
    for (profile, told) in [("role", "export-credentials"), ("nobody", "unset it")] {
        let put = with(profile).await?;
        ensure!(
            put.code == Some(1) && put.complained.contains(told),
            "{put:?}"
        );
    }
    let put = with("ci").await?;
    ensure!(put.code == Some(0), "{put:?}");
    here.goes_well(&["exists", "ci/file"]).await?;
    Ok(())
}

#[tokio::test]
async fn of_several_programs_that_put_the_same_to_moto_one_wins_whole() -> Result<()> {
    let here = Setting::new().await?;
    let mut contents = Vec::new();
    let mut writers = Vec::new();
    for writer in 0..3 {
        let name = format!("file{writer}");
        contents.push(here.write(&name, (11 << 20) + writer)?);
        writers.push(here.command(&["put", &name, "ci/same"])?.spawn()?);
    }
    for mut writer in writers {
        ensure!(writer.wait().await?.success(), "a writer failed");
    }
    here.goes_well(&["get", "ci/same", "back"]).await?;
    ensure!(
        contents.contains(&here.read("back")?),
        "a mixture came back"
    );
    Ok(())
}

#[tokio::test]
async fn a_plan_asks_moto_for_a_list_once_a_thousand_objects() -> Result<()> {
    const OBJECTS: usize = 2_001;
    let here = Setting::new().await?;
    let gate = Gate::build().await?;
    let mut url = here.moto.url();
    gate.stand_before(&mut url);
    for object in 0..OBJECTS {
        let path = format!("ours/all/runs/7/{object}");
        here.moto.object(&path, ("by", "hand"), "x").await?;
    }
    std::fs::create_dir(here.here.path().join(".github"))?;
    let names: Vec<String> = (0..OBJECTS + 1).map(|name| format!("\"{name}\"")).collect();
    let manifest = format!(
        "prefix = \"runs/{{run_id}}\"\nmatrix.n = [{}]\n[[job]]\nname = \"Job {{n}}\"\nartifacts = [\"{{n}}\"]\n",
        names.join(",")
    );
    std::fs::write(
        here.here.path().join(".github/reprise-resume.toml"),
        manifest,
    )?;
    let mut plan = here.command(&["plan"])?;
    plan.env("AWS_ENDPOINT_URL", url).env("GITHUB_RUN_ID", "7");
    let plan = said(plan).await?;
    ensure!(plan.code == Some(0), "{plan:?}");
    let list = format!("necessary_jobs=;Job {OBJECTS};");
    ensure!(plan.told.contains(&list), "it is not the one that is left");
    let lists = gate.passed().len();
    ensure!(
        lists == OBJECTS.div_ceil(PAGE),
        "{lists} requests: {:?}",
        gate.counts()
    );
    Ok(())
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_told_with_what_to_do() -> Result<()> {
    let here = Setting::new().await?;
    here.write("file", 10)?;
    for arguments in [
        ["put", "file", "s3://nobodys/a"].as_slice(),
        &["get", "s3://nobodys/a", "never"],
        &["exists", "s3://nobodys/a"],
        &["prune", "s3://nobodys/a", "--older-than", "1h"],
    ] {
        let said = here.run(arguments).await?;
        let code = if arguments[0] == "exists" { 2 } else { 1 };
        ensure!(said.code == Some(code), "{said:?}");
        for words in ["NoSuchBucket", "make the bucket"] {
            let times = said.complained.matches(words).count();
            ensure!(times == 1, "{words:?} {times} times: {said:?}");
        }
    }
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

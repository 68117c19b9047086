//! `reprise resume plan`, as a step of a workflow runs it: with GitHub's variables and files, and a folder as the store.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::routing::get;
use reprise_tests::harness::operator::{Said, said};
use reprise_tests::harness::program::reprise;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::Command;

/// What a large workflow's plan may take, from the start of the program to its end (issue 8).
const LIMIT: Duration = Duration::from_secs(2);

const MANIFEST: &str = r#"
[matrix]
distro = ["debian-12", "ubuntu-24.04"]
version = ["3.3", "3.4"]
variant = ["normal"]

[[job]]
name = "Download Ruby source {version}"
artifacts = ["ruby-{version}-src.tar"]
only-if-wanted = true

[[job]]
name = "Build common DEB"
artifacts = ["common.deb"]

[[job]]
name = "Build Ruby [{distro}/{version}/{variant}]"
artifacts = ["ruby-{distro}-{version}-{variant}.deb"]
needs = ["Download Ruby source {version}", "Build common DEB"]

[[job]]
name = "Test [{distro}]"
artifacts = ["test-{distro}.json"]
needs = ["Build Ruby [{distro}/{version}/{variant}]"]
stale-with-inputs = true
"#;

const WORKFLOW: &str = r#"
on: push
jobs:
  plan:
    runs-on: ubuntu-latest
  source:
    name: Download Ruby source ${{ matrix.version }}
    needs: plan
    if: ${{ contains(needs.plan.outputs.necessary_jobs, ';Download Ruby source') }}
    strategy: { matrix: { version: ["3.3", "3.4"] } }
    runs-on: ubuntu-latest
  common:
    name: Build common DEB
    needs: plan
    if: contains(needs.plan.outputs.necessary_jobs, ';Build common DEB;')
    runs-on: ubuntu-latest
  ruby:
    name: ${{ matrix.job }}
    needs: [plan, source, common]
    strategy: { matrix: { job: "${{ fromJSON(needs.plan.outputs.necessary_jobs_json) }}" } }
    runs-on: ubuntu-latest
"#;

/// A step: its workspace, the files that GitHub gives it, and the store.
struct Step {
    folder: TempDir,
}

impl Step {
    fn new(manifest: &str) -> Result<Self> {
        let step = Self {
            folder: TempDir::new()?,
        };
        for folder in ["work/.github/workflows", "store"] {
            std::fs::create_dir_all(step.path(folder))?;
        }
        std::fs::write(step.path("work/.github/reprise-resume.toml"), manifest)?;
        std::fs::write(step.path("work/.github/workflows/ci.yml"), WORKFLOW)?;
        std::fs::write(step.path("output"), "from_before=1\n")?;
        Ok(step)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Puts an artifact of this run into the store.
    fn put(&self, name: &str) -> Result<()> {
        let path = self.path("store/acme/ruby/ci.yml/7").join(name);
        std::fs::create_dir_all(path.parent().context("a folder")?)?;
        std::fs::write(path, "x").context("failed to put an artifact")
    }

    async fn plan(&self, arguments: &[&str]) -> Result<Said> {
        let mut command = Command::new(reprise()?);
        command
            .args(["resume", "plan"])
            .args(arguments)
            .current_dir(self.path("work"))
            .env_clear()
            .env(
                "REPRISE_STORE",
                format!("file://{}", self.path("store").display()),
            )
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"))
            .env("GITHUB_REPOSITORY", "acme/ruby")
            .env("GITHUB_RUN_NUMBER", "7")
            .env("GITHUB_RUN_ID", "9000000001")
            .env(
                "GITHUB_WORKFLOW_REF",
                "acme/ruby/.github/workflows/ci.yml@refs/heads/main",
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        said(command).await
    }

    /// What the step wrote for the workflow.
    fn output(&self) -> Result<String> {
        let text = std::fs::read_to_string(self.path("output"))?;
        let own = text.strip_prefix("from_before=1\n");
        Ok(own.context("it took out what was there before")?.to_owned())
    }
}

fn has(told: &str, words: &[&str]) -> Result<()> {
    for words in words {
        ensure!(told.contains(words), "{words:?} is not in: {told}");
    }
    Ok(())
}

#[tokio::test]
async fn a_rerun_is_told_what_is_left_to_do() -> Result<()> {
    let step = Step::new(MANIFEST)?;
    for done in [
        "common.deb",
        "ruby-3.4-src.tar",
        "ruby-debian-12-3.3-normal.deb",
        "ruby-debian-12-3.4-normal.deb",
        "ruby-ubuntu-24.04-3.3-normal.deb",
        "test-debian-12.json",
        "test-ubuntu-24.04.json",
        // What lies beside it is another run's.
        "../70/ruby-ubuntu-24.04-3.4-normal.deb",
    ] {
        step.put(done)?;
    }
    let said = step.plan(&[]).await?;
    ensure!(said.code == Some(0), "{said:?}");
    assert_eq!(
        step.output()?,
        "necessary_jobs=;Build Ruby [ubuntu-24.04/3.4/normal];Test [ubuntu-24.04];\n\
         necessary_jobs_json=[\"Build Ruby [ubuntu-24.04/3.4/normal]\",\"Test [ubuntu-24.04]\"]\n\
         necessary_matrices={\"Build Ruby [{distro}/{version}/{variant}]\":{\"include\":[{\"distro\":\"ubuntu-24.04\",\
         \"variant\":\"normal\",\"version\":\"3.4\"}]},\"Test [{distro}]\":{\"include\":[{\"distro\":\"ubuntu-24.04\"}]}}\n\
         all_done=false\n"
    );
    has(
        &said.told,
        &[
            "##### Determine whether Download Ruby source 3.3 needs to run #####\n\
             Artifact acme/ruby/ci.yml/7/ruby-3.3-src.tar is missing\n\
             Needs to run: no, no job that runs needs it\n",
            "##### Determine whether Build common DEB needs to run #####\n\
             Artifact acme/ruby/ci.yml/7/common.deb exists\n\
             Needs to run: no, all of its artifacts exist\n",
            "Needs to run: yes, acme/ruby/ci.yml/7/ruby-ubuntu-24.04-3.4-normal.deb is missing\n",
            "Needs to run: yes, its input Build Ruby [ubuntu-24.04/3.4/normal] runs again\n",
            "Necessary jobs: 2\n  - Build Ruby [ubuntu-24.04/3.4/normal]\n  - Test [ubuntu-24.04]\n\
             Jobs that need not run: 7\n",
            // What the workflow does otherwise than the plan means.
            "::warning file=.github/workflows/ci.yml,line=17,col=3,title=reprise resume plan::ruby is skipped whenever",
        ],
    )?;
    let summary = std::fs::read_to_string(step.path("summary"))?;
    has(
        &summary,
        &[
            "### 2 of 9 jobs need to run\n",
            "| Build Ruby \\[ubuntu-24.04/3.4/normal\\] | **yes** |",
        ],
    )?;
    ensure!(said.complained.is_empty(), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn where_all_is_there_nothing_is_left_to_do() -> Result<()> {
    let step = Step::new("[[job]]\nname = \"a\"\nartifacts = [\"a\"]\n")?;
    step.put("a")?;
    let said = step.plan(&[]).await?;
    ensure!(said.code == Some(0), "{said:?}");
    assert_eq!(
        step.output()?,
        "necessary_jobs=;\nnecessary_jobs_json=[]\nnecessary_matrices={}\nall_done=true\n"
    );
    // The workflow tests for jobs that this manifest does not have, and has none of this name but one that may be any.
    has(
        &said.told,
        &["common looks for \"Build common DEB\", which the manifest does not have"],
    )
}

#[tokio::test]
async fn a_store_that_is_not_there_skips_no_job() -> Result<()> {
    let step = Step::new(MANIFEST)?;
    std::fs::remove_dir(step.path("store"))?;
    let said = step.plan(&[]).await?;
    ensure!(
        said.code == Some(1) && step.output()?.is_empty(),
        "{said:?}"
    );
    has(
        &said.complained,
        &[
            "the store did not tell what lies below acme/ruby/ci.yml/7/",
            "--on-error=run-all",
        ],
    )?;
    let said = step.plan(&["--on-error", "run-all"]).await?;
    ensure!(said.code == Some(0), "{said:?}");
    has(&said.told, &["every job runs\n", "Necessary jobs: 9\n"])?;
    has(&step.output()?, &[";Test [debian-12];", "all_done=false\n"])
}

#[tokio::test]
async fn all_mistakes_of_a_manifest_are_shown_at_their_lines() -> Result<()> {
    let step =
        Step::new("[[job]]\nname = \"a;b\"\nartifact = [\"a\"]\n\n[[jobs]]\nname = \"c\"\n")?;
    let said = step.plan(&[]).await?;
    ensure!(
        said.code == Some(1) && step.output()?.is_empty(),
        "{said:?}"
    );
    let file = ".github/reprise-resume.toml";
    for (line, words) in [(2, "has a ;"), (3, "\"artifacts\""), (5, "\"job\"")] {
        has(&said.complained, &[&format!("{file}:{line}: ")])?;
        let at = format!("::error file={file},line={line},col=1,title=reprise resume plan::");
        let shown = said.told.lines().find(|told| told.starts_with(&at));
        has(shown.context(at)?, &[words])?;
    }
    Ok(())
}

#[tokio::test]
async fn what_a_step_lacks_is_told_with_what_to_do() -> Result<()> {
    let step = Step::new(MANIFEST)?;
    for (arguments, words) in [
        (["--store", "ftp://example.com"], "is no address of a store"),
        (
            ["--manifest", "nowhere.toml"],
            "failed to read the manifest nowhere.toml",
        ),
        (["--workflow", "nowhere.yml"], "failed to read nowhere.yml"),
        (["--on-error", "skip-all"], "invalid value"),
    ] {
        let said = step.plan(&arguments).await?;
        ensure!(
            said.code != Some(0) && step.output()?.is_empty(),
            "{said:?}"
        );
        has(&said.complained, &[words])?;
    }
    Ok(())
}

#[tokio::test]
async fn what_is_found_elsewhere_is_not_made_again() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/images/3.3", get(|| async { "here" }))
        .route("/busy", get(|| async { axum::http::StatusCode::FORBIDDEN }));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let job = |at: &str| {
        format!(
            "[[job]]\nname = \"Image {{version}}\"\nunless-found = \"http://{address}/{at}\"\n\
             matrix.version = [\"3.3\", \"3.4\"]\n"
        )
    };
    let step = Step::new(&job("images/{version}"))?;
    // Without an artifact no store is needed.
    std::fs::remove_dir(step.path("store"))?;
    let said = step.plan(&[]).await?;
    ensure!(said.code == Some(0), "{said:?}");
    has(&step.output()?, &["necessary_jobs=;Image 3.4;\n"])?;
    has(
        &said.told,
        &["/images/3.3 is there\n", "/images/3.4 is not there (404)\n"],
    )?;

    let step = Step::new(&job("busy?{version}"))?;
    let said = step.plan(&[]).await?;
    ensure!(
        said.code == Some(1) && step.output()?.is_empty(),
        "{said:?}"
    );
    has(&said.complained, &["it answered 403", "nothing is decided"])?;
    server.abort();
    Ok(())
}

#[tokio::test]
async fn a_plan_of_hundreds_of_jobs_and_ten_thousand_objects_is_quick() -> Result<()> {
    let values = |of: &str| {
        let all: Vec<String> = (0..15).map(|n| format!("\"{of}{n}\"")).collect();
        all.join(",")
    };
    let step = Step::new(&format!(
        "matrix.a = [{}]\nmatrix.b = [{}]\n\
         [[job]]\nname = \"Build {{a}} {{b}}\"\nartifacts = [\"{{a}}/{{b}}.tar\"]\n\
         [[job]]\nname = \"Test {{a}} {{b}}\"\nartifacts = [\"{{a}}/{{b}}.json\"]\nneeds = [\"Build {{a}} {{b}}\"]\n\
         stale-with-inputs = true\n",
        values("x"),
        values("y")
    ))?;
    for a in 0..15 {
        for b in 0..15 {
            step.put(&format!("x{a}/y{b}.json"))?;
            if (a + b) % 2 == 0 {
                step.put(&format!("x{a}/y{b}.tar"))?;
            }
        }
    }
    for other in 0..9_662 {
        step.put(&format!("other/{other}"))?;
    }
    let said = tokio::time::timeout(LIMIT, step.plan(&[])).await;
    let said = said.with_context(|| format!("the plan took more than {LIMIT:?}"))??;
    ensure!(said.code == Some(0), "{}", said.complained);
    let output = step.output()?;
    let names: BTreeSet<&str> = output
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("necessary_jobs="))
        .context("no list")?
        .split_terminator(';')
        .skip(1)
        .collect();
    // 112 of 225 packages are missing; their tests are stale.
    ensure!(names.len() == 224, "{}", names.len());
    ensure!(names.contains("Build x0 y1") && names.contains("Test x0 y1"));
    ensure!(!names.contains("Build x0 y0") && !names.contains("Test x0 y0"));
    Ok(())
}

#[tokio::test]
async fn outside_of_github_the_outputs_are_shown() -> Result<()> {
    let step =
        Step::new("prefix = \"{hash:VERSION}\"\n[[job]]\nname = \"a\"\nartifacts = [\"a\"]\n")?;
    std::fs::write(step.path("work/VERSION"), "1\n")?;
    let plan = async |folder: &Path| {
        let mut command = Command::new(reprise()?);
        command
            .args(["resume", "plan", "--store"])
            .arg(format!("file://{}", step.path("store").display()))
            .current_dir(folder)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        said(command).await
    };
    let said = plan(&step.path("work")).await?;
    ensure!(said.code == Some(0), "{said:?}");
    has(&said.told, &["\nnecessary_jobs=;a;\n"])?;
    std::fs::remove_file(step.path("work/VERSION"))?;
    let said = plan(&step.path("work")).await?;
    ensure!(said.code == Some(1), "{said:?}");
    has(&said.complained, &["no file in . matches {hash:VERSION}"])
}

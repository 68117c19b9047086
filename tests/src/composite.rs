//! Composite actions, run step by step as a runner does: inputs into variables, files for outputs and paths, bash.
//!
//! Not a runner: of expressions there are `${{ inputs.NAME }}` and `${{ strategy.job-total }}`, and only in `env`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use serde::Deserialize;
use tempfile::TempDir;

use crate::peers;

/// An `action.yml`.
#[derive(Debug, Deserialize)]
pub struct Action {
    #[serde(default)]
    inputs: BTreeMap<String, Input>,
    /// What it hands on, by name, as expressions.
    #[serde(default)]
    pub outputs: BTreeMap<String, Handed>,
    runs: Runs,
    #[serde(skip)]
    folder: PathBuf,
}

/// What an action hands on.
#[derive(Debug, Deserialize)]
pub struct Handed {
    /// The expression.
    pub value: String,
}

#[derive(Debug, Deserialize)]
struct Input {
    #[serde(default)]
    required: bool,
    default: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Runs {
    using: String,
    steps: Vec<Step>,
}

/// Nothing but this is allowed in our actions: what else a step could have, this would not do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: String,
    id: Option<String>,
    shell: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    run: String,
}

impl Action {
    /// Reads one with a YAML parser that nobody here wrote.
    pub fn read(folder: &Path) -> Result<Self> {
        let to_json =
            "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
        let file = folder.join("action.yml");
        let read = Command::new(peers::python_program("python")?)
            .args(["-c", to_json])
            .arg(&file)
            .output()?;
        ensure!(
            read.status.success(),
            "{}: {}",
            file.display(),
            String::from_utf8_lossy(&read.stderr)
        );
        let mut action: Self = serde_json::from_slice(&read.stdout)
            .with_context(|| format!("{} is no action", file.display()))?;
        ensure!(action.runs.using == "composite", "it is no composite");
        folder.clone_into(&mut action.folder);
        Ok(action)
    }

    /// The scripts of its steps, and the identifiers of those that have one.
    pub fn scripts(&self) -> impl Iterator<Item = (Option<&str>, &str)> {
        let steps = self.runs.steps.iter();
        steps.map(|step| (step.id.as_deref(), step.run.as_str()))
    }

    fn inputs(&self, given: &[(&str, &str)]) -> Result<BTreeMap<&str, String>> {
        for (name, _) in given {
            ensure!(self.inputs.contains_key(*name), "there is no input {name}");
        }
        let mut values = BTreeMap::new();
        for (name, input) in &self.inputs {
            let given = given.iter().find(|(given, _)| given == name);
            let value = match (given, &input.default) {
                (Some((_, value)), _) => (*value).to_owned(),
                (None, Some(default)) => default.clone(),
                (None, None) if input.required => bail!("the input {name} is required"),
                (None, None) => String::new(),
            };
            values.insert(name.as_str(), value);
        }
        Ok(values)
    }
}

/// A job on a machine: its workspace, and what its steps leave for each other.
#[derive(Debug)]
pub struct Job {
    folder: TempDir,
    /// How many jobs its matrix has; one where it is of none.
    pub legs: u32,
    variables: BTreeMap<String, String>,
}

/// What came of an action.
#[derive(Debug)]
pub struct Ended {
    /// Whether each of its steps ended well.
    pub well: bool,
    /// What they printed.
    pub text: String,
    /// What was handed on with `GITHUB_OUTPUT`, by name.
    pub outputs: BTreeMap<String, String>,
}

impl Job {
    /// One of run 7 of `ci.yml`, with nothing of the caller's environment but these variables.
    pub fn new(variables: &[(&str, &str)]) -> Result<Self> {
        let job = Self {
            folder: TempDir::new()?,
            legs: 1,
            variables: variables.iter().map(owned).collect(),
        };
        for folder in ["work", "temp", "tools"] {
            std::fs::create_dir(job.path(folder))?;
        }
        Ok(job)
    }

    /// Below the folder that holds all of it: `work` is the workspace.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Another variable from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.extend([owned(&(name, value))]);
    }

    /// Runs an action, up to the first of its steps that fails.
    pub fn run(&self, action: &Action, inputs: &[(&str, &str)]) -> Result<Ended> {
        let inputs = action.inputs(inputs)?;
        let mut ended = Ended {
            well: true,
            text: String::new(),
            outputs: BTreeMap::new(),
        };
        let paths = self.path("paths");
        std::fs::write(&paths, "")?;
        for step in &action.runs.steps {
            let outputs = self.path("outputs");
            std::fs::write(&outputs, "")?;
            let output = self.step(action, step, &inputs)?;
            for stream in [&output.stdout, &output.stderr] {
                ended.text.push_str(&String::from_utf8_lossy(stream));
            }
            let said = std::fs::read_to_string(&outputs)?;
            let pairs = said.lines().filter_map(|line| line.split_once('='));
            ended.outputs.extend(pairs.map(|pair| owned(&pair)));
            if !output.status.success() {
                ended.well = false;
                break;
            }
        }
        Ok(ended)
    }

    fn step(
        &self,
        action: &Action,
        step: &Step,
        inputs: &BTreeMap<&str, String>,
    ) -> Result<Output> {
        ensure!(step.shell == "bash", "{}: not bash", step.name);
        let script = self.path("script.sh");
        std::fs::write(&script, &step.run)?;
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail"])
            .arg(&script)
            .current_dir(self.path("work"))
            .env_clear()
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_ACTION_PATH", &action.folder)
            .env("GITHUB_OUTPUT", self.path("outputs"))
            .env("GITHUB_PATH", self.path("paths"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"))
            .env("GITHUB_REPOSITORY", "acme/ruby")
            .env("GITHUB_RUN_NUMBER", "7")
            .env("GITHUB_RUN_ID", "9000000001")
            .env(
                "GITHUB_WORKFLOW_REF",
                "acme/ruby/.github/workflows/ci.yml@refs/heads/main",
            )
            .env("GITHUB_WORKSPACE", self.path("work"))
            .env("HOME", self.folder.path())
            .env("RUNNER_TEMP", self.path("temp"))
            .env("RUNNER_TOOL_CACHE", self.path("tools"))
            .env("PATH", self.program_path()?)
            .envs(&self.variables)
            .stdin(Stdio::null());
        for (name, value) in &step.env {
            command.env(name, evaluated(value, inputs, self.legs)?);
        }
        command.output().context("failed to start bash")
    }

    /// The last that a step has added goes first.
    fn program_path(&self) -> Result<String> {
        let added = std::fs::read_to_string(self.path("paths"))?;
        let mut all: Vec<&str> = added.lines().rev().collect();
        all.push("/usr/local/bin:/usr/bin:/bin");
        Ok(all.join(":"))
    }
}

fn owned((name, value): &(&str, &str)) -> (String, String) {
    ((*name).to_owned(), (*value).to_owned())
}

fn evaluated(text: &str, inputs: &BTreeMap<&str, String>, legs: u32) -> Result<String> {
    if text == "${{ strategy.job-total }}" {
        return Ok(legs.to_string());
    }
    let expression = Regex::new(r"\$\{\{ inputs\.([a-z0-9-]+) \}\}")?;
    for captures in expression.captures_iter(text) {
        ensure!(inputs.contains_key(&captures[1]), "no input in {text}");
    }
    let value = |captures: &regex::Captures<'_>| inputs.get(&captures[1]).cloned();
    let value = expression.replace_all(text, |captures: &regex::Captures<'_>| {
        value(captures).unwrap_or_default()
    });
    // An input's own text may look like an expression; the action's may not have another.
    let rest = expression.replace_all(text, "");
    ensure!(!rest.contains("${{"), "{text} has another expression");
    Ok(value.into_owned())
}

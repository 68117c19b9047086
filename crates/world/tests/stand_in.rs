//! The stand-in runner does what the source of actions/runner says; each test names its place there.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly; clippy.toml's allowance does not reach a test crate's helpers"
)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reprise_world::stand_in::{Conclusion, Condition, Installed, Job, Report, Step};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Longer than anything here takes, so that a failure is not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the Listener says goes there.
const SAID: &str = "listener.out";

/// By how much the runner's waits are shorter: SIGINT, 150 ms, SIGTERM, 50 ms.
const PACE: u32 = 50;

/// Says that it runs, by a file, and goes on for long.
const LONG: &str = "touch began; exec sleep 600";

/// A runner in a folder of its own.
struct Stage {
    runner: Installed,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = Path::new(env!("CARGO_BIN_EXE_stand-in-runner"));
        let root = folder.path().join("runner");
        let runner = Installed::install(program, root).expect("installed");
        Self { runner, folder }
    }

    fn listener(&self, variables: &[(&str, &str)]) -> Child {
        Command::new(self.runner.listener())
            .args(["run", "--jitconfig", &jit_config()])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(File::create(self.folder.path().join(SAID)).expect("a log"))
            .kill_on_drop(true)
            .spawn()
            .expect("starts")
    }

    fn start(&self, steps: Vec<Step>, variables: &[(&str, &str)]) -> Child {
        self.runner.give(&job(steps)).expect("given");
        self.listener(variables)
    }

    async fn report(&self, mut listener: Child) -> Report {
        let status = wait(&mut listener).await;
        assert_eq!(status.code(), Some(0), "the Listener ends well");
        self.runner.report().expect("legible").expect("a report")
    }

    /// A step has said `began`.
    async fn began(&self) {
        self.file(self.runner.workspace(&job(Vec::new())).join("began"))
            .await;
    }

    async fn file(&self, path: PathBuf) {
        let look = async {
            while !path.exists() {
                pause().await;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, look).await;
        assert!(seen.is_ok(), "{} never came", path.display());
    }

    fn log(&self) -> String {
        let entries = std::fs::read_dir(self.runner.diagnostics()).expect("a folder");
        let paths: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        assert_eq!(paths.len(), 1, "{paths:?}");
        let name = paths[0].file_name().and_then(|name| name.to_str());
        let name = name.expect("a name");
        assert!(
            name.starts_with("Worker_2") && name.ends_with("-utc.log"),
            "{name}"
        );
        std::fs::read_to_string(&paths[0]).expect("a log")
    }

    fn hook(&self, name: &str, script: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, script).expect("written");
        path.display().to_string()
    }
}

fn job(steps: Vec<Step>) -> Job {
    Job {
        steps,
        pace: PACE,
        ..Job::default()
    }
}

fn jit_config() -> String {
    let file = STANDARD.encode(r#"{"AgentId": 1, "Ephemeral": "True"}"#);
    STANDARD.encode(format!(r#"{{".runner": "{file}"}}"#))
}

async fn wait(child: &mut Child) -> ExitStatus {
    let waited = tokio::time::timeout(PATIENCE, child.wait()).await;
    waited.expect("it never ended").expect("waited")
}

#[expect(
    clippy::disallowed_methods,
    reason = "other processes run by the wall clock"
)]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}

async fn signal(name: &str, process: u32) {
    let kill = Command::new("kill")
        .args([format!("-{name}"), process.to_string()])
        .status();
    assert!(kill.await.expect("runs").success());
}

/// The processes that `parent` started, by their programs' names.
fn children(parent: u32) -> Vec<(u32, String)> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let pids = text
        .split_whitespace()
        .map(|pid| pid.parse().expect("a pid"));
    pids.map(|pid| (pid, program(pid))).collect()
}

fn program(pid: u32) -> String {
    let path = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn conclusions(report: &Report) -> Vec<(&str, Conclusion)> {
    let steps = report.steps.iter();
    steps
        .map(|step| (step.name.as_str(), step.conclusion))
        .collect()
}

use Conclusion::{Cancelled, Failure, Skipped, Success};

// Runner.Listener/JobDispatcher.cs, RunAsync; Runner.Sdk/ProcessInvoker.cs
#[tokio::test]
async fn the_listener_starts_a_worker_from_its_own_folder_and_steps_are_the_workers_children() {
    let stage = Stage::new();
    let listener = stage.start(vec![Step::new("long", LONG)], &[]);
    stage.began().await;
    let listener_pid = listener.id().expect("runs");
    assert_eq!(program(listener_pid), "Runner.Listener");
    let workers = children(listener_pid);
    assert_eq!(workers.len(), 1);
    assert_eq!(workers[0].1, "Runner.Worker");
    let steps = children(workers[0].0);
    assert_eq!(steps.len(), 1);
    let environment = std::fs::read(format!("/proc/{}/environ", steps[0].0)).expect("legible");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    for wanted in [
        "GITHUB_REPOSITORY=acme/shop",
        "GITHUB_RUN_ID=4711",
        "GITHUB_RUN_ATTEMPT=1",
        "GITHUB_JOB=build",
        "GITHUB_EVENT_NAME=push",
        "GITHUB_WORKSPACE=/",
    ] {
        assert!(environment.contains(wanted), "{wanted} in {environment}");
    }
    signal("KILL", steps[0].0).await;
    assert_eq!(stage.report(listener).await.conclusion, Failure);
}

// Runner.Worker/StepsRunner.cs, RunAsync; Handlers/ScriptHandler.cs; JobExtension.cs (hooks)
#[tokio::test]
async fn a_step_that_is_killed_fails_alone_and_always_post_steps_and_the_completed_hook_still_run()
{
    let stage = Stage::new();
    let before = stage.hook("before.sh", "echo hook of $GITHUB_JOB");
    let after = stage.hook("after.sh", "echo hook of $GITHUB_RUN_ID");
    let cache = Step {
        post: Some("echo saved".to_owned()),
        ..Step::new("cache", "true")
    };
    let never = Step {
        post: Some("echo never".to_owned()),
        ..Step::new("never", "true")
    };
    let steps = vec![
        cache,
        Step::new("long", LONG),
        never,
        Step::new("upload", "echo up").when(Condition::Always),
        Step::new("tell", "echo failed").when(Condition::Failure),
    ];
    let hooks = [
        ("ACTIONS_RUNNER_HOOK_JOB_STARTED", before.as_str()),
        ("ACTIONS_RUNNER_HOOK_JOB_COMPLETED", after.as_str()),
    ];
    let listener = stage.start(steps, &hooks);
    stage.began().await;
    let worker = children(listener.id().expect("runs"))[0].0;
    signal("TERM", children(worker)[0].0).await;
    let report = stage.report(listener).await;
    assert_eq!(report.conclusion, Failure);
    assert_eq!(
        conclusions(&report),
        [
            ("Set up runner", Success),
            ("cache", Success),
            ("long", Failure),
            ("never", Skipped),
            ("upload", Success),
            ("tell", Success),
            ("Post cache", Success),
            ("Complete runner", Success),
        ]
    );
    let said = |name: &str| report.step(name).expect("there").output.clone();
    assert_eq!(
        said("long"),
        "##[error]Process completed with exit code 143.\n"
    );
    assert_eq!(said("Set up runner"), "hook of build\n");
    assert_eq!(said("Complete runner"), "hook of 4711\n");
    assert!(report.annotations.is_empty());
}

// Runner.Listener/Runner.cs, CtrlCHandler and Runner_Unloading; JobDispatcher.cs, ShutdownAsync;
// Runner.Worker/StepsRunner.cs ("Skip evaluate condition on runner shutdown"); JobRunner.cs
#[tokio::test]
async fn a_listener_that_is_told_to_end_has_the_job_fail_without_always_post_steps_and_hooks() {
    for name in ["INT", "TERM"] {
        let stage = Stage::new();
        let after = stage.hook("after.sh", "echo hook");
        let long = Step {
            post: Some("echo saved".to_owned()),
            ..Step::new("long", LONG)
        };
        let upload = Step::new("upload", "echo up").when(Condition::Always);
        let hooks = [("ACTIONS_RUNNER_HOOK_JOB_COMPLETED", after.as_str())];
        let listener = stage.start(vec![long, upload], &hooks);
        stage.began().await;
        signal(name, listener.id().expect("runs")).await;
        let report = stage.report(listener).await;
        assert_eq!(report.conclusion, Failure);
        assert_eq!(
            conclusions(&report),
            [
                ("long", Cancelled),
                ("upload", Skipped),
                ("Post long", Skipped),
                ("Complete runner", Skipped),
            ]
        );
        assert!(report.annotations[0].contains("shutdown signal"));
        let said = std::fs::read_to_string(stage.folder.path().join(SAID)).expect("legible");
        assert_eq!(said.contains("Exiting..."), name == "INT", "{said}");
    }
}

// Runner.Sdk/ProcessInvoker.cs, CancelAndKillProcessTree
#[tokio::test]
async fn a_step_gets_sigint_then_sigterm_and_then_it_is_killed() {
    let stage = Stage::new();
    let script = "trap 'echo int' INT; trap 'echo term' TERM; touch began; \
                  while true; do sleep 0.01; done";
    let listener = stage.start(vec![Step::new("stubborn", script)], &[]);
    stage.began().await;
    signal("INT", listener.id().expect("runs")).await;
    let report = stage.report(listener).await;
    assert_eq!(report.steps[0].output, "int\nterm\n");
    assert_eq!(report.conclusion, Failure);
}

// Runner.Sdk/ProcessInvoker.cs, NixKillProcessTree; Runner.Worker/JobExtension.cs, FinalizeJob
#[tokio::test]
async fn only_the_top_process_is_signalled_and_the_rest_ends_with_the_job() {
    let stage = Stage::new();
    let script = "(trap 'echo heard' INT TERM; echo $BASHPID > child; touch began; \
                  while true; do sleep 0.01; done) & wait";
    let listener = stage.start(vec![Step::new("parent", script)], &[]);
    stage.began().await;
    let path = stage.runner.workspace(&job(Vec::new())).join("child");
    let child: u32 = std::fs::read_to_string(path)
        .expect("there")
        .trim()
        .parse()
        .expect("a pid");
    signal("INT", listener.id().expect("runs")).await;
    let report = stage.report(listener).await;
    assert_eq!(report.steps[0].output, "");
    let gone = async {
        while !program(child).is_empty() {
            pause().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone)
        .await
        .expect("an orphan is left");
}

// Runner.Worker/StepsRunner.cs (jobCancelRegister)
#[tokio::test]
async fn a_cancel_at_github_lets_always_steps_and_hooks_run() {
    let stage = Stage::new();
    let after = stage.hook("after.sh", "echo hook");
    let steps = vec![
        Step::new("long", LONG),
        Step::new("next", "echo no"),
        Step::new("upload", "echo up").when(Condition::Always),
    ];
    let hooks = [("ACTIONS_RUNNER_HOOK_JOB_COMPLETED", after.as_str())];
    let listener = stage.start(steps, &hooks);
    stage.began().await;
    stage.runner.cancel().expect("written");
    let report = stage.report(listener).await;
    assert_eq!(report.conclusion, Cancelled);
    assert_eq!(
        conclusions(&report),
        [
            ("long", Cancelled),
            ("next", Skipped),
            ("upload", Success),
            ("Complete runner", Success),
        ]
    );
}

// Runner.Worker/ExecutionContext.cs, ApplyContinueOnError
#[tokio::test]
async fn a_killed_step_that_may_fail_lets_the_job_go_on_to_success() {
    let stage = Stage::new();
    let long = Step {
        continue_on_error: true,
        ..Step::new("long", LONG)
    };
    let listener = stage.start(vec![long, Step::new("next", "echo on")], &[]);
    stage.began().await;
    let worker = children(listener.id().expect("runs"))[0].0;
    signal("KILL", children(worker)[0].0).await;
    let report = stage.report(listener).await;
    assert_eq!(report.conclusion, Success);
    assert_eq!(report.steps[0].outcome, Failure);
    assert_eq!(conclusions(&report), [("long", Success), ("next", Success)]);
}

// Runner.Worker/Handlers/CompositeActionHandler.cs, RunStepsAsync
#[tokio::test]
async fn a_composite_action_with_steps_left_makes_the_end_of_its_runner_a_cancel() {
    for (scripts, conclusion) in [
        (vec![LONG, "true"], Cancelled),
        (vec!["true", LONG], Failure),
    ] {
        let stage = Stage::new();
        let action = Step {
            composite: scripts.into_iter().map(str::to_owned).collect(),
            ..Step::new("action", "")
        };
        let listener = stage.start(vec![action], &[]);
        stage.began().await;
        signal("INT", listener.id().expect("runs")).await;
        assert_eq!(stage.report(listener).await.conclusion, conclusion);
        assert!(
            stage
                .log()
                .contains("Processing embedded step: DisplayName='Run ")
        );
    }
}

// Runner.Worker/BackgroundStepCoordinator.cs, WaitForUnwaitedStepsAsync
#[tokio::test]
async fn a_background_step_is_waited_for_before_the_post_steps_and_its_failure_counts() {
    let stage = Stage::new();
    let behind = Step {
        background: true,
        ..Step::new("behind", "until test -e next; do sleep 0.01; done; exit 3")
    };
    let listener = stage.start(vec![behind, Step::new("next", "touch next")], &[]);
    let report = stage.report(listener).await;
    assert_eq!(report.conclusion, Failure);
    assert_eq!(
        conclusions(&report),
        [("next", Success), ("behind", Failure)]
    );
}

// Runner.Worker/Worker.cs ("Job message:"); StepsRunner.cs; Runner.Common/HostTraceListener.cs
#[tokio::test]
async fn the_workers_log_has_the_job_message_and_each_step_as_it_begins() {
    let stage = Stage::new();
    let careless = Step {
        continue_on_error: true,
        ..Step::new("Build it", "true")
    };
    let contained = Job {
        container: Some("node:22".to_owned()),
        ..job(vec![
            careless,
            Step {
                name: None,
                ..Step::new("", "echo one\necho two")
            },
        ])
    };
    stage.runner.give(&contained).expect("given");
    let listener = stage.listener(&[]);
    assert_eq!(stage.report(listener).await.conclusion, Success);
    let log = stage.log();
    let (_, rest) = log
        .split_once("INFO Worker] Job message:\n ")
        .expect("a message");
    let (message, _) = rest.split_once("\n[").expect("an end");
    let message: serde_json::Value = serde_json::from_str(message).expect("JSON");
    assert_eq!(message["steps"][0]["displayName"], "Build it");
    assert_eq!(message["steps"][0]["continueOnError"]["bool"], true);
    assert_eq!(message["steps"][1].get("continueOnError"), None);
    assert_eq!(message["jobContainer"], "node:22");
    assert!(log.contains("INFO StepsRunner] Processing step: DisplayName='Build it'"));
    assert!(log.contains("INFO StepsRunner] Processing step: DisplayName='Run echo one'"));
}

// Runner.Listener/Runner.cs, ExecuteCommand and RunAsync
#[tokio::test]
async fn a_listener_without_a_job_waits_and_ends_at_once_when_it_is_told() {
    let stage = Stage::new();
    let mut listener = stage.listener(&[]);
    stage.file(stage.runner.root().join(".runner")).await;
    assert_eq!(children(listener.id().expect("runs")), []);
    signal("INT", listener.id().expect("runs")).await;
    assert_eq!(wait(&mut listener).await.code(), Some(0));
    assert_eq!(stage.runner.report().expect("legible"), None);
}

// Runner.Listener/CommandSettings.cs; Runner.cs ("Runner is not configured.")
#[tokio::test]
async fn a_configuration_comes_by_a_variable_too_and_without_one_there_is_no_runner() {
    let stage = Stage::new();
    stage
        .runner
        .give(&job(vec![Step::new("one", "true")]))
        .expect("given");
    let command = |config: &str| {
        let mut command = Command::new(stage.runner.listener());
        command
            .arg("run")
            .env("ACTIONS_RUNNER_INPUT_JITCONFIG", config);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        command.spawn().expect("starts")
    };
    for useless in ["", "no base64!"] {
        assert_eq!(wait(&mut command(useless)).await.code(), Some(1));
    }
    assert_eq!(
        stage.report(command(&jit_config())).await.conclusion,
        Success
    );
}

// Runner.Listener/JobDispatcher.cs (ForceFailJob)
#[tokio::test]
async fn a_job_whose_worker_is_killed_has_failed() {
    let stage = Stage::new();
    let listener = stage.start(vec![Step::new("long", LONG)], &[]);
    stage.began().await;
    let worker = children(listener.id().expect("runs"))[0].0;
    let step = children(worker)[0].0;
    signal("KILL", worker).await;
    let report = stage.report(listener).await;
    signal("KILL", step).await;
    assert_eq!(report.conclusion, Failure);
    assert!(report.annotations[0].contains("without a result"));
}

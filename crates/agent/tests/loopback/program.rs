//! The program: its settings, its signals and what it tells systemd.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::surroundings::Surroundings;
use tokio::net::UnixDatagram;

/// Longer than anything here takes, so that a failure is not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

fn agent() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reprise-agent"));
    command.env_clear().stderr(Stdio::piped());
    // There may be a runner on this machine that is not ours, and a record that is.
    command.env("REPRISE_AGENT_END_JOB", "none");
    command.env("REPRISE_AGENT_ON_REBALANCE", "ignore");
    command.env("REPRISE_AGENT_HOOKS_FOLDER", "/nowhere/at-all");
    command.env("REPRISE_AGENT_RECORD_FILE", "/nowhere/at-all/record.json");
    command
}

fn check(file: &str, variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("agent.toml");
    std::fs::write(&path, file).expect("written");
    let mut command = agent();
    command.arg("--check-config").arg("--config").arg(path);
    let command = command.envs(variables.iter().copied());
    command.output().expect("runs")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn signal(child: &Child, name: &str) {
    let kill = format!("kill -{name} {}", child.id());
    let status = Command::new("sh").args(["-c", &kill]).status();
    assert!(status.expect("runs").success());
}

/// Receives what systemd would.
struct Notifications(UnixDatagram);

impl Notifications {
    fn at(path: &Path) -> Self {
        Self(UnixDatagram::bind(path).expect("a socket"))
    }

    /// Waits for a message that contains `text`.
    async fn wait_for(&self, text: &str) {
        let mut buffer = [0; 1024];
        let wait = async {
            loop {
                let size = self.0.recv(&mut buffer).await.expect("a message");
                if String::from_utf8_lossy(&buffer[..size]).contains(text) {
                    return;
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "{text:?} was never said");
    }
}

#[test]
fn sound_settings_are_fine_and_unsound_ones_say_what_and_where() {
    assert!(check("tag_prefix = \"acme-\"", &[]).status.success());
    let output = check("tag_prefixx = \"acme-\"", &[]);
    assert!(!output.status.success());
    assert!(
        stderr(&output).contains("tag_prefixx"),
        "{}",
        stderr(&output)
    );
    let output = check("", &[("REPRISE_AGENT_LOG_FORMAT", "xml")]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("REPRISE_AGENT_LOG_FORMAT"));
}

#[test]
fn a_named_file_must_exist() {
    let mut command = agent();
    command.args(["--check-config", "--config", "/nonexistent/agent.toml"]);
    let output = command.output().expect("runs");
    assert!(!output.status.success());
    assert!(stderr(&output).contains("/nonexistent/agent.toml"));
}

#[tokio::test]
async fn it_tells_systemd_what_it_does_and_both_signals_end_it_cleanly() {
    for name in ["TERM", "INT"] {
        let surroundings = Surroundings::start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("notify");
        let notifications = Notifications::at(&socket);
        let child = agent()
            .env("NOTIFY_SOCKET", &socket)
            .env("WATCHDOG_USEC", "300000")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", surroundings.endpoint())
            .env("AWS_ENDPOINT_URL", surroundings.endpoint())
            .env("REPRISE_AGENT_LOG_FORMAT", "json")
            .spawn()
            .expect("starts");
        notifications.wait_for("READY=1").await;
        notifications.wait_for("WATCHDOG=1").await;
        surroundings.give_notice("2999-01-01T00:00:00Z");
        notifications.wait_for("tagged as interrupted").await;
        notifications.wait_for("WATCHDOG=1").await;
        signal(&child, name);
        notifications.wait_for("STOPPING=1").await;
        let output = child.wait_with_output().expect("ends");
        assert!(output.status.success(), "{:?}", output.status);
        assert_told_well(&stderr(&output));
    }
}

/// Each line is an object with the fields that people search for, and none holds a secret.
fn assert_told_well(log: &str) {
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let line = |text: &str| {
        let found = lines
            .iter()
            .find(|line| line["message"].as_str().is_some_and(|m| m.contains(text)));
        found.unwrap_or_else(|| panic!("no line with {text:?} in {log}"))
    };
    assert_eq!(line("is known")["instance.id"], "i-0123456789abcdef0");
    assert_eq!(line("gives notice")["notice.action"], "terminate");
    assert_eq!(line("is tagged")["tag.attempts"], 1);
    assert!(line("stopped on request")["poll.count"].is_u64());
    assert!(!log.contains("secret"), "{log}");
}

//! The program: its settings, its signals and what it tells systemd.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::surroundings::{JIT_CONFIG, SECRETS, Surroundings};
use tokio::net::UnixDatagram;

/// Certificates of an authority of nobody's.
const AUTHORITY: &str = include_str!("../../../../tests/fixtures/tls/authority.pem");

/// Longer than anything here takes, so that a failure is not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

fn agent() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reprise-agent"));
    command
        .env_clear()
        .env("REPRISE_AGENT_CONSOLE", "off")
        .stderr(Stdio::piped());
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

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn sound_settings_are_fine_and_it_says_what_will_be_done_with_them() {
    let output = check("tag_prefix = \"acme-\"", &[]);
    assert!(output.status.success());
    let said = stdout(&output);
    for part in [
        "the settings are fine\n",
        "it watches only",
        "acme-workflow-job-interrupted",
        "leaves jobs to their fate",
        "hooks: none in /nowhere/at-all",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_mistake_in_the_file_is_told_once() {
    let said = stderr(&check("poll_interval = \"often\"", &[]));
    assert_eq!(said.matches("write it as 1s").count(), 1, "{said}");
    assert_eq!(said.matches("TOML parse error").count(), 1, "{said}");
}

#[test]
fn the_settings_file_may_be_named_before_and_after_the_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("agent.toml");
    std::fs::write(&file, "").expect("written");
    let file = file.to_str().expect("text");
    for arguments in [
        ["--config", file, "job-completed"],
        ["job-completed", "--config", file],
    ] {
        let output = agent().args(arguments).output().expect("runs");
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(stdout(&output), "", "there is no notice to tell of");
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
fn authorities_that_cannot_be_read_are_a_mistake_in_the_settings() {
    let output = check("", &[("AWS_CA_BUNDLE", "/nonexistent/bundle.pem")]);
    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(said.contains("/nonexistent/bundle.pem"), "{said}");
    assert!(said.contains("certificates in PEM"), "{said}");
}

/// An outage of trust towards AWS is none of the job's: its notice is seen and written down all the same.
#[tokio::test]
async fn without_its_authorities_it_says_so_once_watches_on_and_tags_when_they_come() {
    let surroundings = Surroundings::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (log, bundle) = (folder.path().join("log"), folder.path().join("bundle.pem"));
    let (record, socket) = (
        folder.path().join("record.json"),
        folder.path().join("notify"),
    );
    std::fs::write(&bundle, "# none yet\n").expect("written");
    let notifications = Notifications::at(&socket);
    let mut child = agent()
        .env("NOTIFY_SOCKET", &socket)
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", surroundings.endpoint())
        .env("AWS_ENDPOINT_URL", surroundings.endpoint())
        .env("AWS_CA_BUNDLE", &bundle)
        .env("REPRISE_AGENT_RECORD_FILE", &record)
        .stderr(std::fs::File::create(&log).expect("made"))
        .spawn()
        .expect("starts");
    surroundings.polled(2).await;
    surroundings.give_notice("2999-01-01T00:00:00Z");
    surroundings.polled(4).await;
    assert!(record.exists(), "the notice is written down");
    let said = std::fs::read_to_string(&log).expect("lines");
    for line in ["AWS cannot prove itself", "not tagged; trying on"] {
        assert_eq!(said.matches(line).count(), 1, "{line}: {said}");
    }
    assert!(said.contains("there is no certificate in it"), "{said}");
    std::fs::write(&bundle, AUTHORITY).expect("written");
    notifications.wait_for("tagged as interrupted").await;
    signal(&child, "TERM");
    assert!(child.wait().expect("ends").success());
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

/// All that the agent holds of secrets passes through it here: the token of its session, the role's
/// credentials, the runner's configuration; and it says all that it ever says.
#[tokio::test]
async fn no_secret_is_in_the_finest_log_nor_on_the_console() {
    let surroundings = Surroundings::start().await;
    surroundings.throttle(1);
    let folder = tempfile::tempdir().expect("a folder");
    let (socket, console) = (folder.path().join("notify"), folder.path().join("console"));
    let config = folder.path().join("config");
    std::fs::write(&console, "").expect("written");
    let notifications = Notifications::at(&socket);
    let child = agent()
        .env("NOTIFY_SOCKET", &socket)
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", surroundings.endpoint())
        .env("AWS_ENDPOINT_URL", surroundings.endpoint())
        .env("REPRISE_AGENT_LOG_LEVEL", "trace")
        .env("REPRISE_AGENT_CONSOLE", &console)
        .env("REPRISE_AGENT_RUNNER_TABLE", "runners")
        .env("REPRISE_AGENT_RUNNER_ROLE_ID", "AROAEXAMPLEEXAMPLE123")
        .env("REPRISE_AGENT_RUNNER_COMMAND", "true")
        // This machine is not the instance.
        .env("REPRISE_AGENT_RUNNER_ON_END", "stay")
        .env("REPRISE_AGENT_RUNNER_CONFIG_FILE", &config)
        .spawn()
        .expect("starts");
    surroundings.polled(2).await;
    surroundings.give_notice("2999-01-01T00:00:00Z");
    notifications.wait_for("tagged as interrupted").await;
    signal(&child, "TERM");
    let output = child.wait_with_output().expect("ends");
    let held = std::fs::read_to_string(&config).expect("the runner's configuration");
    assert!(held.contains(JIT_CONFIG), "{held}");
    let console = std::fs::read_to_string(&console).expect("lines");
    for said in ["is known", "gives notice", "is tagged"] {
        assert!(console.contains(said), "{console}");
    }
    for text in [console, stderr(&output)] {
        let shown: Vec<_> = SECRETS.iter().filter(|s| text.contains(**s)).collect();
        assert!(shown.is_empty(), "{shown:?} in {text}");
    }
}

#[tokio::test]
async fn without_the_journal_or_console_that_it_was_told_of_it_says_so_and_goes_on() {
    let surroundings = Surroundings::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let file = std::fs::File::create(&log).expect("made");
    let mut child = agent()
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", surroundings.endpoint())
        .env("REPRISE_AGENT_LOG_FORMAT", "journal")
        .env("REPRISE_AGENT_CONSOLE", "/nonexistent/console")
        .stderr(file)
        .spawn()
        .expect("starts");
    surroundings.polled(2).await;
    signal(&child, "TERM");
    assert!(child.wait().expect("ends").success());
    let said = std::fs::read_to_string(&log).expect("lines");
    assert!(said.contains("the console cannot be written to"), "{said}");
    // Where there is a journal, the complaint is in there.
    if !Path::new("/run/systemd/journal/socket").exists() {
        assert!(said.contains("the journal cannot be reached"), "{said}");
    }
}

//! An instance with an agent, as far as it fits on this machine: its metadata service and the runner table over
//! HTTP, a stand-in for the runner, and a watcher that plays `reprise-runner.path` and starts the runner by the
//! script of the package, as there is no systemd here.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::routing::{get, post, put};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reprise_model::runner_config;
use reprise_world::stand_in::Installed;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::harness::program::{built, spawn_into};
use crate::wait;

/// Longer than anything here takes, so that a failure is not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a runner may be without a job here, and how long its end is left to the controller.
const LIMITS: &str = "idle_limit = '3s'\nlinger = '2s'";

/// An agent leaves no machine while any runner is on it, so one instance at a time is on this one.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The instance.
#[derive(Debug)]
pub struct AgentHost {
    folder: TempDir,
    runner: Installed,
    shared: Shared,
    tasks: Vec<JoinHandle<()>>,
    /// Held to the end.
    _alone: tokio::sync::MutexGuard<'static, ()>,
}

type Shared = Arc<Mutex<Seen>>;

/// What the instance's doors tell and were asked.
#[derive(Debug, Default)]
struct Seen {
    notice: Option<String>,
    agents: u32,
    rows_read: u32,
    runners: Vec<u32>,
    runner_codes: Vec<Option<i32>>,
}

impl AgentHost {
    /// Boots it, without its agent.
    pub async fn boot() -> Result<Self> {
        let alone = ALONE.lock().await;
        let folder = tempfile::tempdir().context("failed to make a folder")?;
        let program = built("stand-in-runner")?;
        let runner = Installed::install(&program, folder.path().join("runner"))?;
        let shared = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let doors = Router::new()
            .route("/latest/api/token", put(|| async { "imds-token" }))
            .route("/latest/{*path}", get(metadata))
            .route("/", post(table))
            .with_state(shared.clone());
        let serve = tokio::spawn(async move { drop(axum::serve(listener, doors).await) });
        let mut host = Self {
            folder,
            runner,
            shared,
            tasks: vec![serve],
            _alone: alone,
        };
        host.write_settings(&format!("http://{address}"))?;
        host.tasks.push(host.play_path_unit());
        Ok(host)
    }

    /// Starts its agent, or one after another.
    pub fn agent(&self) -> Result<Child> {
        let mut command = Command::new(built("reprise-agent")?);
        command
            .arg("--config")
            .arg(self.folder.path().join("agent.toml"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let number = {
            let mut seen = self.seen();
            seen.agents += 1;
            seen.agents
        };
        let log = self.folder.path().join(format!("agent-{number}.log"));
        spawn_into(command, &log)
    }

    /// Its runner.
    pub fn runner(&self) -> &Installed {
        &self.runner
    }

    /// EC2 gives notice.
    pub fn give_notice(&self) {
        let notice = json!({"action": "terminate", "time": "2999-01-01T00:00:00Z"});
        self.seen().notice = Some(notice.to_string());
    }

    /// The processes of the runners that were started, and how those that ended have ended.
    pub fn runners(&self) -> (Vec<u32>, Vec<Option<i32>>) {
        let seen = self.seen();
        (seen.runners.clone(), seen.runner_codes.clone())
    }

    /// How often the configuration was fetched.
    pub fn rows_read(&self) -> u32 {
        self.seen().rows_read
    }

    /// Whether it was powered off.
    pub fn is_left(&self) -> bool {
        self.left_file().exists()
    }

    /// Where the agent leaves the runner's configuration.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("jitconfig")
    }

    /// All that its agents said.
    pub fn log(&self) -> Result<String> {
        let mut whole = String::new();
        for entry in std::fs::read_dir(self.folder.path())? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                whole.push_str(&std::fs::read_to_string(path)?);
            }
        }
        Ok(whole)
    }

    /// Waits for something here; where it never comes, the agents' words are told.
    pub async fn until(&self, what: &str, seen: impl Fn(&Self) -> bool) -> Result<()> {
        let waited = wait::until(what, PATIENCE, async || Ok(seen(self).then_some(()))).await;
        waited.with_context(|| format!("the agents said:\n{}", self.log().unwrap_or_default()))
    }

    fn left_file(&self) -> PathBuf {
        self.folder.path().join("left")
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_settings(&self, url: &str) -> Result<()> {
        let text = format!(
            "metadata_endpoint = '{url}'\nec2_endpoint = '{url}'\ndynamodb_endpoint = '{url}'\n\
             poll_interval = '200ms'\nlog_format = 'json'\nconsole = 'off'\n\
             [interruption]\nrecord_file = {:?}\nhooks_folder = ''\n[runner]\ntable = 'runners'\n\
             role_id = 'AROAEXAMPLEEXAMPLE123'\n{LIMITS}\nuser = {:?}\nconfig_file = {:?}\n\
             folder = {:?}\nleave = ['touch', {:?}]\n",
            self.folder.path().join("record.json"),
            own_user()?,
            self.config_file(),
            self.runner.root(),
            self.left_file(),
        );
        std::fs::write(self.folder.path().join("agent.toml"), text)?;
        Ok(())
    }

    fn play_path_unit(&self) -> JoinHandle<()> {
        let (file, shared) = (self.config_file(), self.shared.clone());
        let folder = self.folder.path().join("runtime");
        let root = self.runner.root().to_owned();
        tokio::spawn(async move {
            loop {
                wait::for_file(&file).await;
                if let Err(error) = run_service(&file, &folder, &root, &shared).await {
                    // The test will miss its runner, and finds this beside the failure.
                    eprintln!("no runner: {error:#}");
                }
            }
        })
    }
}

impl Drop for AgentHost {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The service is played by this very process.
fn own_user() -> Result<String> {
    let own = std::fs::metadata("/proc/self")?.uid().to_string();
    let users = std::fs::read_to_string("/etc/passwd")?;
    let mut users = users.lines().map(|line| line.split(':'));
    let name = users.find_map(|mut words| {
        let name = words.next()?;
        (words.nth(1)? == own).then(|| name.to_owned())
    });
    name.with_context(|| format!("/etc/passwd has no user {own}"))
}

/// What `reprise-runner.service` does.
async fn run_service(file: &Path, folder: &Path, root: &Path, shared: &Shared) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    std::fs::rename(file, folder.join("jitconfig"))?;
    let mut service = Command::new(deploy()?.join("agent/start-runner.sh"))
        .current_dir(root)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("RUNTIME_DIRECTORY", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let seen = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    seen().runners.extend(service.id());
    let status = service.wait().await?;
    seen().runner_codes.push(status.code());
    Ok(())
}

/// What is put onto machines.
pub fn deploy() -> Result<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let deploy = tests.parent().context("no workspace")?.join("deploy");
    ensure!(deploy.is_dir(), "{} is missing", deploy.display());
    Ok(deploy)
}

async fn metadata(State(shared): State<Shared>, uri: Uri) -> (StatusCode, String) {
    let found = match uri.path() {
        "/latest/meta-data/spot/instance-action" => {
            let seen = shared.lock().unwrap_or_else(PoisonError::into_inner);
            seen.notice.clone()
        }
        "/latest/dynamic/instance-identity/document" => Some(
            json!({"accountId": "123456789012", "region": "eu-west-1",
                "instanceId": "i-0123456789abcdef0"})
            .to_string(),
        ),
        "/latest/meta-data/iam/security-credentials/" => Some("runner-role".to_owned()),
        "/latest/meta-data/iam/security-credentials/runner-role" => Some(
            json!({"Code": "Success", "AccessKeyId": "ASIAEXAMPLE",
                "SecretAccessKey": "fake-key", "Token": "fake-token",
                "Expiration": "2999-01-01T00:00:00Z"})
            .to_string(),
        ),
        _ => None,
    };
    match found {
        Some(body) => (StatusCode::OK, body),
        None => (StatusCode::NOT_FOUND, String::new()),
    }
}

/// Answers a look for the runner's row, and takes every tag.
async fn table(State(shared): State<Shared>, body: String) -> String {
    if !body.starts_with('{') {
        return "<CreateTagsResponse><return>true</return></CreateTagsResponse>".to_owned();
    }
    shared
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .rows_read += 1;
    let file = STANDARD.encode(r#"{"AgentId": 1, "Ephemeral": "True"}"#);
    let config = STANDARD.encode(json!({".runner": file}).to_string());
    let packed = STANDARD.encode(runner_config::pack(&config));
    json!({"Item": {"config": {"B": packed}, "runner": {"S": "one"}}}).to_string()
}

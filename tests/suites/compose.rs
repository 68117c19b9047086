//! The try-out of `deploy/compose`: the same programs with the same variables, as processes on loopback instead of
//! containers. What Docker adds (networks, secrets, images) is not tried here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use reprise_tests::agent_host::deploy;
use reprise_tests::harness::controller::Controller;
use reprise_tests::harness::program::built;
use reprise_tests::ministack::Ministack;
use reprise_tests::systemd::said;
use reprise_tests::{peers, wait};
use reprise_world::github::AppKeys;
use serde_json::Value;
use tempfile::TempDir;

/// For the controller to become ready, on a busy machine.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

type Variables = BTreeMap<String, String>;

/// The file, and a folder with the App's key.
struct TryOut {
    file: Value,
    folder: TempDir,
}

impl TryOut {
    fn read() -> Result<Self> {
        let program =
            "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
        let output = Command::new(peers::python_program("python")?)
            .args(["-c", program])
            .arg(compose("compose.yaml")?)
            .output()?;
        ensure!(output.status.success(), "{}", said(&output));
        let folder = tempfile::tempdir()?;
        let keys = AppKeys::generate()?;
        std::fs::write(folder.path().join("app-key"), &keys.private_pem)?;
        Ok(Self {
            file: serde_json::from_slice(&output.stdout)?,
            folder,
        })
    }

    fn service(&self, name: &str) -> &Value {
        &self.file["services"][name]
    }

    /// A service's variables; Docker takes texts alone, and this fails on anything else.
    fn variables(&self, service: &str) -> Result<Variables> {
        let variables = self.service(service)["environment"].clone();
        serde_json::from_value(variables)
            .with_context(|| format!("a variable of {service} is no text; put it in quotes"))
    }

    /// The controller's variables as they are, but for the folder in which Docker puts secrets.
    fn controller(&self) -> Result<Variables> {
        let secrets = self.folder.path().display().to_string();
        let mut variables = self.variables("controller")?;
        for value in variables.values_mut() {
            *value = value.replace("/run/secrets", &secrets);
        }
        Ok(variables)
    }
}

fn compose(file: &str) -> Result<PathBuf> {
    Ok(deploy()?.join("compose").join(file))
}

fn program(variables: &Variables) -> Result<tokio::process::Command> {
    let mut command = tokio::process::Command::new(built("reprise-controller")?);
    command
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

#[tokio::test]
async fn the_controller_takes_every_variable() -> Result<()> {
    let try_out = TryOut::read()?;
    let variables = try_out.controller()?;
    let checked = program(&variables)?.arg("--check-config").output().await?;
    ensure!(checked.status.success(), "{}", said(&checked));
    // The controller knows its own, and AWS's are documented by AWS; anything else would do nothing.
    for name in variables.keys() {
        let known =
            name == "REPRISE_CONFIG" || name.starts_with("REPRISE__") || name.starts_with("AWS_");
        ensure!(known, "{name}");
    }
    Ok(())
}

#[test]
fn images_ports_and_files_are_those_of_this_workspace() -> Result<()> {
    let try_out = TryOut::read()?;
    let wanted = std::fs::read_to_string(deploy()?.with_file_name("tests/peers/requirements.txt"))?;
    let version = wanted
        .lines()
        .find_map(|line| line.strip_prefix("ministack=="))
        .context("no ministack")?;
    let image = &try_out.service("ministack")["image"];
    ensure!(
        *image == format!("ministackorg/ministack:{version}"),
        "{image}"
    );
    let image = &try_out.service("controller")["image"];
    let ours = concat!("reprise-controller:", env!("CARGO_PKG_VERSION"));
    ensure!(*image == ours, "{image}");
    for service in ["ministack", "controller"] {
        let ports: Vec<String> = serde_json::from_value(try_out.service(service)["ports"].clone())?;
        let closed = ports.iter().all(|port| port.starts_with("127.0.0.1:"));
        ensure!(closed && !ports.is_empty(), "{ports:?}");
    }
    let volumes: Vec<String> =
        serde_json::from_value(try_out.service("ministack")["volumes"].clone())?;
    for volume in volumes {
        let (here, _) = volume.split_once(':').context("no place")?;
        ensure!(compose(here)?.exists(), "{here} is missing");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_controller_is_ready_beside_ministack_and_finds_the_job_that_the_try_out_interrupts()
-> Result<()> {
    let try_out = TryOut::read()?;
    let ministack = Ministack::start_with(try_out.variables("ministack")?).await?;
    python(&ministack, "ready.d/queues-and-table.py")?;
    let mut variables = try_out.controller()?;
    for value in variables.values_mut() {
        *value = value.replace("http://ministack:4566", &ministack.url());
    }
    let ours = [
        // Its own place, which its log tells.
        ("REPRISE__HTTP__LISTEN", "127.0.0.1:0"),
        ("REPRISE__LOG__FORMAT", "json"),
        // Nobody is there: tests do not ask github.com.
        ("REPRISE__GITHUB__BASE_URL", "http://127.0.0.1:9"),
    ];
    variables.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let log = try_out.folder.path().join("log");
    let mut controller = Controller::spawn(program(&variables)?, &log)?
        .started()
        .await?;
    let ready = wait::until("a ready controller", PATIENCE, async || {
        Ok(controller.is_ready().await?.then_some(()))
    });
    ready.await?;
    python(&ministack, "interrupted-job.py")?;
    let decided = controller.decides("awaiting").await?;
    ensure!(decided["job.name"] == "e2e", "{decided}");
    let status = controller.terminate().await?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

/// Runs a script of the try-out as ministack's container does.
fn python(ministack: &Ministack, script: &str) -> Result<()> {
    let output = Command::new(peers::python_program("python")?)
        .arg(compose(script)?)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("AWS_ENDPOINT_URL", ministack.url())
        .env("AWS_DEFAULT_REGION", ministack.region().as_str())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .output()?;
    ensure!(output.status.success(), "{script}: {}", said(&output));
    Ok(())
}

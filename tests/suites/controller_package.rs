//! The controller's unit for a machine of its own, judged by systemd's own tools, and what the program tells systemd.
//! `cargo xtask dist controller` looks at the image.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_tests::agent_host::deploy;
use reprise_tests::harness::controller::Controller;
use reprise_tests::harness::program::built;
use reprise_tests::harness::stage::{Hosts, Setting, Stage};
use reprise_tests::systemd::{Machine, entries, exposure, said};

const UNIT: &str = "reprise-controller.service";

/// How exposed the controller may be, in systemd's own measure.
const MOST_EXPOSED: f64 = 3.0;

/// For a message to systemd, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What systemd gives the controller between two beats, here.
const WATCHDOG_MICROSECONDS: u64 = 300_000;

/// Looks like an App's key, and is none.
const KEY: &str =
    "-----BEGIN RSA PRIVATE KEY-----\nnot-a-real-key\n-----END RSA PRIVATE KEY-----\n";
const WEBHOOK_SECRET: &str = "not-a-real-webhook-secret";

/// What the image and Terraform run to ask for the health.
const HEALTH_CHECK: &str = r#"["CMD", "/reprise-controller", "--check-health"]"#;

fn unit_file() -> Result<PathBuf> {
    Ok(deploy()?.join("controller").join(UNIT))
}

fn values(key: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(unit_file()?)?;
    let of_key = entries(&text).filter(|(name, _)| *name == key);
    Ok(of_key.map(|(_, value)| value.to_owned()).collect())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() -> Result<()> {
    let machine = Machine::bare()?;
    machine.put_as(Path::new("/bin/true"), "usr/bin/reprise-controller")?;
    machine.put(&unit_file()?, "usr/lib/systemd/system")?;
    machine.finds_nothing_wrong_with(&[UNIT])
}

#[test]
fn the_controller_is_hardened() -> Result<()> {
    let level = exposure(&unit_file()?)?;
    ensure!(level <= MOST_EXPOSED, "{level}");
    Ok(())
}

/// The example's settings hold on a machine that is made as the unit says: the secrets are where systemd hands them over,
/// and the ledger is in the one folder that can be written.
#[test]
fn the_example_is_good_under_the_unit_and_no_secret_is_read_but_what_systemd_hands_over()
-> Result<()> {
    let credentials = tempfile::tempdir()?;
    let mut paths = Vec::new();
    for loaded in values("LoadCredential")? {
        let (name, path) = loaded.split_once(':').context("no path")?;
        let secret = if name.contains("webhook") {
            WEBHOOK_SECRET
        } else {
            KEY
        };
        std::fs::write(credentials.path().join(name), secret)?;
        paths.push(path.to_owned());
    }
    let example = deploy()?.with_file_name("crates/config/examples/controller.toml");
    let text = std::fs::read_to_string(&example)?;
    for path in &paths {
        ensure!(text.contains(path.as_str()), "the example names no {path}");
        ensure!(!Path::new(path).exists(), "{path} is on this machine");
    }
    let output = check_config(&example, credentials.path())?;
    ensure!(output.status.success(), "{}", said(&output));
    let [folder] = &values("StateDirectory")?[..] else {
        anyhow::bail!("not one StateDirectory");
    };
    let ledger = format!("path = \"/var/lib/{folder}/reprise.db\"");
    ensure!(text.contains(&ledger), "the example's ledger is not there");
    ensure!(values("WorkingDirectory")? == [format!("%S/{folder}")]);
    Ok(())
}

fn check_config(config: &Path, credentials: &Path) -> Result<Output> {
    let mut command = Command::new(built("reprise-controller")?);
    command.arg("--check-config").arg("--config").arg(config);
    command.env_clear();
    for variable in values("Environment")? {
        let (name, value) = variable.split_once('=').context("no value")?;
        let folder = credentials.to_str().context("no text")?;
        command.env(name, value.replace("%d", folder));
    }
    Ok(command.output()?)
}

#[test]
fn systemd_waits_longer_than_the_controller_drains() -> Result<()> {
    let seconds: Vec<u64> = values("TimeoutStopSec")?
        .iter()
        .map(|value| value.parse())
        .collect::<Result<_, _>>()?;
    // The drain's 20 s, and what comes after the loops.
    ensure!(seconds.len() == 1 && seconds[0] >= 25, "{seconds:?}");
    Ok(())
}

#[test]
fn image_and_terraform_ask_for_the_health_by_what_the_program_has() -> Result<()> {
    let root = deploy()?;
    let places = [
        root.join("controller/Containerfile"),
        root.with_file_name("terraform/modules/controller/variables.tf"),
    ];
    for place in places {
        let text = std::fs::read_to_string(&place)?;
        let flat = text.replace("CMD [\"/", "[\"CMD\", \"/");
        ensure!(flat.contains(HEALTH_CHECK), "{}", place.display());
    }
    let help = Command::new(built("reprise-controller")?)
        .arg("--help")
        .output()?;
    ensure!(said(&help).contains("--check-health"), "{}", said(&help));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_learns_that_the_controller_is_ready_that_it_lives_and_that_it_ends() -> Result<()>
{
    let folder = tempfile::tempdir()?;
    let socket = UnixDatagram::bind(folder.path().join("notify"))?;
    let (tell, told) = mpsc::channel();
    // At once, as systemd does: whoever tells it something waits until there is room for it.
    thread::spawn(move || while tell.send(next(&socket)).is_ok() {});
    let next = || told.recv_timeout(PATIENCE).context("systemd is not told")?;
    let stage = Stage::set(Setting {
        speed: 1.0,
        hosts: Hosts::Bare,
        ..Setting::default()
    });
    let stage = stage.await?;
    let log = folder.path().join("log");
    let controller = Controller::spawn(command(&stage, folder.path())?, &log)?;
    ensure!(next()? == "READY=1");
    for _ in 0..3 {
        ensure!(next()? == "WATCHDOG=1");
    }
    let controller = controller.started().await?;
    let status = controller.terminate().await?;
    ensure!(status.success(), "it ended with {status}");
    let mut last = next()?;
    while last == "WATCHDOG=1" {
        last = next()?;
    }
    ensure!(last == "STOPPING=1", "{last}");
    Ok(())
}

/// The program as systemd starts it.
fn command(stage: &Stage, folder: &Path) -> Result<tokio::process::Command> {
    let mut command = tokio::process::Command::new(built("reprise-controller")?);
    command
        .env_clear()
        .envs(stage.places().variables())
        .env("REPRISE_CONFIG", "/dev/null")
        .env(
            "REPRISE__GITHUB__PRIVATE_KEY_FILE",
            stage.config().with_file_name("app-key.pem"),
        )
        .env("REPRISE__HTTP__LISTEN", "127.0.0.1:0")
        .env("NOTIFY_SOCKET", folder.join("notify"))
        .env("WATCHDOG_USEC", WATCHDOG_MICROSECONDS.to_string())
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

/// The next message to systemd.
fn next(socket: &UnixDatagram) -> Result<String> {
    let mut message = [0; 256];
    let length = socket.recv(&mut message)?;
    let text = message.get(..length).unwrap_or_default();
    Ok(String::from_utf8_lossy(text).trim().to_owned())
}

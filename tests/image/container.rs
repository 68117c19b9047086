//! The controller out of an unpacked image, confined as ECS and Docker are told to confine it.
//!
//! What a container runtime adds is played here, too: mount, process, IPC and host name namespaces, in which the controller
//! is the first process; a root that cannot be written; `/dev/null`; a folder for the ledger; the image's user, without
//! capabilities. The network is the machine's own, as the world listens on its loopback. No cgroup, no filter of system
//! calls.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_tests::harness::controller::Controller;
use reprise_tests::harness::stage::Stage;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

use crate::archive::{USER, Unpacked};

/// Mounts what a runtime would, and becomes the image's program: $1 is the root, $2 the ledger's folder, $3 the working
/// folder, $4 the user's number; the program and its words follow.
const ENTER: &str = r#"
set -eu
root=$1 ledger=$2 folder=$3 user=$4
shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
mount --bind /dev/null "$root/dev/null"
mount --bind "$ledger" "$root/$folder"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs -- unshare --root="$root" --wd="$folder" --setgid="$user" --setuid="$user" "$@"
"#;

/// An image's processes to be.
pub(crate) struct Container {
    image: Unpacked,
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

/// The controller in it.
pub(crate) struct Running {
    pub(crate) controller: Controller,
    process: u32,
}

impl Container {
    /// Makes what a runtime makes before it starts anything: what is mounted upon, and a volume for the ledger.
    pub(crate) fn new(image: Unpacked, stage: &Stage) -> Result<Self> {
        std::fs::create_dir(image.root().join("dev"))?;
        std::fs::write(image.root().join("dev/null"), "")?;
        let folder = tempfile::tempdir().context("failed to make a folder")?;
        let ledger = folder.path().join("ledger");
        std::fs::create_dir(&ledger)?;
        chown(&ledger, Some(USER), Some(USER)).context("only root can try an image")?;
        let variables = variables(stage)?;
        Ok(Self {
            image,
            folder,
            variables,
        })
    }

    /// Runs the program to its end, which must be a good one, and answers what it said.
    pub(crate) async fn succeeds(&self, arguments: &[&str]) -> Result<String> {
        let output = self.command(arguments)?.output().await?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        let (out, complaint) = (said(&output.stdout), said(&output.stderr));
        ensure!(
            output.status.success(),
            "{arguments:?} ended with {}: {complaint}",
            output.status
        );
        Ok(out)
    }

    /// Its health check fails, and says why.
    pub(crate) async fn is_unhealthy(&self, why: &str) -> Result<()> {
        let output = self.command(&["--check-health"])?.output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(1) && said.contains(why),
            "{}: {said}",
            output.status
        );
        println!("--check-health, while none runs: {}", said.trim());
        Ok(())
    }

    /// Starts the controller.
    pub(crate) async fn start(&self) -> Result<Running> {
        let log = self.folder.path().join("log");
        let began = Instant::now();
        let controller = Controller::spawn(self.command(&[])?, &log)?
            .started()
            .await?;
        println!("started after {} ms", began.elapsed().as_millis());
        let unshare = controller.process().context("it has ended")?;
        let process = only_child(unshare)?;
        Ok(Running {
            controller,
            process,
        })
    }

    /// The ledger is a file in the volume, and its user's own.
    pub(crate) fn has_ledger(&self) -> Result<()> {
        let file = self.ledger().join("reprise.db");
        let metadata = std::fs::metadata(&file).context("there is no ledger")?;
        ensure!(metadata.uid() == USER && metadata.len() > 0, "{metadata:?}");
        Ok(())
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--pid",
                "--ipc",
                "--uts",
                "--fork",
                "--kill-child",
            ])
            .args(["--", "sh", "-c", ENTER, "sh"])
            .arg(self.image.root())
            .arg(self.ledger())
            .arg(self.image.working_dir()?)
            .arg(USER.to_string())
            .arg(self.image.entrypoint()?)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(&self.variables)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        Ok(command)
    }
}

impl Running {
    /// The kernel says that it is the image's user, that it has no rights beyond that and cannot get any, that it is the
    /// first of its processes, and that it cannot write its root.
    pub(crate) fn is_confined(&self) -> Result<()> {
        let user = format!("{USER}\t{USER}\t{USER}\t{USER}");
        let none = "0000000000000000";
        let inside = format!("{}\t1", self.process);
        let wanted = [
            ("Uid", user.as_str()),
            ("Gid", user.as_str()),
            ("Groups", ""),
            ("CapEff", none),
            ("CapPrm", none),
            ("CapInh", none),
            ("CapAmb", none),
            ("NoNewPrivs", "1"),
            ("NSpid", inside.as_str()),
        ];
        let status = self.proc("status")?;
        for (key, value) in wanted {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let said = line.and_then(|line| line.strip_prefix(':')).map(str::trim);
            ensure!(said == Some(value), "{key} is {said:?}, not {value}");
        }
        let mounts = self.proc("mountinfo")?;
        let is_root = |line: &&str| line.split(' ').nth(4) == Some("/");
        let root = mounts.lines().find(is_root).context("it has no root")?;
        let options = root.split(' ').nth(5).unwrap_or_default();
        ensure!(options.split(',').any(|one| one == "ro"), "{root}");
        Ok(())
    }

    /// What it has in memory.
    pub(crate) fn memory_kb(&self) -> Option<u64> {
        let status = self.proc("status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line?.trim().strip_suffix(" kB")?.parse().ok()
    }

    /// SIGTERM to the controller itself, as a runtime sends it; it must end well and in time.
    pub(crate) async fn terminate(self) -> Result<Duration> {
        let began = Instant::now();
        let status = self.controller.ends_by(self.process).await?;
        ensure!(status.success(), "it ended with {status}");
        Ok(began.elapsed())
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.process);
        std::fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))
    }
}

/// What `unshare` became the parent of.
fn only_child(parent: u32) -> Result<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(&path)?;
    children
        .trim()
        .parse()
        .with_context(|| format!("children of {parent}: {children}"))
}

/// Everything by variables, as ECS has it; the ledger is where an operator who says nothing of it has it.
fn variables(stage: &Stage) -> Result<BTreeMap<String, String>> {
    let key = stage.config().with_file_name("app-key.pem");
    let mut variables = stage.places().variables();
    let more = [
        ("REPRISE_CONFIG", "/dev/null".to_owned()),
        ("REPRISE__GITHUB__PRIVATE_KEY", text(&key)?),
        ("REPRISE__HTTP__LISTEN", free_address()?.to_string()),
    ];
    variables.extend(more.map(|(name, value)| (name.to_owned(), value)));
    Ok(variables)
}

fn text(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))
}

/// Free a moment ago: the health check must know the port before the controller has it.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}

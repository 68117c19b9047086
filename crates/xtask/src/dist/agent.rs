//! The agent as a static program for two processors, and its Debian package.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{Build, TARGETS, Target};
use crate::{command, tools};

/// The packager, built once into `target/tools`.
const CARGO_DEB: &str = "3.8.0";

/// What is built.
const AGENT: Build = Build {
    package: "reprise-agent",
    profile: "agent",
    // It is on every instance.
    largest: 5_000_000,
};

/// Builds and checks the agent's programs and packages, under `target/dist`; with `native` for this machine's
/// kind of processor alone.
pub(crate) fn make(native: bool) -> Result<()> {
    let root = command::root();
    for target in &TARGETS {
        if native && !target.is_native() {
            continue;
        }
        AGENT.make(target)?;
        let package = package(&root, target)?;
        inspect(&root, target, &package)?;
    }
    Ok(())
}

/// Builds the agent's static program for this machine and answers it and its target; nothing where the target or
/// a C compiler for it is missing.
pub(crate) fn native_program() -> Result<Option<(PathBuf, &'static str)>> {
    let native = Target::native();
    match native.filter(|target| target.is_installed() && target.compiler().is_ok()) {
        Some(target) => {
            let program = AGENT.make(target)?;
            Ok(Some((program, target.triple)))
        }
        None => Ok(None),
    }
}

fn package(root: &Path, target: &Target) -> Result<PathBuf> {
    let packager = packager()?;
    let package = root
        .join("target/dist")
        .join(format!("reprise-agent_{}.deb", target.debian));
    std::fs::create_dir_all(root.join("target/dist"))?;
    let mut deb = Command::new(packager);
    deb.current_dir(root)
        .args(["--package", "reprise-agent", "--no-build", "--no-strip"])
        .args(["--profile", "agent", "--target", target.triple, "--output"])
        .arg(&package);
    command::run(&mut deb)?;
    Ok(package)
}

/// What an instance gets: mode and place of each file.
const CONTENTS: [(&str, &str); 13] = [
    ("-rwxr-xr-x", "./usr/bin/reprise-agent"),
    ("-rwxr-xr-x", "./usr/lib/reprise/start-runner.sh"),
    ("-rwxr-xr-x", "./usr/lib/reprise/job-completed.sh"),
    (
        "-rw-r--r--",
        "./usr/lib/systemd/system/reprise-agent.service",
    ),
    ("-rw-r--r--", "./usr/lib/systemd/system/reprise-runner.path"),
    (
        "-rw-r--r--",
        "./usr/lib/systemd/system/reprise-runner.service",
    ),
    ("-rw-r--r--", "./etc/reprise/agent.toml"),
    ("-rw-r--r--", "./etc/reprise/interrupt.d/README"),
    ("-rw-r--r--", "./usr/share/man/man8/reprise-agent.8.gz"),
    ("-rw-r--r--", "./usr/share/doc/reprise-agent/copyright"),
    (
        "-rw-r--r--",
        "./usr/share/doc/reprise-agent/changelog.Debian.gz",
    ),
    ("-rw-r--r--", "./usr/share/lintian/overrides/reprise-agent"),
    ("drwxr-xr-x", "./etc/reprise/interrupt.d/"),
];

/// Unpacks the package and looks at what an instance would get.
fn inspect(root: &Path, target: &Target, package: &Path) -> Result<()> {
    let listing = dpkg_deb(&["--contents"], package, None)?;
    for line in listing.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [mode, owner, _, _, _, path] = words[..] else {
            bail!("unexpected in the package: {line}");
        };
        ensure!(matches!(owner, "0/0" | "root/root"), "not root's: {line}");
        let known = CONTENTS.contains(&(mode, path));
        ensure!(
            known || (path.ends_with('/') && mode == "drwxr-xr-x"),
            "unexpected: {line}"
        );
    }
    for (_, path) in CONTENTS {
        ensure!(
            listing.lines().any(|line| line.ends_with(path)),
            "{path} is not in it"
        );
    }
    let unpacked = root.join("target/dist").join(target.debian);
    if unpacked.exists() {
        std::fs::remove_dir_all(&unpacked)?;
    }
    dpkg_deb(&["--extract"], package, Some(&unpacked))?;
    dpkg_deb(&["--control"], package, Some(&unpacked.join("DEBIAN")))?;
    inspect_scripts(&unpacked.join("DEBIAN"))?;
    let program = unpacked.join("usr/bin/reprise-agent");
    AGENT.check(target, &program)?;
    let settings = unpacked.join("etc/reprise/agent.toml");
    let settings = settings.to_str().context("no text")?;
    let said = target.answers(&program, &["--check-config", "--config", settings])?;
    println!("{}: {said}", package.display());
    Ok(())
}

/// The operator's files stay his, the agent starts, and the runner, which may have a job, is left alone: only
/// the package's removal ends it.
fn inspect_scripts(control: &Path) -> Result<()> {
    let read = |name: &str| std::fs::read_to_string(control.join(name));
    let kept = read("conffiles")?;
    let wanted = ["/etc/reprise/agent.toml", "/etc/reprise/interrupt.d/README"];
    ensure!(kept.lines().eq(wanted), "conffiles: {kept}");
    let scripts = read("postinst")?;
    ensure!(scripts.contains("deb-systemd-helper enable reprise-agent.service"));
    ensure!(scripts.contains("deb-systemd-helper enable reprise-runner.path"));
    let touches = |line: &&str| line.contains("deb-systemd-invoke") && line.contains("runner");
    let touched = scripts.lines().find(touches);
    ensure!(
        touched.is_none(),
        "the package touches the runner: {touched:?}"
    );
    Ok(())
}

fn dpkg_deb(arguments: &[&str], package: &Path, folder: Option<&Path>) -> Result<String> {
    let mut command = Command::new("dpkg-deb");
    command.args(arguments).arg(package).args(folder);
    command::output(&mut command)
}

/// cargo-deb in the pinned version, installed if it is not there.
fn packager() -> Result<PathBuf> {
    tools::installed("cargo-deb", CARGO_DEB, &[])
}

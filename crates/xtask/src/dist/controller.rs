//! The controller as a static program, and the image that holds it.
//!
//! buildah (Debian's package) builds the image without an engine and from nothing, so that no registry is asked, into
//! an archive that `docker load` takes. A program of the tests then runs the controller out of that archive.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{Build, Target};
use crate::command::{self, built, cargo};

/// What an image may weigh, unpacked.
const LARGEST_IMAGE: u64 = 25_000_000;

const CONTROLLER: Build = Build {
    package: "reprise-controller",
    profile: "controller",
    largest: LARGEST_IMAGE,
};

/// Where Debian keeps the certificate authorities; the image trusts the same.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Mozilla's list has about 140: far fewer are not that list.
const FEWEST_AUTHORITIES: usize = 100;

/// Builds and checks the program and, if it is to be, the image, under `target/dist`.
pub(crate) fn make(image: bool) -> Result<()> {
    let native = Target::native();
    let target = native.context("no target is known for this kind of processor")?;
    if image {
        ensure!(
            command::exists("buildah", &["--version"]),
            "buildah builds the image; install it (Debian: buildah), or build the program alone with --no-image"
        );
        ensure!(
            is_root()?,
            "the image is built and tried as root; run this as root, or build the program alone with --no-image"
        );
    }
    let program = CONTROLLER.make(target)?;
    if !image {
        return Ok(());
    }
    let context = context(&program)?;
    let archive = build(target, &context)?;
    let size = std::fs::metadata(&archive)?.len();
    ensure!(
        size <= LARGEST_IMAGE,
        "{} has {size} bytes, and may have {LARGEST_IMAGE}",
        archive.display()
    );
    println!("{}: {size} bytes", archive.display());
    try_out(&archive)
}

fn is_root() -> Result<bool> {
    let own = std::fs::metadata("/proc/self").context("failed to read /proc/self")?;
    Ok(own.uid() == 0)
}

/// The folder of what the image is made of.
fn context(program: &Path) -> Result<PathBuf> {
    let folder = dist()?.join("controller-image");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(folder.join("ledger"))?;
    std::fs::copy(program, folder.join("reprise-controller"))?;
    let authorities = std::fs::read_to_string(AUTHORITIES)
        .with_context(|| format!("failed to read {AUTHORITIES}; install ca-certificates"))?;
    let number = authorities.matches("-----BEGIN CERTIFICATE-----").count();
    ensure!(
        number >= FEWEST_AUTHORITIES,
        "{AUTHORITIES} has {number} certificates; install ca-certificates anew"
    );
    std::fs::write(folder.join("ca-certificates.crt"), authorities)?;
    Ok(folder)
}

/// Builds the image, and packs it for `docker load`.
fn build(target: &Target, context: &Path) -> Result<PathBuf> {
    let (name, archive) = (image_name(), archive(target)?);
    // Of its own, so that nothing is left in the machine's storage.
    let storage = dist()?.join("controller-storage");
    let recipe = command::root().join("deploy/controller/Containerfile");
    let mut bud = buildah(&storage);
    bud.args(["bud", "--isolation", "chroot", "--format", "docker"])
        .args(["--timestamp", &git(&["log", "-1", "--format=%ct"])?])
        .args([
            "--build-arg",
            concat!("VERSION=", env!("CARGO_PKG_VERSION")),
        ])
        .args(["--build-arg", &format!("REVISION={}", revision()?)])
        .args(["--tag", &name, "--file"])
        .args([&recipe, context]);
    command::run(&mut bud)?;
    if archive.exists() {
        std::fs::remove_file(&archive)?;
    }
    let destination = format!("docker-archive:{}:{name}", archive.display());
    command::run(buildah(&storage).args(["push", "--quiet", &name, &destination]))?;
    std::fs::remove_dir_all(&storage)
        .with_context(|| format!("failed to remove {}", storage.display()))?;
    Ok(archive)
}

/// Layers as plain folders: what CI runs in cannot mount overlays everywhere.
fn buildah(storage: &Path) -> Command {
    let mut command = Command::new("buildah");
    command
        .args(["--storage-driver", "vfs", "--root"])
        .arg(storage.join("layers"))
        .arg("--runroot")
        .arg(storage.join("run"));
    command
}

/// Runs the controller out of the archive, beside the simulated world: the program that does is the tests'.
fn try_out(archive: &Path) -> Result<()> {
    // The same selection as the tests', so that nothing is built anew after them.
    let mut build = cargo(&["build", "--workspace", "--locked", "--bins"]);
    command::run(build.args(["--features", "reprise-tests/peers"]))?;
    let mut trial = Command::new(built("debug", "try-image")?);
    // An error says what happened; where it was made adds fifty lines.
    trial.arg(archive).env("RUST_LIB_BACKTRACE", "0");
    command::run(&mut trial)
}

fn image_name() -> String {
    format!("reprise-controller:{}", env!("CARGO_PKG_VERSION"))
}

fn archive(target: &Target) -> Result<PathBuf> {
    Ok(dist()?.join(format!("reprise-controller_{}.tar", target.debian)))
}

/// The commit, and whether something else was built.
fn revision() -> Result<String> {
    git(&[
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ])
}

fn git(arguments: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    git.current_dir(command::root()).args(arguments);
    let said = command::output(&mut git)?;
    match said.trim() {
        "" => bail!("git {} says nothing", arguments.join(" ")),
        said => Ok(said.to_owned()),
    }
}

fn dist() -> Result<PathBuf> {
    let folder = command::root().join("target/dist");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("failed to make {}", folder.display()))?;
    Ok(folder)
}

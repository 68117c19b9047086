//! What is handed out: the agent as a static program for two processors, and its Debian package.
//!
//! `rustup` brings the targets, the C compilers are Debian's (`musl-tools`, `gcc-aarch64-linux-gnu`), as ring has
//! C and assembler in it; the programs are linked by Rust's own linker with its own musl.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::{command, tools};

/// The packager, built once into `target/tools`.
const CARGO_DEB: &str = "3.8.0";

/// What a program may weigh: it is on every instance.
const LARGEST: u64 = 5_000_000;

/// A kind of processor.
struct Target {
    triple: &'static str,
    debian: &'static str,
    compilers: &'static [&'static str],
    emulator: &'static str,
}

const TARGETS: [Target; 2] = [
    Target {
        triple: "x86_64-unknown-linux-musl",
        debian: "amd64",
        compilers: &["x86_64-linux-musl-gcc", "musl-gcc"],
        emulator: "qemu-x86_64-static",
    },
    Target {
        triple: "aarch64-unknown-linux-musl",
        debian: "arm64",
        compilers: &["aarch64-linux-musl-gcc", "aarch64-linux-gnu-gcc"],
        emulator: "qemu-aarch64-static",
    },
];

/// Builds and checks the agent's programs and packages, under `target/dist`; with `native` for this machine's
/// kind of processor alone.
pub(crate) fn agent(native: bool) -> Result<()> {
    let root = command::root();
    for target in &TARGETS {
        if native && !target.is_native() {
            continue;
        }
        let program = build(&root, target)?;
        check(target, &program)?;
        let package = package(&root, target)?;
        inspect(&root, target, &package)?;
    }
    Ok(())
}

/// Builds the agent's static program for this machine and answers it and its target; nothing where the target or
/// a C compiler for it is missing.
pub(crate) fn native_program() -> Result<Option<(PathBuf, &'static str)>> {
    let native = TARGETS.iter().find(|target| target.is_native());
    match native.filter(|target| target.is_installed() && target.compiler().is_ok()) {
        Some(target) => {
            let program = build(&command::root(), target)?;
            check(target, &program)?;
            Ok(Some((program, target.triple)))
        }
        None => Ok(None),
    }
}

fn build(root: &Path, target: &Target) -> Result<PathBuf> {
    let variable = target.triple.replace('-', "_");
    let linker = format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase());
    let mut cargo = command::cargo(&["build", "--locked", "--package", "reprise-agent"]);
    cargo
        .args(["--profile", "agent", "--target", target.triple])
        .env(format!("CC_{variable}"), target.compiler()?)
        .env(linker, "rust-lld");
    command::run(&mut cargo)?;
    Ok(root
        .join("target")
        .join(target.triple)
        .join("agent/reprise-agent"))
}

fn check(target: &Target, program: &Path) -> Result<()> {
    let bytes = std::fs::read(program)?;
    ensure!(is_static(&bytes), "{} is not static", program.display());
    let size = u64::try_from(bytes.len())?;
    ensure!(size <= LARGEST, "{} has {size} bytes", program.display());
    let version = target.answers(program, &["--version"])?;
    let name = target.triple;
    println!("{name}: static, {size} bytes, says `{version}`");
    Ok(())
}

/// Whether an ELF program asks for no loader: none of its segments is an interpreter's name.
fn is_static(elf: &[u8]) -> bool {
    const INTERPRETER: u32 = 3;
    let short = |at: usize| Some(u16::from_le_bytes(elf.get(at..at + 2)?.try_into().ok()?));
    let long = |at: usize| Some(u64::from_le_bytes(elf.get(at..at + 8)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_le_bytes(elf.get(at..at + 4)?.try_into().ok()?));
    let kinds = || -> Option<Vec<u32>> {
        let table = usize::try_from(long(32)?).ok()?;
        let (size, number) = (usize::from(short(54)?), usize::from(short(56)?));
        (0..number).map(|n| word(table + n * size)).collect()
    };
    elf.starts_with(b"\x7fELF\x02\x01")
        && kinds().is_some_and(|kinds| !kinds.is_empty() && !kinds.contains(&INTERPRETER))
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
    check(target, &program)?;
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

fn packager() -> Result<PathBuf> {
    tools::installed("cargo-deb", CARGO_DEB, &[])
}

impl Target {
    fn is_native(&self) -> bool {
        self.triple.starts_with(std::env::consts::ARCH)
    }

    /// Whether Rust's own library for it is there.
    fn is_installed(&self) -> bool {
        let mut rustc = Command::new("rustc");
        rustc.current_dir(command::root());
        rustc.args(["--print", "target-libdir", "--target", self.triple]);
        command::output(&mut rustc).is_ok_and(|folder| Path::new(folder.trim()).is_dir())
    }

    /// The first of its C compilers that is there.
    fn compiler(&self) -> Result<&'static str> {
        let there = |name: &&&str| command::exists(name, &["--version"]);
        let found = self.compilers.iter().find(there).copied();
        found.with_context(|| {
            format!(
                "no C compiler for {}; install one of {:?} (Debian: musl-tools, gcc-aarch64-linux-gnu)",
                self.triple, self.compilers
            )
        })
    }

    /// What the program says, by an emulator on another kind of processor, if there is one.
    fn answers(&self, program: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = match self.is_native() {
            true => Command::new(program),
            false if !command::exists(self.emulator, &["--version"]) => {
                return Ok(format!("nothing: {} is not here", self.emulator));
            }
            false => {
                let mut emulated = Command::new(self.emulator);
                emulated.arg(program);
                emulated
            }
        };
        let said = command::output(command.args(arguments))?;
        Ok(said.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file of 64 bits with program headers of these kinds.
    fn elf(kinds: &[u32]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01".to_vec();
        bytes.resize(64, 0);
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = u8::try_from(kinds.len()).expect("few");
        for kind in kinds {
            let mut header = kind.to_le_bytes().to_vec();
            header.resize(56, 0);
            bytes.extend(header);
        }
        bytes
    }

    #[test]
    fn a_program_that_names_a_loader_is_not_static() {
        assert!(is_static(&elf(&[1, 1, 2, 7])));
        assert!(!is_static(&elf(&[6, 3, 1, 2])));
    }

    #[test]
    fn what_is_no_program_is_not_static() {
        assert!(!is_static(b""));
        assert!(!is_static(b"#!/bin/sh"));
        assert!(!is_static(&elf(&[])));
        assert!(!is_static(&elf(&[1, 1])[..80]));
    }
}

//! What is handed out, as static programs: the agent in a package, the controller in an image, the jobs' program as it is.
//!
//! `rustup` brings the targets, the C compilers are Debian's (`musl-tools`, `gcc-aarch64-linux-gnu`), as ring,
//! aws-lc and SQLite have C and assembler in them; the programs are linked by Rust's own linker with its own musl.

pub(crate) mod agent;
pub(crate) mod controller;
pub(crate) mod job;
pub(crate) mod sbom;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command;

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

/// A program, and how it is built.
struct Build {
    package: &'static str,
    profile: &'static str,
    /// How many bytes it may have.
    largest: u64,
}

impl Build {
    /// Builds it and looks at what came of it.
    fn make(&self, target: &Target) -> Result<PathBuf> {
        let program = self.build(target)?;
        self.check(target, &program)?;
        Ok(program)
    }

    fn build(&self, target: &Target) -> Result<PathBuf> {
        let variable = target.triple.replace('-', "_");
        let linker = format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase());
        let mut cargo = command::cargo(&["build", "--locked", "--package", self.package]);
        cargo
            .args(["--profile", self.profile, "--target", target.triple])
            .env(format!("CC_{variable}"), target.compiler()?)
            .env(linker, "rust-lld");
        command::run(&mut cargo)?;
        let folder = command::root().join("target").join(target.triple);
        Ok(folder.join(self.profile).join(self.package))
    }

    fn check(&self, target: &Target, program: &Path) -> Result<()> {
        let bytes = std::fs::read(program)?;
        ensure!(is_static(&bytes), "{} is not static", program.display());
        let size = u64::try_from(bytes.len())?;
        ensure!(
            size <= self.largest,
            "{} has {size} bytes, and may have {}",
            program.display(),
            self.largest
        );
        let version = target.answers(program, &["--version"])?;
        let name = target.triple;
        println!("{name}: static, {size} bytes, says `{version}`");
        Ok(())
    }
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

impl Target {
    /// This machine's kind of processor.
    fn native() -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.is_native())
    }

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

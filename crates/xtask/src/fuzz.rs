//! `cargo xtask fuzz`: replays the saved corpus and tries more, with cargo-fuzz of the other peers.
//!
//! Stable Rust is enough: cargo-fuzz's coverage flags are a compiler pass, and no sanitizer is built in,
//! since our crates have no unsafe code for one to watch. What is found lies under target/fuzz.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{cargo, exists, output, root, run};
use crate::peers;

/// The targets, as `fuzz/fuzz_targets` has them.
const TARGETS: [&str; 6] = [
    "labels",
    "workflows",
    "webhooks",
    "ec2_events",
    "config",
    "failures",
];

/// Longer than any input takes, in seconds, also on a machine with other work.
const TIMEOUT: u32 = 10;

/// Replays each target's corpus, then fuzzes it for so many seconds.
pub(crate) fn check(seconds: u32) -> Result<()> {
    let host = host()?;
    build(&host)?;
    let programs = folder().join(host).join("release");
    for target in TARGETS {
        replay_and_fuzz(&programs.join(target), target, seconds)?;
    }
    Ok(())
}

/// Where everything is that this makes.
fn folder() -> PathBuf {
    root().join("target/fuzz")
}

fn build(host: &str) -> Result<()> {
    if !exists("c++", &["--version"]) {
        bail!(
            "missing: c++, which compiles libFuzzer; install it (on Debian: apt-get install g++)"
        );
    }
    let cargo_fuzz = peers::install()?.join("venv/bin/cargo-fuzz");
    // cargo-fuzz passes no --locked on; this does not change the lock file, or fails.
    let locked = ["fetch", "--quiet", "--locked", "--manifest-path"];
    run(cargo(&locked).arg("fuzz/Cargo.toml"))?;
    run(Command::new(cargo_fuzz)
        .current_dir(root())
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["build", "--fuzz-dir", "fuzz", "--sanitizer", "none"])
        .args(["--target", host, "--target-dir"])
        .arg(folder()))
}

/// The machine to build for. cargo-fuzz would take the one that it was itself built for.
fn host() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .context("failed to find the host in what rustc -vV prints")
}

fn replay_and_fuzz(program: &Path, target: &str, seconds: u32) -> Result<()> {
    let corpus = root().join("fuzz/corpus").join(target);
    let found = folder().join("found").join(target);
    std::fs::create_dir_all(&found)
        .with_context(|| format!("failed to make {}", found.display()))?;
    let mut replay = fuzzer(program, target);
    replay.arg("-runs=0").arg(&corpus);
    println!("{target}: the corpus: {}", watched(&mut replay, target)?);
    if seconds > 0 {
        let mut fuzz = fuzzer(program, target);
        fuzz.arg(format!("-max_total_time={seconds}"));
        // New inputs go into the first folder.
        fuzz.args([&found, &corpus]);
        println!("{target}: new inputs: {}", watched(&mut fuzz, target)?);
    }
    Ok(())
}

/// Runs a fuzzer and answers what it says at its end; all that it says where it does not end well.
fn watched(fuzzer: &mut Command, target: &str) -> Result<String> {
    let ended = fuzzer
        .output()
        .with_context(|| format!("failed to start the fuzz target {target}"))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    if !ended.status.success() {
        eprintln!("{said}");
        bail!(
            "an input broke a promise of fuzz/src/{target}.rs; it lies in target/fuzz/broken-{target}-*: \
             fix what it shows, and put it into fuzz/corpus/{target}"
        );
    }
    let end = said.lines().rfind(|line| line.starts_with("Done "));
    Ok(end.unwrap_or("done").to_owned())
}

fn fuzzer(program: &Path, target: &str) -> Command {
    let dictionary = root()
        .join("fuzz/dictionaries")
        .join(format!("{target}.txt"));
    let artifacts = folder().join(format!("broken-{target}-"));
    let mut command = Command::new(program);
    command
        .current_dir(root())
        .arg(format!("-timeout={TIMEOUT}"))
        .arg(format!("-dict={}", dictionary.display()))
        .arg(format!("-artifact_prefix={}", artifacts.display()));
    command
}

//! A cold build of the agent alone: into an empty folder, with all sources there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_tests::wait;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::figures::Figure;

/// How often memory is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// Far more than any machine takes.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Builds it as an instance's program is built, for this machine.
pub(crate) async fn cold() -> Result<Vec<Figure>> {
    let folder = beside_own_program()?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--locked", "--offline", "--quiet"])
        .args(["--package", "reprise-agent", "--profile", "agent"])
        .arg("--target-dir")
        .arg(folder.path())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("CARGO_INCREMENTAL", "0")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let begun = Instant::now();
    let mut cargo = cargo.spawn().context("failed to start cargo")?;
    let peak = watch(&mut cargo).await?;
    let took = begun.elapsed().as_secs_f64();
    ensure!(
        folder.path().join("agent/reprise-agent").exists(),
        "cargo built no agent; `cargo fetch --locked` brings the sources that it lacks"
    );
    Ok(vec![
        Figure::new("cold build, time", took, " s")
            .digits(0)
            .at_most(120.0),
        Figure::new("cold build, the largest process", peak.largest, " MB").digits(0),
        Figure::new("cold build, all processes at once", peak.together, " MB")
            .digits(0)
            .at_most(1500.0),
    ])
}

/// On a disk, where this program is: a folder for temporary files may be in memory.
fn beside_own_program() -> Result<tempfile::TempDir> {
    let own = std::env::current_exe().context("failed to find this program's own file")?;
    let folder = own.parent().context("this program stands in no folder")?;
    Ok(tempfile::tempdir_in(folder)?)
}

/// Memory in RAM, in MB (a million bytes).
#[derive(Debug, Clone, Copy, Default)]
struct Peak {
    largest: f64,
    together: f64,
}

async fn watch(cargo: &mut Child) -> Result<Peak> {
    let root = cargo.id().context("cargo has ended at once")?;
    let mut peak = Peak::default();
    let looking = wait::until_every(GLANCE, "the agent", PATIENCE, async || {
        let ended = cargo.try_wait()?;
        let now = family(root);
        peak.largest = now.values().copied().fold(peak.largest, f64::max);
        // What several of them share counts for each: it is a little more than what there is.
        peak.together = peak.together.max(now.values().sum());
        Ok(ended)
    });
    let status = looking.await?;
    ensure!(status.success(), "the agent cannot be built: {status}");
    Ok(peak)
}

/// The memory of a process and of all that it has started.
fn family(root: u32) -> BTreeMap<u32, f64> {
    let all = processes();
    let mut family = BTreeMap::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        if let Some(memory) = megabytes(parent) {
            family.insert(parent, memory);
        }
        let children = all.iter().filter(|(_, its)| **its == parent);
        next.extend(children.map(|(child, _)| *child));
    }
    family
}

/// Each process with its parent.
fn processes() -> BTreeMap<u32, u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter_map(|process: u32| Some((process, parent(process)?)))
        .collect()
}

/// A process may have ended meanwhile.
fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in brackets may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(1)?.parse().ok()
}

fn megabytes(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

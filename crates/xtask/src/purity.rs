//! The engine decides and does nothing else: what it depends on is checked, and what it names. And no
//! program can be built with behaviours that are broken on purpose.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::{cargo, output, root};

/// The engine's own dependencies.
const DIRECT: [&str; 3] = ["jiff", "regex", "reprise-model"];

/// What decisions must not name: clocks, I/O, threads, the environment.
const FORBIDDEN: [&str; 9] = [
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    "async fn",
    "Timestamp::now",
];

/// Crates that bring a clock, randomness, I/O or a runtime with them; none may be reached, however
/// far down.
const IMPURE: [&str; 12] = [
    "aws-config",
    "chrono",
    "fastrand",
    "getrandom",
    "hyper",
    "mio",
    "octocrab",
    "rand",
    "reqwest",
    "rusqlite",
    "tokio",
    "tracing",
];

/// The crates that may name the feature by which behaviours are broken on purpose.
const MAY_NAME_MUTANTS: [&str; 3] = ["engine", "controller", "simulator"];

/// Checks all of it.
pub(crate) fn check() -> Result<()> {
    let direct = dependencies("1")?;
    let wanted: BTreeSet<String> = DIRECT.iter().map(|name| (*name).to_owned()).collect();
    if direct != wanted {
        bail!("reprise-engine depends on {direct:?}; it may depend on {wanted:?} alone");
    }
    let reached = dependencies("99")?;
    let impure: Vec<&str> = IMPURE
        .into_iter()
        .filter(|name| reached.contains(*name))
        .collect();
    if !impure.is_empty() {
        bail!(
            "reprise-engine reaches {impure:?}, with which a decision could depend on more than its facts"
        );
    }
    for folder in ["crates/engine/src", "crates/model/src"] {
        check_folder(&root().join(folder))?;
    }
    check_mutants()?;
    println!(
        "the engine is pure: {} crates reached, none of them with a clock or I/O",
        reached.len()
    );
    Ok(())
}

/// No crate names the feature `mutants` but those that have it, and none gets it without naming it.
fn check_mutants() -> Result<()> {
    for manifest in manifests()? {
        let text = std::fs::read_to_string(&manifest)
            .with_context(|| format!("failed to read {}", manifest.display()))?;
        let may = MAY_NAME_MUTANTS
            .into_iter()
            .any(|name| manifest.ends_with(format!("crates/{name}/Cargo.toml")));
        if !may && text.contains("mutants") {
            bail!(
                "{} names the feature mutants, which is for the simulator alone",
                manifest.display()
            );
        }
    }
    let tree = output(&mut cargo(&[
        "tree",
        "--workspace",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--format",
        "{p} has {f}",
    ]))?;
    if let Some(line) = tree.lines().find(|line| has_mutants(line)) {
        bail!("a build that does not name the feature mutants gets it: {line}");
    }
    Ok(())
}

fn has_mutants(line: &str) -> bool {
    let features = line.split_once(" has ").map(|(_, features)| features);
    features.is_some_and(|features| features.split(',').any(|one| one.starts_with("mutants")))
}

/// The manifests of all crates of the workspace.
fn manifests() -> Result<Vec<PathBuf>> {
    let folder = root().join("crates");
    let crates = std::fs::read_dir(&folder)
        .with_context(|| format!("failed to read {}", folder.display()))?;
    let mut manifests = vec![root().join("Cargo.toml"), root().join("tests/Cargo.toml")];
    for one in crates {
        let manifest = one
            .context("failed to read a folder")?
            .path()
            .join("Cargo.toml");
        if manifest.is_file() {
            manifests.push(manifest);
        }
    }
    Ok(manifests)
}

fn dependencies(depth: &str) -> Result<BTreeSet<String>> {
    let tree = output(&mut cargo(&[
        "tree",
        "--package",
        "reprise-engine",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--depth",
        depth,
    ]))?;
    let names = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    Ok(names
        .filter(|name| *name != "reprise-engine")
        .map(str::to_owned)
        .collect())
}

fn check_folder(folder: &Path) -> Result<()> {
    for file in rust_files(folder)? {
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("failed to read {}", file.display()))?;
        let code = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (number, line) in code {
            if let Some(word) = FORBIDDEN.into_iter().find(|word| line.contains(word)) {
                bail!(
                    "{}:{}: a decision must not name {word}",
                    file.display(),
                    number + 1
                );
            }
        }
    }
    Ok(())
}

fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("failed to read {}", folder.display()))?;
    for entry in entries {
        let path = entry.context("failed to read a folder")?.path();
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_has_the_mutants_is_seen_by_its_features() {
        assert!(has_mutants("reprise-engine v0.1.0 (/here) has mutants"));
        assert!(has_mutants(
            "reprise-engine v0.1.0 (/here) has default,mutants (*)"
        ));
        assert!(!has_mutants("reprise-engine v0.1.0 (/mutants) has default"));
        assert!(!has_mutants("reprise-model v0.1.0 has "));
    }
}

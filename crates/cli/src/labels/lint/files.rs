//! Which files are looked at.
//!
//! A file that was named is read whatever it is called; of a folder, the workflow files that stand
//! directly in it, as GitHub does. No more of a file is read than a workflow may have.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use reprise_lint::{LARGEST, Source};

/// Where a repository has its workflows.
const WORKFLOWS: &str = ".github/workflows";

pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let bytes = up_to_the_largest(io::stdin().lock());
            let bytes = bytes.context("failed to read standard input")?;
            sources.push(source(Path::new("stdin"), bytes));
            continue;
        }
        for file in files(path)? {
            if seen.insert(file.clone()) {
                sources.push(source(&file, content(&file)?));
            }
        }
    }
    Ok(sources)
}

fn source(path: &Path, bytes: Vec<u8>) -> Source {
    Source {
        name: path.display().to_string(),
        bytes,
    }
}

fn content(file: &Path) -> Result<Vec<u8>> {
    File::open(file)
        .and_then(up_to_the_largest)
        .with_context(|| format!("failed to read {}", file.display()))
}

/// One byte more than may be, so that the linter sees that there are more.
fn up_to_the_largest(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let about = path
        .metadata()
        .with_context(|| format!("failed to look at {}", path.display()))?;
    if !about.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = workflows(path)?;
    let inner = path.join(WORKFLOWS);
    if found.is_empty() && inner.is_dir() {
        found = workflows(&inner)?;
    }
    ensure!(
        !found.is_empty(),
        "no workflow files in {}: name a file, or a folder that has *.yml or *.yaml in it",
        path.display()
    );
    Ok(found)
}

fn workflows(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = || format!("failed to list {}", folder.display());
    let mut found = Vec::new();
    for entry in folder.read_dir().with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("yml" | "yaml")) && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

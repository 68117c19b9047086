//! What goes along with what is handed out: a bill of materials of each program (CycloneDX), and the checksums of
//! everything.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Target;
use crate::{command, tools};

/// What writes the bills, built once into `target/tools`.
const CYCLONEDX: &str = "0.5.9";

/// What is handed out.
const PROGRAMS: [&str; 3] = ["reprise-agent", "reprise-controller", "reprise-job"];

/// A part of each program, by which a bill that lists nothing is told.
const KNOWN_PART: &str = "tokio";

/// Its name beside each manifest, where the tool leaves it.
const LEFT: &str = "bill-of-materials";

/// The kinds of files of `target/dist` that are handed out.
const HANDED_OUT: [&str; 4] = ["deb", "tar", "json", super::job::EXTENSION];

/// Writes the bills and the checksums of all that lies in `target/dist`.
pub(crate) fn make() -> Result<()> {
    let root = command::root();
    let dist = root.join("target/dist");
    std::fs::create_dir_all(&dist)?;
    let native = Target::native().context("no target is known for this kind of processor")?;
    let written = write(&root, native);
    let kept = written.and_then(|()| keep(&root, &dist));
    // Also after a failure: nothing is left among the sources.
    for left in left_over(&root)? {
        std::fs::remove_file(&left)?;
    }
    kept?;
    checksums(&dist)
}

/// The tool writes one for each member of the workspace, beside its manifest.
fn write(root: &Path, target: &Target) -> Result<()> {
    let tool = tools::installed("cargo-cyclonedx", CYCLONEDX, &["cyclonedx"], &["--debug"])?;
    let mut cyclonedx = Command::new(tool);
    cyclonedx
        .current_dir(root)
        .args(["cyclonedx", "--quiet", "--format", "json"])
        .args(["--spec-version", "1.5", "--no-build-deps"])
        .args(["--target", target.triple, "--override-filename", LEFT]);
    command::run(&mut cyclonedx)
}

fn keep(root: &Path, dist: &Path) -> Result<()> {
    for program in PROGRAMS {
        let folder = program.trim_start_matches("reprise-");
        let written = root
            .join("crates")
            .join(folder)
            .join(format!("{LEFT}.json"));
        let text = std::fs::read_to_string(&written)
            .with_context(|| format!("{} was not written", written.display()))?;
        // Where the sources lay is nobody's business.
        let text = text.replace(&format!("file://{}", root.display()), "file://.");
        let parts = judge(program, &text)?;
        let bill = dist.join(format!("{program}.cdx.json"));
        std::fs::write(&bill, text)?;
        println!("{}: {parts} parts", bill.display());
    }
    Ok(())
}

/// How many parts a program has.
fn judge(program: &str, text: &str) -> Result<usize> {
    let bill: Value = serde_json::from_str(text)?;
    let name = bill.pointer("/metadata/component/name");
    ensure!(
        name.and_then(Value::as_str) == Some(program),
        "it is the bill of {name:?}, not of {program}"
    );
    let parts = bill.get("components").and_then(Value::as_array);
    let parts = parts.with_context(|| format!("{program} has no parts"))?;
    let known = parts
        .iter()
        .find(|part| part.get("name").and_then(Value::as_str) == Some(KNOWN_PART));
    let known = known.with_context(|| format!("{program} has no part {KNOWN_PART}"))?;
    for word in ["version", "purl", "licenses"] {
        ensure!(known.get(word).is_some(), "{KNOWN_PART} has no {word}");
    }
    Ok(parts.len())
}

fn left_over(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "*Cargo.toml"]);
    let manifests = command::output(&mut git)?;
    let beside = manifests
        .lines()
        .map(|manifest| root.join(manifest).with_file_name(format!("{LEFT}.json")));
    Ok(beside.filter(|file| file.exists()).collect())
}

fn checksums(dist: &Path) -> Result<()> {
    let mut names = Vec::new();
    for file in std::fs::read_dir(dist)? {
        let path = file?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| HANDED_OUT.contains(&extension)) && path.is_file() {
            names.extend(path.file_name().map(ToOwned::to_owned));
        }
    }
    names.sort();
    let mut sums = Command::new("sha256sum");
    let text = command::output(sums.current_dir(dist).args(&names))?;
    std::fs::write(dist.join("SHA256SUMS"), &text)?;
    print!("{text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_of_something_else_or_of_nothing_is_refused() {
        let bill = |name: &str, parts: &str| {
            format!(
                r#"{{ "metadata": {{ "component": {{ "name": "{name}" }} }}, "components": [{parts}] }}"#
            )
        };
        let part =
            r#"{ "name": "tokio", "version": "1", "purl": "pkg:cargo/tokio@1", "licenses": [] }"#;
        let good = judge("reprise-agent", &bill("reprise-agent", part));
        assert_eq!(good.ok(), Some(1));
        assert!(judge("reprise-agent", &bill("reprise-cli", part)).is_err());
        assert!(judge("reprise-agent", &bill("reprise-agent", "")).is_err());
        let bare = part.replace(r#", "licenses": []"#, "");
        assert!(judge("reprise-agent", &bill("reprise-agent", &bare)).is_err());
    }
}

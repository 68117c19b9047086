//! Units as systemd's own tools see them, beside the system's targets.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// A file system that `systemd-analyze` takes for a machine's.
#[derive(Debug)]
pub struct Machine(TempDir);

impl Machine {
    /// With the system's own targets.
    pub fn bare() -> Result<Self> {
        let machine = Self(tempfile::tempdir()?);
        for entry in std::fs::read_dir("/usr/lib/systemd/system").context("install systemd")? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "target")
            {
                machine.put(&path, "usr/lib/systemd/system")?;
            }
        }
        Ok(machine)
    }

    /// Copies a file into a folder of it.
    pub fn put(&self, file: &Path, folder: &str) -> Result<()> {
        let name = file.file_name().context("no name")?;
        self.put_as(file, &format!("{folder}/{}", name.to_string_lossy()))
    }

    /// Copies a file to a place in it.
    pub fn put_as(&self, file: &Path, place: &str) -> Result<()> {
        let place = self.0.path().join(place);
        std::fs::create_dir_all(place.parent().context("no folder")?)?;
        std::fs::copy(file, place).with_context(|| format!("failed to copy {}", file.display()))?;
        Ok(())
    }

    /// Fails where systemd finds anything wrong with these units.
    pub fn finds_nothing_wrong_with(&self, units: &[&str]) -> Result<()> {
        let place = format!("--root={}", self.0.path().display());
        let mut arguments = vec!["verify", "--man=no", &place];
        arguments.extend(units);
        let output = analyze(&arguments)?;
        let said = said(&output);
        ensure!(output.status.success() && said.is_empty(), "{said}");
        Ok(())
    }
}

/// How exposed a service is, in systemd's own measure: 10 is worst.
pub fn exposure(unit: &Path) -> Result<f64> {
    let path = unit.to_str().context("no text")?;
    let output = analyze(&["security", "--offline=true", "--no-pager", path])?;
    let said = said(&output);
    let overall = said
        .lines()
        .find(|line| line.contains("Overall exposure level"));
    let (_, level) = overall
        .and_then(|line| line.split_once("service: "))
        .with_context(|| said.clone())?;
    Ok(level.split(' ').next().unwrap_or_default().parse()?)
}

/// The keys and values of a unit.
pub fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('='))
}

/// All that a program said.
pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn analyze(arguments: &[&str]) -> Result<Output> {
    let output = Command::new("systemd-analyze").args(arguments).output();
    output.context("systemd-analyze cannot be started; install systemd")
}

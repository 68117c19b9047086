//! What a process has used, by Linux's own account of it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use reprise_tests::harness::alone::Agent;

/// A process that is measured.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    folder: PathBuf,
}

impl Meter {
    /// Of an agent that runs.
    pub(crate) fn of(agent: &mut Agent) -> Result<Self> {
        let process = agent.process()?;
        let folder = PathBuf::from(format!("/proc/{process}"));
        Ok(Self { folder })
    }

    /// Seconds on a core since its start, to the nanosecond: of all its threads.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let mut nanoseconds = 0.0;
        for thread in std::fs::read_dir(self.folder.join("task"))? {
            let text = read(&thread?.path().join("schedstat"))?;
            let first = text.split_ascii_whitespace().next();
            let on_core: f64 = first.context("an empty schedstat")?.parse()?;
            nanoseconds += on_core;
        }
        Ok(nanoseconds / 1e9)
    }

    /// Memory in RAM now, in MB (a million bytes): its program's code included.
    pub(crate) fn megabytes(&self) -> Result<f64> {
        self.of_status("VmRSS:")
    }

    /// The most memory that it ever had in RAM, in MB (a million bytes).
    pub(crate) fn peak_megabytes(&self) -> Result<f64> {
        self.of_status("VmHWM:")
    }

    fn of_status(&self, name: &str) -> Result<f64> {
        let text = read(&self.folder.join("status"))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kibibytes: f64 = kibibytes.context("not in status")?.trim().parse()?;
        Ok(kibibytes * 1024.0 / 1e6)
    }
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))
}

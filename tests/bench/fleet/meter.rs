//! What a process has used, by Linux's own account of it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use reprise_tests::harness::controller::Controller;

/// Linux tells processes their time in hundredths of a second, whatever its own clock's pace.
const TICKS_A_SECOND: f64 = 100.0;

/// A process that is measured.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    folder: PathBuf,
}

impl Meter {
    /// Of a controller.
    pub(crate) fn of(controller: &Controller) -> Result<Self> {
        let process = controller.process().context("the controller has ended")?;
        Ok(Self {
            folder: PathBuf::from(format!("/proc/{process}")),
        })
    }

    /// Seconds of CPU since its start, in its own code and in the kernel's for it.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let text = self.read("stat")?;
        // The name of the program, in brackets, may hold anything.
        let (_, fields) = text.rsplit_once(')').context("no name in stat")?;
        let ticks: Vec<f64> = fields
            .split_ascii_whitespace()
            .skip(11)
            .take(2)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(ticks.iter().sum::<f64>() / TICKS_A_SECOND)
    }

    /// The most memory that it ever had in RAM, in MiB.
    pub(crate) fn peak_mebibytes(&self) -> Result<f64> {
        let text = self.read("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kibibytes: f64 = kibibytes.context("no VmHWM in status")?.trim().parse()?;
        Ok(kibibytes / 1024.0)
    }

    fn read(&self, name: &str) -> Result<String> {
        let file = self.folder.join(name);
        std::fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))
    }
}

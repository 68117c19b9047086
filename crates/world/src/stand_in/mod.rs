//! A stand-in for GitHub's runner, as far as an agent beside it can tell: what its program
//! `stand-in-runner` is told and what it leaves behind.
//!
//! The program is two, by the name of its file: `Runner.Listener` and `Runner.Worker`, in the `bin`
//! folder of a runner's own folder, where [`Installed`] puts them. The Listener takes the one job that
//! lies in `job.json` beside `bin`, now or later; the Worker writes `result.json`.
//!
//! It speaks to nobody, and no container is started: the steps of a job with one run on the host.

mod job;
mod report;

use std::io;
use std::path::{Path, PathBuf};

pub use job::{Condition, Job, Step};
pub use report::{Conclusion, Report, StepReport};

/// The two programs' names.
pub const LISTENER: &str = "Runner.Listener";
/// The program that runs the job.
pub const WORKER: &str = "Runner.Worker";

/// The folder of a runner.
#[derive(Debug, Clone)]
pub struct Installed {
    root: PathBuf,
}

impl Installed {
    /// A runner whose folder is `root`; nothing is made.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Puts the program into the folder under both its names.
    pub fn install(program: &Path, root: impl Into<PathBuf>) -> io::Result<Self> {
        let installed = Self::at(root);
        std::fs::create_dir_all(installed.root.join("bin"))?;
        for name in [LISTENER, WORKER] {
            let file = installed.root.join("bin").join(name);
            // `/proc/PID/exe` tells the name that was started; a link is only quicker than a copy.
            if std::fs::hard_link(program, &file).is_err() {
                std::fs::copy(program, &file)?;
            }
        }
        Ok(installed)
    }

    /// The runner's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The program that is started.
    pub fn listener(&self) -> PathBuf {
        self.root.join("bin").join(LISTENER)
    }

    /// Gives it its job; a Listener that waits takes it soon.
    pub fn give(&self, job: &Job) -> io::Result<()> {
        // By a new name, so that the Listener never reads half of it.
        let whole = self.root.join("job.json.new");
        std::fs::write(&whole, serde_json::to_vec_pretty(job)?)?;
        std::fs::rename(whole, self.job_file())
    }

    /// Has the job cancelled, as a person does at GitHub.
    pub fn cancel(&self) -> io::Result<()> {
        std::fs::write(self.cancel_file(), "")
    }

    /// What came of the job, once it has ended.
    pub fn report(&self) -> io::Result<Option<Report>> {
        match std::fs::read(self.report_file()) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where its job is given.
    pub fn job_file(&self) -> PathBuf {
        self.root.join("job.json")
    }

    /// What cancels its job.
    pub fn cancel_file(&self) -> PathBuf {
        self.root.join("cancel")
    }

    /// What came of its job.
    pub fn report_file(&self) -> PathBuf {
        self.root.join("result.json")
    }

    /// Where it writes its logs.
    pub fn diagnostics(&self) -> PathBuf {
        self.root.join("_diag")
    }

    /// Where its steps run.
    pub fn workspace(&self, job: &Job) -> PathBuf {
        let name = job.repository.rsplit('/').next().unwrap_or_default();
        self.root.join("_work").join(name).join(name)
    }
}

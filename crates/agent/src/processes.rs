//! The processes of the runner on this machine: its Listener, its Worker, and the step that runs.
//!
//! It reads `/proc` and sends signals; when and why is decided elsewhere. A look at all processes
//! costs milliseconds, so nothing here is to be called at each poll.
//!
//! Invariants: a signal reaches the very process that was seen, never another that was given its
//! number since ([`Handle`]); of a process's environment only the words named in [`job`] are kept.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

mod handle;
pub mod job;
mod stat;
pub mod step;
pub mod tree;
pub mod worker_log;

pub use handle::{Handle, SignalFailure};
pub use rustix::process::Signal;
pub use stat::Entry;

/// The name of the program that takes jobs from GitHub.
pub const LISTENER: &str = "Runner.Listener";

/// The name of the program that runs one job, the Listener's child.
pub const WORKER: &str = "Runner.Worker";

/// A process, so named that another with the same number is not taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since the boot.
    pub started: u64,
}

/// One runner that runs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runner {
    /// What takes its jobs; absent where it has died before its Worker.
    pub listener: Option<Process>,
    /// What runs its job, if it has one.
    pub worker: Option<Process>,
}

/// Where processes are looked for.
#[derive(Debug, Clone)]
pub struct ProcFolder(PathBuf);

impl Default for ProcFolder {
    fn default() -> Self {
        Self(PathBuf::from("/proc"))
    }
}

impl ProcFolder {
    /// Every process that lives, in the order of their numbers. One that ends meanwhile is left out.
    pub fn snapshot(&self) -> std::io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for file in std::fs::read_dir(&self.0)? {
            let pid = file?
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if let Some(entry) = pid.and_then(|pid| self.entry(pid)) {
                entries.push(entry);
            }
        }
        entries.sort_by_key(|entry| entry.process.pid);
        Ok(entries)
    }

    /// The runners that run here: an ephemeral one is one entry, with a Worker while it has a job.
    pub fn runners(&self) -> std::io::Result<Vec<Runner>> {
        self.runners_below(None)
    }

    /// Those alone whose programs lie in `folder`, where one is given.
    pub fn runners_below(&self, folder: Option<&Path>) -> std::io::Result<Vec<Runner>> {
        let folder = folder.map(std::fs::canonicalize).transpose()?;
        let entries = self.snapshot()?;
        let (mut listeners, mut workers) = (Vec::new(), Vec::new());
        for entry in entries
            .iter()
            .filter(|e| self.lies_in(e, folder.as_deref()))
        {
            if self.runs(entry, LISTENER) {
                listeners.push(self.owned(entry));
            } else if self.runs(entry, WORKER) {
                workers.push(self.owned(entry));
            }
        }
        Ok(pair(&listeners, &workers))
    }

    /// The processes that `parent` started and that still live: of a Worker, the step that runs.
    pub fn children(&self, parent: Process) -> std::io::Result<Vec<Process>> {
        let entries = self.snapshot()?;
        let children = entries.iter().filter(|entry| entry.parent == parent.pid);
        Ok(children.map(|entry| entry.process).collect())
    }

    /// Whether it lives: not ended, nor waiting for its parent to notice its end.
    pub fn lives(&self, process: Process) -> bool {
        self.entry(process.pid)
            .is_some_and(|entry| entry.process == process)
    }

    /// The name of the program that a process runs; the kernel's short one where the file is not
    /// for the agent to see.
    pub fn program(&self, process: Process) -> Option<String> {
        let folder = self.of(process.pid);
        let program = std::fs::read_link(folder.join("exe"))
            .ok()
            .and_then(|path| Some(path.file_name()?.to_str()?.to_owned()))
            // A file that was replaced while it ran, as by the runner's own update.
            .map(|name| name.trim_end_matches(" (deleted)").to_owned());
        let short = || std::fs::read_to_string(folder.join("comm")).ok();
        program.or_else(|| Some(short()?.trim_end().to_owned()))
    }

    pub(crate) fn of(&self, pid: u32) -> PathBuf {
        self.0.join(pid.to_string())
    }

    fn lies_in(&self, entry: &Entry, folder: Option<&Path>) -> bool {
        let exe = || std::fs::read_link(self.of(entry.process.pid).join("exe"));
        // One that is not for the agent to see is judged by its name, and told of when it is signalled.
        folder.is_none_or(|folder| exe().map_or(true, |exe| exe.starts_with(folder)))
    }

    fn owned(&self, entry: &Entry) -> Owned {
        let folder = std::fs::metadata(self.of(entry.process.pid));
        Owned {
            entry: *entry,
            owner: folder.ok().map(|folder| folder.uid()),
        }
    }

    fn runs(&self, entry: &Entry, program: &str) -> bool {
        self.program(entry.process).as_deref() == Some(program)
    }

    /// Of a process that lives.
    fn entry(&self, pid: u32) -> Option<Entry> {
        let text = std::fs::read(self.of(pid).join("stat")).ok()?;
        stat::read(&text).filter(|entry| entry.lives)
    }
}

/// A process with its user.
struct Owned {
    entry: Entry,
    owner: Option<u32>,
}

impl Owned {
    /// Anybody can name a program so; a Listener's own Worker has its user.
    fn is_worker_of(&self, listener: &Self) -> bool {
        self.entry.parent == listener.entry.process.pid && self.owner == listener.owner
    }
}

fn pair(listeners: &[Owned], workers: &[Owned]) -> Vec<Runner> {
    let of = |listener: &Owned| {
        let worker = workers.iter().find(|w| w.is_worker_of(listener));
        Runner {
            listener: Some(listener.entry.process),
            worker: worker.map(|w| w.entry.process),
        }
    };
    let orphan = |worker: &&Owned| !listeners.iter().any(|l| worker.is_worker_of(l));
    let alone = workers.iter().filter(orphan).map(|worker| Runner {
        listener: None,
        worker: Some(worker.entry.process),
    });
    listeners.iter().map(of).chain(alone).collect()
}

#[cfg(test)]
pub(crate) mod tests;

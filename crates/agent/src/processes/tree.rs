//! Ends a running step with everything that it started, so that the step is sure to have failed.
//!
//! The step's own process is frozen first and killed last. A shell that lived on could pass over its
//! dead child to the next line of its script, and a program that is asked to end may end with
//! success; the Worker would then report a step that succeeded, and perhaps a job. What the step
//! started is asked to end (SIGTERM), has a moment for it, and is killed.
//!
//! It does not touch what has left the tree (a daemon with init for its parent).

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{Handle, ProcFolder, Process, Signal, SignalFailure};
use crate::clock::Clock;

/// How long the killed may take to be gone: the kernel needs no time, a disk that hangs does.
pub const DYING: SignedDuration = SignedDuration::from_secs(2);

/// The time between two looks.
const BETWEEN_LOOKS: SignedDuration = SignedDuration::from_millis(50);

/// What became of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEnd {
    /// How many processes it had.
    pub processes: usize,
    /// How many of them had to be killed, the first not counted.
    pub killed: usize,
    /// Those that live nevertheless.
    pub left: Vec<Process>,
    /// The first signal that could not be sent.
    pub failure: Option<SignalFailure>,
}

/// Ends `top` and its descendants; those below it get `grace` to end by themselves.
pub async fn end<C: Clock>(
    processes: &ProcFolder,
    top: Process,
    grace: SignedDuration,
    clock: &C,
) -> TreeEnd {
    let mut tree = Tree::new(processes, top);
    tree.signal(top, Signal::STOP);
    let deadline = clock.now() + grace;
    loop {
        tree.ask_the_new();
        if tree.living_below().is_empty() || clock.now() >= deadline {
            break;
        }
        clock.sleep(BETWEEN_LOOKS).await;
    }
    let killed = tree.living_below().len();
    let deadline = clock.now() + DYING;
    loop {
        tree.kill();
        if tree.living().is_empty() || clock.now() >= deadline {
            break;
        }
        clock.sleep(BETWEEN_LOOKS).await;
    }
    TreeEnd {
        processes: tree.members.len(),
        killed,
        left: tree.living(),
        failure: tree.failure,
    }
}

struct Tree<'a> {
    processes: &'a ProcFolder,
    top: Process,
    members: BTreeMap<Process, Option<Handle>>,
    failure: Option<SignalFailure>,
}

impl<'a> Tree<'a> {
    fn new(processes: &'a ProcFolder, top: Process) -> Self {
        Self {
            processes,
            top,
            members: BTreeMap::from([(top, Handle::open(processes, top))]),
            failure: None,
        }
    }

    /// Takes in what has been started since, and asks it to end; parents before their children, so
    /// that none goes on with its script because its child has ended.
    fn ask_the_new(&mut self) {
        for process in self.take_in() {
            self.signal(process, Signal::TERM);
        }
    }

    fn kill(&mut self) {
        self.take_in();
        for process in self.living() {
            self.signal(process, Signal::KILL);
        }
    }

    /// New members, parents first.
    fn take_in(&mut self) -> Vec<Process> {
        // Without a list, those that are known already are all that can be reached.
        let entries = self.processes.snapshot().unwrap_or_default();
        let mut parents: Vec<u32> = self.living().iter().map(|process| process.pid).collect();
        let mut new = Vec::new();
        while let Some(parent) = parents.pop() {
            for entry in entries.iter().filter(|entry| entry.parent == parent) {
                let process = entry.process;
                if self.members.contains_key(&process) {
                    continue;
                }
                let handle = Handle::open(self.processes, process);
                self.members.insert(process, handle);
                new.push(process);
                parents.push(process.pid);
            }
        }
        new
    }

    fn signal(&mut self, process: Process, signal: Signal) {
        let Some(Some(handle)) = self.members.get(&process) else {
            return;
        };
        if let Err(failure) = handle.signal(self.processes, signal) {
            self.failure.get_or_insert(failure);
        }
    }

    fn living(&self) -> Vec<Process> {
        let members = self.members.keys().copied();
        members.filter(|p| self.processes.lives(*p)).collect()
    }

    fn living_below(&self) -> Vec<Process> {
        let mut living = self.living();
        living.retain(|process| *process != self.top);
        living
    }
}

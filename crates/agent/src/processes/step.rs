//! Ends the step that a Worker runs, where that is sure to fail its job.
//!
//! The step is frozen before the Worker's log is read, so that what the log says is said of the step
//! that is ended, and of no later one. A step that is left alone goes on.

use jiff::SignedDuration;

use super::tree;
use super::worker_log::{StepVerdict, Unclear};
use super::{Entry, Handle, ProcFolder, Process, Signal, SignalFailure};
use crate::clock::Clock;
use crate::host::StepEnd;

/// How long the Worker's log may take to be read, while its step is frozen.
const READING: SignedDuration = SignedDuration::from_secs(2);

/// Programs that only speak for a container, in which the step's processes are.
const CONTAINER_CLIENTS: [&str; 4] = ["docker", "podman", "nerdctl", "kubectl"];

/// Ends the step that `worker` runs. `sure` is waited for before anything of it ends.
pub async fn fail<C: Clock>(
    processes: &ProcFolder,
    worker: Process,
    grace: SignedDuration,
    clock: &C,
    sure: impl Future<Output = ()>,
) -> StepEnd {
    // Without a list nobody can tell, and the runner is to do it.
    let Ok(children) = processes.children(worker) else {
        return StepEnd::Unclear(Unclear::NoStep);
    };
    let step = match children[..] {
        [] => return StepEnd::NoStep,
        [step] => step,
        [_, _, ..] => return StepEnd::Unclear(Unclear::Background),
    };
    let Some(handle) = Handle::open(processes, step) else {
        return StepEnd::NoStep;
    };
    match handle.signal(processes, Signal::STOP) {
        Ok(true) if processes.lives(step) => (),
        Ok(_) => return StepEnd::NoStep,
        Err(_) => return StepEnd::Unclear(Unclear::NotAllowed),
    }
    let mut frozen = Frozen {
        processes,
        step: handle,
        fate: Fate::GoesOn,
    };
    match verdict(processes, worker, step, clock).await {
        StepVerdict::FailsTheJob => {
            // From here on, as it is written down.
            frozen.fate = Fate::Ends;
            sure.await;
            StepEnd::Ended(tree::end(processes, step, grace, clock).await)
        }
        StepVerdict::Unclear(why) => StepEnd::Unclear(why),
    }
}

/// A step that does not run for the moment, and does not stay so, also where the agent is told to end meanwhile.
pub(super) struct Frozen<'a> {
    pub(super) processes: &'a ProcFolder,
    pub(super) step: Handle,
    pub(super) fate: Fate,
}

/// What a frozen step comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on.
    GoesOn,
    /// It fails: past a child of its that was ended it would go on as if nothing had happened.
    Ends,
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let signal = match self.fate {
            Fate::GoesOn => Signal::CONT,
            Fate::Ends => Signal::KILL,
        };
        // It has just been signalled; if it cannot be now, the runner kills it.
        self.step.signal(self.processes, signal).ok();
    }
}

impl ProcFolder {
    /// Whether a Worker's step is frozen: an agent that was killed has left it so.
    pub fn has_frozen_step(&self, worker: Process) -> bool {
        self.frozen_step(worker).is_some()
    }

    /// Has that step go on.
    pub fn thaw_step(&self, worker: Process) -> Result<(), SignalFailure> {
        let step = self.frozen_step(worker);
        match step.and_then(|step| Handle::open(self, step)) {
            Some(handle) => handle.signal(self, Signal::CONT).map(|_| ()),
            None => Ok(()),
        }
    }

    fn frozen_step(&self, worker: Process) -> Option<Process> {
        let entries = self.snapshot().unwrap_or_default();
        let steps = entries.iter().filter(|entry| entry.parent == worker.pid);
        match steps.collect::<Vec<&Entry>>()[..] {
            [step] if step.stopped => Some(step.process),
            _ => None,
        }
    }
}

async fn verdict<C: Clock>(
    processes: &ProcFolder,
    worker: Process,
    step: Process,
    clock: &C,
) -> StepVerdict {
    let program = processes.program(step);
    let speaks_for_another = program
        .as_deref()
        .is_some_and(|program| CONTAINER_CLIENTS.contains(&program));
    if speaks_for_another {
        return StepVerdict::Unclear(Unclear::Container);
    }
    let processes = processes.clone();
    // On a thread of its own: polls and the tag go on while a disk is slow.
    let reading = tokio::task::spawn_blocking(move || processes.step_verdict(worker));
    tokio::select! {
        biased;
        read = reading => read.unwrap_or(StepVerdict::Unclear(Unclear::NoMessage)),
        () = clock.sleep(READING) => StepVerdict::Unclear(Unclear::TooLong),
    }
}

//! The end of running steps, and what is written down before.

use jiff::SignedDuration;
use tokio::sync::OnceCell;

use super::NEXT_STEP_LOOK;
use crate::clock::Clock;
use crate::host::{Host, StepEnd};
use crate::notebook::Notebook;
use crate::plan::{Step, after_try};
use crate::processes::Process;
use crate::record::{Ending, Record};

/// The word that jobs are ended by their steps: written once, and before the first process of any of them ends. An
/// agent that finds a frozen step and no such word knows that nothing of it has ended yet.
pub(super) struct Note<'a, H> {
    notebook: &'a Notebook<'a, H>,
    written: OnceCell<()>,
}

impl<'a, H: Host> Note<'a, H> {
    pub(super) fn to(notebook: &'a Notebook<'a, H>) -> Self {
        let written = OnceCell::new();
        Self { notebook, written }
    }

    /// Returns when it is written, by whomever.
    async fn write(&self) {
        let write = async || {
            let note = |record: &mut Record| {
                // A runner that was told to stop says more.
                record.job_ended.get_or_insert(Ending::FailStep);
            };
            self.notebook.note(note).await;
        };
        self.written.get_or_init(write).await;
    }
}

/// Ends the step of a job, which may take some tries.
pub(super) async fn fail_step<H: Host, C: Clock>(
    host: &H,
    clock: &C,
    grace: SignedDuration,
    worker: Option<Process>,
    note: &Note<'_, H>,
) -> Step {
    let Some(worker) = worker else {
        return Step::Ended;
    };
    let begun = clock.now();
    loop {
        let end = host.fail_step(worker, grace, note.write()).await;
        if let StepEnd::Ended(end) = &end {
            tracing::warn!(
                step.processes = end.processes,
                step.killed = end.killed,
                step.left = end.left.len(),
                error.message = end.failure.map(tracing::field::display),
                "the running step is ended; what its job does always still runs"
            );
        }
        let since = clock.now().duration_since(begun);
        if let Some(step) = after_try(&end, host.lives(worker), since) {
            if let Step::LeftToRunner(why) = step {
                tracing::warn!(reason = %why, "the step is not ended alone; its runner is to stop");
            }
            return step;
        }
        clock.sleep(NEXT_STEP_LOOK).await;
    }
}

//! The ports to the machine that the agent runs on: its hooks, and its runner's processes.

use std::future::Future;

use jiff::SignedDuration;

use crate::processes::job::JobFacts;
use crate::processes::tree::TreeEnd;
use crate::processes::worker_log::Unclear;
use crate::processes::{Process, Runner};
use crate::record::Records;

/// Everything on the machine.
pub trait Host: Records + Hooks + Runners {}

impl<T: Records + Hooks + Runners> Host for T {}

/// The operator's programs that save what they can.
pub trait Hooks: Send + Sync {
    /// Their names, in the order in which they run. What may not run is said and left out.
    fn hooks(&self) -> Result<Vec<String>, String>;

    /// Runs one to its end. Who does not wait for it kills it with all that it has started.
    fn run_hook(
        &self,
        name: &str,
        words: &HookWords,
    ) -> impl Future<Output = Result<(), String>> + Send;
}

/// What a hook is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookWords {
    /// The job that runs, if one does.
    pub job: JobFacts,
    /// What EC2 is going to do, in its word.
    pub action: String,
    /// The instance, where it is known.
    pub instance_id: Option<String>,
    /// Until the instance goes.
    pub seconds_left: i64,
    /// Until the hook is killed.
    pub hook_seconds: i64,
}

/// The runners on the machine, each with the job that it runs.
pub trait Runners: Send + Sync {
    /// Which there are. It costs too much to be asked at each poll.
    fn runners(&self) -> Result<Vec<Runner>, String>;

    /// Whether a process lives, which is cheap to ask.
    fn lives(&self, process: Process) -> bool;

    /// What is known of the job that a Worker runs; nothing where that takes too long.
    fn job_of(&self, worker: Process) -> impl Future<Output = JobFacts> + Send;

    /// Whether an agent that was killed has left a Worker's step frozen.
    fn has_frozen_step(&self, worker: Process) -> bool;

    /// Has a frozen step go on.
    fn thaw_step(&self, worker: Process) -> Result<(), String>;

    /// Ends the step that a Worker runs, if its job is sure to fail with it. `sure` is waited for when that is
    /// known, and before anything of the step ends. What the step has started gets `grace` to end by itself.
    fn fail_step(
        &self,
        worker: Process,
        grace: SignedDuration,
        sure: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = StepEnd> + Send;

    /// Tells a Listener to stop, and with it the job that it has.
    fn stop(&self, listener: Process) -> Result<(), String>;
}

/// What came of ending a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEnd {
    /// It has ended, and so has all that it had started.
    Ended(TreeEnd),
    /// It was left alone.
    Unclear(Unclear),
    /// The Worker is between two steps.
    NoStep,
}

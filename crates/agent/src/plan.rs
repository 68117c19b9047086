//! What a notice leads to, beside its record and its tag: hooks, the end of the job, the runner's.
//!
//! Decisions only: the time since the first sight and the facts are arguments, what to do comes back
//! as a value. It ends no job and asks nobody.
//!
//! Invariants: no job is ended by a notice that is stale or gone, or for a hibernation; none before
//! its deadline, counted from the first sight; hooks are over when the job is ended.

use jiff::SignedDuration;

use crate::host::StepEnd;
use crate::notice::Action;
use crate::processes::tree::DYING;
use crate::processes::worker_log::Unclear;
use crate::record::Ending;
use crate::remaining::{Remaining, Standing};
use crate::settings::{EndJob, InterruptionSettings};
use crate::watch::TAG_MARGIN;

/// The time between two looks at the runner.
pub const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// How long a runner must have been without a job before it is stopped for that: one that has just
/// taken a job starts its Worker. One whose job was seen to end is stopped at once, as it may take the next.
pub const IDLE_FOR: SignedDuration = SignedDuration::from_secs(2);

/// How long a step is looked for while the Worker is between two of them; then the runner is told to
/// stop, so that GitHub knows in time.
const NEXT_STEP_WITHIN: SignedDuration = SignedDuration::from_secs(3);

/// A machine that lives so much longer than its notice said was not taken after all.
pub const OUTLIVED: SignedDuration = SignedDuration::from_mins(10);

/// All that counts for what is due.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What EC2 is going to do.
    pub action: &'a Action,
    /// What was left at the first sight.
    pub remaining: Remaining,
    /// Whether the notice is there, as far as is known.
    pub present: bool,
    /// The time since the first sight.
    pub elapsed: SignedDuration,
    /// Whether hooks have had their turn.
    pub hooks_begun: bool,
}

/// One runner of the machine, and what was done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// What it does.
    pub activity: Activity,
    /// What became of the step of its job.
    pub step: Step,
    /// Whether it was told to stop.
    pub told: bool,
}

/// What a runner does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It has no job, for so long.
    Idle(SignedDuration),
    /// It runs a job.
    Busy,
}

/// What became of the step that ran when the job was to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It was not touched.
    Untouched,
    /// It has ended; what its job does always may still run.
    Ended,
    /// It is left to its runner.
    LeftToRunner(Stop),
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Due {
    /// Run the hooks, which have so long together.
    RunHooks(SignedDuration),
    /// Do what is due for each runner ([`runner_due`]).
    TendRunners,
    /// Nothing until there is news.
    Leave(Leave),
}

/// What is due for one runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum RunnerDue {
    /// End its job by the step.
    FailStep,
    /// Tell it to stop.
    Stop(Stop),
    /// Nothing for so long.
    Wait(SignedDuration),
}

/// What becomes of a step that an agent that was killed has left frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Frozen {
    /// It goes on: nothing was done to it.
    GoesOn,
    /// It ends: past a child of its that was ended it would go on as if nothing had happened, and its job might
    /// succeed.
    Ends,
}

/// Why the runner is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The settings say so.
    #[error("the job is ended by its runner, as the settings say")]
    Chosen,
    /// The last deadline.
    #[error("the job still runs, and the instance is about to go")]
    LastDeadline,
    /// It would take a job that it cannot finish.
    #[error("it has no job, and must take none")]
    Idle,
    /// Its job is not sure to fail with the step.
    #[error("{0}")]
    Unclear(Unclear),
    /// An earlier agent was at it, and nobody knows how far it came.
    #[error("an earlier agent was telling it to stop")]
    Resumed,
}

/// Why nothing is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Leave {
    /// It begins at once and leaves no time, and what runs goes on when the instance comes back.
    #[error("a hibernation leaves no time for hooks, and the job goes on when it ends")]
    Hibernates,
    /// Nobody knows that the instance will go at all.
    #[error(
        "the notice's time passed long ago: EC2 has failed to carry it out, and the job goes on"
    )]
    Stale,
    /// It may come back.
    #[error("the notice is gone")]
    Gone,
    /// The settings say so.
    #[error("the job is left to its fate, as the settings say")]
    Chosen,
}

/// What is due now.
pub fn due(settings: &InterruptionSettings, facts: &Facts<'_>) -> Due {
    let refusal = match (facts.action, facts.remaining.standing) {
        (Action::Hibernate, _) => Some(Leave::Hibernates),
        (_, Standing::Stale) => Some(Leave::Stale),
        _ if facts.elapsed >= facts.remaining.span + OUTLIVED => Some(Leave::Stale),
        _ if !facts.present => Some(Leave::Gone),
        (
            Action::Terminate | Action::Stop | Action::Other(_),
            Standing::Ahead | Standing::Unknown,
        ) => None,
    };
    if let Some(why) = refusal {
        return Due::Leave(why);
    }
    if !facts.hooks_begun {
        let time = hooks_until(settings, facts.remaining.span) - facts.elapsed;
        return Due::RunHooks(time.max(SignedDuration::ZERO));
    }
    match settings.end_job {
        EndJob::None => Due::Leave(Leave::Chosen),
        EndJob::FailStep | EndJob::StopRunner => Due::TendRunners,
    }
}

/// What is due for a runner now, where runners are tended.
pub fn runner_due(settings: &InterruptionSettings, facts: &Facts<'_>, stand: &Stand) -> RunnerDue {
    match stand.activity {
        _ if stand.told => RunnerDue::Wait(LOOK_EVERY),
        Activity::Idle(since) if since >= IDLE_FOR => RunnerDue::Stop(Stop::Idle),
        Activity::Idle(since) => RunnerDue::Wait((IDLE_FOR - since).min(LOOK_EVERY)),
        Activity::Busy => busy_due(settings, facts, stand.step),
    }
}

fn busy_due(settings: &InterruptionSettings, facts: &Facts<'_>, step: Step) -> RunnerDue {
    let until = |before: SignedDuration| facts.remaining.span - before - facts.elapsed;
    let finish = until(settings.finish_until.get());
    let stop = until(settings.stop_runner_at.get());
    match step {
        _ if stop <= SignedDuration::ZERO => RunnerDue::Stop(Stop::LastDeadline),
        Step::LeftToRunner(why) => RunnerDue::Stop(why),
        Step::Ended => RunnerDue::Wait(stop.min(LOOK_EVERY)),
        Step::Untouched if finish > SignedDuration::ZERO => RunnerDue::Wait(finish.min(LOOK_EVERY)),
        Step::Untouched => match settings.end_job {
            EndJob::FailStep => RunnerDue::FailStep,
            EndJob::StopRunner => RunnerDue::Stop(Stop::Chosen),
            EndJob::None => RunnerDue::Wait(LOOK_EVERY),
        },
    }
}

/// What a step has started gets so long to end by itself: what the settings say, and not past the moment at which
/// its runner is told to stop, whatever the step does.
pub fn step_grace(settings: &InterruptionSettings, facts: &Facts<'_>) -> SignedDuration {
    let stop = facts.remaining.span - settings.stop_runner_at.get() - facts.elapsed;
    let most = (stop - DYING).max(SignedDuration::ZERO);
    settings.step_grace.get().min(most)
}

/// What became of a step that was to be ended, `since` the first try; `None`: try again.
pub fn after_try(end: &StepEnd, worker_lives: bool, since: SignedDuration) -> Option<Step> {
    let left = |why| Some(Step::LeftToRunner(Stop::Unclear(why)));
    match end {
        StepEnd::Ended(end) if end.failure.is_some() && !end.left.is_empty() => {
            left(Unclear::NotAllowed)
        }
        StepEnd::Ended(_) => Some(Step::Ended),
        StepEnd::Unclear(why) => left(*why),
        // Its job has come to its end.
        StepEnd::NoStep if !worker_lives => Some(Step::Ended),
        StepEnd::NoStep if since >= NEXT_STEP_WITHIN => left(Unclear::NoStep),
        StepEnd::NoStep => None,
    }
}

/// What becomes of a frozen step where no notice stands any more, by what the agent before had written down of the
/// end of jobs: it writes before it ends anything.
pub fn frozen(job_ended: Option<Ending>) -> Frozen {
    match job_ended {
        None => Frozen::GoesOn,
        // Of several runners one may have been told to stop, while another one's step was being ended.
        Some(Ending::FailStep | Ending::StopRunner) => Frozen::Ends,
    }
}

/// What one of the hooks has, which have `left` together; `None`: it does not run.
pub fn hook_time(settings: &InterruptionSettings, left: SignedDuration) -> Option<SignedDuration> {
    (left > SignedDuration::ZERO).then(|| left.min(settings.hook_timeout.get()))
}

/// When hooks must be over, counted from the first sight: before the job is ended, which may end
/// what they save.
fn hooks_until(settings: &InterruptionSettings, span: SignedDuration) -> SignedDuration {
    match settings.end_job {
        EndJob::FailStep | EndJob::StopRunner => span - settings.finish_until.get(),
        EndJob::None => span - TAG_MARGIN,
    }
}

#[cfg(test)]
mod tests;

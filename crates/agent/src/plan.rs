//! What a notice leads to, beside its record and its tag: hooks, the end of the job, the runner's.
//!
//! Decisions only: the time since the first sight and the facts are arguments, what to do comes back
//! as a value. It ends no job and asks nobody.
//!
//! Invariants: no job is ended by a notice that is stale or gone, or for a hibernation; none before
//! its deadline, counted from the first sight; hooks are over when the job is ended.

use jiff::SignedDuration;

use crate::notice::Action;
use crate::record::Ending;
use crate::remaining::{Remaining, Standing};
use crate::settings::{EndJob, InterruptionSettings};
use crate::watch::TAG_MARGIN;

/// The time between two looks at the runner.
pub const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// How long a runner must have been without a job before it is stopped for that: one that has just
/// taken a job starts its Worker, and one whose only job has ended goes by itself.
pub const IDLE_FOR: SignedDuration = SignedDuration::from_secs(2);

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
    /// How the job was ended, if it was.
    pub job_ended: Option<Ending>,
    /// What the runner does.
    pub runner: Activity,
}

/// What the runners on the machine do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// There is none, or nobody can tell.
    Absent,
    /// It has no job, for so long.
    Idle(SignedDuration),
    /// It runs a job.
    Busy,
}

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Due {
    /// Run the hooks, which have so long together.
    RunHooks(SignedDuration),
    /// End the job by its step.
    FailStep,
    /// Tell the runner to stop.
    StopRunner(Stop),
    /// Nothing for so long.
    Wait(SignedDuration),
    /// Nothing until there is news.
    Leave(Leave),
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
    /// All is done.
    #[error("the runner has been told to stop")]
    Stopped,
}

/// What is due now.
pub fn due(settings: &InterruptionSettings, facts: &Facts<'_>) -> Due {
    let refusal = match (facts.action, facts.remaining.standing) {
        (Action::Hibernate, _) => Some(Leave::Hibernates),
        (_, Standing::Stale) => Some(Leave::Stale),
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
        EndJob::FailStep => ending(settings, facts, Due::FailStep),
        EndJob::StopRunner => ending(settings, facts, Due::StopRunner(Stop::Chosen)),
    }
}

/// When hooks must be over, counted from the first sight: before the job is ended, which may end
/// what they save.
fn hooks_until(settings: &InterruptionSettings, span: SignedDuration) -> SignedDuration {
    match settings.end_job {
        EndJob::FailStep | EndJob::StopRunner => span - settings.finish_until.get(),
        EndJob::None => span - TAG_MARGIN,
    }
}

fn ending(settings: &InterruptionSettings, facts: &Facts<'_>, way: Due) -> Due {
    let until = |before: SignedDuration| facts.remaining.span - before - facts.elapsed;
    let finish = until(settings.finish_until.get());
    let stop = until(settings.stop_runner_at.get());
    match (facts.job_ended, facts.runner) {
        (Some(Ending::StopRunner), _) => Due::Leave(Leave::Stopped),
        (_, Activity::Absent) => Due::Wait(LOOK_EVERY),
        (_, Activity::Idle(since)) if since >= IDLE_FOR => Due::StopRunner(Stop::Idle),
        (_, Activity::Idle(since)) => Due::Wait((IDLE_FOR - since).min(LOOK_EVERY)),
        (_, Activity::Busy) if stop <= SignedDuration::ZERO => Due::StopRunner(Stop::LastDeadline),
        (None, Activity::Busy) if finish <= SignedDuration::ZERO => way,
        (None, Activity::Busy) => Due::Wait(finish.min(LOOK_EVERY)),
        (Some(Ending::FailStep), Activity::Busy) => Due::Wait(stop.min(LOOK_EVERY)),
    }
}

#[cfg(test)]
mod tests;

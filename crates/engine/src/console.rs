//! Which instances' consoles are of interest, and what is kept of them.
//!
//! When a machine dies, or is given up because its runner never came, its console says why: the agent writes
//! its boot, its notice and its tag there. EC2 keeps that for about an hour after the end
//! (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleOutput.html>), so it is asked once,
//! later again where it has nothing yet, and never for an instance whose lines are kept.
//!
//! Whoever reads the lines is no part of the machine: what would move a terminal is taken out, and so is what
//! looks like a secret.

mod lines;

use jiff::{SignedDuration, Timestamp};
use reprise_model::console::{ConsoleCause, ConsoleTail};
use reprise_model::instance::InstanceView;
use reprise_model::ledger::InstanceEntry;
use reprise_model::reason::EndReason;

use crate::backoff::after;
use crate::still_queued::{self, Why};

pub use lines::tail;

/// How many consoles wait to be asked for at most: when EC2 takes a whole zone, a few of them tell what all
/// would.
pub const MOST_WAITING: usize = 64;

/// The pause between two questions: nobody waits for an answer, and EC2's rate is everybody's.
pub const PAUSE: SignedDuration = SignedDuration::from_secs(2);

/// How long after it was wanted EC2 is asked, and asked again. It shows what is new a moment after an end;
/// where it cannot show a running machine's lines, after minutes.
const ASKED_AFTER: [SignedDuration; 3] = [
    SignedDuration::from_secs(30),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(8),
];

/// Where an instance comes into view whose console may be of interest.
#[derive(Debug, Clone, Copy)]
pub enum Occasion<'a> {
    /// EC2 lists it.
    Listed(&'a InstanceView),
    /// It was asked whether the job still waits for which it was launched.
    StillQueued(Why),
    /// It was ended.
    Ended(EndReason),
}

/// Why its console is wanted; `None` where it is not.
pub fn wanted(on: Occasion<'_>) -> Option<ConsoleCause> {
    match on {
        Occasion::Listed(view) => still_queued::died(view).then_some(ConsoleCause::Died),
        Occasion::StillQueued(Why::InstanceGone | Why::RunnerNeverCame | Why::LaunchedEnough)
        | Occasion::Ended(EndReason::NeverRan) => Some(ConsoleCause::NeverRegistered),
        // Its runner came: another job has it, or it served its turn, or nobody needed it.
        Occasion::StillQueued(
            Why::RunnerTaken | Why::ComesUp | Why::NotQueued | Why::NotLaunched,
        )
        | Occasion::Ended(
            EndReason::PastMaxRunTime
            | EndReason::JobEnded
            | EndReason::NotTaken
            | EndReason::NeverNeeded
            | EndReason::Surplus
            | EndReason::Stopped
            | EndReason::JobTakenElsewhere,
        ) => None,
    }
}

/// A console that is to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Why.
    pub cause: ConsoleCause,
    /// Not before this.
    pub at: Timestamp,
    /// How often it was asked for in vain.
    pub tries: usize,
}

impl Wish {
    /// One of this moment.
    pub fn new(cause: ConsoleCause, now: Timestamp) -> Self {
        Self {
            cause,
            at: after(now, ASKED_AFTER[0]),
            tries: 0,
        }
    }
}

/// What EC2 said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// It was not asked.
    Unasked,
    /// This; `None` where it has nothing, or not yet.
    Output(Option<&'a str>),
    /// Nothing that could be read.
    Failed,
}

/// What is to be done about a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Ask EC2.
    Ask,
    /// Keep this.
    Keep(ConsoleTail),
    /// Come again.
    Later(Wish),
    /// Forget the wish.
    Forget(ForgetReason),
}

/// Why a wish is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgetReason {
    /// The lines are kept already.
    Kept,
    /// EC2 gave no answer, however often it was asked.
    Unanswered,
}

/// What is to be done about a wish, by what the ledger has of the instance and what EC2 said.
pub fn decide(
    wish: &Wish,
    known: Option<&InstanceEntry>,
    answer: Answer<'_>,
    now: Timestamp,
) -> Step {
    if known.is_some_and(|known| known.console.is_some()) {
        return Step::Forget(ForgetReason::Kept);
    }
    let lines = match answer {
        Answer::Unasked => return Step::Ask,
        Answer::Output(output) => output.map(tail).unwrap_or_default(),
        Answer::Failed => Vec::new(),
    };
    if lines.is_empty()
        && let Some(pause) = ASKED_AFTER.get(wish.tries.saturating_add(1))
    {
        return Step::Later(Wish {
            at: after(now, *pause),
            tries: wish.tries.saturating_add(1),
            ..*wish
        });
    }
    if answer == Answer::Failed {
        return Step::Forget(ForgetReason::Unanswered);
    }
    Step::Keep(ConsoleTail {
        at: now,
        cause: wish.cause,
        lines,
    })
}

#[cfg(test)]
mod tests;

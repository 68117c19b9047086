//! When a runner's instance has served its turn: nobody gave its runner a job, or the runner is gone.
//!
//! A pure decision: it is told what was seen of the runner's processes, and says what to do next. It counts
//! from the moment at which the runner was to start. A look costs milliseconds of CPU, so there are few, and
//! none at all while a job runs: its end is waited for.
//!
//! Invariant: it says [`Due::Leave`] only where the last look showed no process of any runner: one outside of
//! the folder that it was told of may be at work, too.

use jiff::{SignedDuration, Timestamp};

/// Between two looks for a runner that has not appeared yet.
const EXPECTING: SignedDuration = SignedDuration::from_secs(5);

/// Between two looks at a runner without a job, or for one that may come back: it restarts itself after
/// an update. Also at one of somebody else's that keeps the machine.
const IDLING: SignedDuration = SignedDuration::from_secs(15);

/// Between two looks at a runner that was asked to end.
const ENDING: SignedDuration = SignedDuration::from_secs(1);

/// After so long a runner that was asked to end is asked again.
const ASK_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// One that was asked so often hears nothing, takes no job either, and is killed.
const MOST_ASKED: u32 = 5;

/// For how long things may stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a runner without a job.
    pub idle: SignedDuration,
    /// After a runner's end. The controller ends an instance itself when its job has ended, and looks for
    /// evidence of an interruption before: the agent is there for when nobody does.
    pub linger: SignedDuration,
}

/// What a look showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// No process of any runner.
    Nothing,
    /// Not the runner, but another one, whose programs lie elsewhere.
    Elsewhere,
    /// A runner without a job.
    Idle,
    /// A runner at work.
    Busy,
}

/// Why the instance is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No configuration came for a runner, or it could not be started.
    NotStarted,
    /// The runner was never seen: it did not come up, or came and went between two looks.
    NeverSeen,
    /// It was given no job.
    NoJob,
    /// It ended without one.
    EndedIdle,
    /// It had a job and ended.
    AfterJob,
}

impl Why {
    /// In words for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotStarted => "no runner could be started",
            Self::NeverSeen => "the runner was never seen in its folder",
            Self::NoJob => "the runner was given no job",
            Self::EndedIdle => "the runner ended without a job",
            Self::AfterJob => "the runner ended after its job",
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Due {
    /// Look at the runner's processes.
    Look,
    /// Nothing until then, unless the runner ends before.
    Wait(Timestamp),
    /// Nothing until the runner ends.
    WaitForEnd,
    /// Have the runner, which was idle a moment ago, end.
    End(Manner),
    /// Leave.
    Leave(Why),
}

/// How a runner is made to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It is asked to.
    Ask,
    /// It was asked often enough.
    Kill,
}

/// What is known of the runner, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tenure {
    limits: Limits,
    idle_until: Timestamp,
    looked: Timestamp,
    next_look: Timestamp,
    kept_by_another: bool,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Expected,
    Idle,
    Busy,
    Asked { at: Timestamp, times: u32 },
    Gone { leave_at: Timestamp, why: Why },
}

impl Tenure {
    /// The runner was told to start.
    pub fn started(limits: Limits, now: Timestamp) -> Self {
        Self {
            limits,
            idle_until: after(now, limits.idle),
            looked: Timestamp::MIN,
            next_look: now,
            kept_by_another: false,
            phase: Phase::Expected,
        }
    }

    /// There will be no runner.
    pub fn never_started(limits: Limits, now: Timestamp) -> Self {
        let why = Why::NotStarted;
        Self {
            phase: Phase::Gone { leave_at: now, why },
            ..Self::started(limits, now)
        }
    }

    /// What is to be done now.
    pub fn due(&self, now: Timestamp) -> Due {
        match self.phase {
            Phase::Busy => Due::WaitForEnd,
            Phase::Gone { leave_at, why } => self.look_or(now, leave_at, self.leave(now, why)),
            Phase::Expected => {
                let then = self.leave(now, Why::NeverSeen);
                self.look_or(now, self.idle_until, then)
            }
            Phase::Idle => self.look_or(now, self.idle_until, Due::End(Manner::Ask)),
            Phase::Asked { at, times } => {
                let manner = match times {
                    ..MOST_ASKED => Manner::Ask,
                    MOST_ASKED.. => Manner::Kill,
                };
                self.look_or(now, after(at, ASK_AGAIN), Due::End(manner))
            }
        }
    }

    /// Notes what a look showed.
    pub fn see(&mut self, sight: Sight, now: Timestamp) {
        self.looked = now;
        self.phase = self.next(sight, now);
        self.kept_by_another = sight == Sight::Elsewhere;
        let pause = match self.phase {
            Phase::Expected => EXPECTING,
            Phase::Asked { .. } => ENDING,
            Phase::Idle | Phase::Busy | Phase::Gone { .. } => IDLING,
        };
        self.next_look = after(now, pause);
    }

    /// Whether all that keeps the machine is a runner of somebody else's.
    pub fn is_kept_by_another(&self) -> bool {
        self.kept_by_another
    }

    /// Notes that the runner was asked to end, or killed.
    pub fn asked(&mut self, now: Timestamp) {
        let times = match self.phase {
            Phase::Asked { times, .. } => times.saturating_add(1),
            Phase::Expected | Phase::Idle | Phase::Busy | Phase::Gone { .. } => 1,
        };
        self.phase = Phase::Asked { at: now, times };
        self.next_look = after(now, ENDING);
    }

    fn leave(&self, now: Timestamp, why: Why) -> Due {
        let next = after(self.looked, IDLING);
        match self.kept_by_another {
            false => Due::Leave(why),
            true if now >= next => Due::Look,
            true => Due::Wait(next),
        }
    }

    fn next(&self, sight: Sight, now: Timestamp) -> Phase {
        let gone = |linger, why| Phase::Gone {
            leave_at: after(now, linger),
            why,
        };
        match (self.phase, sight) {
            (_, Sight::Busy) => Phase::Busy,
            (Phase::Expected | Phase::Idle | Phase::Gone { .. }, Sight::Idle) => Phase::Idle,
            // Its Worker has ended, and it will follow.
            (Phase::Busy, Sight::Idle) => Phase::Busy,
            (Phase::Idle, Sight::Nothing | Sight::Elsewhere) => {
                gone(self.limits.linger, Why::EndedIdle)
            }
            (Phase::Busy, Sight::Nothing | Sight::Elsewhere) => {
                gone(self.limits.linger, Why::AfterJob)
            }
            (Phase::Asked { .. }, Sight::Nothing | Sight::Elsewhere) => {
                gone(SignedDuration::ZERO, Why::NoJob)
            }
            // Another runner has just ended: between two processes of its own, perhaps.
            (Phase::Gone { why, .. }, Sight::Nothing) if self.kept_by_another => {
                gone(self.limits.linger, why)
            }
            (Phase::Expected, Sight::Nothing) if self.kept_by_another => {
                gone(self.limits.linger, Why::NeverSeen)
            }
            (same @ Phase::Asked { .. }, Sight::Idle)
            | (same @ (Phase::Expected | Phase::Gone { .. }), Sight::Nothing | Sight::Elsewhere) => {
                same
            }
        }
    }

    /// At `deadline` a look, and where that changed nothing `then`; until then a look now and again.
    fn look_or(&self, now: Timestamp, deadline: Timestamp, then: Due) -> Due {
        if self.looked >= deadline {
            then
        } else if now >= self.next_look.min(deadline) {
            Due::Look
        } else {
            Due::Wait(self.next_look.min(deadline))
        }
    }
}

fn after(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;

//! What a rebalance recommendation leads to: the runner takes no new job, and none is ended.
//!
//! Most recommendations have no interruption behind them, so nothing that runs is worth less for one.

use std::time::Duration;

use jiff::SignedDuration;

use crate::plan::{Activity, Stand};

/// The time between two looks at a runner: a Worker's end is cheap to see, so it comes soon.
pub(crate) const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// How long a runner must have been without a Worker. One that has taken a job starts it after some calls to
/// GitHub, and would give up that job: nothing presses as under a notice.
const IDLE_FOR: SignedDuration = SignedDuration::from_secs(10);

/// Each so-many-th poll also asks for a recommendation. It is no emergency, and another connection
/// with each poll would double the agent's cost.
pub(crate) const EVERY_POLLS: u64 = 15;

/// How long that may take, in real time like other requests: no longer than a notice may be seen late.
pub(crate) const DEADLINE: Duration = Duration::from_millis(100);

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Due {
    /// Tell runners without a job to stop.
    Stop,
    /// Look again after so long.
    Wait(SignedDuration),
}

/// What is due for a runner that does this.
pub(crate) fn due(stand: &Stand) -> Due {
    match stand.activity {
        Activity::Idle(since) if since >= IDLE_FOR && !stand.told => Due::Stop,
        Activity::Idle(_) | Activity::Busy => Due::Wait(LOOK_EVERY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Step;

    #[test]
    fn a_runner_with_a_job_is_left_alone_and_one_without_is_stopped() {
        let due_of = |activity, told| {
            due(&Stand {
                activity,
                step: Step::Untouched,
                told,
            })
        };
        let idle = |seconds| Activity::Idle(SignedDuration::from_secs(seconds));
        assert_eq!(due_of(Activity::Busy, false), Due::Wait(LOOK_EVERY));
        assert_eq!(due_of(idle(9), false), Due::Wait(LOOK_EVERY));
        assert_eq!(due_of(idle(10), false), Due::Stop);
        assert_eq!(due_of(idle(10), true), Due::Wait(LOOK_EVERY));
    }
}

//! Whether a replica's process lives, and at which of its calls it dies.

use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Whether and when a process dies at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// It does not.
    Never,
    /// Before the call's effect.
    Before,
    /// After the effect and before the answer.
    After,
}

/// The life of one process.
#[derive(Debug, Default)]
pub struct Life {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    ended: bool,
    planned: Option<Planned>,
}

#[derive(Debug)]
struct Planned {
    calls_left: u32,
    after_effect: bool,
}

impl Life {
    /// It will die at one of its next calls.
    pub fn plan_end(&self, calls: u32, after_effect: bool) {
        self.lock().planned = Some(Planned {
            calls_left: calls,
            after_effect,
        });
    }

    /// Counts a call; tells whether it is the last.
    pub(super) fn counts_call(&self) -> Crash {
        let mut state = self.lock();
        let Some(planned) = &mut state.planned else {
            return Crash::Never;
        };
        if planned.calls_left > 0 {
            planned.calls_left -= 1;
            return Crash::Never;
        }
        let crash = if planned.after_effect {
            Crash::After
        } else {
            Crash::Before
        };
        state.planned = None;
        crash
    }

    /// Ends it.
    pub fn end(&self) {
        self.lock().ended = true;
        self.ended.notify_waiters();
        self.ended.notify_one();
    }

    /// Ends when the process has.
    pub async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Goes on unless the process is dead: then nothing of it ever goes on.
    pub(super) async fn goes_on(&self) {
        let ended = self.lock().ended;
        if ended {
            pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! A value that many wait for to change.
//!
//! Whoever waits longest hears first. A channel of Tokio's tells its receivers in an order drawn by lot,
//! and a simulated controller is to do the same whenever it is played.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A value that many wait for to change.
#[derive(Debug, Default)]
pub(crate) struct Board<T> {
    value: Mutex<T>,
    changed: Notify,
}

impl<T> Board<T> {
    /// Changes the value, and tells all who wait.
    pub(crate) fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.lock());
        self.changed.notify_waiters();
    }

    /// Reads the value.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.lock())
    }

    /// Waits until the value says something.
    pub(crate) async fn wait_for<R>(&self, says: impl Fn(&T) -> Option<R>) -> R {
        loop {
            // Before the look: what changes after it is heard.
            let changed = self.changed.notified();
            if let Some(said) = self.read(&says) {
                return said;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_longest_hears_first() {
        let board = Arc::new(Board::<bool>::default());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = tokio::task::JoinSet::new();
        for number in 0..20 {
            let (board, heard) = (Arc::clone(&board), Arc::clone(&heard));
            waiting.spawn(async move {
                board.wait_for(|is_said| is_said.then_some(())).await;
                heard.lock().unwrap().push(number);
            });
        }
        tokio::task::yield_now().await;
        board.change(|is_said| *is_said = true);
        while waiting.join_next().await.is_some() {}
        assert_eq!(*heard.lock().unwrap(), (0..20).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_is_said_already_is_not_waited_for() {
        let board = Board::<u8>::default();
        board.change(|value| *value = 7);
        let said = board.wait_for(|value| (*value > 0).then_some(*value)).await;
        assert_eq!((said, board.read(|value| *value)), (7, 7));
    }
}

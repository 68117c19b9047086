//! One signal that tells everybody to come to an end.

use std::sync::Arc;

use jiff::Timestamp;

use crate::board::Board;

/// Tells every [`Draining`] that the end has come.
#[derive(Debug)]
pub struct Drain(Arc<Board<Signal>>);

/// Knows whether the end has come.
#[derive(Debug, Clone)]
pub struct Draining(Arc<Board<Signal>>);

#[derive(Debug, Default)]
struct Signal {
    begun_at: Option<Timestamp>,
    /// Nobody is left who could say when.
    is_lost: bool,
}

/// A signal and its listener.
pub fn channel() -> (Drain, Draining) {
    let board = Arc::<Board<Signal>>::default();
    (Drain(Arc::clone(&board)), Draining(board))
}

impl Drain {
    /// Begins the end. What was begun stays so.
    pub fn begin(&self, now: Timestamp) {
        self.0
            .change(|signal| signal.begun_at = signal.begun_at.or(Some(now)));
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.0.change(|signal| signal.is_lost = true);
    }
}

impl Draining {
    /// Whether the end has come. It has, too, when nobody is left who could say so.
    pub fn has_begun(&self) -> bool {
        self.0.read(Signal::has_come)
    }

    /// When it came. Nobody knows where whoever could say so is gone.
    pub fn begun_at(&self) -> Option<Timestamp> {
        self.0.read(|signal| signal.begun_at)
    }

    /// Waits for the end.
    pub async fn begun(&self) {
        let has_come = |signal: &Signal| signal.has_come().then_some(());
        self.0.wait_for(has_come).await;
    }
}

impl Signal {
    fn has_come(&self) -> bool {
        self.begun_at.is_some() || self.is_lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_learns_of_the_end() {
        let (drain, draining) = channel();
        let other = draining.clone();
        assert!(!draining.has_begun());
        drain.begin(Timestamp::UNIX_EPOCH);
        assert!(draining.has_begun());
        other.begun().await;
        drain.begin(Timestamp::MAX);
        assert_eq!(other.begun_at(), Some(Timestamp::UNIX_EPOCH));
    }

    #[tokio::test]
    async fn a_sender_that_is_gone_is_an_end_too() {
        let (drain, draining) = channel();
        drop(drain);
        assert!(draining.has_begun());
        draining.begun().await;
    }
}

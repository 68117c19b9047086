//! One signal that tells everybody to come to an end.

use jiff::Timestamp;
use tokio::sync::watch;

/// Tells every [`Draining`] that the end has come.
#[derive(Debug)]
pub struct Drain(watch::Sender<Option<Timestamp>>);

/// Knows whether the end has come.
#[derive(Debug, Clone)]
pub struct Draining(watch::Receiver<Option<Timestamp>>);

/// A signal and its listener.
pub fn channel() -> (Drain, Draining) {
    let (sender, receiver) = watch::channel(None);
    (Drain(sender), Draining(receiver))
}

impl Drain {
    /// Begins the end. What was begun stays so.
    pub fn begin(&self, now: Timestamp) {
        self.0.send_modify(|begun| *begun = begun.or(Some(now)));
    }
}

impl Draining {
    /// Whether the end has come. It has, too, when nobody is left who could say so.
    pub fn has_begun(&self) -> bool {
        self.begun_at().is_some() || self.0.has_changed().is_err()
    }

    /// When it came. Nobody knows where whoever could say so is gone.
    pub fn begun_at(&self) -> Option<Timestamp> {
        *self.0.borrow()
    }

    /// Waits for the end.
    pub async fn begun(&self) {
        let mut receiver = self.0.clone();
        // An error means that the sender is gone.
        let _ = receiver.wait_for(Option::is_some).await;
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

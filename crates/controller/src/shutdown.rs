//! One signal that tells everybody to come to an end.

use tokio::sync::watch;

/// Tells every [`Draining`] that the end has come.
#[derive(Debug)]
pub struct Drain(watch::Sender<bool>);

/// Knows whether the end has come.
#[derive(Debug, Clone)]
pub struct Draining(watch::Receiver<bool>);

/// A signal and its listener.
pub fn channel() -> (Drain, Draining) {
    let (sender, receiver) = watch::channel(false);
    (Drain(sender), Draining(receiver))
}

impl Drain {
    /// Begins the end.
    pub fn begin(&self) {
        self.0.send_replace(true);
    }
}

impl Draining {
    /// Whether the end has come. It has, too, when nobody is left who could say so.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits for the end.
    pub async fn begun(&self) {
        let mut receiver = self.0.clone();
        // An error means that the sender is gone.
        let _ = receiver.wait_for(|begun| *begun).await;
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
        drain.begin();
        assert!(draining.has_begun());
        other.begun().await;
    }

    #[tokio::test]
    async fn a_sender_that_is_gone_is_an_end_too() {
        let (drain, draining) = channel();
        drop(drain);
        assert!(draining.has_begun());
        draining.begun().await;
    }
}

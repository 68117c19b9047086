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
    /// Whether the end has come.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the end; also over when the sender is gone.
    pub async fn begun(&self) {
        let mut receiver = self.0.clone();
        // An error means that the sender is gone, which is an end too.
        let _ = receiver.wait_for(|begun| *begun).await;
    }
}

//! Ctrl-C and its kin.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The exit code of a program that was ended by Ctrl-C, as shells have it.
pub(crate) const STOPPED: u8 = 130;

/// What was under way was ended early because somebody asked for it.
#[derive(Debug)]
pub(crate) struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped before the end")
    }
}

impl std::error::Error for Stopped {}

/// Ends when a person or a system wants this program to end.
pub(crate) async fn stopped() {
    let signals = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    for kind in signals {
        let sender = sender.clone();
        // A signal that cannot be listened for ends the process as it always did.
        let Ok(mut signal) = signal(kind) else {
            continue;
        };
        tokio::spawn(async move {
            signal.recv().await;
            sender.send(()).await.ok();
        });
    }
    // It holds a sender itself, so that this never ends for want of one.
    receiver.recv().await;
    drop(sender);
}

/// Whether the end was asked for, to be looked at between two steps. A clone is the same.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// From now on a signal no longer ends the process; it shows here.
    pub(crate) fn listen() -> Self {
        let (asked, stop) = watch::channel(false);
        tokio::spawn(async move {
            stopped().await;
            asked.send_replace(true);
            // Kept, so that a receiver never hears of its end instead.
            asked.closed().await;
        });
        Self(stop)
    }

    /// Whether it was asked for.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when it is asked for.
    pub(crate) async fn asked(&self) {
        self.0.clone().wait_for(|asked| *asked).await.ok();
    }
}

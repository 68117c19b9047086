//! What systemd is told: ready, alive, stopping, and a line for `systemctl status`.
//!
//! Outside systemd (no `NOTIFY_SOCKET`) it says nothing and costs nothing.

use jiff::{SignedDuration, Timestamp};
use sd_notify::NotifyState;

/// Tells the service manager.
#[derive(Debug)]
pub(crate) struct Systemd {
    beat_every: Option<SignedDuration>,
    next_beat: Timestamp,
    complained: bool,
}

impl Systemd {
    /// Reads from the environment whether there is a watchdog to keep quiet.
    pub(crate) fn from_environment() -> Self {
        let limit = sd_notify::watchdog_enabled().and_then(|limit| limit.try_into().ok());
        Self {
            // A third: one lost or late beat does not cost the service its life.
            beat_every: limit.map(|limit: SignedDuration| limit / 3),
            next_beat: Timestamp::MIN,
            complained: false,
        }
    }

    pub(crate) fn ready(&mut self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    pub(crate) fn status(&mut self, status: &str) {
        self.send(&[NotifyState::Status(status)]);
    }

    /// When the next beat is due, if there is a watchdog: no wait may last longer.
    pub(crate) fn next_beat(&self) -> Option<Timestamp> {
        self.beat_every.map(|_| self.next_beat)
    }

    /// To be called in every turn of the loop; it sends only as often as needed, because each
    /// message wakes the service manager.
    pub(crate) fn beat(&mut self, now: Timestamp) {
        let Some(every) = self.beat_every else {
            return;
        };
        if now >= self.next_beat {
            self.next_beat = now + every;
            self.send(&[NotifyState::Watchdog]);
        }
    }

    pub(crate) fn stopping(&mut self) {
        self.send(&[NotifyState::Stopping]);
    }

    fn send(&mut self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states)
            && !std::mem::replace(&mut self.complained, true)
        {
            tracing::warn!(error.message = %error, "the service manager cannot be told");
        }
    }
}

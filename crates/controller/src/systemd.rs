//! What systemd is told: ready, stopping, and alive as long as no loop has ended.
//!
//! A loop that has ended is not begun again; `/healthz` shows it to ECS, and here the watchdog's silence has systemd
//! start the controller anew. Outside systemd (no `NOTIFY_SOCKET`, no `WATCHDOG_USEC`) nothing is told.

use std::sync::Arc;

use jiff::SignedDuration;
use sd_notify::NotifyState;
use tracing::warn;

use crate::clock::Clock;
use crate::context::Controller;
use crate::ports::Ports;

/// Everything listens, and the loops run.
pub(crate) fn ready() {
    tell(NotifyState::Ready);
}

/// The drain begins.
pub(crate) fn stopping() {
    tell(NotifyState::Stopping);
}

/// Keeps the watchdog quiet for as long as the controller is alive, if there is one.
pub(crate) async fn keep_quiet<P: Ports>(controller: Arc<Controller<P>>) {
    let limit = sd_notify::watchdog_enabled().and_then(|limit| limit.try_into().ok());
    // A third: one lost or late beat does not cost the controller its life.
    let Some(every) = limit.map(|limit: SignedDuration| limit / 3) else {
        return;
    };
    while controller.is_healthy() {
        tell(NotifyState::Watchdog);
        controller.clock.sleep(every).await;
    }
    warn!("the watchdog is no longer told that the controller is alive; systemd starts it anew");
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(error.message = %error, "the service manager cannot be told");
    }
}

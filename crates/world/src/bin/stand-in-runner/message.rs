//! What the Listener tells its Worker, a line each (`Runner.Common/ProcessChannel.cs`, which uses pipes
//! that the Worker inherits, too).

use reprise_world::stand_in::Job;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// A message.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Run this.
    NewJobRequest(Job),
    /// The job is cancelled at GitHub.
    CancelRequest,
    /// The Listener was told to end.
    RunnerShutdown,
}

/// Why the job's steps are to end, and that is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// They are not.
    No,
    /// The job is cancelled.
    Cancel,
    /// The runner ends.
    Shutdown,
}

/// Where a step hears of it.
pub(crate) type Stopped = watch::Receiver<Stop>;

/// Waits for it.
pub(crate) async fn stopped(receiver: &mut Stopped) -> Stop {
    let heard = receiver.wait_for(|stop| *stop != Stop::No).await;
    if let Some(stop) = heard.ok().map(|stop| *stop) {
        return stop;
    }
    // The one who would say it is gone, and with it this process.
    std::future::pending().await
}

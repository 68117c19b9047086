//! GitHub's REST API as a GitHub App sees it: runs, jobs, annotations, logs, re-runs, cancels, check runs,
//! runners, and the App's own webhook deliveries.
//!
//! It asks and reports; it decides nothing, keeps nothing but tokens, and logs at debug level only:
//! an error is logged once, where it is handled.
//!
//! Invariants:
//! - One call of [`GitHub::rerun`], [`GitHub::redeliver`], [`GitHub::create_jit_config`],
//!   [`GitHub::write_check_run`] or [`GitHub::cancel_run`] sends at most one request that changes
//!   anything. Nothing in this crate repeats a mutation.
//! - The App's token goes to this GitHub alone, also where it links elsewhere.
//! - A token, a runner's configuration or the App's key is in no log line, no error and no `Debug`
//!   output.

mod active;
mod app;
mod check;
mod deliveries;
mod error;
mod failure;
mod group;
mod installation;
mod job_log;
mod limits;
mod read;
mod rerun;
mod rival;
mod runner;
mod runner_scope;
mod settings;
mod transport;
mod wire;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use app::{AppGrant, HookConfig};
pub use check::ChangeReply;
pub use deliveries::RedeliveryReply;
pub use error::{GitHubError, GitHubErrorKind, Rejection};
pub use limits::RateBudget;
pub use rerun::RerunReply;
pub use runner::{JitConfig, JitError, JitOrder, RunnerRemoval, SeenRunner};
pub use runner_scope::RunnerScope;
pub use settings::Settings;

use installation::Installations;
use runner_scope::RunnerGroups;
use transport::Transport;

/// The connection to one GitHub, for all repositories where the App is installed. A clone is cheap
/// and shares tokens and connections.
#[derive(Clone)]
pub struct GitHub {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    installations: Installations,
    groups: RunnerGroups,
}

impl GitHub {
    /// Prepares the connection; nothing is sent yet. It must be called inside a tokio runtime.
    pub fn connect(settings: Settings) -> Result<Self, GitHubError> {
        let transport = Transport::new(&settings)?;
        Ok(Self {
            inner: Arc::new(Inner {
                transport,
                installations: Installations::default(),
                groups: RunnerGroups::default(),
            }),
        })
    }

    /// The rate limit as the last answer told it.
    pub fn rate(&self) -> RateBudget {
        self.inner.transport.rate()
    }

    /// The rate limit of the installation on an owner's repositories as an answer last told it; `None`
    /// before one did.
    pub fn rate_of(&self, owner: &str) -> Option<RateBudget> {
        self.inner.installations.rate_of(owner)
    }
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub")
            .field("transport", &self.inner.transport)
            .finish_non_exhaustive()
    }
}

//! The agent on a runner instance: sees the interruption notice and tags the instance.
//!
//! One loop ([`run`]) over three ports ([`Metadata`], [`Tagger`], [`Clock`]); the decisions stand
//! apart from it ([`watch`]). [`run_agent`] is the loop with the real ports.
//!
//! It does not speak to GitHub or to the controller: the tag is its whole message. It speaks to
//! the metadata service in version 2 only, ends on request only, and never shuts the host down.

pub mod agent;
pub mod clock;
mod complaint;
pub mod credentials;
mod ec2_answer;
pub mod ec2_tagger;
pub mod endpoint;
mod http_body;
pub mod http_metadata;
pub mod identity;
pub mod logging;
mod lookup;
pub mod metadata;
pub mod notice;
pub mod session;
pub mod settings;
pub mod system_clock;
mod systemd;
pub mod tagger;
pub mod watch;

use std::future::Future;

pub use agent::{AgentEnd, Ports, run};
pub use clock::Clock;
pub use metadata::Metadata;
pub use settings::Settings;
pub use system_clock::SystemClock;
pub use tagger::Tagger;

/// Why the agent could not start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The TLS library does not support what it was built with.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Runs the agent over HTTP until `shutdown` completes.
///
/// The clock may be scaled: polls, waits and deadlines follow it, while requests keep their
/// deadlines in real time and are signed with [`Clock::wall`].
pub async fn run_agent(
    settings: Settings,
    clock: impl Clock,
    shutdown: impl Future<Output = ()>,
) -> Result<AgentEnd, AgentError> {
    let ports = Ports {
        metadata: http_metadata::HttpMetadata::new(settings.metadata_endpoint.clone()),
        tagger: ec2_tagger::Ec2Tagger::new(settings.ec2_endpoint.clone())?,
        clock,
        jitter: fastrand::Rng::new(),
    };
    Ok(run(&settings, ports, shutdown).await)
}

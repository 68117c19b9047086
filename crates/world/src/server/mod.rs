//! The world over HTTP on loopback, in scaled time.
//!
//! One address for EC2, SQS and the runner table, one for GitHub, and one for the metadata service of
//! every instance that is up. Each request first lets everything happen that is due, and is then answered under
//! one lock; nothing waits while it holds the lock. The world itself never learns that it is served.

mod driver;
mod hosts;
mod instances;
mod routes;
mod runner;
mod shared;
#[cfg(test)]
mod tests;
mod wire;

use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;
use reprise_model::ids::InstanceId;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::clock::{ClockError, ScaledClock};
use crate::world::{Queue, QueueNames, World};
pub use instances::ServedInstances;
pub use runner::{RunnerStartError, start_runner};
use shared::Shared;

/// Why the world cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// No port could be had.
    #[error("failed to listen on loopback; free some ports or raise the limit of open files")]
    Listen(#[source] std::io::Error),
    /// There is no clock of real time.
    #[error("failed to make a clock")]
    Clock(#[source] ClockError),
    /// What was made up is no instance's id.
    #[error("{0:?} is no instance's id")]
    Instance(String),
}

/// An instance came up or went down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostEvent {
    /// Its operating system runs, and so would its agent.
    Up {
        /// The instance.
        instance: InstanceId,
        /// Where its metadata service listens.
        metadata_url: String,
    },
    /// It is gone, with everything that ran on it.
    Down {
        /// The instance.
        instance: InstanceId,
    },
}

/// A world that is being served; dropping it ends the service at once.
pub struct RunningWorld {
    shared: Arc<Shared>,
    aws_url: String,
    github_url: String,
    tasks: JoinSet<()>,
}

/// Serves a world.
pub async fn start(world: World, clock: ScaledClock) -> Result<RunningWorld, ServerError> {
    let mut running = start_without_hosts(world, clock).await?;
    let shared = running.shared.clone();
    running.tasks.spawn(driver::drive(shared));
    Ok(running)
}

/// The same without metadata services, for more instances than there are ports. What is due happens
/// at the next request or look.
pub async fn start_without_hosts(
    world: World,
    clock: ScaledClock,
) -> Result<RunningWorld, ServerError> {
    let (aws, aws_url) = listen().await?;
    let (github, github_url) = listen().await?;
    let shared = Arc::new(Shared::new(world, clock));
    let mut tasks = JoinSet::new();
    tasks.spawn(routes::serve(
        aws,
        routes::aws(shared.clone()),
        shared.stopped(),
    ));
    tasks.spawn(routes::serve(
        github,
        routes::github(shared.clone()),
        shared.stopped(),
    ));
    Ok(RunningWorld {
        shared,
        aws_url,
        github_url,
        tasks,
    })
}

impl RunningWorld {
    /// The endpoint of EC2, SQS and the runner table.
    pub fn aws_url(&self) -> &str {
        &self.aws_url
    }

    /// The base of GitHub's REST API.
    pub fn github_url(&self) -> &str {
        &self.github_url
    }

    /// Where the program of a machine's runner tells that it starts.
    pub fn runner_address(&self, instance: &InstanceId) -> String {
        runner_address(&self.github_url, instance)
    }

    /// The URL of a queue.
    pub fn queue_url(&self, queue: Queue) -> String {
        self.url_of(|names| names.of(queue).to_owned())
    }

    /// The URL of a queue's dead-letter queue.
    pub fn dead_letter_url(&self, queue: Queue) -> String {
        self.url_of(|names| names.dead_letters_of(queue).to_owned())
    }

    /// The clock that it runs by.
    pub fn clock(&self) -> ScaledClock {
        self.shared.clock()
    }

    /// Instances that come up and go down from now on; those that are up already come first.
    pub fn hosts(&self) -> mpsc::UnboundedReceiver<HostEvent> {
        self.shared.subscribe_to_hosts()
    }

    /// Looks at the world, or changes it, at its present time; what follows from a change happens
    /// before this returns. Must not be called within itself.
    pub fn with<R>(&self, act: impl FnOnce(&mut World, Timestamp) -> R) -> R {
        self.shared.with(act)
    }

    /// Changes whenever something happens in the world.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changed()
    }

    /// Ends the service: open requests are answered or refused, all listeners are closed.
    pub async fn stop(mut self) {
        self.shared.stop();
        while self.tasks.join_next().await.is_some() {}
    }

    fn url_of(&self, name: impl FnOnce(&QueueNames) -> String) -> String {
        self.shared.peek(|world| {
            let settings = world.settings();
            let (account, name) = (&settings.account, name(&settings.queues));
            format!("{}/{account}/{name}", self.aws_url)
        })
    }
}

/// The same from the base of GitHub's REST API alone.
pub fn runner_address(github_url: &str, instance: &InstanceId) -> String {
    format!("{github_url}/_machines/{instance}/runner")
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that nobody can stop it any more, which is as good as stopped.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn listen() -> Result<(TcpListener, String), ServerError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(ServerError::Listen)?;
    let address = listener.local_addr().map_err(ServerError::Listen)?;
    Ok((listener, format!("http://{address}")))
}

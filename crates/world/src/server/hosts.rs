//! The metadata service of one instance: a listener of its own, open while the instance is up.

use std::sync::Arc;

use reprise_model::ids::InstanceId;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::shared::Shared;
use super::{ServerError, listen, routes, wire};

/// The open metadata service of an instance.
pub(super) struct Host {
    url: String,
    stopped: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Host {
    pub(super) async fn start(shared: Arc<Shared>, id: InstanceId) -> Result<Self, ServerError> {
        let (listener, url) = listen().await?;
        let (stopped, gone) = watch::channel(false);
        let clock = shared.clock();
        let answers = routes::imds(shared, id);
        let task = tokio::spawn(wire::serve(listener, answers, clock, gone));
        Ok(Self { url, stopped, task })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The host goes down: new connections are refused when this returns, open ones are ended.
    pub(super) async fn stop(self) {
        self.stopped.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a metadata service did not end well");
        }
    }
}

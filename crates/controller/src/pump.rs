//! From a queue to the handlers: long polls, bounded concurrency, visibility, acknowledgement.
//!
//! A message is deleted only after its outcome is durable. Handing back, never losing, is what
//! happens to everything else: a failure outside, a crash, the end of the process.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use reprise_engine::backoff;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::intake::{Outcome, signature};
use crate::ports::{Message, Ports, Queue};

/// How long a message stays hidden while it is under way; renewed at a third of that.
const HIDDEN_FOR: SignedDuration = SignedDuration::from_secs(60);

/// The long poll of one receive call: SQS's longest.
const POLL: Duration = Duration::from_secs(20);

/// A pause after a receive call that failed.
const REST_AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(2);

/// What a queue's messages are. Only its place in configuration tells, never a body.
#[derive(Debug)]
pub enum Source {
    /// GitHub webhooks, signed with one of these secrets.
    Webhooks(Vec<SecretString>),
    /// EC2 events by EventBridge.
    Ec2Events,
}

impl Source {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Webhooks(_) => "webhooks",
            Self::Ec2Events => "ec2-events",
        }
    }
}

/// One queue, and how it is read.
pub struct Pump<P: Ports> {
    /// The controller.
    pub controller: Arc<Controller<P>>,
    /// The queue.
    pub queue: Arc<P::Queue>,
    /// Where messages go that a person must look at; without it they are only logged.
    pub dead_letters: Option<Arc<P::Queue>>,
    /// What its messages are.
    pub source: Source,
    /// How many messages may be under way at once. A message that waits for evidence holds a
    /// place for up to a minute.
    pub at_once: usize,
}

impl<P: Ports> Pump<P> {
    /// Receives until the controller drains, then waits for what is under way.
    pub async fn run(self, pollers: usize) {
        let pump = Arc::new(self);
        let places = Arc::new(Semaphore::new(pump.at_once));
        let mut loops = JoinSet::new();
        for _ in 0..pollers {
            loops.spawn(Arc::clone(&pump).poll(Arc::clone(&places)));
        }
        while loops.join_next().await.is_some() {}
    }

    async fn poll(self: Arc<Self>, places: Arc<Semaphore>) {
        let mut under_way = JoinSet::new();
        let draining = self.controller.draining.clone();
        while !draining.has_begun() {
            let received = tokio::select! {
                received = self.receive(&places) => received,
                () = draining.begun() => break,
            };
            for message in received {
                let pump = Arc::clone(&self);
                let places = Arc::clone(&places);
                under_way.spawn(async move {
                    let _place = places.acquire().await;
                    pump.deal_with(message).await;
                });
            }
            while under_way.try_join_next().is_some() {}
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn receive(
        &self,
        places: &Semaphore,
    ) -> Vec<Message<<P::Queue as Queue>::Receipt>> {
        // Waits for a free place before it takes messages that others could serve.
        drop(places.acquire().await);
        match self.queue.receive(POLL).await {
            Ok(messages) => {
                self.controller.metrics.received(self.source.as_str(), messages.len());
                messages
            }
            Err(error) => {
                self.controller.metrics.receive_failed(self.source.as_str());
                error!(
                    error = &error as &dyn std::error::Error,
                    queue = self.source.as_str(),
                    "failed to receive; tried again"
                );
                self.controller.clock.sleep(REST_AFTER_FAILURE).await;
                Vec::new()
            }
        }
    }

    async fn deal_with(&self, message: Message<<P::Queue as Queue>::Receipt>) {
        let outcome = self.hidden_while(&message, self.handle(&message)).await;
        let source = self.source.as_str();
        match outcome {
            Ok(outcome) => {
                self.controller.metrics.message(source, outcome.as_str());
                self.log_outcome(&message.attributes, &outcome);
                self.finish(&message, &outcome).await;
            }
            Err(WorkError::Draining) => {
                self.controller.metrics.message(source, "handed-back");
                self.hand_back(&message, SignedDuration::ZERO).await;
            }
            Err(error @ (WorkError::Port(_) | WorkError::Store(_))) => {
                self.controller.metrics.message(source, "failed");
                error!(
                    error = &error as &dyn std::error::Error,
                    queue = source,
                    message.id = delivery(&message.attributes),
                    receive_count = message.receive_count,
                    "failed to deal with a message; it comes again"
                );
                let wait = backoff::wait_step(message.receive_count, self.controller.jitter());
                self.hand_back(&message, wait).await;
            }
        }
    }

    async fn handle(
        &self,
        message: &Message<<P::Queue as Queue>::Receipt>,
    ) -> Result<Outcome, WorkError> {
        match &self.source {
            Source::Webhooks(secrets) => {
                self.controller.webhook(secrets, &message.body, &message.attributes).await
            }
            Source::Ec2Events => self.controller.ec2_event(&message.body).await,
        }
    }

    /// Keeps the message hidden for as long as it is under way.
    async fn hidden_while<T>(
        &self,
        message: &Message<<P::Queue as Queue>::Receipt>,
        work: impl Future<Output = T>,
    ) -> T {
        let renew = async {
            loop {
                self.controller.clock.sleep(HIDDEN_FOR / 3).await;
                self.hand_back(message, HIDDEN_FOR).await;
            }
        };
        tokio::select! {
            done = work => done,
            () = renew => std::future::pending().await,
        }
    }

    async fn finish(&self, message: &Message<<P::Queue as Queue>::Receipt>, outcome: &Outcome) {
        if let Outcome::Unparsable { .. } = outcome
            && !self.bury(message).await
        {
            return;
        }
        if let Err(error) = self.queue.delete(&message.receipt).await {
            // It comes again and finds the state that its first sight left.
            warn!(
                error = &error as &dyn std::error::Error,
                queue = self.source.as_str(),
                "failed to delete a message that was dealt with; it comes again, harmlessly"
            );
        }
    }

    /// Whether the message may be deleted: it lies in the dead-letter queue, or there is none.
    async fn bury(&self, message: &Message<<P::Queue as Queue>::Receipt>) -> bool {
        let Some(dead_letters) = &self.dead_letters else { return true };
        match dead_letters.send(&message.body, &message.attributes).await {
            Ok(()) => true,
            Err(error) => {
                error!(
                    error = &error as &dyn std::error::Error,
                    queue = self.source.as_str(),
                    "failed to send an unreadable message to the dead-letter queue; it comes again"
                );
                false
            }
        }
    }

    async fn hand_back(
        &self,
        message: &Message<<P::Queue as Queue>::Receipt>,
        hidden_for: SignedDuration,
    ) {
        let visibility = Duration::try_from(hidden_for).unwrap_or_default();
        if let Err(error) = self.queue.hide(&message.receipt, visibility).await {
            warn!(
                error = &error as &dyn std::error::Error,
                queue = self.source.as_str(),
                "failed to change how long a message is hidden"
            );
        }
    }

    fn log_outcome(&self, attributes: &BTreeMap<String, String>, outcome: &Outcome) {
        let queue = self.source.as_str();
        let id = delivery(attributes);
        match outcome {
            Outcome::Forged(forgery) => warn!(
                queue,
                message.id = id,
                ?forgery,
                "a webhook was not believed; if it is GitHub's, the webhook secret differs from the App's"
            ),
            Outcome::Unparsable { problem } => warn!(
                queue,
                message.id = id,
                problem,
                "a message cannot be read"
            ),
            Outcome::Ignored(reason) => info!(
                queue,
                message.id = id,
                ?reason,
                "a message asks for nothing"
            ),
            Outcome::Settled(_)
            | Outcome::Awaiting
            | Outcome::RunDue
            | Outcome::LaunchDue
            | Outcome::LaunchRefused(_)
            | Outcome::EvidenceStored => {
                info!(queue, message.id = id, outcome = outcome.as_str(), "a message was dealt with");
            }
        }
    }
}

fn delivery(attributes: &BTreeMap<String, String>) -> &str {
    attributes.get(signature::DELIVERY).map_or("", String::as_str)
}

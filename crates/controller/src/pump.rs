//! From a queue to the handlers: long polls, bounded concurrency, visibility, acknowledgement.
//!
//! A message is deleted only after its outcome is durable. Handing back, never losing, is what
//! happens to everything else: a failure outside, a crash, the end of the process.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use reprise_engine::{backoff, mutant};
use reprise_model::reason::IgnoreReason;
use secrecy::SecretString;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tracing::{debug, error, info, warn};

use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::intake::{Letter, Outcome, signature};
use crate::logging::chain;
use crate::panics::{Panicked, caught};
use crate::ports::{Message, PortError, Ports, Queue};
use crate::together::together;

/// How long a message is hidden from others with each renewal; renewed at a third of that.
const HIDDEN_FOR: SignedDuration = SignedDuration::from_secs(60);

/// The first renewal comes sooner: until then the message is hidden by the queue's own setting,
/// which may be shorter. Most messages are done long before.
const FIRST_RENEWAL: SignedDuration = SignedDuration::from_secs(5);

/// The first renewal while a deletion waits for company: after that wait, so that the usual deletion
/// needs none, and before 27 seconds have passed since the message was received (it was renewed after
/// five, if it took longer than that). The queue's own setting is 30 seconds where nobody changed it.
const DELETION_RENEWAL: SignedDuration = SignedDuration::from_secs(22);

/// The long poll of one receive call: SQS's longest.
const POLL: Duration = Duration::from_secs(20);

/// The most messages that SQS gives in one call.
const MOST: usize = 10;

/// A pause after a receive call that brought some messages but not as many as it could, so that the
/// next one brings several. Nobody notices it: a second is what a re-run may wait.
const REST_AFTER_A_FEW: SignedDuration = SignedDuration::from_millis(200);

/// A pause after a receive call that failed.
const REST_AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(2);

/// How long after the end was asked for an open poll is still listened to. What it brings is handed
/// back; dropped unheard, it would stay hidden for as long as the queue says.
const LAST_ANSWER_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// How long after the end was asked for a message may still be under way. It is handed back then,
/// while there is time for that. Two seconds more than a claim has, which is let go first.
const FINISH_WITHIN: SignedDuration = SignedDuration::from_secs(17);

/// What a queue's messages are. Only its place in configuration tells, never a body.
#[derive(Debug)]
pub enum Source {
    /// GitHub webhooks, signed with one of these secrets.
    Webhooks(Vec<SecretString>),
    /// EC2 events by EventBridge.
    Ec2Events,
}

impl Source {
    /// The word for logs and metrics.
    pub fn as_str(&self) -> &'static str {
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
    /// place for up to a minute, a queued job's until EC2 has answered.
    pub at_once: usize,
}

type Handled<'a> = Pin<Box<dyn Future<Output = Result<Outcome, WorkError>> + Send + 'a>>;

pub(crate) type Received<P> = Message<<<P as Ports>::Queue as Queue>::Receipt>;

impl<P: Ports> Pump<P> {
    /// Receives until the controller drains, then waits for what is under way.
    pub async fn run(self, pollers: usize) {
        let pump = Arc::new(self);
        let places = Arc::new(Semaphore::new(pump.at_once));
        let polls = (0..pollers).map(|_| Arc::clone(&pump).poll(Arc::clone(&places)));
        tokio::join!(together(polls), pump.hurry_at_the_end());
    }

    /// The end waits for its deletions, so they wait for nobody then.
    async fn hurry_at_the_end(&self) {
        self.controller.draining.begun().await;
        self.queue.hurry();
    }

    async fn poll(self: Arc<Self>, places: Arc<Semaphore>) {
        let mut under_way = JoinSet::new();
        // The first call does not wait, so that readiness is known at once.
        let mut wait = Duration::ZERO;
        while let Some(mut places) = self.free_places(&places).await {
            let asked = places.num_permits();
            let Some(messages) = self.receive(asked, wait).await else {
                break;
            };
            wait = POLL;
            let a_few = (1..asked).contains(&messages.len());
            for message in messages {
                let pump = Arc::clone(&self);
                // A queue that gives more than it was asked for is served all the same.
                let place = places.split(1);
                under_way.spawn(async move {
                    pump.deal_with(message).await;
                    drop(place);
                });
            }
            // Others may have the rest of the places meanwhile.
            drop(places);
            while under_way.try_join_next().is_some() {}
            if a_few {
                self.rest(REST_AFTER_A_FEW).await;
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// As many places as one call can fill; waits for the first. No message is taken without one:
    /// others could serve it. `None` when the end has begun.
    async fn free_places(&self, places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let mut held = tokio::select! {
            biased;
            () = self.controller.draining.begun() => None,
            place = Arc::clone(places).acquire_owned() => place.ok(),
        }?;
        while held.num_permits() < MOST
            && let Ok(more) = Arc::clone(places).try_acquire_owned()
        {
            held.merge(more);
        }
        Some(held)
    }

    /// One receive call, heard to its end. `None` when the end has begun and no answer came.
    async fn receive(&self, most: usize, wait: Duration) -> Option<Vec<Received<P>>> {
        let answer = tokio::select! {
            // What was received is hidden from others, so it is heard whenever it came.
            biased;
            answer = self.queue.receive(most, wait) => answer,
            () = self.controller.draining_for(LAST_ANSWER_WITHIN) => return None,
        };
        let (controller, source) = (&self.controller, self.source.as_str());
        match answer {
            Ok(messages) => {
                controller.queue_answered(source, &messages);
                Some(messages)
            }
            Err(error) => {
                controller.health.silent(source);
                controller.metrics.receive_failed(source);
                error!(error = %chain(&error), queue = source, "failed to receive; tried again");
                self.rest(REST_AFTER_FAILURE).await;
                Some(Vec::new())
            }
        }
    }

    /// Not into the end.
    async fn rest(&self, pause: SignedDuration) {
        tokio::select! {
            biased;
            () = self.controller.draining.begun() => {}
            () = self.controller.clock.sleep(pause) => {}
        }
    }

    async fn deal_with(&self, mut message: Received<P>) {
        let source = self.source.as_str();
        mutant!(AcknowledgeFirst => self.acknowledge(&message).await);
        match self.outcome(&mut message).await {
            Ok(outcome) => {
                self.controller.metrics.message(source, outcome.as_str());
                self.log_outcome(&message, &outcome);
                self.finish(&message, &outcome).await;
            }
            Err(WorkError::Draining) => {
                self.controller.metrics.message(source, "handed-back");
                self.hide(&message, SignedDuration::ZERO).await;
            }
            Err(WorkError::Port(error)) if error.is_throttled() => {
                self.controller.metrics.message(source, "put-off");
                // A limit is told by whoever keeps it; thousands of messages may meet the same one.
                debug!(
                    error = %chain(&error),
                    queue = source,
                    message.id = message.id,
                    webhook.delivery = delivery(&message),
                    "a message waits for its turn"
                );
                self.hand_back(&message, error.retry_after).await;
            }
            Err(error @ (WorkError::Port(_) | WorkError::Store(_) | WorkError::Panicked(_))) => {
                self.controller.metrics.message(source, "failed");
                error!(
                    error = %chain(&error),
                    queue = source,
                    message.id = message.id,
                    webhook.delivery = delivery(&message),
                    receive_count = message.receive_count,
                    "failed to deal with a message; it comes again"
                );
                self.hand_back(&message, error.retry_after()).await;
            }
        }
    }

    /// Hidden as long as it is worked on, which is not begun and not gone on with past the end.
    async fn outcome(&self, message: &mut Received<P>) -> Result<Outcome, WorkError> {
        if self.controller.draining.has_begun() {
            return Err(WorkError::Draining);
        }
        let letter = match caught(async { self.read(message) }).await {
            Ok(Ok(letter)) => letter,
            Ok(Err(outcome)) => return Ok(outcome),
            Err(Panicked(words)) => return Err(WorkError::Panicked(words)),
        };
        // Only what cannot be read is sent on as it came.
        message.body = String::new();
        let handled = self.hidden_while(message, FIRST_RENEWAL, caught(self.handle(letter)));
        tokio::select! {
            // What is done is done, and would only be done again.
            biased;
            handled = handled => handled.unwrap_or_else(|Panicked(words)| {
                Err(WorkError::Panicked(words))
            }),
            () = self.controller.draining_for(FINISH_WITHIN) => Err(WorkError::Draining),
        }
    }

    /// What a message says, and not what it looks like: that its queue says.
    fn read(&self, message: &Received<P>) -> Result<Letter, Outcome> {
        match &self.source {
            Source::Webhooks(secrets) => {
                mutant!(BelieveTheBody => if let Ok(letter) = Letter::ec2_event(&message.body) {
                    return Ok(letter);
                });
                let metrics = &self.controller.metrics;
                Letter::webhook(secrets, &message.body, &message.attributes, |secret| {
                    metrics.signed_with(secret.as_str());
                })
            }
            Source::Ec2Events => Letter::ec2_event(&message.body),
        }
    }

    /// Boxed, so that only this one need know which of the two it is.
    fn handle(&self, letter: Letter) -> Handled<'_> {
        match letter {
            Letter::Webhook(webhook) => Box::pin(self.controller.webhook(webhook)),
            Letter::Ec2Event(event) => Box::pin(self.controller.ec2_event(event)),
        }
    }

    async fn hidden_while<T>(
        &self,
        message: &Received<P>,
        first_renewal: SignedDuration,
        work: impl Future<Output = T>,
    ) -> T {
        tokio::select! {
            biased;
            done = work => done,
            never = self.keep_hidden(message, first_renewal) => match never {},
        }
    }

    async fn keep_hidden(&self, message: &Received<P>, mut pause: SignedDuration) -> Infallible {
        loop {
            self.controller.clock.sleep(pause).await;
            self.hide(message, HIDDEN_FOR).await;
            pause = HIDDEN_FOR / 3;
        }
    }

    async fn finish(&self, message: &Received<P>, outcome: &Outcome) {
        if let Outcome::Unparsable { .. } = outcome
            && !self.bury(message).await
        {
            self.hand_back(message, None).await;
            return;
        }
        // Nothing waits for a message that is only still to be deleted.
        self.controller
            .message_done(self.source.as_str(), &message.id);
        if let Err(error) = self.delete(message).await {
            // It comes again and finds the state that its first sight left.
            warn!(
                error = %chain(&error),
                queue = self.source.as_str(),
                "failed to delete a message that was dealt with; it comes again, harmlessly"
            );
        }
    }

    async fn delete(&self, message: &Received<P>) -> Result<(), PortError> {
        let deletion = self.queue.delete(&message.receipt);
        self.hidden_while(message, DELETION_RENEWAL, deletion).await
    }

    /// Whether the message may be deleted: it lies in the dead-letter queue, or there is none.
    async fn bury(&self, message: &Received<P>) -> bool {
        let Some(dead_letters) = &self.dead_letters else {
            return true;
        };
        match dead_letters.send(&message.body, &message.attributes).await {
            Ok(()) => true,
            Err(error) => {
                error!(
                    error = %chain(&error),
                    queue = self.source.as_str(),
                    "failed to send an unreadable message to the dead-letter queue; it comes again"
                );
                false
            }
        }
    }

    /// It comes again, later each time. The queue's own limit of deliveries ends that, in the
    /// dead-letter queue.
    async fn hand_back(&self, message: &Received<P>, retry_after: Option<SignedDuration>) {
        let tries = message.receive_count.saturating_sub(1);
        let wait = backoff::wait_step(tries, self.controller.jitter());
        mutant!(DropWhatFailed => return self.acknowledge(message).await);
        let wait = wait.max(retry_after.unwrap_or_default());
        let again_at = backoff::after(self.controller.now(), wait);
        self.controller
            .message_back(self.source.as_str(), &message.id, again_at);
        self.hide(message, wait).await;
    }

    async fn hide(&self, message: &Received<P>, hidden_for: SignedDuration) {
        let visibility = Duration::try_from(hidden_for).unwrap_or_default();
        if let Err(error) = self.queue.hide(&message.receipt, visibility).await {
            warn!(
                error = %chain(&error),
                queue = self.source.as_str(),
                "failed to change how long a message is hidden"
            );
        }
    }

    fn log_outcome(&self, message: &Received<P>, outcome: &Outcome) {
        let (queue, outcome_word) = (self.source.as_str(), outcome.as_str());
        // The first finds a message in its dead-letter queue, the second among GitHub's deliveries.
        let (id, delivery) = (message.id.as_str(), delivery(message));
        debug!(
            target: "reprise::decision",
            decision = "message",
            reason = outcome_word,
            queue,
            message.id = id,
            webhook.delivery = delivery,
            "a message has its outcome"
        );
        match outcome {
            Outcome::Forged(_) => warn!(
                queue,
                message.id = id,
                webhook.delivery = delivery,
                outcome = outcome_word,
                "a webhook was not believed; if it is GitHub's, the webhook secret differs from the App's"
            ),
            Outcome::Unparsable { problem } => warn!(
                queue,
                message.id = id,
                webhook.delivery = delivery,
                outcome = outcome_word,
                problem,
                "a message cannot be read"
            ),
            Outcome::Ignored(reason) if is_routine(*reason) => {}
            // What was decided says it, with the job's or the instance's name.
            Outcome::Settled(_)
            | Outcome::Awaiting
            | Outcome::Launched
            | Outcome::LaunchDue
            | Outcome::LaunchGivenUp
            | Outcome::LaunchRefused(_)
            | Outcome::EvidenceStored
            | Outcome::Bound
            | Outcome::GateOpened => {}
            Outcome::Ignored(_) | Outcome::Looking | Outcome::RunDue => {
                info!(
                    queue,
                    message.id = id,
                    webhook.delivery = delivery,
                    outcome = outcome_word,
                    "a message was dealt with"
                );
            }
        }
    }
}

/// Most messages of a busy organisation: they say nothing about anybody's set-up.
fn is_routine(reason: IgnoreReason) -> bool {
    match reason {
        IgnoreReason::NothingToDecide
        | IgnoreReason::NothingAwaited
        | IgnoreReason::NotForUs
        | IgnoreReason::NoRunner
        | IgnoreReason::FleetDisabled
        | IgnoreReason::CarriedOver => true,
        IgnoreReason::RunnerNameWithoutInstance
        | IgnoreReason::ForeignInstance
        | IgnoreReason::NotOurStack
        | IgnoreReason::OtherRepository
        | IgnoreReason::RepositoryNotAllowed
        | IgnoreReason::AlreadyClaimed => false,
    }
}

/// GitHub's own id; other messages have none.
fn delivery<R>(message: &Message<R>) -> Option<&str> {
    let delivery = message.attributes.get(signature::DELIVERY);
    delivery.map(String::as_str)
}

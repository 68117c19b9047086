//! What `/metrics` shows of the queues: how old their oldest messages are, and how many they hold.
//!
//! The ages come of what is received anyway ([`reprise_engine::queue_age`]). The numbers are asked for by one loop,
//! at its own pace ([`reprise_engine::queue_depth`]); where SQS does not tell them, they are not shown, and nothing
//! else changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use reprise_engine::queue_age::QueueAge;
use reprise_engine::queue_depth::{ASKED_EVERY, QueueDepth, Told, Untold};
use tracing::{debug, warn};

use crate::clock::Clock;
use crate::context::Controller;
use crate::logging::chain;
use crate::ports::{PortError, PortErrorKind, Ports, Queue};
use crate::pump::{Pump, Received};

/// What is known of the messages of each queue that is received from.
#[derive(Debug, Default)]
pub(crate) struct QueueAges(Mutex<BTreeMap<&'static str, QueueAge>>);

impl QueueAges {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, QueueAge>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, queue: &'static str, note: impl FnOnce(&mut QueueAge)) {
        if let Some(age) = self.lock().get_mut(queue) {
            note(age);
        }
    }
}

impl<P: Ports> Controller<P> {
    /// A queue is received from, from now on.
    pub(crate) fn reads_queue(&self, queue: &'static str) {
        self.health.silent(queue);
        self.metrics.reads_queue(queue);
        let age = QueueAge::new(self.now());
        self.queue_ages.lock().insert(queue, age);
    }

    /// A receive call was answered.
    pub(crate) fn queue_answered(&self, queue: &'static str, messages: &[Received<P>]) {
        self.health.answered(queue);
        self.metrics.received(queue, messages.len());
        let sent = messages
            .iter()
            .filter_map(|message| Some((message.id.as_str(), message.sent_at?)));
        let now = self.now();
        self.queue_ages.of(queue, |age| age.answered(sent, now));
    }

    /// A message was dealt with.
    pub(crate) fn message_done(&self, queue: &'static str, id: &str) {
        self.queue_ages.of(queue, |age| age.done(id));
    }

    /// A message comes again, at that time at the earliest.
    pub(crate) fn message_back(&self, queue: &'static str, id: &str, again_at: Timestamp) {
        self.queue_ages
            .of(queue, |age| age.handed_back(id, again_at));
    }

    /// The ages as `/metrics` shows them.
    pub(crate) fn show_queue_ages(&self) {
        let now = self.now();
        for (queue, age) in self.queue_ages.lock().iter() {
            self.metrics.queue_age(queue, age.age(now));
        }
    }

    async fn count_again_and_again(&self, queues: &mut [Counted<P>]) {
        loop {
            for one in queues.iter_mut() {
                self.count(one).await;
            }
            self.clock.sleep(ASKED_EVERY).await;
        }
    }

    async fn count(&self, one: &mut Counted<P>) {
        if !one.depth.is_asked(self.now()) {
            return;
        }
        match one.queue.counts().await {
            Ok(counts) => {
                one.depth.answered();
                match one.what {
                    What::Messages => self.metrics.queue_holds(one.name, &counts),
                    What::DeadLetters => self.metrics.dead_letters(one.name, &counts),
                }
            }
            Err(error) => {
                // What was seen last may be long over.
                match one.what {
                    What::Messages => self.metrics.queue_untold(one.name),
                    What::DeadLetters => self.metrics.dead_letters_untold(one.name),
                }
                let told = one.depth.unanswered(untold(&error), self.now());
                one.tell(&error, told);
            }
        }
    }
}

/// A queue whose messages are counted.
pub(crate) struct Counted<P: Ports> {
    /// The word for it in logs and metrics.
    name: &'static str,
    what: What,
    queue: Arc<P::Queue>,
    depth: QueueDepth,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Messages,
    DeadLetters,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::DeadLetters => "dead letters",
        }
    }
}

impl<P: Ports> Counted<P> {
    /// A queue that is received from, and its dead-letter queue.
    pub(crate) fn of(pump: &Pump<P>) -> impl Iterator<Item = Self> + use<P> {
        let name = pump.source.as_str();
        let dead = pump.dead_letters.clone();
        let all = [
            Some((What::Messages, Arc::clone(&pump.queue))),
            dead.map(|queue| (What::DeadLetters, queue)),
        ];
        all.into_iter().flatten().map(move |(what, queue)| Self {
            name,
            what,
            queue,
            depth: QueueDepth::default(),
        })
    }

    fn tell(&self, error: &PortError, told: Told) {
        let (queue, what, error) = (self.name, self.what.as_str(), chain(error));
        match told {
            Told::Aloud => warn!(
                error = %error,
                queue,
                queue.holds = what,
                "SQS does not tell how many messages a queue holds, so /metrics does not show it; \
                 may the role call sqs:GetQueueAttributes on it? Nothing else depends on it"
            ),
            Told::Quietly => debug!(
                error = %error,
                queue,
                queue.holds = what,
                "failed to count a queue's messages; tried again"
            ),
        }
    }
}

/// Counts until the controller drains.
pub(crate) async fn run_counts<P: Ports>(
    controller: Arc<Controller<P>>,
    mut queues: Vec<Counted<P>>,
) {
    tokio::select! {
        biased;
        () = controller.draining.begun() => {}
        () = controller.count_again_and_again(&mut queues) => {}
    }
}

fn untold(error: &PortError) -> Untold {
    match error.kind {
        PortErrorKind::Denied | PortErrorKind::NotFound => Untold::Denied,
        PortErrorKind::Passing | PortErrorKind::Throttled => Untold::Passing,
    }
}

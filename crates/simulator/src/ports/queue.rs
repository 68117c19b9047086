//! A queue of the simulated SQS, as a replica reaches it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reprise_controller::ports::{Message, PortError, Queue, QueueCounts};
use reprise_world::sqs::{AttributeValue, MessageAttribute, NewMessage, Received};

use super::{Wire, passing};

/// How long one way usually takes at most.
const USUAL: SignedDuration = SignedDuration::from_millis(40);

/// A poll looks again so soon at the earliest.
const TICK: SignedDuration = SignedDuration::from_millis(1);

/// A queue.
#[derive(Clone)]
pub struct SimQueue {
    /// How the replica reaches it.
    pub wire: Wire,
    /// Its name.
    pub name: String,
}

impl SimQueue {
    /// The messages that are there, and when to look again.
    fn take(&self, most: usize) -> (Vec<Received>, Option<Timestamp>) {
        self.wire.universe.look(|world, now| {
            let sqs = world.sqs_mut(now);
            let received = sqs.receive(now, &self.name, most, None);
            (
                received.unwrap_or_default(),
                sqs.next_visible_at(&self.name),
            )
        })
    }

    /// A long poll.
    async fn poll(&self, most: usize, wait: Duration) -> Vec<Received> {
        let universe = &self.wire.universe;
        let wait = SignedDuration::try_from(wait).unwrap_or_default();
        let end = universe.now() + wait;
        loop {
            let mail = universe.mail();
            let (received, next) = self.take(most.min(10));
            let now = universe.now();
            if !received.is_empty() || now >= end {
                return received;
            }
            let again = next.map_or(end, |next| next.clamp(now + TICK, end.max(now + TICK)));
            tokio::select! {
                biased;
                () = mail => {}
                () = universe.clock.pause_until(again) => {}
            }
            self.wire.life.goes_on().await;
        }
    }

    /// At least once: some messages stay visible to others.
    fn show_again(&self, received: &[Received]) {
        let universe = &self.wire.universe;
        for message in received {
            if universe.hits(universe.rates().sqs.received_twice) {
                self.wire.fault("a message is received twice");
                let receipt = &message.receipt;
                universe.look(|world, now| {
                    let sqs = world.sqs_mut(now);
                    let zero = SignedDuration::ZERO;
                    // Whether the queue still knows the message makes no difference here.
                    let _ = sqs.change_visibility(now, &self.name, receipt, zero);
                });
                universe.mail_came();
            }
        }
    }

    /// A call that fails, or whose answer is lost, as often as the plan says.
    async fn change(
        &self,
        operation: &'static str,
        change: impl FnOnce() -> Result<(), reprise_world::sqs::SqsError>,
    ) -> Result<(), PortError> {
        let universe = &self.wire.universe;
        let rates = universe.rates().sqs;
        if universe.hits(rates.fails) {
            self.wire.fault("sqs fails");
            let fails = || Err(passing(operation, "InternalFailure"));
            return self.wire.call(USUAL, fails).await;
        }
        let changed = self.wire.call(USUAL, change).await;
        if universe.hits(rates.lost_answers) {
            self.wire.fault("sqs's answer is lost");
            return Err(passing(operation, "no answer came in time"));
        }
        changed.map_err(|_| passing(operation, "refused"))
    }
}

impl Queue for SimQueue {
    type Receipt = String;

    async fn receive(
        &self,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Message<String>>, PortError> {
        const WHAT: &str = "receive messages";
        let (wire, universe) = (&self.wire, &self.wire.universe);
        let crash = wire.begin().await;
        wire.travel(USUAL).await;
        let fails = universe.hits(universe.rates().sqs.receive_fails);
        let received = if fails && universe.throw(|dice| dice.below(2) == 0) {
            Vec::new()
        } else {
            self.poll(most, wait).await
        };
        self.show_again(&received);
        wire.end(crash, USUAL).await;
        if fails {
            wire.fault("a receive fails");
            return Err(passing(WHAT, "no answer came in time"));
        }
        Ok(received.into_iter().map(message).collect())
    }

    async fn delete(&self, receipt: &String) -> Result<(), PortError> {
        self.change("delete a message", || {
            self.wire.universe.look(|world, now| {
                let sqs = world.sqs_mut(now);
                sqs.delete(&self.name, receipt).map(|_| ())
            })
        })
        .await
    }

    /// No deletion waits for others here: what may happen meanwhile, may happen on its way.
    fn hurry(&self) {}

    async fn hide(&self, receipt: &String, visibility: Duration) -> Result<(), PortError> {
        let timeout = SignedDuration::try_from(visibility).unwrap_or_default();
        let hidden = self.change("change a message's visibility", || {
            self.wire.universe.look(|world, now| {
                let sqs = world.sqs_mut(now);
                sqs.change_visibility(now, &self.name, receipt, timeout)
            })
        });
        let hidden = hidden.await;
        self.wire.universe.mail_came();
        hidden
    }

    /// Nothing is decided by it, so that nothing is gained by its failures: it takes none of the dice.
    async fn counts(&self) -> Result<QueueCounts, PortError> {
        let counts = self.wire.universe.look(|world, now| {
            let sqs = world.sqs_mut(now);
            sqs.counts(now, &self.name)
        });
        let counts = counts.map_err(|_| passing("count a queue's messages", "refused"))?;
        Ok(QueueCounts {
            waiting: counts.visible as u64,
            hidden: (counts.in_flight + counts.delayed) as u64,
        })
    }

    async fn send(
        &self,
        body: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        let attributes = attributes.iter().map(|(name, text)| {
            let value = AttributeValue::Text(text.clone());
            let data_type = "String".to_owned();
            (name.clone(), MessageAttribute { data_type, value })
        });
        let message = NewMessage {
            attributes: attributes.collect(),
            ..NewMessage::from(body)
        };
        self.change("send a message", || {
            self.wire.universe.look(|world, now| {
                let sqs = world.sqs_mut(now);
                sqs.send(now, &self.name, message).map(|_| ())
            })
        })
        .await
    }
}

fn message(received: Received) -> Message<String> {
    let texts = received.attributes.into_iter();
    let texts = texts.filter_map(|(name, attribute)| match attribute.value {
        AttributeValue::Text(text) => Some((name, text)),
        AttributeValue::Binary(_) => None,
    });
    Message {
        id: received.id,
        body: received.body,
        attributes: texts.collect(),
        receipt: received.receipt,
        receive_count: received.receive_count,
        sent_at: Some(received.sent_at),
    }
}

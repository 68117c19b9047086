//! SQS: messages that are hidden while somebody has them, and come back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use reprise_controller::ports::{Message, PortError, PortErrorKind, Queue, QueueCounts};
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use super::clock::TestClock;
use super::{failure, passing};

/// How long the queue itself hides a message that was received.
const VISIBILITY: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub(crate) struct FakeQueue {
    clock: TestClock,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    hurried: Arc<watch::Sender<bool>>,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Stored>,
    numbers: u64,
    broken: bool,
    /// The most messages that were hidden at once.
    most_hidden: usize,
    /// How many calls brought messages.
    brought: usize,
    /// How often somebody changed how long a message is hidden.
    renewals: usize,
    /// How long a deletion takes.
    deletion: Duration,
    /// How long it waits for company before that.
    window: Duration,
    /// How many messages were sent.
    sent: u64,
    /// Whether it tells nobody how many messages it holds.
    denies_counts: bool,
    /// How often it was asked that.
    counted: usize,
}

#[derive(Debug, Clone)]
struct Stored {
    id: String,
    sent_at: Timestamp,
    body: String,
    attributes: BTreeMap<String, String>,
    hidden_until: Option<Instant>,
    received: u32,
    receipt: u64,
}

impl FakeQueue {
    pub(crate) fn new(clock: TestClock) -> Self {
        Self {
            clock,
            state: Arc::default(),
            changed: Arc::default(),
            hurried: Arc::default(),
        }
    }

    /// From now on nobody has the right to count its messages, or everybody has.
    pub(crate) fn deny_counts(&self, denies: bool) {
        self.lock().denies_counts = denies;
    }

    /// How often somebody asked how many messages it holds.
    pub(crate) fn counted(&self) -> usize {
        self.lock().counted
    }

    /// The bodies of all messages, hidden ones included.
    pub(crate) fn bodies(&self) -> Vec<String> {
        let state = self.lock();
        state
            .messages
            .iter()
            .map(|message| message.body.clone())
            .collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().messages.is_empty()
    }

    /// How many messages could be received now.
    pub(crate) fn visible(&self) -> usize {
        let now = Instant::now();
        self.lock()
            .messages
            .iter()
            .filter(|message| message.is_visible(now))
            .count()
    }

    /// How often the only message was received.
    pub(crate) fn receives(&self) -> u32 {
        let state = self.lock();
        assert_eq!(state.messages.len(), 1);
        state.messages[0].received
    }

    pub(crate) fn most_hidden(&self) -> usize {
        self.lock().most_hidden
    }

    /// How many receive calls brought messages.
    pub(crate) fn brought(&self) -> usize {
        self.lock().brought
    }

    /// How often somebody changed how long a message is hidden.
    pub(crate) fn renewals(&self) -> usize {
        self.lock().renewals
    }

    /// From now on a deletion takes so long.
    pub(crate) fn slow_down_deletions(&self, deletion: Duration) {
        self.lock().deletion = deletion;
    }

    /// From now on a deletion waits so long for company.
    pub(crate) fn gather_deletions(&self, window: Duration) {
        self.lock().window = window;
    }

    #[expect(clippy::disallowed_methods, reason = "the fake's own virtual time")]
    async fn company(&self) {
        let window = self.lock().window;
        let mut hurried = self.hurried.subscribe();
        tokio::select! {
            biased;
            _ = hurried.wait_for(|hurried| *hurried) => {}
            () = tokio::time::sleep(window) => {}
        }
    }

    /// Loses all its messages.
    pub(crate) fn purge(&self) {
        self.lock().messages.clear();
    }

    /// The queue answers nobody, or does again.
    pub(crate) fn break_down(&self, broken: bool) {
        self.lock().broken = broken;
        self.changed.notify_waiters();
    }

    pub(crate) fn put(&self, body: &str, attributes: BTreeMap<String, String>) {
        let mut state = self.lock();
        state.sent += 1;
        let id = format!("message-{}", state.sent);
        state.messages.push(Stored {
            id,
            sent_at: self.clock.time(),
            body: body.to_owned(),
            attributes,
            hidden_until: None,
            received: 0,
            receipt: 0,
        });
        drop(state);
        self.changed.notify_waiters();
    }

    fn take(&self, most: usize) -> Result<Vec<Message<u64>>, PortError> {
        let now = Instant::now();
        let mut state = self.lock();
        if state.broken {
            return Err(passing("receive messages"));
        }
        let mut numbers = state.numbers;
        let visible = state
            .messages
            .iter_mut()
            .filter(|message| message.is_visible(now));
        let taken: Vec<Message<u64>> = visible
            .take(most)
            .map(|message| {
                numbers += 1;
                message.receipt = numbers;
                message.received += 1;
                message.hidden_until = Some(now + VISIBILITY);
                message.as_received()
            })
            .collect();
        state.numbers = numbers;
        state.brought += usize::from(!taken.is_empty());
        let hidden = state
            .messages
            .iter()
            .filter(|message| !message.is_visible(now))
            .count();
        state.most_hidden = state.most_hidden.max(hidden);
        Ok(taken)
    }

    #[expect(clippy::disallowed_methods, reason = "the fake's own virtual time")]
    async fn poll(&self, most: usize, wait: Duration) -> Result<Vec<Message<u64>>, PortError> {
        let deadline = Instant::now() + wait;
        loop {
            let changed = self.changed.notified();
            let taken = self.take(most)?;
            let now = Instant::now();
            if !taken.is_empty() || now >= deadline {
                return Ok(taken);
            }
            let next = self
                .next_visible()
                .filter(|next| *next > now)
                .unwrap_or(deadline);
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(next.min(deadline)) => {}
            }
        }
    }

    fn next_visible(&self) -> Option<Instant> {
        let state = self.lock();
        state
            .messages
            .iter()
            .filter_map(|message| message.hidden_until)
            .min()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }
}

impl Stored {
    fn is_visible(&self, now: Instant) -> bool {
        self.hidden_until.is_none_or(|until| until <= now)
    }

    fn as_received(&self) -> Message<u64> {
        Message {
            id: self.id.clone(),
            body: self.body.clone(),
            attributes: self.attributes.clone(),
            receipt: self.receipt,
            receive_count: self.received,
            sent_at: Some(self.sent_at),
        }
    }
}

impl Queue for FakeQueue {
    type Receipt = u64;

    /// The queue's side of a call goes on when the caller is gone: what it hands out then is heard
    /// by nobody, and hidden all the same.
    async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<Message<u64>>, PortError> {
        let (answer, answered) = oneshot::channel();
        let queue = self.clone();
        tokio::spawn(async move { answer.send(queue.poll(most, wait).await) });
        answered.await.expect("the queue answers")
    }

    #[expect(clippy::disallowed_methods, reason = "the fake's own virtual time")]
    async fn delete(&self, receipt: &u64) -> Result<(), PortError> {
        self.company().await;
        let deletion = self.lock().deletion;
        if !deletion.is_zero() {
            tokio::time::sleep(deletion).await;
        }
        self.lock()
            .messages
            .retain(|message| message.receipt != *receipt);
        Ok(())
    }

    fn hurry(&self) {
        self.hurried.send_replace(true);
    }

    async fn hide(&self, receipt: &u64, visibility: Duration) -> Result<(), PortError> {
        let until = Instant::now() + visibility;
        let mut state = self.lock();
        state.renewals += 1;
        let held = state
            .messages
            .iter_mut()
            .find(|message| message.receipt == *receipt);
        if let Some(message) = held {
            message.hidden_until = Some(until);
        }
        drop(state);
        self.changed.notify_waiters();
        Ok(())
    }

    async fn counts(&self) -> Result<QueueCounts, PortError> {
        let waiting = self.visible() as u64;
        let mut state = self.lock();
        state.counted += 1;
        if state.denies_counts {
            return Err(failure("count messages", PortErrorKind::Denied, None));
        }
        Ok(QueueCounts {
            waiting,
            hidden: state.messages.len() as u64 - waiting,
        })
    }

    async fn send(
        &self,
        body: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        if self.lock().broken {
            return Err(passing("send a message"));
        }
        self.put(body, attributes.clone());
        Ok(())
    }
}

//! An SQS queue: receive, delete, extend, send, count.
//!
//! It does not read bodies and keeps nothing: whether a message is done is the caller's word.

mod attributes;
mod batch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder;
use aws_sdk_sqs::types::{
    Message as SqsMessage, MessageAttributeValue, MessageSystemAttributeName as System,
    QueueAttributeName as Attribute,
};
use jiff::Timestamp;
use reprise_model::ids::Region;
use tokio::sync::watch;

use crate::batcher::{Batcher, Shape, Unanswered};
use crate::connect;
use crate::error::{CallError, SqsError};

pub use attributes::QueueAttributes;

/// SQS takes ten entries in a call. As many calls as there may be pollers run at once, since round
/// trips bound a consumer's throughput.
const ENTRIES: Shape = Shape {
    most: 10,
    window: SqsQueue::SHORT_WINDOW,
    in_flight: 16,
};

/// The longest wait that SQS knows.
const LONGEST_POLL: Duration = Duration::from_secs(20);

/// What a poll may take beyond its wait.
const POLL_MARGIN: Duration = Duration::from_secs(10);

/// The longest visibility time-out that SQS knows: twelve hours.
const LONGEST_VISIBILITY: u64 = 43_200;

const RECEIVE: &str = "receive messages";
const SEND: &str = "send a message";
const COUNT: &str = "count the messages";
const ATTRIBUTES: &str = "read a queue's attributes";

/// A queue; a clone is the same queue.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    url: String,
    client: Client,
    /// The same service with time for a long poll.
    poller: Client,
    deletions: Batcher<Receipt, Result<(), SqsError>>,
    extensions: Batcher<(Receipt, i32), Result<(), SqsError>>,
    hurried: Arc<watch::Sender<bool>>,
}

/// What a message is deleted and extended by: this delivery of it, not the message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(String);

impl Receipt {
    /// Takes SQS's receipt handle.
    pub fn new(handle: impl Into<String>) -> Self {
        Self(handle.into())
    }

    /// The receipt handle.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A delivery of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its body, unread.
    pub body: String,
    /// Its attributes with a text value.
    pub attributes: BTreeMap<String, String>,
    /// What to delete or extend it by.
    pub receipt: Receipt,
    /// SQS's id, the same in every delivery.
    pub id: String,
    /// How often it was delivered, this time included; approximate.
    pub receive_count: u32,
    /// When it was delivered for the first time.
    pub first_received_at: Option<Timestamp>,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
}

/// How many messages a queue holds; SQS itself calls its numbers approximate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// So many could be received now.
    pub waiting: u64,
    /// So many are hidden: somebody received them, or they were sent with a delay.
    pub hidden: u64,
}

impl SqsQueue {
    /// A wait that nobody notices, in which callers of the same moment share a call.
    pub const SHORT_WINDOW: Duration = Duration::from_millis(10);

    /// Prepares a client from the usual AWS variables. It contacts nobody: a queue that is not
    /// there shows at the first call. A deletion waits up to `delete_window` for others to share
    /// its call; a call that is full waits no longer, and none waits after [`Self::hurry`].
    pub async fn connect(url: &str, region: &Region, delete_window: Duration) -> SqsQueue {
        let config = connect::base(region).await;
        let attempt = LONGEST_POLL + POLL_MARGIN;
        let patient = config
            .to_builder()
            .timeout_config(connect::timeouts(attempt, attempt * 2))
            .build();
        let client = Client::new(&config);
        let (deleting, extending) = (client.clone(), client.clone());
        let (from, of) = (url.to_owned(), url.to_owned());
        let deletions = Shape {
            window: delete_window,
            ..ENTRIES
        };
        let hurried = Arc::new(watch::Sender::new(false));
        SqsQueue {
            url: url.to_owned(),
            client,
            poller: Client::new(&patient),
            deletions: Batcher::until_hurried(deletions, hurried.subscribe(), move |receipts| {
                batch::delete(deleting.clone(), from.clone(), receipts)
            }),
            extensions: Batcher::new(ENTRIES, move |changes| {
                batch::extend(extending.clone(), of.clone(), changes)
            }),
            hurried,
        }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits up to `wait` (20 seconds at most) for up to `max` messages (10 at most). They are
    /// hidden for as long as the queue itself says.
    pub async fn receive(&self, max: u32, wait: Duration) -> Result<Vec<Message>, SqsError> {
        received(self.receiving(max, wait)).await
    }

    /// The same, and hides what it received for `visibility` (12 hours at most).
    pub async fn receive_hidden(
        &self,
        max: u32,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Message>, SqsError> {
        let request = self.receiving(max, wait);
        received(request.visibility_timeout(visibility_seconds(visibility))).await
    }

    fn receiving(&self, max: u32, wait: Duration) -> ReceiveMessageFluentBuilder {
        self.poller
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(whole(u64::from(max.clamp(1, 10))))
            .wait_time_seconds(whole(wait.min(LONGEST_POLL).as_secs()))
            .message_attribute_names("All")
            .message_system_attribute_names(System::ApproximateReceiveCount)
            .message_system_attribute_names(System::ApproximateFirstReceiveTimestamp)
            .message_system_attribute_names(System::SentTimestamp)
    }

    /// How many messages there are; a number that SQS does not tell counts as zero.
    pub async fn counts(&self) -> Result<Counts, SqsError> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(Attribute::ApproximateNumberOfMessages)
            .attribute_names(Attribute::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(Attribute::ApproximateNumberOfMessagesDelayed)
            .send()
            .await
            .map_err(|error| CallError::from_sdk(COUNT, &error))?;
        Ok(counts(
            &answer.attributes.unwrap_or_default().into_iter().collect(),
        ))
    }

    /// How it is set up, and how many messages it holds.
    pub async fn attributes(&self) -> Result<QueueAttributes, SqsError> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(Attribute::All)
            .send()
            .await
            .map_err(|error| CallError::from_sdk(ATTRIBUTES, &error))?;
        let known = answer.attributes.unwrap_or_default().into_iter().collect();
        Ok(attributes::read(&known))
    }

    /// Takes a message off the queue for good; answers when it is gone.
    pub async fn delete(&self, receipt: &Receipt) -> Result<(), SqsError> {
        let answer = self.deletions.ask(receipt.clone()).await;
        answer.unwrap_or_else(|Unanswered| Err(CallError::unanswered(batch::DELETE)))
    }

    /// From now on no deletion waits for others: those that do are sent at once.
    pub fn hurry(&self) {
        self.hurried.send_replace(true);
    }

    /// Hides a message for so long from now; zero hands it back at once.
    pub async fn extend(&self, receipt: &Receipt, visibility: Duration) -> Result<(), SqsError> {
        let change = (receipt.clone(), visibility_seconds(visibility));
        let answer = self.extensions.ask(change).await;
        answer.unwrap_or_else(|Unanswered| Err(CallError::unanswered(batch::EXTEND)))
    }

    /// Puts a message on the queue. One whose answer was lost may be there twice.
    pub async fn send(
        &self,
        body: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), SqsError> {
        let mut request = self.client.send_message();
        for (name, text) in attributes {
            let value = text_attribute(text)?;
            request = request.message_attributes(name, value);
        }
        let answer = request.queue_url(&self.url).message_body(body).send().await;
        answer
            .map(drop)
            .map_err(|error| CallError::from_sdk(SEND, &error))
    }
}

async fn received(request: ReceiveMessageFluentBuilder) -> Result<Vec<Message>, SqsError> {
    let answer = request
        .send()
        .await
        .map_err(|error| CallError::from_sdk(RECEIVE, &error))?;
    let messages = answer.messages.unwrap_or_default();
    Ok(messages.into_iter().filter_map(message).collect())
}

fn counts(attributes: &BTreeMap<Attribute, String>) -> Counts {
    let number = |name| {
        let text = attributes.get(&name);
        text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    Counts {
        waiting: number(Attribute::ApproximateNumberOfMessages),
        hidden: number(Attribute::ApproximateNumberOfMessagesNotVisible)
            .saturating_add(number(Attribute::ApproximateNumberOfMessagesDelayed)),
    }
}

/// Both bounds are far below an `i32`'s.
fn whole(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Whole seconds, rounded up: nobody's message comes back earlier than they asked for.
fn visibility_seconds(visibility: Duration) -> i32 {
    let up = u64::from(visibility.subsec_nanos() > 0);
    whole(
        visibility
            .as_secs()
            .saturating_add(up)
            .min(LONGEST_VISIBILITY),
    )
}

fn text_attribute(text: &str) -> Result<MessageAttributeValue, SqsError> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(text)
        .build()
        .map_err(|error| CallError::unbuilt(SEND, &error))
}

/// `None` for a message without a receipt: nothing could ever be done with it.
fn message(raw: SqsMessage) -> Option<Message> {
    let system = |name| raw.attributes()?.get(&name).map(String::as_str);
    let receive_count = system(System::ApproximateReceiveCount)
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    let first_received_at = system(System::ApproximateFirstReceiveTimestamp).and_then(millis);
    let sent_at = system(System::SentTimestamp).and_then(millis);
    let attributes = raw.message_attributes.unwrap_or_default();
    Some(Message {
        body: raw.body.unwrap_or_default(),
        attributes: attributes
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.string_value?)))
            .collect(),
        receipt: Receipt(raw.receipt_handle?),
        id: raw.message_id.unwrap_or_default(),
        receive_count,
        first_received_at,
        sent_at,
    })
}

fn millis(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> MessageAttributeValue {
        text_attribute(value).expect("complete")
    }

    #[test]
    fn a_message_is_read_with_its_attributes_count_and_times() {
        let raw = SqsMessage::builder()
            .body("{}")
            .message_id("m-1")
            .receipt_handle("r-1")
            .attributes(System::ApproximateReceiveCount, "3")
            .attributes(System::ApproximateFirstReceiveTimestamp, "1700000001000")
            .attributes(System::SentTimestamp, "1700000000000")
            .message_attributes("X-GitHub-Event", text("workflow_job"))
            .build();
        let expected = Message {
            body: "{}".to_owned(),
            attributes: BTreeMap::from([("X-GitHub-Event".to_owned(), "workflow_job".to_owned())]),
            receipt: Receipt::new("r-1"),
            id: "m-1".to_owned(),
            receive_count: 3,
            first_received_at: Timestamp::from_second(1_700_000_001).ok(),
            sent_at: Timestamp::from_second(1_700_000_000).ok(),
        };
        assert_eq!(message(raw), Some(expected));
    }

    #[test]
    fn a_message_without_system_attributes_is_still_delivered() {
        let raw = SqsMessage::builder().receipt_handle("r-1").build();
        let read = message(raw).expect("delivered");
        assert_eq!((read.body.as_str(), read.receive_count), ("", 1));
        assert_eq!((read.first_received_at, read.sent_at), (None, None));
    }

    #[test]
    fn what_is_received_or_delayed_counts_as_hidden_and_what_is_not_told_as_nothing() {
        let told = BTreeMap::from([
            (Attribute::ApproximateNumberOfMessages, "3".to_owned()),
            (
                Attribute::ApproximateNumberOfMessagesNotVisible,
                "4".to_owned(),
            ),
            (
                Attribute::ApproximateNumberOfMessagesDelayed,
                "5".to_owned(),
            ),
        ]);
        let expected = Counts {
            waiting: 3,
            hidden: 9,
        };
        assert_eq!(counts(&told), expected);
        assert_eq!(counts(&BTreeMap::new()), Counts::default());
    }

    #[test]
    fn a_visibility_is_rounded_up_to_seconds_and_bounded_by_twelve_hours() {
        assert_eq!(visibility_seconds(Duration::ZERO), 0);
        assert_eq!(visibility_seconds(Duration::from_millis(1)), 1);
        assert_eq!(visibility_seconds(Duration::from_secs(30)), 30);
        assert_eq!(visibility_seconds(Duration::MAX), 43_200);
    }
}

//! What every SQS must do for the controller: deliver, hide, show again, forget, give up.
//!
//! It knows nothing of the server, and waits only as a long poll waits. Each part leaves the queue
//! empty.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_aws::{FailureKind, Message, Receipt, SqsQueue};
use reprise_model::ids::Region;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

/// How often a message of the suite's queue is received before it is a dead letter.
pub const MAX_RECEIVE_COUNT: u32 = 3;

/// Where the queue is that the suite works on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SqsPlace {
    /// Its region.
    pub region: Region,
    /// A queue whose messages are dead letters after [`MAX_RECEIVE_COUNT`] receives, and are hidden
    /// for longer than the suite takes.
    pub queue_url: String,
    /// Where they go.
    pub dead_letters_url: String,
}

/// Long enough for any message that is there or about to be.
const PATIENT: Duration = Duration::from_secs(10);

/// The shortest visibility that hides at all.
const A_SECOND: Duration = Duration::from_secs(1);

/// Longer than that.
const TWO_SECONDS: Duration = Duration::from_secs(2);

const A_MINUTE: Duration = Duration::from_secs(60);

/// Everything, on empty queues.
pub async fn run(place: &SqsPlace) -> Result<()> {
    let suite = Suite {
        queue: connect(&place.queue_url, &place.region).await,
        dead_letters: connect(&place.dead_letters_url, &place.region).await,
    };
    suite.delivers_body_attributes_and_times().await?;
    suite.tells_how_it_is_set_up().await?;
    suite.answers_a_long_poll_when_a_message_comes().await?;
    suite.deletes_in_batches().await?;
    suite.shows_again_what_nobody_deleted().await?;
    suite.keeps_hidden_what_was_extended().await?;
    suite.hands_back_at_once().await?;
    suite.hides_for_as_long_as_asked_and_counts().await?;
    suite.fails_a_bogus_receipt_alone().await?;
    suite.takes_a_receipt_of_a_message_that_is_gone().await?;
    suite.buries_what_was_received_too_often().await
}

async fn connect(url: &str, region: &Region) -> SqsQueue {
    SqsQueue::connect(url, region, SqsQueue::SHORT_WINDOW).await
}

struct Suite {
    queue: SqsQueue,
    dead_letters: SqsQueue,
}

impl Suite {
    async fn delivers_body_attributes_and_times(&self) -> Result<()> {
        let body = "{\"action\":\"completed\",\"text\":\"a \\\"b\\\" <c> & d\"}";
        let attributes = BTreeMap::from([
            ("X-GitHub-Event".to_owned(), "workflow_job".to_owned()),
            ("X-Hub-Signature-256".to_owned(), "sha256=00ff".to_owned()),
        ]);
        self.queue.send(body, &attributes).await?;
        let message = self.one().await?;
        ensure!(message.body == body, "{message:?}");
        ensure!(message.attributes == attributes, "{message:?}");
        ensure!(message.receive_count == 1, "{message:?}");
        ensure!(!message.id.is_empty(), "{message:?}");
        let (sent, received) = (message.sent_at, message.first_received_at);
        ensure!(sent.is_some() && sent <= received, "{message:?}");
        self.queue.delete(&message.receipt).await?;
        self.is_empty().await
    }

    /// What `reprise doctor` judges a queue by.
    async fn tells_how_it_is_set_up(&self) -> Result<()> {
        let dead = self.dead_letters.attributes().await?;
        let arn = dead.arn.clone().context("it has no ARN")?;
        ensure!(arn.starts_with("arn:aws:sqs:"), "{dead:?}");
        ensure!(dead.redrive.is_none(), "{dead:?}");
        self.send("it waits").await?;
        let known = self.queue.attributes().await?;
        let limit = u64::from(MAX_RECEIVE_COUNT);
        ensure!(known.redrive == Some((arn, limit)), "{known:?}");
        ensure!(
            (known.waiting, known.hidden) == (Some(1), Some(0)),
            "{known:?}"
        );
        ensure!(
            known.retention.is_some_and(|seconds| seconds >= 60),
            "{known:?}"
        );
        ensure!(
            known.visibility.is_some_and(|seconds| seconds >= 1),
            "{known:?}"
        );
        ensure!(known.sources.is_empty(), "{known:?}");
        let message = self.one().await?;
        let known = self.queue.attributes().await?;
        ensure!(
            (known.waiting, known.hidden) == (Some(0), Some(1)),
            "{known:?}"
        );
        self.queue.delete(&message.receipt).await?;
        self.is_empty().await
    }

    async fn answers_a_long_poll_when_a_message_comes(&self) -> Result<()> {
        let queue = self.queue.clone();
        let poll = tokio::spawn(async move { queue.receive(10, PATIENT).await });
        self.send("late").await?;
        let messages = poll.await??;
        ensure!(messages.len() == 1, "{messages:?}");
        self.delete_all(&messages).await?;
        self.is_empty().await
    }

    /// More than one call takes.
    async fn deletes_in_batches(&self) -> Result<()> {
        let number = 25;
        for at in 0..number {
            self.send(&format!("one of many {at}")).await?;
        }
        let mut messages = Vec::new();
        while messages.len() < number {
            let more = self.queue.receive(10, PATIENT).await?;
            ensure!(!more.is_empty(), "only {} of {number} came", messages.len());
            messages.extend(more);
        }
        self.delete_all(&messages).await?;
        self.is_empty().await
    }

    async fn shows_again_what_nobody_deleted(&self) -> Result<()> {
        self.send("forgotten").await?;
        let first = self.one().await?;
        self.queue.extend(&first.receipt, A_SECOND).await?;
        let again = self.one().await?;
        ensure!(
            again.id == first.id && again.receive_count == 2,
            "{again:?} after {first:?}"
        );
        ensure!(
            again.first_received_at == first.first_received_at,
            "{again:?} after {first:?}"
        );
        ensure!(
            again.receipt != first.receipt,
            "a receipt belongs to one delivery"
        );
        self.queue.delete(&again.receipt).await?;
        self.is_empty().await
    }

    async fn keeps_hidden_what_was_extended(&self) -> Result<()> {
        self.send("slow work").await?;
        let message = self.one().await?;
        self.queue.extend(&message.receipt, A_SECOND).await?;
        self.queue.extend(&message.receipt, A_MINUTE).await?;
        self.stays_empty(TWO_SECONDS)
            .await
            .context("it came back while it was worked on")?;
        self.queue
            .delete(&message.receipt)
            .await
            .context("the receipt is good as long as the message is hidden")?;
        Ok(())
    }

    async fn hands_back_at_once(&self) -> Result<()> {
        self.send("not for us now").await?;
        let first = self.one().await?;
        self.queue.extend(&first.receipt, Duration::ZERO).await?;
        let messages = self.queue.receive(1, Duration::ZERO).await?;
        ensure!(messages.len() == 1, "it is still hidden");
        self.delete_all(&messages).await?;
        self.is_empty().await
    }

    async fn hides_for_as_long_as_asked_and_counts(&self) -> Result<()> {
        self.send("looked at").await?;
        let counts = self.queue.counts().await?;
        ensure!((counts.waiting, counts.hidden) == (1, 0), "{counts:?}");
        let look = self.queue.receive_hidden(1, PATIENT, A_SECOND).await?;
        ensure!(look.len() == 1, "{look:?}");
        let counts = self.queue.counts().await?;
        ensure!((counts.waiting, counts.hidden) == (0, 1), "{counts:?}");
        let again = self.one().await.context("it was hidden for longer")?;
        ensure!(again.id == look[0].id, "{again:?} after {look:?}");
        self.queue.delete(&again.receipt).await?;
        self.is_empty().await
    }

    async fn fails_a_bogus_receipt_alone(&self) -> Result<()> {
        self.send("good").await?;
        let good = self.one().await?;
        let bogus = Receipt::new("no receipt of any delivery");
        let (good, bogus) =
            tokio::join!(self.queue.delete(&good.receipt), self.queue.delete(&bogus));
        good.context("it failed with its neighbour")?;
        let error = bogus
            .err()
            .context("a receipt that nobody gave was taken")?;
        ensure!(error.kind == FailureKind::Refused, "{error}");
        self.is_empty().await
    }

    /// A handler that was too slow: somebody else was done with the message before.
    async fn takes_a_receipt_of_a_message_that_is_gone(&self) -> Result<()> {
        self.send("done by another").await?;
        let message = self.one().await?;
        self.queue.delete(&message.receipt).await?;
        // AWS says yes as long as it remembers the receipt, ministack no; neither is a time-out.
        let again = self.queue.delete(&message.receipt).await.err();
        let refused = again.is_none_or(|error| error.kind == FailureKind::Refused);
        ensure!(refused, "a message that is gone already was to be deleted");
        let late = self.queue.extend(&message.receipt, A_MINUTE).await;
        let error = late.err().context("a message that is gone was extended")?;
        ensure!(error.kind == FailureKind::Refused, "{error}");
        self.is_empty().await
    }

    async fn buries_what_was_received_too_often(&self) -> Result<()> {
        self.send("poison").await?;
        for round in 1..=MAX_RECEIVE_COUNT {
            let message = self.one().await?;
            ensure!(
                message.receive_count == round,
                "{message:?} in round {round}"
            );
            self.queue.extend(&message.receipt, Duration::ZERO).await?;
        }
        self.is_empty().await.context("it came once more")?;
        let buried = self.dead_letters.receive(10, PATIENT).await?;
        ensure!(
            buried.len() == 1 && buried[0].body == "poison",
            "{buried:?}"
        );
        self.dead_letters.delete(&buried[0].receipt).await?;
        Ok(())
    }

    async fn send(&self, body: &str) -> Result<()> {
        Ok(self.queue.send(body, &BTreeMap::new()).await?)
    }

    async fn one(&self) -> Result<Message> {
        let mut messages = self.queue.receive(1, PATIENT).await?;
        messages.pop().context("no message came")
    }

    async fn is_empty(&self) -> Result<()> {
        self.stays_empty(Duration::ZERO).await
    }

    async fn stays_empty(&self, wait: Duration) -> Result<()> {
        let messages = self.queue.receive(10, wait).await?;
        ensure!(messages.is_empty(), "still there: {messages:?}");
        Ok(())
    }

    async fn delete_all(&self, messages: &[Message]) -> Result<()> {
        let mut deletions = JoinSet::new();
        for message in messages {
            let (queue, receipt) = (self.queue.clone(), message.receipt.clone());
            deletions.spawn(async move { queue.delete(&receipt).await });
        }
        let deleted: Result<(), _> = deletions.join_all().await.into_iter().collect();
        Ok(deleted?)
    }
}

//! The App's webhook deliveries: what GitHub's list says of them, and asking for one again.
//!
//! The App speaks for itself here, by its JWT; no permission and no installation is needed.

use http::StatusCode;
use http::header::LINK;
use jiff::{SignedDuration, Timestamp};
use reprise_model::delivery::{HookAttempt, HookEvent, HookPage, RedeliveryAnswer};
use reprise_model::ids::{DeliveryId, HookAttemptId, HookCursor};
use serde::{Deserialize, Serialize};

use crate::GitHub;
use crate::error::{GitHubError, Rejection};
use crate::read::with_query;
use crate::transport::Answer;
use crate::wire::Page;

/// What became of asking for a redelivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedeliveryReply {
    /// What it means.
    pub answer: RedeliveryAnswer,
    /// How long GitHub wants to be left alone, where it says so.
    pub retry_after: Option<SignedDuration>,
    /// What GitHub or the network said, for the log.
    pub detail: String,
}

impl GitHub {
    /// A page of all attempts to deliver the App's webhooks, the newest first. GitHub keeps them for
    /// three days.
    pub async fn deliveries(&self, from: Option<&HookCursor>) -> Result<HookPage, GitHubError> {
        let operation = "list the App's webhook deliveries";
        let query = DeliveriesQuery {
            per_page: Page::SIZE,
            cursor: from.map(HookCursor::as_str),
        };
        let path = with_query(operation, "/app/hook/deliveries", &query)?;
        let answer = self.inner.transport.get_as_app(operation, &path).await?;
        let listed: Vec<WireDelivery> = answer.parse(operation)?;
        Ok(HookPage {
            attempts: listed.into_iter().map(WireDelivery::into_attempt).collect(),
            next: answer.header(&LINK).and_then(next_cursor),
        })
    }

    /// Asks with one POST for a delivery to be made again, by an attempt of it. It never fails: what
    /// is not known is [`RedeliveryAnswer::Unclear`], and GitHub's list tells what came of it.
    pub async fn redeliver(&self, attempt: HookAttemptId) -> RedeliveryReply {
        let operation = format!("have webhook delivery {attempt} made again");
        let path = format!("/app/hook/deliveries/{attempt}/attempts");
        match self.inner.transport.post_as_app(&operation, &path).await {
            Ok(answer) => answered(&answer),
            Err(error) => RedeliveryReply {
                answer: RedeliveryAnswer::Unclear,
                retry_after: None,
                detail: error.with_source(),
            },
        }
    }
}

fn answered(answer: &Answer) -> RedeliveryReply {
    if answer.status == StatusCode::ACCEPTED {
        return RedeliveryReply {
            answer: RedeliveryAnswer::Accepted,
            retry_after: None,
            detail: "accepted".to_owned(),
        };
    }
    // GitHub documents no other success; its list tells whether it was one.
    if answer.status.is_success() {
        return RedeliveryReply {
            answer: RedeliveryAnswer::Unclear,
            retry_after: None,
            detail: format!("GitHub answered {} instead of 202", answer.status),
        };
    }
    rejected(&answer.rejection())
}

fn rejected(rejection: &Rejection) -> RedeliveryReply {
    let limited = rejection.rate_limit_wait();
    let answer = match rejection.status {
        _ if limited.is_some() => RedeliveryAnswer::NotNow,
        // The delivery is not kept any more, or is none that can be made again.
        400 | 404 | 410 | 422 => RedeliveryAnswer::Refused {
            message: rejection.words().to_owned(),
        },
        408 | 500.. => RedeliveryAnswer::Unclear,
        // The App's key or its webhook: nothing is wrong with the delivery itself.
        _ => RedeliveryAnswer::NotNow,
    };
    RedeliveryReply {
        answer,
        retry_after: limited.or(rejection.wait),
        detail: format!("GitHub answered {rejection}"),
    }
}

#[derive(Debug, Serialize)]
struct DeliveriesQuery<'a> {
    per_page: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<&'a str>,
}

#[derive(Debug, Deserialize)]
struct WireDelivery {
    id: HookAttemptId,
    guid: DeliveryId,
    delivered_at: Timestamp,
    redelivery: bool,
    /// 0 where there was no answer.
    status_code: i64,
    event: String,
    action: Option<String>,
}

impl WireDelivery {
    fn into_attempt(self) -> HookAttempt {
        HookAttempt {
            id: self.id,
            delivery: self.guid,
            at: self.delivered_at,
            redelivery: self.redelivery,
            // GitHub follows no redirect, so that only a 2xx says that somebody took it.
            arrived: (200..300).contains(&self.status_code),
            event: HookEvent::of(&self.event, self.action.as_deref()),
        }
    }
}

/// The cursor in the link to the next page: `<https://...?per_page=100&cursor=v1_123>; rel="next"`.
fn next_cursor(link: &str) -> Option<HookCursor> {
    let next = link.split(',').find(|one| one.contains("rel=\"next\""))?;
    let (_, rest) = next.split_once('<')?;
    let (address, _) = rest.split_once('>')?;
    let (_, query) = address.split_once('?')?;
    let parameters: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
    let cursor = parameters.into_iter().find(|(name, _)| name == "cursor");
    cursor.map(|(_, cursor)| HookCursor::new(cursor))
}

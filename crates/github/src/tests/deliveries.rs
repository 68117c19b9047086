//! The App's webhook deliveries: the list, and that each redelivery is asked for once.

use jiff::SignedDuration;
use reprise_model::delivery::{HookAttempt, HookEvent, RedeliveryAnswer};
use reprise_model::ids::{DeliveryId, HookAttemptId, HookCursor};
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::RedeliveryReply;

const LIST: &str = "/app/hook/deliveries";
const AGAIN: &str = "/app/hook/deliveries/12/attempts";

fn attempt(id: u64, status_code: u16, event: &str, action: Value) -> Value {
    json!({
        "id": id,
        "guid": "58474f00-b361-11eb-836d-0e4f3503ccbe",
        "delivered_at": "2026-05-12T20:33:44Z",
        "redelivery": id > 12,
        "duration": 0.03,
        "status": "failed to connect",
        "status_code": status_code,
        "event": event,
        "action": action,
        "installation_id": null,
        "repository_id": 123,
        "throttled_at": null,
    })
}

#[tokio::test]
async fn the_list_is_read_page_by_page_where_its_links_lead() {
    let server = MockServer::start().await;
    let base = server.uri();
    let link = format!(
        "<{base}{LIST}?per_page=100>; rel=\"prev\", \
         <{base}{LIST}?per_page=100&cursor=v1_12%3D>; rel=\"next\""
    );
    let newest = json!([attempt(13, 200, "workflow_job", json!("queued"))]);
    let first = ResponseTemplate::new(200).insert_header("link", link.as_str());
    Mock::given(method("GET"))
        .and(path(LIST))
        .and(query_param("per_page", "100"))
        .and(query_param_is_missing("cursor"))
        .respond_with(first.set_body_json(newest))
        .mount(&server)
        .await;
    let older = json!([
        attempt(12, 502, "workflow_job", json!("queued")),
        attempt(11, 0, "ping", Value::Null),
    ]);
    Mock::given(method("GET"))
        .and(path(LIST))
        .and(query_param("cursor", "v1_12="))
        .respond_with(ResponseTemplate::new(200).set_body_json(older))
        .mount(&server)
        .await;

    let github = github(&server);
    let first = github.deliveries(None).await.unwrap();
    assert_eq!(first.next, Some(HookCursor::new("v1_12=")));
    let newest = HookAttempt {
        id: HookAttemptId(13),
        delivery: DeliveryId::new("58474f00-b361-11eb-836d-0e4f3503ccbe"),
        at: "2026-05-12T20:33:44Z".parse().unwrap(),
        redelivery: true,
        arrived: true,
        event: HookEvent::JobQueued,
    };
    assert_eq!(first.attempts, [newest]);
    let second = github.deliveries(first.next.as_ref()).await.unwrap();
    assert_eq!(second.next, None);
    let told = second.attempts.iter().map(|one| (one.arrived, one.event));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [(false, HookEvent::JobQueued), (false, HookEvent::Other)]
    );
    for request in received(&server, "GET", LIST).await {
        let jwt = header(&request, "authorization").concat();
        assert!(jwt.starts_with("Bearer ey"), "the App speaks for itself");
    }
}

#[tokio::test]
async fn a_redelivery_is_asked_for_by_one_post_as_the_app() {
    let server = MockServer::start().await;
    let accepted = ResponseTemplate::new(202).set_body_json(json!({}));
    serve(&server, "POST", AGAIN, accepted).await;
    let reply = github(&server).redeliver(HookAttemptId(12)).await;
    assert_eq!(reply.answer, RedeliveryAnswer::Accepted);
    let posts = received(&server, "POST", AGAIN).await;
    assert_eq!(posts.len(), 1);
    assert!(posts[0].body.is_empty());
    let jwt = header(&posts[0], "authorization").concat();
    assert!(jwt.starts_with("Bearer ey"));
}

#[tokio::test]
async fn what_is_not_kept_any_more_is_refused_in_githubs_words() {
    for (status, words) in [(404, "Not Found"), (422, "Delivery is too old")] {
        let reply = reply_to(no(status, words)).await;
        let message = words.to_owned();
        assert_eq!(reply.answer, RedeliveryAnswer::Refused { message });
        assert_eq!(reply.detail, format!("GitHub answered {status}: {words}"));
    }
}

#[tokio::test]
async fn a_server_that_fails_leaves_it_open_and_is_not_asked_again() {
    for status in [500, 502, 503, 504, 408] {
        let reply = reply_to(ResponseTemplate::new(status)).await;
        assert_eq!(reply.answer, RedeliveryAnswer::Unclear, "{status}");
    }
    let strange = reply_to(ResponseTemplate::new(200)).await;
    assert_eq!(strange.answer, RedeliveryAnswer::Unclear);
}

#[tokio::test]
async fn a_limit_and_a_rejected_key_say_nothing_of_the_delivery() {
    let limited = no(403, "You have exceeded a secondary rate limit");
    let reply = reply_to(limited.insert_header("retry-after", "7")).await;
    assert_eq!(reply.answer, RedeliveryAnswer::NotNow);
    assert_eq!(reply.retry_after, Some(SignedDuration::from_secs(7)));
    let reply = reply_to(no(401, "A JSON web token could not be decoded")).await;
    assert_eq!(reply.answer, RedeliveryAnswer::NotNow);
}

/// The reply to an answer, after exactly one POST.
async fn reply_to(answer: ResponseTemplate) -> RedeliveryReply {
    let server = MockServer::start().await;
    serve(&server, "POST", AGAIN, answer).await;
    let reply = github(&server).redeliver(HookAttemptId(12)).await;
    assert_eq!(received(&server, "POST", AGAIN).await.len(), 1);
    reply
}

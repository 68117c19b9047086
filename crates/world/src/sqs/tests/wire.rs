use serde_json::{Value, json};

use super::*;
use crate::aws_auth::sign;

const URL: &str = "http://127.0.0.1/123456789012/webhooks";

fn request(action: &str, body: &Value) -> http::Request<Vec<u8>> {
    let mut request = http::Request::post("/")
        .header("x-amz-target", format!("AmazonSQS.{action}"))
        .body(body.to_string().into_bytes())
        .expect("a request");
    sign(&mut request, "AKIAFAKE", "any", "sqs");
    request
}

fn ready(reply: SqsReply) -> (u16, Value, http::HeaderMap) {
    let SqsReply::Ready(response) = reply else {
        panic!("the answer is not ready");
    };
    let body = serde_json::from_slice(response.body()).expect("JSON");
    (response.status().as_u16(), body, response.headers().clone())
}

fn called(sqs: &mut Sqs, action: &str, body: &Value) -> (u16, Value) {
    let (status, body, _) = ready(sqs.handle(at(0), &request(action, body)));
    (status, body)
}

fn attributes() -> Value {
    json!({
        "ccc": { "StringValue": "testjunk", "DataType": "String" },
        "aaa": { "BinaryValue": "AgME", "DataType": "Binary" },
        "zzz": { "StringValue": "0230.01", "DataType": "Number" },
        "öther_encodings": { "StringValue": "Tüst", "DataType": "String" },
    })
}

#[test]
fn digests_of_attributes_are_those_that_the_service_gives() {
    let mut sqs = plain();
    let send = json!({
        "QueueUrl": URL,
        "MessageBody": "derp",
        "MessageAttributes": attributes(),
    });
    let (status, sent) = called(&mut sqs, "SendMessage", &send);
    assert_eq!(status, 200);
    assert_eq!(sent["MD5OfMessageBody"], "58fd9edd83341c29f1aebba81c31e257");
    assert_eq!(
        sent["MD5OfMessageAttributes"],
        "8ae21a7957029ef04146b42aeaa18a22"
    );
    let receive = json!({
        "QueueUrl": URL,
        "MessageAttributeNames": ["All"],
        "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
    });
    let (_, received) = called(&mut sqs, "ReceiveMessage", &receive);
    let message = &received["Messages"][0];
    assert_eq!(message["MD5OfBody"], sent["MD5OfMessageBody"]);
    assert_eq!(
        message["MD5OfMessageAttributes"],
        sent["MD5OfMessageAttributes"]
    );
    assert_eq!(message["MessageAttributes"], attributes());
    assert_eq!(
        message["Attributes"],
        json!({ "ApproximateReceiveCount": "1" })
    );
}

#[test]
fn only_the_attributes_asked_for_are_told_and_digested() {
    let mut sqs = plain();
    let send = json!({
        "QueueUrl": URL,
        "MessageBody": "derp",
        "MessageAttributes": {
            "timestamp": { "StringValue": "1493147359900", "DataType": "Number" },
            "other": { "StringValue": "x", "DataType": "String" },
        },
    });
    called(&mut sqs, "SendMessage", &send);
    let receive = json!({ "QueueUrl": URL, "MessageAttributeNames": ["time.*"] });
    let (_, received) = called(&mut sqs, "ReceiveMessage", &receive);
    assert_eq!(
        received["Messages"][0]["MD5OfMessageAttributes"],
        "235c5c510d26fb653d073faed50ae77c"
    );
    assert!(received["Messages"][0].get("Attributes").is_none());
}

#[test]
fn each_entry_of_a_batch_succeeds_or_fails_by_itself() {
    let mut sqs = plain();
    let entries = json!([
        { "Id": "good", "MessageBody": "hello" },
        { "Id": "bad", "MessageBody": "\u{1}" },
    ]);
    let send = json!({ "QueueUrl": URL, "Entries": entries });
    let (status, sent) = called(&mut sqs, "SendMessageBatch", &send);
    assert_eq!(status, 200);
    assert_eq!(sent["Successful"][0]["Id"], "good");
    assert_eq!(sent["Failed"][0]["Code"], "InvalidMessageContents");
    let receipt = received(&mut sqs, 0, QUEUE).remove(0).receipt;
    let entries = json!([
        { "Id": "1", "ReceiptHandle": receipt },
        { "Id": "2", "ReceiptHandle": "junk" },
    ]);
    let delete = json!({ "QueueUrl": URL, "Entries": entries });
    let (_, deleted) = called(&mut sqs, "DeleteMessageBatch", &delete);
    assert_eq!(deleted["Successful"], json!([{ "Id": "1" }]));
    assert_eq!(deleted["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    assert_eq!(sqs.counts(at(0), QUEUE), Ok(Counts::default()));
}

#[test]
fn batches_that_are_empty_too_long_or_ambiguous_are_refused() {
    let mut sqs = plain();
    let entry = |id: usize| json!({ "Id": id.to_string(), "MessageBody": "x" });
    let eleven: Vec<Value> = (0..11).map(entry).collect();
    for (entries, shape) in [
        (json!([]), "EmptyBatchRequest"),
        (json!(eleven), "TooManyEntriesInBatchRequest"),
        (json!([entry(1), entry(1)]), "BatchEntryIdsNotDistinct"),
    ] {
        let send = json!({ "QueueUrl": URL, "Entries": entries });
        let (status, body) = called(&mut sqs, "SendMessageBatch", &send);
        assert_eq!(status, 400);
        assert_eq!(body["__type"], format!("com.amazonaws.sqs#{shape}"));
    }
}

#[test]
fn errors_carry_the_names_of_both_protocols() {
    let mut sqs = plain();
    let receive = json!({ "QueueUrl": "http://127.0.0.1/123456789012/nowhere" });
    let reply = sqs.handle(at(0), &request("ReceiveMessage", &receive));
    let (status, body, headers) = ready(reply);
    assert_eq!(status, 400);
    assert_eq!(body["__type"], "com.amazonaws.sqs#QueueDoesNotExist");
    assert_eq!(
        headers["x-amzn-query-error"],
        "AWS.SimpleQueueService.NonExistentQueue;Sender"
    );
}

#[test]
fn a_long_poll_waits_until_something_comes() {
    let mut sqs = plain();
    let poll = json!({ "QueueUrl": URL, "WaitTimeSeconds": 20 });
    let poll = request("ReceiveMessage", &poll);
    let reply = sqs.handle(at(0), &poll);
    assert!(matches!(reply, SqsReply::WaitUntil(until) if until == at(20)));
    sqs.send(at(5), QUEUE, "hello").expect("sent");
    let (_, body, _) = ready(sqs.handle_again(at(5), at(0), &poll));
    assert_eq!(body["Messages"][0]["Body"], "hello");
    assert_eq!(sqs.request_counts()["ReceiveMessage"], 1);
}

#[test]
fn a_long_poll_wakes_for_a_message_that_becomes_visible() {
    let mut sqs = plain();
    sqs.send(at(0), QUEUE, "hello").expect("sent");
    received(&mut sqs, 0, QUEUE);
    let poll = json!({ "QueueUrl": URL, "WaitTimeSeconds": 20 });
    let reply = sqs.handle(at(15), &request("ReceiveMessage", &poll));
    assert!(matches!(reply, SqsReply::WaitUntil(until) if until == at(30)));
}

#[test]
fn a_long_poll_ends_empty_at_its_deadline() {
    let mut sqs = plain();
    let poll = json!({ "QueueUrl": URL, "WaitTimeSeconds": 20 });
    let poll = request("ReceiveMessage", &poll);
    let (status, body, _) = ready(sqs.handle_again(at(20), at(0), &poll));
    assert_eq!((status, body), (200, json!({})));
}

#[test]
fn a_queue_can_be_created_found_and_described() {
    let mut sqs = plain();
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:123456789012:dead","maxReceiveCount":"3"}"#;
    let create = json!({
        "QueueName": "new",
        "Attributes": { "VisibilityTimeout": "60", "RedrivePolicy": policy },
    });
    let (_, created) = called(&mut sqs, "CreateQueue", &create);
    let url = json!({ "QueueUrl": "http://127.0.0.1/123456789012/new" });
    assert_eq!(created, url);
    assert_eq!(called(&mut sqs, "CreateQueue", &create), (200, url.clone()));
    let other = json!({ "QueueName": "new" });
    assert_eq!(called(&mut sqs, "CreateQueue", &other).0, 400);
    let get = json!({ "QueueName": "new" });
    assert_eq!(called(&mut sqs, "GetQueueUrl", &get), (200, url.clone()));
    let get = json!({ "QueueUrl": url["QueueUrl"], "AttributeNames": ["VisibilityTimeout"] });
    let (_, found) = called(&mut sqs, "GetQueueAttributes", &get);
    assert_eq!(found["Attributes"], json!({ "VisibilityTimeout": "60" }));
    let settings = sqs.settings("new").expect("a queue");
    let dead_letter = settings.dead_letter.clone().expect("a policy");
    assert_eq!(
        (dead_letter.queue.as_str(), dead_letter.max_receive_count),
        ("dead", 3)
    );
}

#[test]
fn an_unsigned_request_is_refused() {
    let mut unsigned = request("ReceiveMessage", &json!({ "QueueUrl": URL }));
    unsigned.headers_mut().remove("authorization");
    let (status, body, _) = ready(plain().handle(at(0), &unsigned));
    assert_eq!(status, 403);
    assert!(
        body["__type"]
            .as_str()
            .is_some_and(|name| name.contains("MissingAuthenticationToken"))
    );
}

#[test]
fn a_signature_for_another_service_is_refused() {
    let mut foreign = request("ReceiveMessage", &json!({ "QueueUrl": URL }));
    sign(&mut foreign, "AKIAFAKE", "any", "ec2");
    let (status, body, _) = ready(plain().handle(at(0), &foreign));
    assert_eq!(status, 400);
    assert!(
        body["__type"]
            .as_str()
            .is_some_and(|name| name.contains("IncompleteSignature"))
    );
}

#[test]
fn unknown_actions_and_broken_bodies_are_refused() {
    let mut sqs = plain();
    let (status, _) = called(&mut sqs, "ListQueues", &json!({}));
    assert_eq!(status, 400);
    let (status, body) = called(&mut sqs, "DeleteMessage", &json!({ "QueueUrl": URL }));
    assert_eq!(status, 400);
    assert!(
        body["message"]
            .as_str()
            .is_some_and(|text| text.contains("ReceiptHandle"))
    );
}

#[test]
fn an_injected_fault_hits_one_request() {
    let mut sqs = plain();
    sqs.fail_next("SendMessage", SqsError::InternalFailure);
    let send = json!({ "QueueUrl": URL, "MessageBody": "hello" });
    assert_eq!(called(&mut sqs, "SendMessage", &send).0, 500);
    assert_eq!(called(&mut sqs, "SendMessage", &send).0, 200);
    assert_eq!(received(&mut sqs, 0, QUEUE).len(), 1);
}

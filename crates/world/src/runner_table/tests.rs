//! The table's door, and who may do what there.

use reprise_model::ids::InstanceId;
use reprise_model::instance::Capacity;
use serde_json::json;

use super::*;
use crate::aws_auth::sign;
use crate::testbed::{at, launch, world};
use crate::world::{AwsReply, World};

const TABLE: &str = "reprise-runners";

/// A world with two instances.
fn two() -> (World, [InstanceId; 2]) {
    let mut world = world();
    for _ in 0..2 {
        launch(&mut world, at(0), &[], Capacity::Spot, "reprise");
    }
    let ids: Vec<InstanceId> = world.launches().to_vec();
    (world, ids.try_into().expect("two instances"))
}

fn asked(action: &str, body: &Value) -> Request<Vec<u8>> {
    Request::post("/")
        .header("x-amz-target", format!("{TARGET}{action}"))
        .body(body.to_string().into_bytes())
        .expect("a request")
}

fn answered(world: &mut World, seconds: i64, request: &Request<Vec<u8>>) -> (u16, Value) {
    let AwsReply::Ready(answer) = world.handle_aws(at(seconds), None, request) else {
        panic!("the table makes nobody wait");
    };
    let body = serde_json::from_slice(answer.body()).expect("JSON");
    (answer.status().as_u16(), body)
}

fn as_account(world: &mut World, seconds: i64, action: &str, body: &Value) -> (u16, Value) {
    let mut request = asked(action, body);
    sign(&mut request, "AKIAFAKE", "any", "dynamodb");
    answered(world, seconds, &request)
}

fn as_instance(world: &mut World, id: &InstanceId, action: &str, body: &Value) -> (u16, Value) {
    let credentials = world.ec2().credentials(id, at(1)).expect("a role");
    let mut request = asked(action, body);
    let token = credentials.token.parse().expect("plain text");
    request.headers_mut().insert("x-amz-security-token", token);
    let key = &credentials.access_key_id;
    sign(
        &mut request,
        key,
        &credentials.secret_access_key,
        "dynamodb",
    );
    answered(world, 1, &request)
}

fn key(world: &World, id: &InstanceId) -> Value {
    let key = world.runner_table().role().row_of(id);
    json!({ "TableName": TABLE, "Key": { "pk": { "S": key } } })
}

/// A row as large as they are.
fn item(key: &str, expires: i64) -> Value {
    json!({
        "pk": { "S": key },
        "config": { "B": "QQ==".repeat(1_100) },
        "ttl": { "N": expires.to_string() },
    })
}

fn batch_of(items: &[Value]) -> Value {
    let requests: Vec<Value> = items
        .iter()
        .map(|item| json!({ "PutRequest": { "Item": item } }))
        .collect();
    json!({ "RequestItems": { TABLE: requests } })
}

fn put(world: &mut World, id: &InstanceId, expires: i64) -> (u16, Value) {
    let key = world.runner_table().role().row_of(id);
    let body = batch_of(&[item(&key, expires)]);
    as_account(world, 0, "BatchWriteItem", &body)
}

/// Rows of nobody in particular.
fn rows(numbers: std::ops::Range<usize>) -> Vec<Value> {
    let soon = at(3_600).as_second();
    numbers
        .map(|number| item(&format!("row-{number}"), soon))
        .collect()
}

fn keys(world: &World) -> Vec<String> {
    world.runner_table().keys().map(str::to_owned).collect()
}

#[test]
fn an_instance_reads_its_own_row() {
    let (mut world, [one, _]) = two();
    let soon = at(3_600).as_second();
    assert_eq!(put(&mut world, &one, soon).0, 200);
    let key = key(&world, &one);
    let (status, body) = as_instance(&mut world, &one, "GetItem", &key);
    assert_eq!(status, 200, "{body}");
    let config = body["Item"]["config"]["B"].as_str().expect("binary");
    assert!(config.len() > 4_096);
}

#[test]
fn another_instance_cannot_read_it_and_none_can_write_or_remove() {
    let (mut world, [one, other]) = two();
    put(&mut world, &one, at(3_600).as_second());
    let row = key(&world, &one);
    for action in [
        "GetItem",
        "DeleteItem",
        "PutItem",
        "BatchWriteItem",
        "DescribeTimeToLive",
        "Scan",
    ] {
        let (status, body) = as_instance(&mut world, &other, action, &row);
        assert_eq!(status, 400, "{action}");
        let code = body["__type"].as_str().expect("a code");
        assert!(code.ends_with("#AccessDeniedException"), "{body}");
        let words = body["Message"].as_str().expect("words");
        let user = format!("assumed-role/reprise-runner/{other}");
        assert!(words.contains(&user), "{words}");
    }
    assert_eq!(as_instance(&mut world, &one, "DeleteItem", &row).0, 400);
    let own = batch_of(&[row["Key"].clone()]);
    assert_eq!(as_instance(&mut world, &one, "BatchWriteItem", &own).0, 400);
}

#[test]
fn a_row_is_gone_when_its_time_to_live_has_come() {
    let (mut world, [one, _]) = two();
    put(&mut world, &one, at(3_600).as_second());
    let key = key(&world, &one);
    let read = as_account(&mut world, 3_599, "GetItem", &key).1;
    assert!(read["Item"].is_object(), "{read}");
    assert_eq!(as_account(&mut world, 3_600, "GetItem", &key).1, json!({}));
    assert_eq!(world.runner_table().keys().count(), 0);
}

#[test]
fn a_batch_of_25_rows_is_written_by_one_call() {
    let (mut world, _) = two();
    let body = batch_of(&rows(0..25));
    let (status, answer) = as_account(&mut world, 0, "BatchWriteItem", &body);
    assert_eq!((status, answer), (200, json!({ "UnprocessedItems": {} })));
    assert_eq!(keys(&world).len(), 25);
    assert_eq!(world.runner_table().requests()["BatchWriteItem"], 1);
}

#[test]
fn a_batch_that_is_too_large_or_names_a_row_twice_is_refused_whole() {
    let (mut world, _) = two();
    let large = |key: &str, kilobytes: usize| {
        let mut item = item(key, 0);
        item["config"]["B"] = json!("A".repeat(kilobytes * 1024));
        item
    };
    let heavy: Vec<Value> = (0..3).map(|_| large("a", 390)).collect();
    let mut elsewhere = batch_of(&rows(0..1));
    elsewhere["RequestItems"]["other"] = elsewhere["RequestItems"][TABLE].clone();
    let deletion = json!({ "DeleteRequest": { "Key": { "pk": { "S": "row-0" } } } });
    for (body, code) in [
        (batch_of(&rows(0..26)), "#ValidationException"),
        (batch_of(&[]), "#ValidationException"),
        (batch_of(&[large("a", 400)]), "#ValidationException"),
        (batch_of(&heavy), "#ValidationException"),
        (
            batch_of(&[rows(0..2), rows(1..2)].concat()),
            "#ValidationException",
        ),
        (elsewhere, "#ResourceNotFoundException"),
        (
            json!({ "RequestItems": { TABLE: [deletion] } }),
            "#ValidationException",
        ),
    ] {
        let (status, answer) = as_account(&mut world, 0, "BatchWriteItem", &body);
        let named = answer["__type"].as_str().expect("a code");
        assert!(status == 400 && named.ends_with(code), "{answer}");
    }
    assert_eq!(keys(&world), Vec::<String>::new());
}

#[test]
fn what_there_is_no_throughput_for_comes_back_and_a_call_that_writes_nothing_fails() {
    let (mut world, _) = two();
    world.runner_table_mut().throttle(3);
    let body = batch_of(&rows(0..3));
    let (status, answer) = as_account(&mut world, 0, "BatchWriteItem", &body);
    let code = answer["__type"].as_str().expect("a code");
    assert!(
        status == 400 && code.ends_with("#ProvisionedThroughputExceededException"),
        "{answer}"
    );
    world.runner_table_mut().throttle(2);
    let (status, answer) = as_account(&mut world, 0, "BatchWriteItem", &body);
    let left = answer["UnprocessedItems"][TABLE].as_array().expect("rows");
    assert_eq!((status, left.len()), (200, 2));
    assert_eq!(keys(&world), ["row-0"]);
    let again = json!({ "RequestItems": answer["UnprocessedItems"] });
    let (status, _) = as_account(&mut world, 0, "BatchWriteItem", &again);
    assert_eq!(status, 200);
    assert_eq!(keys(&world), ["row-0", "row-1", "row-2"]);
}

#[test]
fn a_row_that_is_starved_comes_back_each_time() {
    let (mut world, _) = two();
    world.runner_table_mut().starve("row-1");
    let body = batch_of(&rows(0..3));
    for _ in 0..2 {
        let (_, answer) = as_account(&mut world, 0, "BatchWriteItem", &body);
        let left = answer["UnprocessedItems"][TABLE].as_array().expect("rows");
        assert_eq!(left[0]["PutRequest"]["Item"]["pk"]["S"], "row-1");
    }
    assert_eq!(keys(&world), ["row-0", "row-2"]);
}

#[test]
fn what_it_does_not_understand_it_refuses_in_dynamodbs_words() {
    let (mut world, [one, _]) = two();
    let key = key(&world, &one);
    let mut conditional = key.clone();
    conditional["ConditionExpression"] = json!("attribute_exists(pk)");
    let elsewhere = json!({ "TableName": "other", "Key": key["Key"] });
    for (action, body, code) in [
        ("GetItem", &elsewhere, "ResourceNotFoundException"),
        (
            "GetItem",
            &json!({ "TableName": TABLE }),
            "ValidationException",
        ),
        ("GetItem", &conditional, "ValidationException"),
        ("Scan", &key, "UnknownOperationException"),
    ] {
        let (status, answer) = as_account(&mut world, 0, action, body);
        let named = answer["__type"].as_str().expect("a code");
        assert!(status == 400 && named.ends_with(code), "{answer}");
    }
}

#[test]
fn an_unsigned_request_and_one_for_another_service_are_refused() {
    let (mut world, [one, _]) = two();
    let key = key(&world, &one);
    let mut request = asked("GetItem", &key);
    let (_, answer) = answered(&mut world, 0, &request);
    let code = answer["__type"].as_str().expect("a code");
    assert!(code.ends_with("#MissingAuthenticationTokenException"));
    sign(&mut request, "AKIAFAKE", "any", "ec2");
    let (_, answer) = answered(&mut world, 0, &request);
    let code = answer["__type"].as_str().expect("a code");
    assert!(code.ends_with("#UnrecognizedClientException"), "{answer}");
}

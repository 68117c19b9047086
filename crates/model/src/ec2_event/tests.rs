use std::error::Error;

use super::*;

const TERMINATE: &str = include_str!("fixtures/interruption_warning/terminate.json");
const REBALANCE: &str = include_str!("fixtures/rebalance_recommendation/recommendation.json");
const SHUTTING_DOWN: &str = include_str!("fixtures/state_change/shutting_down.json");
const SCHEDULED: &str = include_str!("fixtures/other/scheduled_event.json");

fn read(text: &str) -> Ec2Event {
    parse(text.as_bytes()).expect("readable")
}

#[test]
fn an_interruption_warning_is_read() {
    insta::assert_debug_snapshot!(read(TERMINATE));
}

#[test]
fn an_action_that_aws_adds_is_kept() {
    let event = read(include_str!(
        "fixtures/interruption_warning/word_added_since.json"
    ));
    let instance = "i-0123456789abcdef0".parse().expect("valid");
    let action = InterruptAction::Unknown("evaporate".to_owned());
    assert_eq!(
        event.kind,
        Ec2EventKind::InterruptionWarning { instance, action }
    );
}

#[test]
fn a_rebalance_recommendation_is_read() {
    insta::assert_debug_snapshot!(read(REBALANCE));
}

#[test]
fn a_state_change_is_read() {
    insta::assert_debug_snapshot!(read(SHUTTING_DOWN));
}

#[test]
fn a_state_that_aws_adds_is_unknown() {
    let event = read(&SHUTTING_DOWN.replace("shutting-down", "frozen"));
    let instance = "i-0123456789abcdef0".parse().expect("valid");
    let state = InstanceState::Unknown;
    assert_eq!(event.kind, Ec2EventKind::StateChange { instance, state });
}

#[test]
fn an_event_of_no_use_is_named() {
    insta::assert_debug_snapshot!(read(SCHEDULED));
}

#[test]
fn the_words_of_ec2_count_only_when_ec2_says_them() {
    let event = read(include_str!(
        "fixtures/other/same_words_of_another_source.json"
    ));
    assert!(
        matches!(event.kind, Ec2EventKind::Other { .. }),
        "{event:?}"
    );
}

#[test]
fn a_message_that_is_no_envelope_is_refused() {
    for body in ["", "null", "[]", "{}", r#"{"action":"queued"}"#] {
        let error = parse(body.as_bytes()).expect_err("no envelope");
        assert!(
            matches!(error, Ec2EventError::Envelope(_)),
            "{body}: {error}"
        );
    }
}

#[test]
fn a_detail_that_cannot_be_read_is_refused_with_its_kind() {
    let error = parse(include_bytes!(
        "fixtures/interruption_warning/bad_instance.json"
    ))
    .expect_err("no instance id");
    assert_eq!(
        error.to_string(),
        "failed to read the detail of an event \"EC2 Spot Instance Interruption Warning\""
    );
    let cause = error.source().expect("a cause").to_string();
    assert!(
        cause.starts_with("\"i-nonsense\" is not an instance id"),
        "{cause}"
    );
}

#[test]
fn a_written_event_is_the_one_that_was_read() {
    for text in [TERMINATE, REBALANCE, SHUTTING_DOWN, SCHEDULED] {
        let event = read(text);
        let written = body(&event, "12345678-1234-1234-1234-123456789012");
        assert_eq!(read(&written.to_string()), event);
    }
}

#[test]
fn a_written_warning_has_the_shape_of_eventbridges() {
    insta::assert_json_snapshot!(body(
        &read(TERMINATE),
        "12345678-1234-1234-1234-123456789012"
    ));
}

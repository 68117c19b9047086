//! What is told of dead letters, as people and programs see it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_aws::{Counts, Message, Receipt};
use reprise_controller::intake::signature;
use reprise_model::ec2_event::{self, Ec2Event, Ec2EventKind, InterruptAction};
use reprise_model::ids::{AccountId, Region};
use secrecy::SecretString;
use serde_json::json;

use super::Name;
use super::letter::{Letter, Signature};
use super::list::{Found, age};
use super::show::whole;

/// The example of GitHub's page "Validating webhook deliveries".
const SIGNED_BODY: &str = "Hello, World!";
const ITS_SIGNATURE: &str =
    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn now() -> Timestamp {
    at("2026-03-01T13:20:00Z")
}

fn message(number: u32, sent: &str, body: impl ToString) -> Message {
    Message {
        body: body.to_string(),
        attributes: BTreeMap::new(),
        receipt: Receipt::new("a receipt"),
        id: format!("00000000-0000-4000-8000-{number:012}"),
        receive_count: number,
        first_received_at: None,
        sent_at: Some(at(sent)),
    }
}

fn webhook(number: u32, sent: &str, event: &str, body: impl ToString) -> Message {
    let delivery = format!("72d3162e-cc78-11e3-81ab-{number:012}");
    Message {
        attributes: BTreeMap::from([
            (signature::EVENT.to_owned(), event.to_owned()),
            (signature::DELIVERY.to_owned(), delivery),
        ]),
        ..message(number, sent, body)
    }
}

/// A webhook where no secret is known.
fn unchecked(message: Message) -> Letter {
    Letter::read(Name::Webhooks, message, &[])
}

fn job() -> serde_json::Value {
    json!({
        "action": "completed",
        "workflow_job": {
            "id": 25_000_000_001_u64,
            "run_id": 9_000_000_001_u64,
            "run_attempt": 1,
            "name": "test (1, linux)",
            "head_branch": "main",
            "head_sha": "0123456789abcdef0123456789abcdef01234567",
            "status": "completed",
            "conclusion": "failure",
            "labels": [],
        },
        "repository": { "full_name": "acme/shop" },
    })
}

fn taken() -> serde_json::Value {
    let event = Ec2Event {
        account: AccountId::new("123456789012"),
        region: Region::new("eu-west-1"),
        time: at("2026-03-01T10:20:00Z"),
        kind: Ec2EventKind::InterruptionWarning {
            instance: "i-0123456789abcdef0".parse().expect("an id"),
            action: InterruptAction::Terminate,
        },
    };
    ec2_event::body(&event, "12345678-1234-4234-8234-123456789012")
}

fn webhooks() -> Found {
    let letters = vec![
        unchecked(webhook(1, "2026-02-27T13:20:00Z", "workflow_job", job())),
        unchecked(webhook(
            4,
            "2026-03-01T10:20:00Z",
            "workflow_run",
            "{\"action\":",
        )),
        unchecked(webhook(2, "2026-03-01T13:19:30Z", "push", "{}")),
        unchecked(message(12, "2026-03-01T13:25:00Z", job())),
    ];
    Found {
        queue: Name::Webhooks,
        letters,
        more: false,
        counts: Counts::default(),
    }
}

#[test]
fn dead_webhooks_fit_a_terminal_of_80_columns_with_their_ids_whole() {
    let found = webhooks();
    insta::assert_snapshot!(format!(
        "{}\n{}",
        found.heading(),
        found.table(now(), Some(80))
    ));
}

#[test]
fn without_a_terminal_each_line_of_a_cell_is_a_line() {
    let letter = Letter::read(
        Name::Ec2Events,
        message(1, "2026-03-01T10:20:05Z", taken()),
        &[],
    );
    let found = Found {
        queue: Name::Ec2Events,
        letters: vec![letter],
        more: false,
        counts: Counts::default(),
    };
    insta::assert_snapshot!(format!("{}\n{}", found.heading(), found.table(now(), None)));
}

#[test]
fn a_program_reads_one_object_a_message() {
    let mut lines: Vec<String> = webhooks()
        .letters
        .iter()
        .map(|letter| letter.json().to_string())
        .collect();
    let event = message(3, "2026-03-01T10:20:05Z", taken());
    lines.push(Letter::read(Name::Ec2Events, event, &[]).json().to_string());
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_heading_says_what_is_not_shown() {
    let found = |letters: usize, more, waiting, hidden| {
        let letter = |_| unchecked(webhook(1, "2026-03-01T10:20:00Z", "push", "{}"));
        Found {
            queue: Name::Webhooks,
            letters: (0..letters).map(letter).collect(),
            more,
            counts: Counts { waiting, hidden },
        }
        .heading()
    };
    let headings = [
        found(0, false, 0, 0),
        found(0, false, 0, 7),
        found(1, false, 1, 0),
        found(3, false, 3, 2),
        found(3, true, 250, 0),
    ];
    insta::assert_snapshot!(headings.join("\n"));
}

#[test]
fn a_message_is_shown_whole_and_a_strangers_escape_sequences_are_not_obeyed() {
    let url = "https://sqs.eu-west-1.amazonaws.com/123456789012/webhooks-dead";
    let fine = unchecked(webhook(1, "2026-03-01T10:20:00Z", "workflow_job", job()));
    let mut odd = webhook(
        2,
        "2026-03-01T13:00:00Z",
        "workflow_job",
        "no JSON \u{1b}[2J",
    );
    let name = "X-Odd".to_owned();
    odd.attributes.insert(name, "a\u{7}\u{1b}[31m".to_owned());
    insta::assert_snapshot!(format!(
        "{}\n\n{}",
        whole(&fine, url, now()),
        whole(&unchecked(odd), url, now())
    ));
}

#[test]
fn a_signature_is_checked_with_the_secrets_that_there_are() {
    let signed = |value: Option<&str>, secrets: &[&str]| {
        let mut message = webhook(1, "2026-03-01T10:20:00Z", "push", SIGNED_BODY);
        let value = value.map(|value| (signature::SIGNATURE.to_owned(), value.to_owned()));
        message.attributes.extend(value);
        let secrets: Vec<SecretString> =
            secrets.iter().map(|one| SecretString::from(*one)).collect();
        Letter::read(Name::Webhooks, message, &secrets)
    };
    let known: &[&str] = &["the new one", "It's a Secret to Everybody"];
    let good = signed(Some(ITS_SIGNATURE), known);
    assert_eq!((good.signature, good.hopeless()), (Signature::Valid, None));
    let unknown = signed(Some(ITS_SIGNATURE), &[]);
    assert_eq!(
        (unknown.signature, unknown.hopeless()),
        (Signature::Unchecked, None)
    );
    for (letter, signature) in [
        (signed(None, known), Signature::Missing),
        (signed(Some(ITS_SIGNATURE), &["another"]), Signature::Wrong),
    ] {
        assert_eq!(letter.signature, signature);
        assert!(letter.hopeless().is_some(), "{signature:?}");
    }
}

#[test]
fn what_cannot_be_read_is_not_worth_sending_back() {
    let hopeless = |message| unchecked(message).hopeless().is_some();
    let sent = "2026-03-01T10:20:00Z";
    assert!(!hopeless(webhook(1, sent, "workflow_job", job())));
    assert!(!hopeless(webhook(1, sent, "push", "{}")));
    assert!(hopeless(webhook(1, sent, "workflow_job", "{}")));
    assert!(hopeless(message(1, sent, job())));
    let ec2 = |body: String| Letter::read(Name::Ec2Events, message(1, sent, body), &[]);
    assert!(ec2(taken().to_string()).hopeless().is_none());
    assert!(ec2(job().to_string()).hopeless().is_some());
}

#[test]
fn an_age_is_told_in_its_largest_unit_and_never_in_the_future() {
    for (sent, told) in [
        ("2026-03-01T13:25:00Z", "0 s ago"),
        ("2026-03-01T13:19:01Z", "59 s ago"),
        ("2026-03-01T13:19:00Z", "1 min ago"),
        ("2026-03-01T12:20:00Z", "1 h ago"),
        ("2026-02-27T13:20:01Z", "47 h ago"),
        ("2026-02-27T13:20:00Z", "2 d ago"),
    ] {
        assert_eq!(age(at(sent), now()), told, "{sent}");
    }
}

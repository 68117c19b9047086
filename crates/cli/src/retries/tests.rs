//! What people and programs see of retries.

use clap::CommandFactory;
use jiff::{SignedDuration, Timestamp};
use reprise_config::StoreConfig;
use reprise_controller::operator::Wish;
use reprise_model::ids::{JobId, RunAttempt, RunId};
use reprise_model::view::{Explanation, Line, LineKind, RetryState, RetryView};

use super::client::is_safe;
use super::show;
use super::since;
use super::source::named;

fn at(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

fn exhausted() -> RetryView {
    RetryView {
        repository: "acme/shop".parse().expect("valid"),
        run: RunId(9_000_000_001),
        job: JobId(25_000_000_001),
        name: "test (1, linux)\u{1b}[2J".to_owned(),
        state: RetryState::Exhausted,
        attempt: RunAttempt::FIRST.next(),
        limit: Some(2),
        policy: Some("when-interrupted".to_owned()),
        reason: Some("failed-again".to_owned()),
        detail: Some("its re-run did not pass".to_owned()),
        advice: None,
        failed_at: at("2026-03-01T10:30:00.5Z"),
        seconds_since_failure: Some(7_300),
        next_due: None,
        tries: 0,
        dismissed: false,
    }
}

fn waiting() -> RetryView {
    RetryView {
        job: JobId(25_000_000_002),
        name: "build".to_owned(),
        state: RetryState::Awaiting,
        attempt: RunAttempt::FIRST,
        reason: None,
        detail: None,
        advice: None,
        seconds_since_failure: Some(59),
        next_due: at("2026-03-01T12:30:00Z"),
        tries: 2,
        ..exhausted()
    }
}

fn told() -> Explanation {
    let line = |time: &str, kind, source: &str, rule: Option<&str>, text: &str| Line {
        at: at(time),
        kind,
        job: Some(JobId(25_000_000_001)),
        source: source.to_owned(),
        rule: rule.map(str::to_owned),
        text: text.to_owned(),
    };
    Explanation {
        repository: "acme/shop".parse().expect("valid"),
        run: Some(RunId(9_000_000_001)),
        job: None,
        summary: "1 job is in the ledger: 1 exhausted".to_owned(),
        retries: vec![exhausted()],
        story: vec![
            line(
                "2026-03-01T10:00:05.25Z",
                LineKind::Evidence,
                "tag",
                None,
                "EC2 takes it",
            ),
            line(
                "2026-03-01T10:02:00Z",
                LineKind::Verdict,
                "ledger",
                Some("interrupted"),
                "it was interrupted\u{7}",
            ),
            line("never", LineKind::Next, "ledger", None, "the run is read"),
        ],
    }
}

#[test]
fn a_list_fits_a_terminal_of_80_columns_and_obeys_no_stranger() {
    insta::assert_snapshot!(show::list(&[exhausted(), waiting()], Some(80)));
    insta::assert_snapshot!(show::list(&[], Some(80)));
}

#[test]
fn a_job_is_shown_with_all_that_is_known_of_it() {
    insta::assert_snapshot!(show::jobs(&told()));
}

#[test]
fn a_story_is_told_line_by_line_with_the_rule_that_decided() {
    insta::assert_snapshot!(show::story(&told()));
    let of_another = Explanation {
        job: Some(JobId(7)),
        ..told()
    };
    assert!(show::story(&of_another).contains("no job 7 of it"));
}

#[test]
fn what_was_done_is_said_in_a_line_a_job() {
    let said = |wish| show::wished(wish, &exhausted());
    assert_eq!(
        said(Wish::Requeue),
        "job 25000000001 (test (1, linux)\\u{1b}[2J) has a fresh chance: its run is read at GitHub now"
    );
    assert!(said(Wish::Dismiss).ends_with("is out of the lists"));
}

#[test]
fn programs_read_one_object_a_job() {
    insta::assert_snapshot!(serde_json::to_string(&exhausted()).expect("JSON"));
    insta::assert_snapshot!(serde_json::to_string(&told()).expect("JSON"));
}

#[test]
fn the_help_names_every_choice() {
    let mut command = crate::Arguments::command();
    let help = |command: &mut clap::Command| command.render_long_help().to_string();
    let explain = command.find_subcommand_mut("explain").expect("there");
    insta::assert_snapshot!("help_of_explain", help(explain));
    let retries = command.find_subcommand_mut("retries").expect("there");
    insta::assert_snapshot!("help_of_retries", help(retries));
    let list = retries.find_subcommand_mut("list").expect("there");
    insta::assert_snapshot!("help_of_retries_list", help(list));
    let requeue = retries.find_subcommand_mut("requeue").expect("there");
    insta::assert_snapshot!("help_of_retries_requeue", help(requeue));
}

#[test]
fn the_token_goes_in_the_clear_to_this_machine_alone() {
    for url in [
        "http://127.0.0.1:9465",
        "http://localhost:1",
        "http://[::1]:1",
        "https://reprise.acme.com",
    ] {
        assert!(is_safe(url).is_ok(), "{url}");
    }
    for (url, words) in [
        (
            "http://reprise.acme.com",
            "ssh -L 9465:127.0.0.1:9465 reprise.acme.com",
        ),
        ("ftp://127.0.0.1", "is no URL"),
        ("127.0.0.1:9465", "is no URL"),
        ("no url", "is no URL"),
    ] {
        let told = is_safe(url).expect_err(url).to_string();
        assert!(told.contains(words), "{url}: {told}");
    }
}

#[test]
fn a_time_is_told_in_seconds_minutes_hours_or_days_and_in_nothing_else() {
    for (text, minutes) in [
        ("90m", 90),
        ("24h", 24 * 60),
        ("7d", 7 * 24 * 60),
        ("1h30m", 90),
        ("PT2H", 120),
        ("120s", 2),
    ] {
        assert_eq!(
            since(text),
            Ok(SignedDuration::from_mins(minutes)),
            "{text}"
        );
    }
    for text in [
        "",
        "d",
        "7",
        "-7d",
        "-2h",
        "0s",
        "0d",
        "yesterday",
        "2026-03-01",
    ] {
        let told = since(text).expect_err(text);
        assert!(told.contains("90m, 24h or 7d"), "{text}: {told}");
    }
    // The longest that can be written stays a time.
    assert!(since("4294967295d").is_ok());
}

#[test]
fn a_ledger_is_a_file_or_a_table() {
    assert!(matches!(
        named("reprise.db"),
        Ok(StoreConfig::Sqlite { .. })
    ));
    let table = named("dynamodb:eu-west-1/reprise").expect("a table");
    assert!(matches!(table, StoreConfig::DynamoDb { table, .. } if table == "reprise"));
    let told = named("dynamodb:reprise").expect_err("none").to_string();
    assert!(told.contains("dynamodb:eu-west-1/reprise"), "{told}");
}

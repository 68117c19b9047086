//! The loop under virtual time, against a cloud that follows a script.

pub(crate) mod cloud;
mod frozen;
mod interruption;
mod machine;

use jiff::SignedDuration;

use self::cloud::{Cloud, Imds, Tagging as Script, denied, throttled};
use super::*;
use crate::notice::Action;
use crate::settings::LogLevel;

const NOTICE: &str = r#"{"action":"terminate","time":"2026-01-01T00:02:10Z"}"#;

fn attempts_and_seconds(cloud: &Cloud) -> (usize, i64) {
    let attempts = cloud.attempts();
    let last = attempts.last().map_or(0, |(second, _)| second.as_secs());
    (attempts.len(), last)
}

fn tagged_after(end: &AgentEnd) -> Option<u32> {
    match &end.notice {
        Some((_, Tagging::Tagged { attempts })) => Some(*attempts),
        Some((_, Tagging::Trying { .. } | Tagging::GaveUp { .. })) | None => None,
    }
}

fn gave_up(end: AgentEnd) -> GaveUp {
    match end.notice {
        Some((_, Tagging::GaveUp { reason, .. })) => reason,
        other => panic!("it did not give up: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_notice_it_polls_every_second_with_one_token_and_holds_no_credentials() {
    let cloud = Cloud::new(&[(0, Imds::Clear)]);
    let end = cloud.run_for(100).await;
    assert_eq!(end.polls, 100);
    assert_eq!(end.notice, None);
    assert_eq!(
        end.instance.map(|i| i.id.to_string()).as_deref(),
        Some("i-0123456789abcdef0")
    );
    assert_eq!(cloud.tokens(), 1);
    assert_eq!(cloud.credential_requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_tagged_for_once_within_the_second_of_its_appearance() {
    let cloud = Cloud::new(&[(0, Imds::Clear), (10, Imds::Body(NOTICE))]);
    let end = cloud.run_for(130).await;
    assert_eq!(tagged_after(&end), Some(1));
    assert_eq!(end.polls, 130, "it polls on");
    let attempts = cloud.attempts();
    let (second, request) = &attempts[0];
    assert_eq!(attempts.len(), 1);
    assert_eq!(second.as_secs(), 10);
    assert_eq!(request.key, "runs-on-workflow-job-interrupted");
    assert_eq!(request.value, "true");
    assert_eq!(request.instance.region.as_str(), "eu-west-1");
}

#[tokio::test(start_paused = true)]
async fn the_configured_prefix_is_in_the_key() {
    let cloud = Cloud::new(&[(0, Imds::Body(NOTICE))]);
    let file = Some("tag_prefix = \"acme-\"");
    let settings = Settings::load(file, &Default::default()).expect("valid");
    cloud.run_with(&settings, 5).await;
    assert_eq!(cloud.attempts()[0].1.key, "acme-workflow-job-interrupted");
}

#[tokio::test(start_paused = true)]
async fn a_token_refused_in_mid_life_costs_no_poll() {
    let cloud = Cloud::new(&[(0, Imds::Clear), (50, Imds::Body(NOTICE))]);
    cloud.revoke_tokens_at(50);
    let end = cloud.run_for(60).await;
    assert_eq!(tagged_after(&end), Some(1));
    assert_eq!(attempts_and_seconds(&cloud), (1, 50));
    assert_eq!(cloud.tokens(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_after_five_hours_and_an_outage_then_harms_nothing() {
    let five_hours = 5 * 3600;
    let cloud = Cloud::new(&[(0, Imds::Clear), (five_hours + 300, Imds::Body(NOTICE))]);
    cloud.no_tokens_between(five_hours - 10, five_hours + 600);
    let end = cloud.run_for(five_hours + 1000).await;
    assert_eq!(tagged_after(&end), Some(1));
    assert_eq!(attempts_and_seconds(&cloud), (1, five_hours + 300));
    assert_eq!(cloud.tokens(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_tried_again_once_a_minute() {
    let five_hours = 5 * 3600;
    let cloud = Cloud::new(&[(0, Imds::Clear)]);
    cloud.no_tokens_between(five_hours, five_hours + 600);
    cloud.run_for(five_hours + 300).await;
    assert_eq!(cloud.token_requests(), 1 + 5);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_refuses_its_own_tokens_is_asked_twice_a_poll_and_no_more() {
    let cloud = Cloud::new(&[(0, Imds::Clear), (10, Imds::TokensRefused)]);
    cloud.run_for(70).await;
    // The first poll of the outage asks with the old token first.
    assert_eq!(cloud.token_requests(), 1 + 60);
    assert_eq!(cloud.notice_requests(), 70 + 1);
}

#[tokio::test(start_paused = true)]
async fn the_notice_is_seen_within_two_seconds_of_the_end_of_any_outage() {
    for outage in [
        Imds::Hang,
        Imds::Refused,
        Imds::TokensRefused,
        Imds::TokensHang,
        Imds::Status(403),
        Imds::Status(503),
    ] {
        // A token that is refused and replaced while nothing answers makes the longest question.
        for revoked_at in [0, 29, 30, 1000] {
            let cloud = Cloud::new(&[(0, Imds::Clear), (10, outage), (40, Imds::Body(NOTICE))]);
            cloud.revoke_tokens_at(revoked_at);
            let end = cloud.run_for(60).await;
            assert_eq!(tagged_after(&end), Some(1), "{revoked_at}");
            let (_, second) = attempts_and_seconds(&cloud);
            assert!((40..42).contains(&second), "{second} {revoked_at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connection_refused_at_boot_is_outlived() {
    let cloud = Cloud::new(&[(0, Imds::Refused), (30, Imds::Body(NOTICE))]);
    let end = cloud.run_for(40).await;
    assert_eq!(tagged_after(&end), Some(1));
    assert_eq!(attempts_and_seconds(&cloud), (1, 30));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_hangs_delays_each_poll_by_its_deadline_only() {
    let cloud = Cloud::new(&[(0, Imds::Clear), (10, Imds::Hang), (40, Imds::Body(NOTICE))]);
    let end = cloud.run_for(60).await;
    assert_eq!(tagged_after(&end), Some(1));
    let (attempts, second) = attempts_and_seconds(&cloud);
    assert_eq!(attempts, 1);
    assert!((40..=41).contains(&second), "{second}");
    assert!(end.polls >= 59, "{}", end.polls);
}

#[tokio::test(start_paused = true)]
async fn a_disabled_or_failing_service_is_polled_on() {
    for status in [403, 500, 503, 302, 401] {
        let cloud = Cloud::new(&[
            (0, Imds::Status(status)),
            (90, Imds::Clear),
            (95, Imds::Body(NOTICE)),
        ]);
        let end = cloud.run_for(100).await;
        assert_eq!(tagged_after(&end), Some(1), "{status}");
        assert_eq!(attempts_and_seconds(&cloud), (1, 95), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lasting_outage_is_said_once_a_minute_and_its_end_once() {
    let cloud = Cloud::new(&[(0, Imds::Refused), (150, Imds::Clear)]);
    let (_, log) = cloud.run_logged(200, LogLevel::Info).await;
    assert_eq!(
        log.matches("a poll of the metadata service failed").count(),
        3
    );
    assert_eq!(log.matches("answers again").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_notice_is_shown_once_and_changes_nothing() {
    const EXPLODE: &str = r#"{"action":"explode"}"#;
    let bodies = [
        (0, Imds::Body("<html>")),
        (20, Imds::Body(EXPLODE)),
        (50, Imds::Body(NOTICE)),
    ];
    let cloud = Cloud::new(&bodies);
    let (end, log) = cloud.run_logged(60, LogLevel::Info).await;
    assert_eq!(attempts_and_seconds(&cloud), (1, 50));
    assert_eq!(tagged_after(&end), Some(1));
    assert_eq!(log.matches("is no notice of EC2's").count(), 1);
    assert!(log.contains("<html>"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn an_action_without_a_time_is_tagged_for() {
    let cloud = Cloud::new(&[(0, Imds::Body(r#"{"action":"hibernate","time":"now"}"#))]);
    let end = cloud.run_for(5).await;
    assert_eq!(tagged_after(&end), Some(1));
    let (notice, _) = end.notice.expect("a notice");
    assert_eq!(notice.action, Action::Hibernate);
}

#[tokio::test(start_paused = true)]
async fn a_time_in_the_past_still_gets_its_attempt() {
    let stale = r#"{"action":"terminate","time":"2025-12-31T23:00:00Z"}"#;
    let cloud = Cloud::new(&[(0, Imds::Body(stale))]);
    let end = cloud.run_for(5).await;
    assert_eq!(tagged_after(&end), Some(1));
}

#[tokio::test(start_paused = true)]
async fn throttled_five_times_it_tries_a_sixth_and_polls_meanwhile() {
    let cloud = Cloud::new(&[(0, Imds::Clear), (10, Imds::Body(NOTICE))]);
    let script: Vec<Script> = (0..5).map(|_| Script::Fails(throttled())).collect();
    cloud.tagging(script, Script::Works);
    let end = cloud.run_for(60).await;
    assert_eq!(tagged_after(&end), Some(6));
    assert_eq!(end.polls, 60);
    let (_, second) = attempts_and_seconds(&cloud);
    assert!((10..=18).contains(&second), "{second}");
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_said_once_and_not_tried_again() {
    let cloud = Cloud::new(&[(0, Imds::Body(NOTICE))]);
    cloud.tagging(vec![], Script::Fails(denied()));
    let (end, log) = cloud.run_logged(200, LogLevel::Debug).await;
    assert_eq!(cloud.attempts().len(), 1);
    assert_eq!(end.polls, 200, "it polls on");
    assert_eq!(gave_up(end), GaveUp::Final(denied()));
    assert_eq!(log.matches("UnauthorizedOperation").count(), 1);
    assert_eq!(log.matches("gave up").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_come_late_are_waited_for_and_their_want_is_said_once() {
    let cloud = Cloud::new(&[(0, Imds::Body(NOTICE))]);
    cloud.credentials_from(20);
    let (end, log) = cloud.run_logged(60, LogLevel::Info).await;
    assert!(tagged_after(&end).is_some_and(|attempts| attempts > 1));
    assert!((20..=25).contains(&attempts_and_seconds(&cloud).1));
    assert_eq!(log.matches("attach an instance profile").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_fetched_again_at_once() {
    let cloud = Cloud::new(&[(0, Imds::Body(NOTICE))]);
    let expired = TagFailure::StaleCredentials {
        code: "ExpiredToken".to_owned(),
    };
    cloud.tagging(vec![Script::Fails(expired)], Script::Works);
    let end = cloud.run_for(5).await;
    assert_eq!(tagged_after(&end), Some(2));
    assert_eq!(attempts_and_seconds(&cloud), (2, 0));
    assert_eq!(cloud.credential_requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn five_seconds_before_the_end_it_gives_up_with_the_last_reason() {
    let cloud = Cloud::new(&[(0, Imds::Clear), (10, Imds::Body(NOTICE))]);
    cloud.tagging(vec![], Script::Fails(throttled()));
    let (end, log) = cloud.run_logged(200, LogLevel::Info).await;
    let last = throttled();
    assert_eq!(gave_up(end), GaveUp::DeadlinePassed { last });
    let (attempts, second) = attempts_and_seconds(&cloud);
    assert!(attempts > 20, "{attempts}");
    assert!((115..125).contains(&second), "{second}");
    assert_eq!(log.matches("gave up").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_api_that_hangs_is_tried_again_after_its_deadline() {
    let cloud = Cloud::new(&[(0, Imds::Body(NOTICE))]);
    cloud.tagging(vec![Script::Hangs], Script::Works);
    let end = cloud.run_for(20).await;
    assert_eq!(tagged_after(&end), Some(2));
    assert_eq!(attempts_and_seconds(&cloud), (2, 5));
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_disappears_is_said_and_its_return_tags_nothing() {
    let cloud = Cloud::new(&[
        (0, Imds::Body(NOTICE)),
        (10, Imds::Clear),
        (20, Imds::Body(NOTICE)),
    ]);
    let (end, log) = cloud.run_logged(30, LogLevel::Info).await;
    assert_eq!(tagged_after(&end), Some(1));
    assert_eq!(cloud.attempts().len(), 1);
    assert_eq!(log.matches("is gone again").count(), 1);
    assert_eq!(log.matches("is there again").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_to_stop_ends_it_in_the_middle_of_an_attempt() {
    let cloud = Cloud::new(&[(0, Imds::Body(NOTICE))]);
    cloud.tagging(vec![], Script::Hangs);
    let end = cloud.run_for(2).await;
    assert_eq!(end.polls, 1);
    assert!(matches!(
        end.notice,
        Some((_, Tagging::Trying { failed: 0, .. }))
    ));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_replays_the_same_attempts() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let cloud = Cloud::new(&[(0, Imds::Body(NOTICE))]);
        cloud.tagging(vec![], Script::Fails(throttled()));
        cloud.run_for(100).await;
        let times: Vec<SignedDuration> = cloud.attempts().iter().map(|(at, _)| *at).collect();
        runs.push(times);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_ever_logged() {
    let cloud = Cloud::new(&[
        (0, Imds::Body("secret-body")),
        (1, Imds::Refused),
        (2, Imds::Body(NOTICE)),
    ]);
    let failures = vec![Script::Fails(throttled()), Script::Hangs];
    cloud.tagging(failures, Script::Fails(denied()));
    let (_, log) = cloud.run_logged(60, LogLevel::Trace).await;
    assert!(log.contains("gave up"), "{log}");
    assert!(!log.contains("secret"), "{log}");
}

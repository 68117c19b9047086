//! The library over real HTTP.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::surroundings::Surroundings;
use jiff::{SignedDuration, Timestamp};
use reprise_agent::settings::InterruptionSettings;
use reprise_agent::watch::Tagging;
use reprise_agent::{AgentEnd, Clock, Settings, SystemClock, run_agent};
use tokio::sync::oneshot;

fn settings(surroundings: &Surroundings) -> Settings {
    let endpoint = surroundings.endpoint();
    let environment = BTreeMap::from([
        (
            "AWS_EC2_METADATA_SERVICE_ENDPOINT".to_owned(),
            endpoint.clone(),
        ),
        ("AWS_ENDPOINT_URL_EC2".to_owned(), endpoint),
        ("REPRISE_AGENT_POLL_INTERVAL".to_owned(), "100ms".to_owned()),
    ]);
    Settings {
        // There may be a runner on this machine that is not ours.
        interruption: InterruptionSettings::only_tag(),
        ..Settings::load(None, &environment).expect("valid")
    }
}

/// A running agent; `stop` ends it.
struct Running {
    stop: oneshot::Sender<()>,
    end: tokio::task::JoinHandle<AgentEnd>,
}

impl Running {
    fn start(surroundings: &Surroundings, clock: impl Clock + 'static) -> Self {
        let settings = settings(surroundings);
        let (stop, stopped) = oneshot::channel();
        let end = tokio::spawn(async move {
            let shutdown = async { stopped.await.unwrap_or_default() };
            run_agent(settings, clock, shutdown).await
        });
        Self { stop, end }
    }

    async fn stop(self) -> AgentEnd {
        self.stop.send(()).expect("running");
        self.end.await.expect("no panic")
    }
}

#[tokio::test]
async fn a_notice_becomes_a_signed_create_tags_of_the_own_instance() {
    let surroundings = Surroundings::start().await;
    let agent = Running::start(&surroundings, SystemClock::start());
    surroundings.polled(2).await;
    surroundings.give_notice("2999-01-01T00:00:00Z");
    let calls = surroundings.tag_calls(1).await;
    surroundings.polled(8).await;
    let end = agent.stop().await;

    let expected = [
        ("Action", "CreateTags"),
        ("ResourceId.1", "i-0123456789abcdef0"),
        ("Tag.1.Key", "runs-on-workflow-job-interrupted"),
        ("Tag.1.Value", "true"),
        ("Version", "2016-11-15"),
    ];
    let form: Vec<(&str, &str)> = calls[0]
        .form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(form, expected);
    assert_signed(&calls[0].headers, &surroundings);
    let (_, tagging) = end.notice.expect("a notice");
    assert_eq!(tagging, Tagging::Tagged { attempts: 1 });
    assert_eq!(surroundings.tag_calls(1).await.len(), 1, "tagged once");
}

fn assert_signed(headers: &axum::http::HeaderMap, surroundings: &Surroundings) {
    let text = |name: &str| headers[name].to_str().expect("text").to_owned();
    let date = text("x-amz-date");
    let scope = format!("{}/eu-west-1/ec2/aws4_request", &date[..8]);
    let authorization = text("authorization");
    let wanted = format!("AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/{scope}, SignedHeaders=");
    assert!(authorization.starts_with(&wanted), "{authorization}");
    assert!(authorization.contains("host;x-amz-date;x-amz-security-token"));
    assert_eq!(text("x-amz-security-token"), "role-token-secret");
    assert_eq!(text("host"), surroundings.address.to_string());
}

#[tokio::test]
async fn a_throttled_call_is_repeated_until_it_is_taken() {
    let surroundings = Surroundings::start().await;
    surroundings.throttle(2);
    surroundings.give_notice("2999-01-01T00:00:00Z");
    let agent = Running::start(&surroundings, SystemClock::start());
    surroundings.tag_calls(3).await;
    surroundings.polled(1).await;
    let end = agent.stop().await;
    assert!(end.notice.is_some());
    assert_eq!(surroundings.tag_calls(3).await.len(), 3);
}

/// A demo's clock: a hundred times as fast, and years away from the time of day.
struct Scaled(SystemClock);

const EPOCH: Timestamp = Timestamp::UNIX_EPOCH;
const PACE: i32 = 100;

impl Clock for Scaled {
    fn now(&self) -> Timestamp {
        EPOCH + self.0.now().duration_since(EPOCH) * PACE
    }

    fn wall(&self) -> SystemTime {
        self.0.wall()
    }

    async fn sleep(&self, duration: SignedDuration) {
        self.0.sleep(duration / PACE).await;
    }
}

#[tokio::test]
async fn under_a_scaled_clock_polls_are_quick_and_the_signature_tells_the_true_time() {
    let surroundings = Surroundings::start().await;
    let clock = Scaled(SystemClock::starting_at(EPOCH));
    let today = Timestamp::try_from(clock.wall()).expect("a time");
    surroundings.give_notice("1970-01-01T00:02:00Z");
    let agent = Running::start(&surroundings, clock);
    let calls = surroundings.tag_calls(1).await;
    surroundings.polled(3).await;
    agent.stop().await;
    let date = calls[0].headers["x-amz-date"].to_str().expect("text");
    assert_eq!(date[..4], today.to_string()[..4], "signed at {date}");
}

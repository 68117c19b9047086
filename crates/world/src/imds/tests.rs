//! Behaviour of the simulated metadata service.

use reprise_model::ids::{AccountId, Region};
use reprise_model::instance::Capacity;

use super::*;
use crate::ec2::{Adopted, Ec2Settings, Interruption};

struct Host {
    ec2: Ec2,
    imds: Imds,
    id: InstanceId,
}

fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    start + SignedDuration::from_secs(seconds)
}

fn host() -> Host {
    let account = AccountId::new("123456789012");
    let mut ec2 = Ec2::new(Ec2Settings::new(account, Region::new("eu-west-1"), 1));
    let id: InstanceId = "i-0123456789abcdef0".parse().expect("an id");
    let adopted = Adopted {
        id: id.clone(),
        instance_type: "c7a.large".to_owned(),
        zone: "eu-west-1a".to_owned(),
        capacity: Capacity::Spot,
        tags: BTreeMap::from([("team".to_owned(), "a".to_owned())]),
        role: Some("runner-role".to_owned()),
    };
    ec2.register_instance(at(0), adopted);
    Host {
        ec2,
        imds: Imds::new(2),
        id,
    }
}

impl Host {
    fn ask(&mut self, seconds: i64, request: &http::Request<Vec<u8>>) -> http::Response<Vec<u8>> {
        self.ec2.advance(at(seconds));
        self.imds.handle(&self.ec2, &self.id, at(seconds), request)
    }

    fn put(&mut self, seconds: i64, ttl: Option<&str>) -> (u16, String) {
        let mut request = http::Request::put(TOKEN_PATH);
        if let Some(ttl) = ttl {
            request = request.header(TTL_HEADER, ttl);
        }
        let request = request.body(Vec::new()).expect("a request");
        read(self.ask(seconds, &request))
    }

    fn get_with(&mut self, seconds: i64, token: &str, path: &str) -> (u16, String) {
        let request = http::Request::get(format!("/latest/{path}"))
            .header(TOKEN_HEADER, token)
            .body(Vec::new())
            .expect("a request");
        read(self.ask(seconds, &request))
    }

    fn get(&mut self, seconds: i64, path: &str) -> (u16, String) {
        let (_, token) = self.put(seconds, Some("60"));
        self.get_with(seconds, &token, path)
    }
}

fn read(response: http::Response<Vec<u8>>) -> (u16, String) {
    let status = response.status().as_u16();
    (
        status,
        String::from_utf8(response.into_body()).expect("text"),
    )
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn a_token_lives_as_long_as_it_was_asked_for() {
    let mut host = host();
    let (status, token) = host.put(0, Some("60"));
    assert_eq!(status, 200);
    let path = "meta-data/instance-id";
    let (status, body) = host.get_with(59, &token, path);
    assert_eq!((status, body.as_str()), (200, "i-0123456789abcdef0"));
    assert_eq!(host.get_with(60, &token, path).0, 401);
    assert_eq!(host.get_with(60, "guessed", path).0, 401);
}

#[test]
fn a_token_without_a_valid_life_is_refused() {
    let mut host = host();
    for ttl in [None, Some("0"), Some("21601"), Some("-1"), Some("soon")] {
        assert_eq!(host.put(0, ttl).0, 400, "{ttl:?}");
    }
    assert_eq!(host.put(0, Some("21600")).0, 200);
}

#[test]
fn nothing_is_told_without_a_token() {
    let request = http::Request::get("/latest/meta-data/instance-id")
        .body(Vec::new())
        .expect("a request");
    assert_eq!(host().ask(0, &request).status(), 401);
}

#[test]
fn a_forwarded_request_gets_no_token() {
    let request = http::Request::put(TOKEN_PATH)
        .header(TTL_HEADER, "60")
        .header("x-forwarded-for", "192.0.2.1")
        .body(Vec::new())
        .expect("a request");
    assert_eq!(host().ask(0, &request).status(), 403);
}

#[test]
fn an_instance_learns_who_and_where_it_is() {
    let mut host = host();
    for (path, text) in [
        ("meta-data/placement/region", "eu-west-1"),
        ("meta-data/placement/availability-zone", "eu-west-1a"),
        ("meta-data/instance-life-cycle", "spot"),
        ("meta-data/instance-type", "c7a.large"),
        ("meta-data/tags/instance", "team"),
        ("meta-data/tags/instance/team", "a"),
        ("meta-data/iam/security-credentials/", "runner-role"),
    ] {
        assert_eq!(host.get(0, path), (200, text.to_owned()), "{path}");
    }
    let (_, document) = host.get(0, "dynamic/instance-identity/document");
    assert_eq!(json(&document)["accountId"], "123456789012");
    assert_eq!(json(&document)["instanceId"], "i-0123456789abcdef0");
    assert_eq!(host.get(0, "meta-data/tags/instance/other").0, 404);
    assert_eq!(host.get(0, "meta-data/nothing").0, 404);
}

#[test]
fn the_credentials_are_the_instances_own() {
    let mut host = host();
    let (_, text) = host.get(0, "meta-data/iam/security-credentials/runner-role");
    let credentials = host.ec2.credentials(&host.id, at(0)).expect("credentials");
    assert_eq!(json(&text)["AccessKeyId"], credentials.access_key_id);
    assert_eq!(json(&text)["Expiration"], "2026-01-01T06:00:00Z");
    let other = "meta-data/iam/security-credentials/other";
    assert_eq!(host.get(0, other).0, 404);
}

#[test]
fn the_notice_stands_from_its_first_moment_on() {
    let mut host = host();
    let action = "meta-data/spot/instance-action";
    let time = "meta-data/spot/termination-time";
    assert_eq!(host.get(9, action).0, 404);
    assert_eq!(host.get(9, time).0, 404);
    let notice = Interruption::terminate(SignedDuration::from_secs(120));
    host.ec2
        .interrupt(at(10), &host.id, notice)
        .expect("interrupted");
    let (status, text) = host.get(10, action);
    assert_eq!(status, 200);
    assert_eq!(
        json(&text),
        serde_json::json!({ "action": "terminate", "time": "2026-01-01T00:02:10Z" })
    );
    assert_eq!(host.get(10, time).1, "2026-01-01T00:02:10Z");
}

#[test]
fn a_rebalance_recommendation_is_told_with_its_time() {
    let mut host = host();
    let path = "meta-data/events/recommendations/rebalance";
    assert_eq!(host.get(0, path).0, 404);
    host.ec2.recommend_rebalance(at(5), &host.id).expect("told");
    let (_, text) = host.get(6, path);
    assert_eq!(json(&text)["noticeTime"], "2026-01-01T00:00:05Z");
}

#[test]
fn every_answer_has_the_time_and_closes_its_connection() {
    let request = http::Request::get("/").body(Vec::new()).expect("a request");
    let response = host().ask(1, &request);
    assert_eq!(response.headers()["date"], "Thu, 01 Jan 2026 00:00:01 GMT");
    assert_eq!(response.headers()["connection"], "close");
}

#[test]
fn each_fault_shows_as_on_the_real_service() {
    let faults = [
        (
            ImdsFaults {
                server_error: Some(StatusCode::INTERNAL_SERVER_ERROR),
                ..ImdsFaults::default()
            },
            500,
        ),
        (
            ImdsFaults {
                disabled: true,
                ..ImdsFaults::default()
            },
            403,
        ),
        (
            ImdsFaults {
                unauthorized: true,
                ..ImdsFaults::default()
            },
            401,
        ),
    ];
    for (faults, status) in faults {
        let mut host = host();
        let (_, token) = host.put(0, Some("60"));
        host.imds.faults = faults;
        assert_eq!(host.get_with(1, &token, "meta-data/instance-id").0, status);
        host.imds.faults = ImdsFaults::default();
        assert_eq!(host.get_with(2, &token, "meta-data/instance-id").0, 200);
    }
}

#[test]
fn a_notice_may_be_nonsense() {
    let mut host = host();
    host.imds.faults.notice_text = Some("soon".to_owned());
    let path = "meta-data/spot/instance-action";
    assert_eq!(host.get(0, path), (200, "soon".to_owned()));
}

#[test]
fn a_notice_may_be_taken_back() {
    let mut host = host();
    let notice = Interruption::terminate(SignedDuration::from_secs(120));
    host.ec2.interrupt(at(0), &host.id, notice).expect("spot");
    for path in [
        "meta-data/spot/instance-action",
        "meta-data/spot/termination-time",
    ] {
        host.imds.faults.notice_gone = false;
        assert_eq!(host.get(1, path).0, 200, "{path}");
        host.imds.faults.notice_gone = true;
        assert_eq!(host.get(1, path).0, 404, "{path}");
    }
}

fn notice_times(host: &mut Host, told: NoticeTime) -> Vec<String> {
    let notice = Interruption::terminate(SignedDuration::from_secs(120));
    host.ec2.interrupt(at(0), &host.id, notice).expect("spot");
    host.imds.faults.notice_time = told;
    let path = "meta-data/spot/instance-action";
    let read = |second| json(&host.get(second, path).1)["time"].to_string();
    (1..3).map(read).collect()
}

#[test]
fn the_time_of_a_notice_may_be_past_or_move() {
    let hour = SignedDuration::from_hours(1);
    let past = notice_times(&mut host(), NoticeTime::Off(-hour));
    assert_eq!(
        past,
        ["\"2025-12-31T23:02:00Z\"", "\"2025-12-31T23:02:00Z\""]
    );
    let moving = notice_times(&mut host(), NoticeTime::Moving(hour));
    assert_eq!(
        moving,
        ["\"2026-01-01T00:02:00Z\"", "\"2026-01-01T01:02:00Z\""]
    );
}

#[test]
fn the_date_may_be_wrong_absent_or_nonsense() {
    let mut host = host();
    let mut date = |told| {
        host.imds.faults.date = told;
        let request = http::Request::get("/").body(Vec::new()).expect("a request");
        let response = host.ask(1, &request);
        response
            .headers()
            .get("date")
            .map(|date| date.to_str().expect("text").to_owned())
    };
    assert_eq!(date(DateHeader::Absent), None);
    assert_eq!(date(DateHeader::Illegible).as_deref(), Some("yesterday"));
    let hour = SignedDuration::from_hours(1);
    let wrong = date(DateHeader::Off(hour));
    assert_eq!(wrong.as_deref(), Some("Thu, 01 Jan 2026 01:00:01 GMT"));
}

#[test]
fn a_token_may_end_in_mid_life() {
    let mut host = host();
    host.imds.faults.tokens_last = Some(SignedDuration::from_secs(5));
    let (_, token) = host.put(0, Some("21600"));
    assert_eq!(host.get_with(4, &token, "meta-data/instance-id").0, 200);
    assert_eq!(host.get_with(5, &token, "meta-data/instance-id").0, 401);
}

#[test]
fn a_service_short_of_breath_answers_one_request_of_several() {
    let mut host = host();
    let (_, token) = host.put(0, Some("60"));
    host.imds.faults.answers_one_in = Some(3);
    let mut ask = || host.get_with(1, &token, "meta-data/instance-id").0;
    assert_eq!(
        [ask(), ask(), ask(), ask(), ask()],
        [503, 200, 503, 503, 200]
    );
}

#[test]
fn an_instance_without_a_role_has_no_credentials() {
    let mut host = host();
    host.imds.faults.no_role = true;
    for path in [
        "iam/security-credentials/",
        "iam/security-credentials/runner-role",
    ] {
        assert_eq!(host.get(0, &format!("meta-data/{path}")).0, 404);
    }
}

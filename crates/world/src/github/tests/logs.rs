//! Logs: what is written, the link, and the store behind it.

use http::Response;
use reprise_model::failure::{JobLog, LOG_END};

use super::*;
use crate::github::Step;

const LOGS: &str = "/repos/acme/shop/actions/jobs/25000000001/logs";

/// A job that failed as its workflow file says.
fn failed(spec: JobSpec, conclusion: Conclusion) -> (GitHub, JobId) {
    let mut github = github();
    push(&mut github, vec![spec]);
    let taken = take(&mut github, at(1), "runner");
    let step = |name: &str, conclusion, from, to| Step {
        name: name.to_owned(),
        conclusion,
        started_at: at(from),
        completed_at: at(to),
    };
    let steps = vec![
        step("Set up job", Conclusion::Success, 1, 2),
        step("Run make", conclusion, 2, 9),
    ];
    let done = github.finish_job(at(9), taken, Conclusion::Failure, steps);
    done.expect("a job in progress");
    (github, taken)
}

fn location(answer: &Response<Vec<u8>>) -> String {
    let location = answer.headers().get("location").expect("a link");
    location.to_str().expect("text").to_owned()
}

fn linked(github: &mut GitHub) -> String {
    let client = Client::of(github);
    let answer = github.handle(at(100), &request("GET", LOGS, &client.token));
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert!(answer.body().is_empty());
    location(&answer)
}

fn fetched(github: &mut GitHub, now: Timestamp, link: &str, header: (&str, &str)) -> (u16, String) {
    let request = Request::builder().uri(link).header(header.0, header.1);
    let answer = github.handle(now, &request.body(Vec::new()).expect("a request"));
    let body = String::from_utf8(answer.body().clone()).expect("text");
    (answer.status().as_u16(), body)
}

#[test]
fn a_failed_job_prints_what_its_workflow_says() {
    let spec = job("test").fails_with("Run make", "curl: (6) Could not resolve host\nno");
    let (github, id) = failed(spec, Conclusion::Failure);
    let log = github.log_of(id).expect("a log");
    assert_eq!(
        log,
        "2025-06-15T15:06:41.0000000Z ##[group]Run Set up job\n\
         2025-06-15T15:06:41.0000000Z shell: /usr/bin/bash -e {0}\n\
         2025-06-15T15:06:41.0000000Z ##[endgroup]\n\
         2025-06-15T15:06:42.0000000Z ##[group]Run make\n\
         2025-06-15T15:06:42.0000000Z shell: /usr/bin/bash -e {0}\n\
         2025-06-15T15:06:42.0000000Z ##[endgroup]\n\
         2025-06-15T15:06:49.0000000Z curl: (6) Could not resolve host\n\
         2025-06-15T15:06:49.0000000Z no\n\
         2025-06-15T15:06:49.0000000Z ##[error]Process completed with exit code 1.\n\
         2025-06-15T15:06:49.0000000Z Cleaning up orphan processes\n"
    );
}

#[test]
fn a_job_may_say_itself_how_it_ended() {
    let spec = job("test").fails_with("Run make", "##[error]Bad credentials");
    let (github, id) = failed(spec, Conclusion::Failure);
    let log = github.log_of(id).expect("a log");
    assert!(log.contains("##[error]Bad credentials") && !log.contains("exit code"));
}

#[test]
fn a_step_that_was_cut_off_tells_of_the_shutdown() {
    let (github, id) = failed(job("test"), Conclusion::Cancelled);
    let log = github.log_of(id).expect("a log");
    assert!(log.contains("##[error]The runner has received a shutdown signal."));
    assert!(log.contains("##[error]The operation was canceled."));
}

#[test]
fn a_link_leads_to_the_log_for_a_minute_and_takes_no_token() {
    let (mut github, id) = failed(job("test"), Conclusion::Failure);
    let link = linked(&mut github);
    assert!(
        link.starts_with("https://api.github.com/_blobs/logs/"),
        "{link}"
    );
    let log = github.log_of(id).expect("a log");
    let plain = ("accept", "*/*");
    assert_eq!(fetched(&mut github, at(160), &link, plain), (200, log));
    assert_eq!(fetched(&mut github, at(161), &link, plain).0, 403);
    let token = ("authorization", "Bearer ghs_fake");
    assert_eq!(fetched(&mut github, at(101), &link, token).0, 400);
    let other = link.replace("25000000001", "1");
    assert_eq!(fetched(&mut github, at(101), &other, plain).0, 404);
}

#[test]
fn a_link_leads_back_to_where_it_was_asked_for() {
    let (mut github, _) = failed(job("test"), Conclusion::Failure);
    let client = Client::of(&mut github);
    let mut request = request("GET", LOGS, &client.token);
    let host = http::HeaderValue::from_static("127.0.0.1:9");
    request.headers_mut().insert("host", host);
    let answer = github.handle(at(100), &request);
    assert!(location(&answer).starts_with("http://127.0.0.1:9/_blobs/logs/"));
}

#[test]
fn a_part_of_a_log_is_given_with_the_length_of_the_whole() {
    let (mut github, id) = failed(job("test"), Conclusion::Failure);
    let link = linked(&mut github);
    let log = github.log_of(id).expect("a log");
    for (range, status, body) in [
        ("bytes=0-9", 206, &log[..10]),
        ("bytes=5-99999", 206, &log[5..]),
        ("bytes=99999-999999", 416, "InvalidRange"),
        ("bytes=-5", 200, log.as_str()),
    ] {
        let answer = fetched(&mut github, at(101), &link, ("range", range));
        assert_eq!(answer, (status, body.to_owned()), "{range}");
    }
}

#[test]
fn there_is_no_log_before_the_end_after_its_retention_and_of_a_host_that_died() {
    let mut github = github();
    push(&mut github, vec![job("test")]);
    let client = Client::of(&mut github);
    let taken = take(&mut github, at(1), "runner");
    assert_eq!(client.get(&mut github, LOGS).0, StatusCode::NOT_FOUND);
    github.lose_runner(at(2), taken).expect("in progress");
    github.advance(at(2 + 600));
    let late = send(&mut github, at(700), "GET", LOGS, &client.token);
    assert_eq!(late.0, StatusCode::NOT_FOUND);
    let (mut github, _) = failed(job("test"), Conclusion::Failure);
    let client = Client::of(&mut github);
    github.faults_mut().logs_are_gone = true;
    assert_eq!(client.get(&mut github, LOGS).0, StatusCode::GONE);
}

#[test]
fn without_http_the_same_is_known_of_a_failure() {
    let long = "more\n".repeat(20_000);
    let spec = job("test").fails_with("Run make", long);
    let (mut github, id) = failed(spec, Conclusion::Failure);
    let facts = github.read_failure_facts(at(100), &shop(), id);
    let facts = facts.expect("it is there");
    assert_eq!(facts.conclusion, Some(Conclusion::Failure));
    assert_eq!(facts.steps.len(), 2);
    assert_eq!(facts.annotations, Some(Vec::new()));
    let JobLog::End(end) = facts.log else {
        panic!("there is a log");
    };
    assert_eq!(end.len(), LOG_END);
    let other: Repository = "acme/other".parse().expect("valid");
    assert!(github.read_failure_facts(at(100), &other, id).is_none());
}

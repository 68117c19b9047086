//! Logs of jobs: written from their steps, and kept in a store beside GitHub to which it gives links.
//!
//! The store is as a blob store is: it knows ranges with a beginning and an end, a link lives a minute, and
//! a request that brings a credential of its own beside the link's signature is refused. Its address begins
//! with `/_blobs`, which no route of GitHub's does.

use http::header::{AUTHORIZATION, CONTENT_RANGE, HOST, RANGE};
use http::{HeaderValue, Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::JobId;
use reprise_model::job::Conclusion;

use super::GitHub;
use super::spec::FailedStep;
use super::state::{Job, Run, Step};

/// Where the store's addresses begin.
const STORE: &str = "/_blobs/logs/";

/// How long a link lives.
const LINK_LIVES: SignedDuration = SignedDuration::from_mins(1);

/// What the runner writes where a step failed and nothing says with what.
const EXIT: &str = "##[error]Process completed with exit code 1.";

/// What it writes when its machine is shut down.
const SHUT_DOWN: &str = "##[error]The runner has received a shutdown signal. This can happen when the \
                         runner service is stopped, or a manually started runner is canceled.";

const CANCELED: &str = "##[error]The operation was canceled.";

impl GitHub {
    /// The log of a job, where there is one: a job that has not ended, or whose host died, has none.
    pub fn log_of(&self, id: JobId) -> Option<String> {
        let (run, _, job) = self.job(id)?;
        let is_there = job.is_completed() && !job.steps.is_empty() && !self.faults.logs_are_gone;
        is_there.then(|| written(run, job))
    }

    /// A link to a job's log.
    pub(super) fn log_link(&self, now: Timestamp, id: JobId, request: &Request<Vec<u8>>) -> String {
        let host = request
            .headers()
            .get(HOST)
            .and_then(|host| host.to_str().ok());
        let base = host.map_or_else(
            || self.settings.api_url.clone(),
            |host| format!("http://{host}"),
        );
        let ends = (now + LINK_LIVES).as_second();
        format!("{base}{STORE}{id}?se={ends}&sig=fake")
    }

    /// Answers a request to the store; `None` for one that is not meant for it.
    pub(super) fn store_answer(
        &self,
        now: Timestamp,
        request: &Request<Vec<u8>>,
    ) -> Option<Response<Vec<u8>>> {
        let id = request.uri().path().strip_prefix(STORE)?;
        if request.headers().contains_key(AUTHORIZATION) {
            return Some(answer(
                StatusCode::BAD_REQUEST,
                b"InvalidAuthenticationInfo",
            ));
        }
        if !lives(now, request.uri().query().unwrap_or_default()) {
            return Some(answer(StatusCode::FORBIDDEN, b"AuthenticationFailed"));
        }
        let log = id.parse().ok().and_then(|id| self.log_of(id));
        let range = request.headers().get(RANGE);
        Some(match log {
            Some(log) => part(log.as_bytes(), range),
            None => answer(StatusCode::NOT_FOUND, b"BlobNotFound"),
        })
    }
}

fn lives(now: Timestamp, query: &str) -> bool {
    let ends = query.split('&').find_map(|pair| pair.strip_prefix("se="));
    let ends = ends.and_then(|ends| ends.parse().ok());
    ends.is_some_and(|ends: i64| now.as_second() <= ends)
}

fn answer(status: StatusCode, body: &[u8]) -> Response<Vec<u8>> {
    let mut response = Response::new(body.to_vec());
    *response.status_mut() = status;
    response
}

/// All of it, or what `bytes=START-END` asks for.
fn part(log: &[u8], range: Option<&HeaderValue>) -> Response<Vec<u8>> {
    let asked =
        range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let asked = asked
        .and_then(|(start, end)| Some((start.parse::<usize>().ok()?, end.parse::<usize>().ok()?)));
    let Some((start, end)) = asked else {
        return answer(StatusCode::OK, log);
    };
    let end = end.min(log.len().saturating_sub(1));
    let Some(bytes) = log.get(start..=end).filter(|bytes| !bytes.is_empty()) else {
        return answer(StatusCode::RANGE_NOT_SATISFIABLE, b"InvalidRange");
    };
    let mut response = answer(StatusCode::PARTIAL_CONTENT, bytes);
    let told = format!("bytes {start}-{end}/{}", log.len());
    if let Ok(told) = HeaderValue::try_from(told) {
        response.headers_mut().insert(CONTENT_RANGE, told);
    }
    response
}

fn written(run: &Run, job: &Job) -> String {
    let fails = run.spec_of(job).and_then(|spec| spec.fails.as_ref());
    let mut log = Log::default();
    for step in &job.steps {
        log.step(step, job, fails);
    }
    if let Some(last) = job.steps.last() {
        log.print(last.completed_at, "Cleaning up orphan processes");
    }
    log.0
}

/// A log as the runner writes it: each line with its time.
#[derive(Default)]
struct Log(String);

impl Log {
    fn step(&mut self, step: &Step, job: &Job, fails: Option<&FailedStep>) {
        let ran = step.name.strip_prefix("Run ").unwrap_or(&step.name);
        for line in [
            &format!("##[group]Run {ran}"),
            "shell: /usr/bin/bash -e {0}",
            "##[endgroup]",
        ] {
            self.print(step.started_at, line);
        }
        match &step.conclusion {
            Conclusion::Failure => self.failure(step, fails),
            Conclusion::Cancelled => {
                // A job that nobody cancelled lost its machine.
                if job.annotations.is_empty() {
                    self.print(step.completed_at, SHUT_DOWN);
                }
                self.print(step.completed_at, CANCELED);
            }
            Conclusion::Success
            | Conclusion::Skipped
            | Conclusion::Neutral
            | Conclusion::TimedOut
            | Conclusion::ActionRequired
            | Conclusion::Stale
            | Conclusion::StartupFailure
            | Conclusion::Unknown(_) => {}
        }
    }

    fn failure(&mut self, step: &Step, fails: Option<&FailedStep>) {
        let printed = fails.map(|fails| fails.prints.as_str()).unwrap_or_default();
        for line in printed.lines() {
            self.print(step.completed_at, line);
        }
        let says_how = printed.lines().next_back();
        if !says_how.is_some_and(|line| line.starts_with("##[error]")) {
            self.print(step.completed_at, EXIT);
        }
    }

    fn print(&mut self, at: Timestamp, line: &str) {
        self.0 += &at.strftime("%Y-%m-%dT%H:%M:%S.%7fZ ").to_string();
        self.0 += line;
        self.0.push('\n');
    }
}

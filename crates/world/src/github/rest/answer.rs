//! Answers: GitHub's error bodies, its headers on every answer, and its rate limits.

use http::header::{CONTENT_TYPE, HeaderName, LINK, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::route::Route;
use crate::github::GitHub;

/// The primary rate limit starts anew after an hour.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// What is answered, before the headers that every answer has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    /// The pages beside this one.
    pub(super) link: Option<String>,
    /// Seconds to wait.
    pub(super) retry_after: Option<i64>,
    /// Where else to look.
    pub(super) location: Option<String>,
}

impl Answer {
    pub(super) fn new(status: StatusCode, body: Value) -> Self {
        Self {
            status,
            body,
            link: None,
            retry_after: None,
            location: None,
        }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::new(StatusCode::OK, body)
    }

    /// A link.
    pub(super) fn found(location: String) -> Self {
        Self {
            location: Some(location),
            ..Self::new(StatusCode::FOUND, Value::Null)
        }
    }

    /// An error in GitHub's words.
    pub(super) fn error(status: StatusCode, message: &str) -> Self {
        let body = json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": status.as_str(),
        });
        Self::new(status, body)
    }

    pub(super) fn not_found() -> Self {
        Self::error(StatusCode::NOT_FOUND, "Not Found")
    }

    /// The number of what the answer describes.
    pub(super) fn id(&self) -> Option<u64> {
        self.body["id"].as_u64()
    }

    pub(super) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// How much of the primary rate limit is used.
#[derive(Debug, Default)]
pub(in crate::github) struct RateWindow {
    began: Option<Timestamp>,
    used: u64,
}

impl RateWindow {
    fn roll(&mut self, now: Timestamp) -> Timestamp {
        let began = self.began.filter(|began| now < *began + WINDOW);
        if began.is_none() {
            self.used = 0;
        }
        *self.began.insert(began.unwrap_or(now))
    }
}

impl GitHub {
    /// Counts the request and says whether a limit refuses it.
    pub(super) fn over_limit(&mut self, now: Timestamp, route: &Route) -> Option<Answer> {
        self.window.roll(now);
        if *route == Route::RateLimit {
            return None;
        }
        if let Some(until) = self.faults.secondary_limit_until.filter(|at| now < *at) {
            return Some(secondary_limit(until.duration_since(now)));
        }
        if self.window.used >= self.settings.requests_an_hour {
            let id = self.settings.installation;
            let message = format!("API rate limit exceeded for installation ID {id}.");
            return Some(Answer::error(StatusCode::FORBIDDEN, &message));
        }
        self.window.used += 1;
        None
    }

    /// `GET /rate_limit`, which costs nothing.
    pub(super) fn rate_limit(&mut self, now: Timestamp) -> Answer {
        let rate = json!({
            "limit": self.settings.requests_an_hour,
            "used": self.window.used,
            "remaining": self.settings.requests_an_hour.saturating_sub(self.window.used),
            "reset": (self.window.roll(now) + WINDOW).as_second(),
        });
        Answer::ok(json!({ "resources": { "core": rate, "search": rate }, "rate": rate }))
    }

    /// Adds the headers that every answer of GitHub has.
    pub(super) fn respond(&mut self, now: Timestamp, answer: Answer) -> Response<Vec<u8>> {
        let limit = self.settings.requests_an_hour;
        let reset = self.window.roll(now) + WINDOW;
        let headers = [
            (CONTENT_TYPE, "application/json; charset=utf-8".to_owned()),
            (name("x-github-request-id"), self.guid()),
            (name("x-ratelimit-limit"), limit.to_string()),
            (name("x-ratelimit-used"), self.window.used.to_string()),
            (
                name("x-ratelimit-remaining"),
                limit.saturating_sub(self.window.used).to_string(),
            ),
            (name("x-ratelimit-reset"), reset.as_second().to_string()),
            (name("x-ratelimit-resource"), "core".to_owned()),
        ];
        let link = answer.link.map(|link| (LINK, link));
        let wait = answer
            .retry_after
            .map(|wait| (RETRY_AFTER, wait.to_string()));
        let location = answer.location.map(|location| (LOCATION, location));
        let body = match answer.status {
            StatusCode::NO_CONTENT | StatusCode::FOUND => Vec::new(),
            _ => answer.body.to_string().into_bytes(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = answer.status;
        for (name, value) in headers.into_iter().chain(link).chain(wait).chain(location) {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

fn name(name: &'static str) -> HeaderName {
    HeaderName::from_static(name)
}

fn secondary_limit(wait: SignedDuration) -> Answer {
    let message = "You have exceeded a secondary rate limit. \
                   Please wait a few minutes before you try again.";
    Answer {
        retry_after: Some(wait.as_secs() + i64::from(wait.subsec_nanos() > 0)),
        ..Answer::error(StatusCode::FORBIDDEN, message)
    }
}

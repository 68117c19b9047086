//! The metadata service of an instance (IMDSv2 only), and the ways in which it may fail.
//!
//! One [`Imds`] belongs to one instance; what it tells is read from [`Ec2`], so the two never
//! disagree. It cannot refuse connections, keep silent or break an answer off itself: its server looks
//! at [`ImdsFaults::hang`], at [`ImdsFaults::delivery`] and at whether the instance is up.

mod document;
mod faults;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use http::{HeaderValue, Method, StatusCode, header};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;

use crate::ec2::Ec2;
pub use faults::{DateHeader, Delivery, ImdsFaults, NoticeTime};

const TOKEN_PATH: &str = "/latest/api/token";
const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const NOTICE_PATH: &str = "/latest/meta-data/spot/instance-action";
const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";

/// The longest life of a token: six hours.
const LONGEST_TTL_SECONDS: i64 = 21_600;

/// The metadata service of one instance.
#[derive(Debug, Clone)]
pub struct Imds {
    tokens: BTreeMap<String, Timestamp>,
    rng: fastrand::Rng,
    requests: u64,
    notices_read: u32,
    /// What is broken at the moment.
    pub faults: ImdsFaults,
}

impl Imds {
    /// A service that works. The seed decides the tokens.
    pub fn new(seed: u64) -> Self {
        Self {
            tokens: BTreeMap::new(),
            rng: fastrand::Rng::with_seed(seed),
            requests: 0,
            notices_read: 0,
            faults: ImdsFaults::default(),
        }
    }

    /// How many requests came.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Answers one request of a program on `instance`.
    pub fn handle(
        &mut self,
        ec2: &Ec2,
        instance: &InstanceId,
        now: Timestamp,
        request: &http::Request<Vec<u8>>,
    ) -> http::Response<Vec<u8>> {
        self.requests += 1;
        self.tokens.retain(|_, until| *until > now);
        let answer = self.answer(ec2, instance, now, request);
        let (status, mut body) = match answer {
            Ok(body) => (StatusCode::OK, body),
            Err(status) => (status, error_page(status)),
        };
        if request.method() == Method::HEAD {
            body = String::new();
        }
        respond(self.date(now), status, body)
    }

    /// `PUT` for a token without HTTP: the token, or the status of the refusal.
    pub fn token(&mut self, now: Timestamp, ttl_seconds: u32) -> Result<String, StatusCode> {
        self.requests += 1;
        self.check_service()?;
        self.new_token(now, i64::from(ttl_seconds))
    }

    /// `GET` without HTTP: the text under a path, or the status of the refusal.
    pub fn get(
        &mut self,
        ec2: &Ec2,
        instance: &InstanceId,
        now: Timestamp,
        path: &str,
        token: &str,
    ) -> Result<String, StatusCode> {
        self.requests += 1;
        self.tokens.retain(|_, until| *until > now);
        self.check_service()?;
        self.check_token(Some(token))?;
        self.read(ec2, instance, now, path)
    }

    fn answer(
        &mut self,
        ec2: &Ec2,
        instance: &InstanceId,
        now: Timestamp,
        request: &http::Request<Vec<u8>>,
    ) -> Result<String, StatusCode> {
        self.check_service()?;
        if *request.method() == Method::PUT {
            return self.put(now, request);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        self.check_token(header_text(request, TOKEN_HEADER))?;
        self.read(ec2, instance, now, request.uri().path())
    }

    /// What the header `Date` says.
    fn date(&self, now: Timestamp) -> Option<HeaderValue> {
        let told = match self.faults.date {
            DateHeader::True => now,
            DateHeader::Off(by) => now.saturating_add(by).unwrap_or(now),
            DateHeader::Absent => return None,
            DateHeader::Illegible => return Some(HeaderValue::from_static("yesterday")),
        };
        http_date(told)
    }

    fn check_service(&self) -> Result<(), StatusCode> {
        if self.faults.disabled {
            return Err(StatusCode::FORBIDDEN);
        }
        if let Some(status) = self.faults.server_error {
            return Err(status);
        }
        match self.faults.answers_one_in {
            Some(n) if !self.requests.is_multiple_of(n.max(1)) => {
                Err(StatusCode::SERVICE_UNAVAILABLE)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn read(
        &mut self,
        ec2: &Ec2,
        instance: &InstanceId,
        now: Timestamp,
        path: &str,
    ) -> Result<String, StatusCode> {
        let instance = ec2.instance(instance).ok_or(StatusCode::NOT_FOUND)?;
        if path == NOTICE_PATH && instance.notice.is_some() {
            self.notices_read = self.notices_read.saturating_add(1);
        }
        let view = document::Viewed {
            ec2,
            instance,
            now,
            notice_text: self.faults.notice_text.as_deref(),
            notice_gone: self.faults.notice_gone,
            notice_off_by: self.notice_off_by(),
            no_role: self.faults.no_role,
        };
        view.read(path).ok_or(StatusCode::NOT_FOUND)
    }

    fn notice_off_by(&self) -> SignedDuration {
        match self.faults.notice_time {
            NoticeTime::True => SignedDuration::ZERO,
            NoticeTime::Off(by) => by,
            NoticeTime::Moving(by) => by
                .checked_mul(i32::try_from(self.notices_read.saturating_sub(1)).unwrap_or(i32::MAX))
                .unwrap_or(SignedDuration::MAX),
        }
    }

    fn put(
        &mut self,
        now: Timestamp,
        request: &http::Request<Vec<u8>>,
    ) -> Result<String, StatusCode> {
        // A request that a proxy forwarded gets no token, so that no open proxy gives one away.
        if request.headers().contains_key("x-forwarded-for") {
            return Err(StatusCode::FORBIDDEN);
        }
        if request.uri().path() != TOKEN_PATH {
            return Err(StatusCode::NOT_FOUND);
        }
        let ttl = header_text(request, TTL_HEADER)
            .and_then(|text| text.parse::<i64>().ok())
            .ok_or(StatusCode::BAD_REQUEST)?;
        self.new_token(now, ttl)
    }

    fn new_token(&mut self, now: Timestamp, ttl: i64) -> Result<String, StatusCode> {
        if !(1..=LONGEST_TTL_SECONDS).contains(&ttl) {
            return Err(StatusCode::BAD_REQUEST);
        }
        let token = format!(
            "AQAEAFAKE{}==",
            hex::encode(self.rng.u128(..).to_be_bytes())
        );
        let promised = SignedDuration::from_secs(ttl);
        let lasts = self
            .faults
            .tokens_last
            .map_or(promised, |l| l.min(promised));
        let until = now.checked_add(lasts);
        self.tokens
            .insert(token.clone(), until.unwrap_or(Timestamp::MAX));
        Ok(token)
    }

    fn check_token(&self, token: Option<&str>) -> Result<(), StatusCode> {
        token
            .filter(|token| !self.faults.unauthorized && self.tokens.contains_key(*token))
            .map(|_| ())
            .ok_or(StatusCode::UNAUTHORIZED)
    }
}

/// A time as HTTP's header `Date` has it.
pub(crate) fn http_date(at: Timestamp) -> Option<HeaderValue> {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&at);
    HeaderValue::from_str(&text.ok()?).ok()
}

fn header_text<'a>(request: &'a http::Request<Vec<u8>>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

fn error_page(status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or_default();
    let code = status.as_u16();
    format!("<html><head><title>{code} - {reason}</title></head><body></body></html>")
}

// One connection a request, as the real service has it.
fn respond(date: Option<HeaderValue>, status: StatusCode, body: String) -> http::Response<Vec<u8>> {
    let kind = if status.is_success() {
        "text/plain"
    } else {
        "text/html"
    };
    let mut response = http::Response::new(body.into_bytes());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::SERVER, HeaderValue::from_static("EC2ws"));
    if let Some(date) = date {
        headers.insert(header::DATE, date);
    }
    response
}

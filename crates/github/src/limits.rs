//! GitHub's rate limits as its answers tell them.
//!
//! How long to wait is told against GitHub's own clock (the `Date` header), so no clock is read here.

use http::{HeaderMap, StatusCode};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

/// What GitHub asks to wait at least when it limits without saying for how long.
pub(crate) const LEAST_WAIT: SignedDuration = SignedDuration::from_secs(60);

/// The primary rate limit, as an answer last told it. Each field is absent until one did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateBudget {
    /// Requests an hour.
    pub limit: Option<u64>,
    /// Requests left until the reset.
    pub remaining: Option<u64>,
    /// When the budget is full again.
    pub resets_at: Option<Timestamp>,
}

impl RateBudget {
    /// `None` when the answer says nothing about the budget, as an Enterprise Server without limits.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let remaining = number(headers, "x-ratelimit-remaining")?;
        Some(Self {
            limit: number(headers, "x-ratelimit-limit"),
            remaining: Some(remaining),
            resets_at: resets_at(headers),
        })
    }
}

/// Whether an answer is a no for now because of a limit. The headers go first: a limited answer's
/// words vary. A plain 403 is told apart by its words alone.
pub(crate) fn is_rate_limited(status: StatusCode, headers: &HeaderMap, message: &str) -> bool {
    let limited = status == StatusCode::TOO_MANY_REQUESTS;
    let may_be = status == StatusCode::FORBIDDEN;
    limited
        || may_be
            && (headers.contains_key(http::header::RETRY_AFTER)
                || number(headers, "x-ratelimit-remaining") == Some(0)
                || message.to_ascii_lowercase().contains("rate limit"))
}

/// How long GitHub asks to wait: `Retry-After`, else until the reset of a spent budget.
pub(crate) fn wait(headers: &HeaderMap) -> Option<SignedDuration> {
    retry_after(headers).or_else(|| until_reset(headers))
}

fn retry_after(headers: &HeaderMap) -> Option<SignedDuration> {
    let text = text(headers, "retry-after")?;
    match text.parse::<u32>() {
        Ok(seconds) => Some(SignedDuration::from_secs(seconds.into())),
        Err(_) => Some(from_answer_to(headers, http_date(text)?)?),
    }
}

fn until_reset(headers: &HeaderMap) -> Option<SignedDuration> {
    if number(headers, "x-ratelimit-remaining") != Some(0) {
        return None;
    }
    from_answer_to(headers, resets_at(headers)?)
}

/// From when GitHub answered to `then`; a second more, as both are whole seconds.
fn from_answer_to(headers: &HeaderMap, then: Timestamp) -> Option<SignedDuration> {
    let answered = http_date(text(headers, "date")?)?;
    let seconds = then
        .duration_since(answered)
        .max(SignedDuration::ZERO)
        .as_secs();
    Some(SignedDuration::from_secs(seconds.saturating_add(1)))
}

fn resets_at(headers: &HeaderMap) -> Option<Timestamp> {
    let second = number(headers, "x-ratelimit-reset")?;
    Timestamp::from_second(i64::try_from(second).ok()?).ok()
}

fn http_date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    text(headers, name)?.parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    http::HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn retry_after_counts_seconds_and_goes_before_the_reset() {
        let told = headers(&[
            ("retry-after", "17"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "784111877"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        assert_eq!(wait(&told), Some(SignedDuration::from_secs(17)));
    }

    #[test]
    fn retry_after_may_be_a_date() {
        let told = headers(&[
            ("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        assert_eq!(wait(&told), Some(SignedDuration::from_secs(61)));
    }

    #[test]
    fn a_spent_budget_waits_for_its_reset_by_githubs_clock() {
        let told = headers(&[
            ("x-ratelimit-remaining", "0"),
            // 100 seconds after the date.
            ("x-ratelimit-reset", "784111877"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        assert_eq!(wait(&told), Some(SignedDuration::from_secs(101)));
    }

    #[test]
    fn a_budget_with_something_left_asks_for_no_wait() {
        let told = headers(&[
            ("x-ratelimit-remaining", "1"),
            ("x-ratelimit-reset", "784111877"),
            ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ]);
        assert_eq!(wait(&told), None);
        assert!(!is_rate_limited(StatusCode::FORBIDDEN, &told, "no"));
    }

    #[test]
    fn nonsense_in_a_header_is_as_if_it_were_absent() {
        let told = headers(&[("retry-after", "soon"), ("x-ratelimit-remaining", "-3")]);
        assert_eq!(wait(&told), None);
        assert_eq!(RateBudget::from_headers(&told), None);
    }
}

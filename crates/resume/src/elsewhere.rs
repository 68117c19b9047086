//! What an answer to a HEAD means: whether something is there, or what to ask next.
//!
//! Container registries want a token even for what everybody may see, and say in the 401 where to get one without a
//! password. It knows no other kind of login.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::decide::Answer;
use crate::job::Address;

/// What to make of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// That is all there is to know.
    Is(Answer),
    /// It is another one's to answer.
    At(Address),
    /// It wants a token, which this address gives away.
    WantsToken(Address),
    /// It may answer in a moment; why it does not now.
    Later(String),
}

/// The headers of an answer that matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Headers<'a> {
    /// `Location`.
    pub location: Option<&'a str>,
    /// `WWW-Authenticate`.
    pub challenge: Option<&'a str>,
}

/// Reads an answer. Only a 404 says that something is not there, and only a success that it is.
pub fn read(asked: &Address, status: u16, headers: Headers<'_>) -> Reply {
    let useless = || {
        Reply::Is(Answer::None(format!(
            "it answered {status}, and only 404 or a success tells whether something is there"
        )))
    };
    match status {
        200..=299 => Reply::Is(Answer::Found),
        404 => Reply::Is(Answer::NotFound),
        301 | 302 | 303 | 307 | 308 => headers
            .location
            .and_then(|location| target(asked, location))
            .map_or_else(useless, Reply::At),
        401 => headers
            .challenge
            .and_then(token_address)
            .map_or_else(useless, Reply::WantsToken),
        429 | 500..=599 => Reply::Later(format!("it answered {status}")),
        _ => useless(),
    }
}

fn target(asked: &Address, location: &str) -> Option<Address> {
    if !location.starts_with('/') || location.starts_with("//") {
        return Address::parse(location).ok();
    }
    let (scheme, rest) = asked.as_str().split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    Address::parse(&format!("{scheme}://{host}{location}")).ok()
}

/// Where the [token](https://distribution.github.io/distribution/spec/auth/token/) comes from that
/// `Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:acme/shop:pull"` asks for.
fn token_address(challenge: &str) -> Option<Address> {
    let (scheme, parameters) = challenge.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut realm = None;
    let mut query = Vec::new();
    let mut rest = parameters;
    while let Some((name, behind)) = rest.split_once("=\"") {
        let (value, behind) = behind.split_once('"')?;
        match name.trim_start_matches([',', ' ']) {
            "realm" => realm = Some(value),
            name @ ("service" | "scope") => {
                let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
                query.push(format!("{name}={value}"));
            }
            _ => {}
        }
        rest = behind;
    }
    let realm = realm?;
    let joint = if realm.contains('?') { '&' } else { '?' };
    Address::parse(&format!("{realm}{joint}{}", query.join("&"))).ok()
}

/// The token in what such an address gives.
pub fn token(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let token = body.get("token").or_else(|| body.get("access_token"))?;
    token.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).expect("an address")
    }

    fn reply(status: u16, headers: Headers<'_>) -> Reply {
        read(
            &address("https://ghcr.io/v2/acme/shop/manifests/3.4"),
            status,
            headers,
        )
    }

    #[test]
    fn only_a_success_and_a_404_tell_whether_something_is_there() {
        assert_eq!(reply(200, Headers::default()), Reply::Is(Answer::Found));
        assert_eq!(reply(404, Headers::default()), Reply::Is(Answer::NotFound));
        for status in [100, 302, 304, 400, 401, 403, 405, 410] {
            let reply = reply(status, Headers::default());
            assert!(
                matches!(reply, Reply::Is(Answer::None(_))),
                "{status}: {reply:?}"
            );
        }
        for status in [429, 500, 503, 599] {
            assert!(matches!(reply(status, Headers::default()), Reply::Later(_)));
        }
    }

    #[test]
    fn a_registry_says_where_its_tokens_are() {
        let challenge = |text| Headers {
            challenge: Some(text),
            ..Headers::default()
        };
        let bearer = "Bearer realm=\"https://ghcr.io/token\",service=\"ghcr.io\",scope=\"repository:acme/shop:pull\"";
        assert_eq!(
            reply(401, challenge(bearer)),
            Reply::WantsToken(address(
                "https://ghcr.io/token?service=ghcr%2Eio&scope=repository%3Aacme%2Fshop%3Apull"
            ))
        );
        for other in [
            "Basic realm=\"x\"",
            "Bearer",
            "Bearer realm=\"http://example.com/token\"",
            "Bearer realm=\"https://example.com",
            "Bearer service=\"x\"",
        ] {
            let reply = reply(401, challenge(other));
            assert!(
                matches!(reply, Reply::Is(Answer::None(_))),
                "{other}: {reply:?}"
            );
        }
        assert_eq!(token(br#"{"token":"abc"}"#).as_deref(), Some("abc"));
        assert_eq!(token(br#"{"access_token":"abc"}"#).as_deref(), Some("abc"));
        assert_eq!(token(b"[]"), None);
    }

    #[test]
    fn who_sends_us_on_may_send_us_to_safe_places_only() {
        let location = |text| Headers {
            location: Some(text),
            ..Headers::default()
        };
        for (text, wanted) in [
            ("/v3/x", Some("https://ghcr.io/v3/x")),
            (
                "https://cdn.example.com/x",
                Some("https://cdn.example.com/x"),
            ),
            ("http://cdn.example.com/x", None),
            ("//cdn.example.com/x", None),
            ("x", None),
        ] {
            let reply = reply(307, location(text));
            match wanted {
                Some(wanted) => assert_eq!(reply, Reply::At(address(wanted))),
                None => assert!(
                    matches!(reply, Reply::Is(Answer::None(_))),
                    "{text}: {reply:?}"
                ),
            }
        }
    }
}

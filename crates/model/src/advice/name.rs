//! The name of an endpoint that may be asked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name. A label has 256 characters for everything it says.
const LONGEST: usize = 32;

/// A name of letters, digits, `-` and `_`, kept in lower case: labels are compared without regard to case.
///
/// Its bytes stand in it, so that a policy which names it is as cheap to pass about as the others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EndpointName([u8; LONGEST]);

/// Why a text is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no endpoint's name; write 1 to {LONGEST} letters, digits, - and _, a letter or digit first"
)]
pub struct NoEndpointName {
    /// The text as it came.
    pub text: String,
}

impl EndpointName {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0);
        let text = self.0.get(..end.unwrap_or(LONGEST)).unwrap_or_default();
        // It was made of ASCII alone.
        std::str::from_utf8(text).unwrap_or_default()
    }
}

impl FromStr for EndpointName {
    type Err = NoEndpointName;

    fn from_str(text: &str) -> Result<Self, NoEndpointName> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let mut name = [0; LONGEST];
        match name.get_mut(..text.len()) {
            Some(place) if begins && text.bytes().all(known) => {
                place.copy_from_slice(text.to_ascii_lowercase().as_bytes());
                Ok(Self(name))
            }
            Some(_) | None => Err(NoEndpointName {
                text: text.to_owned(),
            }),
        }
    }
}

impl TryFrom<String> for EndpointName {
    type Error = NoEndpointName;

    fn try_from(text: String) -> Result<Self, NoEndpointName> {
        text.parse()
    }
}

impl From<EndpointName> for String {
    fn from(name: EndpointName) -> Self {
        name.as_str().to_owned()
    }
}

impl fmt::Display for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for EndpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndpointName({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_any_case_and_as_long_as_it_may_be() {
        let name: EndpointName = "Flaky_Judge-2".parse().expect("valid");
        assert_eq!(name.as_str(), "flaky_judge-2");
        let longest: EndpointName = "a".repeat(32).parse().expect("valid");
        assert_eq!(longest.as_str(), "a".repeat(32));
    }

    #[test]
    fn what_could_be_no_label_or_no_key_is_no_name() {
        let long = "a".repeat(33);
        for text in [
            "", "-a", "_", "a b", "a/b", "a.b", "a:b", "größe", "a\0b", &long,
        ] {
            assert!(text.parse::<EndpointName>().is_err(), "{text}");
        }
    }
}

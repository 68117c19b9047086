//! Names that configuration gives: to a runner, an image, an environment.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name. A label has 256 characters for everything it says.
const LONGEST: usize = 64;

/// A name of letters, digits, `-`, `_` and `.`, kept in lower case: GitHub compares labels without
/// regard to case, and so do we.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a name; write 1 to 64 letters, digits, -, _ and ., a letter or digit first"
)]
pub struct InvalidName {
    /// The text as it came.
    pub text: String,
}

impl Name {
    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins && text.len() <= LONGEST && text.chars().all(known) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidName {
                text: text.to_owned(),
            })
        }
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_any_case() {
        let name: Name = "Ubuntu24.04_full-x64".parse().expect("valid");
        assert_eq!(name.as_str(), "ubuntu24.04_full-x64");
    }

    #[test]
    fn what_could_be_no_label_or_no_key_is_no_name() {
        let long = "a".repeat(65);
        for text in ["", "-a", ".", "a b", "a/b", "a+b", "a:b", "größe", &long] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }
}

//! One value of `family=`: which instance types it names.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One value of `family=`: `c7a` or `c7` (every type that begins so), `c7a.*` (that family alone),
/// `c7a.large` (that type); `*` stands for any text wherever it is written. Kept in lower case,
/// as EC2 writes its types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FamilyPattern(String);

/// Why a text is not a family.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a family of instance types, as c7a, c7, c7a.* or c7a.large")]
pub struct InvalidFamily {
    /// The text as it came.
    pub text: String,
}

impl FamilyPattern {
    /// Reads a pattern of letters, digits, `-`, `.` and `*`.
    pub fn new(text: &str) -> Result<Self, InvalidFamily> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '*');
        if !text.is_empty() && text.chars().all(known) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidFamily {
                text: text.to_owned(),
            })
        }
    }

    /// The pattern's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is an instance type by name, as `c7a.large`, and no pattern.
    pub fn is_exact(&self) -> bool {
        let is_part = |part: &str| !part.is_empty() && !part.contains(['.', '*']);
        let halves = self.0.split_once('.');
        halves.is_some_and(|(family, size)| is_part(family) && is_part(size))
    }

    /// Whether it names this instance type.
    pub fn matches(&self, instance_type: &str) -> bool {
        if self.0.contains(['.', '*']) {
            glob(&self.0, instance_type)
        } else {
            instance_type.starts_with(&self.0)
        }
    }
}

impl FromStr for FamilyPattern {
    type Err = InvalidFamily;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl TryFrom<String> for FamilyPattern {
    type Error = InvalidFamily;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<FamilyPattern> for String {
    fn from(pattern: FamilyPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for FamilyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Matches the whole text. Each piece between two stars is taken where it first occurs, so the
/// work grows with the lengths alone, whatever a stranger writes.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut rest) = text.strip_prefix(head) else {
        return false;
    };
    let (middle, end) = tail.rsplit_once('*').unwrap_or(("", tail));
    for piece in middle.split('*') {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, instance_type: &str) -> bool {
        FamilyPattern::new(pattern)
            .expect("valid")
            .matches(instance_type)
    }

    #[test]
    fn a_bare_family_names_every_type_that_begins_so() {
        assert!(matches("c7a", "c7a.large"));
        assert!(matches("c7", "c7i.large"));
        assert!(matches("m7i", "m7i-flex.large"));
        assert!(matches("C7A", "c7a.large"), "in any case");
        assert!(!matches("c7a", "m7a.large"));
        assert!(!matches("7a", "c7a.large"));
    }

    #[test]
    fn a_family_with_a_dot_names_no_other_family() {
        assert!(matches("m7i.*", "m7i.large"));
        assert!(!matches("m7i.*", "m7i-flex.large"));
    }

    #[test]
    fn an_exact_type_names_that_type_alone() {
        assert!(matches("c7a.large", "c7a.large"));
        assert!(!matches("c7a.large", "c7a.large2"));
        assert!(!matches("c7a.large", "c7a.xlarge"));
    }

    #[test]
    fn only_a_family_and_a_size_are_an_exact_type() {
        let is_exact = |text: &str| FamilyPattern::new(text).expect("valid").is_exact();
        for text in ["c7a.large", "u7i-12tb.224xlarge", "C7A.METAL-24xl"] {
            assert!(is_exact(text), "{text}");
        }
        for text in ["c7a", "c7a.", ".large", "c7a.*", "c7*.large", "c7a.large.x"] {
            assert!(!is_exact(text), "{text}");
        }
    }

    #[test]
    fn a_star_stands_for_any_text_anywhere() {
        assert!(matches("c7*", "c7i.large"));
        assert!(matches("*.large", "c7i.large"));
        assert!(!matches("*.large", "c7i.xlarge"));
        assert!(matches("c*a.*large", "c7a.2xlarge"));
        assert!(matches("*", "c7a.large"));
        assert!(matches("**7**", "c7a.large"));
        assert!(!matches("a*a", "a"), "one letter is not both ends");
    }

    #[test]
    fn other_characters_are_refused() {
        for text in ["", "c7a large", "c7a;", "ç7a", "c7[ab]"] {
            assert!(FamilyPattern::new(text).is_err(), "{text}");
        }
    }
}

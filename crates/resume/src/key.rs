//! Names of objects, and the folders that they lie in.
//!
//! A key is the same text in every kind of store, a local folder too: so it has no empty, `.` or `..` part, and
//! leads out of nothing.

use std::fmt;

/// The longest key, in bytes: S3's and Google's limit is 1,024, Azure's the same in characters. What a store's own
/// address puts before it must fit too.
const LONGEST: usize = 900;

/// An object's name, relative to where the store's address leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

/// The folder that keys lie below; always of whole parts, so that `a/b` has nothing to do with `a/bc`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix(String);

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing is written.
    #[error("it is empty")]
    Empty,
    /// It is longer than stores take.
    #[error("it has more than {LONGEST} bytes")]
    TooLong,
    /// `a//b`, `/a` or `a/`.
    #[error("it has an empty part; write parts with one / between them, and none at either end")]
    EmptyPart,
    /// `a/../b`.
    #[error("\".\" and \"..\" mean a folder and cannot be part of a key")]
    Dots,
    /// A line break or its kin.
    #[error("it has a control character")]
    Control,
    /// `a\b`, which is a folder to some tools.
    #[error("it has a \\; write /")]
    Backslash,
}

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// Where it is none, with what is wrong.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        is_path(text).map(|()| Self(text.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it lies below a prefix.
    pub fn is_below(&self, prefix: &Prefix) -> bool {
        lies_below(&self.0, &prefix.0)
    }
}

impl Prefix {
    /// Reads a prefix; it ends without a `/`.
    ///
    /// # Errors
    /// Where it is none, with what is wrong.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        is_path(text).map(|()| Self(text.to_owned()))
    }

    /// As it is written, without a `/` at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of something below it.
    ///
    /// # Errors
    /// Where both together are no key, with what is wrong.
    pub fn key(&self, below: &str) -> Result<Key, KeyError> {
        is_path(below)?;
        Key::parse(&format!("{}/{below}", self.0))
    }

    /// Whether everything below it lies below the other, too.
    pub fn is_within(&self, other: &Self) -> bool {
        self == other || lies_below(&self.0, &other.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.0)
    }
}

fn lies_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn is_path(text: &str) -> Result<(), KeyError> {
    if text.is_empty() {
        return Err(KeyError::Empty);
    }
    if text.len() > LONGEST {
        return Err(KeyError::TooLong);
    }
    if text.contains(char::is_control) {
        return Err(KeyError::Control);
    }
    if text.contains('\\') {
        return Err(KeyError::Backslash);
    }
    for part in text.split('/') {
        match part {
            "" => return Err(KeyError::EmptyPart),
            "." | ".." => return Err(KeyError::Dots),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_of_its_folder_or_is_no_text_for_a_key_is_refused() {
        for (text, why) in [
            ("", KeyError::Empty),
            ("/a", KeyError::EmptyPart),
            ("a//b", KeyError::EmptyPart),
            ("a/", KeyError::EmptyPart),
            ("a/../b", KeyError::Dots),
            ("./a", KeyError::Dots),
            ("a\nb", KeyError::Control),
            ("a\\..\\b", KeyError::Backslash),
        ] {
            assert_eq!(Key::parse(text), Err(why), "{text:?}");
            assert_eq!(Prefix::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(Key::parse(&"a".repeat(LONGEST + 1)), Err(KeyError::TooLong));
        assert!(Key::parse("ci.yml/7/Ruby [debian-12] 3.4~rc1.tar.gz").is_ok());
    }

    #[test]
    fn a_prefix_is_made_of_whole_parts() -> Result<(), KeyError> {
        let prefix = Prefix::parse("ci/7")?;
        assert!(prefix.key("ruby/src.tar")?.is_below(&prefix));
        assert!(!Key::parse("ci/70/src.tar")?.is_below(&prefix));
        assert!(!Key::parse("ci/7")?.is_below(&prefix));
        assert!(Prefix::parse("ci/7/ruby")?.is_within(&prefix));
        assert!(!Prefix::parse("ci/70")?.is_within(&prefix));
        assert_eq!(prefix.key("/etc/passwd"), Err(KeyError::EmptyPart));
        Ok(())
    }
}

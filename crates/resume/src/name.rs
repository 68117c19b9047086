//! Names of jobs, as GitHub shows them and as workflows look for them.

use std::fmt;

/// What stands between names in the list of necessary jobs.
pub(crate) const SEPARATOR: char = ';';

/// A job's name.
///
/// Invariant: it is not empty, begins and ends with no blank, and has neither a `;` nor a control character. So
/// `;NAME;` is found in a list of names where that name is in it, and nowhere else, and a list of names is one line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobName(String);

/// Why a text is no name that can be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is written.
    #[error("is empty; write the name that GitHub shows")]
    Empty,
    /// It would be two names in the list.
    #[error(
        "has a ;, which separates names in necessary_jobs; call the job otherwise, here and in the workflow"
    )]
    Separator,
    /// A line break or its kin.
    #[error("has a control character; write the name on one line")]
    Control,
    /// What people do not see, and `contains` does.
    #[error("begins or ends with a blank; take it out, here and in the workflow")]
    Blank,
}

impl JobName {
    /// Reads a name.
    ///
    /// # Errors
    /// Where it cannot be one in a list of names.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.contains(char::is_control) {
            return Err(NameError::Control);
        }
        if text.contains(SEPARATOR) {
            return Err(NameError::Separator);
        }
        if text.trim() != text {
            return Err(NameError::Blank);
        }
        Ok(Self(text.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is the same for names that GitHub's `contains` takes for one: [it ignores
    /// case](https://docs.github.com/en/actions/reference/workflows-and-actions/expressions#contains).
    pub(crate) fn folded(&self) -> String {
        // Letters that are one in capitals, and letters that are one in small, are all one here.
        self.0.to_uppercase().to_lowercase()
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_of_names_could_not_hold_is_no_name() {
        for (text, why) in [
            ("", NameError::Empty),
            ("a;b", NameError::Separator),
            ("a\nnecessary_jobs=;", NameError::Control),
            ("a ", NameError::Blank),
            ("\u{2003}a", NameError::Blank),
        ] {
            assert_eq!(JobName::parse(text), Err(why), "{text:?}");
        }
        assert!(JobName::parse("Build Ruby [debian-12/3.4/normal]").is_ok());
    }
}

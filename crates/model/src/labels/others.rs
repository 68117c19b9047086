//! Labels that say nothing to us: which of them a runner may bear all the same.
//!
//! GitHub gives a runner any job whose labels the runner bears, and a runner of an organisation serves
//! many repositories. A label that anybody may add to a job must therefore be none by which others find
//! runners that they trust.

use std::fmt;
use std::str::FromStr;

use super::family::glob;

/// What GitHub itself calls runners by: they tell nothing that a machine of ours is not.
const PLAIN: [&str; 8] = [
    "self-hosted",
    "linux",
    "windows",
    "macos",
    "x64",
    "x86",
    "arm",
    "arm64",
];

/// The longest label that GitHub takes, in characters.
const LONGEST: usize = 256;

/// A label, or a pattern of labels in which `*` stands for any text. Nothing depends on upper or lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelPattern(String);

/// Why a text is no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no label; write one of 1 to 256 characters without spaces around it, as gpu or team-*"
)]
pub struct InvalidLabelPattern {
    /// The text as it came, no longer than a label.
    pub text: String,
}

impl LabelPattern {
    /// Whether it names the label.
    pub fn matches(&self, label: &str) -> bool {
        glob(&self.0, &label.to_lowercase())
    }

    /// Whether the label is one of GitHub's own words, which any runner may bear.
    pub fn is_plain(label: &str) -> bool {
        PLAIN.iter().any(|word| word.eq_ignore_ascii_case(label))
    }
}

impl FromStr for LabelPattern {
    type Err = InvalidLabelPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.trim() != text || text.chars().count() > LONGEST {
            let text = text.chars().take(LONGEST).collect();
            return Err(InvalidLabelPattern { text });
        }
        Ok(Self(text.to_lowercase()))
    }
}

impl fmt::Display for LabelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, label: &str) -> bool {
        let pattern: LabelPattern = pattern.parse().expect("valid");
        pattern.matches(label)
    }

    #[test]
    fn a_word_names_itself_in_any_case_and_a_star_any_text() {
        assert!(matches("GPU", "gpu") && matches("gpu", "Gpu"));
        assert!(!matches("gpu", "gpu-2") && !matches("gpu", "a-gpu"));
        assert!(matches("team-*", "team-shop") && !matches("team-*", "steam-shop"));
    }

    #[test]
    fn githubs_own_words_are_plain_and_no_others() {
        for word in [
            "self-hosted",
            "Linux",
            "Windows",
            "macOS",
            "X64",
            "x86",
            "ARM",
            "ARM64",
        ] {
            assert!(LabelPattern::is_plain(word), "{word}");
        }
        for word in ["deploy-prod", "linux-prod", "", "self-hosted "] {
            assert!(!LabelPattern::is_plain(word), "{word}");
        }
    }

    #[test]
    fn what_can_be_no_label_is_no_pattern() {
        for text in ["", " ", " gpu", "gpu ", &"x".repeat(257)] {
            assert!(text.parse::<LabelPattern>().is_err(), "{text:?}");
        }
    }
}

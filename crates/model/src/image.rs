//! How old an image is, and the runner in it.

use jiff::Timestamp;

/// The tag of an image that says when the release of the runner in it came out, as `2026-11-01`. Whoever builds the
/// image writes it (`deploy/ami/runner.pkr.hcl`); EC2 shows it to the image's owner alone.
pub const RUNNER_RELEASED_TAG: &str = "reprise-runner-released";

/// What is known of an image's age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageDates {
    /// When it was made.
    pub made_at: Timestamp,
    /// When the runner in it was released, as its tag says.
    pub runner_released_at: Option<Timestamp>,
}

impl ImageDates {
    /// An image that was made then, and the text of its tag.
    pub fn new(made_at: Timestamp, released: Option<&str>) -> Self {
        Self {
            made_at,
            runner_released_at: released.and_then(midnight),
        }
    }

    /// Since when its runner gets older. No image holds a runner that came out after it: without a tag the runner is
    /// at least as old, and a tag that says otherwise is wrong.
    pub fn runner_since(&self) -> Timestamp {
        let released_at = self.runner_released_at.unwrap_or(self.made_at);
        released_at.min(self.made_at)
    }
}

fn midnight(date: &str) -> Option<Timestamp> {
    format!("{date}T00:00:00Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_runner_is_as_old_as_its_release_and_at_least_as_old_as_its_image() {
        let made_at = at("2026-11-10T12:00:00Z");
        let since = |tag| ImageDates::new(made_at, tag).runner_since();
        assert_eq!(since(Some("2026-10-01")), at("2026-10-01T00:00:00Z"));
        assert_eq!(since(None), made_at);
        assert_eq!(since(Some("2026-12-01")), made_at, "it was not there yet");
        for damaged in ["", "last week", "2026-13-01", "01.10.2026"] {
            assert_eq!(since(Some(damaged)), made_at, "{damaged}");
        }
    }
}

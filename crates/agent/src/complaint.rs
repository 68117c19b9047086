//! Says a lasting trouble at most once a minute, and its end once.

use jiff::{SignedDuration, Timestamp};

/// How long a complaint stands for those that follow.
const SILENCE: SignedDuration = SignedDuration::from_mins(1);

/// Counts failures and says which of them to speak of.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    said_at: Option<Timestamp>,
    failures_since: u64,
    owes_all_clear: bool,
}

impl Complaint {
    /// Notes a failure; `Some(n)` when it is to be said, with the number of failures since the
    /// last one that was.
    #[must_use]
    pub(crate) fn failed(&mut self, now: Timestamp) -> Option<u64> {
        self.failures_since += 1;
        let recent = self
            .said_at
            .is_some_and(|said| now.duration_since(said) < SILENCE);
        if recent {
            return None;
        }
        self.said_at = Some(now);
        self.owes_all_clear = true;
        Some(std::mem::take(&mut self.failures_since))
    }

    /// Notes a success; true when the end of a trouble that was spoken of is to be said.
    #[must_use]
    pub(crate) fn succeeded(&mut self) -> bool {
        std::mem::take(&mut self.owes_all_clear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_lasting_trouble_is_said_once_a_minute_with_its_count() {
        let mut complaint = Complaint::default();
        let said: Vec<u64> = (0..180).filter_map(|s| complaint.failed(at(s))).collect();
        assert_eq!(said, [1, 60, 60]);
    }

    #[test]
    fn a_flapping_service_is_not_said_more_often() {
        let mut complaint = Complaint::default();
        let mut lines = 0;
        for second in 0..60 {
            lines += usize::from(complaint.failed(at(second)).is_some());
            lines += usize::from(complaint.succeeded());
        }
        assert_eq!(lines, 2);
    }
}

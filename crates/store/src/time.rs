//! Times as the indexes keep them, rounded so that nothing is handed out or forgotten too early.

use jiff::Timestamp;

/// Milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Millis(pub(crate) i64);

impl Millis {
    /// The last whole millisecond that has passed at `now`.
    pub(crate) fn passed(now: Timestamp) -> Self {
        let floor = now.as_nanosecond().div_euclid(NANOS_A_MILLI);
        Self(floor as i64)
    }

    /// The first whole millisecond that is not before `time`.
    pub(crate) fn reached(time: Timestamp) -> Self {
        let ceiling = -(-time.as_nanosecond()).div_euclid(NANOS_A_MILLI);
        Self(ceiling as i64)
    }

    /// A number beyond all times means never.
    pub(crate) fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::MAX)
    }
}

/// Seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seconds(pub(crate) i64);

impl Seconds {
    /// The last whole second that has passed at `now`.
    pub(crate) fn passed(now: Millis) -> Self {
        Self(now.0.div_euclid(MILLIS_A_SECOND))
    }

    /// The first whole second that is not before `time`.
    pub(crate) fn reached(time: Timestamp) -> Self {
        Self(-(-Millis::reached(time).0).div_euclid(MILLIS_A_SECOND))
    }
}

/// All timestamps fit into 64 bits once divided by it.
const NANOS_A_MILLI: i128 = 1_000_000;

const MILLIS_A_SECOND: i64 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_indexed_so_that_nothing_is_early() {
        for (time, passed, reached) in [
            ("1970-01-01T00:00:01Z", 1000, 1000),
            ("1970-01-01T00:00:00.000000001Z", 0, 1),
            ("1970-01-01T00:00:00.001999999Z", 1, 2),
            ("1969-12-31T23:59:59.999999999Z", -1, 0),
        ] {
            let time: Timestamp = time.parse().expect("a time");
            assert_eq!(Millis::passed(time).0, passed, "{time}");
            assert_eq!(Millis::reached(time).0, reached, "{time}");
        }
        assert_eq!(
            Millis::reached(Timestamp::MAX).timestamp(),
            Timestamp::MAX,
            "never stays never"
        );
    }

    #[test]
    fn seconds_are_rounded_as_milliseconds_are() {
        for (time, passed, reached) in [
            ("1970-01-01T00:00:02Z", 2, 2),
            ("1970-01-01T00:00:02.000000001Z", 2, 3),
            ("1970-01-01T00:00:02.999Z", 2, 3),
            ("1969-12-31T23:59:59.500Z", -1, 0),
        ] {
            let time: Timestamp = time.parse().expect("a time");
            assert_eq!(Seconds::passed(Millis::passed(time)).0, passed, "{time}");
            assert_eq!(Seconds::reached(time).0, reached, "{time}");
        }
    }
}

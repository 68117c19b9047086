//! Scaled time: the only place of this crate that reads a clock or waits.
//!
//! Several programs that are given the same origin and speed agree on what time it is, since the
//! origin is a moment of wall time that they share. Nothing in the state machine uses it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Below it a wait would never end, above it no program keeps up.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=100_000.0;

/// A clock that runs `speed` times as fast as the wall clock since `origin`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScaledClock {
    origin: ClockOrigin,
    speed: f64,
}

/// The moment at which scaled time and wall time agree; written as an RFC 3339 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockOrigin(pub Timestamp);

/// Why there is no such clock.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClockError {
    /// The origin is no time.
    #[error("{text:?} is no clock origin; write it as 2026-01-31T12:00:00Z: {problem}")]
    Origin {
        /// The text as it came.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The speed is no speed.
    #[error(
        "{0} is no clock speed; choose a number from {min} to {max}",
        min = SPEEDS.start(),
        max = SPEEDS.end()
    )]
    Speed(f64),
}

impl ScaledClock {
    /// A clock from its two numbers, as another program got them.
    pub fn new(origin: ClockOrigin, speed: f64) -> Result<Self, ClockError> {
        if SPEEDS.contains(&speed) {
            Ok(Self { origin, speed })
        } else {
            Err(ClockError::Speed(speed))
        }
    }

    /// A clock whose origin is now.
    pub fn starting_now(speed: f64) -> Result<Self, ClockError> {
        Self::new(ClockOrigin(wall_now()), speed)
    }

    /// Where it began.
    pub fn origin(&self) -> ClockOrigin {
        self.origin
    }

    /// How fast it runs.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// The scaled time.
    pub fn now(&self) -> Timestamp {
        self.scaled(wall_now())
    }

    /// The scaled time at a moment of wall time.
    pub fn scaled(&self, wall: Timestamp) -> Timestamp {
        let passed = wall.duration_since(self.origin.0).as_secs_f64() * self.speed;
        SignedDuration::try_from_secs_f64(passed)
            .ok()
            .and_then(|passed| self.origin.0.checked_add(passed).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// How long a scaled duration really takes; nothing for one that is negative.
    pub fn real_duration(&self, scaled: SignedDuration) -> Duration {
        let seconds = scaled.as_secs_f64().max(0.0) / self.speed;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Waits for a scaled duration.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub async fn sleep(&self, scaled: SignedDuration) {
        tokio::time::sleep(self.real_duration(scaled)).await;
    }

    /// Waits until a scaled moment.
    pub async fn sleep_until(&self, moment: Timestamp) {
        self.sleep(moment.duration_since(self.now())).await;
    }
}

impl fmt::Display for ClockOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ClockOrigin {
    type Err = ClockError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse()
            .map(Self)
            .map_err(|problem: jiff::Error| ClockError::Origin {
                text: text.to_owned(),
                problem: problem.to_string(),
            })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn wall_now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(speed: f64) -> ScaledClock {
        let origin = "2026-01-01T00:00:00Z".parse().expect("a time");
        ScaledClock::new(origin, speed).expect("a clock")
    }

    #[test]
    fn scaled_time_begins_at_the_origin_and_runs_faster() {
        let origin = clock(60.0).origin().0;
        assert_eq!(clock(60.0).scaled(origin), origin);
        let second_later = clock(60.0).scaled(origin + SignedDuration::from_secs(1));
        assert_eq!(second_later, origin + SignedDuration::from_secs(60));
        let before = clock(2.0).scaled(origin - SignedDuration::from_secs(1));
        assert_eq!(before, origin - SignedDuration::from_secs(2));
    }

    #[test]
    fn a_scaled_wait_is_really_shorter() {
        let minute = SignedDuration::from_secs(60);
        assert_eq!(clock(60.0).real_duration(minute), Duration::from_secs(1));
        assert_eq!(clock(60.0).real_duration(-minute), Duration::ZERO);
    }

    #[test]
    fn two_programs_with_the_same_two_texts_agree() {
        let one = ScaledClock::starting_now(12.5).expect("a clock");
        let origin: ClockOrigin = one.origin().to_string().parse().expect("a time");
        let speed: f64 = one.speed().to_string().parse().expect("a number");
        assert_eq!(ScaledClock::new(origin, speed).expect("a clock"), one);
    }

    #[test]
    fn a_clock_that_could_not_run_is_refused() {
        let origin = clock(1.0).origin();
        for speed in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(ScaledClock::new(origin, speed).is_err(), "{speed}");
        }
        let error = "noon".parse::<ClockOrigin>().expect_err("no time");
        assert!(
            error.to_string().contains("2026-01-31T12:00:00Z"),
            "{error}"
        );
    }

    #[test]
    fn the_end_of_time_is_an_end_and_no_crash() {
        let late = "9999-12-30T00:00:00Z".parse().expect("a time");
        assert_eq!(clock(100_000.0).scaled(late), Timestamp::MAX);
    }
}

//! How long to wait before the next look or try.
//!
//! Randomness is drawn by the caller, so the same facts always give the same wait.

use jiff::{SignedDuration, Timestamp};

/// No wait is longer: a run whose event was lost is still read within five minutes of its end.
pub const CAP: SignedDuration = SignedDuration::from_mins(5);

/// The first wait for a run. Most runs that are not yet complete complete within seconds of their
/// last job, and an event makes the run due anyway.
const FIRST_WAIT_MS: f64 = 10_000.0;

/// 10 s, 30 s, 90 s: each wait for a run is three times the last.
const WAIT_FACTOR: f64 = 3.0;

/// The first pause after a failed launch. EC2's buckets refill within a second or two, and a job
/// is waiting.
const FIRST_LAUNCH_PAUSE_MS: f64 = 5_000.0;

/// 5 s, 10 s, 20 s ...: lack of capacity lasts for minutes, so a steeper rise would only add delay.
const LAUNCH_FACTOR: f64 = 2.0;

/// A wait is spread by a fifth to either side, so that a hundred runs that were interrupted
/// together are not read together for ever.
const SPREAD: f64 = 0.2;

/// A random number from 0 (inclusive) to 1 (exclusive), drawn by the caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter(pub f64);

/// The wait before a run is read again after `tries` reads in vain: 10 s, 30 s, 90 s, then nearly
/// [`CAP`], each give or take a fifth and never above the cap.
pub fn wait_step(tries: u32, jitter: Jitter) -> SignedDuration {
    step(FIRST_WAIT_MS, WAIT_FACTOR, tries, jitter)
}

/// The pause before a launch is tried again after `tries` tries in vain: 5 s, 10 s, 20 s ... up to
/// [`CAP`], each give or take a fifth and never above the cap.
pub fn launch_step(tries: u32, jitter: Jitter) -> SignedDuration {
    step(FIRST_LAUNCH_PAUSE_MS, LAUNCH_FACTOR, tries, jitter)
}

/// The pause of a policy before an attempt's failures are re-run: the delays stand in the order of
/// attempts, the last holds for all that follow, and without any there is none.
pub fn pause_before(delays: &[SignedDuration], attempt: u32) -> SignedDuration {
    let place = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    let delay = delays.get(place).or(delays.last());
    delay.copied().unwrap_or_default()
}

/// A pause, give or take a fifth.
pub fn spread(pause: SignedDuration, jitter: Jitter) -> SignedDuration {
    SignedDuration::from_millis(spread_ms(pause.as_millis() as f64, jitter) as i64)
}

/// Anything from nothing up to a pause.
pub fn up_to(pause: SignedDuration, jitter: Jitter) -> SignedDuration {
    SignedDuration::from_millis((pause.as_millis() as f64 * drawn(jitter)) as i64)
}

/// `now` and `pause` after it, held at the end of representable time.
pub fn after(now: Timestamp, pause: SignedDuration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

fn step(first_ms: f64, factor: f64, tries: u32, jitter: Jitter) -> SignedDuration {
    let cap_ms = CAP.as_millis() as f64;
    let exponent = i32::try_from(tries).unwrap_or(i32::MAX);
    let base = (first_ms * factor.powi(exponent)).min(cap_ms);
    SignedDuration::from_millis(spread_ms(base, jitter).min(cap_ms) as i64)
}

fn spread_ms(base: f64, jitter: Jitter) -> f64 {
    base * (1.0 - SPREAD + 2.0 * SPREAD * drawn(jitter))
}

/// No draw, not even NaN, makes a wait negative or endless.
fn drawn(jitter: Jitter) -> f64 {
    if jitter.0.is_nan() {
        0.0
    } else {
        jitter.0.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: Jitter = Jitter(0.5);

    #[test]
    fn waits_are_10_30_and_90_seconds_and_then_at_most_5_minutes() {
        let waits: Vec<i64> = (0..6)
            .map(|tries| wait_step(tries, MIDDLE).as_secs())
            .collect();
        assert_eq!(waits, [10, 30, 90, 270, 300, 300]);
    }

    #[test]
    fn launches_pause_5_10_and_20_seconds_and_then_at_most_5_minutes() {
        let pauses: Vec<i64> = (0..8)
            .map(|tries| launch_step(tries, MIDDLE).as_secs())
            .collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn jitter_moves_a_wait_by_a_fifth_and_never_above_the_cap() {
        assert_eq!(wait_step(0, Jitter(0.0)), SignedDuration::from_secs(8));
        assert_eq!(wait_step(0, Jitter(1.0)), SignedDuration::from_secs(12));
        assert_eq!(wait_step(u32::MAX, Jitter(0.99)), CAP);
        assert_eq!(wait_step(9, Jitter(0.0)), SignedDuration::from_secs(240));
    }

    #[test]
    fn a_policys_last_delay_holds_for_all_attempts_that_follow() {
        let delays = [10, 30, 90].map(SignedDuration::from_secs);
        let pauses: Vec<i64> = (1..=5)
            .map(|attempt| pause_before(&delays, attempt).as_secs())
            .collect();
        assert_eq!(pauses, [10, 30, 90, 90, 90]);
        assert_eq!(pause_before(&[], 1), SignedDuration::ZERO);
    }

    #[test]
    fn a_policys_pause_is_spread_by_a_fifth_and_has_no_cap() {
        let hour = SignedDuration::from_hours(1);
        assert_eq!(spread(hour, Jitter(0.0)), SignedDuration::from_mins(48));
        assert_eq!(spread(hour, MIDDLE), hour);
        assert_eq!(spread(SignedDuration::ZERO, MIDDLE), SignedDuration::ZERO);
        assert!(spread(hour, Jitter(f64::NAN)) < hour);
    }

    #[test]
    fn what_is_drawn_up_to_a_pause_lies_between_nothing_and_it() {
        let minute = SignedDuration::from_mins(1);
        assert_eq!(up_to(minute, Jitter(0.0)), SignedDuration::ZERO);
        assert_eq!(up_to(minute, MIDDLE), SignedDuration::from_secs(30));
        assert_eq!(up_to(minute, Jitter(f64::INFINITY)), minute);
        assert_eq!(up_to(minute, Jitter(f64::NAN)), SignedDuration::ZERO);
    }

    #[test]
    fn a_draw_that_is_no_number_still_gives_a_wait_within_the_bounds() {
        for draw in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -3.0] {
            let wait = wait_step(1, Jitter(draw));
            assert!((24..=36).contains(&wait.as_secs()), "{draw}: {wait}");
        }
    }
}

//! A token bucket whose refill falls when whoever gives the tokens says "too many", and grows back.
//!
//! Tokens are counted in millionths, so that refills by the millisecond lose nothing and replay.

use jiff::{SignedDuration, Timestamp};

use crate::backoff::after;

/// A token.
const TOKEN: i64 = 1_000_000;

/// From nothing to the full refill: the time that a bucket of EC2's needs to be full again is a few times
/// as long, and a minute of throttling is then made good within another one.
const GROWS_OVER_MS: i64 = 60_000;

/// The refill never falls below this part of the full one, so that somebody finds out when it is over.
const FLOOR: i64 = 16;

/// Answers to calls that were under way together tell the same thing once.
const HALVED_AT_MOST_EVERY: SignedDuration = SignedDuration::from_secs(1);

/// After so long every bucket is full; longer times would only need larger numbers.
const LONGEST_MS: i64 = 86_400_000;

/// What a bucket holds, and how it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Tokens of a full bucket.
    pub burst: u32,
    /// Tokens that come in a thousand seconds.
    pub refill_in_1000_s: u32,
}

impl Limit {
    /// So many at once, and so many a second.
    pub const fn new(burst: u32, a_second: u32) -> Self {
        Self {
            burst,
            refill_in_1000_s: a_second.saturating_mul(1_000),
        }
    }

    /// A part of it, in percent; at least one token and some refill.
    #[must_use]
    pub fn percent(self, percent: u32) -> Self {
        let part = |whole: u32| {
            let part = u64::from(whole) * u64::from(percent) / 100;
            u32::try_from(part).unwrap_or(u32::MAX).max(1)
        };
        Self {
            burst: part(self.burst),
            refill_in_1000_s: part(self.refill_in_1000_s),
        }
    }

    fn full(self) -> i64 {
        i64::from(self.burst) * TOKEN
    }

    /// Millionths a second.
    fn refill(self) -> i64 {
        i64::from(self.refill_in_1000_s) * (TOKEN / 1_000)
    }
}

/// A bucket, full at first.
#[derive(Debug, Clone)]
pub struct Bucket {
    limit: Limit,
    level: i64,
    rate: i64,
    at: Timestamp,
    halved_at: Option<Timestamp>,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(limit: Limit, now: Timestamp) -> Self {
        Self {
            limit,
            level: limit.full(),
            rate: limit.refill(),
            at: now,
            halved_at: None,
        }
    }

    /// When so many tokens can be drawn with `kept` left over for others: now, or later. Whoever wants
    /// more than a full bucket holds gets a full one's.
    #[must_use]
    pub fn ready_at(&mut self, tokens: u32, kept: u32, now: Timestamp) -> Timestamp {
        self.advance(now);
        let wanted = i64::from(tokens).saturating_add(kept.into()) * TOKEN;
        let lacking = wanted.min(self.limit.full()) - self.level;
        if lacking <= 0 {
            return now;
        }
        // By the rate of now: it may grow meanwhile, and nobody comes too early.
        let ms = lacking.saturating_mul(1_000) / self.rate + 1;
        after(now, SignedDuration::from_millis(ms))
    }

    /// Draws tokens. What is drawn without asking, as by somebody else, leaves an empty bucket at worst.
    pub fn draw(&mut self, tokens: u32, now: Timestamp) {
        self.advance(now);
        self.level = (self.level - i64::from(tokens) * TOKEN).max(0);
    }

    /// Whoever gives the tokens has none: neither has this bucket, and it fills at half the rate.
    pub fn throttled(&mut self, now: Timestamp) {
        self.advance(now);
        self.level = 0;
        let told = |at: Timestamp| now.duration_since(at) < HALVED_AT_MOST_EVERY;
        if !self.halved_at.is_some_and(told) {
            self.halved_at = Some(now);
            self.rate = (self.rate / 2).max(self.floor());
        }
    }

    /// What a full one holds.
    #[must_use]
    pub fn burst(&self) -> u32 {
        self.limit.burst
    }

    /// Tokens that come in a thousand seconds, as of now.
    #[must_use]
    pub fn refill_in_1000_s(&mut self, now: Timestamp) -> i64 {
        self.advance(now);
        self.rate / (TOKEN / 1_000)
    }

    /// How long one token takes to come.
    #[must_use]
    pub fn a_token_takes(&self) -> SignedDuration {
        SignedDuration::from_millis(TOKEN.saturating_mul(1_000) / self.rate + 1)
    }

    fn floor(&self) -> i64 {
        (self.limit.refill() / FLOOR).max(1)
    }

    /// Fills it up to now, at a rate that grows linearly until it is the full one. A time before the last
    /// one changes nothing.
    fn advance(&mut self, now: Timestamp) {
        let passed = now
            .as_millisecond()
            .saturating_sub(self.at.as_millisecond());
        if passed <= 0 {
            return;
        }
        self.at = now;
        let passed = passed.min(LONGEST_MS);
        let full = self.limit.refill();
        let until_full = (full - self.rate) * GROWS_OVER_MS / full;
        let growing = passed.min(until_full);
        let grown = (self.rate + full * growing / GROWS_OVER_MS).min(full);
        let while_growing = (self.rate + grown) / 2 * growing / 1_000;
        let while_full = full * (passed - growing) / 1_000;
        self.rate = if growing == until_full { full } else { grown };
        self.level = (self.level + while_growing + while_full).min(self.limit.full());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// EC2's for CreateFleet.
    const FLEETS: Limit = Limit::new(50, 5);

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).expect("within range")
    }

    /// How many single tokens can be drawn at a moment.
    fn drawn(bucket: &mut Bucket, now: Timestamp) -> usize {
        let mut drawn = 0;
        while bucket.ready_at(1, 0, now) == now {
            bucket.draw(1, now);
            drawn += 1;
        }
        drawn
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_its_refill() {
        let mut bucket = Bucket::new(FLEETS, at_ms(0));
        assert_eq!(drawn(&mut bucket, at_ms(0)), 50);
        assert_eq!(drawn(&mut bucket, at_ms(3_000)), 15);
        assert_eq!(drawn(&mut bucket, at_ms(3_600_000)), 50);
    }

    #[test]
    fn an_empty_bucket_says_when_the_next_token_comes() {
        let mut bucket = Bucket::new(FLEETS, at_ms(0));
        bucket.draw(50, at_ms(0));
        let next = bucket.ready_at(1, 0, at_ms(0));
        assert_eq!(next, at_ms(201));
        assert_eq!(bucket.ready_at(1, 0, next), next);
    }

    #[test]
    fn who_leaves_some_for_others_waits_longer() {
        let mut bucket = Bucket::new(FLEETS, at_ms(0));
        bucket.draw(30, at_ms(0));
        assert_eq!(bucket.ready_at(1, 25, at_ms(0)), at_ms(1_201));
        assert_eq!(bucket.ready_at(1, 0, at_ms(0)), at_ms(0));
    }

    #[test]
    fn more_than_a_full_bucket_holds_is_had_when_it_is_full() {
        let mut bucket = Bucket::new(FLEETS, at_ms(0));
        assert_eq!(bucket.ready_at(2_000, 0, at_ms(0)), at_ms(0));
        bucket.draw(2_000, at_ms(0));
        assert_eq!(bucket.ready_at(2_000, 0, at_ms(0)), at_ms(10_001));
    }

    #[test]
    fn a_throttle_empties_the_bucket_and_halves_the_refill_which_grows_back_in_half_a_minute() {
        let mut bucket = Bucket::new(FLEETS, at_ms(0));
        bucket.throttled(at_ms(0));
        assert_eq!(bucket.refill_in_1000_s(at_ms(0)), 2_500);
        assert_eq!(bucket.ready_at(1, 0, at_ms(0)), at_ms(401));
        assert_eq!(bucket.refill_in_1000_s(at_ms(15_000)), 3_750);
        assert_eq!(bucket.refill_in_1000_s(at_ms(30_000)), 5_000);
    }

    #[test]
    fn throttles_of_calls_that_were_under_way_together_count_once() {
        let mut bucket = Bucket::new(FLEETS, at_ms(0));
        for ms in [0, 10, 20, 999] {
            bucket.throttled(at_ms(ms));
        }
        assert!(bucket.refill_in_1000_s(at_ms(999)) >= 2_500);
        bucket.throttled(at_ms(1_000));
        assert!(bucket.refill_in_1000_s(at_ms(1_000)) < 1_300);
    }

    #[test]
    fn a_minute_of_throttles_leaves_few_calls_and_the_next_minute_restores_the_pace() {
        let mut bucket = Bucket::new(FLEETS, at_ms(0));
        let mut calls = 0;
        for ms in (0..60_000).step_by(100) {
            let now = at_ms(ms);
            for _ in 0..drawn(&mut bucket, now) {
                calls += 1;
                bucket.throttled(now);
            }
        }
        // Without the halving there would be 50 and 5 a second.
        assert!(calls < 110, "{calls}");
        assert_eq!(bucket.refill_in_1000_s(at_ms(120_000)), 5_000);
    }

    #[test]
    fn a_part_of_a_limit_is_never_nothing() {
        assert_eq!(
            FLEETS.percent(50),
            Limit {
                burst: 25,
                refill_in_1000_s: 2_500
            }
        );
        let least = Limit {
            burst: 1,
            refill_in_1000_s: 1,
        };
        assert_eq!(Limit::new(1, 0).percent(1), least);
        assert_eq!(FLEETS.percent(300), Limit::new(150, 15));
    }

    /// Something that happens to a bucket after so many milliseconds.
    #[derive(Debug, Clone, Copy)]
    enum Event {
        Ask(u32),
        Throttle,
    }

    fn events() -> impl Strategy<Value = Vec<(i64, Event)>> {
        let event = prop_oneof![
            4 => (1..20_u32).prop_map(Event::Ask),
            1 => Just(Event::Throttle),
        ];
        prop::collection::vec((0..3_000_i64, event), 1..200)
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_refill_is_given(
            burst in 1..200_u32, refill in 1..20_u32, events in events(),
        ) {
            let limit = Limit::new(burst, refill);
            let mut bucket = Bucket::new(limit, at_ms(0));
            let (mut ms, mut given) = (0, 0_i64);
            for (pause, event) in events {
                ms += pause;
                let now = at_ms(ms);
                match event {
                    Event::Ask(tokens) if tokens <= burst => {
                        if bucket.ready_at(tokens, 0, now) == now {
                            bucket.draw(tokens, now);
                            given += i64::from(tokens);
                        }
                    }
                    Event::Ask(_) => {}
                    Event::Throttle => bucket.throttled(now),
                }
                prop_assert!(given * 1_000 <= i64::from(burst) * 1_000 + i64::from(refill) * ms);
            }
        }

        #[test]
        fn a_promised_time_is_kept_when_nobody_comes_between(
            burst in 1..200_u32, refill in 1..20_u32, tokens in 1..300_u32, events in events(),
        ) {
            let mut bucket = Bucket::new(Limit::new(burst, refill), at_ms(0));
            let mut ms = 0;
            for (pause, event) in events {
                ms += pause;
                match event {
                    Event::Ask(tokens) => bucket.draw(tokens, at_ms(ms)),
                    Event::Throttle => bucket.throttled(at_ms(ms)),
                }
            }
            let promised = bucket.ready_at(tokens, 0, at_ms(ms));
            prop_assert_eq!(bucket.ready_at(tokens, 0, promised), promised);
        }

        #[test]
        fn the_rate_stays_between_a_sixteenth_and_the_whole_and_always_comes_back(
            refill in 1..20_u32, events in events(),
        ) {
            let mut bucket = Bucket::new(Limit::new(10, refill), at_ms(0));
            let full = i64::from(refill) * 1_000;
            let mut ms = 0;
            for (pause, event) in events {
                ms += pause;
                if let Event::Throttle = event {
                    bucket.throttled(at_ms(ms));
                }
                let rate = bucket.refill_in_1000_s(at_ms(ms));
                prop_assert!((full / FLOOR..=full).contains(&rate), "{rate} of {full}");
            }
            prop_assert_eq!(bucket.refill_in_1000_s(at_ms(ms + 60_000)), full);
        }

        #[test]
        fn a_clock_that_goes_back_fills_nothing(burst in 1..200_u32, back in 1..100_000_i64) {
            let mut bucket = Bucket::new(Limit::new(burst, 5), at_ms(0));
            bucket.draw(burst, at_ms(0));
            let earlier = at_ms(-back);
            prop_assert!(bucket.ready_at(1, 0, earlier) > earlier);
            prop_assert!(bucket.ready_at(1, 0, at_ms(0)) > at_ms(0));
        }
    }
}

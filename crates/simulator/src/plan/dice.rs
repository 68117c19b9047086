//! All randomness of a seed.

use jiff::SignedDuration;

use super::Chance;

/// All randomness of a seed.
#[derive(Debug, Clone)]
pub struct Dice(fastrand::Rng);

impl Dice {
    /// Dice that always fall alike for a seed.
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Dice of their own for a part of the simulation.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// Whether something happens this time.
    pub fn hits(&mut self, chance: Chance) -> bool {
        chance.0 > 0 && self.0.u16(..1_000) < chance.0
    }

    /// Whether something happens that does so many times in a thousand.
    pub fn chance(&mut self, thousandths: u16) -> bool {
        self.hits(Chance(thousandths))
    }

    /// One of several things, each so many times in a thousand, and the usual one otherwise.
    pub fn one_of<T: Copy>(&mut self, usual: T, others: &[(u16, T)]) -> T {
        let mut fallen = self.0.u16(..1_000);
        for (thousandths, other) in others {
            if fallen < *thousandths {
                return *other;
            }
            fallen -= thousandths;
        }
        usual
    }

    /// A number from `least` to `most`.
    pub fn number_of(&mut self, least: usize, most: usize) -> usize {
        self.0.usize(least..=most.max(least))
    }

    /// So many seconds, give or take.
    pub fn seconds(&mut self, least: i64, most: i64) -> SignedDuration {
        let from_secs = SignedDuration::from_secs;
        self.between(from_secs(least), from_secs(most))
    }

    /// A number below `end`, which is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end.max(1))
    }

    /// A duration up to `most`.
    pub fn up_to(&mut self, most: SignedDuration) -> SignedDuration {
        self.between(SignedDuration::ZERO, most)
    }

    /// A duration, in whole milliseconds.
    pub fn between(&mut self, least: SignedDuration, most: SignedDuration) -> SignedDuration {
        let millis =
            |duration: SignedDuration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let (least, most) = (millis(least), millis(most));
        SignedDuration::from_millis(self.0.i64(least..=most.max(least)))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.u64(..)
    }
}

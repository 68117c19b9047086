//! Breakers of spot pools: which family in which zone is left alone for a while, and why.
//!
//! A record of the store holds those that were opened lately. What opens and closes them is decided
//! elsewhere. An open breaker whose time is over is half-open: nothing is written for that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::Region;

/// A family of instance types in a zone, to be bought as spot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PoolKey {
    /// The region.
    pub region: Region,
    /// The zone, as `eu-west-1a`.
    pub zone: String,
    /// The family, as `c7a`.
    pub family: String,
}

impl PoolKey {
    /// That of an instance type in a zone.
    pub fn of(region: &Region, zone: &str, instance_type: &str) -> Self {
        Self {
            region: region.clone(),
            zone: zone.to_owned(),
            family: family_of(instance_type).to_owned(),
        }
    }
}

/// The family of a type: `c7a` of `c7a.large`.
pub fn family_of(instance_type: &str) -> &str {
    instance_type
        .split_once('.')
        .map_or(instance_type, |(family, _)| family)
}

impl fmt::Display for PoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.region, self.zone, self.family)
    }
}

/// A text that is no key of a pool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pool; it reads region/zone/family")]
pub struct NoPoolKey(String);

impl FromStr for PoolKey {
    type Err = NoPoolKey;

    fn from_str(text: &str) -> Result<Self, NoPoolKey> {
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(region), Some(zone), Some(family), None) => Ok(Self {
                region: Region::new(region),
                zone: zone.to_owned(),
                family: family.to_owned(),
            }),
            _ => Err(NoPoolKey(text.to_owned())),
        }
    }
}

impl TryFrom<String> for PoolKey {
    type Error = NoPoolKey;

    fn try_from(text: String) -> Result<Self, NoPoolKey> {
        text.parse()
    }
}

impl From<PoolKey> for String {
    fn from(key: PoolKey) -> Self {
        key.to_string()
    }
}

/// The pools that a request leaves out: the families, by subnet.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeftOut(BTreeMap<String, BTreeSet<String>>);

impl LeftOut {
    /// Leaves a type's family out in a subnet.
    pub fn add(&mut self, subnet: &str, instance_type: &str) {
        let families = self.0.entry(subnet.to_owned()).or_default();
        families.insert(family_of(instance_type).to_owned());
    }

    /// Whether a type is left out in a subnet.
    pub fn holds(&self, subnet: &str, instance_type: &str) -> bool {
        let families = self.0.get(subnet);
        families.is_some_and(|families| families.contains(family_of(instance_type)))
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What speaks against a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolTrouble {
    /// EC2 had no capacity there.
    Capacity,
    /// EC2 took instances back from there.
    Interruptions,
}

impl PoolTrouble {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Capacity, Self::Interruptions];

    /// The label value for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capacity => "capacity",
            Self::Interruptions => "interruptions",
        }
    }
}

/// Where a breaker was put last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakerState {
    /// The pool is left out until then, and from then on one launch tries it.
    Open {
        /// Until when.
        until: Timestamp,
    },
    /// The pool is asked again.
    Closed {
        /// Since when.
        since: Timestamp,
    },
}

impl BreakerState {
    /// The time that stands in it. Of two words on one pool the one with the later time holds.
    pub fn at(self) -> Timestamp {
        match self {
            Self::Open { until } => until,
            Self::Closed { since } => since,
        }
    }
}

/// The breaker of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    /// Where it stands.
    pub state: BreakerState,
    /// What opened it.
    pub why: PoolTrouble,
    /// How often in a row it was opened: each time it stays open for longer.
    pub openings: u32,
}

/// The breakers of the stack, and which zone its subnets are in: a launch names subnets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakers {
    /// Those that were opened lately. A pool that is not here is closed.
    pub pools: BTreeMap<PoolKey, Breaker>,
    /// The zones of subnets, as far as EC2 has told.
    pub zones: BTreeMap<String, String>,
}

impl Breakers {
    /// How long a breaker is remembered after its time.
    pub const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(24);

    /// Both together. Whoever comes to it by whatever way has the same.
    #[must_use]
    pub fn merged(mut self, other: &Self) -> Self {
        for (key, theirs) in &other.pools {
            let ours = self.pools.entry(key.clone()).or_insert(*theirs);
            if rank(theirs) > rank(ours) {
                *ours = *theirs;
            }
        }
        let zones = other.zones.iter();
        self.zones
            .extend(zones.map(|(subnet, zone)| (subnet.clone(), zone.clone())));
        self
    }

    /// Without what nobody need remember.
    #[must_use]
    pub fn remembered(mut self, now: Timestamp) -> Self {
        self.pools
            .retain(|_, breaker| now.duration_since(breaker.state.at()) < Self::REMEMBERED_FOR);
        self
    }
}

/// A total order, so that two replicas never disagree on which word holds. What closed at the very
/// time until which it was open closed after that.
fn rank(breaker: &Breaker) -> (Timestamp, bool, u32, PoolTrouble) {
    let is_closed = matches!(breaker.state, BreakerState::Closed { .. });
    (breaker.state.at(), is_closed, breaker.openings, breaker.why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("within range")
    }

    fn key(family: &str) -> PoolKey {
        PoolKey::of(&Region::new("eu-west-1"), "eu-west-1a", family)
    }

    fn breakers(pools: &[(&str, BreakerState)]) -> Breakers {
        let breaker = |state| Breaker {
            state,
            why: PoolTrouble::Capacity,
            openings: 1,
        };
        let pools = pools.iter();
        Breakers {
            pools: pools
                .map(|(one, state)| (key(one), breaker(*state)))
                .collect(),
            zones: BTreeMap::new(),
        }
    }

    #[test]
    fn a_pool_is_named_by_the_family_of_a_type() {
        let pool = PoolKey::of(&Region::new("eu-west-1"), "eu-west-1a", "c7a.2xlarge");
        assert_eq!(pool.to_string(), "eu-west-1/eu-west-1a/c7a");
        assert_eq!("eu-west-1/eu-west-1a/c7a".parse(), Ok(pool));
        let wrong = "eu-west-1/c7a".parse::<PoolKey>().expect_err("no zone");
        assert_eq!(
            wrong.to_string(),
            "\"eu-west-1/c7a\" is no pool; it reads region/zone/family"
        );
    }

    #[test]
    fn a_family_is_left_out_in_the_subnet_alone() {
        let mut left_out = LeftOut::default();
        assert!(left_out.is_empty());
        left_out.add("subnet-a", "c7a.large");
        assert!(left_out.holds("subnet-a", "c7a.4xlarge"));
        assert!(!left_out.holds("subnet-b", "c7a.large"));
        assert!(!left_out.holds("subnet-a", "c7i.large"));
    }

    #[test]
    fn of_two_words_on_a_pool_the_later_holds_in_whichever_order_they_come() {
        let opened = BreakerState::Open { until: at(600) };
        let closed = BreakerState::Closed { since: at(600) };
        let opened_again = BreakerState::Open { until: at(1_900) };
        let of = |state| breakers(&[("c7a", state)]);
        for (one, other, holds) in [
            (opened, closed, closed),
            (closed, opened_again, opened_again),
            (opened, opened_again, opened_again),
        ] {
            assert_eq!(of(one).merged(&of(other)), of(holds));
            assert_eq!(of(other).merged(&of(one)), of(holds));
        }
    }

    #[test]
    fn what_each_of_two_knows_alone_both_know_together() {
        let open = BreakerState::Open { until: at(600) };
        let mut one = breakers(&[("c7a", open)]);
        one.zones.insert("subnet-a".into(), "eu-west-1a".into());
        let mut other = breakers(&[("m7a", open)]);
        other.zones.insert("subnet-b".into(), "eu-west-1b".into());
        let both = one.clone().merged(&other);
        assert_eq!(both, other.merged(&one));
        assert_eq!((both.pools.len(), both.zones.len()), (2, 2));
    }

    #[test]
    fn a_breaker_is_forgotten_a_day_after_its_time() {
        let closed = breakers(&[("c7a", BreakerState::Closed { since: at(0) })]);
        let day = 24 * 3600;
        assert_eq!(closed.clone().remembered(at(day - 1)), closed);
        assert_eq!(closed.remembered(at(day)), Breakers::default());
    }
}

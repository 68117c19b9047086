//! When a spot pool is left alone for a while: a family in a zone whose machines EC2 does not have, or
//! takes back.
//!
//! A breaker opens after a few failures in a short time, and is half-open once its time is over: one
//! launch of each replica tries the pool, and what comes of that closes it or opens it for longer.
//! Failures are counted here, by each replica for itself; what was opened and closed is in the
//! [`Breakers`] that all share. On-demand pools have none: there is nothing to turn to from them. Of
//! the pools that were seen a share stays closed whatever happens, so that neither a bad day nor a
//! mistake keeps the stack off spot.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_model::breaker::{Breaker, BreakerState, Breakers, LeftOut, PoolKey, PoolTrouble};
use reprise_model::evidence::{Evidence, EvidenceSource};
use reprise_model::ids::{InstanceId, Region};
use reprise_model::instance::{Capacity, InstanceView};
use reprise_model::launch::{FleetAnswer, Shortage};
use reprise_model::ledger::LaunchSpec;

use crate::backoff::after;

/// What opens a breaker, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// So many failures open it.
    pub failures: u32,
    /// Within this time.
    pub within: SignedDuration,
    /// How long it is open at first; twice as long each time that it opens again at once.
    pub open_for: SignedDuration,
    /// And no longer than this.
    pub open_for_at_most: SignedDuration,
    /// How many percent of all pools may be open at once.
    pub most_open: u32,
}

/// A single failure happens to every pool, and three in ten minutes are no chance. Shortages of spot
/// last for minutes to hours.
impl Default for BreakerRules {
    fn default() -> Self {
        Self {
            failures: 3,
            within: SignedDuration::from_mins(10),
            open_for: SignedDuration::from_mins(10),
            open_for_at_most: SignedDuration::from_hours(1),
            most_open: 50,
        }
    }
}

/// So long a launch that tries a half-open pool has it for itself. EC2 answers within seconds; where
/// it does not, the next launch may try.
const TRIED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The pool is asked.
    Closed,
    /// One launch tries it.
    HalfOpen,
    /// It is left out.
    Open,
}

impl Standing {
    /// The value of the metric.
    pub fn number(self) -> i64 {
        match self {
            Self::Closed => 0,
            Self::HalfOpen => 1,
            Self::Open => 2,
        }
    }
}

/// What became of a breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Of which pool.
    pub pool: PoolKey,
    /// What.
    pub turned: Turned,
}

/// What a failure or a success does to a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// It opened.
    Opened {
        /// For what.
        why: PoolTrouble,
        /// Until when the pool is left out.
        until: Timestamp,
    },
    /// It would open, and as many are open as may be.
    Held {
        /// For what it would.
        why: PoolTrouble,
    },
    /// It closed.
    Closed,
}

impl Turned {
    /// All words for it.
    pub const WORDS: [&str; 3] = ["breaker-opened", "breaker-held", "breaker-closed"];

    /// The word for logs.
    pub fn as_str(self) -> &'static str {
        let [opened, held, closed] = Self::WORDS;
        match self {
            Self::Opened { .. } => opened,
            Self::Held { .. } => held,
            Self::Closed => closed,
        }
    }
}

/// What a replica knows of the spot pools.
#[derive(Debug, Clone, Default)]
pub struct Pools {
    shared: Breakers,
    failures: BTreeMap<PoolKey, Failures>,
    tried_until: BTreeMap<PoolKey, Timestamp>,
    seen: BTreeSet<PoolKey>,
}

/// The failures of a pool.
#[derive(Debug, Clone, Default)]
struct Failures {
    shortages: Vec<Timestamp>,
    interruptions: BTreeMap<InstanceId, Timestamp>,
}

/// What an answer says of a pool; of two words the later one here counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    /// It was asked, and there is no error of it.
    Nothing,
    /// An error that is none of its own.
    NotItsOwn,
    /// It was short.
    Short,
    /// It gave an instance.
    Launched,
}

impl Pools {
    /// How the breaker of a pool stands.
    pub fn standing(&self, pool: &PoolKey, now: Timestamp) -> Standing {
        match self.shared.pools.get(pool).map(|one| one.state) {
            Some(BreakerState::Open { until }) if until > now => Standing::Open,
            Some(BreakerState::Open { .. }) => Standing::HalfOpen,
            Some(BreakerState::Closed { .. }) | None => Standing::Closed,
        }
    }

    /// All whose breakers were opened lately, and how these stand.
    pub fn all(&self, now: Timestamp) -> impl Iterator<Item = (&PoolKey, Standing)> {
        let pools = self.shared.pools.keys();
        pools.map(move |pool| (pool, self.standing(pool, now)))
    }

    /// Which of these types a spot request leaves out in which of these subnets.
    pub fn left_out(
        &self,
        region: &Region,
        types: &[String],
        subnets: &[String],
        now: Timestamp,
    ) -> LeftOut {
        let mut left_out = LeftOut::default();
        for (kind, subnet) in pairs(types, subnets) {
            let pool = self.pool_in(region, kind, subnet);
            if pool.is_some_and(|pool| self.is_left_out(&pool, now)) {
                left_out.add(subnet, kind);
            }
        }
        left_out
    }

    /// A request goes to EC2 or is about to: half-open pools that it names have the launch that tries
    /// them.
    pub fn asked(&mut self, spec: &LaunchSpec, now: Timestamp) {
        for pool in self.pools_of(spec) {
            if self.standing(&pool, now) == Standing::HalfOpen {
                self.tried_until.insert(pool, after(now, TRIED_WITHIN));
            }
        }
    }

    /// What EC2's answer to a request means for the pools that it names.
    #[must_use]
    pub fn answered(
        &mut self,
        spec: &LaunchSpec,
        answer: &FleetAnswer,
        rules: &BreakerRules,
        now: Timestamp,
    ) -> Vec<Turn> {
        self.learn_zones(answer);
        if spec.capacity != Capacity::Spot {
            return Vec::new();
        }
        let news = self.news(spec, answer);
        self.seen.extend(news.keys().cloned());
        let turns = news
            .into_iter()
            .filter_map(|(pool, news)| self.heard(pool, news, rules, now));
        turns.collect()
    }

    /// What it means that EC2 took an instance back, or is about to. The tag says nothing here: a job
    /// can set it.
    pub fn interrupted(
        &mut self,
        view: &InstanceView,
        evidence: &[Evidence],
        rules: &BreakerRules,
        now: Timestamp,
    ) -> Option<Turn> {
        self.learn_zone(view.subnet.as_ref(), view.zone.as_ref());
        let at = taken_back_at(evidence)?;
        if view.capacity != Capacity::Spot || now.duration_since(at) >= rules.within {
            return None;
        }
        let pool = PoolKey::of(
            &view.instance.region,
            view.zone.as_ref()?,
            &view.instance_type,
        );
        self.seen.insert(pool.clone());
        // What happened before it was opened, or while it was open, has been dealt with.
        let last = self.shared.pools.get(&pool).map(|one| one.state.at());
        if last.is_some_and(|last| at < last) || self.standing(&pool, now) == Standing::Open {
            return None;
        }
        let failures = self.failures.entry(pool.clone()).or_default();
        let known = failures.interruptions.insert(view.instance.id.clone(), at);
        if known.is_some() {
            return None;
        }
        self.failed(pool, PoolTrouble::Interruptions, rules, now)
    }

    /// Takes in what is stored. What is to be stored now, if that is anything else.
    #[must_use]
    pub fn synced(&mut self, stored: &Breakers, now: Timestamp) -> Option<Breakers> {
        let ours = std::mem::take(&mut self.shared);
        self.shared = ours.merged(stored).remembered(now);
        self.seen.extend(self.shared.pools.keys().cloned());
        let is_news = self.shared.pools != stored.clone().remembered(now).pools;
        is_news.then(|| self.shared.clone())
    }

    fn is_left_out(&self, pool: &PoolKey, now: Timestamp) -> bool {
        match self.standing(pool, now) {
            Standing::Closed => false,
            Standing::HalfOpen => self.tried_until.get(pool).is_some_and(|&until| until > now),
            Standing::Open => true,
        }
    }

    fn heard(
        &mut self,
        pool: PoolKey,
        news: News,
        rules: &BreakerRules,
        now: Timestamp,
    ) -> Option<Turn> {
        match (self.standing(&pool, now), news) {
            (Standing::Closed, News::Launched) => {
                if let Some(failures) = self.failures.get_mut(&pool) {
                    failures.shortages.clear();
                }
                None
            }
            (Standing::Closed, News::Short) => {
                let failures = self.failures.entry(pool.clone()).or_default();
                failures.shortages.push(now);
                self.failed(pool, PoolTrouble::Capacity, rules, now)
            }
            (Standing::HalfOpen, News::Short) => {
                self.failed(pool, PoolTrouble::Capacity, rules, now)
            }
            // EC2 chooses among pools by what it has: where it names no want, there is none.
            (Standing::HalfOpen, News::Launched | News::Nothing) => self.closed(pool, now),
            (Standing::Closed, News::Nothing | News::NotItsOwn)
            | (Standing::HalfOpen, News::NotItsOwn)
            | (Standing::Open, _) => None,
        }
    }

    /// One failure more, which stands in `failures` already.
    fn failed(
        &mut self,
        pool: PoolKey,
        why: PoolTrouble,
        rules: &BreakerRules,
        now: Timestamp,
    ) -> Option<Turn> {
        let before = self.openings_in_a_row(&pool, rules, now);
        if before == 0 && !self.are_enough(&pool, why, rules, now) {
            return None;
        }
        if self.others_not_closed(&pool, now) >= self.most_open(rules) {
            let turned = Turned::Held { why };
            return Some(Turn { pool, turned });
        }
        let openings = before.saturating_add(1);
        let until = after(now, opens_for(openings, rules));
        let breaker = Breaker {
            state: BreakerState::Open { until },
            why,
            openings,
        };
        self.shared.pools.insert(pool.clone(), breaker);
        self.failures.remove(&pool);
        self.tried_until.remove(&pool);
        let turned = Turned::Opened { why, until };
        Some(Turn { pool, turned })
    }

    fn closed(&mut self, pool: PoolKey, now: Timestamp) -> Option<Turn> {
        let breaker = self.shared.pools.get_mut(&pool)?;
        breaker.state = BreakerState::Closed { since: now };
        self.failures.remove(&pool);
        self.tried_until.remove(&pool);
        let turned = Turned::Closed;
        Some(Turn { pool, turned })
    }

    /// How often it was opened in a row, where the row goes on: it is half-open, or was closed so
    /// lately that a single failure opens it again.
    fn openings_in_a_row(&self, pool: &PoolKey, rules: &BreakerRules, now: Timestamp) -> u32 {
        let Some(breaker) = self.shared.pools.get(pool) else {
            return 0;
        };
        match breaker.state {
            BreakerState::Open { .. } => breaker.openings,
            BreakerState::Closed { since } if now.duration_since(since) < rules.within => {
                breaker.openings
            }
            BreakerState::Closed { .. } => 0,
        }
    }

    fn are_enough(
        &mut self,
        pool: &PoolKey,
        why: PoolTrouble,
        rules: &BreakerRules,
        now: Timestamp,
    ) -> bool {
        let Some(failures) = self.failures.get_mut(pool) else {
            return false;
        };
        let is_recent = |at: &Timestamp| now.duration_since(*at) < rules.within;
        failures.shortages.retain(is_recent);
        failures.interruptions.retain(|_, at| is_recent(at));
        let count = match why {
            PoolTrouble::Capacity => failures.shortages.len(),
            PoolTrouble::Interruptions => failures.interruptions.len(),
        };
        u32::try_from(count).unwrap_or(u32::MAX) >= rules.failures
    }

    fn others_not_closed(&self, pool: &PoolKey, now: Timestamp) -> usize {
        let others = self.all(now).filter(|(other, _)| *other != pool);
        others
            .filter(|(_, standing)| *standing != Standing::Closed)
            .count()
    }

    /// One at least.
    fn most_open(&self, rules: &BreakerRules) -> usize {
        let share = usize::try_from(rules.most_open).unwrap_or(usize::MAX);
        self.seen.len().saturating_mul(share).div_ceil(100).max(1)
    }

    fn news(&self, spec: &LaunchSpec, answer: &FleetAnswer) -> BTreeMap<PoolKey, News> {
        let asked = self.pools_of(spec).into_iter();
        let mut news: BTreeMap<PoolKey, News> = asked.map(|pool| (pool, News::Nothing)).collect();
        let launched = answer.launched.iter().filter_map(|one| {
            let (zone, kind) = (one.zone.as_ref()?, one.instance_type.as_ref()?);
            let pool = PoolKey::of(&spec.region, zone, kind);
            (one.capacity == Capacity::Spot).then_some((pool, News::Launched))
        });
        let short = answer.shortfall.iter().filter_map(|one| {
            let (zone, kind) = (one.zone.as_ref()?, one.instance_type.as_ref()?);
            let pool = PoolKey::of(&spec.region, zone, kind);
            (one.capacity == Capacity::Spot).then_some((pool, news_of(one)))
        });
        for (pool, word) in launched.chain(short) {
            let last = news.entry(pool).or_insert(word);
            *last = word.max(*last);
        }
        news
    }

    /// The pools that a spot request names, as far as their zones are known.
    fn pools_of(&self, spec: &LaunchSpec) -> BTreeSet<PoolKey> {
        if spec.capacity != Capacity::Spot {
            return BTreeSet::new();
        }
        let asked = pairs(&spec.instance_types, &spec.subnets)
            .filter(|(kind, subnet)| !spec.left_out.holds(subnet, kind));
        asked
            .filter_map(|(kind, subnet)| self.pool_in(&spec.region, kind, subnet))
            .collect()
    }

    fn pool_in(&self, region: &Region, kind: &str, subnet: &str) -> Option<PoolKey> {
        let zone = self.shared.zones.get(subnet)?;
        Some(PoolKey::of(region, zone, kind))
    }

    fn learn_zones(&mut self, answer: &FleetAnswer) {
        let launched = answer.launched.iter();
        let launched = launched.map(|one| (&one.subnet, &one.zone));
        let short = answer.shortfall.iter().map(|one| (&one.subnet, &one.zone));
        for (subnet, zone) in launched.chain(short) {
            self.learn_zone(subnet.as_ref(), zone.as_ref());
        }
    }

    /// A subnet never moves.
    fn learn_zone(&mut self, subnet: Option<&String>, zone: Option<&String>) {
        if let (Some(subnet), Some(zone)) = (subnet, zone)
            && !self.shared.zones.contains_key(subnet)
        {
            self.shared.zones.insert(subnet.clone(), zone.clone());
        }
    }
}

/// Whether everything is left out.
pub(crate) fn is_all_left_out(left_out: &LeftOut, types: &[String], subnets: &[String]) -> bool {
    !left_out.is_empty() && pairs(types, subnets).all(|(kind, subnet)| left_out.holds(subnet, kind))
}

fn pairs<'a>(
    types: &'a [String],
    subnets: &'a [String],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    types.iter().flat_map(move |kind| {
        let subnets = subnets.iter();
        subnets.map(move |subnet| (kind.as_str(), subnet.as_str()))
    })
}

fn news_of(shortage: &Shortage) -> News {
    if shortage.fault.is_shortage() {
        News::Short
    } else {
        News::NotItsOwn
    }
}

fn opens_for(openings: u32, rules: &BreakerRules) -> SignedDuration {
    let doublings = openings.saturating_sub(1).min(30);
    let longer = rules.open_for.checked_mul(1 << doublings);
    longer.map_or(rules.open_for_at_most, |longer| {
        longer.min(rules.open_for_at_most)
    })
}

/// When EC2 itself first said so.
fn taken_back_at(evidence: &[Evidence]) -> Option<Timestamp> {
    let of_ec2 = evidence.iter().filter(|one| match one.source {
        EvidenceSource::InterruptionWarning
        | EvidenceSource::StateReason
        | EvidenceSource::SpotRequest => true,
        EvidenceSource::Tag => false,
    });
    of_ec2.map(|one| one.first_seen_at).min()
}

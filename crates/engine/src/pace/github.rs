//! GitHub's limits, per installation: points a minute, requests at once, and the times in which it wants to
//! be left alone.
//!
//! Re-runs go before launches, and launches before other reads: the later ones leave something over for
//! the earlier ones, of the points, of the requests at once and of the hour's budget. After a limit, one
//! request finds out whether it is over, and a re-run's is the first that may.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::backoff::after;

/// GitHub's secondary limit of an installation: points a minute.
const POINTS_A_MINUTE: u32 = 900;

/// The allowance never falls below this: ten re-runs and their reads.
const LEAST_POINTS: u32 = 90;

/// From nothing to the full allowance.
const GROWS_OVER: SignedDuration = SignedDuration::from_mins(10);

const MINUTE: SignedDuration = SignedDuration::from_secs(60);

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// GitHub's limits of requests that make what people see, as a check run.
const CONTENT_A_MINUTE: usize = 80;
const CONTENT_AN_HOUR: usize = 500;

/// GitHub allows 100 requests at once; other replicas, and the tokens, have their part of them.
const AT_ONCE: u32 = 60;

/// When to come again where all places are taken: a request takes about so long.
const A_REQUEST: SignedDuration = SignedDuration::from_millis(300);

/// A request that finds out whether a limit is over, and of which nobody has heard for so long, is lost.
const PROBE_LOST_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// When to come again while somebody finds out whether a limit is over.
const A_PROBE: SignedDuration = SignedDuration::from_secs(1);

/// What a request is for. The earlier goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errand {
    /// A re-run of interrupted jobs, with all that is read for it.
    Rerun,
    /// A runner for an instance that is on its way.
    Launch,
    /// Everything else: searches, sweeps, looks at what may need nothing.
    Read,
}

impl Errand {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rerun, Self::Launch, Self::Read];

    /// The label value for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rerun => "rerun",
            Self::Launch => "launch",
            Self::Read => "read",
        }
    }

    /// Points that it leaves over, as a share of the allowance: 1/n.
    fn leaves_points(self, allowance: u32) -> u32 {
        match self {
            Self::Rerun => 0,
            Self::Launch => allowance / 9,
            Self::Read => allowance / 3,
        }
    }

    /// Places that it leaves free.
    fn leaves_places(self) -> u32 {
        match self {
            Self::Rerun => 0,
            Self::Launch => 10,
            Self::Read => 20,
        }
    }

    /// Requests of the hour's budget that it leaves over.
    fn leaves_of_the_hour(self) -> u64 {
        match self {
            Self::Rerun => 0,
            Self::Launch => 100,
            Self::Read => 300,
        }
    }

    /// How much later than a re-run it may find out whether a limit is over.
    fn probes_after(self) -> SignedDuration {
        match self {
            Self::Rerun => SignedDuration::ZERO,
            Self::Launch => SignedDuration::from_secs(2),
            Self::Read => SignedDuration::from_secs(4),
        }
    }
}

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Points of the minute.
    pub points: u32,
    /// Whether it makes something that people see, which has limits of its own.
    pub makes_content: bool,
}

impl Cost {
    /// A read of one page.
    pub const READ: Self = Self::of(1);

    /// Reads of two pages, or two reads.
    pub const TWO_READS: Self = Self::of(2);

    /// Three reads.
    pub const THREE_READS: Self = Self::of(3);

    /// A request that changes something.
    pub const CHANGE: Self = Self::of(5);

    /// A request that makes something that people see.
    pub const CONTENT: Self = Self {
        makes_content: true,
        ..Self::CHANGE
    };

    /// So many points.
    pub const fn of(points: u32) -> Self {
        Self {
            points,
            makes_content: false,
        }
    }
}

/// Why a request is not made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitReason {
    /// GitHub wants to be left alone.
    Limited,
    /// Somebody finds out whether it still does.
    Probing,
    /// The points of this minute are spent, or left for others.
    Points,
    /// Too many requests are under way.
    AtOnce,
    /// Little is left of the hour's budget, and others need it more.
    Hour,
    /// So much content was made within a minute or an hour.
    Content,
}

impl WaitReason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Limited,
        Self::Probing,
        Self::Points,
        Self::AtOnce,
        Self::Hour,
        Self::Content,
    ];

    /// The label value for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Limited => "limited",
            Self::Probing => "probing",
            Self::Points => "points",
            Self::AtOnce => "at-once",
            Self::Hour => "hour",
            Self::Content => "content",
        }
    }
}

/// A request that is not to be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotNow {
    /// When to ask again.
    pub until: Timestamp,
    /// Why.
    pub why: WaitReason,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitHubAnswer {
    /// With an answer that is no limit.
    Answered,
    /// By a limit, which lasts for so long.
    Limited(SignedDuration),
    /// With nothing.
    Lost,
}

/// What one replica asks of an installation.
#[derive(Debug, Clone, Default)]
pub struct GitHubPace {
    /// The points of the last minute, the oldest first.
    spent: VecDeque<(Timestamp, u32)>,
    /// When content was made within the last hour, the oldest first.
    made: VecDeque<Timestamp>,
    /// The allowance after the last limit, and when that was.
    lowered: Option<(u32, Timestamp)>,
    shut: Option<Shut>,
    under_way: u32,
    /// When something was last let through though little was left of the hour.
    let_through_at: Option<Timestamp>,
}

/// GitHub wants to be left alone, or did.
#[derive(Debug, Clone, Copy)]
struct Shut {
    until: Timestamp,
    /// Since when somebody finds out whether it is over.
    probed_since: Option<Timestamp>,
}

impl GitHubPace {
    /// Takes a turn for a request that costs so much; [`GitHubPace::ended`] must follow it.
    /// `hour` is what is left of the hour's budget, where that is known.
    pub fn take(
        &mut self,
        errand: Errand,
        cost: Cost,
        hour: Option<u64>,
        now: Timestamp,
    ) -> Result<(), NotNow> {
        self.forget_old(now);
        let probes = self.opens(errand, now)?;
        let free = AT_ONCE - errand.leaves_places();
        if self.under_way >= free {
            return not_now(after(now, A_REQUEST), WaitReason::AtOnce);
        }
        self.has_points(errand, cost.points, now)?;
        if cost.makes_content {
            self.may_make_content(now)?;
        }
        self.has_of_the_hour(errand, hour, now)?;
        if let (true, Some(shut)) = (probes, &mut self.shut) {
            shut.probed_since = Some(now);
        }
        self.under_way += 1;
        self.spent.push_back((now, cost.points));
        if cost.makes_content {
            self.made.push_back(now);
        }
        Ok(())
    }

    /// A request for which a turn was taken has ended.
    pub fn ended(&mut self, answer: GitHubAnswer, now: Timestamp) {
        self.under_way = self.under_way.saturating_sub(1);
        match answer {
            GitHubAnswer::Answered => {
                // One that was on its way before the limit was told says nothing of it.
                if self.shut.is_some_and(|shut| shut.until <= now) {
                    self.shut = None;
                }
            }
            GitHubAnswer::Limited(wait) => self.limited(wait, now),
            GitHubAnswer::Lost => {
                if let Some(shut) = &mut self.shut {
                    shut.probed_since = None;
                }
            }
        }
    }

    /// Until when GitHub wants to be left alone, where it does.
    #[must_use]
    pub fn rests_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.shut.map(|shut| shut.until);
        until.filter(|until| now < *until)
    }

    /// Points a minute, as of now.
    #[must_use]
    pub fn points_a_minute(&self, now: Timestamp) -> u32 {
        let Some((lowered, at)) = self.lowered else {
            return POINTS_A_MINUTE;
        };
        let passed = now.duration_since(at).as_millis().max(0);
        let grown = i128::from(POINTS_A_MINUTE) * passed / GROWS_OVER.as_millis();
        let grown = u32::try_from(grown).unwrap_or(POINTS_A_MINUTE);
        lowered.saturating_add(grown).min(POINTS_A_MINUTE)
    }

    /// Whether the request would be the one that finds out whether a limit is over.
    fn opens(&self, errand: Errand, now: Timestamp) -> Result<bool, NotNow> {
        let Some(shut) = self.shut else {
            return Ok(false);
        };
        let mine = after(shut.until, errand.probes_after());
        if now < mine {
            return not_now(mine, WaitReason::Limited).map(|()| false);
        }
        match shut.probed_since {
            Some(since) if now < after(since, PROBE_LOST_AFTER) => {
                not_now(after(now, A_PROBE), WaitReason::Probing).map(|()| false)
            }
            Some(_) | None => Ok(true),
        }
    }

    /// A request that costs more than what may ever be spent passes when nothing else was spent.
    fn has_points(&self, errand: Errand, points: u32, now: Timestamp) -> Result<(), NotNow> {
        let allowance = self.points_a_minute(now);
        let mut spent: u32 = self.spent.iter().map(|(_, points)| points).sum();
        let most = allowance
            .saturating_sub(errand.leaves_points(allowance))
            .max(points);
        if spent.saturating_add(points) <= most {
            return Ok(());
        }
        for (at, points_then) in &self.spent {
            spent -= points_then;
            if spent.saturating_add(points) <= most {
                return not_now(after(*at, MINUTE), WaitReason::Points);
            }
        }
        Ok(())
    }

    fn may_make_content(&self, now: Timestamp) -> Result<(), NotNow> {
        for (most, within) in [(CONTENT_AN_HOUR, HOUR), (CONTENT_A_MINUTE, MINUTE)] {
            // The one that must be out of sight before another one is made.
            let nth = self.made.len().checked_sub(most);
            let until = nth
                .and_then(|nth| self.made.get(nth))
                .map(|at| after(*at, within));
            if let Some(until) = until.filter(|until| now < *until) {
                return not_now(until, WaitReason::Content);
            }
        }
        Ok(())
    }

    /// What is left is known by answers only; so one request a minute passes, and finds out.
    fn has_of_the_hour(
        &mut self,
        errand: Errand,
        left: Option<u64>,
        now: Timestamp,
    ) -> Result<(), NotNow> {
        if left.is_none_or(|left| left >= errand.leaves_of_the_hour()) {
            return Ok(());
        }
        match self.let_through_at.map(|at| after(at, MINUTE)) {
            Some(next) if now < next => not_now(next, WaitReason::Hour),
            Some(_) | None => {
                self.let_through_at = Some(now);
                Ok(())
            }
        }
    }

    fn limited(&mut self, wait: SignedDuration, now: Timestamp) {
        let until = after(now, wait);
        let was_shut = self.shut.is_some_and(|shut| now < shut.until);
        // Answers to requests that were under way together tell of one limit.
        if !was_shut {
            let half = self.points_a_minute(now) / 2;
            self.lowered = Some((half.max(LEAST_POINTS), now));
        }
        let until = self.shut.map_or(until, |shut| shut.until.max(until));
        self.shut = Some(Shut {
            until,
            probed_since: None,
        });
    }

    fn forget_old(&mut self, now: Timestamp) {
        let old = |at: &Timestamp| after(*at, MINUTE) <= now;
        while self.spent.front().is_some_and(|(at, _)| old(at)) {
            self.spent.pop_front();
        }
        while self.made.front().is_some_and(|at| after(*at, HOUR) <= now) {
            self.made.pop_front();
        }
    }
}

fn not_now(until: Timestamp, why: WaitReason) -> Result<(), NotNow> {
    Err(NotNow { until, why })
}

#[cfg(test)]
mod tests;

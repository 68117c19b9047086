//! How many instances there are: what EC2 last listed, and what was launched since.
//!
//! EC2 is the witness. Listing costs a call, so a list serves as long as it shows much more room than
//! this replica has used since; near a limit it must be some seconds young. What other replicas have
//! launched since is not known here: a limit may be passed by that, and by what EC2 does not list yet.
//! The limits are there for mistakes and strangers; what an account may have, EC2 itself keeps.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, Region, Repository, RunId};
use reprise_model::instance::{InstanceState, InstanceView};
use reprise_model::launch::Asked;
use reprise_model::ledger::LaunchClaim;
use reprise_model::tags::TagKeys;

use crate::launch;
use crate::room::{InstanceCounts, InstanceLimits};

/// A list as young as this tells who is there. Shorter, and a full stack would be listed for every job
/// that waits; EC2's own lists lag by seconds.
const YOUNG: SignedDuration = SignedDuration::from_secs(5);

/// A list as old as this tells nothing. The sweep brings one a minute, also a slow one.
const OLD: SignedDuration = SignedDuration::from_mins(2);

/// Of the room that a list showed, this part may be used up before another one is asked for. With up
/// to as many replicas no limit is passed so.
const PART: u32 = 4;

/// An instance that EC2 does not list so long after its launch is not there.
const LISTED_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// For whom an instance was launched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Party {
    /// In lower case: GitHub's names are the same in any.
    repository: String,
    run: RunId,
}

impl Party {
    /// That of a claim.
    pub fn of(claim: &LaunchClaim) -> Self {
        Self::new(&claim.key.repository, claim.run_id)
    }

    /// That of a run.
    pub fn new(repository: &Repository, run: RunId) -> Self {
        Self {
            repository: lower(&repository.to_string()),
            run,
        }
    }
}

/// What names a launch that this replica makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// The instances of the stack.
#[derive(Debug, Default)]
pub struct Crowd {
    listed: BTreeMap<Region, List>,
    ours: BTreeMap<Ticket, Ours>,
    tickets: u64,
}

/// What EC2 listed in a region.
#[derive(Debug)]
struct List {
    at: Timestamp,
    all: u32,
    by_repository: BTreeMap<String, u32>,
    by_run: BTreeMap<Party, u32>,
    /// The repository and the request that instances are tagged with.
    requests: BTreeSet<(String, String)>,
}

/// A launch of this replica's that no list shows yet.
#[derive(Debug)]
struct Ours {
    party: Party,
    launched: Option<(InstanceId, Timestamp)>,
}

impl Crowd {
    /// Takes in what EC2 listed in a region when it was asked at `at`.
    pub fn list(
        &mut self,
        region: &Region,
        views: impl IntoIterator<Item = InstanceView>,
        tags: &TagKeys,
        at: Timestamp,
    ) {
        let mut list = List::new(at);
        let mut unshown: BTreeSet<InstanceId> = self.ours.values().filter_map(Ours::id).collect();
        for view in views {
            unshown.remove(&view.instance.id);
            if is_there(view.state) {
                list.add(&view, tags);
            }
        }
        self.ours.retain(|_, one| match &one.launched {
            None => true,
            Some((id, launched_at)) => {
                unshown.contains(id) && at.duration_since(*launched_at) < LISTED_WITHIN
            }
        });
        self.listed.insert(region.clone(), list);
    }

    /// When each of these regions was listed last; `None` where one never was.
    pub fn listed_at<'a>(
        &self,
        mut regions: impl Iterator<Item = &'a Region>,
    ) -> Option<Timestamp> {
        regions.try_fold(Timestamp::MAX, |oldest, region| {
            Some(oldest.min(self.listed.get(region)?.at))
        })
    }

    /// Whether the lists of these regions tell well enough if there is room for one more.
    pub fn is_known<'a>(
        &self,
        regions: impl Iterator<Item = &'a Region>,
        party: &Party,
        limits: &InstanceLimits,
        now: Timestamp,
    ) -> bool {
        let Some(listed_at) = self.listed_at(regions) else {
            return false;
        };
        let age = now.duration_since(listed_at);
        age <= YOUNG || (age < OLD && self.has_much_room(party, limits))
    }

    /// How many there are.
    pub fn counts(&self, party: &Party) -> InstanceCounts {
        let (listed, ours) = (self.counts_listed(party), self.counts_ours(party));
        InstanceCounts {
            stack: listed.stack.saturating_add(ours.stack),
            repository: listed.repository.saturating_add(ours.repository),
            run: listed.run.saturating_add(ours.run),
        }
    }

    /// Whether EC2 lists an instance that the request of this claim brought, so that asking for it once
    /// more makes no other. One whose next request was never made has none, whatever those before brought;
    /// and who shares a request hears the same answer again, whether it has a place for it or not.
    pub fn serves(&self, claim: &LaunchClaim, now: Timestamp) -> bool {
        match &claim.asked {
            Asked::NotYet => false,
            // What was committed last is spot: on-demand takes its place without a commit in between.
            Asked::Alone | Asked::Together(_) => {
                let after = launch::after_spot(claim, now);
                self.lists(claim) || after.is_some_and(|claim| self.lists(&claim))
            }
        }
    }

    /// One more is about to be launched.
    pub fn enter(&mut self, party: Party) -> Ticket {
        self.tickets = self.tickets.wrapping_add(1);
        let ticket = Ticket(self.tickets);
        let launched = None;
        self.ours.insert(ticket, Ours { party, launched });
        ticket
    }

    /// It was launched.
    pub fn launched(&mut self, ticket: Ticket, instance: InstanceId, now: Timestamp) {
        if let Some(ours) = self.ours.get_mut(&ticket) {
            ours.launched = Some((instance, now));
        }
    }

    /// An instance is gone. EC2's lists tell of its end themselves, and not of one that they never showed.
    pub fn ended(&mut self, instance: &InstanceId) {
        self.ours.retain(|_, one| match &one.launched {
            Some((id, _)) => id != instance,
            None => true,
        });
    }

    /// It was not launched, as far as anybody knows.
    pub fn leave(&mut self, ticket: Ticket) {
        self.ours.remove(&ticket);
    }

    fn lists(&self, claim: &LaunchClaim) -> bool {
        let repository = lower(&claim.key.repository.to_string());
        let request = (repository, claim.request());
        let mut lists = self.listed.values();
        lists.any(|list| list.requests.contains(&request))
    }

    fn has_much_room(&self, party: &Party, limits: &InstanceLimits) -> bool {
        let (listed, ours) = (self.counts_listed(party), self.counts_ours(party));
        [
            (limits.stack, listed.stack, ours.stack),
            (limits.repository, listed.repository, ours.repository),
            (limits.run, listed.run, ours.run),
        ]
        .into_iter()
        .all(|(limit, listed, ours)| ours < limit.saturating_sub(listed) / PART)
    }

    fn counts_listed(&self, party: &Party) -> InstanceCounts {
        let sum = |of: &dyn Fn(&List) -> u32| {
            let lists = self.listed.values();
            lists.map(of).fold(0, u32::saturating_add)
        };
        InstanceCounts {
            stack: sum(&|list| list.all),
            repository: sum(&|list| count(&list.by_repository, &party.repository)),
            run: sum(&|list| count(&list.by_run, party)),
        }
    }

    fn counts_ours(&self, party: &Party) -> InstanceCounts {
        let mut counts = InstanceCounts::default();
        for ours in self.ours.values() {
            counts.stack = counts.stack.saturating_add(1);
            let same_repository = ours.party.repository == party.repository;
            counts.repository += u32::from(same_repository);
            counts.run += u32::from(ours.party == *party);
        }
        counts
    }
}

impl Ours {
    fn id(&self) -> Option<InstanceId> {
        let (id, _) = self.launched.as_ref()?;
        Some(id.clone())
    }
}

impl List {
    fn new(at: Timestamp) -> Self {
        Self {
            at,
            all: 0,
            by_repository: BTreeMap::new(),
            by_run: BTreeMap::new(),
            requests: BTreeSet::new(),
        }
    }

    /// An instance without our tags is one of the stack's, and nobody's in particular.
    fn add(&mut self, view: &InstanceView, tags: &TagKeys) {
        self.all = self.all.saturating_add(1);
        let Some(repository) = view.tags.get(&tags.repository()).map(|name| lower(name)) else {
            return;
        };
        *self.by_repository.entry(repository.clone()).or_default() += 1;
        if let Some(request) = view.tags.get(&tags.request()) {
            self.requests.insert((repository.clone(), request.clone()));
        }
        let run = view.tags.get(&tags.run()).and_then(|run| run.parse().ok());
        if let Some(run) = run {
            let run = RunId(run);
            *self.by_run.entry(Party { repository, run }).or_default() += 1;
        }
    }
}

/// What ends makes room at once; what is stopped takes none of a machine.
fn is_there(state: InstanceState) -> bool {
    match state {
        InstanceState::Pending | InstanceState::Running | InstanceState::Unknown => true,
        InstanceState::ShuttingDown
        | InstanceState::Terminated
        | InstanceState::Stopping
        | InstanceState::Stopped => false,
    }
}

fn count<K: Ord>(counts: &BTreeMap<K, u32>, key: &K) -> u32 {
    counts.get(key).copied().unwrap_or_default()
}

fn lower(repository: &str) -> String {
    repository.to_ascii_lowercase()
}

//! Which jobs may take each other's machines.
//!
//! GitHub hands a queued job to any idle runner that has all of the job's labels, and the runner of
//! a job has that job's labels. So a job may take the machine of another whose labels contain its
//! own, where both wait at the same time. Then the other waits for a machine that does not come, and
//! a re-run that was to be on-demand is on spot.
//!
//! Nothing is said of two jobs of which one waits for the other: their machines are never idle at
//! the same time.

use std::collections::{BTreeMap, BTreeSet};

use crate::value::{Unknowns, Varies};
use crate::wanted::Wanted;
use crate::workflow::Job;
use crate::world::World;

/// A job of a workflow file with all that it may ask for.
pub(crate) struct Played<'a> {
    pub(crate) job: &'a Job,
    /// Which of the file's jobs it is.
    pub(crate) index: usize,
    /// For each world, the jobs of its matrix whose labels are ours.
    pub(crate) worlds: Vec<(World, Vec<Wanted>)>,
    /// Its matrix may have others.
    pub(crate) open: bool,
}

/// What a job shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// With its own runs, always.
    EveryRun,
    /// With some other run: only this tells them apart.
    SomeRun(String),
    /// Nobody can tell: this may tell them apart.
    Unknowable(String),
    /// With others of its own matrix.
    Siblings {
        /// How many have the same labels; nothing where nobody knows how many there are.
        alike: Option<usize>,
    },
    /// With other jobs of its run, by their index.
    Jobs(Vec<usize>),
}

/// Judges each job of a file by itself and beside the others.
pub(crate) fn judge(
    played: &[Played<'_>],
    order: &Order,
    unknowns: &Unknowns,
) -> Vec<Vec<Sharing>> {
    let runs: Vec<Option<Sharing>> = played.iter().map(|job| with_runs(job, unknowns)).collect();
    let is_apart = |index: usize| matches!(runs[index], None | Some(Sharing::Unknowable(_)));
    let mut meetings = meetings(played, order, is_apart);
    let each = played.iter().enumerate().map(|(index, job)| {
        let mut found: Vec<Sharing> = runs[index].iter().cloned().collect();
        if is_apart(index) {
            found.extend(with_siblings(job, unknowns));
            found.extend(meetings.remove(&index).map(Sharing::Jobs));
        }
        found
    });
    each.collect()
}

/// Whom each job may meet. One that meets its own next run has a greater trouble.
fn meetings(
    played: &[Played<'_>],
    order: &Order,
    is_apart: impl Fn(usize) -> bool,
) -> BTreeMap<usize, Vec<usize>> {
    let sets: Vec<Sets<'_>> = played.iter().map(|job| sets(job, |_, _| true)).collect();
    let mut comparing = Comparing::default();
    let apart: Vec<usize> = (0..played.len()).filter(|index| is_apart(*index)).collect();
    let mut found: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, &one) in apart.iter().enumerate() {
        for &other in &apart[number + 1..] {
            if comparing.left == 0 {
                return found;
            }
            let in_turn = order.is_set(played[one].index, played[other].index);
            if !in_turn && comparing.may_meet(&sets[one], &sets[other]) {
                found.entry(one).or_default().push(other);
                found.entry(other).or_default().push(one);
            }
        }
    }
    found
}

/// What the worst of its labels share with other runs.
fn with_runs(played: &Played<'_>, unknowns: &Unknowns) -> Option<Sharing> {
    let all = played.worlds.iter().flat_map(|(_, legs)| legs);
    let worst = all.min_by_key(|wanted| wanted.varies(unknowns))?;
    let tells_apart = |varies| {
        let found = worst
            .unknown(unknowns)
            .find(|unknown| unknown.varies == varies);
        found.map_or_else(String::new, |unknown| unknown.source.clone())
    };
    match worst.varies(unknowns) {
        Varies::Never => Some(Sharing::EveryRun),
        Varies::Somehow => Some(Sharing::SomeRun(tells_apart(Varies::Somehow))),
        Varies::Unknowable => Some(Sharing::Unknowable(tells_apart(Varies::Unknowable))),
        Varies::WithEachRun => None,
    }
}

fn with_siblings(played: &Played<'_>, unknowns: &Unknowns) -> Option<Sharing> {
    if played.job.one_by_one {
        return None;
    }
    if played.open {
        let mut all = played.worlds.iter().flat_map(|(_, legs)| legs);
        let is_same = |wanted: &Wanted| !wanted.unknown(unknowns).any(|unknown| unknown.is_of_leg);
        return all
            .any(is_same)
            .then_some(Sharing::Siblings { alike: None });
    }
    let alike = played.worlds.iter().map(|(_, legs)| most_alike(legs)).max();
    let alike = alike.filter(|alike| *alike > 1)?;
    Some(Sharing::Siblings { alike: Some(alike) })
}

/// How many of a matrix have the same labels.
fn most_alike(legs: &[Wanted]) -> usize {
    let mut counts: BTreeMap<BTreeSet<String>, usize> = BTreeMap::new();
    for leg in legs {
        *counts.entry(leg.set()).or_default() += 1;
    }
    counts.into_values().max().unwrap_or(0)
}

/// The different sets of labels that a job may have, world by world.
pub(crate) type Sets<'a> = Vec<(&'a World, BTreeSet<BTreeSet<String>>)>;

/// The sets of those labels that are asked for.
pub(crate) fn sets<'a>(
    played: &'a Played<'_>,
    wanted: impl Fn(&World, &Wanted) -> bool,
) -> Sets<'a> {
    let of_world = |(world, legs): &'a (World, Vec<Wanted>)| {
        let legs = legs.iter().filter(|leg| wanted(world, leg));
        (world, legs.map(Wanted::set).collect())
    };
    played.worlds.iter().map(of_world).collect()
}

/// Compares labels, as long as it is worth while.
pub(crate) struct Comparing {
    left: usize,
}

impl Default for Comparing {
    /// A workflow of a hundred jobs takes some thousands; this keeps a strange one within a second.
    fn default() -> Self {
        Self { left: 1_000_000 }
    }
}

impl Comparing {
    /// Whether the labels of one contain the other's, in some world that both may be in.
    pub(crate) fn may_meet(&mut self, one: &Sets<'_>, other: &Sets<'_>) -> bool {
        for (world, labels) in one {
            for (elsewhere, others) in other {
                self.left = self.left.saturating_sub(1 + labels.len() * others.len());
                if self.left == 0 {
                    return false;
                }
                if world.agrees_with(elsewhere) && any_contains(labels, others) {
                    return true;
                }
            }
        }
        false
    }
}

fn any_contains(labels: &BTreeSet<BTreeSet<String>>, others: &BTreeSet<BTreeSet<String>>) -> bool {
    labels.iter().any(|one| {
        let mut others = others.iter();
        others.any(|other| one.is_subset(other) || other.is_subset(one))
    })
}

/// Which jobs of a file wait for which.
pub(crate) struct Order {
    /// All that a job waits for, directly or not.
    before: Vec<BTreeSet<usize>>,
}

impl Order {
    pub(crate) fn of(jobs: &[Job]) -> Self {
        let keys = jobs.iter().enumerate();
        let index: BTreeMap<&str, usize> =
            keys.map(|(index, job)| (job.key.as_str(), index)).collect();
        let needs: Vec<Vec<usize>> = jobs
            .iter()
            .map(|job| {
                let needs = job.needs.iter();
                needs
                    .filter_map(|key| index.get(key.as_str()).copied())
                    .collect()
            })
            .collect();
        let before = (0..jobs.len()).map(|job| reached(&needs, job)).collect();
        Self { before }
    }

    /// Whether one of two jobs waits for the other.
    pub(crate) fn is_set(&self, one: usize, other: usize) -> bool {
        self.before[one].contains(&other) || self.before[other].contains(&one)
    }
}

fn reached(needs: &[Vec<usize>], from: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut next = needs[from].clone();
    while let Some(job) = next.pop() {
        if found.insert(job) {
            next.extend(&needs[job]);
        }
    }
    found
}

//! Which record of the newest attempt is that of a job that was interrupted in an earlier one.
//!
//! GitHub gives every record a new id in every attempt, and jobs may have equal names. What a
//! record shows of an execution is certain; its place among equal names is not, since GitHub does
//! not promise the order of its ids. Says nothing about what a record means.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reprise_model::ids::JobId;
use reprise_model::job::Job;
use reprise_model::ledger::{RunEntry, TrackedJob};
use reprise_model::run::Run;

use super::ledger;

/// The record of each job of an earlier attempt, where the list has it. Those that are settled
/// already are looked for too: what is theirs is nobody else's.
///
/// A record that shows the interrupted execution is its own for certain. Where none does, its own
/// is a new execution: the one at its place among equal names. A job whose place was never learned
/// takes what no other one has, and one that is settled the last of it: it may never have been one of
/// the run's.
pub(super) fn of_known<'a>(
    entry: &RunEntry,
    run: &Run,
    jobs: &'a [Job],
) -> BTreeMap<JobId, &'a Job> {
    let known = || {
        entry
            .jobs
            .iter()
            .filter(|(_, tracked)| tracked.attempt < run.run_attempt)
    };
    let mut found: BTreeMap<JobId, &Job> = BTreeMap::new();
    for (id, tracked) in known() {
        let own = jobs.iter().find(|job| shows(job, tracked));
        found.extend(own.map(|job| (*id, job)));
    }
    let (placed, mut unplaced): (Vec<_>, Vec<_>) = known()
        .filter(|(id, _)| !found.contains_key(id))
        .partition(|(_, tracked)| has_place(tracked));
    unplaced.sort_by_key(|(id, tracked)| (!ledger::is_open(tracked), **id));
    for (id, tracked) in placed {
        let own = Namesakes::of(entry, run, jobs, tracked).at_place();
        found.extend(own.map(|job| (*id, job)));
    }
    for (id, tracked) in unplaced {
        let is_taken = |job: &Job| found.values().any(|taken| taken.id == job.id);
        let executed = Namesakes::of(entry, run, jobs, tracked).executed;
        let own = executed.into_iter().find(|job| !is_taken(job));
        found.extend(own.map(|job| (*id, job)));
    }
    found
}

/// What is known of the jobs of one name.
struct Namesakes<'a> {
    ordinal: usize,
    /// The places that the ledger knows of: as many records there are at least.
    places: usize,
    /// How many before this place are known to have stayed as they were.
    stayed: usize,
    /// All records of the name, in the order of their ids.
    all: Vec<&'a Job>,
    /// Those of them that may be new executions.
    executed: Vec<&'a Job>,
}

impl<'a> Namesakes<'a> {
    fn of(entry: &RunEntry, run: &Run, jobs: &'a [Job], tracked: &TrackedJob) -> Self {
        let known: Vec<&TrackedJob> = entry
            .jobs
            .values()
            .filter(|job| job.attempt < run.run_attempt && job.key.name == tracked.key.name)
            .collect();
        let mut all: Vec<&Job> = jobs
            .iter()
            .filter(|job| job.name == tracked.key.name)
            .collect();
        all.sort_by_key(|job| job.id);
        let stayed = |other: &&TrackedJob| {
            has_place(other)
                && other.key.ordinal < tracked.key.ordinal
                && all.iter().any(|job| shows(job, other))
        };
        let stayed: BTreeSet<u32> = known
            .iter()
            .copied()
            .filter(stayed)
            .map(|other| other.key.ordinal)
            .collect();
        let places = known
            .iter()
            .map(|other| place(other).saturating_add(1))
            .max();
        Self {
            ordinal: place(tracked),
            places: places.unwrap_or_default(),
            stayed: stayed.len(),
            executed: executed(&all, &known, ledger::asked_at(entry, tracked)),
            all,
        }
    }

    /// The new execution at the job's place; where an old one stands there, the ids of this
    /// attempt are in another order, and it is counted among the new ones.
    fn at_place(&self) -> Option<&'a Job> {
        if self.all.len() < self.places {
            return None;
        }
        let is_new = |job: &&Job| self.executed.iter().any(|new| new.id == job.id);
        let among_new = self.ordinal.saturating_sub(self.stayed);
        self.all
            .get(self.ordinal)
            .copied()
            .filter(is_new)
            .or_else(|| self.executed.get(among_new).copied())
            .or_else(|| self.executed.last().copied())
    }
}

/// The records that show no execution which the ledger knows. Where several are left, those that
/// ended before the re-run was asked for are no fruit of it.
fn executed<'a>(
    all: &[&'a Job],
    known: &[&TrackedJob],
    asked_at: Option<Timestamp>,
) -> Vec<&'a Job> {
    let mut left: Vec<&Job> = all
        .iter()
        .copied()
        .filter(|job| !known.iter().any(|tracked| shows(job, tracked)))
        .collect();
    if left.len() > 1 {
        left.retain(|job| job.completed_at.is_none() || job.completed_at >= asked_at);
    }
    left
}

fn shows(job: &Job, tracked: &TrackedJob) -> bool {
    job.name == tracked.key.name && job.execution() == tracked.execution
}

/// Its place among equal names is learned together with the workflow's file, from the whole list
/// of its attempt.
fn has_place(tracked: &TrackedJob) -> bool {
    tracked.key.workflow.is_some()
}

fn place(tracked: &TrackedJob) -> usize {
    usize::try_from(tracked.key.ordinal).unwrap_or(usize::MAX)
}

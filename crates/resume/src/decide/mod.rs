//! Which jobs are necessary.
//!
//! Pure: from the jobs of a run, the keys that lie below their prefixes, and what addresses answered, to a verdict with
//! a reason for each job. What was not answered is never taken for done: either nothing is decided, or every job runs.
//!
//! The rules, of which more jobs and fewer artifacts never make fewer jobs necessary:
//! 1. A job is *left to do* where an artifact of its own is missing, and what it looks for elsewhere is not there.
//! 2. `stale-with-inputs`: it is also left to do where a job that it needs is necessary.
//! 3. It is necessary where it is left to do; `only-if-wanted`: and a job that needs it is necessary.
//!
//! The least set for which they hold is what counts: two jobs do not make each other necessary.

mod spread;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::job::{Address, Job, Leg};
use crate::key::{Key, Prefix};
use crate::name::JobName;

/// What an address answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is there.
    Found,
    /// It is not: 404.
    NotFound,
    /// Nothing of use came; why.
    None(String),
}

/// What was seen before the decision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// What lies below each prefix that was asked for; or why that is not known.
    pub listed: BTreeMap<Prefix, Result<BTreeSet<Key>, String>>,
    /// What each address answered that was asked.
    pub answers: BTreeMap<Address, Answer>,
}

/// What to do where something did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Decide nothing.
    Fail,
    /// Have every job run.
    RunAll,
}

/// What did not answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Silent {
    /// The store, about a prefix.
    Store {
        /// Which prefix.
        prefix: Prefix,
        /// Why.
        why: String,
    },
    /// An address.
    Address {
        /// Which.
        address: Address,
        /// Why.
        why: String,
    },
}

/// Nothing was decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}; nothing is decided, so that no job is skipped by mistake: repeat this job when it answers again, or plan with --on-error=run-all", silent.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Undecided {
    /// What did not answer.
    pub silent: Vec<Silent>,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Plan {
    /// Each job with its verdict, in the manifest's order.
    pub judged: Vec<Judged>,
    /// What did not answer, where every job runs for that.
    pub silent: Vec<Silent>,
}

/// A job and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The job.
    pub name: JobName,
    /// The combination of a matrix that it is of.
    pub leg: Option<Leg>,
    /// Its artifacts, and whether each is there; nothing of those of which it is not known.
    pub artifacts: Vec<(Key, Option<bool>)>,
    /// What it looks for elsewhere, and what was answered; nothing where the artifacts told enough.
    pub elsewhere: Option<(Address, Option<Answer>)>,
    /// Whether it is necessary.
    pub verdict: Verdict,
}

/// Whether a job is necessary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It must run.
    Necessary {
        /// Why.
        why: Why,
        /// For which job, where it runs only for others.
        wanted_by: Option<JobName>,
    },
    /// It need not run.
    Unnecessary(WhyNot),
}

/// Why a job must run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Artifacts are missing.
    Missing(Vec<Key>),
    /// It has no artifacts, and what it looks for elsewhere is not there.
    NotFound,
    /// It has nothing that could show that it is done.
    NothingShows,
    /// A job that it needs runs again.
    Stale(JobName),
    /// Something did not answer, and then every job runs.
    Silence,
}

/// Why a job need not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyNot {
    /// All of its artifacts are there.
    Complete,
    /// What it looks for elsewhere is there.
    Found,
    /// It runs only for jobs that need it, and none of them runs.
    NotWanted,
}

impl Judged {
    /// Whether it must run.
    pub fn is_necessary(&self) -> bool {
        match self.verdict {
            Verdict::Necessary { .. } => true,
            Verdict::Unnecessary(_) => false,
        }
    }
}

impl Plan {
    /// The jobs that must run.
    pub fn necessary(&self) -> impl Iterator<Item = &Judged> {
        self.judged.iter().filter(|judged| judged.is_necessary())
    }

    /// The jobs that need not run.
    pub fn unnecessary(&self) -> impl Iterator<Item = &Judged> {
        self.judged.iter().filter(|judged| !judged.is_necessary())
    }

    /// Whether nothing is left to do.
    pub fn all_done(&self) -> bool {
        self.necessary().next().is_none()
    }
}

/// The fewest prefixes below which everything lies that is to be known: each is listed once, whatever the number of jobs.
pub fn prefixes(jobs: &[Job]) -> BTreeSet<Prefix> {
    let with_artifacts = jobs.iter().filter(|job| !job.artifacts.is_empty());
    let all: BTreeSet<&Prefix> = with_artifacts.map(|job| &job.prefix).collect();
    let is_covered = |one: &&&Prefix| {
        let mut others = all.iter().filter(|other| *other != *one);
        others.any(|other| one.is_within(other))
    };
    all.iter()
        .filter(|one| !is_covered(one))
        .map(|one| (*one).clone())
        .collect()
}

/// The addresses that are to be asked once the store has answered: those of jobs that are not done by their artifacts.
pub fn questions(jobs: &[Job], seen: &Seen) -> BTreeSet<Address> {
    let is_open = |job: &&Job| {
        let states = job.artifacts.iter().map(|key| seen.state(job, key));
        let mut states = states.chain(job.artifacts.is_empty().then_some(Some(false)));
        states.any(|state| state == Some(false))
    };
    let open = jobs.iter().filter(is_open);
    open.filter_map(|job| job.unless_found.clone()).collect()
}

/// Decides.
///
/// # Errors
/// Where something did not answer that is needed, unless every job is to run then.
pub fn decide(jobs: &[Job], seen: &Seen, on_error: OnError) -> Result<Plan, Undecided> {
    let silent = silent(jobs, seen);
    if silent.is_empty() {
        let verdicts = spread::spread(jobs, &own(jobs, seen));
        return Ok(plan(jobs, seen, verdicts, silent));
    }
    match on_error {
        OnError::Fail => Err(Undecided { silent }),
        OnError::RunAll => {
            let runs = Verdict::Necessary {
                why: Why::Silence,
                wanted_by: None,
            };
            Ok(plan(jobs, seen, vec![runs; jobs.len()], silent))
        }
    }
}

fn plan(jobs: &[Job], seen: &Seen, verdicts: Vec<Verdict>, silent: Vec<Silent>) -> Plan {
    let judged = jobs.iter().zip(verdicts).map(|(job, verdict)| {
        let artifacts = job.artifacts.iter();
        let answer = |address: &Address| (address.clone(), seen.answers.get(address).cloned());
        Judged {
            name: job.name.clone(),
            leg: job.leg.clone(),
            artifacts: artifacts
                .map(|key| (key.clone(), seen.state(job, key)))
                .collect(),
            elsewhere: job.unless_found.as_ref().map(answer),
            verdict,
        }
    });
    Plan {
        judged: judged.collect(),
        silent,
    }
}

/// What each job is by itself: why it is left to do, or why not.
fn own(jobs: &[Job], seen: &Seen) -> Vec<Result<Why, WhyNot>> {
    jobs.iter().map(|job| own_of(job, seen)).collect()
}

fn own_of(job: &Job, seen: &Seen) -> Result<Why, WhyNot> {
    let artifacts = job.artifacts.iter();
    let missing: Vec<Key> = artifacts
        .filter(|key| seen.state(job, key) != Some(true))
        .cloned()
        .collect();
    if missing.is_empty() && !job.artifacts.is_empty() {
        return Err(WhyNot::Complete);
    }
    let answer = job.unless_found.as_ref();
    match answer.and_then(|address| seen.answers.get(address)) {
        Some(Answer::Found) => Err(WhyNot::Found),
        Some(Answer::NotFound) if missing.is_empty() => Ok(Why::NotFound),
        None if missing.is_empty() => Ok(Why::NothingShows),
        Some(Answer::NotFound | Answer::None(_)) | None => Ok(Why::Missing(missing)),
    }
}

/// What is not known, and would have to be.
fn silent(jobs: &[Job], seen: &Seen) -> Vec<Silent> {
    let store = prefixes(jobs).into_iter().filter_map(|prefix| {
        let why = match seen.below(&prefix) {
            Some(Ok(_)) => return None,
            Some(Err(why)) => why.clone(),
            None => NOT_ASKED.to_owned(),
        };
        Some(Silent::Store { prefix, why })
    });
    let addresses = questions(jobs, seen).into_iter().filter_map(|address| {
        let why = match seen.answers.get(&address) {
            Some(Answer::Found | Answer::NotFound) => return None,
            Some(Answer::None(why)) => why.clone(),
            None => NOT_ASKED.to_owned(),
        };
        Some(Silent::Address { address, why })
    });
    store.chain(addresses).collect()
}

const NOT_ASKED: &str = "it was not asked";

impl Seen {
    fn below(&self, prefix: &Prefix) -> Option<&Result<BTreeSet<Key>, String>> {
        let mut all = self.listed.iter();
        all.find(|(listed, _)| prefix.is_within(listed))
            .map(|(_, keys)| keys)
    }

    /// Whether an artifact is there; nothing where that is not known.
    fn state(&self, job: &Job, key: &Key) -> Option<bool> {
        let keys = self.below(&job.prefix)?.as_ref().ok()?;
        Some(keys.contains(key))
    }
}

impl std::fmt::Display for Silent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store { prefix, why } => {
                write!(f, "the store did not tell what lies below {prefix}: {why}")
            }
            Self::Address { address, why } => write!(f, "{address} did not answer: {why}"),
        }
    }
}

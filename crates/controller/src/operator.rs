//! What operators ask of the ledger, whichever way they come: by the API, or straight to the store.
//!
//! Nothing is asked of GitHub or EC2 here. A fresh chance is written down as a question, which the
//! controllers answer when they work on the run.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reprise_engine::backoff::after;
use reprise_engine::run::{self, NotPossible};
use reprise_engine::view::{Known, explanation, listed, retry};
use reprise_model::ids::{JobId, Repository};
use reprise_model::instance::Instance;
use reprise_model::ledger::{
    ClaimKey, ClaimState, InstanceEntry, LaunchClaim, RerunTarget, RunEntry, RunKey,
};
use reprise_model::view::{Explanation, RetryFilter, RetryList, RetryState, RetryView, Subject};
use reprise_store::{Change, Expect, RunsWanted, Store, StoreError};

use crate::context::RUN_KEPT;
use crate::logging::chain;
use crate::records::TRIES;
use crate::together::together;

/// How many runs one list reads at most. Each is a read of the store.
const MOST_RUNS: usize = 1_000;

/// How many of them are read at once.
const READS_AT_ONCE: usize = 32;

/// How many claims and instances one explanation reads at most: a matrix has 256 jobs.
const MOST_READS: usize = 300;

/// Somebody who looks into the ledger.
#[derive(Debug)]
pub struct Operator<'a, S> {
    store: &'a S,
    /// What the controller's configuration decided, where it is at hand.
    settings: Option<&'a reprise_config::Settings>,
}

/// Why an operator gets no answer, or nothing is done.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The configuration does not serve the repository.
    #[error(
        "{0} is not served: github.repositories of the controller's configuration does not name it"
    )]
    NotServed(Repository),
    /// The ledger has nothing of the run.
    #[error(
        "no webhook of run {0} has arrived that the ledger remembers. See first whether any arrive: `reprise \
         doctor` (webhook, deliveries, queue), the App's settings at GitHub (Advanced, Recent Deliveries), and \
         whether a controller runs. If they do, no job of this run was to come back, and the controller's log \
         says why (decision=settled); or that was more than 35 days ago"
    )]
    UnknownRun(RunKey),
    /// It has the run, and not the job.
    #[error(
        "the ledger has no job {job} of run {run}; it has {known}, by their ids in the attempts in \
         which they were interrupted"
    )]
    UnknownJob {
        /// The run.
        run: RunKey,
        /// The job.
        job: JobId,
        /// Those that it has.
        known: String,
    },
    /// Nothing of the run is exhausted, and no job was named.
    #[error(
        "no job of run {0} is exhausted; name a job by its id, `reprise retries show` tells them"
    )]
    NoneExhausted(RunKey),
    /// The job is in no state for it.
    #[error("nothing is done about job {job}: {}", why.text())]
    NotPossible {
        /// The job.
        job: JobId,
        /// Why.
        why: NotPossible,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a person decides about a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It is to have a fresh chance.
    Requeue,
    /// Lists are to leave it out.
    Dismiss,
}

impl<'a, S: Store> Operator<'a, S> {
    /// One who looks into this store. With a configuration, only what it serves is asked for anew.
    pub fn new(store: &'a S, settings: Option<&'a reprise_config::Settings>) -> Self {
        Self { store, settings }
    }

    /// The jobs that are, or were, to come back.
    ///
    /// # Errors
    /// When the store fails. Records that cannot be read are told in the list.
    pub async fn list(&self, filter: &RetryFilter, now: Timestamp) -> Result<RetryList, Trouble> {
        let wanted = RunsWanted {
            open_only: filter.wanted().iter().all(|state| state.is_open()),
            repository: filter.repository.clone(),
            since: filter.since,
        };
        let found = self.store.runs(&wanted, MOST_RUNS).await?;
        let mut list = RetryList {
            more: found.more,
            ..RetryList::default()
        };
        for keys in found.keys.chunks(READS_AT_ONCE) {
            let reads = together(keys.iter().map(|key| self.store.run(key))).await;
            for read in reads {
                match read {
                    Ok(Some(run)) => list.retries.extend(listed(&run.record, filter, now)),
                    Ok(None) => {}
                    Err(error) if is_of_one_record(&error) => {
                        list.unreadable.push(chain(&error).to_string());
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        list.retries.sort_by(|one, other| {
            let order = |view: &RetryView| (view.failed_at, view.job);
            order(other).cmp(&order(one))
        });
        Ok(list)
    }

    /// What happened to a run, or to one of its jobs.
    ///
    /// # Errors
    /// When nothing is known of it, or the store fails.
    pub async fn explain(&self, subject: &Subject, now: Timestamp) -> Result<Explanation, Trouble> {
        let key = run_key(subject);
        let run = self.store.run(&key).await?.map(|found| found.record);
        let claims = self.claims(&key, run.as_ref(), subject.job).await?;
        let instances = self.instances(run.as_ref(), &claims).await?;
        let known = Known {
            run: run.as_ref(),
            claims: &claims,
            instances: &instances,
        };
        explanation(&known, subject.job, now).ok_or_else(|| self.unknown(key))
    }

    /// Does what a person decided about a job, or about all exhausted ones of a run. What became of them.
    ///
    /// # Errors
    /// When that is not possible, or the store fails; then nothing was written.
    pub async fn wish(
        &self,
        wish: Wish,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Vec<RetryView>, Trouble> {
        let key = run_key(subject);
        if wish == Wish::Requeue && !self.serves(&key.repository) {
            return Err(Trouble::NotServed(key.repository));
        }
        for _ in 0..TRIES {
            let found = self.store.run(&key).await?;
            let Some(found) = found else {
                return Err(self.unknown(key));
            };
            let jobs = meant(&found.record, subject.job, now)?;
            let mut entry = found.record.clone();
            for job in &jobs {
                entry = wished(wish, entry, *job, now)?;
            }
            if entry == found.record || self.commit(&entry, found.version, now).await? {
                let views = jobs.iter().filter_map(|id| {
                    let job = entry.jobs.get(id)?;
                    Some(retry(&entry, *id, job, now))
                });
                return Ok(views.collect());
            }
        }
        let key = key.to_string();
        Err(StoreError::Conflict { key }.into())
    }

    /// The instance of a claim. Where nobody knows its account, it has no name.
    fn launched(&self, claim: &LaunchClaim) -> Option<Instance> {
        let ClaimState::Launched { instance, .. } = &claim.state else {
            return None;
        };
        let region = &claim.spec.region;
        let mut places = self.settings?.places.iter();
        let place = places.find(|place| place.region == *region)?;
        Some(Instance {
            account: place.account.clone(),
            region: region.clone(),
            id: instance.clone(),
        })
    }

    fn serves(&self, repository: &Repository) -> bool {
        self.settings
            .is_none_or(|settings| settings.serves(repository))
    }

    fn unknown(&self, key: RunKey) -> Trouble {
        if self.serves(&key.repository) {
            Trouble::UnknownRun(key)
        } else {
            Trouble::NotServed(key.repository)
        }
    }

    /// False when somebody else was faster.
    async fn commit(
        &self,
        entry: &RunEntry,
        version: reprise_store::Version,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let change = Change::PutRun {
            entry: entry.clone(),
            expect: Expect::At(version),
            expires_at: after(now, RUN_KEPT),
        };
        match self.store.commit(vec![change]).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What was launched for the jobs that the record names, and for the one that was asked about.
    async fn claims(
        &self,
        key: &RunKey,
        run: Option<&RunEntry>,
        job: Option<JobId>,
    ) -> Result<Vec<LaunchClaim>, StoreError> {
        let mut ids: BTreeSet<JobId> = job.into_iter().collect();
        if let Some(entry) = run {
            ids.extend(entry.jobs.keys());
            ids.extend(
                entry
                    .reruns
                    .iter()
                    .filter_map(|rerun| match rerun.order.target {
                        RerunTarget::Job(id) => Some(id),
                        RerunTarget::FailedJobs => None,
                    }),
            );
        }
        let keys: Vec<ClaimKey> = ids
            .into_iter()
            .take(MOST_READS)
            .map(|job_id| ClaimKey {
                repository: key.repository.clone(),
                job_id,
            })
            .collect();
        let mut claims = Vec::new();
        for keys in keys.chunks(READS_AT_ONCE) {
            for read in together(keys.iter().map(|key| self.store.claim(key))).await {
                claims.extend(read?.map(|found| found.record));
            }
        }
        // A job's address may name another run than the job's own.
        claims.retain(|claim| claim.run_id == key.run_id);
        Ok(claims)
    }

    /// What is remembered of the instances on which these jobs ran, or were to.
    async fn instances(
        &self,
        run: Option<&RunEntry>,
        claims: &[LaunchClaim],
    ) -> Result<Vec<InstanceEntry>, StoreError> {
        let jobs = run.into_iter().flat_map(|entry| entry.jobs.values());
        let hosts = jobs.filter_map(|job| job.instance.clone());
        let launched = claims.iter().filter_map(|claim| self.launched(claim));
        let lost = claims.iter().flat_map(|claim| claim.lost_instances.clone());
        let hosts: BTreeSet<Instance> = hosts.chain(launched).chain(lost).collect();
        let hosts: Vec<&Instance> = hosts.iter().take(MOST_READS).collect();
        let mut instances = Vec::new();
        for hosts in hosts.chunks(READS_AT_ONCE) {
            for read in together(hosts.iter().map(|host| self.store.instance(host))).await {
                instances.extend(read?.map(|found| found.record));
            }
        }
        Ok(instances)
    }
}

fn run_key(subject: &Subject) -> RunKey {
    RunKey {
        repository: subject.repository.clone(),
        run_id: subject.run,
    }
}

/// The job that was named, or all that are exhausted and were not dismissed.
fn meant(entry: &RunEntry, job: Option<JobId>, now: Timestamp) -> Result<Vec<JobId>, Trouble> {
    let Some(job) = job else {
        let filter = RetryFilter {
            states: vec![RetryState::Exhausted],
            ..RetryFilter::default()
        };
        let exhausted: Vec<JobId> = listed(entry, &filter, now)
            .iter()
            .map(|one| one.job)
            .collect();
        return match exhausted.is_empty() {
            true => Err(Trouble::NoneExhausted(entry.key.clone())),
            false => Ok(exhausted),
        };
    };
    if entry.jobs.contains_key(&job) {
        return Ok(vec![job]);
    }
    let known = entry
        .jobs
        .iter()
        .map(|(id, job)| format!("{id} ({})", job.key.name));
    Err(Trouble::UnknownJob {
        run: entry.key.clone(),
        job,
        known: known.collect::<Vec<_>>().join(", "),
    })
}

fn wished(wish: Wish, entry: RunEntry, job: JobId, now: Timestamp) -> Result<RunEntry, Trouble> {
    let after = match wish {
        Wish::Requeue => run::requeued(&entry, job, now).map(Some),
        Wish::Dismiss => run::dismissed(&entry, job, now),
    };
    match after {
        Ok(Some(after)) => Ok(after),
        Ok(None) => Ok(entry),
        Err(why) => Err(Trouble::NotPossible { job, why }),
    }
}

/// Whether others may be read all the same.
fn is_of_one_record(error: &StoreError) -> bool {
    match error {
        StoreError::NewerRecord { .. } | StoreError::Damaged { .. } => true,
        StoreError::Conflict { .. } | StoreError::Backend { .. } => false,
    }
}

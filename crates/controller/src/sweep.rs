//! The periodic reconcile: what every event said, found again without it.
//!
//! Events only make things quick. Each sweep lists the instances of the stack, keeps the evidence
//! that they bear, finds the jobs that ran on interrupted ones, and judges them by the same code
//! that an event goes through. A job that was judged with its evidence is marked in the instance's
//! record and not judged again; one failure holds up nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::{self, Jitter};
use reprise_engine::job::{JobVerdict, overdue};
use reprise_model::evidence::{self, Evidence};
use reprise_model::instance::{Instance, InstanceView};
use reprise_model::job::{Job, JobStatus};
use reprise_model::ledger::{ClaimKey, Due, InstanceEntry, RunKey};
use reprise_model::reason::SettleReason;
use reprise_store::Store;
use tracing::{debug, error, info};

use crate::clock::Clock;
use crate::context::{Controller, FleetSettings, WorkError};
use crate::intake::attempts::Attempts;
use crate::logging::chain;
use crate::panics::{Panicked, caught};
use crate::ports::{Cloud, Ports};

/// How long after the first sight of its evidence an instance's job is looked for. EC2 gives two
/// minutes, then the job's own event comes: asking GitHub sooner would only double its work.
const EVENTS_FIRST: SignedDuration = SignedDuration::from_mins(2);

/// Sweeps until the controller drains.
pub async fn run_sweeps<P: Ports>(controller: Arc<Controller<P>>, every: SignedDuration) {
    while !controller.draining.has_begun() {
        tokio::select! {
            // A sweep that is done at the very end is still told of.
            biased;
            swept = caught(controller.sweep()) => controller.swept(swept),
            // Whatever it was at, the next sweep begins anew.
            () = controller.draining.begun() => return,
        }
        tokio::select! {
            biased;
            () = controller.draining.begun() => {}
            () = controller.clock.sleep(every) => {}
        }
    }
}

impl<P: Ports> Controller<P> {
    /// One sweep: the number of jobs that no event had told of.
    ///
    /// # Errors
    /// When something outside failed, once everything else is done; the next sweep begins anew.
    pub async fn sweep(&self) -> Result<usize, WorkError> {
        let expired = self.store.expire(self.now()).await;
        let found = match &self.settings.fleet {
            Some(fleet) => self.sweep_fleet(fleet).await,
            None => Ok(0),
        };
        // Other replicas' work may have become due, too.
        self.due.notify_one();
        expired?;
        found
    }

    fn swept(&self, swept: Result<Result<usize, WorkError>, Panicked>) {
        let swept = swept.unwrap_or_else(|Panicked(words)| Err(WorkError::Panicked(words)));
        match swept {
            Ok(found) => {
                self.metrics.swept("done");
                debug!(found, "swept");
            }
            Err(WorkError::Draining) => {}
            Err(error @ (WorkError::Port(_) | WorkError::Store(_) | WorkError::Panicked(_))) => {
                self.metrics.swept("failed");
                error!(error = %chain(&error), "failed to sweep; tried again");
            }
        }
    }

    async fn sweep_fleet(&self, fleet: &FleetSettings) -> Result<usize, WorkError> {
        let stack_key = self.settings.rules.tags.stack();
        let mut sweep = Sweep::default();
        for place in &self.settings.places {
            let listed = self
                .cloud
                .list_stack(&place.region, &stack_key, fleet.stack.as_str())
                .await;
            match listed {
                Ok(views) => self.sweep_instances(views, &mut sweep).await,
                Err(error) => sweep.failed(error.into()),
            }
        }
        match sweep.failure {
            Some(failure) => Err(failure),
            None => {
                self.patience.keep_only(&sweep.listed);
                Ok(sweep.found)
            }
        }
    }

    async fn sweep_instances<'a>(&'a self, views: Vec<InstanceView>, sweep: &mut Sweep<'a, P>) {
        for view in views {
            sweep.listed.insert(view.instance.clone());
            let borne = evidence::borne_by(&view, &self.settings.rules.tags, self.now());
            if borne.is_empty() {
                continue;
            }
            match self.reconcile(&view, &borne, &mut sweep.runs).await {
                Ok(found) => sweep.found += usize::from(found),
                Err(error) => {
                    self.be_patient(&view);
                    sweep.failed(error);
                }
            }
        }
    }

    /// Judges the job of an interrupted instance, unless that was done. Whether it was done now.
    async fn reconcile<'a>(
        &'a self,
        view: &InstanceView,
        borne: &[Evidence],
        runs: &mut Runs<'a, P>,
    ) -> Result<bool, WorkError> {
        if let Some(late) = self.store_evidence(&view.instance, borne).await? {
            return self.judge_late(&late).await;
        }
        let Some(known) = self.store.instance(&view.instance).await? else {
            return Ok(false);
        };
        let known = known.record;
        if known.judged.is_some() || !self.is_time(&known) {
            return Ok(false);
        }
        let Some((key, job)) = self.job_of(view, runs).await? else {
            self.be_patient(view);
            return Ok(false);
        };
        let verdict = if job.status == JobStatus::Completed {
            let attempts = runs
                .entry(key.clone())
                .or_insert_with(|| self.attempts(&key));
            let look = self.look(&key.repository, &job).await?;
            self.conclude(&key.repository, &job, look, attempts).await?
        } else {
            never_completed(&job, view, &known, self.now())
        };
        self.found(view, &known, &key, &job, verdict).await
    }

    /// Carries out a verdict that no event has led to, and marks the job as judged.
    async fn found(
        &self,
        view: &InstanceView,
        known: &InstanceEntry,
        key: &RunKey,
        job: &Job,
        verdict: JobVerdict,
    ) -> Result<bool, WorkError> {
        if is_undecided(&verdict) {
            self.be_patient(view);
            return Ok(false);
        }
        info!(
            repository = %key.repository,
            job.id = %job.id,
            instance.id = %view.instance.id,
            "a sweep found an interrupted instance whose job no event had told of"
        );
        let outcome = self.carry_out(&key.repository, job, verdict).await?;
        debug!(outcome = outcome.as_str(), "a sweep judged a job");
        self.explain(job, &view.instance, &known.evidence).await?;
        Ok(true)
    }

    /// The job that ran on an instance, by the launch that its tags name: that job's run is read,
    /// since a runner may have taken another job of the run.
    async fn job_of<'a>(
        &'a self,
        view: &InstanceView,
        runs: &mut Runs<'a, P>,
    ) -> Result<Option<(RunKey, Job)>, WorkError> {
        let Some(claim_key) = self.claim_key(view) else {
            return Ok(None);
        };
        let Some(claim) = self.store.claim(&claim_key).await? else {
            return Ok(None);
        };
        let claim = claim.record;
        let key = RunKey {
            repository: claim_key.repository,
            run_id: claim.run_id,
        };
        let attempts = runs
            .entry(key.clone())
            .or_insert_with(|| self.attempts(&key));
        let ran_here = |job: &&Job| {
            self.named_instance(job)
                .is_some_and(|named| named.id == view.instance.id)
        };
        let job = attempts
            .jobs(claim.attempt)
            .await?
            .iter()
            .find(ran_here)
            .cloned();
        Ok(job.map(|job| (key, job)))
    }

    fn claim_key(&self, view: &InstanceView) -> Option<ClaimKey> {
        let tags = &self.settings.rules.tags;
        let repository = view.tags.get(&tags.repository())?.parse().ok()?;
        let job_id = view.tags.get(&tags.launch())?.parse().ok()?;
        Some(ClaimKey { repository, job_id })
    }

    fn attempts(&self, key: &RunKey) -> Attempts<'_, P::GitHub> {
        Attempts::new(&self.github, key.clone())
    }

    fn is_time(&self, known: &InstanceEntry) -> bool {
        let now = self.now();
        let first_sight = known.evidence.iter().map(|one| one.first_seen_at).min();
        first_sight.is_some_and(|sight| now.duration_since(sight) >= EVENTS_FIRST)
            && self.patience.is_over(&known.instance, now)
    }

    fn be_patient(&self, view: &InstanceView) {
        self.patience
            .begin(&view.instance, self.now(), self.jitter());
    }
}

type Runs<'a, P> = BTreeMap<RunKey, Attempts<'a, <P as Ports>::GitHub>>;

/// What one sweep has seen so far.
struct Sweep<'a, P: Ports> {
    listed: BTreeSet<Instance>,
    /// Read once a sweep, however many of a run's instances were interrupted.
    runs: Runs<'a, P>,
    found: usize,
    failure: Option<WorkError>,
}

impl<P: Ports> Default for Sweep<'_, P> {
    fn default() -> Self {
        Self {
            listed: BTreeSet::new(),
            runs: BTreeMap::new(),
            found: 0,
            failure: None,
        }
    }
}

impl<P: Ports> Sweep<'_, P> {
    /// The first failure is told for all; the others are often the same.
    fn failed(&mut self, failure: WorkError) {
        debug!(error = %chain(&failure), "a part of a sweep failed");
        self.failure.get_or_insert(failure);
    }
}

/// When an interrupted instance whose job has no verdict yet is next worth asking GitHub about.
#[derive(Debug, Default)]
pub(crate) struct Patience(Mutex<BTreeMap<Instance, Due>>);

impl Patience {
    fn is_over(&self, instance: &Instance, now: Timestamp) -> bool {
        self.lock().get(instance).is_none_or(|due| due.at <= now)
    }

    fn begin(&self, instance: &Instance, now: Timestamp, jitter: Jitter) {
        let mut waiting = self.lock();
        let tries = waiting.get(instance).map_or(0, |due| due.tries);
        let at = now
            .saturating_add(backoff::wait_step(tries, jitter))
            .unwrap_or(Timestamp::MAX);
        waiting.insert(
            instance.clone(),
            Due {
                at,
                tries: tries.saturating_add(1),
            },
        );
    }

    fn keep_only(&self, listed: &BTreeSet<Instance>) {
        self.lock().retain(|instance, _| listed.contains(instance));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Instance, Due>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn never_completed(
    job: &Job,
    view: &InstanceView,
    known: &InstanceEntry,
    now: Timestamp,
) -> JobVerdict {
    match overdue(job, view.state, &known.evidence, now) {
        Some(reason) => settled(reason),
        None => JobVerdict::LookAgain {
            at: now,
            until: now,
        },
    }
}

fn settled(reason: SettleReason) -> JobVerdict {
    JobVerdict::Settle {
        reason,
        end: None,
        ran_on: None,
        evidence: Vec::new(),
    }
}

fn is_undecided(verdict: &JobVerdict) -> bool {
    match verdict {
        JobVerdict::LookAgain { .. } | JobVerdict::ReadEarlier => true,
        JobVerdict::Ignore(_) | JobVerdict::Settle { .. } | JobVerdict::Await { .. } => false,
    }
}

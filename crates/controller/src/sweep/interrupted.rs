//! The job of an interrupted instance, found without its own event, or once more after it.
//!
//! On our own fleet nothing is remembered of a job that failed by itself. When evidence comes after
//! the verdict on it, the instance's tags name the launch claim, the claim names the run, and the
//! run's jobs name their runners.

use reprise_engine::job::{self, Found, JobVerdict, Swept};
use reprise_engine::tenant::{Tenant, tenant};
use reprise_model::evidence;
use reprise_model::instance::{Instance, InstanceSight, InstanceView};
use reprise_model::job::Job;
use reprise_model::ledger::{ClaimKey, InstanceEntry, LaunchClaim, RunKey};
use reprise_model::reason::EndReason;
use reprise_store::Store;
use tracing::{debug, info, warn};

use super::Runs;
use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::intake::Outcome;
use crate::intake::attempts::Attempts;
use crate::logging::chain;
use crate::pace::InTurn;
use crate::ports::{Cloud, Ports};

impl<P: Ports> Controller<P> {
    /// Keeps the evidence that an instance bears, and judges its job, unless that was done. Whether
    /// it was done now.
    pub(super) async fn reconcile<'a>(
        &'a self,
        view: &InstanceView,
        runs: &mut Runs<'a, P>,
    ) -> Result<bool, WorkError> {
        let borne = evidence::borne_by(view, &self.settings.rules.tags, self.now());
        if borne.is_empty() {
            return Ok(false);
        }
        self.store_evidence(&view.instance, &borne).await?;
        let Some(known) = self.store.instance(&view.instance).await? else {
            return Ok(false);
        };
        self.pool_interrupted(view, &known.record.evidence);
        let rests_until = self.patience.until(&view.instance);
        match job::swept(&known.record, rests_until, self.now()) {
            Swept::Leave(_) => return Ok(false),
            Swept::FindJob => {}
        }
        let judged = self.judge_tenant(view, &known.record, runs).await;
        if !matches!(judged, Ok(true)) {
            self.patience
                .grow(&view.instance, self.now(), self.jitter());
        }
        judged
    }

    /// Judges the job of an instance at once, whose evidence may have come after the verdict on it.
    /// Where it cannot be judged yet, its own event or a sweep will.
    pub(crate) async fn reopen(&self, instance: &Instance) -> Result<(), WorkError> {
        if self.settings.fleet.is_none() {
            return Ok(());
        }
        let Some(known) = self.store.instance(instance).await? else {
            return Ok(());
        };
        if known.record.judged.is_some() {
            return Ok(());
        }
        match self.cloud.look(&instance.region, &instance.id).await? {
            InstanceSight::Seen(view) => {
                self.pool_interrupted(&view, &known.record.evidence);
                self.judge_tenant(&view, &known.record, &mut Runs::<P>::new())
                    .await?;
            }
            // Without its tags nobody can tell which job it was launched for.
            InstanceSight::Absent => {}
        }
        Ok(())
    }

    /// Judges the job that the instance took. Whether there is a verdict now.
    async fn judge_tenant<'a>(
        &'a self,
        view: &InstanceView,
        known: &InstanceEntry,
        runs: &mut Runs<'a, P>,
    ) -> Result<bool, WorkError> {
        let Some(claim) = self.claim_of(view).await? else {
            return Ok(false);
        };
        let key = run_key(&claim);
        let run = self.run_of(&key, runs);
        let Some(job) = self.tenant_of(view, &claim, run).await? else {
            return Ok(false);
        };
        let policy = self.policy_of(&key.repository, &job).retry;
        let verdict = match job::found(&job, view, known, policy, self.clock.now()) {
            Found::Judge => {
                let look = self.look(&key.repository, &job).await?;
                self.conclude(&key.repository, &job, look, run).await?
            }
            Found::Wait => return Ok(false),
            Found::GiveUp(verdict) => verdict,
        };
        self.carry_out_late(&key, &job, view, known, verdict).await
    }

    /// Carries out a verdict that the job's own event has not led to, and marks the job as judged.
    /// Whether it is judged now. One without evidence says nothing that the event would not have: it
    /// is not told again, and it is no last word, as EC2 may yet show what counts beside a sign that
    /// does not.
    async fn carry_out_late(
        &self,
        key: &RunKey,
        job: &Job,
        view: &InstanceView,
        known: &InstanceEntry,
        verdict: JobVerdict,
    ) -> Result<bool, WorkError> {
        if let JobVerdict::Settle { evidence, end, .. } = &verdict
            && evidence.is_empty()
            && !verdict.is_advised()
        {
            if let Some(end) = end {
                self.end(end, EndReason::JobEnded).await?;
            }
            return Ok(false);
        }
        let has_evidence = match &verdict {
            JobVerdict::Retry { .. } => false,
            JobVerdict::Settle { evidence, .. } => !evidence.is_empty(),
            JobVerdict::Ignore(_)
            | JobVerdict::Await { .. }
            | JobVerdict::LookAgain { .. }
            | JobVerdict::ReadEarlier
            | JobVerdict::ReadFailure
            | JobVerdict::Ask(_) => true,
        };
        let outcome = self.carry_out(&key.repository, job, verdict).await?;
        if outcome == Outcome::Looking || !has_evidence {
            return Ok(false);
        }
        info!(
            repository = %key.repository,
            run.id = %key.run_id,
            job.id = %job.id,
            instance.id = %view.instance.id,
            outcome = outcome.as_str(),
            "the job of an interrupted instance is judged without its own event"
        );
        self.explain(job, &view.instance, &known.evidence).await?;
        Ok(true)
    }

    /// The job that the instance took. A run that GitHub refuses for good to show tells of none, and
    /// could not be re-run either.
    async fn tenant_of(
        &self,
        view: &InstanceView,
        claim: &LaunchClaim,
        run: &mut Attempts<InTurn<'_, P>>,
    ) -> Result<Option<Job>, WorkError> {
        loop {
            match tenant(view, claim, &self.settings.runner_name, run.seen()) {
                Tenant::Read(read) => match run.read(read).await {
                    Ok(()) => {}
                    Err(error) if error.refusal().is_some() => {
                        warn!(
                            error = %chain(&error),
                            instance.id = %view.instance.id,
                            "GitHub does not show the run of an interrupted instance; it is left alone"
                        );
                        return Ok(None);
                    }
                    Err(error) => return Err(error.into()),
                },
                Tenant::Job(job) => return Ok(Some(job.clone())),
                Tenant::Nobody => {
                    debug!(instance.id = %view.instance.id, "no job of its run took the instance");
                    return Ok(None);
                }
            }
        }
    }

    /// The launch that the instance's tags name.
    pub(crate) async fn claim_of(
        &self,
        view: &InstanceView,
    ) -> Result<Option<LaunchClaim>, WorkError> {
        let Some(key) = self.claim_key(view) else {
            return Ok(None);
        };
        let claim = self.store.claim(&key).await?;
        Ok(claim.map(|claim| claim.record))
    }

    /// The key of that launch.
    pub(crate) fn claim_key(&self, view: &InstanceView) -> Option<ClaimKey> {
        let tags = &self.settings.rules.tags;
        let repository = view.tags.get(&tags.repository())?.parse().ok()?;
        let job_id = view.tags.get(&tags.launch())?.parse().ok()?;
        Some(ClaimKey { repository, job_id })
    }
}

/// The run of the job that the launch was for.
pub(super) fn run_key(claim: &LaunchClaim) -> RunKey {
    RunKey {
        repository: claim.key.repository.clone(),
        run_id: claim.run_id,
    }
}

//! A job waits for a machine.

use reprise_engine::launch::{self, QueuedFacts, QueuedVerdict};
use reprise_engine::no_machine;
use reprise_engine::select::Ec2Facts;
use reprise_model::ids::Repository;
use reprise_model::job::Job;
use reprise_model::labels;
use reprise_model::ledger::{ClaimKey, ClaimState, LaunchClaim};
use reprise_model::machine_refusal::MachineRefusal;
use reprise_model::reason::{IgnoreReason, LaunchRefusal};
use reprise_store::{Expect, Store, StoreError, Versioned};
use tracing::{debug, info, warn};

use crate::context::{Controller, WorkError};
use crate::crowd::Seat;
use crate::intake::Outcome;
use crate::ports::Ports;
use crate::records::{TRIES, expected};

/// What leads back to a job's claim until EC2's answer is committed, should this process not live to
/// do that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LedBy {
    /// The job's message, which is under way so long.
    Message,
    /// The claim's own due time: nobody has a message.
    DueTime,
}

impl<P: Ports> Controller<P> {
    /// Launches for a queued job: at once while its message is under way, else by what is due.
    pub(crate) async fn queued(
        &self,
        repository: &Repository,
        job: &Job,
        led_by: LedBy,
    ) -> Result<Outcome, WorkError> {
        let key = ClaimKey {
            repository: repository.clone(),
            job_id: job.id,
        };
        let labels = labels::parse(&job.labels);
        let past = self.past_of(repository, job).await?;
        self.know_pools().await?;
        // Hardly ever is there a claim: it is read once the commit of a new one has failed.
        let mut found: Option<Versioned<LaunchClaim>> = None;
        let mut ec2 = Ec2Facts::default();
        let mut lost = 0;
        loop {
            let verdict = launch::queued(
                &QueuedFacts {
                    repository,
                    job,
                    repository_allowed: self.allows(repository),
                    labels: &labels,
                    policy: self.policy_of(repository, job).retry,
                    past,
                    claim: found.as_ref().map(|found| &found.record),
                    fleet: self.settings.fleet.as_ref().map(|fleet| &fleet.offer),
                    ec2: &ec2,
                    pools: &self.pools.lock(),
                },
                &self.settings.rules,
                self.now(),
            );
            match verdict {
                QueuedVerdict::Ignore(reason) => return Ok(Outcome::Ignored(reason)),
                QueuedVerdict::Refuse(refusal) => {
                    if self.claim_refused(repository, job, &refusal).await? {
                        return Ok(refused(repository, job, &refusal));
                    }
                }
                // Each reads something that was not known before, and there is little to know.
                QueuedVerdict::Read(need) => {
                    self.read_of_ec2(need, &mut ec2).await?;
                    continue;
                }
                QueuedVerdict::Wait(until) => match led_by {
                    LedBy::Message => {
                        waiting(repository, job);
                        self.pause_until(until).await?;
                    }
                    // Whoever holds it has its message. A later search sees what came of it.
                    LedBy::DueTime => return Ok(Outcome::Ignored(IgnoreReason::AlreadyClaimed)),
                },
                QueuedVerdict::Launch(claim) => {
                    let expect = expected(&found);
                    // Before anything is waited for: of those who decide now, one tries a pool.
                    self.asks_pools(&claim.spec);
                    let launched = match led_by {
                        LedBy::Message => self.launch_at_once(job, claim, expect).await,
                        // It was found in what GitHub lists now.
                        LedBy::DueTime => {
                            let claim = launch::seen_queued(claim, self.now());
                            self.launch_when_due(claim, expect).await.map(Some)
                        }
                    };
                    match launched {
                        Ok(Some(outcome)) => return Ok(outcome),
                        // Those that it was to share a call with went without it.
                        Ok(None) => {}
                        Err(WorkError::Store(StoreError::Conflict { .. })) if lost < TRIES => {
                            lost += 1;
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
            found = self.store.claim(&key).await?;
        }
    }

    /// Claims, asks EC2, and commits its answer. A conflict says that somebody else was faster with
    /// the first or the last; `None` that it is to be decided anew.
    async fn launch_at_once(
        &self,
        job: &Job,
        claim: LaunchClaim,
        expect: Expect,
    ) -> Result<Option<Outcome>, WorkError> {
        // GitHub is asked first, which takes as many tries as it takes: no message waits for that.
        if launch::may_be_over(&claim, self.now()) {
            return self.launch_when_due(claim, expect).await.map(Some);
        }
        let seat = match self.seat(&claim).await? {
            Seat::Taken(seat) => seat,
            Seat::Wait { full, due } => {
                let claim = self.wait_for_room(claim, expect, full, due).await?;
                told_claimed(&claim, expect);
                return Ok(Some(Outcome::LaunchDue));
            }
            Seat::Refused(refusal) => {
                return self.turn_away(job, claim, expect, refusal).await;
            }
        };
        if let Expect::At(_) = expect {
            taken_over(&claim);
        }
        let launched = self.launch_now(claim, expect, LedBy::Message);
        let Some(answered) = Box::pin(launched).await? else {
            return Ok(None);
        };
        seat.settle(&answered.state, self.now());
        Ok(Some(match answered.state {
            ClaimState::Launched { .. } => Outcome::Launched,
            ClaimState::GivenUp { .. } => Outcome::LaunchGivenUp,
            ClaimState::Wanted => {
                self.due.notify_one();
                Outcome::LaunchDue
            }
        }))
    }

    /// Claims a job that gets no machine, so that this is told of. False when somebody else was faster.
    async fn claim_refused(
        &self,
        repository: &Repository,
        job: &Job,
        refusal: &LaunchRefusal,
    ) -> Result<bool, WorkError> {
        let Some(fleet) = &self.settings.fleet else {
            return Ok(true);
        };
        let home = &fleet.offer.region;
        let claim = no_machine::refused(repository, job, refusal, home, self.now());
        let put = self.put_claim(claim, Expect::Absent);
        match self.store.commit(vec![put]).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// There will be no instance, which is told of. `None` when somebody else was faster.
    async fn turn_away(
        &self,
        job: &Job,
        claim: LaunchClaim,
        expect: Expect,
        refusal: MachineRefusal,
    ) -> Result<Option<Outcome>, WorkError> {
        let repository = claim.key.repository.clone();
        if let Expect::At(_) = expect {
            let claim = launch::turned_away(claim, &refusal);
            let claim = no_machine::ended(claim, &self.settings.rules, self.now());
            let put = self.put_claim(claim, expect);
            self.store.commit(vec![put]).await?;
            self.due.notify_one();
            return Ok(Some(refused(&repository, job, &refusal.into())));
        }
        let refusal = refusal.into();
        let is_claimed = self.claim_refused(&repository, job, &refusal).await?;
        Ok(is_claimed.then(|| refused(&repository, job, &refusal)))
    }

    /// Claims without holding: whoever finds what is due asks EC2. A conflict says that somebody else
    /// was faster.
    async fn launch_when_due(
        &self,
        claim: LaunchClaim,
        expect: Expect,
    ) -> Result<Outcome, WorkError> {
        let claim = launch::unled(claim, self.now());
        let put = self.put_claim(claim.clone(), expect);
        self.store.commit(vec![put]).await?;
        told_claimed(&claim, expect);
        self.due.notify_one();
        Ok(Outcome::LaunchDue)
    }
}

fn told_claimed(claim: &LaunchClaim, expect: Expect) {
    match expect {
        Expect::Absent => waits(claim),
        Expect::At(_) => taken_over(claim),
    }
}

/// Tells that a claim was written whose machine is asked for at once. What EC2 answers is told for
/// people.
pub(crate) fn wanted(claim: &LaunchClaim) {
    debug!(
        target: "reprise::decision",
        decision = "launch",
        repository = %claim.key.repository,
        run.id = %claim.run_id,
        run.attempt = %claim.attempt,
        job.id = %claim.key.job_id,
        job.name = claim.job_name,
        runner.labels = claim.runner_labels.join(" "),
        capacity = %claim.spec.capacity,
        reason = claim.why.as_str(),
        "a machine is asked for, for a queued job"
    );
}

/// Tells that a claim was written whose machine is asked for later.
fn waits(claim: &LaunchClaim) {
    info!(
        target: "reprise::decision",
        decision = "launch",
        repository = %claim.key.repository,
        run.id = %claim.run_id,
        run.attempt = %claim.attempt,
        job.id = %claim.key.job_id,
        job.name = claim.job_name,
        runner.labels = claim.runner_labels.join(" "),
        capacity = %claim.spec.capacity,
        reason = claim.why.as_str(),
        "a machine is wanted for a queued job"
    );
}

fn taken_over(claim: &LaunchClaim) {
    info!(
        target: "reprise::decision",
        decision = "launch-taken-over",
        repository = %claim.key.repository,
        run.id = %claim.run_id,
        run.attempt = %claim.attempt,
        job.id = %claim.key.job_id,
        job.name = claim.job_name,
        capacity = %claim.spec.capacity,
        reason = "not-answered",
        "a machine for a queued job was asked for, and nobody knows the answer; it is asked for again"
    );
}

fn waiting(repository: &Repository, job: &Job) {
    debug!(
        target: "reprise::decision",
        decision = "launch-left",
        repository = %repository,
        run.id = %job.run_id,
        job.id = %job.id,
        reason = "held-by-another",
        "somebody else asks for a queued job's machine"
    );
}

fn refused(repository: &Repository, job: &Job, refusal: &LaunchRefusal) -> Outcome {
    warn!(
        target: "reprise::decision",
        decision = "launch-refused",
        repository = %repository,
        run.id = %job.run_id,
        run.attempt = %job.run_attempt,
        job.id = %job.id,
        job.name,
        reason = refusal.as_str(),
        detail = %refusal,
        "no machine will be launched for a queued job; its runs-on label must be changed"
    );
    Outcome::LaunchRefused(refusal.as_str())
}

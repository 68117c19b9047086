//! A launch that is claimed: what EC2 is asked for, and what becomes of the claim. Each claim is worked
//! on by a task of its own, also where several share a call.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use reprise_config::FleetSettings;
use reprise_engine::backoff::Jitter;
use reprise_engine::pace::Errand;
use reprise_engine::room::Full;
use reprise_engine::{due, fleet, launch, mutant, no_machine};
use reprise_model::breaker::LeftOut;
use reprise_model::ids::RunnerName;
use reprise_model::instance::Capacity;
use reprise_model::job::Job;
use reprise_model::ledger::{ClaimKey, ClaimState, LaunchAnswer, LaunchClaim};
use reprise_store::{Expect, Store, Versioned};
use tracing::{debug, info, warn};

use super::Done;
use crate::claims::Claimed;
use crate::context::{Controller, WorkError};
use crate::crowd::Seat;
use crate::intake::LedBy;
use crate::pace::PutOff;
use crate::ports::{LaunchOrder, Ports};
use crate::work::equip::Equipped;

/// Whether the request of a claim may have been made before, and its instance have got a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    /// No.
    Never,
    /// By somebody who did not live to commit what came of it.
    Perhaps,
}

impl<P: Ports> Controller<P> {
    /// A claim that is due: a launch that was tried in vain, one that brought an instance whose job may
    /// still wait, or one that was given up and is to be told of. That is done where it was `tells` that
    /// was wanted: it has places of its own.
    pub(super) async fn work_on_claim(
        &self,
        key: &ClaimKey,
        tells: bool,
    ) -> Result<Done, WorkError> {
        let found = self.store.claim(key).await?;
        let now = self.now();
        let Some(found) = found.filter(|found| due::is_due(found.record.due, now)) else {
            return Ok(Done::Work);
        };
        match found.record.state {
            ClaimState::GivenUp { .. } if !tells => return Ok(Done::Nothing),
            ClaimState::Wanted => self.launch_due(found).await?,
            ClaimState::GivenUp { .. } => {
                if let Some(claimed) = self.claim_due(Some(found)).await? {
                    self.tell_end(claimed).await?;
                }
            }
            ClaimState::Launched { .. } => {
                if let Some(claimed) = self.claim_due(Some(found)).await? {
                    self.ask_whether_it_waits(claimed).await?;
                }
            }
        }
        Ok(Done::Work)
    }

    /// Launches what is due, if there is room.
    async fn launch_due(&self, found: Versioned<LaunchClaim>) -> Result<(), WorkError> {
        let Versioned { record, version } = found;
        let expect = Expect::At(version);
        let seat = match self.seat(&record).await? {
            Seat::Taken(seat) => seat,
            Seat::Wait { full, due } => {
                self.wait_for_room(record, expect, full, due).await?;
                return Ok(());
            }
            Seat::Refused(refusal) => {
                let claim = launch::turned_away(record, &refusal);
                let claim = no_machine::ended(claim, &self.settings.rules, self.now());
                let put = self.put_claim(claim.clone(), expect);
                self.store.commit(vec![put]).await?;
                self.told_given_up(&claim);
                return Ok(());
            }
        };
        if let Some((claim, jobs)) = self.outlived(&record).await? {
            let put = self.put_claim(claim.clone(), expect);
            self.store.commit(vec![put]).await?;
            told_outlived(&claim);
            // In a box, as it is deep and hardly ever done.
            return Box::pin(self.ask_of_robbed_beside(&claim, &jobs)).await;
        }
        let launched = Box::pin(self.launch_now(record, expect, LedBy::DueTime)).await?;
        if let Some(launched) = launched {
            seat.settle(&launched.state, self.now());
        }
        Ok(())
    }

    /// Writes that a claim waits for room, or that it has for too long, which is the answer.
    pub(crate) async fn wait_for_room(
        &self,
        claim: LaunchClaim,
        expect: Expect,
        full: Full,
        due: Timestamp,
    ) -> Result<LaunchClaim, WorkError> {
        let (now, rules) = (self.now(), &self.settings.rules);
        let claim = launch::without_room(claim, full, due, now, rules);
        let claim = no_machine::ended(claim, rules, now);
        let put = self.put_claim(claim.clone(), expect);
        self.store.commit(vec![put]).await?;
        match claim.state {
            ClaimState::GivenUp { .. } => self.told_given_up(&claim),
            ClaimState::Wanted | ClaimState::Launched { .. } => self.told_full(&claim, full),
        }
        Ok(claim)
    }

    /// The end of a claim whose job does not wait any more, and the jobs of its attempt.
    async fn outlived(
        &self,
        claim: &LaunchClaim,
    ) -> Result<Option<(LaunchClaim, Arc<Vec<Job>>)>, WorkError> {
        if !launch::may_be_over(claim, self.now()) {
            return Ok(None);
        }
        // Whoever cannot be shown its job may have it all the same.
        let jobs = Box::pin(self.jobs_of(claim, Errand::Launch)).await?;
        Ok(jobs.and_then(|jobs| Some((launch::outlived(claim, &jobs)?, jobs))))
    }

    /// Asks EC2 for the instance of a claim and commits what came of it, which is the answer. The
    /// client token makes a repeat after a crash harmless.
    pub(crate) async fn launch_claimed(
        &self,
        mut claimed: Claimed<LaunchClaim>,
        tried: Tried,
    ) -> Result<LaunchClaim, WorkError> {
        let record = claimed.record.clone();
        let claim = match &self.settings.fleet {
            Some(fleet) => {
                let launching = Box::pin(self.launch(fleet, record, tried));
                self.while_claimed(&mut claimed, launching).await?
            }
            // Left over from when there was one.
            None => launch::withdrawn(record),
        };
        self.conclude_launch(&claimed, claim).await
    }

    /// Commits what came of a launch, and tells of one that was given up.
    async fn conclude_launch(
        &self,
        claimed: &Claimed<LaunchClaim>,
        claim: LaunchClaim,
    ) -> Result<LaunchClaim, WorkError> {
        let claim = no_machine::ended(claim, &self.settings.rules, self.now());
        self.conclude_claim(claimed, claim.clone()).await?;
        self.told_given_up(&claim);
        Ok(claim)
    }

    fn told_given_up(&self, claim: &LaunchClaim) {
        if let ClaimState::GivenUp { why } = &claim.state {
            self.metrics
                .launch(claim.spec.capacity.as_str(), "given-up");
            given_up(claim, why);
            self.due.notify_one();
        }
    }

    /// The claim after EC2's answers: one, or two where on-demand takes the place of spot.
    async fn launch(&self, fleet: &FleetSettings, claim: LaunchClaim, tried: Tried) -> LaunchClaim {
        let mut claim = self.ask_ec2(fleet, claim, tried).await;
        while launch::goes_on(&claim, self.now()) {
            claim = self.ask_ec2(fleet, claim, tried).await;
        }
        claim
    }

    /// One call, and the claim after its answer.
    async fn ask_ec2(
        &self,
        settings: &FleetSettings,
        claim: LaunchClaim,
        tried: Tried,
    ) -> LaunchClaim {
        if let Some(put_off) = self.no_runner_before(&claim) {
            return self.launch_later(claim, put_off);
        }
        let order = self.launch_order(settings, &claim);
        let heard = self.ask_once(&order, &claim.spec).await;
        let outcome = match &heard.outcome {
            Ok(outcome) => outcome,
            Err(put_off) => return self.launch_later(claim, *put_off),
        };
        let answer = fleet::for_place(outcome, claim.place());
        // What all hear alike they answer alike; what became of an instance is its own affair.
        let (at, jitter) = match &answer {
            LaunchAnswer::Launched { .. } | LaunchAnswer::TooLate { .. } => {
                (self.now(), self.jitter())
            }
            LaunchAnswer::NoCapacity { .. }
            | LaunchAnswer::Throttled
            | LaunchAnswer::Refused { .. }
            | LaunchAnswer::Unclear { .. } => (heard.at, heard.jitter),
        };
        match self.equipped_in_time(&claim, answer, tried).await {
            Ok(equipped) => self.answered(claim, equipped, at, jitter),
            Err(put_off) => self.launch_later(claim, put_off),
        }
    }

    fn answered(
        &self,
        claim: LaunchClaim,
        Equipped { answer, runner }: Equipped,
        at: Timestamp,
        jitter: Jitter,
    ) -> LaunchClaim {
        let capacity = claim.spec.capacity.as_str();
        self.metrics.launch(capacity, answer_word(&answer));
        log_answer(&claim, &answer, runner.as_ref().map(|one| &one.name));
        let runner = runner.or(claim.runner.clone());
        let claim = LaunchClaim { runner, ..claim };
        launch::answered(claim, answer, at, jitter, &self.settings.rules)
    }

    /// The claim of a launch that is not to be asked for now.
    fn launch_later(&self, claim: LaunchClaim, PutOff { until }: PutOff) -> LaunchClaim {
        info!(
            target: "reprise::decision",
            decision = "launch-put-off",
            reason = "no-turn",
            repository = %claim.key.repository,
            run.id = %claim.run_id,
            run.attempt = %claim.attempt,
            job.id = %claim.key.job_id,
            job.name = claim.job_name,
            due_at = %until,
            "a machine cannot be had now within the limits of EC2 and GitHub; it is asked for later"
        );
        launch::put_off(claim, until)
    }

    fn launch_order(&self, fleet: &FleetSettings, claim: &LaunchClaim) -> LaunchOrder {
        LaunchOrder {
            region: claim.spec.region.clone(),
            client_token: mutant!(NewTokenEachTry => self.a_new_token(claim), claim.client_token()),
            count: claim.count(),
            capacity: claim.spec.capacity,
            strategy: claim.spec.strategy,
            launch_template: fleet.launch_template.clone(),
            launch_template_version: fleet.launch_template_version.clone(),
            instance_types: claim.spec.instance_types.clone(),
            subnets: subnets(fleet, claim),
            left_out: left_out(claim),
            image: claim.spec.image.clone(),
            volume: claim.spec.volume.clone(),
            tags: self.launch_tags(fleet, claim),
        }
    }

    fn launch_tags(&self, fleet: &FleetSettings, claim: &LaunchClaim) -> BTreeMap<String, String> {
        let keys = &self.settings.rules.tags;
        let ours = [
            (keys.stack(), fleet.stack.to_string()),
            (keys.launch(), claim.leader().to_string()),
            (keys.request(), claim.request()),
            (keys.repository(), claim.key.repository.to_string()),
            (keys.run(), claim.run_id.to_string()),
            (keys.capacity(), claim.spec.capacity.to_string()),
        ];
        // A runner that the instance brings along learns its labels from here; a tag has 256 characters.
        let brings_its_runner = self.runners.is_none();
        let labels = brings_its_runner.then(|| (keys.labels(), claim.runner_labels.join(" ")));
        // Ours last: whatever labels could set, it would not stand.
        let wished = claim.spec.tags.clone().into_iter();
        wished.chain(ours).chain(labels).collect()
    }
}

/// Those of the claim; in a record of old, which names none, those of its region.
fn subnets(fleet: &FleetSettings, claim: &LaunchClaim) -> Vec<String> {
    if !claim.spec.subnets.is_empty() {
        return claim.spec.subnets.clone();
    }
    let mut regions = fleet.offer.regions.iter();
    let here = regions.find(|one| one.region == claim.spec.region);
    here.map(|one| one.subnets.clone()).unwrap_or_default()
}

/// On-demand is asked for everywhere: it may take the place of spot, and has no breakers.
fn left_out(claim: &LaunchClaim) -> LeftOut {
    match claim.spec.capacity {
        Capacity::Spot => claim.spec.left_out.clone(),
        Capacity::OnDemand => LeftOut::default(),
    }
}

fn answer_word(answer: &LaunchAnswer) -> &'static str {
    match answer {
        LaunchAnswer::Launched { .. } => "launched",
        LaunchAnswer::NoCapacity { .. } => "no-capacity",
        LaunchAnswer::Throttled => "throttled",
        LaunchAnswer::Refused { fault, .. } => fault.as_str(),
        LaunchAnswer::TooLate { .. } => "too-late",
        LaunchAnswer::Unclear { .. } => "unclear",
    }
}

fn log_answer(claim: &LaunchClaim, answer: &LaunchAnswer, runner: Option<&RunnerName>) {
    match answer {
        LaunchAnswer::Launched { instance, capacity } => info!(
            target: "reprise::decision",
            decision = "launched",
            repository = %claim.key.repository,
            run.id = %claim.run_id,
            run.attempt = %claim.attempt,
            job.id = %claim.key.job_id,
            job.name = claim.job_name,
            instance.id = %instance,
            runner.name = runner.map(tracing::field::display),
            %capacity,
            reason = claim.why.as_str(),
            "an instance is on its way"
        ),
        LaunchAnswer::NoCapacity { .. }
        | LaunchAnswer::Throttled
        | LaunchAnswer::Refused { .. }
        | LaunchAnswer::TooLate { .. }
        | LaunchAnswer::Unclear { .. } => {
            debug!(
                target: "reprise::decision",
                decision = "not-launched",
                reason = answer_word(answer),
                job.id = %claim.key.job_id,
                capacity = %claim.spec.capacity,
                "a launch goes on"
            );
            warn!(
                repository = %claim.key.repository,
                run.id = %claim.run_id,
                run.attempt = %claim.attempt,
                job.id = %claim.key.job_id,
                job.name = claim.job_name,
                capacity = %claim.spec.capacity,
                ?answer,
                "a launch brought no instance"
            );
        }
    }
}

fn told_outlived(claim: &LaunchClaim) {
    let ClaimState::GivenUp { why } = &claim.state else {
        return;
    };
    info!(
        target: "reprise::decision",
        decision = "launch-withdrawn",
        repository = %claim.key.repository,
        run.id = %claim.run_id,
        run.attempt = %claim.attempt,
        job.id = %claim.key.job_id,
        job.name = claim.job_name,
        reason = "not-queued",
        detail = why,
        "a job does not wait any more; no machine is launched for it"
    );
}

fn given_up(claim: &LaunchClaim, why: &str) {
    warn!(
        target: "reprise::decision",
        decision = "launch-given-up",
        repository = %claim.key.repository,
        run.id = %claim.run_id,
        run.attempt = %claim.attempt,
        job.id = %claim.key.job_id,
        job.name = claim.job_name,
        capacity = %claim.spec.capacity,
        reason = "launch-given-up",
        detail = why,
        "no instance could be launched for a queued job"
    );
}

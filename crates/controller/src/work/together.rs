//! How the launch of a claim begins: alone, together with others that are alike, or once more.
//!
//! The order of the writes is what makes a shared request safe: first the leader's claim with its crew,
//! then the claims of the crew, then the call. A claim that names a request is enough to repeat it, and a
//! request that no claim names was never made.

use jiff::SignedDuration;
use reprise_engine::backoff::after;
use reprise_engine::share::{self, Led};
use reprise_model::ids::JobId;
use reprise_model::launch::Asked;
use reprise_model::ledger::{ClaimKey, LaunchClaim};
use reprise_store::{Expect, Store};
use tokio::sync::{SemaphorePermit, oneshot};
use tracing::debug;

use super::desk::{Joined, Lead, Seat};
use super::launch::Tried;
use crate::claims::Claimed;
use crate::context::{Controller, WorkError};
use crate::intake::LedBy;
use crate::ports::Ports;

/// How long the first of a group waits for others. The jobs of a matrix are queued within a second, and
/// where many are, the wait for a place among the launches gathers more; a job alone waits so much longer.
const WINDOW: SignedDuration = SignedDuration::from_millis(100);

impl<P: Ports> Controller<P> {
    /// Writes the claim, new or in the place of the one that was read, asks EC2, and commits what came of
    /// it. `None` where it came to nothing and nothing was written: whoever asked reads the claim and
    /// decides anew.
    ///
    /// # Errors
    /// A conflict says that somebody else was faster with the first commit or the last.
    pub(crate) async fn launch_now(
        &self,
        claim: LaunchClaim,
        expect: Expect,
        led_by: LedBy,
    ) -> Result<Option<LaunchClaim>, WorkError> {
        match &claim.asked {
            Asked::NotYet => self.launch_together(claim, expect, led_by).await,
            Asked::Alone => self.launch_anew(claim, expect, led_by).await,
            Asked::Together(_) if self.was_asked(&claim).await? => {
                self.launch_anew(claim, expect, led_by).await
            }
            Asked::Together(_) => {
                let claim = share::never_asked(claim);
                self.launch_together(claim, expect, led_by).await
            }
        }
    }

    async fn launch_together(
        &self,
        claim: LaunchClaim,
        expect: Expect,
        led_by: LedBy,
    ) -> Result<Option<LaunchClaim>, WorkError> {
        let alike = share::alike(&claim, self.runners.is_none());
        match self.desk.join(alike, claim.key.job_id) {
            Joined::First(lead) => self.lead(lead, claim, expect, led_by).await.map(Some),
            Joined::Later(told) => self.follow(told, claim, expect).await,
        }
    }

    /// Repeats a request that may have been made.
    async fn launch_anew(
        &self,
        claim: LaunchClaim,
        expect: Expect,
        led_by: LedBy,
    ) -> Result<Option<LaunchClaim>, WorkError> {
        let _place = self.place(led_by).await?;
        let claimed = self.hold_launch(claim, expect).await?;
        self.launch_claimed(claimed, Tried::Perhaps).await.map(Some)
    }

    async fn lead(
        &self,
        lead: Lead<'_>,
        claim: LaunchClaim,
        expect: Expect,
        led_by: LedBy,
    ) -> Result<LaunchClaim, WorkError> {
        tokio::select! {
            biased;
            () = lead.filled() => {}
            waited = self.pause_until(after(self.now(), WINDOW)) => waited?,
        }
        // The group stays open meanwhile, and nothing is held for longer than the launch takes.
        let _place = self.place(led_by).await?;
        let party = lead.close();
        let crew = party.crew();
        if crew.is_empty() {
            let claimed = self.hold_launch(share::alone(claim), expect).await?;
            return self.launch_claimed(claimed, Tried::Never).await;
        }
        // Where this fails the party ends here, and each of them decides anew.
        let mut claimed = self
            .hold_launch(share::leading(claim, crew), expect)
            .await?;
        told(&claimed.record, "leads");
        if let Some(led) = Led::by(&claimed.record) {
            let seated = party.seat(&led);
            let taken = seated.table.settled();
            if self.while_claimed(&mut claimed, taken).await? == 0 {
                self.go_alone(&mut claimed).await?;
            }
        }
        self.launch_claimed(claimed, Tried::Never).await
    }

    /// Nobody came along: nothing is asked for under the name of the request.
    async fn go_alone(&self, claimed: &mut Claimed<LaunchClaim>) -> Result<(), WorkError> {
        claimed.record = share::alone(share::never_asked(claimed.record.clone()));
        self.renew(claimed).await
    }

    async fn follow(
        &self,
        seat: oneshot::Receiver<Seat>,
        claim: LaunchClaim,
        expect: Expect,
    ) -> Result<Option<LaunchClaim>, WorkError> {
        // A second machine for a job that has one is worse here than where one asks alone: there the
        // commit tells in time.
        if expect == Expect::Absent && self.store.claim(&claim.key).await?.is_some() {
            return Ok(None);
        }
        let seat = tokio::select! {
            biased;
            () = self.draining.begun() => return Err(WorkError::Draining),
            seat = seat => seat,
        };
        let Ok(seat) = seat else { return Ok(None) };
        let claim = share::following(claim, &seat.led, seat.place);
        let mut claimed = self.hold_launch(claim, expect).await?;
        seat.chair.take();
        told(&claimed.record, "follows");
        self.while_claimed(&mut claimed, seat.table.settled())
            .await?;
        self.launch_claimed(claimed, Tried::Never).await.map(Some)
    }

    /// Whether the request may have been made. Only who leads it has to ask: the others' claims are
    /// written after it.
    async fn was_asked(&self, claim: &LaunchClaim) -> Result<bool, WorkError> {
        let crew = share::to_be_asked(claim);
        let Some(request) = claim.share().filter(|_| !crew.is_empty()) else {
            return Ok(true);
        };
        for job in crew {
            let found = self.store.claim(&beside(claim, *job)).await?;
            if found.is_some_and(|found| share::names(&found.record, request)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The claims of those who share a request with the claim, which leads it.
    pub(crate) async fn crew_of(&self, claim: &LaunchClaim) -> Result<Vec<LaunchClaim>, WorkError> {
        let mut claims = Vec::new();
        for job in claim.share().map_or(&[][..], |share| &share.crew) {
            let found = self.store.claim(&beside(claim, *job)).await?;
            claims.extend(found.map(|found| found.record));
        }
        Ok(claims)
    }

    /// A place among the calls under way, for those who come by a message; due work has its own bound.
    async fn place(&self, led_by: LedBy) -> Result<Option<SemaphorePermit<'_>>, WorkError> {
        match led_by {
            LedBy::Message => self.launch_place().await.map(Some),
            LedBy::DueTime => Ok(None),
        }
    }
}

fn told(claim: &LaunchClaim, reason: &'static str) {
    debug!(
        target: "reprise::decision",
        decision = "launch-shared",
        repository = %claim.key.repository,
        run.id = %claim.run_id,
        job.id = %claim.key.job_id,
        leader.id = %claim.leader(),
        place = claim.place(),
        of = claim.count(),
        reason,
        "a launch shares a request"
    );
}

fn beside(claim: &LaunchClaim, job_id: JobId) -> ClaimKey {
    ClaimKey {
        job_id,
        repository: claim.key.repository.clone(),
    }
}

//! Whether there is room for one more instance: how many there are is counted here, and decided on by
//! the engine.
//!
//! A launch takes its seat before EC2 is asked, so that what is under way counts. The sweep's lists
//! serve; another one is asked for only where they do not tell enough.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use reprise_engine::crowd::{Crowd, Party, Ticket};
use reprise_engine::room::{Full, Room, room};
use reprise_model::ids::{InstanceId, Region};
use reprise_model::ledger::{ClaimState, LaunchClaim};
use reprise_model::machine_refusal::MachineRefusal;
use tracing::{info, warn};

use crate::context::{Controller, WorkError};
use crate::logging::chain;
use crate::packed::Packed;
use crate::ports::{PortError, Ports};

/// The instances of the stack, as far as this replica knows.
#[derive(Debug, Default)]
pub(crate) struct Census {
    crowd: Mutex<Crowd>,
    /// Held by whoever asks EC2 for a list.
    listing: tokio::sync::Mutex<()>,
}

/// What a launch gets.
pub(crate) enum Seat<'a> {
    /// It may go on. Its instance counts from now on, until the seat is given up.
    Taken(Taken<'a>),
    /// Not now.
    Wait {
        /// What is full.
        full: Full,
        /// When to ask again.
        due: Timestamp,
    },
    /// Not at all.
    Refused(MachineRefusal),
}

/// A seat among the instances. It is free again when this is dropped, unless an instance has it.
pub(crate) struct Taken<'a> {
    census: &'a Census,
    ticket: Option<Ticket>,
}

impl Census {
    fn lock(&self) -> MutexGuard<'_, Crowd> {
        self.crowd.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken<'_> {
    /// What came of the launch.
    pub(crate) fn settle(self, state: &ClaimState, now: Timestamp) {
        match state {
            ClaimState::Launched { instance, .. } => self.keep(instance.clone(), now),
            ClaimState::Wanted | ClaimState::GivenUp { .. } => {}
        }
    }

    fn keep(mut self, instance: InstanceId, now: Timestamp) {
        if let Some(ticket) = self.ticket.take() {
            self.census.lock().launched(ticket, instance, now);
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.census.lock().leave(ticket);
        }
    }
}

impl<P: Ports> Controller<P> {
    /// A seat for the instance of a claim. Jobs that are launched together ask one by one.
    ///
    /// # Errors
    /// When EC2 has never told how many instances there are, and does not now.
    pub(crate) async fn seat(&self, claim: &LaunchClaim) -> Result<Seat<'_>, WorkError> {
        let party = Party::of(claim);
        if !self.is_count_known(&party) {
            let _listing = self.census.listing.lock().await;
            // Whoever had it may have brought what is wanted.
            if !self.is_count_known(&party) {
                // In a box, as it is deep and hardly ever done.
                Box::pin(self.list_crowd()).await?;
            }
        }
        let jitter = self.jitter();
        let mut crowd = self.census.lock();
        let Some(fleet) = self.settings.fleet.as_ref() else {
            return Ok(Seat::Taken(self.take_seat(&mut crowd, party)));
        };
        // What EC2 launched for it already, it does not launch again.
        if crowd.serves(claim, self.now()) {
            return Ok(Seat::Taken(self.take_seat(&mut crowd, party)));
        }
        let (limits, counts) = (&fleet.offer.limits.instances, crowd.counts(&party));
        Ok(match room(limits, &counts, claim, self.now(), jitter) {
            Room::Launch => Seat::Taken(self.take_seat(&mut crowd, party)),
            Room::Wait { full, due } => Seat::Wait { full, due },
            Room::Refuse(refusal) => Seat::Refused(refusal),
        })
    }

    /// Counts what EC2 listed when it was asked at `at`.
    pub(crate) fn count_listed(&self, region: &Region, listed: &Packed, at: Timestamp) {
        let tags = &self.settings.rules.tags;
        self.census.lock().list(region, listed.views(), tags, at);
    }

    /// The instance of a claim is gone: what takes its place does not wait for it.
    pub(crate) fn instance_gone(&self, instance: &InstanceId) {
        self.census.lock().ended(instance);
    }

    /// There is no room for a claim's instance now.
    pub(crate) fn told_full(&self, claim: &LaunchClaim, full: Full) {
        self.metrics.launch_waits(full.as_str());
        info!(
            target: "reprise::decision",
            decision = "launch-waits",
            repository = %claim.key.repository,
            run.id = %claim.run_id,
            run.attempt = %claim.attempt,
            job.id = %claim.key.job_id,
            job.name = claim.job_name,
            reason = full.as_str(),
            detail = %full,
            launch.waited = claim.waited,
            "a queued job waits until other instances have ended"
        );
    }

    fn take_seat(&self, crowd: &mut Crowd, party: Party) -> Taken<'_> {
        Taken {
            census: &self.census,
            ticket: Some(crowd.enter(party)),
        }
    }

    fn is_count_known(&self, party: &Party) -> bool {
        let Some(fleet) = self.settings.fleet.as_ref() else {
            return true;
        };
        let limits = &fleet.offer.limits.instances;
        let crowd = self.census.lock();
        crowd.is_known(self.fleet_regions(), party, limits, self.now())
    }

    /// Asks EC2 in every region. Where it does not answer, what it said before serves.
    async fn list_crowd(&self) -> Result<(), PortError> {
        let Some(fleet) = self.settings.fleet.as_ref() else {
            return Ok(());
        };
        for region in self.fleet_regions() {
            if let Err(error) = self.list_stack(fleet, region).await {
                self.not_listed(region, error)?;
            }
        }
        Ok(())
    }

    fn not_listed(&self, region: &Region, error: PortError) -> Result<(), PortError> {
        let known = std::iter::once(region);
        if self.census.lock().listed_at(known).is_none() {
            return Err(error);
        }
        warn!(
            error = %chain(&error),
            aws.region = %region,
            "the instances could not be counted again; those of the last time serve"
        );
        Ok(())
    }

    /// Where instances may be.
    fn fleet_regions(&self) -> impl Iterator<Item = &Region> {
        let fleet = self.settings.fleet.iter();
        fleet.flat_map(|fleet| fleet.offer.regions.iter().map(|one| &one.region))
    }
}

//! Runners at GitHub whose machines are gone are taken out of it.
//!
//! Which they are, the engine says ([`reprise_engine::strays`]). GitHub is asked before EC2, so that a
//! machine that was launched in between is among those that live.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_config::FleetSettings;
use reprise_engine::backoff::after;
use reprise_engine::pace::Errand;
use reprise_engine::strays::{ListedRunner, Strays};
use reprise_model::ids::{InstanceId, Repository, RunnerId};
use reprise_model::instance::InstanceState;
use tracing::{debug, info};

use crate::context::{Controller, WorkError};
use crate::logging::chain;
use crate::ports::{GitHub, Ports, RunnersPlace};

/// The pause between two rounds. What is left behind costs nothing but people's sight.
const EVERY: SignedDuration = SignedDuration::from_mins(15);

/// The strays of each place.
pub(super) type StraysByPlace = BTreeMap<RunnersPlace, Strays>;

impl<P: Ports> Controller<P> {
    /// Takes strays out of every place; when to go on.
    ///
    /// # Errors
    /// When something outside failed.
    pub(super) async fn take_strays_out(
        &self,
        fleet: &FleetSettings,
        runners: &P::Runners,
        strays: &mut StraysByPlace,
    ) -> Result<Timestamp, WorkError> {
        let mut listed = BTreeMap::new();
        for repository in self.github_for(Errand::Read).repositories().await? {
            if self.allows(&repository) {
                self.list_place(runners, repository, &mut listed).await;
            }
        }
        let alive = self.alive(fleet).await?;
        strays.retain(|place, _| listed.contains_key(place));
        for (place, (repository, listed)) in listed {
            let known = strays.entry(place).or_default();
            for runner in known.of(&listed, &alive, self.now()) {
                self.take_out(runners, &repository, runner, &listed).await;
            }
        }
        Ok(after(self.now(), EVERY))
    }

    /// One place that GitHub does not show holds up no other.
    async fn list_place(
        &self,
        runners: &P::Runners,
        repository: Repository,
        listed: &mut BTreeMap<RunnersPlace, (Repository, Vec<ListedRunner>)>,
    ) {
        let read = async {
            let place = self.runners_place(runners, &repository).await?;
            if listed.contains_key(&place) {
                return Ok(None);
            }
            Ok(Some((
                place,
                self.list_runners(runners, &repository).await?,
            )))
        };
        match read.await {
            Ok(Some((place, there))) => {
                listed.insert(place, (repository, there));
            }
            Ok(None) => {}
            Err(error) => {
                let error: WorkError = error;
                debug!(error = %chain(&error), repository = %repository, "its runners are not listed");
            }
        }
    }

    /// The instances of the stack that have not begun to end.
    async fn alive(&self, fleet: &FleetSettings) -> Result<BTreeSet<InstanceId>, WorkError> {
        let mut alive = BTreeSet::new();
        for place in &self.settings.places {
            let listed = self.list_stack(fleet, &place.region).await?;
            let lives = listed.views().filter(|view| lives(view.state));
            alive.extend(lives.map(|view| view.instance.id));
        }
        Ok(alive)
    }

    async fn take_out(
        &self,
        runners: &P::Runners,
        repository: &Repository,
        id: RunnerId,
        listed: &[ListedRunner],
    ) {
        let name = listed.iter().find(|one| one.id == id).map(|one| &one.name);
        match self.take_runner_out(runners, repository, id).await {
            Ok(is_gone) => {
                let reason = if is_gone { "machine-gone" } else { "busy" };
                self.metrics.stray_runner(reason);
                info!(
                    target: "reprise::decision",
                    decision = "runner-removed",
                    reason,
                    runner.id = %id,
                    runner.name = name.map(tracing::field::display),
                    "a runner whose machine is gone is taken out of GitHub"
                );
            }
            Err(error) => {
                self.metrics.stray_runner("failed");
                debug!(error = %chain(&error), runner.id = %id, "a runner stays at GitHub for now");
            }
        }
    }
}

fn lives(state: InstanceState) -> bool {
    match state {
        InstanceState::ShuttingDown | InstanceState::Terminated => false,
        InstanceState::Pending
        | InstanceState::Running
        | InstanceState::Stopping
        | InstanceState::Stopped
        | InstanceState::Unknown => true,
    }
}

//! The periodic reconcile: what every event said, found again without it.
//!
//! Events only make things quick. Each sweep lists the instances of the stack, keeps the evidence
//! that they bear, finds the jobs that ran on interrupted ones, judges them by the same code that an
//! event goes through, and ends what serves nothing any more. One failure holds up nothing else.
//!
//! What the list tells of images in use becomes a metric (`images`).
//!
//! In the same turn, each at its own pace (`rounds`): webhooks that did not arrive are delivered
//! again, also in retry-only mode, and queued jobs that no event announced are found.
//!
//! Of all replicas one sweeps (`turn`). What it keeps in memory is only when to ask again
//! (`patience`): whoever sweeps next asks a little sooner, and finds the same.

mod deliveries;
mod images;
mod interrupted;
mod patience;
mod reap;
mod rounds;
mod strays;
mod turn;
mod unannounced;
mod withdraw;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use jiff::SignedDuration;
use reprise_config::FleetSettings;
use reprise_engine::image_age::ImageInUse;
use reprise_engine::mutant;
use reprise_engine::pace::Errand;
use reprise_model::ids::Region;
use reprise_model::ledger::RunKey;
use reprise_store::Store;
use tracing::{debug, error, info};

pub(crate) use self::images::InUse;
pub(crate) use self::patience::Patience;
use self::rounds::Rounds;
use self::turn::Turn;
use self::withdraw::Rolls;
use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::intake::attempts::Attempts;
use crate::logging::chain;
use crate::pace::InTurn;
use crate::packed::Packed;
use crate::panics::{Panicked, caught};
use crate::ports::Ports;

/// As many instances are ended together: EC2 takes hundreds in a call, and those that were decided first are
/// not to wait for thousands to be asked about.
const ENDED_AT_ONCE: usize = 500;

/// Sweeps, whenever it is this replica's turn, until the controller drains.
pub async fn run_sweeps<P: Ports>(controller: Arc<Controller<P>>, every: SignedDuration) {
    mutant!(NeverSweep => return controller.draining.begun().await);
    let mut turn = Turn::new(controller.now());
    let mut rounds = Rounds::new(controller.now());
    while !controller.draining.has_begun() {
        tokio::select! {
            // A sweep that is done at the very end is still told of.
            biased;
            () = controller.take_turn(&mut turn, &mut rounds, every) => {}
            // Whatever it was at, the next sweep begins anew.
            () = controller.draining.begun() => break,
        }
        let pause = turn.pause(controller.now());
        tokio::select! {
            biased;
            () = controller.draining.begun() => {}
            () = controller.clock.sleep(pause) => {}
        }
    }
    controller.leave_turn(turn).await;
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
        expired?;
        found
    }

    /// A sweep and what goes with it, for as long as it is our turn.
    async fn sweep_in_turn(&self, turn: &mut Turn, rounds: &mut Rounds) {
        let fence = turn.fence();
        let work = async {
            self.sweep_and_tell(fence).await;
            self.go_round(rounds).await;
        };
        tokio::select! {
            // The turn goes first: a process that was stopped for long finds that out before it
            // goes on.
            biased;
            () = self.turn_lost(turn) => self.metrics.swept("lost"),
            () = work => {}
        }
    }

    async fn sweep_and_tell(&self, fence: Option<u64>) {
        // In a box: with GitHub's client beneath it a sweep is deeper than a thread's stack likes.
        let swept = caught(Box::pin(self.sweep())).await;
        let swept = swept.unwrap_or_else(|Panicked(words)| Err(WorkError::Panicked(words)));
        match swept {
            Ok(found) => {
                self.metrics.swept("done");
                // An alarm hears of it when this is not said for ten minutes (terraform/modules/controller).
                info!(found, sweep.fence = fence, "swept");
            }
            Err(WorkError::Draining) => {}
            Err(error @ (WorkError::Port(_) | WorkError::Store(_) | WorkError::Panicked(_))) => {
                self.metrics.swept("failed");
                error!(error = %chain(&error), sweep.fence = fence, "failed to sweep; tried again");
            }
        }
    }

    async fn sweep_fleet(&self, fleet: &FleetSettings) -> Result<usize, WorkError> {
        let mut sweep = Sweep::default();
        for place in &self.settings.places {
            match self.list_stack(fleet, &place.region).await {
                Ok(listed) => {
                    self.sweep_instances(fleet, &listed, &mut sweep).await;
                    self.forget_unlisted(&place.region, &listed);
                }
                Err(error) => {
                    sweep.unlisted = true;
                    sweep.failed(error.into());
                }
            }
        }
        if !sweep.unlisted {
            self.note_images(fleet, &sweep.images).await;
        }
        match sweep.failure {
            Some(failure) => Err(failure),
            None => Ok(sweep.found),
        }
    }

    /// What EC2 does not list any more needs no patience. A part of the sweep that failed changes nothing
    /// about that.
    fn forget_unlisted(&self, region: &Region, listed: &Packed) {
        for patience in [&self.patience, &self.kept, &self.mourned] {
            patience.keep_only(region, |instance| listed.contains(&instance.id));
        }
    }

    async fn sweep_instances<'a>(
        &'a self,
        fleet: &FleetSettings,
        listed: &Packed,
        sweep: &mut Sweep<'a, P>,
    ) {
        let mut endings = Vec::new();
        for view in listed.views() {
            let view = &view;
            sweep.images.extend(images::image_of(view));
            match self.reconcile(view, &mut sweep.runs).await {
                Ok(found) => sweep.found += usize::from(found),
                Err(error) => sweep.failed(error),
            }
            match self.reap(fleet, view, sweep).await {
                Ok(ending) => endings.extend(ending),
                Err(error) => sweep.failed(error),
            }
            if let Err(error) = self.mourn(view).await {
                sweep.failed(error);
            }
            if endings.len() == ENDED_AT_ONCE {
                self.end_all(mem::take(&mut endings), sweep).await;
            }
        }
        self.end_all(endings, sweep).await;
    }

    fn run_of<'r, 'a>(
        &'a self,
        key: &RunKey,
        runs: &'r mut Runs<'a, P>,
    ) -> &'r mut Attempts<InTurn<'a, P>> {
        runs.entry(key.clone())
            .or_insert_with(|| Attempts::new(self.github_for(Errand::Read), key.clone()))
    }
}

/// The runs that were read, each once a sweep, however many of its instances are asked about.
type Runs<'a, P> = BTreeMap<RunKey, Attempts<InTurn<'a, P>>>;

/// What one sweep has seen so far.
struct Sweep<'a, P: Ports> {
    images: BTreeSet<ImageInUse>,
    /// Whether some region could not be listed.
    unlisted: bool,
    runs: Runs<'a, P>,
    rolls: Rolls,
    found: usize,
    failure: Option<WorkError>,
}

impl<P: Ports> Default for Sweep<'_, P> {
    fn default() -> Self {
        Self {
            images: BTreeSet::new(),
            unlisted: false,
            runs: BTreeMap::new(),
            rolls: Rolls::default(),
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

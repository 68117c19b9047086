//! The loops of a controller, over whatever ports it has.
//!
//! Nothing is connected and no signal is heard here: whoever starts the loops brings the ports and
//! ends them. What a loop starts lives no longer than the loop itself.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio::task::JoinSet;
use tracing::warn;

use crate::breakers::run_breakers;
use crate::clock::Clock;
use crate::consoles::run_consoles;
use crate::context::Controller;
use crate::ports::{Ports, Runners};
use crate::pump::Pump;
use crate::queues::{Counted, run_counts};
use crate::shutdown::Drain;
use crate::sweep::run_sweeps;
use crate::work::run_due;

/// How long work under way may take after the end was asked for. ECS kills after 30 s, and some of
/// that belongs to what comes after the loops.
const DRAIN_WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// All that a controller does by itself, not yet begun.
pub struct Loops<P: Ports> {
    /// The controller.
    pub controller: Arc<Controller<P>>,
    /// How each queue is read, and by how many receive calls at once.
    pub pumps: Vec<(Pump<P>, usize)>,
    /// The pause between two sweeps.
    pub sweep_every: SignedDuration,
}

impl<P: Ports> Loops<P> {
    /// Begins. The loops end when the controller drains; dropping the set ends them, and all that
    /// they have under way, as a crash would.
    #[must_use]
    pub fn spawn(self) -> JoinSet<()> {
        let Self {
            controller,
            pumps,
            sweep_every,
        } = self;
        let mut loops = JoinSet::new();
        let mut counted = Vec::new();
        for (pump, pollers) in pumps {
            controller.reads_queue(pump.source.as_str());
            counted.extend(Counted::of(&pump));
            loops.spawn(pump.run(pollers));
        }
        loops.spawn(hurry_at_the_end(Arc::clone(&controller)));
        loops.spawn(run_due(Arc::clone(&controller)));
        loops.spawn(run_breakers(Arc::clone(&controller)));
        loops.spawn(run_consoles(Arc::clone(&controller)));
        loops.spawn(run_counts(Arc::clone(&controller), counted));
        loops.spawn(run_sweeps(controller, sweep_every));
        loops
    }
}

/// Launches under way at the end are waited for, so that their runners wait for nobody.
async fn hurry_at_the_end<P: Ports>(controller: Arc<Controller<P>>) {
    controller.draining.begun().await;
    if let Some(runners) = &controller.runners {
        runners.hurry();
    }
}

/// Asks for the end and waits for it, as long as there is time. What is under way then is dropped
/// as by a crash: it is in the store or in its queue, and comes again.
pub async fn drained<C: Clock>(clock: &C, drain: &Drain, mut loops: JoinSet<()>) {
    drain.begin(clock.now());
    let all = async { while loops.join_next().await.is_some() {} };
    tokio::select! {
        biased;
        () = all => {}
        () = clock.sleep(DRAIN_WITHIN) => {
            warn!("work was still under way at the end of the drain; it comes again");
        }
    }
}

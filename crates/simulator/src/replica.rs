//! A replica: the real loops of the controller in a process that crashes, drains and comes back.
//!
//! A process has its own memory and its own randomness. When it dies, all that it was doing is
//! dropped where it stands; nothing of it ever reaches the world again.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use jiff::SignedDuration;
use reprise_controller::context::Controller;
use reprise_controller::loops::{self, Loops};
use reprise_controller::metrics::Metrics;
use reprise_controller::pump::{Pump, Source};
use reprise_controller::shutdown::{self, Draining};
use reprise_world::world::Queue;
use secrecy::SecretString;
use tokio::sync::Notify;

use crate::ports::{
    Life, SimAdvisers, SimCloud, SimGitHub, SimPorts, SimQueue, SimRunners, SimStore, Wire,
};
use crate::setting::{self, AT_ONCE, SECRET, SWEEP_EVERY};
use crate::trace::{self, Who};
use crate::universe::Universe;

/// How long a replica may take to drain: ECS kills after 30 s.
const DRAINS_WITHIN: SignedDuration = SignedDuration::from_secs(25);

/// How long a replica is away at most.
const AWAY_AT_MOST: SignedDuration = SignedDuration::from_secs(90);

/// One replica, whose process comes and goes.
pub struct Replica {
    universe: Arc<Universe>,
    number: u32,
    life: Mutex<Arc<Life>>,
    drain: Notify,
}

/// Why a process ended.
enum End {
    Died,
    Drained,
}

impl Replica {
    /// A replica that has not begun yet.
    pub fn new(universe: &Arc<Universe>, number: u32) -> Arc<Self> {
        Arc::new(Self {
            universe: Arc::clone(universe),
            number,
            life: Mutex::default(),
            drain: Notify::new(),
        })
    }

    /// Its process will die at one of its next calls.
    pub fn will_die(&self, calls: u32, after_effect: bool) {
        self.life().plan_end(calls, after_effect);
    }

    /// Its process is asked to end.
    pub fn drain(&self) {
        self.drain.notify_one();
    }

    /// Runs process after process.
    ///
    /// # Errors
    /// When the controller cannot be made.
    pub async fn run(self: Arc<Self>) -> Result<()> {
        loop {
            match self.process().await? {
                End::Died => {}
                End::Drained => self.tell("has drained"),
            }
            let away = self.universe.throw(|dice| dice.up_to(AWAY_AT_MOST));
            self.universe.clock.pause(away).await;
            self.tell("starts again");
        }
    }

    /// One process, to its end.
    async fn process(&self) -> Result<End> {
        let life = Arc::new(Life::default());
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&life);
        let (drain, draining) = shutdown::channel();
        let mut running = self.loops(&life, draining)?.spawn();
        tokio::select! {
            biased;
            () = life.ended() => {
                running.shutdown().await;
                return Ok(End::Died);
            }
            () = self.drain.notified() => {}
        }
        self.tell("is asked to end");
        let asked_at = self.universe.now();
        let end = tokio::select! {
            biased;
            () = life.ended() => End::Died,
            () = loops::drained(&self.universe.clock, &drain, running) => End::Drained,
        };
        // Whatever is left of the process is dropped with its loops.
        life.end();
        let took = self.universe.now().duration_since(asked_at);
        if took > DRAINS_WITHIN {
            self.universe
                .complain(format!("replica {} drained for {took:#}", self.number));
        }
        Ok(end)
    }

    fn loops(&self, life: &Arc<Life>, draining: Draining) -> Result<Loops<SimPorts>> {
        let wire = Wire {
            universe: Arc::clone(&self.universe),
            life: Arc::clone(life),
            replica: self.number,
        };
        let settings = self.universe.look(|world, _| {
            setting::controller(
                world.settings(),
                self.universe.mandate,
                self.universe.search,
                self.universe.fleet,
            )
        })?;
        let seed = self.universe.throw(crate::plan::Dice::number);
        let github = SimGitHub(wire.clone());
        let runners = self.universe.makes_runners;
        let advisers = Some(SimAdvisers(wire.clone()));
        let runners = runners.then(|| SimRunners(github.clone()));
        let controller = Controller::new(
            self.universe.clock,
            SimStore(wire.clone()),
            SimCloud(wire.clone()),
            github,
            settings,
            Metrics::new().context("failed to register the metrics")?,
            draining,
            seed,
        );
        let controller = Arc::new(controller.with_runners(runners).with_advisers(advisers));
        let pumps = [Queue::Webhooks, Queue::Ec2Events]
            .map(|queue| (self.pump(&wire, &controller, queue), 1));
        Ok(Loops {
            controller,
            pumps: pumps.into_iter().collect(),
            sweep_every: SWEEP_EVERY,
        })
    }

    fn pump(
        &self,
        wire: &Wire,
        controller: &Arc<Controller<SimPorts>>,
        queue: Queue,
    ) -> Pump<SimPorts> {
        let (name, dead) = self.universe.look(|world, _| {
            let names = &world.settings().queues;
            (
                names.of(queue).to_owned(),
                names.dead_letters_of(queue).to_owned(),
            )
        });
        let reach = |name| {
            let wire = wire.clone();
            Arc::new(SimQueue { wire, name })
        };
        Pump {
            controller: Arc::clone(controller),
            queue: reach(name),
            dead_letters: Some(reach(dead)),
            source: match queue {
                Queue::Webhooks => Source::Webhooks(vec![SecretString::from(SECRET)]),
                Queue::Ec2Events => Source::Ec2Events,
            },
            at_once: AT_ONCE,
        }
    }

    fn life(&self) -> Arc<Life> {
        Arc::clone(&self.life.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, text: &str) {
        trace::reached("replica", text);
        trace::line(Who::Replica(self.number), text);
    }
}

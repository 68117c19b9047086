//! What all parts of one simulation share: the world, the store, the time and the dice.
//!
//! The world is brought up to the virtual time before anybody touches it. Whoever changes it wakes
//! the driver ([`crate::run`]), which carries messages and looks at the invariants.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_store::{DueKey, SqliteStore};
use reprise_world::invariants::Mandate;
use reprise_world::world::World;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::clock::SimClock;
use crate::plan::{Chance, Dice, FleetPlan, Plan, Rates};
use crate::setting;

/// One simulation's surroundings.
pub struct Universe {
    /// The time.
    pub clock: SimClock,
    /// What the controllers are told to do.
    pub mandate: Mandate,
    /// The ledger of all controllers.
    pub store: SqliteStore,
    /// Whether controllers search for queued jobs that no event announced.
    pub search: bool,
    /// What holds launches back.
    pub fleet: FleetPlan,
    /// Whether controllers make the runners of their instances.
    pub makes_runners: bool,
    world: Mutex<World>,
    configurations: Mutex<BTreeMap<InstanceId, String>>,
    dice: Mutex<Dice>,
    rates: Rates,
    no_faults: Rates,
    calm: AtomicBool,
    written: Mutex<BTreeMap<DueKey, Timestamp>>,
    complaints: Mutex<Vec<String>>,
    mail: Notify,
    stirred: Notify,
}

impl Universe {
    /// The surroundings of a plan. It must be made inside a paused runtime.
    ///
    /// # Errors
    /// When the world or the store cannot be made.
    pub fn new(plan: &Plan) -> Result<Self> {
        Ok(Self {
            clock: SimClock::begin(plan.world.start),
            mandate: plan.world.mandate,
            store: SqliteStore::in_memory().context("failed to make the store")?,
            search: plan.search,
            fleet: plan.fleet,
            makes_runners: plan.makes_runners,
            world: Mutex::new(setting::world(plan)?),
            configurations: Mutex::default(),
            dice: Mutex::new(Dice::new(plan.seed)),
            rates: plan.rates.clone(),
            no_faults: Rates::default(),
            calm: AtomicBool::new(false),
            written: Mutex::default(),
            complaints: Mutex::default(),
            mail: Notify::new(),
            stirred: Notify::new(),
        })
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.time()
    }

    /// Does something with the world as it is now.
    pub fn world<T>(&self, act: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let now = self.clock.time();
        let mut world = lock(&self.world);
        let before = (world.changes(), world.next_due());
        world.advance(now);
        let done = act(&mut world, now);
        world.advance(now);
        if (world.changes(), world.next_due()) != before {
            self.stirred.notify_one();
        }
        done
    }

    /// The same for the driver, which need not be woken.
    pub fn look<T>(&self, look: impl FnOnce(&mut World, Timestamp) -> T) -> T {
        let now = self.clock.time();
        let mut world = lock(&self.world);
        world.advance(now);
        look(&mut world, now)
    }

    /// A runner's configuration waits for its instance, in the place of an earlier one.
    pub fn hand_over(&self, instance: &InstanceId, configuration: String) {
        lock(&self.configurations).insert(instance.clone(), configuration);
    }

    /// The configuration that waits for an instance.
    pub fn configuration(&self, instance: &InstanceId) -> Option<String> {
        lock(&self.configurations).get(instance).cloned()
    }

    /// How often things fail now.
    pub fn rates(&self) -> &Rates {
        if self.is_calm() {
            &self.no_faults
        } else {
            &self.rates
        }
    }

    /// From now on nothing fails, and webhooks arrive. Runners come up, too: GitHub takes a day to end
    /// a job without one, and jobs that come back one after the other would take a day each for as long
    /// as it goes on.
    pub fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.look(|world, now| {
            world.runners_come_up();
            let down = &mut world.github_mut(now).faults_mut().webhooks_down_until;
            *down = down.map(|until| until.min(now));
        });
    }

    /// Whether nothing fails any more.
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether something happens this time.
    pub fn hits(&self, chance: Chance) -> bool {
        lock(&self.dice).hits(chance)
    }

    /// Throws the dice.
    pub fn throw<T>(&self, throw: impl FnOnce(&mut Dice) -> T) -> T {
        throw(&mut lock(&self.dice))
    }

    /// How long one way of a call takes.
    pub fn latency(&self, usual: SignedDuration) -> SignedDuration {
        let rates = self.rates().latency;
        let mut dice = lock(&self.dice);
        if dice.hits(rates.slow) {
            dice.up_to(rates.slow_up_to)
        } else {
            dice.up_to(usual)
        }
    }

    /// Ends when something was put on a queue after this call.
    pub fn mail(&self) -> Notified<'_> {
        self.mail.notified()
    }

    /// Something was put on a queue, or became visible.
    pub fn mail_came(&self) {
        self.mail.notify_waiters();
    }

    /// Ends when the world has changed since this was last awaited.
    pub fn stirred(&self) -> Notified<'_> {
        self.stirred.notified()
    }

    /// Something is wrong that the world does not show.
    pub fn complain(&self, what: String) {
        lock(&self.complaints).push(what);
        self.stirred.notify_one();
    }

    /// What was complained of since the last call.
    pub fn take_complaints(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.complaints))
    }

    /// A record was written now.
    pub fn wrote(&self, key: DueKey) {
        lock(&self.written).insert(key, self.now());
        self.stirred.notify_one();
    }

    /// When a record was last written.
    pub fn written_at(&self, key: &DueKey) -> Option<Timestamp> {
        lock(&self.written).get(key).copied()
    }

    /// All records that were ever written.
    pub fn written(&self) -> Vec<DueKey> {
        lock(&self.written).keys().cloned().collect()
    }

    /// When any record that counts was last written.
    pub fn last_write(&self, counts: impl Fn(&DueKey) -> bool) -> Option<Timestamp> {
        let mut all: Vec<(Timestamp, DueKey)> = lock(&self.written)
            .iter()
            .map(|(key, at)| (*at, key.clone()))
            .collect();
        all.sort();
        let last = all.iter().rev().find(|(_, key)| counts(key));
        last.map(|(at, _)| *at)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

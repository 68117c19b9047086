//! The world behind its lock, and how others learn that it changed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use reprise_model::ids::InstanceId;
use tokio::sync::{Notify, mpsc, watch};

use super::HostEvent;
use crate::clock::ScaledClock;
use crate::world::World;

/// What all tasks of the server share.
pub(super) struct Shared {
    world: Mutex<World>,
    clock: ScaledClock,
    /// Wakes the driver, since something may be due sooner than it thinks.
    wake: Notify,
    changes: watch::Sender<u64>,
    stopped: watch::Sender<bool>,
    hosts: Mutex<Hosts>,
}

/// The instances that are up, with their addresses, and who wants to know.
#[derive(Default)]
struct Hosts {
    up: BTreeMap<InstanceId, String>,
    listeners: Vec<mpsc::UnboundedSender<HostEvent>>,
}

impl Shared {
    pub(super) fn new(world: World, clock: ScaledClock) -> Self {
        Self {
            changes: watch::Sender::new(world.changes()),
            world: Mutex::new(world),
            clock,
            wake: Notify::new(),
            stopped: watch::Sender::new(false),
            hosts: Mutex::default(),
        }
    }

    pub(super) fn clock(&self) -> ScaledClock {
        self.clock
    }

    /// Acts at the present time, when everything due has happened; consequences follow at once.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut World, Timestamp) -> R) -> R {
        let mut world = lock(&self.world);
        world.advance(self.clock.now());
        let now = world.now();
        let answer = act(&mut world, now);
        world.advance(now);
        let changes = world.changes();
        drop(world);
        self.publish(changes);
        self.wake.notify_one();
        answer
    }

    /// Reads the state, without any time passing; whoever changes something uses [`Self::with`].
    pub(super) fn peek<R>(&self, look: impl FnOnce(&World) -> R) -> R {
        look(&lock(&self.world))
    }

    /// Lets time pass.
    pub(super) fn advance(&self) {
        let mut world = lock(&self.world);
        world.advance(self.clock.now());
        let changes = world.changes();
        drop(world);
        self.publish(changes);
    }

    pub(super) fn changed(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Wakes everybody who waits for a change, also if the world counted none: a message that was
    /// sent or shown again by a client is not a happening of the world.
    pub(super) fn touch(&self) {
        self.changes.send_modify(|_| {});
    }

    pub(super) fn wake(&self) -> &Notify {
        &self.wake
    }

    pub(super) fn stop(&self) {
        self.stopped.send_replace(true);
    }

    pub(super) fn stopped(&self) -> watch::Receiver<bool> {
        self.stopped.subscribe()
    }

    pub(super) fn subscribe_to_hosts(&self) -> mpsc::UnboundedReceiver<HostEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut hosts = lock(&self.hosts);
        for (instance, url) in &hosts.up {
            // The receiver is in our hands, so it cannot be closed.
            let _ = sender.send(up(instance, url));
        }
        hosts.listeners.push(sender);
        receiver
    }

    pub(super) fn host_up(&self, instance: &InstanceId, metadata_url: &str) {
        let mut hosts = lock(&self.hosts);
        hosts.up.insert(instance.clone(), metadata_url.to_owned());
        hosts.tell(&up(instance, metadata_url));
    }

    pub(super) fn host_down(&self, instance: &InstanceId) {
        let mut hosts = lock(&self.hosts);
        hosts.up.remove(instance);
        let instance = instance.clone();
        hosts.tell(&HostEvent::Down { instance });
    }

    fn publish(&self, changes: u64) {
        self.changes.send_if_modified(|seen| {
            let is_news = *seen != changes;
            *seen = changes;
            is_news
        });
    }
}

impl Hosts {
    fn tell(&mut self, event: &HostEvent) {
        self.listeners
            .retain(|listener| listener.send(event.clone()).is_ok());
    }
}

fn up(instance: &InstanceId, metadata_url: &str) -> HostEvent {
    HostEvent::Up {
        instance: instance.clone(),
        metadata_url: metadata_url.to_owned(),
    }
}

/// A panic elsewhere leaves the world in some state between two of its own; to go on with it is
/// better than to fail every request from then on.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Evidence was stored of an instance: whoever looks for some of it looks again at once.
//!
//! A bell an instance, so that a thousand jobs that look do not all look again at each piece of
//! evidence. It says only that there is something new; what, the store says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reprise_model::ids::InstanceId;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The bells of all instances that somebody listens for.
#[derive(Debug, Default)]
pub(crate) struct Bells {
    bells: Mutex<BTreeMap<InstanceId, Bell>>,
}

#[derive(Debug, Default)]
struct Bell {
    notify: Arc<Notify>,
    listeners: usize,
}

impl Bells {
    /// Listens for an instance's bell until the listener is dropped.
    pub(crate) fn listen(&self, instance: &InstanceId) -> Listener<'_> {
        let mut bells = self.lock();
        let bell = bells.entry(instance.clone()).or_default();
        bell.listeners += 1;
        Listener {
            bells: self,
            instance: instance.clone(),
            notify: Arc::clone(&bell.notify),
        }
    }

    /// Rings the bell of an instance.
    pub(crate) fn ring(&self, instance: &InstanceId) {
        if let Some(bell) = self.lock().get(instance) {
            bell.notify.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Bell>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens for one instance.
#[derive(Debug)]
pub(crate) struct Listener<'a> {
    bells: &'a Bells,
    instance: InstanceId,
    notify: Arc<Notify>,
}

impl Listener<'_> {
    /// Ends when the bell rings after this call, even if nobody awaits it yet by then.
    pub(crate) fn rung(&self) -> Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        let mut bells = self.bells.lock();
        if let Some(bell) = bells.get_mut(&self.instance) {
            bell.listeners -= 1;
            if bell.listeners == 0 {
                bells.remove(&self.instance);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bell_that_rings_between_two_looks_is_heard() {
        let bells = Bells::default();
        let listener = bells.listen(&instance("i-0123456789abcdef0"));
        let rung = listener.rung();
        bells.ring(&instance("i-0123456789abcdef0"));
        rung.await;
    }

    #[tokio::test]
    async fn other_instances_bells_are_not_heard_and_nothing_is_kept_of_them() {
        let bells = Bells::default();
        let listener = bells.listen(&instance("i-0123456789abcdef0"));
        let second = bells.listen(&instance("i-0123456789abcdef0"));
        let mut rung = std::pin::pin!(listener.rung());
        bells.ring(&instance("i-0123456789abcdef1"));
        assert!(!rung.as_mut().enable());
        drop(second);
        assert_eq!(bells.lock().len(), 1);
    }

    #[test]
    fn a_bell_is_gone_with_its_last_listener() {
        let bells = Bells::default();
        drop(bells.listen(&instance("i-0123456789abcdef0")));
        assert!(bells.lock().is_empty());
    }

    fn instance(id: &str) -> InstanceId {
        id.parse().expect("valid")
    }
}

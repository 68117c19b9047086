//! The effects loop: takes what is due in the store and works on it.
//!
//! Everything here may be interrupted anywhere: a record stays due until its work is committed.

pub mod late;
pub mod launch;
mod report;
pub mod run;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use reprise_store::{DueKey, Store, StoreError};
use tokio::task::JoinSet;
use tracing::{debug, error};

use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::ports::Ports;

/// How many records are worked on at once. GitHub allows 100 concurrent requests an installation;
/// this leaves room for what the receive loops ask.
const AT_ONCE: usize = 32;

/// The longest pause between two looks at the store, should a wake-up be missed.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// How long a record rests whose work failed without writing anything.
const REST_AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(5);

/// Works on due records until the controller drains, then finishes what is under way.
pub async fn run_due<P: Ports>(controller: Arc<Controller<P>>) {
    let busy: Arc<Mutex<BTreeSet<DueKey>>> = Arc::default();
    let mut tasks = JoinSet::new();
    while !controller.draining.has_begun() {
        // Asked for before the store is read, so that work added in between is not missed.
        let woken = controller.due.notified();
        let keys = due_keys(&controller, &busy).await;
        for key in keys {
            while tasks.len() >= AT_ONCE {
                tasks.join_next().await;
            }
            lock(&busy).insert(key.clone());
            tasks.spawn(work_on(Arc::clone(&controller), key, Arc::clone(&busy)));
        }
        let pause = pause(&controller).await;
        tokio::select! {
            () = woken => {}
            () = controller.clock.sleep(pause) => {}
            () = controller.draining.begun() => {}
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

async fn due_keys<P: Ports>(
    controller: &Controller<P>,
    busy: &Mutex<BTreeSet<DueKey>>,
) -> Vec<DueKey> {
    match controller.store.due(controller.now(), AT_ONCE * 2).await {
        Ok(keys) => {
            let busy = lock(busy);
            keys.into_iter().filter(|key| !busy.contains(key)).collect()
        }
        Err(error) => {
            error!(error = &error as &dyn std::error::Error, "failed to read what is due");
            Vec::new()
        }
    }
}

/// Until the next record is due, but never so long that a missed wake-up would matter.
async fn pause<P: Ports>(controller: &Controller<P>) -> SignedDuration {
    let now = controller.now();
    match controller.store.next_due(now).await {
        Ok(Some(next)) => next.duration_since(now).clamp(SignedDuration::ZERO, LONGEST_PAUSE),
        Ok(None) | Err(_) => LONGEST_PAUSE,
    }
}

async fn work_on<P: Ports>(
    controller: Arc<Controller<P>>,
    key: DueKey,
    busy: Arc<Mutex<BTreeSet<DueKey>>>,
) {
    let worked = match &key {
        DueKey::Instance(instance) => controller.look_late(instance).await,
        DueKey::Run(run) => controller.work_on_run(run).await,
        DueKey::Claim(claim) => controller.work_on_claim(claim).await,
    };
    match worked {
        Ok(()) => {}
        Err(WorkError::Store(StoreError::Conflict { .. })) => {
            debug!(?key, "somebody else wrote the record; it is read again");
        }
        Err(WorkError::Draining) => {}
        Err(error @ (WorkError::Port(_) | WorkError::Store(_))) => {
            controller.metrics.work_failed();
            error!(
                error = &error as &dyn std::error::Error,
                ?key,
                "failed to work on a due record; it is tried again"
            );
            tokio::select! {
                () = controller.clock.sleep(REST_AFTER_FAILURE) => {}
                () = controller.draining.begun() => {}
            }
        }
    }
    lock(&busy).remove(&key);
    controller.due.notify_one();
}

fn lock(busy: &Mutex<BTreeSet<DueKey>>) -> std::sync::MutexGuard<'_, BTreeSet<DueKey>> {
    busy.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The effects loop: claims what is due in the store and works on it.
//!
//! Everything here may be interrupted anywhere: a record that is claimed is due again at its
//! deadline, for any replica. A record whose work fails rests, without holding a place that others
//! could have.

mod calls;
mod desk;
mod equip;
mod late;
mod launch;
mod report;
mod rests;
mod run;
mod together;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reprise_store::{DueKey, DueList, Store, StoreError};
use tokio::task::{JoinError, JoinSet};
use tracing::error;

pub(crate) use self::calls::Calls;
pub(crate) use self::desk::Desk;
use self::rests::Rests;
use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::logging::chain;
use crate::panics::{Panicked, caught};
use crate::ports::Ports;

/// How many records are worked on at once. GitHub allows 100 concurrent requests an installation;
/// this leaves room for what the receive loops ask.
const AT_ONCE: usize = 32;

/// The longest pause between two looks at the store: another replica's commits wake nobody here.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// Works on due records until the controller drains, then finishes what is under way.
pub async fn run_due<P: Ports>(controller: Arc<Controller<P>>) {
    let mut worker = Worker {
        controller: Arc::clone(&controller),
        tasks: JoinSet::new(),
        busy: BTreeSet::new(),
        rests: Rests::default(),
    };
    while !controller.draining.has_begun() {
        // Asked for before the store is read, so that work added in between is not missed.
        let woken = controller.due.notified();
        let next = worker.begin_due().await;
        let pause = worker.pause(next);
        tokio::select! {
            // What has ended makes room before more is begun.
            biased;
            () = controller.draining.begun() => {}
            Some(ended) = worker.tasks.join_next() => worker.ended(ended),
            () = woken => {}
            () = controller.clock.sleep(pause) => {}
        }
    }
    while let Some(ended) = worker.tasks.join_next().await {
        worker.ended(ended);
    }
}

type Worked = (DueKey, Result<(), WorkError>);

struct Worker<P: Ports> {
    controller: Arc<Controller<P>>,
    tasks: JoinSet<Worked>,
    busy: BTreeSet<DueKey>,
    rests: Rests,
}

impl<P: Ports> Worker<P> {
    /// Begins as much of what is due as there are places for. When the next record is due, where
    /// there is a place for it.
    async fn begin_due(&mut self) -> Option<Timestamp> {
        let free = AT_ONCE.saturating_sub(self.busy.len());
        if free == 0 {
            return None;
        }
        let now = self.controller.now();
        self.rests.forget_old(now);
        // What is busy or rests is due all the while; it must not hide what is behind it.
        let held = self.busy.len() + self.rests.len(now);
        match self.controller.store.due(now, free + held).await {
            // The end came meanwhile: others begin what is due.
            Ok(_) if self.controller.draining.has_begun() => None,
            Ok(DueList { keys, next }) => {
                let keys: Vec<DueKey> = keys
                    .into_iter()
                    .filter(|key| !self.busy.contains(key) && !self.rests.holds(key, now))
                    .take(free)
                    .collect();
                for key in keys {
                    self.busy.insert(key.clone());
                    self.begin(key);
                }
                next
            }
            Err(error) => {
                error!(error = %chain(&error), "failed to read what is due");
                None
            }
        }
    }

    fn begin(&mut self, key: DueKey) {
        let controller = Arc::clone(&self.controller);
        self.tasks.spawn(async move {
            let worked = match caught(controller.work_on(&key)).await {
                Ok(worked) => worked,
                Err(Panicked(words)) => Err(WorkError::Panicked(words)),
            };
            (key, worked)
        });
    }

    /// Until something is due next, or a rest is over.
    fn pause(&self, next: Option<Timestamp>) -> SignedDuration {
        let now = self.controller.now();
        let next = next.into_iter().chain(self.rests.next_end(now)).min();
        next.map_or(LONGEST_PAUSE, |next| {
            next.duration_since(now)
                .clamp(SignedDuration::ZERO, LONGEST_PAUSE)
        })
    }

    fn ended(&mut self, ended: Result<Worked, JoinError>) {
        // A panic is caught inside, and nobody aborts a task before the loop itself is dropped.
        let Ok((key, worked)) = ended else { return };
        self.busy.remove(&key);
        match worked {
            Ok(()) => self.rests.moved_on(key, self.controller.now()),
            Err(WorkError::Store(StoreError::Conflict { .. })) => {
                report::lost(&key);
                self.rests.moved_on(key, self.controller.now());
            }
            Err(WorkError::Draining) => {}
            Err(failure @ (WorkError::Port(_) | WorkError::Store(_) | WorkError::Panicked(_))) => {
                self.controller.metrics.work_failed();
                error!(
                    error = %chain(&failure),
                    ?key,
                    "failed to work on a due record; it is tried again"
                );
                let (now, jitter) = (self.controller.now(), self.controller.jitter());
                self.rests.failed(key, failure.retry_after(), now, jitter);
            }
        }
    }
}

impl<P: Ports> Controller<P> {
    async fn work_on(&self, key: &DueKey) -> Result<(), WorkError> {
        match key {
            DueKey::Claim(claim) => self.launch_again(claim).await,
            DueKey::Instance(instance) => self.look_late(instance).await,
            DueKey::Run(run) => self.work_on_run(run).await,
        }
    }
}

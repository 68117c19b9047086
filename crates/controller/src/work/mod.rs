//! The effects loop: claims what is due in the store and works on it.
//!
//! Everything here may be interrupted anywhere: a record that is claimed is due again at its
//! deadline, for any replica. A record whose work fails rests, without holding a place that others
//! could have. Re-runs and looks at instances go before launches, however many of these are due, and
//! launches before what people are told.

mod backlog;
mod calls;
mod checks;
mod desk;
mod equip;
mod in_time;
mod late;
mod launch;
mod looks;
mod no_machine;
mod overdue;
mod report;
mod rests;
mod run;
mod still_queued;
mod together;

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::after;
use reprise_store::{DueKey, DueList, Store, StoreError};
use tokio::task::{JoinError, JoinSet};
use tracing::error;

use self::backlog::{Backlog, Places, is_check, is_launch};
pub(crate) use self::calls::Calls;
pub(crate) use self::desk::Desk;
pub(crate) use self::looks::Looks;
pub(crate) use self::overdue::Overdue;
use self::rests::Rests;
use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::logging::chain;
use crate::panics::{Panicked, caught};
use crate::ports::Ports;

/// How many records are worked on at once. GitHub allows 100 concurrent requests an installation;
/// this leaves room for what the receive loops ask.
const AT_ONCE: usize = 32;

/// How many of them are launches at most: these may wait for EC2, and re-runs do not wait for them.
const LAUNCHES: usize = 24;

/// How many are told of at once at most. Of one run's jobs one is told of at a time anyway.
const TELLINGS: usize = 4;

/// How many runs people are told of at once at most.
const CHECKS: usize = 8;

/// How much of what is due is listed: all of it, but for a day on which nobody would list it either.
const LISTED: usize = 10_000;

/// While there is something to begin, the store is looked at again after so long.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// The same when something has become due meanwhile: it may be a re-run, which goes first.
const LOOK_AGAIN_SOON: SignedDuration = SignedDuration::from_millis(200);

/// The longest pause between two looks at the store: another replica's commits wake nobody here.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// Works on due records until the controller drains, then finishes what is under way.
pub async fn run_due<P: Ports>(controller: Arc<Controller<P>>) {
    let mut worker = Worker {
        controller: Arc::clone(&controller),
        tasks: JoinSet::new(),
        busy: BTreeSet::new(),
        tellings: BTreeSet::new(),
        rests: Rests::default(),
        seen: Seen::default(),
    };
    while !controller.draining.has_begun() {
        // Asked for before the store is read, so that work added in between is not missed.
        let woken = controller.due.notified();
        worker.look().await;
        worker.begin_due();
        let pause = worker.pause();
        tokio::select! {
            // What has ended makes room before more is begun.
            biased;
            () = controller.draining.begun() => {}
            Some(ended) = worker.tasks.join_next() => worker.ended(ended),
            () = woken => worker.seen.is_stale = true,
            () = controller.clock.sleep(pause) => {}
        }
    }
    while let Some(ended) = worker.tasks.join_next().await {
        worker.ended(ended);
    }
}

type Worked = (DueKey, Result<Done, WorkError>);

/// What came of a due record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// It was worked on.
    Work,
    /// Nothing yet: it is no launch, as it was taken for, but the telling of one that comes to nothing.
    Nothing,
}

struct Worker<P: Ports> {
    controller: Arc<Controller<P>>,
    tasks: JoinSet<Worked>,
    busy: BTreeSet<DueKey>,
    /// Those due claims that are known to be no launches.
    tellings: BTreeSet<DueKey>,
    rests: Rests,
    seen: Seen,
}

/// What the last look at the store told.
#[derive(Debug, Default)]
struct Seen {
    at: Timestamp,
    /// What was due then and has not begun yet.
    backlog: Backlog,
    /// When the next record after it is due.
    next: Option<Timestamp>,
    /// Something has become due since.
    is_stale: bool,
}

impl Seen {
    /// When to look again: a long list is not read anew for each record that has ended, and what has
    /// become due meanwhile does not wait for its end.
    fn again_at(&self) -> Option<Timestamp> {
        if self.backlog.is_empty() {
            return self.next;
        }
        let soon = after(self.at, LOOK_AGAIN_SOON);
        let latest = after(self.at, LOOK_AGAIN);
        let next = self.next.map_or(latest, |next| next.clamp(soon, latest));
        Some(if self.is_stale { soon } else { next })
    }

    fn lasts(&self, now: Timestamp) -> bool {
        !self.backlog.is_empty() && self.again_at().is_some_and(|again| now < again)
    }
}

impl<P: Ports> Worker<P> {
    fn has_place(&self) -> bool {
        self.busy.len() < AT_ONCE
    }

    fn places(&self) -> Places {
        let claims = self.busy.iter().filter(|key| is_launch(key));
        let (tellings, launches): (Vec<_>, Vec<_>) =
            claims.partition(|key| self.tellings.contains(*key));
        Places {
            launch: launches.len() < LAUNCHES,
            telling: tellings.len() < TELLINGS,
            check: self.busy.iter().filter(|key| is_check(key)).count() < CHECKS,
        }
    }

    /// Reads what is due, where there is a place for it and it is time.
    async fn look(&mut self) {
        let now = self.controller.now();
        if !self.has_place() || self.seen.lasts(now) {
            return;
        }
        self.rests.forget_old(now);
        // What is busy or rests is due all the while; it must not hide what is behind it.
        let held = self.busy.len() + self.rests.len(now);
        let listed = self.controller.store.due(now, LISTED + held).await;
        let (keys, next) = match listed {
            Ok(DueList { keys, since, next }) => {
                self.controller.overdue.note(since);
                (keys, next)
            }
            Err(error) => {
                error!(error = %chain(&error), "failed to read what is due");
                (Vec::new(), None)
            }
        };
        let told = keys.iter().filter(|key| self.tellings.contains(*key));
        self.tellings = told.cloned().collect();
        let idle = |key: &DueKey| !self.busy.contains(key) && !self.rests.holds(key, now);
        self.seen = Seen {
            at: now,
            backlog: Backlog::new(keys.into_iter().filter(idle), &self.tellings),
            next,
            is_stale: false,
        };
    }

    /// Begins as much of what is due as there are places for.
    fn begin_due(&mut self) {
        // The end came meanwhile: others begin what is due.
        while self.has_place() && !self.controller.draining.has_begun() {
            let Some(key) = self.seen.backlog.take(self.places()) else {
                return;
            };
            self.busy.insert(key.clone());
            self.begin(key);
        }
    }

    fn begin(&mut self, key: DueKey) {
        let controller = Arc::clone(&self.controller);
        let tells = self.tellings.contains(&key);
        self.tasks.spawn(async move {
            let worked = match caught(Box::pin(controller.work_on(&key, tells))).await {
                Ok(worked) => worked,
                Err(Panicked(words)) => Err(WorkError::Panicked(words)),
            };
            (key, worked)
        });
    }

    /// Until something is due next, or a rest is over. Where all places are taken, until one is free.
    fn pause(&self) -> SignedDuration {
        if !self.has_place() {
            return LONGEST_PAUSE;
        }
        let now = self.controller.now();
        let again = self.seen.again_at().into_iter();
        let next = again.chain(self.rests.next_end(now)).min();
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
            Ok(Done::Work) => {
                self.tellings.remove(&key);
                self.rests.moved_on(key, self.controller.now());
            }
            Ok(Done::Nothing) => {
                self.tellings.insert(key.clone());
                self.seen.backlog.tells(key);
            }
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
    async fn work_on(&self, key: &DueKey, tells: bool) -> Result<Done, WorkError> {
        match key {
            DueKey::Claim(claim) => return self.work_on_claim(claim, tells).await,
            DueKey::Instance(instance) => self.look_late(instance).await?,
            DueKey::Run(run) => self.work_on_run(run).await?,
            DueKey::Check(run) => self.tell_run(run).await?,
        }
        Ok(Done::Work)
    }
}

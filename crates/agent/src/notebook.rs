//! The record in use: changed in memory, and written down after each change.
//!
//! Invariant: nobody waits for a disk longer than [`PATIENCE`], and no disk keeps the agent from
//! anything; what it cannot write down it says once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::record::{Ending, Record, Records, Void};
use crate::watch::Seen;

/// How long a tag or a hook waits for the record to be durable, in real time like the deadlines of
/// requests. A disk of EC2 takes some milliseconds.
const PATIENCE: Duration = Duration::from_millis(500);

/// What an earlier agent of this boot has left.
#[derive(Debug)]
pub(crate) enum Earlier {
    /// A notice that still counts, and how far it came with it.
    Notice(Seen, Box<Record>),
    /// One that the machine has outlived, and how the job was ended.
    Outlived(Option<Ending>),
}

/// Holds the record.
#[derive(Debug)]
pub(crate) struct Notebook<'a, R> {
    records: &'a R,
    record: Mutex<Option<Record>>,
    complained: AtomicBool,
}

impl<'a, R: Records> Notebook<'a, R> {
    pub(crate) fn new(records: &'a R) -> Self {
        Self {
            records,
            record: Mutex::new(None),
            complained: AtomicBool::new(false),
        }
    }

    /// What an earlier agent of this boot has left, told by a clock that shows `now`. A record that does not count
    /// any more is taken away.
    pub(crate) async fn resume(&self, now: Timestamp) -> Option<Earlier> {
        let text = self.within(self.records.load()).await??;
        let boot = self
            .records
            .boot()
            .map_err(|why| self.complain(&why))
            .ok()?;
        match Record::read(&text, &boot) {
            Ok(record) => {
                self.replace(Some(record.clone()));
                let seen = record.seen(&boot, now);
                Some(Earlier::Notice(seen, Box::new(record)))
            }
            Err(void) => {
                self.throw_away(void).await;
                match void {
                    Void::Outlived { job_ended } => Some(Earlier::Outlived(job_ended)),
                    Void::Unreadable | Void::AnotherBoot => None,
                }
            }
        }
    }

    /// Begins the record of a notice that is seen now.
    pub(crate) async fn open(&self, seen: &Seen, instance_id: Option<String>) {
        match self.records.boot() {
            Ok(boot) => {
                self.replace(Some(Record::of(seen, boot, instance_id)));
                self.save().await;
            }
            Err(why) => self.complain(&why),
        }
    }

    /// Changes the record, if there is one, and writes it down.
    pub(crate) async fn note(&self, change: impl FnOnce(&mut Record)) {
        let changed = match self.lock().as_mut() {
            Some(record) => {
                let before = record.clone();
                change(record);
                *record != before
            }
            None => false,
        };
        if changed {
            self.save().await;
        }
    }

    /// The record as it is.
    pub(crate) fn record(&self) -> Option<Record> {
        self.lock().clone()
    }

    async fn save(&self) {
        let text = self.lock().as_ref().map(Record::text);
        if let Some(text) = text {
            self.within(self.records.save(text)).await;
        }
    }

    async fn throw_away(&self, void: Void) {
        self.within(self.records.remove()).await;
        tracing::warn!(reason = %void, "an old record of an interruption is void; taken away");
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, String>>) -> Option<T> {
        let outcome = tokio::time::timeout(PATIENCE, work).await;
        let outcome = outcome.unwrap_or_else(|_| Err("the disk takes too long".to_owned()));
        outcome.map_err(|why| self.complain(&why)).ok()
    }

    fn complain(&self, why: &str) {
        if !self.complained.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                error.message = why,
                "the record of an interruption cannot be kept; an agent that starts again begins anew"
            );
        }
    }

    fn replace(&self, record: Option<Record>) {
        *self.lock() = record;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Record>> {
        // A panic elsewhere leaves a whole record behind.
        self.record
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

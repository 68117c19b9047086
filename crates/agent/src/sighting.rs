//! What was seen of the runners last: whether they are busy, and since when they are not.

use jiff::{SignedDuration, Timestamp};

use crate::host::Runners;
use crate::plan::Activity;
use crate::processes::{Process, Runner};
use crate::record::Ending;

/// A look at all processes costs milliseconds; where nothing presses, one in so long is enough.
const SELDOM: SignedDuration = SignedDuration::from_secs(15);

/// Remembers between looks.
#[derive(Debug, Default)]
pub(crate) struct Sighting {
    /// How this agent has ended the job, if it has.
    pub(crate) ended: Option<Ending>,
    idle_since: Option<Timestamp>,
    workers: Vec<Process>,
    looked_at: Option<Timestamp>,
    complained: bool,
}

impl Sighting {
    /// What the runners do now.
    pub(crate) fn look(&mut self, host: &impl Runners, now: Timestamp) -> Activity {
        let runners = self.runners(host);
        self.looked_at = Some(now);
        self.workers = runners.iter().filter_map(|runner| runner.worker).collect();
        if runners.is_empty() || !self.workers.is_empty() {
            self.idle_since = None;
        }
        if runners.is_empty() {
            Activity::Absent
        } else if self.workers.is_empty() {
            let since = *self.idle_since.get_or_insert(now);
            Activity::Idle(now.duration_since(since))
        } else {
            Activity::Busy
        }
    }

    /// The same at little cost: while a Worker that was seen lives, nobody else is looked at.
    pub(crate) fn look_seldom(&mut self, host: &impl Runners, now: Timestamp) -> Activity {
        if !self.workers.is_empty() && self.workers.iter().all(|worker| host.lives(*worker)) {
            return Activity::Busy;
        }
        let recent = self
            .looked_at
            .is_some_and(|at| now.duration_since(at) < SELDOM);
        match (recent, self.workers.is_empty(), self.idle_since) {
            (true, true, None) => Activity::Absent,
            (_, _, _) => self.look(host, now),
        }
    }

    /// Which runners there are now.
    pub(crate) fn runners(&mut self, host: &impl Runners) -> Vec<Runner> {
        host.runners().unwrap_or_else(|why| {
            if !std::mem::replace(&mut self.complained, true) {
                tracing::warn!(
                    error.message = why,
                    "the runner cannot be seen; no job is ended"
                );
            }
            Vec::new()
        })
    }

    /// Begins anew, as after runners were told to stop.
    pub(crate) fn forget(&mut self) {
        self.idle_since = None;
        self.workers.clear();
    }
}

//! What is going to happen at a time that nobody can name beforehand.
//!
//! A person who waits for a run to end acts soon after it has; capacity that has run out comes back.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{JobId, RunId};

use super::{ByHand, World};
use crate::ec2::{Ec2Error, Pool, Supply};

/// What a person does about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Re-runs it, or a part of it.
    Rerun(ByHand),
    /// Cancels it.
    Cancel,
    /// Deletes its repository.
    DeleteRepository,
}

/// What a person waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The end of the run's attempt.
    RunCompletes,
    /// The first notice, or end, of an instance under one of its jobs.
    InstanceIsStruck,
}

/// A person who waits.
#[derive(Debug)]
pub(super) struct Waiting {
    run: RunId,
    when: When,
    then_after: SignedDuration,
    deed: Deed,
    by: String,
}

/// What is due at a time.
#[derive(Debug)]
pub(super) enum Appointment {
    /// A person acts.
    Person { run: RunId, deed: Deed, by: String },
    /// Pools have as much as anybody wants again.
    Plenty(Pool),
    /// A job on one of GitHub's own machines ends.
    HostedJobEnds(JobId),
}

impl World {
    /// A person does something so long after something else has happened to a run; once.
    pub fn person_waits(
        &mut self,
        run: RunId,
        when: When,
        then_after: SignedDuration,
        deed: Deed,
        by: &str,
    ) {
        self.waiting.push(Waiting {
            run,
            when,
            then_after,
            deed,
            by: by.to_owned(),
        });
    }

    /// These pools have nothing to give until then, whatever they had.
    pub fn shortage(&mut self, now: Timestamp, pool: Pool, until: Timestamp) {
        self.advance(now);
        let words = "There is no capacity available that matches your request.";
        let short = Ec2Error::new(400, "InsufficientInstanceCapacity", words);
        self.places
            .home
            .ec2
            .set_capacity(pool.clone(), Supply::Refused(short));
        self.appoint(until, Appointment::Plenty(pool));
    }

    pub(super) fn next_appointment(&self) -> Option<Timestamp> {
        self.appointments.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn keep_appointments(&mut self) {
        while let Some(entry) = self.appointments.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            match entry.remove() {
                Appointment::Person { run, deed, by } => self.do_deed(run, deed, &by),
                Appointment::Plenty(pool) => {
                    self.places.home.ec2.set_capacity(pool, Supply::Unlimited)
                }
                Appointment::HostedJobEnds(job) => self.hosted_job_ends(job),
            }
        }
    }

    /// Something happened to a run that people may have waited for.
    pub(super) fn people_notice(&mut self, at: Timestamp, run: RunId, what: When) {
        let (now, later): (Vec<Waiting>, Vec<Waiting>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|one| one.run == run && one.when == what);
        self.waiting = later;
        for one in now {
            let at = at.checked_add(one.then_after).unwrap_or(Timestamp::MAX);
            let Waiting { run, deed, by, .. } = one;
            self.appoint(at, Appointment::Person { run, deed, by });
        }
    }

    /// What GitHub refuses is not tried again.
    fn do_deed(&mut self, run: RunId, deed: Deed, by: &str) {
        match deed {
            Deed::Cancel => {
                self.github.cancel_run(self.now, run, by);
            }
            Deed::DeleteRepository => self.delete_repository_of(run),
            Deed::Rerun(what) => {
                if let Err(refusal) = self.rerun_by_hand(run, what, by) {
                    tracing::debug!(%refusal, "a person could not re-run");
                }
            }
        }
    }

    pub(super) fn appoint(&mut self, at: Timestamp, what: Appointment) {
        self.appointed += 1;
        self.appointments.insert((at, self.appointed), what);
    }
}

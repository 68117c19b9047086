//! What GitHub showed of a run, for all claims of its jobs.
//!
//! Thousands of jobs of one run may be refused at once, and each claim wants the same list of jobs, twenty
//! pages long. So one reads, and those that were due by then go by what it saw; whether they may, the engine
//! says ([`reprise_engine::look`]). Who waited for a read that failed does not read in its place: with GitHub
//! down, each of them would wait for its own call.
//!
//! The check runs of a run are told of by one at a time, and are read anew once one was written: that keeps
//! their number.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::after;
use reprise_engine::look;
use reprise_engine::pace::Errand;
use reprise_model::check::CheckRunSeen;
use reprise_model::ids::{Repository, RunAttempt, RunId};
use reprise_model::job::Job;
use reprise_model::ledger::LaunchClaim;
use reprise_model::reason::Refusal;

use crate::context::{Controller, WorkError};
use crate::pace::not_asked;
use crate::ports::{GitHub, Ports};

/// The most runs whose looks are kept. A list of 2,000 jobs is two megabytes.
const MOST: usize = 16;

/// The jobs of an attempt; `None` where GitHub refuses for good to show them.
pub(super) type Jobs = Option<Arc<Vec<Job>>>;

/// Our check runs on a run's commit, or GitHub's no.
pub(super) type Checks = Result<Arc<Vec<CheckRunSeen>>, Refusal>;

/// The looks at runs, by their attempts.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<BTreeMap<Attempt, Kept>>);

type Attempt = (Repository, RunId, RunAttempt);

#[derive(Debug)]
struct Kept {
    look: Arc<Look>,
    used_at: Timestamp,
}

/// What GitHub showed of an attempt.
#[derive(Debug, Default)]
pub(super) struct Look {
    jobs: tokio::sync::Mutex<Seen<Jobs>>,
    /// Held by whoever tells of a job's end.
    pub(super) checks: tokio::sync::Mutex<Seen<Checks>>,
}

/// One answer of GitHub's.
#[derive(Debug)]
pub(super) struct Seen<T> {
    answer: Option<(Timestamp, T)>,
    failure: Option<Failure>,
}

#[derive(Debug, Clone, Copy)]
struct Failure {
    at: Timestamp,
    retry_after: Option<SignedDuration>,
}

/// Who wants to go by a look.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visitor<'a> {
    /// The claim, as it was when it was due.
    pub(super) claim: &'a LaunchClaim,
    /// Since when it waits for its look.
    pub(super) came_at: Timestamp,
}

impl Looks {
    /// The look at a claim's attempt.
    pub(super) fn of(&self, claim: &LaunchClaim, now: Timestamp) -> Arc<Look> {
        let attempt = (claim.key.repository.clone(), claim.run_id, claim.attempt);
        let mut looks = self.lock();
        looks.retain(|_, kept| kept.is_in_use() || look::is_young(kept.used_at, now));
        if looks.len() >= MOST && !looks.contains_key(&attempt) {
            forget_oldest(&mut looks);
        }
        let kept = looks.entry(attempt).or_insert_with(|| Kept {
            look: Arc::default(),
            used_at: now,
        });
        kept.used_at = now;
        Arc::clone(&kept.look)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Attempt, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn is_in_use(&self) -> bool {
        Arc::strong_count(&self.look) > 1
    }
}

fn forget_oldest(looks: &mut BTreeMap<Attempt, Kept>) {
    let oldest = looks.iter().min_by_key(|(_, kept)| kept.used_at);
    if let Some(attempt) = oldest.map(|(attempt, _)| attempt.clone()) {
        looks.remove(&attempt);
    }
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self {
            answer: None,
            failure: None,
        }
    }
}

impl<T: Clone> Seen<T> {
    /// Something is about to be changed: what was seen before tells nobody anything.
    pub(super) fn forget(&mut self) {
        self.answer = None;
    }

    fn answer_for(&self, claim: &LaunchClaim, now: Timestamp) -> Option<T> {
        let (begun_at, answer) = self.answer.as_ref()?;
        look::serves(*begun_at, claim.due, now).then(|| answer.clone())
    }

    /// The failure of a read that the visitor waited for.
    fn failure_since(&self, came_at: Timestamp) -> Option<Failure> {
        self.failure.filter(|failure| came_at < failure.at)
    }
}

impl<P: Ports> Controller<P> {
    /// The jobs of a claim's attempt, seen since it became due.
    pub(super) async fn jobs_seen(
        &self,
        look: &Look,
        visitor: Visitor<'_>,
        errand: Errand,
    ) -> Result<Jobs, WorkError> {
        let mut seen = look.jobs.lock().await;
        let read = self.read_jobs_of(visitor.claim, errand);
        self.see(&mut seen, visitor, "read the jobs of a run", read)
            .await
    }

    /// The same for who looks at nothing else.
    pub(super) async fn jobs_of(
        &self,
        claim: &LaunchClaim,
        errand: Errand,
    ) -> Result<Jobs, WorkError> {
        let came_at = self.now();
        let look = self.looks.of(claim, came_at);
        self.jobs_seen(&look, Visitor { claim, came_at }, errand)
            .await
    }

    /// What was seen, or is now.
    pub(super) async fn see<T: Clone>(
        &self,
        seen: &mut Seen<T>,
        visitor: Visitor<'_>,
        operation: &'static str,
        read: impl Future<Output = Result<T, WorkError>>,
    ) -> Result<T, WorkError> {
        let begun_at = self.now();
        if let Some(answer) = seen.answer_for(visitor.claim, begun_at) {
            return Ok(answer);
        }
        if let Some(failure) = seen.failure_since(visitor.came_at) {
            let until = after(begun_at, failure.retry_after.unwrap_or_default());
            return Err(not_asked(operation, until, "another-read-failed", begun_at).into());
        }
        // In a box, as it is deep and seldom done.
        let read = Box::pin(read).await;
        match &read {
            Ok(answer) => seen.answer = Some((begun_at, answer.clone())),
            Err(error) => {
                seen.failure = Some(Failure {
                    at: self.now(),
                    retry_after: error.retry_after(),
                });
            }
        }
        read
    }

    /// A cancel is about to be asked for: whoever decides after it looks anew.
    pub(super) async fn forget_jobs(&self, look: &Look) {
        look.jobs.lock().await.forget();
    }

    async fn read_jobs_of(&self, claim: &LaunchClaim, errand: Errand) -> Result<Jobs, WorkError> {
        let github = self.github_for(errand);
        let jobs = github.jobs(&claim.key.repository, claim.run_id, claim.attempt);
        match jobs.await {
            Ok(jobs) => Ok(Some(Arc::new(jobs))),
            Err(error) if error.refusal().is_some() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

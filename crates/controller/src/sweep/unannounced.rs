//! Queued jobs that no event announced go the way of their event.
//!
//! Where to look and which jobs count, the engine says ([`reprise_engine::unannounced`]).

use jiff::{SignedDuration, Timestamp};
use reprise_engine::pace::Errand;
use reprise_engine::unannounced::{Found, Question, RestReason, Round, judge};
use reprise_model::ids::Repository;
use reprise_model::job::Job;
use reprise_model::labels;
use reprise_model::ledger::ClaimKey;
use reprise_model::reason::IgnoreReason;
use tracing::{debug, info};

use crate::context::{Controller, WorkError};
use crate::intake::{LedBy, Outcome};
use crate::logging::chain;
use crate::ports::{GitHub, PortError, Ports};

impl<P: Ports> Controller<P> {
    /// Goes on with a round as far as one turn goes; when to go on.
    ///
    /// # Errors
    /// When something outside failed. The round goes on after what it was at.
    pub(super) async fn find_queued(
        &self,
        every: SignedDuration,
        round: &mut Round,
    ) -> Result<Timestamp, WorkError> {
        let github = self.github_for(Errand::Read);
        round.begin();
        loop {
            match round.next(every, self.github.rate_remaining(), self.now()) {
                Question::Repositories => {
                    let shown = github.repositories().await?;
                    round.found_repositories(shown.into_iter().filter(|one| self.allows(one)));
                }
                Question::Runs(repository) => {
                    let runs = github.active_runs(&repository).await;
                    round.found_runs(unless_refused(runs)?);
                }
                Question::Jobs(repository, run, attempt) => {
                    let jobs = github.jobs(&repository, run, attempt).await;
                    for job in unless_refused(jobs)? {
                        self.announce(&repository, &job).await?;
                    }
                }
                Question::Rest { why, until } => {
                    told_rest(why);
                    return Ok(until);
                }
            }
        }
    }

    async fn announce(&self, repository: &Repository, job: &Job) -> Result<(), WorkError> {
        match judge(job, &labels::parse(&job.labels), self.now()) {
            Found::Announce => {}
            Found::NotQueued | Found::NotOurs | Found::Young => return Ok(()),
        }
        // No message leads to what is claimed here, and the turn does not wait for EC2.
        let outcome = self.queued(repository, job, LedBy::DueTime).await?;
        if outcome == Outcome::Ignored(IgnoreReason::AlreadyClaimed) {
            // Most have a machine on its way, which tarries; or it is lost.
            let key = ClaimKey {
                repository: repository.clone(),
                job_id: job.id,
            };
            self.ask_at(&key, None, self.now()).await?;
        }
        if matches!(outcome, Outcome::Ignored(_)) {
            return Ok(());
        }
        self.metrics.unannounced(outcome.as_str());
        info!(
            target: "reprise::decision",
            decision = "unannounced",
            reason = outcome.as_str(),
            repository = %repository,
            run.id = %job.run_id,
            run.attempt = %job.run_attempt,
            job.id = %job.id,
            job.name,
            "a queued job is found that no event announced"
        );
        Ok(())
    }
}

/// What GitHub refuses for good to show, as where the App was taken out meanwhile, has nothing for us.
fn unless_refused<T: Default>(read: Result<T, PortError>) -> Result<T, PortError> {
    match read {
        Err(error) if error.refusal().is_some() => {
            debug!(error = %chain(&error), "GitHub does not show where queued jobs may be");
            Ok(T::default())
        }
        read => read,
    }
}

fn told_rest(why: RestReason) {
    match why {
        RestReason::RoundIsOver => {}
        RestReason::AskedEnough | RestReason::RateIsLow => debug!(
            target: "reprise::decision",
            decision = "unannounced-rest",
            reason = why.as_str(),
            "no queued jobs are looked for, for now"
        ),
    }
}

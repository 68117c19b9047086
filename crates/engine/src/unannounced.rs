//! Queued jobs that no event announced: where they are looked for, and which of them count.
//!
//! A round goes through all repositories, their runs that have not ended, and those runs' jobs. A few
//! calls are made at a time, and a round goes on where it was; so a large installation takes longer,
//! and costs no more a minute.
//!
//! It decides nothing about a job's machine: a job that is found goes the way of its event.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{Repository, RunAttempt, RunId};
use reprise_model::job::{Job, JobStatus};
use reprise_model::labels::{JobLabels, LabelErrors};
use reprise_model::run::{Run, RunStatus};

use crate::backoff::after;

/// How long a job waits before it counts: its event is mostly dealt with in seconds, and redelivered
/// in minutes.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// Questions at a time. With one turn in [`TURN`] they are 600 an hour, an eighth of GitHub's budget
/// of 5,000 for an installation.
const QUESTIONS: u32 = 10;

/// The pause between two turns of a round.
const TURN: SignedDuration = SignedDuration::from_mins(1);

/// Questions at a time while the rate limit is low: an answer tells when it is full again.
const QUESTIONS_WHILE_LOW: u32 = 1;

/// Below so many requests that GitHub's rate limit still allows, re-runs and reads of runs need them
/// more.
const RATE_KEPT: u64 = 1_000;

/// Where a round is.
#[derive(Debug, Default)]
pub struct Round {
    begun: Option<Timestamp>,
    repositories: Option<VecDeque<Repository>>,
    runs: VecDeque<(Repository, RunId, RunAttempt)>,
    questions_left: u32,
}

/// What is to be asked next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Question {
    /// Which repositories there are; goes to [`Round::found_repositories`].
    Repositories,
    /// Which runs of a repository have not ended; goes to [`Round::found_runs`].
    Runs(Repository),
    /// Which jobs an attempt of a run has; [`judge`] each of them.
    Jobs(Repository, RunId, RunAttempt),
    /// Nothing, until then.
    Rest {
        /// Why.
        why: RestReason,
        /// When to go on.
        until: Timestamp,
    },
}

/// Why nothing is to be asked for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RestReason {
    /// So much was asked at a time.
    AskedEnough,
    /// The round is over.
    RoundIsOver,
    /// GitHub's budget is needed for other things.
    RateIsLow,
}

/// What is to be done about a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[must_use]
pub enum Found {
    /// It goes the way of its event.
    Announce,
    /// It does not wait for a machine.
    NotQueued,
    /// It is none of ours.
    NotOurs,
    /// Its event may be on its way.
    Young,
}

impl Round {
    /// Goes on, or begins a new round, after a rest.
    pub fn begin(&mut self) {
        self.questions_left = QUESTIONS;
    }

    /// What is to be asked next. A run or a repository is taken as asked about, whatever comes of it;
    /// without the list of repositories there is no round. `remaining` is what
    /// GitHub's rate limit still allows, where that is known.
    pub fn next(
        &mut self,
        every: SignedDuration,
        remaining: Option<u64>,
        now: Timestamp,
    ) -> Question {
        let rest = |why, until| Question::Rest { why, until };
        let is_low = remaining.is_some_and(|remaining| remaining < RATE_KEPT);
        if is_low && self.questions_left + QUESTIONS_WHILE_LOW <= QUESTIONS {
            return rest(RestReason::RateIsLow, after(now, TURN));
        }
        if self.questions_left == 0 {
            return rest(RestReason::AskedEnough, after(now, TURN));
        }
        let question = match self.repositories.as_mut() {
            None => {
                self.begun = Some(now);
                Question::Repositories
            }
            Some(repositories) => match (self.runs.pop_front(), repositories) {
                (Some((repository, run, attempt)), _) => Question::Jobs(repository, run, attempt),
                (None, repositories) => match repositories.pop_front() {
                    Some(repository) => Question::Runs(repository),
                    None => return self.end_round(every, now),
                },
            },
        };
        self.questions_left -= 1;
        question
    }

    /// The repositories to go through: those that configuration allows.
    pub fn found_repositories(&mut self, repositories: impl IntoIterator<Item = Repository>) {
        self.repositories = Some(repositories.into_iter().collect());
    }

    /// The runs of a repository that have not ended.
    pub fn found_runs(&mut self, runs: impl IntoIterator<Item = Run>) {
        let may_wait = |run: &Run| matches!(run.status, RunStatus::Queued | RunStatus::InProgress);
        let runs = runs.into_iter().filter(may_wait);
        self.runs
            .extend(runs.map(|run| (run.repository, run.id, run.run_attempt)));
    }

    fn end_round(&mut self, every: SignedDuration, now: Timestamp) -> Question {
        self.repositories = None;
        let next = self.begun.map_or(now, |begun| after(begun, every));
        Question::Rest {
            why: RestReason::RoundIsOver,
            until: next.max(after(now, TURN)),
        }
    }
}

/// What is to be done about a job of a run that has not ended. Labels with mistakes are ours, too:
/// the refusal is to be told.
pub fn judge(job: &Job, labels: &Result<Option<JobLabels>, LabelErrors>, now: Timestamp) -> Found {
    if job.status != JobStatus::Queued {
        return Found::NotQueued;
    }
    if matches!(labels, Ok(None)) {
        return Found::NotOurs;
    }
    match job.created_at {
        Some(created) if after(created, GRACE) <= now => Found::Announce,
        Some(_) | None => Found::Young,
    }
}

impl RestReason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AskedEnough, Self::RoundIsOver, Self::RateIsLow];

    /// In a word, for the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AskedEnough => "asked-enough",
            Self::RoundIsOver => "round-is-over",
            Self::RateIsLow => "rate-is-low",
        }
    }
}

#[cfg(test)]
mod tests;

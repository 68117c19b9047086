//! The calls of a client of re-runs without HTTP and JSON, for a simulator that plays thousands of
//! worlds: what they answer is what a client reads out of the REST answers.
//!
//! They are counted and audited as requests are, and obey the same faults. They ask for no token and
//! no rate limit stops them.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{CheckRunId, Repository, RunAttempt, RunId};
use reprise_model::job as client;
use reprise_model::run::{CancelCause, Run as ClientRun};

use super::route::{Change, Read};
use crate::github::GitHub;
use crate::github::rerun::{Refusal, Rerun};
use crate::github::state::{Attempt, Job, Run};

/// What a client is told of its re-run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RerunPosted {
    /// 201.
    Accepted,
    /// A refusal.
    Refused(Refusal),
    /// 500, which leaves open whether it was carried out.
    ServerError,
}

impl GitHub {
    /// `GET .../runs/{id}`.
    pub fn read_run(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        id: RunId,
    ) -> Option<ClientRun> {
        self.advance(now);
        let run = self.run_at(repository, id)?;
        let read = client_run(run, run.current());
        self.looked_at(&Read::Run(id));
        Some(read)
    }

    /// All pages of `GET .../runs/{id}/attempts/{n}/jobs`.
    pub fn read_jobs(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        id: RunId,
        number: RunAttempt,
    ) -> Option<Vec<client::Job>> {
        self.advance(now);
        let run = self.run_at(repository, id)?;
        let attempt = run.attempt(number)?;
        let listed = self.listed(now, attempt);
        let jobs = listed.map(|job| client_job(run, attempt, job)).collect();
        self.looked_at(&Read::AttemptJobs(id, number));
        Some(jobs)
    }

    /// `GET .../check-runs/{id}/annotations`, as the cause that they tell.
    pub fn read_cancel_cause(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        check_run: CheckRunId,
    ) -> Option<CancelCause> {
        self.advance(now);
        if self.faults.no_checks_read {
            return Some(CancelCause::Unreadable);
        }
        let (run, _, job) = self.job(reprise_model::ids::JobId(check_run.0))?;
        let messages = job.annotations.iter().map(|it| it.message.as_str());
        let is_there = run.spec.repository == *repository && !self.is_gone(repository);
        is_there.then(|| CancelCause::from_annotations(messages))
    }

    /// The newest run of the same workflow, event and branch that was made after this one.
    pub fn read_newer_run(&mut self, now: Timestamp, run: &ClientRun) -> Option<RunId> {
        self.advance(now);
        let branch = run.head_branch.as_ref()?;
        let newer = |other: &&Run| {
            other.workflow == run.workflow_id
                && other.spec.event == run.event
                && other.spec.head_branch.as_ref() == Some(branch)
                && (whole(other.created_at), other.id) > (run.created_at, run.id)
        };
        let newest = self.runs.values().filter(newer);
        newest
            .max_by_key(|other| (whole(other.created_at), other.id))
            .map(|other| other.id)
    }

    /// `POST .../rerun` or `.../rerun-failed-jobs`.
    pub fn post_rerun(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        asked: Rerun,
    ) -> RerunPosted {
        self.advance(now);
        let answer = self.mutate(now, repository, Change::Rerun(asked));
        match answer.status {
            StatusCode::CREATED => RerunPosted::Accepted,
            status if status.is_server_error() => RerunPosted::ServerError,
            _ => RerunPosted::Refused(Refusal::of_words(answer.message())),
        }
    }
}

/// As [`crate::github::json::Wire`] writes it and a client reads it.
fn client_run(run: &Run, attempt: &Attempt) -> ClientRun {
    ClientRun {
        id: run.id,
        repository: run.spec.repository.clone(),
        run_attempt: attempt.number,
        status: attempt.status.clone(),
        conclusion: attempt.conclusion.clone(),
        workflow_id: run.workflow,
        workflow_name: Some(run.spec.workflow_name.clone()).filter(|name| !name.is_empty()),
        path: Some(run.spec.workflow_path.clone()),
        event: run.spec.event.clone(),
        head_sha: run.spec.head_sha.clone(),
        head_branch: run.spec.head_branch.clone(),
        created_at: whole(run.created_at),
        run_started_at: Some(whole(attempt.started_at)),
    }
}

fn client_job(run: &Run, attempt: &Attempt, job: &Job) -> client::Job {
    client::Job {
        id: job.id,
        run_id: run.id,
        run_attempt: attempt.number,
        name: job.name.clone(),
        workflow_name: Some(run.spec.workflow_name.clone()),
        status: job.status.clone(),
        conclusion: job.conclusion.clone(),
        labels: job.labels.clone(),
        runner_name: job
            .runner
            .as_ref()
            .map(|runner| reprise_model::ids::RunnerName::new(runner.name.clone())),
        created_at: Some(whole(job.created_at)),
        started_at: Some(whole(job.started_at.unwrap_or(job.created_at))),
        completed_at: job.completed_at.map(whole),
        head_sha: run.spec.head_sha.clone(),
        head_branch: run.spec.head_branch.clone(),
        check_run: Some(job.check_run()),
    }
}

/// GitHub tells whole seconds.
fn whole(time: Timestamp) -> Timestamp {
    let nanoseconds = i64::from(time.subsec_nanosecond());
    time.checked_sub(SignedDuration::from_nanos(nanoseconds))
        .unwrap_or(time)
}

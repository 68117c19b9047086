//! The calls of a client of re-runs without HTTP and JSON, for a simulator that plays thousands of
//! worlds: what they answer is what a client reads out of the REST answers.
//!
//! They are counted and audited as requests are, and obey the same faults. They ask for no token and
//! no rate limit stops them.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use reprise_model::check::{CheckRunOrder, CheckRunSeen, CheckText};
use reprise_model::delivery::{HookAttempt, HookPage};
use reprise_model::failure::{self, AnnotationLevel, FailureFacts, JobLog, LOG_END};
use reprise_model::ids::{
    CheckRunId, HookAttemptId, HookCursor, JobId, Repository, RunAttempt, RunId, Sha,
};
use reprise_model::job as client;
use reprise_model::run::{CancelCause, Run as ClientRun, RunStatus};

use serde_json::json;

use super::route::{Change, CheckCall, Read};
use crate::github::GitHub;
use crate::github::checks::CheckRun;
use crate::github::rerun::{Refusal, Rerun};
use crate::github::state::{Annotation, Attempt, Job, Run, Step};

/// What a client is told of a cancel or a check run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangePosted {
    /// 200, 201 or 202.
    Accepted,
    /// 403: a permission is missing.
    NotPermitted,
    /// 404, 409 or 422.
    Refused,
    /// 500, which leaves open whether it was carried out.
    ServerError,
}

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
        let (run, _, job) = self.job(JobId(check_run.0))?;
        let messages = job.annotations.iter().map(|it| it.message.as_str());
        let is_there = run.spec.repository == *repository && !self.is_gone(repository);
        is_there.then(|| CancelCause::from_annotations(messages))
    }

    /// `GET .../jobs/{id}`, its annotations and the end of its log, as what tells why the job failed.
    pub fn read_failure_facts(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        id: JobId,
    ) -> Option<FailureFacts> {
        self.advance(now);
        let (run, _, job) = self.job(id)?;
        if run.spec.repository != *repository || self.is_gone(repository) {
            return None;
        }
        let annotations = job.annotations.iter().map(client_annotation);
        let annotations = (!self.faults.no_checks_read).then(|| annotations.collect());
        let log = self.log_of(id).map(String::into_bytes);
        let log = log.map(|mut log| log.split_off(log.len().saturating_sub(LOG_END)));
        let facts = FailureFacts {
            conclusion: job.conclusion.clone(),
            steps: job.steps.iter().map(client_step).collect(),
            annotations,
            log: log.map_or(JobLog::Missing, JobLog::End),
        };
        self.looked_at(&Read::Job(id));
        Some(facts)
    }

    /// The newest run of the same workflow, event and branch that was made after this one, or else the one
    /// that has its concurrency group.
    pub fn read_newer_run(&mut self, now: Timestamp, run: &ClientRun) -> Option<RunId> {
        self.advance(now);
        self.newer_on_branch(run)
            .or_else(|| self.group_holder(run.id))
    }

    fn newer_on_branch(&self, run: &ClientRun) -> Option<RunId> {
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

    /// A page of `GET /app/hook/deliveries`, the newest first.
    pub fn read_attempts(&mut self, now: Timestamp, from: Option<&HookCursor>) -> HookPage {
        self.advance(now);
        let from = from.and_then(|cursor| cursor.as_str().parse().ok());
        let after_it = |attempt: &HookAttempt| from.is_none_or(|from| attempt.id <= from);
        let mut listed = self.attempts().filter(after_it);
        let attempts: Vec<HookAttempt> = listed.by_ref().take(PAGE).collect();
        let next = listed.next();
        HookPage {
            attempts: attempts.into_iter().map(in_seconds).collect(),
            next: next.map(|next| HookCursor::new(next.id.to_string())),
        }
    }

    /// `POST /app/hook/deliveries/{id}/attempts`. Whether it is made again.
    pub fn post_redelivery(&mut self, now: Timestamp, attempt: HookAttemptId) -> bool {
        self.advance(now);
        self.redeliver(now, attempt).is_ok()
    }

    /// All pages of `GET /installation/repositories`.
    pub fn read_repositories(&mut self, now: Timestamp) -> Vec<Repository> {
        self.advance(now);
        let all = self.repositories.keys();
        all.filter(|one| !self.is_gone(one)).cloned().collect()
    }

    /// All pages of `GET .../runs` for those that are queued and those in progress.
    pub fn read_active_runs(
        &mut self,
        now: Timestamp,
        repository: &Repository,
    ) -> Option<Vec<ClientRun>> {
        self.advance(now);
        if self.is_gone(repository) {
            return None;
        }
        let active = |run: &&Run| {
            let status = &run.current().status;
            run.spec.repository == *repository
                && matches!(status, RunStatus::Queued | RunStatus::InProgress)
        };
        let runs = self.runs.values().rev().filter(active);
        Some(runs.map(|run| client_run(run, run.current())).collect())
    }

    /// All pages of `GET .../commits/{ref}/check-runs?check_name=`; `None` where the App may not read them.
    pub fn read_check_runs(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        head: &Sha,
        name: &str,
    ) -> Option<Vec<CheckRunSeen>> {
        self.advance(now);
        let seen = |check: &CheckRun| CheckRunSeen {
            id: check.id,
            external_id: Some(check.external_id.clone()),
            text: Some(check.text.clone()),
        };
        let asked = |check: &&CheckRun| check.name == name;
        let may = !self.faults.no_checks_read && !self.is_gone(repository);
        may.then(|| {
            let here = self.checks_on(repository, head);
            here.filter(asked).map(seen).collect()
        })
    }

    /// `POST .../check-runs`, or `PATCH .../check-runs/{id}` where one is known; and the number that the
    /// answer tells.
    pub fn write_check_run(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        known: Option<CheckRunId>,
        order: &CheckRunOrder,
    ) -> (ChangePosted, Option<CheckRunId>) {
        self.advance(now);
        let CheckText {
            state,
            title,
            summary,
        } = &order.text;
        let body = json!({
            "name": order.name,
            "head_sha": order.head,
            "external_id": order.external_id,
            "status": state.status(),
            "conclusion": state.conclusion(),
            "output": { "title": title, "summary": summary },
        });
        let call = known.map_or(CheckCall::Make, CheckCall::Update);
        let request = http::Request::new(body.to_string().into_bytes());
        let answer = self.check_call(now, repository, &call, &request);
        let made = answer.id().map(CheckRunId);
        (ChangePosted::of(answer.status), made)
    }

    /// `POST .../runs/{id}/cancel`.
    pub fn post_cancel(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        run: RunId,
    ) -> ChangePosted {
        self.advance(now);
        ChangePosted::of(self.mutate(now, repository, Change::Cancel(run)).status)
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

impl ChangePosted {
    fn of(status: StatusCode) -> Self {
        match status {
            status if status.is_success() => Self::Accepted,
            status if status.is_server_error() => Self::ServerError,
            StatusCode::FORBIDDEN => Self::NotPermitted,
            _ => Self::Refused,
        }
    }
}

/// The longest page of a list.
const PAGE: usize = 100;

fn in_seconds(attempt: HookAttempt) -> HookAttempt {
    HookAttempt {
        at: whole(attempt.at),
        ..attempt
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
        updated_at: Some(whole(attempt.updated_at)),
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
        runner_id: job
            .runner
            .as_ref()
            .map(|runner| reprise_model::ids::RunnerId(runner.id)),
        created_at: Some(whole(job.created_at)),
        started_at: Some(whole(job.started_at.unwrap_or(job.created_at))),
        completed_at: job.completed_at.map(whole),
        head_sha: run.spec.head_sha.clone(),
        head_branch: run.spec.head_branch.clone(),
        check_run: Some(job.check_run()),
    }
}

fn client_step(step: &Step) -> failure::Step {
    failure::Step {
        name: step.name.clone(),
        status: client::JobStatus::Completed,
        conclusion: Some(step.conclusion.clone()),
        started_at: Some(whole(step.started_at)),
        completed_at: Some(whole(step.completed_at)),
    }
}

fn client_annotation(annotation: &Annotation) -> failure::Annotation {
    failure::Annotation {
        level: Some(match annotation.level {
            "failure" => AnnotationLevel::Failure,
            "warning" => AnnotationLevel::Warning,
            "notice" => AnnotationLevel::Notice,
            other => AnnotationLevel::Unknown(other.to_owned()),
        }),
        path: Some(".github".to_owned()),
        message: Some(annotation.message.clone()),
    }
}

/// GitHub tells whole seconds.
fn whole(time: Timestamp) -> Timestamp {
    let nanoseconds = i64::from(time.subsec_nanosecond());
    time.checked_sub(SignedDuration::from_nanos(nanoseconds))
        .unwrap_or(time)
}

//! Calls that only look. What concerns one run is counted, so that the audit can tell whether a
//! client looked between two mutations.

use http::{Request, StatusCode};
use jiff::Timestamp;
use reprise_model::ids::{CheckRunId, JobId, Repository, RunAttempt, RunId};
use reprise_model::job::Conclusion;
use serde_json::{Value, json};

use super::answer::Answer;
use super::mutations::refused;
use super::query::{Page, Query};
use super::route::Read;
use crate::github::GitHub;
use crate::github::json::Wire;
use crate::github::rerun::Refusal;
use crate::github::state::{Attempt, Job, Run};

impl GitHub {
    pub(super) fn read(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        read: &Read,
        query: &Query,
    ) -> Answer {
        if self.is_gone(repository) {
            return Answer::not_found();
        }
        let found = match read {
            Read::Run(run) => self.one_run(repository, *run, None),
            Read::Attempt(run, number) => self.one_run(repository, *run, Some(*number)),
            Read::AttemptJobs(run, number) => {
                self.jobs_of(now, repository, *run, Some(*number), query)
            }
            Read::RunJobs(run) => self.jobs_of(now, repository, *run, None, query),
            Read::Job(job) => self.one_job(repository, *job),
            Read::Annotations(check_run) => self.annotations(repository, *check_run, query),
            Read::Runs => Some(self.runs_in(repository, query)),
            Read::WorkflowRuns(workflow) => Some(self.runs_of(repository, workflow, query)),
            Read::RunGroups(run) => self.groups_of_run(repository, *run),
            Read::Group(name) => self.group(repository, name),
        };
        if found.is_some() {
            self.looked_at(read);
        }
        found.unwrap_or_else(Answer::not_found)
    }

    /// Counts a look that found what it looked for.
    pub(super) fn looked_at(&mut self, read: &Read) {
        if let Some(run) = self.run_looked_at(read) {
            *self.reads.entry(run).or_default() += 1;
        }
    }

    fn run_looked_at(&self, read: &Read) -> Option<RunId> {
        match read {
            Read::Run(run)
            | Read::Attempt(run, _)
            | Read::AttemptJobs(run, _)
            | Read::RunJobs(run)
            | Read::RunGroups(run) => Some(*run),
            Read::Job(job) => self.places.get(job).map(|(run, _)| *run),
            Read::Annotations(_) | Read::Runs | Read::WorkflowRuns(_) | Read::Group(_) => None,
        }
    }

    pub(super) fn run_at(&self, repository: &Repository, run: RunId) -> Option<&Run> {
        self.run(run)
            .filter(|run| run.spec.repository == *repository)
            .filter(|_| !self.is_gone(repository))
    }

    fn one_run(
        &self,
        repository: &Repository,
        run: RunId,
        number: Option<RunAttempt>,
    ) -> Option<Answer> {
        let run = self.run_at(repository, run)?;
        let attempt = match number {
            Some(number) => run.attempt(number)?,
            None => run.current(),
        };
        Some(Answer::ok(Wire(&self.settings).run(run, attempt)))
    }

    fn one_job(&self, repository: &Repository, job: JobId) -> Option<Answer> {
        let (run, attempt, job) = self.job(job)?;
        let here = run.spec.repository == *repository;
        here.then(|| Answer::ok(Wire(&self.settings).job(run, attempt, job)))
    }

    /// A link to the log of a job: 404 while there is none, 410 when it was deleted.
    pub(super) fn log(
        &self,
        now: Timestamp,
        repository: &Repository,
        id: JobId,
        request: &Request<Vec<u8>>,
    ) -> Answer {
        let job = self.job(id);
        let is_here = job.is_some_and(|(run, _, _)| run.spec.repository == *repository);
        if !is_here || self.is_gone(repository) {
            return Answer::not_found();
        }
        if self.faults.logs_are_gone {
            return Answer::error(StatusCode::GONE, "Server Error");
        }
        match self.log_of(id) {
            Some(_) => Answer::found(self.log_link(now, id, request)),
            None => Answer::not_found(),
        }
    }

    /// The jobs of one attempt; without a number those of the latest one, or of all attempts with
    /// `filter=all`.
    fn jobs_of(
        &self,
        now: Timestamp,
        repository: &Repository,
        run: RunId,
        number: Option<RunAttempt>,
        query: &Query,
    ) -> Option<Answer> {
        let run = self.run_at(repository, run)?;
        let attempts: Vec<&Attempt> = match number {
            Some(number) => vec![run.attempt(number)?],
            None if query.get("filter") == Some("all") => run.attempts().rev().collect(),
            None => vec![run.current()],
        };
        let shown = attempts
            .into_iter()
            .flat_map(|attempt| self.shown(now, run, attempt));
        Some(self.list(query, "jobs", shown.collect()))
    }

    /// What the list of an attempt's jobs shows: all of it, unless lists lag behind.
    fn shown(&self, now: Timestamp, run: &Run, attempt: &Attempt) -> Vec<Value> {
        let wire = Wire(&self.settings);
        let listed = self.listed(now, attempt);
        listed.map(|job| wire.job(run, attempt, job)).collect()
    }

    pub(super) fn listed<'a>(
        &self,
        now: Timestamp,
        attempt: &'a Attempt,
    ) -> impl Iterator<Item = &'a Job> + use<'a> {
        let lags =
            !attempt.number.is_first() && now < attempt.updated_at + self.faults.job_lists_lag;
        let missing = usize::from(lags);
        let shown = attempt.jobs.len().saturating_sub(missing);
        attempt.jobs.values().take(shown)
    }

    fn annotations(
        &self,
        repository: &Repository,
        check_run: CheckRunId,
        query: &Query,
    ) -> Option<Answer> {
        if self.faults.no_checks_read {
            return Some(refused(Refusal::NotPermitted));
        }
        let (run, _, job) = self.job(JobId(check_run.0))?;
        let wire = Wire(&self.settings);
        let all = job.annotations.iter().map(|it| wire.annotation(run, it));
        let page = query.page(&self.settings.api_url, all.collect());
        (run.spec.repository == *repository).then(|| Answer {
            link: page.link,
            ..Answer::ok(Value::Array(page.items))
        })
    }

    fn runs_in(&self, repository: &Repository, query: &Query) -> Answer {
        let wire = Wire(&self.settings);
        let runs = self.runs.values().rev();
        let runs = runs.filter(|run| run.spec.repository == *repository && asked_for(run, query));
        let runs = runs.map(|run| wire.run(run, run.current()));
        self.list(query, "workflow_runs", runs.collect())
    }

    fn runs_of(&self, repository: &Repository, workflow: &str, query: &Query) -> Answer {
        let known = self.workflows.iter().find(|((of, path), id)| {
            of == repository && (id.to_string() == workflow || file_name(path) == workflow)
        });
        let Some((_, workflow)) = known else {
            return Answer::not_found();
        };
        let wire = Wire(&self.settings);
        let runs = self
            .runs
            .values()
            .rev()
            .filter(|run| run.workflow == *workflow);
        let runs = runs.filter(|run| asked_for(run, query));
        self.list(
            query,
            "workflow_runs",
            runs.map(|run| wire.run(run, run.current())).collect(),
        )
    }

    pub(super) fn list(&self, query: &Query, name: &str, all: Vec<Value>) -> Answer {
        let Page { total, items, link } = query.page(&self.settings.api_url, all);
        let mut body = json!({ "total_count": total });
        body[name] = Value::Array(items);
        Answer {
            link,
            ..Answer::new(StatusCode::OK, body)
        }
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `status` asks for a status or a conclusion.
fn asked_for(run: &Run, query: &Query) -> bool {
    let spec = &run.spec;
    let attempt = run.current();
    let status = serde_json::to_value(&attempt.status).unwrap_or_default();
    let conclusion = attempt.conclusion.as_ref().map(Conclusion::as_str);
    query.agrees("branch", spec.head_branch.as_deref())
        && query.agrees("event", Some(&spec.event))
        && query.agrees("head_sha", Some(spec.head_sha.as_str()))
        && query.agrees("actor", Some(&spec.actor))
        && (query.agrees("status", status.as_str()) || query.agrees("status", conclusion))
        && query.created(run.created_at)
}

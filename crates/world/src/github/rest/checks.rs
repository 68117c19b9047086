//! Calls about the App's check runs.

use http::{Request, StatusCode};
use jiff::Timestamp;
use reprise_model::check::{CheckState, CheckText};
use reprise_model::ids::{CheckRunId, Repository, Sha};
use serde::Deserialize;

use super::answer::Answer;
use super::mutations::refused;
use super::query::Query;
use super::route::CheckCall;
use crate::github::GitHub;
use crate::github::checks::{CheckOrder, CheckRun};
use crate::github::json::Wire;
use crate::github::rerun::Refusal;

#[derive(Deserialize)]
struct Body {
    name: String,
    head_sha: Option<Sha>,
    #[serde(default)]
    external_id: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    conclusion: Option<String>,
    output: Output,
}

#[derive(Deserialize)]
struct Output {
    title: String,
    summary: String,
}

impl Body {
    /// A conclusion alone means that it has completed.
    fn state(&self) -> Option<CheckState> {
        let given = self.status.as_deref();
        let status = match self.conclusion {
            Some(_) => given.unwrap_or("completed"),
            None => given?,
        };
        CheckState::read(status, self.conclusion.as_deref())
    }
}

impl GitHub {
    pub(super) fn check_call(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        call: &CheckCall,
        request: &Request<Vec<u8>>,
    ) -> Answer {
        if self.is_gone(repository) || !self.repositories.contains_key(repository) {
            return Answer::not_found();
        }
        if self.faults.no_checks_read {
            return refused(Refusal::NotPermitted);
        }
        match call {
            CheckCall::List(head) => self.checks_of(repository, head, &Query::of(request)),
            CheckCall::Make => self.write_check(now, repository, None, request.body()),
            CheckCall::Update(id) => self.write_check(now, repository, Some(*id), request.body()),
        }
    }

    fn checks_of(&self, repository: &Repository, head: &Sha, query: &Query) -> Answer {
        let wire = Wire(&self.settings);
        let app = self.settings.app_id.to_string();
        let here = self.checks_on(repository, head);
        let asked = here.filter(|check| {
            query.agrees("check_name", Some(&check.name)) && query.agrees("app_id", Some(&app))
        });
        self.list(
            query,
            "check_runs",
            asked.map(|check| wire.check(check)).collect(),
        )
    }

    pub(super) fn checks_on<'a>(
        &'a self,
        repository: &'a Repository,
        head: &'a Sha,
    ) -> impl Iterator<Item = &'a CheckRun> {
        let all = self.checks.values();
        all.filter(move |check| check.repository == *repository && check.head == *head)
    }

    fn write_check(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        known: Option<CheckRunId>,
        body: &[u8],
    ) -> Answer {
        let body: Body = match serde_json::from_slice(body) {
            Ok(body) => body,
            Err(error) => return invalid(&format!("Invalid request.\n\n{error}")),
        };
        let Some(state) = body.state() else {
            return invalid("No check run of this status and conclusion is simulated.");
        };
        let order = CheckOrder {
            name: body.name,
            external_id: body.external_id,
            text: CheckText {
                state,
                title: body.output.title,
                summary: body.output.summary,
            },
        };
        let (status, written) = match (known, body.head_sha) {
            (Some(id), _) => match self.update_check(now, repository, id, order) {
                Some(written) => (StatusCode::OK, written),
                None => return Answer::not_found(),
            },
            (None, Some(head)) if self.has_commit(repository, &head) => {
                let made = self.make_check(now, repository, head, order);
                (StatusCode::CREATED, made)
            }
            (None, Some(head)) => return invalid(&format!("No commit found for SHA: {head}")),
            (None, None) => return invalid("Invalid request.\n\n\"head_sha\" wasn't supplied."),
        };
        Answer::new(status, Wire(&self.settings).check(&written))
    }
}

fn invalid(message: &str) -> Answer {
    Answer::error(StatusCode::UNPROCESSABLE_ENTITY, message)
}

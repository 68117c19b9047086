//! The REST door: one request in, one answer out.
//!
//! Only what a client of re-runs and of runners uses, with GitHub's status codes and messages; anything else is
//! 404. Requests are authenticated as GitHub does: App routes by JWT, repository routes by an
//! installation token.

mod answer;
mod app;
mod auth;
mod checks;
mod direct;
mod direct_runners;
mod groups;
mod mutations;
mod query;
mod reads;
mod route;
mod runners;

use http::{Request, Response};
use jiff::Timestamp;

use super::GitHub;
use super::json::Wire;
use answer::Answer;
pub(super) use answer::RateWindow;
pub use direct::{ChangePosted, RerunPosted};
pub use direct_runners::{RunnerOrdered, RunnerRemoved};
use route::Route;

impl GitHub {
    /// Answers one REST request, after everything that GitHub did by itself until `now`.
    pub fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        self.advance(now);
        if let Some(answer) = self.store_answer(now, request) {
            return answer;
        }
        let route = Route::of(request.method(), request.uri().path());
        let name = route.as_ref().map_or("unknown", Route::name);
        *self.requests.entry(name).or_default() += 1;
        let answer = match route {
            Some(route) => self.answer(now, &route, request),
            None => Answer::not_found(),
        };
        self.respond(now, answer)
    }

    fn answer(&mut self, now: Timestamp, route: &Route, request: &Request<Vec<u8>>) -> Answer {
        let allowed = match route {
            Route::App
            | Route::HookConfig
            | Route::Installation(_)
            | Route::AccessToken(_)
            | Route::Deliveries
            | Route::Redeliver(_)
            | Route::Installations => self.check_app(request),
            Route::RateLimit
            | Route::InstallationRepositories
            | Route::Read(..)
            | Route::Log(..)
            | Route::Mutate(..)
            | Route::Checks(..)
            | Route::Runners(..) => self.check_token(now, request),
        };
        if let Some(refusal) = allowed.err().or_else(|| self.over_limit(now, route)) {
            return refusal;
        }
        let query = query::Query::of(request);
        match route {
            Route::RateLimit => self.rate_limit(now),
            Route::App => self.app(),
            Route::HookConfig => Answer::ok(Wire(&self.settings).hook_config()),
            Route::Installation(repository) => self.installation_of(repository),
            Route::AccessToken(installation) => self.new_token(now, *installation),
            Route::Deliveries => self.deliveries_page(&query),
            Route::Redeliver(attempt) => self.redelivered(now, *attempt),
            Route::Installations => self.installations(&query),
            Route::InstallationRepositories => self.installation_repositories(&query),
            Route::Read(repository, read) => self.read(now, repository, read, &query),
            Route::Log(repository, job) => self.log(now, repository, *job, request),
            Route::Mutate(repository, change) => self.mutate(now, repository, *change),
            Route::Checks(repository, call) => self.check_call(now, repository, call, request),
            Route::Runners(place, call) => self.runner_call(now, place, *call, request),
        }
    }
}

//! Calls about self-hosted runners, of an organisation or of a repository.

use http::{Request, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::query::Query;
use super::route::RunnerCall;
use crate::github::GitHub;
use crate::github::json::Wire;
use crate::github::registrations::{Order, OrderRefusal, Registration, RunnerPlace};

/// The body of an order.
#[derive(Deserialize)]
struct Body {
    name: String,
    runner_group_id: u64,
    labels: Vec<String>,
    #[serde(default = "usual_folder")]
    work_folder: String,
}

fn usual_folder() -> String {
    "_work".to_owned()
}

impl GitHub {
    pub(super) fn runner_call(
        &mut self,
        now: Timestamp,
        place: &RunnerPlace,
        call: RunnerCall,
        request: &Request<Vec<u8>>,
    ) -> Answer {
        if !self.has_place(place) {
            return Answer::not_found();
        }
        if self.faults.no_runners_write {
            let message = "Resource not accessible by integration";
            return Answer::error(StatusCode::FORBIDDEN, message);
        }
        self.prune_runners(now);
        let query = Query::of(request);
        match call {
            RunnerCall::List => self.runners_of(place, &query),
            RunnerCall::Groups => self.groups_list(place, &query),
            RunnerCall::One(id) => match self.runner_at(place, id) {
                Some(runner) => Answer::ok(self.runner_json(runner)),
                None => Answer::not_found(),
            },
            RunnerCall::Remove(id) => self.remove_runner(place, id),
            RunnerCall::Order => self.faulty_order(now, place, request.body()),
        }
    }

    /// An order, with the faults that are switched on.
    fn faulty_order(&mut self, now: Timestamp, place: &RunnerPlace, body: &[u8]) -> Answer {
        let broken = Answer::error(StatusCode::INTERNAL_SERVER_ERROR, "Server Error");
        if self.faults.fail_before_acting > 0 {
            self.faults.fail_before_acting -= 1;
            return broken;
        }
        let answer = self.order(now, place, body);
        if self.faults.fail_after_acting > 0 {
            self.faults.fail_after_acting -= 1;
            return broken;
        }
        answer
    }

    fn order(&mut self, now: Timestamp, place: &RunnerPlace, body: &[u8]) -> Answer {
        let Ok(body) = serde_json::from_slice::<Body>(body) else {
            return invalid("Invalid request: name, runner_group_id and labels are wanted");
        };
        let order = Order {
            name: body.name,
            group: body.runner_group_id,
            labels: body.labels,
            work_folder: body.work_folder,
        };
        let made = self.order_runner(now, place, order).cloned();
        match made {
            Ok(runner) => {
                let body = json!({
                    "runner": self.runner_json(&runner),
                    "encoded_jit_config": runner.encoded,
                });
                Answer::new(StatusCode::CREATED, body)
            }
            Err(OrderRefusal::NoSuchGroup) => Answer::not_found(),
            Err(OrderRefusal::Invalid(what)) => invalid(&format!("Validation Failed: {what}")),
            Err(OrderRefusal::NameTaken) => Answer::error(
                StatusCode::CONFLICT,
                "Already exists - A runner with the name *** already exists.",
            ),
        }
    }

    fn remove_runner(&mut self, place: &RunnerPlace, id: u64) -> Answer {
        let Some(runner) = self.runner_at(place, id) else {
            return Answer::not_found();
        };
        if runner.is_busy() {
            let name = &runner.name;
            let message =
                format!("Runner \"{name}\" is currently running a job and cannot be deleted.");
            return invalid(&message);
        }
        self.registrations.remove(&id);
        Answer::new(StatusCode::NO_CONTENT, Value::Null)
    }

    pub(super) fn runner_at(&self, place: &RunnerPlace, id: u64) -> Option<&Registration> {
        let runner = self.registrations.get(&id);
        runner.filter(|runner| runner.place == *place)
    }

    fn runner_json(&self, runner: &Registration) -> Value {
        Wire(&self.settings).runner(runner)
    }

    fn runners_of(&self, place: &RunnerPlace, query: &Query) -> Answer {
        let here = self
            .registrations
            .values()
            .filter(|one| one.place == *place);
        let asked = here.filter(|one| query.agrees("name", Some(one.name.as_str())));
        let all = asked.map(|runner| self.runner_json(runner)).collect();
        self.list(query, "runners", all)
    }

    fn groups_list(&self, place: &RunnerPlace, query: &Query) -> Answer {
        let wire = Wire(&self.settings);
        let all = match place {
            RunnerPlace::Organization(organization) => self
                .groups_of(place)
                .map(|(id, name)| wire.runner_group(organization, id, name))
                .collect(),
            // There is no such route.
            RunnerPlace::Repository(_) => return Answer::not_found(),
        };
        self.list(query, "runner_groups", all)
    }
}

fn invalid(message: &str) -> Answer {
    let body = json!({ "message": message, "documentation_url": "https://docs.github.com/rest" });
    Answer::new(StatusCode::UNPROCESSABLE_ENTITY, body)
}

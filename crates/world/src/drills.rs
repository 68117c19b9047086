//! The Fault Injection Service, as far as one template goes: it interrupts a spot instance of the stack that was
//! marked for it, as `terraform/modules/drill` says.
//!
//! StartExperiment and GetExperiment alone. Who may begin what is AWS's affair; here every account may.

use std::collections::BTreeMap;

use http::{Method, Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_model::instance::{Capacity, InstanceState};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws_auth::signer;
use crate::ec2::{Ec2, Interruption};

/// The id of the template.
pub const DRILL_TEMPLATE: &str = "EXTrepriseDrill001";

/// The tag by which it knows its target, and that tag's value.
pub const DRILL_TARGET: (&str, &str) = ("reprise-drill", "true");

/// How long before the end EC2 gives notice.
const NOTICE: SignedDuration = SignedDuration::from_mins(2);

/// What the service says where nothing bears the tags.
const NO_TARGET: &str = "Target resolution returned empty set";

/// Whether a request is meant for it.
pub(crate) fn is_for_fis(request: &Request<Vec<u8>>) -> bool {
    signer(request).is_ok_and(|signer| signer.service == "fis")
}

/// The experiments of a region.
#[derive(Debug, Default)]
pub struct Drills {
    experiments: BTreeMap<String, Experiment>,
    /// How often somebody looks at an experiment before it looks for its targets; 0, it does so at once.
    pub resolves_after: u32,
}

#[derive(Debug)]
struct Experiment {
    token: String,
    /// How many looks more it takes until it looks for its targets.
    looks: u32,
    /// Whom it took; nobody, and it has failed.
    took: Vec<InstanceId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start {
    client_token: String,
    experiment_template_id: String,
}

impl Drills {
    /// How many were begun.
    pub fn begun(&self) -> usize {
        self.experiments.len()
    }

    /// Answers a request. The stack's tag is what targets must bear beside their own.
    pub(crate) fn handle(
        &mut self,
        now: Timestamp,
        ec2: &mut Ec2,
        stack: (&str, &str),
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        let parts: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        match (request.method(), parts.as_slice()) {
            (&Method::POST, ["experiments"]) => self.start(now, ec2, stack, request.body()),
            (&Method::GET, ["experiments", id]) => match self.experiments.get_mut(*id) {
                Some(experiment) => {
                    let is_waiting = experiment.is_looked_at(now, ec2, stack);
                    answer(StatusCode::OK, &told(id, experiment, is_waiting))
                }
                None => not_found("experiment", id),
            },
            _ => refusal(
                StatusCode::BAD_REQUEST,
                "ValidationException",
                "no such call",
            ),
        }
    }

    fn start(
        &mut self,
        now: Timestamp,
        ec2: &mut Ec2,
        stack: (&str, &str),
        body: &[u8],
    ) -> Response<Vec<u8>> {
        let Ok(asked) = serde_json::from_slice::<Start>(body) else {
            let words = "clientToken and experimentTemplateId are required";
            return refusal(StatusCode::BAD_REQUEST, "ValidationException", words);
        };
        if asked.experiment_template_id != DRILL_TEMPLATE {
            return not_found("experiment template", &asked.experiment_template_id);
        }
        let mut known = self.experiments.iter();
        if let Some((id, experiment)) = known.find(|(_, one)| one.token == asked.client_token) {
            return answer(StatusCode::OK, &told(id, experiment, false));
        }
        let took = match self.resolves_after {
            0 => take(now, ec2, stack),
            _ => Vec::new(),
        };
        let id = format!("EXP{:015}", self.experiments.len().saturating_add(1));
        let experiment = Experiment {
            token: asked.client_token,
            looks: self.resolves_after,
            took,
        };
        let begun = told(&id, &experiment, true);
        self.experiments.insert(id, experiment);
        answer(StatusCode::OK, &begun)
    }
}

impl Experiment {
    /// Whether it still has not looked for its targets.
    fn is_looked_at(&mut self, now: Timestamp, ec2: &mut Ec2, stack: (&str, &str)) -> bool {
        if self.looks == 0 {
            return false;
        }
        self.looks -= 1;
        if self.looks == 0 {
            self.took = take(now, ec2, stack);
        }
        self.looks > 0
    }
}

fn take(now: Timestamp, ec2: &mut Ec2, stack: (&str, &str)) -> Vec<InstanceId> {
    let took = targets(now, ec2, stack);
    for id in &took {
        // A target runs on spot, so that nothing stands in the way.
        let _ = ec2.interrupt(now, id, Interruption::terminate(NOTICE));
    }
    took
}

/// The service asks EC2 for descriptions too, which may lag behind.
fn targets(now: Timestamp, ec2: &mut Ec2, (stack_key, stack): (&str, &str)) -> Vec<InstanceId> {
    let (key, value) = DRILL_TARGET;
    let is_target = |tags: &BTreeMap<String, String>| {
        let is = |key, value| tags.get(key).map(String::as_str) == Some(value);
        is(key, value) && is(stack_key, stack)
    };
    let running = ec2
        .shown(now)
        .into_iter()
        .filter(|one| one.state == InstanceState::Running && one.capacity == Capacity::Spot);
    let marked = running.filter(|one| is_target(&one.tags));
    marked.map(|one| one.instance.id).collect()
}

/// At first it is always under way.
fn told(id: &str, experiment: &Experiment, begins: bool) -> Value {
    let (status, reason) = if begins {
        ("initiating", "Experiment is initiating.")
    } else if experiment.took.is_empty() {
        ("failed", NO_TARGET)
    } else {
        ("completed", "Experiment completed.")
    };
    json!({ "experiment": {
        "id": id,
        "experimentTemplateId": DRILL_TEMPLATE,
        "state": { "status": status, "reason": reason },
    } })
}

fn not_found(what: &str, id: &str) -> Response<Vec<u8>> {
    let words = format!("The {what} {id} does not exist");
    refusal(StatusCode::NOT_FOUND, "ResourceNotFoundException", &words)
}

fn refusal(status: StatusCode, code: &str, words: &str) -> Response<Vec<u8>> {
    answer(status, &json!({ "__type": code, "message": words }))
}

fn answer(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    let mut response = Response::new(body.to_string().into_bytes());
    *response.status_mut() = status;
    response
}

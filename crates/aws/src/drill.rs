//! The Fault Injection Service: begins an experiment by its template, and looks how it goes.
//!
//! What an experiment does, and to whom, its template says alone (`terraform/modules/drill`).

use std::fmt;

use http::Method;
use reprise_model::ids::Region;
use serde_json::{Value, json};

use crate::error::CallError;
use crate::signed::{Asked, Service};

/// An experiment that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Its id, as `EXPTucQmMbBpWHqBq8`.
    pub id: String,
    /// How it goes.
    pub state: ExperimentState,
    /// What the service says of that, in its own words.
    pub reason: Option<String>,
}

/// How an experiment goes
/// (<https://docs.aws.amazon.com/fis/latest/APIReference/API_ExperimentState.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExperimentState {
    /// It is on its way: `pending`, `initiating`, `running`, or a word that was added since.
    Running,
    /// It has done what it was to do.
    Completed,
    /// It was stopped, or failed: `stopping`, `stopped`, `failed`, `cancelled`.
    Failed,
}

impl ExperimentState {
    fn of(word: &str) -> Self {
        match word {
            "completed" => Self::Completed,
            "stopping" | "stopped" | "failed" | "cancelled" => Self::Failed,
            _ => Self::Running,
        }
    }
}

impl fmt::Display for ExperimentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        })
    }
}

/// The service in a region.
#[derive(Debug)]
pub struct Drills(Service);

impl Drills {
    /// Prepares it; nobody is asked yet.
    pub async fn connect(region: &Region) -> Result<Self, CallError> {
        Ok(Self(Service::connect("fis", region, None).await?))
    }

    /// Begins an experiment. Needs `fis:StartExperiment` on the template and on experiments. The same token
    /// begins no second one.
    pub async fn start(&self, template: &str, token: &str) -> Result<Experiment, CallError> {
        let body = json!({ "clientToken": token, "experimentTemplateId": template });
        let asked = Asked {
            operation: "start an experiment",
            method: Method::POST,
            path: "/experiments",
            target: None,
            body: Some(&body),
        };
        self.asked(asked).await
    }

    /// How an experiment goes. Needs `fis:GetExperiment`.
    pub async fn look(&self, id: &str) -> Result<Experiment, CallError> {
        let asked = Asked {
            operation: "look at an experiment",
            method: Method::GET,
            path: &format!("/experiments/{id}"),
            target: None,
            body: None,
        };
        self.asked(asked).await
    }

    async fn asked(&self, asked: Asked<'_>) -> Result<Experiment, CallError> {
        let operation = asked.operation.to_owned();
        let answer = self.0.ask(asked).await?;
        experiment(&answer).ok_or_else(|| {
            CallError::unclear(operation, "the answer names no experiment".to_owned())
        })
    }
}

/// An id goes into the next address: what is no plain word is none.
fn experiment(answer: &Value) -> Option<Experiment> {
    let experiment = answer.get("experiment")?;
    let id = experiment.get("id")?.as_str()?;
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let state = experiment.get("state")?;
    is_plain.then_some(Experiment {
        id: id.to_owned(),
        state: ExperimentState::of(state.get("status")?.as_str()?),
        reason: state
            .get("reason")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_is_read_and_an_answer_without_one_is_none() {
        let answer = json!({ "experiment": {
            "id": "EXPTucQmMbBpWHqBq8",
            "state": { "status": "failed", "reason": "Target resolution returned empty set" },
        } });
        let read = experiment(&answer).expect("one");
        assert_eq!(read.state, ExperimentState::Failed);
        assert_eq!(
            read.reason.as_deref(),
            Some("Target resolution returned empty set")
        );
        for id in ["", "../template", "a b"] {
            let answer = json!({ "experiment": { "id": id, "state": { "status": "running" } } });
            assert_eq!(experiment(&answer), None, "{id}");
        }
        assert_eq!(experiment(&json!({})), None);
    }
}

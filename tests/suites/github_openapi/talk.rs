//! A client that talks to the simulated GitHub and writes down every word of both.

use anyhow::{Context, Result, ensure};
use http::Request;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reprise_model::ids::{JobId, Repository, RunId, RunnerName};
use reprise_model::job::Conclusion;
use reprise_world::github::{AppKeys, GitHub, RunSpec, Settings, Step};
use serde_json::{Value, json};

/// The labels of every job here, and of every runner.
pub(crate) const LABELS: [&str; 1] = ["family=c7a"];

/// A simulated GitHub, its only client, and what they said.
pub(crate) struct Talk {
    /// To make things happen.
    pub(crate) github: GitHub,
    /// For routes of the App.
    pub(crate) app: String,
    /// For routes of repositories.
    pub(crate) token: String,
    now: Timestamp,
    runners: u32,
    said: Vec<Value>,
}

impl Talk {
    /// A GitHub that knows one repository, and an App that has not asked for a token yet.
    pub(crate) fn new() -> Result<Self> {
        let keys = AppKeys::generate()?;
        let mut settings = Settings::new(keys.public_pem, "fake-webhook-secret");
        settings.repositories = vec![repository()?];
        settings.runner_groups = vec!["spot".to_owned()];
        let key = EncodingKey::from_rsa_pem(keys.private_pem.as_bytes())?;
        let claims = json!({ "iss": settings.app_id, "iat": 0, "exp": 600 });
        Ok(Self {
            github: GitHub::new(settings)?,
            app: jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key)?,
            token: String::new(),
            now: "2026-03-01T10:00:00Z".parse()?,
            runners: 0,
            said: Vec::new(),
        })
    }

    /// Everything that was said so far, webhooks last, as the judge reads it.
    pub(crate) fn into_said(mut self) -> Result<Vec<Value>> {
        for delivery in self.github.take_deliveries() {
            let body: Value = serde_json::from_str(&delivery.body)?;
            self.said
                .push(json!({ "webhook": delivery.event, "body": body }));
        }
        Ok(self.said)
    }

    /// A moment after the last one.
    pub(crate) fn now(&mut self) -> Timestamp {
        self.wait(SignedDuration::from_secs(1));
        self.now
    }

    /// Lets time pass, and GitHub do by itself what is due.
    pub(crate) fn wait(&mut self, time: SignedDuration) {
        self.now += time;
        self.github.advance(self.now);
    }

    /// Asks as the installation; the status must be this one.
    pub(crate) fn ask(&mut self, method: &str, path: &str, status: u16) -> Result<Value> {
        let token = self.token.clone();
        self.ask_as(&token, method, path, status)
    }

    /// Asks with a credential. A POST that re-runs carries the body that the client sends.
    pub(crate) fn ask_as(
        &mut self,
        credential: &str,
        method: &str,
        path: &str,
        status: u16,
    ) -> Result<Value> {
        let body = (method == "POST" && path.contains("rerun")).then(|| json!({}));
        self.say(credential, method, path, body, status)
    }

    /// Asks as the installation with a body; the status must be this one.
    pub(crate) fn order(&mut self, path: &str, body: Value, status: u16) -> Result<Value> {
        let token = self.token.clone();
        self.say(&token, "POST", path, Some(body), status)
    }

    /// The same for what is there already.
    pub(crate) fn write(&mut self, path: &str, body: Value, status: u16) -> Result<Value> {
        let token = self.token.clone();
        self.say(&token, "PATCH", path, Some(body), status)
    }

    fn say(
        &mut self,
        credential: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        status: u16,
    ) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {credential}"))
            .body(
                body.as_ref()
                    .map(Value::to_string)
                    .unwrap_or_default()
                    .into_bytes(),
            )?;
        let now = self.now();
        let answer = self.github.handle(now, &request);
        let answered = answer.status().as_u16();
        let said: Value = match answer.body().as_slice() {
            [] => Value::Null,
            text => serde_json::from_slice(text)
                .with_context(|| format!("{method} {path} answered no JSON"))?,
        };
        ensure!(
            answered == status,
            "{method} {path} answered {answered}, not {status}: {said}"
        );
        self.said.push(json!({
            "method": method,
            "path": path,
            "request": body,
            "status": answered,
            "body": said,
        }));
        Ok(said)
    }

    /// Starts a run.
    pub(crate) fn push(&mut self, spec: RunSpec) -> RunId {
        let now = self.now();
        self.github.push(now, spec)
    }

    /// A new runner takes the oldest queued job.
    pub(crate) fn take(&mut self) -> Result<JobId> {
        self.runners += 1;
        let name = RunnerName::new(format!("runner-{}", self.runners));
        let labels = LABELS.map(str::to_owned);
        let now = self.now();
        let job = self.github.take_job(now, &name, &labels);
        job.context("no job is queued")
    }

    /// Its runner reports the end of a job that had one step.
    pub(crate) fn finish(&mut self, job: JobId, conclusion: Conclusion) -> Result<()> {
        let (started_at, completed_at) = (self.now, self.now());
        let step = Step {
            name: "Build".to_owned(),
            conclusion: step_conclusion(&conclusion),
            started_at,
            completed_at,
        };
        Ok(self
            .github
            .finish_job(completed_at, job, conclusion, vec![step])?)
    }

    /// Takes and ends every job that is queued or comes to be.
    pub(crate) fn work_off(&mut self, conclusion: &Conclusion) -> Result<()> {
        let labels = LABELS.map(str::to_owned);
        while !self.github.queued_jobs(Some(&labels)).is_empty() {
            let job = self.take()?;
            self.finish(job, conclusion.clone())?;
        }
        Ok(())
    }
}

/// A step knows fewer words than a job.
fn step_conclusion(of_job: &Conclusion) -> Conclusion {
    match of_job {
        Conclusion::Success | Conclusion::Failure | Conclusion::Cancelled | Conclusion::Skipped => {
            of_job.clone()
        }
        Conclusion::Neutral
        | Conclusion::TimedOut
        | Conclusion::ActionRequired
        | Conclusion::Stale
        | Conclusion::StartupFailure
        | Conclusion::Unknown(_) => Conclusion::Failure,
    }
}

/// The repository of everything here.
pub(crate) fn repository() -> Result<Repository> {
    Ok("acme/shop".parse()?)
}

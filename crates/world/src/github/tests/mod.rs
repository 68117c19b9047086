//! The simulated GitHub against what is known of the real one; one sentence a fact.

mod cancels;
mod direct;
mod hook;
mod logs;
mod refusals;
mod reruns;
mod rest;
mod runners;
mod runs;
mod webhooks;

use std::sync::LazyLock;

use http::{Method, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reprise_model::ids::{JobId, Repository, RunId, RunnerName};
use reprise_model::job::Conclusion;
use serde_json::{Value, json};

use super::{AppKeys, Delivery, GitHub, Job, JobSpec, RunSpec, Settings};

/// One key for all tests: making one takes a while.
static KEYS: LazyLock<AppKeys> = LazyLock::new(|| AppKeys::generate().expect("a key"));

const SECRET: &str = "not-a-secret";

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_750_000_000 + seconds)
}

fn shop() -> Repository {
    "acme/shop".parse().expect("valid")
}

fn settings() -> Settings {
    Settings {
        repositories: vec![shop()],
        ..Settings::new(KEYS.public_pem.clone(), SECRET)
    }
}

fn github() -> GitHub {
    GitHub::new(settings()).expect("valid settings")
}

fn job(name: &str) -> JobSpec {
    JobSpec::new(name, ["linux"])
}

fn push(github: &mut GitHub, jobs: Vec<JobSpec>) -> RunId {
    github.push(at(0), RunSpec::new(shop(), jobs))
}

/// A runner takes the oldest queued job.
fn take(github: &mut GitHub, now: Timestamp, runner: &str) -> JobId {
    let labels = ["linux".to_owned()];
    let taken = github.take_job(now, &RunnerName::new(runner), &labels);
    taken.expect("a queued job")
}

fn finish(github: &mut GitHub, now: Timestamp, job: JobId, conclusion: Conclusion) {
    let done = github.finish_job(now, job, conclusion, Vec::new());
    done.expect("a job in progress");
}

/// Takes every queued job in order and ends each as `ends` says by its name, until none is left.
fn work_off(github: &mut GitHub, now: Timestamp, ends: &[(&str, Conclusion)]) {
    while !github.queued_jobs(None).is_empty() {
        let taken = take(github, now, "runner");
        let name = github.job(taken).expect("known").2.name.clone();
        let end = ends.iter().find(|(named, _)| *named == name);
        let end = end.map_or(Conclusion::Success, |(_, end)| end.clone());
        finish(github, now + SignedDuration::from_secs(5), taken, end);
    }
}

fn named<'a>(github: &'a GitHub, run: RunId, name: &str) -> &'a Job {
    let run = github.run(run).expect("known");
    let mut jobs = run.current().jobs.values();
    jobs.find(|job| job.name == name).expect("a record")
}

/// `name: conclusion` of the latest attempt's records.
fn ends(github: &GitHub, run: RunId) -> Vec<String> {
    let jobs = github.run(run).expect("known").current().jobs.values();
    let end = |job: &Job| {
        job.conclusion
            .as_ref()
            .map_or("-".to_owned(), |c| c.as_str().to_owned())
    };
    jobs.map(|job| format!("{}: {}", job.name, end(job)))
        .collect()
}

fn conclusion(github: &GitHub, run: RunId) -> Option<Conclusion> {
    github.run(run).expect("known").current().conclusion.clone()
}

/// `event action what` of deliveries.
fn told(deliveries: &[Delivery]) -> Vec<String> {
    let line = |delivery: &Delivery| {
        let body: Value = serde_json::from_str(&delivery.body).expect("JSON");
        let job = &body["workflow_job"];
        let end = [&job["conclusion"], &body["workflow_run"]["conclusion"]];
        let end = end.into_iter().find_map(Value::as_str).unwrap_or("-");
        let name = job["name"].as_str().unwrap_or("run");
        format!(
            "{} {name}: {end}",
            body["action"].as_str().expect("an action")
        )
    };
    deliveries.iter().map(line).collect()
}

/// A client with a token.
struct Client {
    token: String,
}

impl Client {
    fn of(github: &mut GitHub) -> Self {
        let path = "/app/installations/42/access_tokens";
        let (status, body) = send(github, at(0), "POST", path, &jwt(&KEYS, 1_234));
        assert_eq!(status, StatusCode::CREATED, "{body}");
        let token = body["token"].as_str().expect("a token");
        Self {
            token: token.to_owned(),
        }
    }

    fn get(&self, github: &mut GitHub, path: &str) -> (StatusCode, Value) {
        send(github, at(100), "GET", path, &self.token)
    }

    fn post(&self, github: &mut GitHub, now: Timestamp, path: &str) -> (StatusCode, Value) {
        send(github, now, "POST", path, &self.token)
    }
}

fn jwt(keys: &AppKeys, app: u64) -> String {
    jwt_with(keys, &json!({ "iss": app, "iat": 1_000, "exp": 1_600 }))
}

fn jwt_with(keys: &AppKeys, claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(keys.private_pem.as_bytes()).expect("a key");
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &key).expect("a token")
}

fn send(
    github: &mut GitHub,
    now: Timestamp,
    method: &str,
    path: &str,
    token: &str,
) -> (StatusCode, Value) {
    let answer = github.handle(now, &request(method, path, token));
    let body = serde_json::from_slice(answer.body()).expect("JSON");
    (answer.status(), body)
}

fn request(method: &str, path: &str, token: &str) -> Request<Vec<u8>> {
    Request::builder()
        .method(Method::from_bytes(method.as_bytes()).expect("a method"))
        .uri(format!("http://127.0.0.1{path}"))
        .header("authorization", format!("Bearer {token}"))
        .body(Vec::new())
        .expect("a request")
}

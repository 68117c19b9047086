//! A world for tests, and a tiny controller that plays its part through the same doors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use http::Request;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reprise_model::ids::{JobId, Repository, RunId};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_model::tags::TagKeys;
use serde_json::json;

use crate::ec2::{Call, CreateFleet, FleetConfig, FleetOverride, FleetTarget, TemplateRef};
use crate::github::{self, AppKeys, Run};
use crate::invariants::is_quiet;
use crate::machine::Activity;
use crate::scenario::Scenario;
use crate::world::{World, WorldSettings};

/// Long after the end of every scenario.
const LONGEST: SignedDuration = SignedDuration::from_mins(30);

pub(crate) fn keys() -> &'static AppKeys {
    static KEYS: OnceLock<AppKeys> = OnceLock::new();
    KEYS.get_or_init(|| AppKeys::generate().expect("a key"))
}

pub(crate) fn start() -> Timestamp {
    "2026-03-01T10:00:00Z".parse().expect("a time")
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

pub(crate) fn settings() -> WorldSettings {
    let github = github::Settings::new(keys().public_pem.clone(), "fake-webhook-secret");
    WorldSettings::new(7, start(), github)
}

pub(crate) fn world() -> World {
    World::new(settings()).expect("a world")
}

/// Plays a scenario to its end with a controller that does everything right.
pub(crate) fn played(scenario: &Scenario) -> World {
    let mut world = world();
    world.play(start(), scenario);
    TinyController::new(&mut world).run(&mut world);
    world
}

/// Launches one instance for jobs with these labels; the stack's tag is `stack`.
pub(crate) fn launch(
    world: &mut World,
    now: Timestamp,
    labels: &[String],
    capacity: Capacity,
    stack: &str,
) {
    let keys = TagKeys::default();
    let tags = [
        (keys.labels(), labels.join(" ")),
        (keys.stack(), stack.to_owned()),
    ];
    launch_with(world, now, capacity, BTreeMap::from(tags));
}

/// Launches one instance that is tagged as launched for this job.
pub(crate) fn launch_for(world: &mut World, now: Timestamp, job: JobId, capacity: Capacity) {
    let tags = [(TagKeys::default().launch(), job.to_string())];
    launch_with(world, now, capacity, BTreeMap::from(tags));
}

fn launch_with(
    world: &mut World,
    now: Timestamp,
    capacity: Capacity,
    tags: BTreeMap<String, String>,
) {
    let one = FleetTarget {
        count: 1,
        ..FleetTarget::default()
    };
    let (spot, on_demand) = match capacity {
        Capacity::Spot => (one, FleetTarget::default()),
        Capacity::OnDemand => (FleetTarget::default(), one),
    };
    let request = CreateFleet {
        client_token: None,
        configs: vec![FleetConfig {
            template: TemplateRef::Name("reprise-runner".to_owned()),
            version: "$Latest".to_owned(),
            overrides: vec![FleetOverride {
                instance_type: Some("c7a.large".to_owned()),
                ..FleetOverride::default()
            }],
        }],
        spot,
        on_demand,
        instance_tags: tags,
    };
    let call = Call::by_account(now);
    world
        .ec2_mut(now)
        .create_fleet(&call, &request)
        .expect("a fleet");
    world.advance(now);
}

/// What a controller must do, in few lines and without any care for crashes.
pub(crate) struct TinyController {
    token: String,
    launched: BTreeSet<JobId>,
    /// Launches later attempts on spot, too.
    pub(crate) retries_on_spot: bool,
    pub(crate) terminates: bool,
    pub(crate) reruns: bool,
}

impl TinyController {
    pub(crate) fn new(world: &mut World) -> Self {
        Self {
            token: token(world),
            launched: BTreeSet::new(),
            retries_on_spot: false,
            terminates: true,
            reruns: true,
        }
    }

    /// Until the world is quiet, or for so long that it never will be.
    pub(crate) fn run(&mut self, world: &mut World) {
        let end = world.now() + LONGEST;
        while world.now() < end && !is_quiet(world, world.now()) {
            let now = world.now() + SignedDuration::from_secs(1);
            world.advance(now);
            self.step(world, now);
        }
    }

    pub(crate) fn step(&mut self, world: &mut World, now: Timestamp) {
        empty_queues(world, now);
        self.launch_for_queued(world, now);
        if self.terminates {
            terminate_done(world, now);
        }
        if self.reruns {
            self.rerun_interrupted(world, now);
        }
    }

    fn launch_for_queued(&mut self, world: &mut World, now: Timestamp) {
        let queued: Vec<JobId> = world
            .github()
            .queued_jobs(None)
            .iter()
            .map(|job| job.id)
            .collect();
        for id in queued.into_iter().filter(|id| self.launched.insert(*id)) {
            let (_, attempt, job) = world.github().job(id).expect("a job");
            let on_spot = attempt.number.is_first() || self.retries_on_spot;
            let capacity = if on_spot {
                Capacity::Spot
            } else {
                Capacity::OnDemand
            };
            let labels = job.labels.clone();
            launch(world, now, &labels, capacity, "reprise");
        }
    }

    fn rerun_interrupted(&self, world: &mut World, now: Timestamp) {
        for (run, wanted) in interrupted(world) {
            let repository = world
                .github()
                .run(run)
                .expect("a run")
                .spec
                .repository
                .clone();
            let what = match wanted[..] {
                [job] => format!("jobs/{job}/rerun"),
                _ => format!("runs/{run}/rerun-failed-jobs"),
            };
            self.call(world, now, "GET", &repository, &format!("runs/{run}"));
            self.call(world, now, "POST", &repository, &what);
        }
    }

    /// One request to GitHub's API for actions; answers its status.
    pub(crate) fn call(
        &self,
        world: &mut World,
        now: Timestamp,
        method: &str,
        repository: &Repository,
        what: &str,
    ) -> u16 {
        let request = Request::builder()
            .method(method)
            .uri(format!("/repos/{repository}/actions/{what}"))
            .header("authorization", format!("Bearer {}", self.token))
            .body(Vec::new())
            .expect("a request");
        world.handle_github(now, &request).status().as_u16()
    }
}

/// Jobs of completed first attempts that were interrupted and do not opt out, or whose failure would pass.
fn interrupted(world: &World) -> Vec<(RunId, Vec<JobId>)> {
    let done = world
        .github()
        .runs()
        .filter(|run| !run.is_active() && run.current().number.is_first())
        .filter(|run| !is_superseded(world, run));
    let wanted = done.map(|run| {
        let failed = run.current().jobs.values().filter(|job| {
            let runner = job.runner.as_ref().map(|runner| runner.name.as_str());
            let machine = runner.and_then(|runner| world.machine_of_runner(runner));
            let says = |word: &str| job.labels.iter().any(|label| label.contains(word));
            let was_taken = machine.is_some_and(|machine| !machine.signs.is_empty());
            let fails = run.spec_of(job).and_then(|spec| spec.fails.as_ref());
            let may_pass = fails.is_some_and(|fails| fails.is_transient);
            job.conclusion != Some(Conclusion::Success)
                && ((was_taken && !says("retry=false")) || (may_pass && says("when-transient")))
        });
        (run.id, failed.map(|job| job.id).collect::<Vec<_>>())
    });
    wanted.filter(|(_, jobs)| !jobs.is_empty()).collect()
}

fn is_superseded(world: &World, run: &Run) -> bool {
    let mut others = world.github().runs();
    others.any(|other| {
        other.id > run.id
            && other.workflow == run.workflow
            && other.spec.head_branch == run.spec.head_branch
    })
}

fn terminate_done(world: &mut World, now: Timestamp) {
    let done = world
        .machines()
        .filter(|machine| machine.activity == Activity::Done);
    let ids: Vec<_> = done.map(|machine| machine.id.clone()).collect();
    if !ids.is_empty() {
        let call = Call::by_account(now);
        world
            .ec2_mut(now)
            .terminate_instances(&call, &ids)
            .expect("known instances");
        world.advance(now);
    }
}

fn empty_queues(world: &mut World, now: Timestamp) {
    let sqs = world.sqs_mut(now);
    for queue in ["webhooks", "ec2-events"] {
        for message in sqs.receive(now, queue, 10, None).expect("a queue") {
            sqs.delete(queue, &message.receipt).expect("a receipt");
        }
    }
}

/// An installation token, got as an App gets it.
pub(crate) fn token(world: &mut World) -> String {
    let now = world.now();
    let request = Request::post("/app/installations/42/access_tokens")
        .header("authorization", format!("Bearer {}", jwt(now)))
        .body(Vec::new())
        .expect("a request");
    let answer = world.handle_github(now, &request);
    let body: serde_json::Value = serde_json::from_slice(answer.body()).expect("JSON");
    body["token"].as_str().expect("a token").to_owned()
}

/// A configuration of a runner in the organisation `acme`, got as an App gets it.
pub(crate) fn jit_config(world: &mut World, name: &str, labels: &[String]) -> String {
    let (now, token) = (world.now(), token(world));
    let body = json!({ "name": name, "runner_group_id": 1, "labels": labels });
    let request = Request::post("/orgs/acme/actions/runners/generate-jitconfig")
        .header("authorization", format!("Bearer {token}"))
        .body(body.to_string().into_bytes())
        .expect("a request");
    let answer = world.handle_github(now, &request);
    let made: serde_json::Value = serde_json::from_slice(answer.body()).expect("JSON");
    let config = made["encoded_jit_config"].as_str();
    config.expect("a configuration").to_owned()
}

pub(crate) fn jwt(now: Timestamp) -> String {
    let issued = now.as_second();
    let claims = json!({ "iss": 1_234, "iat": issued, "exp": issued + 540 });
    let key = EncodingKey::from_rsa_pem(keys().private_pem.as_bytes()).expect("a key");
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).expect("a JWT")
}

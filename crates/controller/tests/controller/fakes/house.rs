//! A controller in the small world, and what the world sends it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use reprise_config::Settings;
use reprise_controller::clock::Clock;
use reprise_controller::context::Controller;
use reprise_controller::loops::{Loops, drained};
use reprise_controller::metrics::Metrics;
use reprise_controller::ports::Ports;
use reprise_controller::pump::{Pump, Source};
use reprise_controller::shutdown::{self, Drain};
use reprise_model::check::{CheckEntry, CheckState};
use reprise_model::ec2_event::{self, Ec2Event, Ec2EventKind, InterruptAction};
use reprise_model::ids::{AccountId, JobId, Region, Repository, RunId};
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{InstanceEntry, RunEntry, RunKey, TrackedState};
use reprise_model::run::{Run, RunStatus};
use reprise_model::webhook::{
    JobAction, RunAction, WorkflowJobEvent, WorkflowRunEvent, workflow_job_body, workflow_run_body,
};
use reprise_store::{DueKey, DueKind, Store};
use secrecy::SecretString;
use serde_json::Value;
use sha2::Sha256;
use tokio::task::JoinSet;

use super::advisers::FakeAdvisers;
use super::clock::TestClock;
use super::cloud::FakeCloud;
use super::github::FakeGitHub;
use super::queue::FakeQueue;
use super::runners::FakeRunners;
use super::samples::{
    ACCOUNT, HOST, REGION, RUN, a_run, ended, instance, queued, repository, running, settings,
};
use super::store::SharedStore;

pub(crate) const SECRET: &str = "fake-webhook-secret";
/// The secret before it, which still counts.
pub(crate) const OLD_SECRET: &str = "fake-webhook-secret-of-last-year";

/// How long a test waits for something at most, in virtual time.
const PATIENCE: Duration = Duration::from_secs(3 * 3_600);

pub(crate) struct Fakes;

impl Ports for Fakes {
    type Clock = TestClock;
    type Store = SharedStore;
    type Cloud = FakeCloud;
    type GitHub = FakeGitHub;
    type Queue = FakeQueue;
    type Runners = FakeRunners;
    type Advisers = FakeAdvisers;
}

/// The world around the controllers of one test.
pub(crate) struct House {
    pub(crate) clock: TestClock,
    pub(crate) store: SharedStore,
    pub(crate) cloud: FakeCloud,
    pub(crate) github: FakeGitHub,
    pub(crate) runners: FakeRunners,
    pub(crate) advisers: FakeAdvisers,
    pub(crate) webhooks: FakeQueue,
    pub(crate) ec2_events: FakeQueue,
    pub(crate) dead_letters: FakeQueue,
    /// How many controllers were started: each gets a seed of its own.
    started: AtomicU64,
}

/// A controller at work.
pub(crate) struct Running {
    pub(crate) controller: Arc<Controller<Fakes>>,
    drain: Drain,
    loops: JoinSet<()>,
}

impl House {
    pub(crate) fn new() -> Self {
        let clock = TestClock::new();
        Self {
            clock,
            store: SharedStore::new(),
            cloud: FakeCloud::new(clock),
            github: FakeGitHub::default(),
            runners: FakeRunners::default(),
            advisers: FakeAdvisers::default(),
            webhooks: FakeQueue::new(clock),
            ec2_events: FakeQueue::new(clock),
            dead_letters: FakeQueue::new(clock),
            started: AtomicU64::new(7),
        }
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(settings(true), 100)
    }

    /// A controller that gives new instances their runners.
    pub(crate) fn start_giving_runners(&self) -> Running {
        self.start_as(settings(true), 100, Some(self.runners.clone()))
    }

    /// A controller of a fleet whose instances bring their runners along, and that may take them out of GitHub.
    pub(crate) fn start_with_registry(&self) -> Running {
        self.start_of(settings(true), 100, None, Some(self.runners.clone()))
    }

    pub(crate) fn start_with(&self, settings: Settings, at_once: usize) -> Running {
        self.start_as(settings, at_once, None)
    }

    fn start_as(
        &self,
        settings: Settings,
        at_once: usize,
        runners: Option<FakeRunners>,
    ) -> Running {
        self.start_of(settings, at_once, runners, None)
    }

    fn start_of(
        &self,
        settings: Settings,
        at_once: usize,
        runners: Option<FakeRunners>,
        registry: Option<FakeRunners>,
    ) -> Running {
        let (drain, draining) = shutdown::channel();
        let controller = Controller::<Fakes>::new(
            self.clock,
            self.store.clone(),
            self.cloud.clone(),
            self.github.clone(),
            settings,
            Metrics::new().expect("metrics"),
            draining,
            self.started.fetch_add(1, Ordering::Relaxed),
        );
        let controller = controller.with_runners(runners).with_registry(registry);
        let controller = Arc::new(controller.with_advisers(Some(self.advisers.clone())));
        let webhooks = Source::Webhooks([SECRET, OLD_SECRET].map(SecretString::from).to_vec());
        let pump = |source, queue: &FakeQueue| Pump {
            controller: Arc::clone(&controller),
            queue: Arc::new(queue.clone()),
            dead_letters: Some(Arc::new(self.dead_letters.clone())),
            source,
            at_once,
        };
        let loops = Loops {
            controller: Arc::clone(&controller),
            pumps: vec![
                (pump(webhooks, &self.webhooks), 1),
                (pump(Source::Ec2Events, &self.ec2_events), 1),
            ],
            sweep_every: SignedDuration::from_secs(60),
        };
        Running {
            controller,
            drain,
            loops: loops.spawn(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.time()
    }

    /// Lets virtual time pass.
    pub(crate) async fn pass(&self, seconds: u64) {
        self.pass_millis(seconds * 1_000).await;
    }

    /// The same for less than a second.
    #[expect(clippy::disallowed_methods, reason = "virtual time")]
    pub(crate) async fn pass_millis(&self, milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    /// Lets virtual time pass until it is so.
    #[expect(clippy::disallowed_methods, reason = "virtual time")]
    pub(crate) async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !is_so().await {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        waited
            .await
            .unwrap_or_else(|_| panic!("it never came: {what}"));
    }

    /// Lets virtual time pass until both queues are empty.
    pub(crate) async fn until_quiet(&self) {
        self.until("quiet", async || {
            self.webhooks.is_empty() && self.ec2_events.is_empty()
        })
        .await;
    }

    pub(crate) async fn record(&self) -> Option<RunEntry> {
        let key = RunKey {
            repository: repository(),
            run_id: RUN,
        };
        let found = self.store.run(&key).await.expect("readable");
        found.map(|found| found.record)
    }

    /// Since when a run is due, by the ledger's index: its record may be one that cannot be read.
    pub(crate) async fn due_at(&self, run: RunId) -> Option<Timestamp> {
        let list = self.store.due(self.now(), 100).await.expect("readable");
        let is_it = |key: &DueKey| matches!(key, DueKey::Run(key) if key.run_id == run);
        let since = list.since.get(&DueKind::Run).copied();
        since.filter(|_| list.keys.iter().any(is_it))
    }

    pub(crate) async fn state(&self, job: u64) -> Option<TrackedState> {
        let record = self.record().await?;
        record.jobs.get(&JobId(job)).map(|job| job.state.clone())
    }

    /// The word for why a job is settled.
    pub(crate) async fn reason(&self, job: u64) -> Option<&'static str> {
        match self.state(job).await? {
            TrackedState::Settled { reason, .. } => Some(reason.as_str()),
            TrackedState::Awaiting | TrackedState::Asked { .. } => None,
        }
    }

    /// Whether the only job's re-run is known to have taken place.
    pub(crate) async fn is_asked(&self) -> bool {
        matches!(self.state(1).await, Some(TrackedState::Asked { .. }))
    }

    pub(crate) async fn known(&self, id: &str) -> Option<InstanceEntry> {
        let found = self.store.instance(&instance(id)).await.expect("readable");
        found.map(|found| found.record)
    }

    /// A job that began on [`HOST`], a spot instance, in a run that is under way.
    pub(crate) fn job_on_spot(&self, id: u64, name: &str) -> Job {
        self.cloud.add(HOST, Capacity::Spot);
        self.job_on_host(id, name)
    }

    /// The same, on the [`HOST`] that is there.
    pub(crate) fn job_on_host(&self, id: u64, name: &str) -> Job {
        let job = running(queued(id, name), HOST, self.now());
        self.github.begin(std::slice::from_ref(&job));
        job
    }

    /// The same in a run of a merge queue, which is announced.
    pub(crate) fn merge_job_on_spot(&self, id: u64, name: &str) -> Job {
        self.cloud.add(HOST, Capacity::Spot);
        let branch = "gh-readonly-queue/main/pr-7-0123abc".to_owned();
        let job = Job {
            head_branch: Some(branch),
            ..running(queued(id, name), HOST, self.now())
        };
        self.github.begin(std::slice::from_ref(&job));
        self.send_run_action(RunAction::Requested, RUN);
        job
    }

    /// What GitHub is to show of the only run.
    pub(crate) async fn check(&self) -> Option<CheckEntry> {
        let key = RunKey {
            repository: repository(),
            run_id: RUN,
        };
        let found = self.store.check(&key).await.expect("readable");
        found.map(|found| found.record)
    }

    /// Where the only check run stands.
    pub(crate) fn check_state(&self) -> Option<CheckState> {
        let checks = self.github.checks();
        assert!(checks.len() <= 1, "{checks:?}");
        checks.first().map(|check| check.text.state)
    }

    /// The job ends at GitHub, which says so.
    pub(crate) fn end(&self, job: Job, conclusion: Conclusion) -> Job {
        let job = self.end_silently(job, conclusion);
        self.send_job(JobAction::Completed, &job);
        job
    }

    /// The job ends at GitHub, and the event is lost.
    pub(crate) fn end_silently(&self, job: Job, conclusion: Conclusion) -> Job {
        let job = ended(job, conclusion, self.now());
        self.github.put(&job);
        job
    }

    /// The run ends at GitHub, which says so.
    pub(crate) fn end_run(&self, run: RunId) {
        self.github.complete(run);
        self.send_run(run);
    }

    pub(crate) fn send_job(&self, action: JobAction, job: &Job) {
        self.send_job_of(&repository(), action, job);
    }

    pub(crate) fn send_job_of(&self, repository: &Repository, action: JobAction, job: &Job) {
        let body = workflow_job_body(&WorkflowJobEvent {
            action,
            repository: repository.clone(),
            installation: None,
            job: job.clone(),
        });
        self.send_signed("workflow_job", &body);
    }

    pub(crate) fn send_run(&self, run: RunId) {
        self.send_run_action(RunAction::Completed, run);
    }

    pub(crate) fn send_run_action(&self, action: RunAction, run: RunId) {
        let shown = self.github.shown(run);
        let status = match action {
            RunAction::Completed => RunStatus::Completed,
            RunAction::Requested | RunAction::InProgress | RunAction::Unknown(_) => {
                RunStatus::InProgress
            }
        };
        let body = workflow_run_body(&WorkflowRunEvent {
            action,
            repository: repository(),
            installation: None,
            run: Run {
                conclusion: (status == RunStatus::Completed).then_some(Conclusion::Failure),
                status,
                ..shown.unwrap_or_else(|| a_run(run, self.now()))
            },
        });
        self.send_signed("workflow_run", &body);
    }

    fn send_signed(&self, event: &str, body: &Value) {
        let body = body.to_string();
        let attributes = webhook_attributes(event, Some(&signature(SECRET, &body)));
        self.webhooks.put(&body, attributes);
    }

    /// EventBridge's warning about an instance.
    pub(crate) fn send_warning(&self, id: &str) {
        self.deliver_warning(id, self.now());
    }

    /// EventBridge's warning, delivered now, about what happened at `time`.
    pub(crate) fn deliver_warning(&self, id: &str, time: Timestamp) {
        self.ec2_events.put(&warning(id, time), BTreeMap::new());
    }
}

impl Running {
    /// Asks for the end, and waits for it.
    pub(crate) async fn stop(mut self) {
        self.drain.begin(self.controller.clock.now());
        while let Some(ended) = self.loops.join_next().await {
            ended.expect("no loop panics");
        }
    }

    /// Asks for the end as the program does, which does not wait for ever.
    pub(crate) async fn stop_as_asked(self) {
        drained(&self.controller.clock, &self.drain, self.loops).await;
    }

    pub(crate) fn begin_drain(&self) {
        self.drain.begin(self.controller.clock.now());
    }

    /// The process is gone from one moment to the next.
    pub(crate) async fn crash(mut self) {
        self.loops.shutdown().await;
    }

    pub(crate) fn metrics(&self) -> String {
        let text = self.controller.metrics.text().expect("text");
        String::from_utf8(text).expect("text")
    }

    /// The number that `/metrics` would show for a series now.
    pub(crate) async fn number(&self, series: &str) -> Option<i64> {
        self.controller.show_standing().await;
        let metrics = self.metrics();
        let mut numbers = metrics.lines().filter_map(|line| {
            let (name, number) = line.rsplit_once(' ')?;
            (name == series).then(|| number.parse().expect("a number"))
        });
        numbers.next()
    }

    /// Whether `/metrics` shows this line.
    pub(crate) fn shows(&self, line: &str) -> bool {
        self.metrics().lines().any(|other| other == line)
    }
}

pub(crate) fn warning(id: &str, time: Timestamp) -> String {
    let event = Ec2Event {
        account: AccountId::new(ACCOUNT),
        region: Region::new(REGION),
        time,
        kind: Ec2EventKind::InterruptionWarning {
            instance: id.parse().expect("an id"),
            action: InterruptAction::Terminate,
        },
    };
    ec2_event::body(&event, "12345678-1234-1234-1234-123456789012").to_string()
}

pub(crate) fn webhook_attributes(event: &str, signature: Option<&str>) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::from([("X-GitHub-Event".to_owned(), event.to_owned())]);
    if let Some(signature) = signature {
        attributes.insert("X-Hub-Signature-256".to_owned(), signature.to_owned());
    }
    attributes
}

pub(crate) fn signature(secret: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    let digest = mac.chain_update(body.as_bytes()).finalize().into_bytes();
    format!("sha256={}", hex::encode(digest))
}

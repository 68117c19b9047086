//! What the controller needs of the world, in its own words.
//!
//! [`crate::adapters`] puts the real SQS, EC2 and GitHub behind these traits. Errors are only told
//! apart as far as the controller acts on the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reprise_engine::select::{ImageQuery, ImageView};
use reprise_engine::strays::ListedRunner;
use reprise_model::advice::{Answer, NoAnswer, Question};
use reprise_model::breaker::LeftOut;
use reprise_model::check::{CheckRunOrder, CheckRunSeen};
use reprise_model::delivery::{HookPage, RedeliveryAnswer};
use reprise_model::ending::ChangeAnswer;
use reprise_model::failure::FailureFacts;
use reprise_model::ids::{
    CheckRunId, HookAttemptId, HookCursor, ImageId, InstanceId, Region, Repository, RunAttempt,
    RunId, RunnerId, RunnerName, Sha,
};
use reprise_model::image::ImageDates;
use reprise_model::instance::{Capacity, Instance, InstanceSight, InstanceView, SpotStatus};
use reprise_model::job::Job;
use reprise_model::launch::{FleetOutcome, SpotStrategy};
use reprise_model::ledger::{RerunAnswer, RerunTarget};
use reprise_model::machine::{MachineType, RootVolume};
use reprise_model::reason::{Refusal, RefusalKind};
use reprise_model::run::{CancelCause, Run};
use reprise_store::Store;

use crate::clock::Clock;

/// One choice of every port.
pub trait Ports: Send + Sync + 'static {
    /// Time.
    type Clock: Clock;
    /// The ledger.
    type Store: Store;
    /// EC2.
    type Cloud: Cloud;
    /// GitHub.
    type GitHub: GitHub + 'static;
    /// SQS.
    type Queue: Queue;
    /// What gives new instances their runners.
    type Runners: Runners;
    /// The endpoints that have a say in re-runs.
    type Advisers: Advisers;
}

/// A failure outside the process. What was to be done is done again later.
#[derive(Debug, thiserror::Error)]
#[error("failed to {operation}")]
pub struct PortError {
    /// What was being done.
    pub operation: &'static str,
    /// Whether trying again can help.
    pub kind: PortErrorKind,
    /// How long the other side asks to be left alone.
    pub retry_after: Option<SignedDuration>,
    /// What went wrong.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortErrorKind {
    /// It may pass by itself, or an operator will see to it.
    Passing,
    /// Nothing was done, as too much is asked for: it passes, and sooner if less is asked for.
    Throttled,
    /// GitHub says that what was asked for is not there.
    NotFound,
    /// GitHub says that the App lacks a permission, or AWS that the role does: an operator must act.
    Denied,
}

impl PortError {
    /// Whether too much was asked for.
    pub fn is_throttled(&self) -> bool {
        match self.kind {
            PortErrorKind::Throttled => true,
            PortErrorKind::Passing | PortErrorKind::NotFound | PortErrorKind::Denied => false,
        }
    }

    /// GitHub's final no, where it is one.
    pub fn refusal(&self) -> Option<Refusal> {
        let kind = match self.kind {
            PortErrorKind::Passing | PortErrorKind::Throttled => return None,
            PortErrorKind::NotFound => RefusalKind::NotFound,
            PortErrorKind::Denied => RefusalKind::MissingPermission,
        };
        Some(Refusal {
            kind,
            message: self.source.to_string(),
        })
    }
}

/// The operator's endpoints that have a say in re-runs.
pub trait Advisers: Send + Sync + 'static {
    /// Asks the endpoint that the question names, once. Whatever happens, it is over within seconds: the lack of
    /// an answer is one, too.
    fn ask(
        &self,
        question: &Question,
        now: Timestamp,
    ) -> impl Future<Output = Result<Answer, NoAnswer>> + Send;
}

/// EC2.
pub trait Cloud: Send + Sync + 'static {
    /// What EC2 says of an instance.
    fn look(
        &self,
        region: &Region,
        id: &InstanceId,
    ) -> impl Future<Output = Result<InstanceSight, PortError>> + Send;

    /// What EC2 says of the request behind a spot instance; `None` where it shows none.
    fn spot_status(
        &self,
        region: &Region,
        id: &InstanceId,
    ) -> impl Future<Output = Result<Option<SpotStatus>, PortError>> + Send;

    /// Asks for some instances, all alike, and tells what came of it pool by pool. Safe to repeat with
    /// the same client token, which brings the same answer where one came before.
    fn launch(&self, order: &LaunchOrder) -> impl Future<Output = FleetOutcome> + Send;

    /// Puts tags on an instance, in the place of earlier values.
    fn tag(
        &self,
        region: &Region,
        id: &InstanceId,
        tags: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Ends an instance; one that is gone already counts as ended.
    fn terminate(&self, instance: &Instance) -> impl Future<Output = Result<(), PortError>> + Send;

    /// What an instance has written to its console; `None` where EC2 has nothing (yet).
    fn console_output(
        &self,
        instance: &Instance,
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// Hands on each instance that bears the stack's tag, ended ones included as long as EC2 shows them.
    /// What was handed on before an error is not all of them.
    fn list_stack(
        &self,
        region: &Region,
        tag_key: &str,
        stack: &str,
        each: &mut (dyn FnMut(InstanceView) + Send),
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The instance types of a region that a runner can be launched on.
    fn machine_types(
        &self,
        region: &Region,
    ) -> impl Future<Output = Result<Vec<MachineType>, PortError>> + Send;

    /// An image; `None` where there is none that a runner can be launched from.
    fn image(
        &self,
        query: &ImageQuery,
    ) -> impl Future<Output = Result<Option<ImageView>, PortError>> + Send;

    /// When each of these images was made, and its runner; those that EC2 does not show are left out.
    fn image_dates(
        &self,
        region: &Region,
        images: &BTreeSet<ImageId>,
    ) -> impl Future<Output = Result<BTreeMap<ImageId, ImageDates>, PortError>> + Send;
}

/// One CreateFleet call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchOrder {
    /// In which region.
    pub region: Region,
    /// Makes a repeat harmless.
    pub client_token: String,
    /// How many. EC2 launches as many of them as it has.
    pub count: u32,
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// How EC2 chooses among spot pools.
    pub strategy: SpotStrategy,
    /// The launch template's name or id.
    pub launch_template: String,
    /// Its version, as `$Latest` or a number.
    pub launch_template_version: String,
    /// Types, best first.
    pub instance_types: Vec<String>,
    /// Subnets, one a zone.
    pub subnets: Vec<String>,
    /// The pools among those that are not asked.
    pub left_out: LeftOut,
    /// An AMI in place of the template's.
    pub image: Option<String>,
    /// A root volume in place of the image's.
    pub volume: Option<RootVolume>,
    /// Tags that the instances bear from their first moment.
    pub tags: BTreeMap<String, String>,
}

/// GitHub.
pub trait GitHub: Send + Sync {
    /// A run, with its latest attempt.
    fn run(
        &self,
        repository: &Repository,
        run: RunId,
    ) -> impl Future<Output = Result<Run, PortError>> + Send;

    /// All jobs of one attempt.
    fn jobs(
        &self,
        repository: &Repository,
        run: RunId,
        attempt: RunAttempt,
    ) -> impl Future<Output = Result<Vec<Job>, PortError>> + Send;

    /// Asks for a re-run, exactly once.
    fn rerun(
        &self,
        repository: &Repository,
        run: RunId,
        target: RerunTarget,
    ) -> impl Future<Output = RerunReply> + Send;

    /// Why a job was cancelled.
    fn cancel_cause(
        &self,
        repository: &Repository,
        check_run: CheckRunId,
    ) -> impl Future<Output = Result<CancelCause, PortError>> + Send;

    /// What tells why a job failed: its steps, its annotations and the end of its log.
    fn failure_facts(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> impl Future<Output = Result<FailureFacts, PortError>> + Send;

    /// A newer run of the same workflow, branch and event, or another one that has its concurrency group.
    fn rival_run(&self, run: &Run)
    -> impl Future<Output = Result<Option<RunId>, PortError>> + Send;

    /// Our check runs of a name on a commit.
    fn check_runs(
        &self,
        repository: &Repository,
        head: &Sha,
        name: &str,
    ) -> impl Future<Output = Result<Vec<CheckRunSeen>, PortError>> + Send;

    /// Makes a check run, or writes over one that is there, with one request.
    fn write_check_run(
        &self,
        repository: &Repository,
        known: Option<CheckRunId>,
        order: &CheckRunOrder,
    ) -> impl Future<Output = ChangeReply> + Send;

    /// Cancels a run, with one request.
    fn cancel_run(
        &self,
        repository: &Repository,
        run: RunId,
    ) -> impl Future<Output = ChangeReply> + Send;

    /// A page of the attempts to deliver the App's webhooks, the newest first.
    fn deliveries(
        &self,
        from: Option<&HookCursor>,
    ) -> impl Future<Output = Result<HookPage, PortError>> + Send;

    /// Asks for a webhook to be delivered again, exactly once.
    fn redeliver(&self, attempt: HookAttemptId) -> impl Future<Output = RedeliveryReply> + Send;

    /// The repositories that the App's installations show.
    fn repositories(&self) -> impl Future<Output = Result<BTreeSet<Repository>, PortError>> + Send;

    /// The runs of a repository that have not ended and may have jobs that wait for runners.
    fn active_runs(
        &self,
        repository: &Repository,
    ) -> impl Future<Output = Result<Vec<Run>, PortError>> + Send;

    /// How many requests the rate limit still allows, as last seen.
    fn rate_remaining(&self) -> Option<u64>;

    /// How many requests the hour's budget of an owner's installation still allows, where an answer told it
    /// and the hour is not over.
    fn hour_left(&self, owner: &str, now: Timestamp) -> Option<u64>;
}

/// What GitHub answered to a re-run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RerunReply {
    /// The answer.
    pub answer: RerunAnswer,
    /// How long GitHub asks to wait.
    pub retry_after: Option<SignedDuration>,
    /// What GitHub or the network said, for the log.
    pub detail: String,
}

/// What GitHub answered to another request that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeReply {
    /// The answer.
    pub answer: ChangeAnswer,
    /// The check run that was written, where the answer tells.
    pub check_run: Option<CheckRunId>,
    /// How long GitHub asks to wait.
    pub retry_after: Option<SignedDuration>,
    /// What GitHub or the network said, for the log.
    pub detail: String,
}

/// What GitHub answered when it was asked to deliver a webhook again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedeliveryReply {
    /// The answer.
    pub answer: RedeliveryAnswer,
    /// How long GitHub asks to wait.
    pub retry_after: Option<SignedDuration>,
    /// What GitHub or the network said, for the log.
    pub detail: String,
}

/// Runners for new instances: GitHub makes them, and a table hands them over.
pub trait Runners: Send + Sync + 'static {
    /// Has GitHub make a runner, with one request that changes anything.
    fn make(
        &self,
        order: &RunnerOrder,
    ) -> impl Future<Output = Result<MadeRunner, RunnerTrouble>> + Send;

    /// Leaves a runner's configuration for its instance, in the place of an earlier one. It may wait a
    /// moment for others to share its call.
    fn hand_over(
        &self,
        order: &RunnerOrder,
        made: &MadeRunner,
        expires_at: Timestamp,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// From now on none waits for others.
    fn hurry(&self);

    /// Takes a runner that will never start out of GitHub.
    fn remove(
        &self,
        order: &RunnerOrder,
        made: &MadeRunner,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Where the runners for a repository's jobs are: one place for all of an organisation, and one for
    /// each repository of a person.
    fn place(
        &self,
        repository: &Repository,
    ) -> impl Future<Output = Result<RunnersPlace, PortError>> + Send;

    /// All runners of the place of this repository.
    fn list(
        &self,
        repository: &Repository,
    ) -> impl Future<Output = Result<Vec<ListedRunner>, PortError>> + Send;

    /// Takes one of them out of GitHub. Whether it is gone: one that has a job stays.
    fn take_out(
        &self,
        repository: &Repository,
        runner: RunnerId,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;
}

/// Names a place where runners are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunnersPlace(pub String);

/// A runner that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerOrder {
    /// For a job of this repository.
    pub repository: Repository,
    /// The instance's region.
    pub region: Region,
    /// On this instance.
    pub instance: InstanceId,
    /// Its name, which no runner had before.
    pub name: RunnerName,
    /// The labels of the job.
    pub labels: Vec<String>,
}

/// A runner that GitHub waits for. No `Debug`: its configuration is a secret.
#[derive(Clone)]
pub struct MadeRunner {
    /// GitHub's number for it.
    pub id: RunnerId,
    /// What it starts with.
    pub config: Vec<u8>,
}

/// Why there is no runner.
#[derive(Debug)]
pub enum RunnerTrouble {
    /// The name is taken: another one will do.
    NameTaken(PortError),
    /// It was not made, or nobody knows whether it was: later, and by another name.
    NotMade(PortError),
}

/// A queue of events.
pub trait Queue: Send + Sync + 'static {
    /// What names a received message.
    type Receipt: Clone + Send + Sync + 'static;

    /// Up to `most` messages; waits up to `wait` for the first. How long they stay hidden at first
    /// is the queue's own setting.
    fn receive(
        &self,
        most: usize,
        wait: Duration,
    ) -> impl Future<Output = Result<Vec<Message<Self::Receipt>>, PortError>> + Send;

    /// Acknowledges a message. It may wait a while for others to share its call.
    fn delete(&self, receipt: &Self::Receipt)
    -> impl Future<Output = Result<(), PortError>> + Send;

    /// From now on no acknowledgement waits for others.
    fn hurry(&self);

    /// Hides a message for `visibility` from now; zero hands it back at once.
    fn hide(
        &self,
        receipt: &Self::Receipt,
        visibility: Duration,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// How many messages it holds, as it tells itself.
    fn counts(&self) -> impl Future<Output = Result<QueueCounts, PortError>> + Send;

    /// Sends a message.
    fn send(
        &self,
        body: &str,
        attributes: &BTreeMap<String, String>,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// How many messages a queue holds; SQS itself calls its numbers approximate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCounts {
    /// So many could be received now.
    pub waiting: u64,
    /// So many are hidden: somebody received them, or they come later.
    pub hidden: u64,
}

/// A received message.
#[derive(Debug, Clone)]
pub struct Message<R> {
    /// The queue's id of it, the same in every delivery.
    pub id: String,
    /// The body.
    pub body: String,
    /// The message attributes.
    pub attributes: BTreeMap<String, String>,
    /// What names it to the queue.
    pub receipt: R,
    /// How often it was received.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Option<Timestamp>,
}

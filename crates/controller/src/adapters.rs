//! The real SQS, EC2 and GitHub behind the ports.

mod rows;
mod runners;

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::time::Duration;

use jiff::Timestamp;
use reprise_ask::Asker;
use reprise_aws::{
    Ec2, Ec2Error, FailureKind, LaunchRequest, LaunchTemplate, Receipt, SqsError, SqsQueue,
};
use reprise_engine::offer::ImageSource;
use reprise_engine::select::{ImageQuery, ImageView};
use reprise_github::{GitHubError, GitHubErrorKind};
use reprise_model::advice::{Answer, NoAnswer, Question};
use reprise_model::check::{CheckRunOrder, CheckRunSeen};
use reprise_model::delivery::HookPage;
use reprise_model::failure::FailureFacts;
use reprise_model::ids::{
    CheckRunId, HookAttemptId, HookCursor, ImageId, InstanceId, Region, Repository, RunAttempt,
    RunId, Sha,
};
use reprise_model::image::ImageDates;
use reprise_model::instance::{Capacity, Instance, InstanceSight, InstanceView, SpotStatus};
use reprise_model::job::Job;
use reprise_model::launch::{FleetOutcome, OnDemandStrategy, Purchase};
use reprise_model::ledger::RerunTarget;
use reprise_model::machine::{MachineType, RootVolume};
use reprise_model::run::{CancelCause, Run};
use reprise_store::AnyStore;

use crate::clock::Clock;
use crate::ports::{
    Advisers, ChangeReply, Cloud, GitHub, LaunchOrder, Message, PortError, PortErrorKind, Ports,
    Queue, QueueCounts, RedeliveryReply, RerunReply,
};

pub use runners::RunnerDesk;

/// The real world, by any clock.
#[derive(Debug)]
pub struct Real<C>(PhantomData<C>);

impl<C: Clock> Ports for Real<C> {
    type Clock = C;
    type Store = AnyStore;
    type Cloud = Ec2;
    type GitHub = reprise_github::GitHub;
    type Queue = SqsQueue;
    type Runners = RunnerDesk;
    type Advisers = Asker;
}

impl Advisers for Asker {
    async fn ask(&self, question: &Question, now: Timestamp) -> Result<Answer, NoAnswer> {
        Self::ask(self, question, now).await
    }
}

impl Cloud for Ec2 {
    async fn look(&self, region: &Region, id: &InstanceId) -> Result<InstanceSight, PortError> {
        Self::look(self, region, id)
            .await
            .map_err(|error| ec2("describe an instance", error))
    }

    async fn spot_status(
        &self,
        region: &Region,
        id: &InstanceId,
    ) -> Result<Option<SpotStatus>, PortError> {
        Self::spot_status(self, region, id)
            .await
            .map_err(|error| ec2("describe a spot request", error))
    }

    async fn launch(&self, order: &LaunchOrder) -> FleetOutcome {
        let request = LaunchRequest {
            region: order.region.clone(),
            client_token: order.client_token.clone(),
            count: order.count,
            purchase: purchase(order),
            launch_template: LaunchTemplate {
                name_or_id: order.launch_template.clone(),
                version: order.launch_template_version.clone(),
            },
            instance_types: order.instance_types.clone(),
            subnets: order.subnets.clone(),
            left_out: order.left_out.clone(),
            image: order.image.clone(),
            volume: order.volume.as_ref().map(volume),
            tags: order.tags.clone(),
        };
        Self::launch(self, &request).await
    }

    async fn tag(
        &self,
        region: &Region,
        id: &InstanceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        Self::tag(self, region, id, tags)
            .await
            .map_err(|error| ec2("tag an instance", error))
    }

    async fn terminate(&self, instance: &Instance) -> Result<(), PortError> {
        Self::terminate(self, instance)
            .await
            .map_err(|error| ec2("terminate an instance", error))
    }

    async fn console_output(&self, instance: &Instance) -> Result<Option<String>, PortError> {
        Self::console_output(self, instance)
            .await
            .map_err(|error| ec2("read an instance's console", error))
    }

    async fn list_stack(
        &self,
        region: &Region,
        tag_key: &str,
        stack: &str,
        each: &mut (dyn FnMut(InstanceView) + Send),
    ) -> Result<(), PortError> {
        Self::list_stack(self, region, tag_key, stack, each)
            .await
            .map_err(|error| ec2("list the stack's instances", error))
    }

    async fn machine_types(&self, region: &Region) -> Result<Vec<MachineType>, PortError> {
        Self::machine_types(self, region)
            .await
            .map_err(|error| ec2("describe instance types", error))
    }

    async fn image(&self, query: &ImageQuery) -> Result<Option<ImageView>, PortError> {
        let wanted = match &query.source {
            ImageSource::Ami(id) => reprise_aws::ImageQuery::Id(id.to_string()),
            ImageSource::Newest { owner, name } => reprise_aws::ImageQuery::Newest {
                owner: owner.clone(),
                name: name.clone(),
                architecture: query.architecture.unwrap_or_default(),
            },
        };
        let image = Self::image(self, &query.region, &wanted)
            .await
            .map_err(|error| ec2("describe images", error))?;
        Ok(image.and_then(view))
    }

    async fn image_dates(
        &self,
        region: &Region,
        images: &BTreeSet<ImageId>,
    ) -> Result<BTreeMap<ImageId, ImageDates>, PortError> {
        Self::image_dates(self, region, images)
            .await
            .map_err(|error| ec2("describe the images in use", error))
    }
}

fn purchase(order: &LaunchOrder) -> Purchase {
    match order.capacity {
        Capacity::Spot => Purchase::Spot(order.strategy),
        Capacity::OnDemand => Purchase::OnDemand(OnDemandStrategy::default()),
    }
}

fn volume(root: &RootVolume) -> reprise_aws::RootVolume {
    let volume = root.volume;
    reprise_aws::RootVolume {
        device: root.device.clone(),
        size_gib: volume.size_gib,
        kind: volume.kind.map(|kind| kind.to_string()),
        iops: volume.iops,
        throughput_mibs: volume.throughput_mibs,
    }
}

/// `None` for an id that is none to us: nothing could name it.
fn view(image: reprise_aws::Image) -> Option<ImageView> {
    Some(ImageView {
        id: image.id.parse().ok()?,
        owner: image.owner,
        owner_alias: image.owner_alias,
        architecture: image.architecture,
        root_device: image.root_device,
    })
}

impl Queue for SqsQueue {
    type Receipt = Receipt;

    async fn receive(
        &self,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Message<Receipt>>, PortError> {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let messages = Self::receive(self, most, wait)
            .await
            .map_err(|error| sqs("receive messages", error))?;
        Ok(messages
            .into_iter()
            .map(|message| Message {
                id: message.id,
                body: message.body,
                attributes: message.attributes,
                receipt: message.receipt,
                receive_count: message.receive_count,
                sent_at: message.sent_at,
            })
            .collect())
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), PortError> {
        Self::delete(self, receipt)
            .await
            .map_err(|error| sqs("delete a message", error))
    }

    fn hurry(&self) {
        Self::hurry(self);
    }

    async fn hide(&self, receipt: &Receipt, visibility: Duration) -> Result<(), PortError> {
        Self::extend(self, receipt, visibility)
            .await
            .map_err(|error| sqs("change a message's visibility", error))
    }

    async fn counts(&self) -> Result<QueueCounts, PortError> {
        // In a box, as below: done once a minute.
        let counts = Box::pin(Self::counts(self)).await;
        let counts = counts.map_err(|error| PortError {
            kind: match error.kind {
                FailureKind::Refused => PortErrorKind::Denied,
                FailureKind::Throttled | FailureKind::Unclear => PortErrorKind::Passing,
            },
            ..sqs("count a queue's messages", error)
        })?;
        Ok(QueueCounts {
            waiting: counts.waiting,
            hidden: counts.hidden,
        })
    }

    async fn send(
        &self,
        body: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        // In a box: hardly ever done, and every message that is under way would keep room for it.
        Box::pin(Self::send(self, body, attributes))
            .await
            .map_err(|error| sqs("send a message", error))
    }
}

impl GitHub for reprise_github::GitHub {
    async fn run(&self, repository: &Repository, run: RunId) -> Result<Run, PortError> {
        Self::run(self, repository, run)
            .await
            .map_err(|error| github("read a run", error))
    }

    async fn jobs(
        &self,
        repository: &Repository,
        run: RunId,
        attempt: RunAttempt,
    ) -> Result<Vec<Job>, PortError> {
        Self::jobs(self, repository, run, attempt)
            .await
            .map_err(|error| github("read the jobs of a run", error))
    }

    async fn rerun(&self, repository: &Repository, run: RunId, target: RerunTarget) -> RerunReply {
        let reply = Self::rerun(self, repository, run, target).await;
        RerunReply {
            answer: reply.answer,
            retry_after: reply.retry_after,
            detail: reply.detail,
        }
    }

    async fn cancel_cause(
        &self,
        repository: &Repository,
        check_run: CheckRunId,
    ) -> Result<CancelCause, PortError> {
        Self::cancel_cause(self, repository, check_run)
            .await
            .map_err(|error| github("read why a job was cancelled", error))
    }

    async fn failure_facts(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<FailureFacts, PortError> {
        Box::pin(Self::failure_facts(self, repository, job))
            .await
            .map_err(|error| github("read why a job failed", error))
    }

    async fn rival_run(&self, run: &Run) -> Result<Option<RunId>, PortError> {
        Self::rival_run(self, run)
            .await
            .map_err(|error| github("look for a newer run", error))
    }

    async fn check_runs(
        &self,
        repository: &Repository,
        head: &Sha,
        name: &str,
    ) -> Result<Vec<CheckRunSeen>, PortError> {
        Self::check_runs(self, repository, head, name)
            .await
            .map_err(|error| github("list check runs", error))
    }

    async fn write_check_run(
        &self,
        repository: &Repository,
        known: Option<CheckRunId>,
        order: &CheckRunOrder,
    ) -> ChangeReply {
        changed(Self::write_check_run(self, repository, known, order).await)
    }

    async fn cancel_run(&self, repository: &Repository, run: RunId) -> ChangeReply {
        changed(Self::cancel_run(self, repository, run).await)
    }

    async fn deliveries(&self, from: Option<&HookCursor>) -> Result<HookPage, PortError> {
        Self::deliveries(self, from)
            .await
            .map_err(|error| github("list webhook deliveries", error))
    }

    async fn redeliver(&self, attempt: HookAttemptId) -> RedeliveryReply {
        let reply = Self::redeliver(self, attempt).await;
        RedeliveryReply {
            answer: reply.answer,
            retry_after: reply.retry_after,
            detail: reply.detail,
        }
    }

    async fn repositories(&self) -> Result<BTreeSet<Repository>, PortError> {
        Self::repositories(self)
            .await
            .map_err(|error| github("list the App's repositories", error))
    }

    async fn active_runs(&self, repository: &Repository) -> Result<Vec<Run>, PortError> {
        Self::active_runs(self, repository)
            .await
            .map_err(|error| github("list the runs of a repository", error))
    }

    fn rate_remaining(&self) -> Option<u64> {
        self.rate().remaining
    }

    fn hour_left(&self, owner: &str, now: Timestamp) -> Option<u64> {
        let budget = self.rate_of(owner)?;
        let is_over = budget.resets_at.is_some_and(|reset| reset <= now);
        budget.remaining.filter(|_| !is_over)
    }
}

fn changed(reply: reprise_github::ChangeReply) -> ChangeReply {
    ChangeReply {
        answer: reply.answer,
        check_run: reply.check_run,
        retry_after: reply.retry_after,
        detail: reply.detail,
    }
}

fn ec2(operation: &'static str, error: Ec2Error) -> PortError {
    let kind = match error.kind() {
        FailureKind::Throttled => PortErrorKind::Throttled,
        FailureKind::Refused | FailureKind::Unclear => PortErrorKind::Passing,
    };
    PortError {
        kind,
        ..passing(operation, error)
    }
}

fn sqs(operation: &'static str, error: SqsError) -> PortError {
    passing(operation, error)
}

/// Also where AWS refused: nothing is given up for a permission that an operator has yet to grant.
fn passing(
    operation: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> PortError {
    PortError {
        operation,
        kind: PortErrorKind::Passing,
        retry_after: None,
        source: Box::new(error),
    }
}

fn github(operation: &'static str, error: GitHubError) -> PortError {
    let (kind, retry_after) = match error.kind() {
        GitHubErrorKind::NotFound => (PortErrorKind::NotFound, None),
        GitHubErrorKind::Forbidden(_) => (PortErrorKind::Denied, None),
        GitHubErrorKind::RateLimited { retry_after } => (PortErrorKind::Throttled, retry_after),
        // A rejected App key is mended without the run taking notice.
        GitHubErrorKind::Unauthorized
        | GitHubErrorKind::Unavailable
        | GitHubErrorKind::Unexpected => (PortErrorKind::Passing, None),
    };
    PortError {
        operation,
        kind,
        retry_after,
        source: Box::new(error),
    }
}

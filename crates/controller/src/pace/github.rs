//! Turns at GitHub: the port itself, asked at a pace.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::after;
use reprise_engine::pace::{Cost, Errand, GitHubAnswer, GitHubPace, NotNow};
use reprise_engine::strays::ListedRunner;
use reprise_model::check::{CheckRunOrder, CheckRunSeen};
use reprise_model::delivery::{HookPage, RedeliveryAnswer};
use reprise_model::ending::ChangeAnswer;
use reprise_model::failure::FailureFacts;
use reprise_model::ids::{
    CheckRunId, HookAttemptId, HookCursor, Repository, RunAttempt, RunId, RunnerId, Sha,
};
use reprise_model::job::Job;
use reprise_model::ledger::{LaunchClaim, RerunAnswer, RerunTarget};
use reprise_model::run::{CancelCause, Run};
use tracing::info;

use super::{PutOff, not_asked};
use crate::clock::Clock;
use crate::context::Controller;
use crate::ports::{
    ChangeReply, GitHub, MadeRunner, PortError, Ports, RedeliveryReply, RerunReply, RunnerOrder,
    RunnerTrouble, Runners, RunnersPlace,
};

/// A request waits in place for so long.
const WAITS: SignedDuration = SignedDuration::from_secs(8);

/// An instance boots for about so long before it wants its runner. The launch waits for that in its place, and
/// so keeps back others whose runners GitHub would not make either.
const BOOTS_FOR: SignedDuration = SignedDuration::from_secs(60);

/// The App itself, which has limits of its own.
const APP: &str = "";

/// A limit without a time lasts for so long at least.
const LEAST_LIMIT: SignedDuration = SignedDuration::from_secs(60);

/// GitHub, for an errand.
pub(crate) struct InTurn<'a, P: Ports> {
    controller: &'a Controller<P>,
    errand: Errand,
}

/// A request that may be made. One that is dropped has been lost.
struct Turn<'a, P: Ports> {
    controller: &'a Controller<P>,
    owner: String,
    errand: Errand,
    answer: GitHubAnswer,
}

impl<P: Ports> Controller<P> {
    /// GitHub, asked in turn.
    pub(crate) fn github_for(&self, errand: Errand) -> InTurn<'_, P> {
        InTurn {
            controller: self,
            errand,
        }
    }

    /// Has a runner made, in turn.
    pub(crate) async fn make_runner(
        &self,
        runners: &P::Runners,
        order: &RunnerOrder,
    ) -> Result<MadeRunner, RunnerTrouble> {
        let github = self.github_for(Errand::Launch);
        let turn = github.turn(order.repository.owner(), Cost::CHANGE).await;
        let turn = turn
            .map_err(|not_now| RunnerTrouble::NotMade(self.not_asked("make a runner", not_now)))?;
        let made = Box::pin(runners.make(order)).await;
        turn.ended(match &made {
            Ok(_) => GitHubAnswer::Answered,
            Err(RunnerTrouble::NameTaken(error) | RunnerTrouble::NotMade(error)) => of_error(error),
        });
        made
    }

    /// Where GitHub will not make a runner for so long that an instance would wait for it in vain: when to
    /// launch.
    pub(crate) fn no_runner_before(&self, claim: &LaunchClaim) -> Option<PutOff> {
        self.runners.as_ref()?;
        let owner = claim.key.repository.owner().to_ascii_lowercase();
        let now = self.now();
        let until = self.with_github(&owner, |pace| pace.rests_until(now))?;
        (after(now, BOOTS_FOR) < until).then_some(PutOff { until })
    }

    /// Takes a runner that is not needed out of GitHub, in turn.
    pub(crate) async fn remove_runner(
        &self,
        runners: &P::Runners,
        order: &RunnerOrder,
        made: &MadeRunner,
    ) -> Result<(), PortError> {
        let owner = order.repository.owner();
        let removing = Box::pin(runners.remove(order, made));
        let github = self.github_for(Errand::Launch);
        github
            .ask(owner, Cost::CHANGE, "remove a runner", removing)
            .await
    }

    /// Where the runners for a repository's jobs are, in turn.
    pub(crate) async fn runners_place(
        &self,
        runners: &P::Runners,
        repository: &Repository,
    ) -> Result<RunnersPlace, PortError> {
        let finding = Box::pin(runners.place(repository));
        let github = self.github_for(Errand::Read);
        github
            .ask(repository.owner(), Cost::READ, "find the runners", finding)
            .await
    }

    /// All runners of a repository's place, in turn.
    pub(crate) async fn list_runners(
        &self,
        runners: &P::Runners,
        repository: &Repository,
    ) -> Result<Vec<ListedRunner>, PortError> {
        let listing = Box::pin(runners.list(repository));
        let github = self.github_for(Errand::Read);
        github
            .ask(repository.owner(), Cost::READ, "list runners", listing)
            .await
    }

    /// Takes a runner that is not wanted out of GitHub, in turn.
    pub(crate) async fn take_runner_out(
        &self,
        runners: &P::Runners,
        repository: &Repository,
        id: RunnerId,
    ) -> Result<bool, PortError> {
        let taking = Box::pin(runners.take_out(repository, id));
        let github = self.github_for(Errand::Read);
        github
            .ask(repository.owner(), Cost::CHANGE, "remove a runner", taking)
            .await
    }

    /// The pace as `/metrics` shows it: the lowest of all installations.
    pub(crate) fn show_github_pace(&self) {
        let now = self.now();
        let paces = self.pace.github();
        let points = paces.values().map(|pace| pace.points_a_minute(now)).min();
        if let Some(points) = points {
            self.metrics.github_pace(points);
        }
    }

    fn with_github<T>(&self, owner: &str, ask: impl FnOnce(&mut GitHubPace) -> T) -> T {
        let mut owners = self.pace.github();
        ask(owners.entry(owner.to_owned()).or_default())
    }

    fn not_asked(&self, operation: &'static str, not_now: NotNow) -> PortError {
        not_asked(operation, not_now.until, not_now.why.as_str(), self.now())
    }
}

impl<'a, P: Ports> InTurn<'a, P> {
    /// One call, in turn. It comes in a box: the clients' futures are large, and this one is in every
    /// caller's.
    async fn ask<T>(
        &self,
        owner: &str,
        cost: Cost,
        operation: &'static str,
        call: Pin<Box<impl Future<Output = Result<T, PortError>>>>,
    ) -> Result<T, PortError> {
        let turn = self.turn(owner, cost).await;
        let turn = turn.map_err(|not_now| self.controller.not_asked(operation, not_now))?;
        let answer = call.await;
        turn.ended(match &answer {
            Ok(_) => GitHubAnswer::Answered,
            Err(error) => of_error(error),
        });
        answer
    }

    /// A change that is no re-run, in turn.
    async fn change(
        &self,
        owner: &str,
        cost: Cost,
        operation: &'static str,
        call: Pin<Box<impl Future<Output = ChangeReply>>>,
    ) -> ChangeReply {
        let turn = match self.turn(owner, cost).await {
            Ok(turn) => turn,
            Err(not_now) => {
                let error = self.controller.not_asked(operation, not_now);
                return ChangeReply {
                    answer: ChangeAnswer::NotNow,
                    check_run: None,
                    retry_after: error.retry_after,
                    detail: error.source.to_string(),
                };
            }
        };
        let reply = call.await;
        turn.ended(match (&reply.answer, reply.retry_after) {
            (ChangeAnswer::NotNow, Some(wait)) => GitHubAnswer::Limited(wait),
            (ChangeAnswer::Unclear, _) => GitHubAnswer::Lost,
            (ChangeAnswer::NotNow | ChangeAnswer::Accepted | ChangeAnswer::Refused(_), _) => {
                GitHubAnswer::Answered
            }
        });
        reply
    }

    /// Waits for a turn, unless it takes too long.
    async fn turn(&self, owner: &str, cost: Cost) -> Result<Turn<'a, P>, NotNow> {
        let controller = self.controller;
        let owner = owner.to_ascii_lowercase();
        let errand = self.errand.as_str();
        let latest = after(controller.now(), patience(self.errand));
        loop {
            let now = controller.now();
            let hour = controller.github.hour_left(&owner, now);
            let taken =
                controller.with_github(&owner, |pace| pace.take(self.errand, cost, hour, now));
            let Err(not_now) = taken else {
                return Ok(Turn {
                    controller,
                    owner,
                    errand: self.errand,
                    answer: GitHubAnswer::Lost,
                });
            };
            if not_now.until > latest {
                controller
                    .metrics
                    .turn_put_off("github", errand, not_now.why.as_str());
                return Err(not_now);
            }
            controller.metrics.turn_waited("github", errand);
            controller.clock.sleep_until(not_now.until).await;
        }
    }
}

impl<P: Ports> Turn<'_, P> {
    fn ended(mut self, answer: GitHubAnswer) {
        self.answer = answer;
    }
}

impl<P: Ports> Drop for Turn<'_, P> {
    fn drop(&mut self) {
        let now = self.controller.now();
        let (answer, controller) = (self.answer, self.controller);
        let points = controller.with_github(&self.owner, |pace| {
            pace.ended(answer, now);
            pace.points_a_minute(now)
        });
        if let GitHubAnswer::Limited(wait) = answer {
            controller.metrics.throttled("github", self.errand.as_str());
            told_limited(controller, &self.owner, wait, points, now);
        }
    }
}

fn told_limited<P: Ports>(
    controller: &Controller<P>,
    owner: &str,
    wait: SignedDuration,
    points: u32,
    now: Timestamp,
) {
    if controller.pace.tells("github", owner, now) {
        info!(
            target: "reprise::decision",
            decision = "slower",
            reason = "limited",
            github.owner = owner,
            wait_s = wait.as_secs(),
            points.a_minute = points,
            "GitHub wants to be left alone; nobody asks meanwhile, and less is asked for a while"
        );
    }
}

fn patience(errand: Errand) -> SignedDuration {
    match errand {
        Errand::Rerun | Errand::Read => WAITS,
        Errand::Launch => BOOTS_FOR,
    }
}

fn of_error(error: &PortError) -> GitHubAnswer {
    match error.retry_after {
        Some(wait) => GitHubAnswer::Limited(wait.max(SignedDuration::from_secs(1))),
        None if error.is_throttled() => GitHubAnswer::Limited(LEAST_LIMIT),
        None if error.refusal().is_some() => GitHubAnswer::Answered,
        // A fault of GitHub's says nothing of its limits.
        None => GitHubAnswer::Lost,
    }
}

impl<P: Ports> GitHub for InTurn<'_, P> {
    async fn run(&self, repository: &Repository, run: RunId) -> Result<Run, PortError> {
        let call = Box::pin(self.controller.github.run(repository, run));
        self.ask(repository.owner(), Cost::READ, "read a run", call)
            .await
    }

    async fn jobs(
        &self,
        repository: &Repository,
        run: RunId,
        attempt: RunAttempt,
    ) -> Result<Vec<Job>, PortError> {
        let call = Box::pin(self.controller.github.jobs(repository, run, attempt));
        let operation = "read the jobs of a run";
        self.ask(repository.owner(), Cost::READ, operation, call)
            .await
    }

    async fn rerun(&self, repository: &Repository, run: RunId, target: RerunTarget) -> RerunReply {
        let turn = match self.turn(repository.owner(), Cost::CHANGE).await {
            Ok(turn) => turn,
            Err(not_now) => {
                let error = self.controller.not_asked("ask for a re-run", not_now);
                return RerunReply {
                    answer: RerunAnswer::NotNow,
                    retry_after: error.retry_after,
                    detail: error.source.to_string(),
                };
            }
        };
        let call = self.controller.github.rerun(repository, run, target);
        let reply = Box::pin(call).await;
        turn.ended(match (&reply.answer, reply.retry_after) {
            (RerunAnswer::NotNow, Some(wait)) => GitHubAnswer::Limited(wait),
            (RerunAnswer::Unclear, _) => GitHubAnswer::Lost,
            (RerunAnswer::NotNow | RerunAnswer::Accepted | RerunAnswer::Refused(_), _) => {
                GitHubAnswer::Answered
            }
        });
        reply
    }

    async fn cancel_cause(
        &self,
        repository: &Repository,
        check_run: CheckRunId,
    ) -> Result<CancelCause, PortError> {
        let call = Box::pin(self.controller.github.cancel_cause(repository, check_run));
        let operation = "read why a job was cancelled";
        self.ask(repository.owner(), Cost::READ, operation, call)
            .await
    }

    async fn failure_facts(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<FailureFacts, PortError> {
        let call = Box::pin(self.controller.github.failure_facts(repository, job));
        let operation = "read why a job failed";
        self.ask(repository.owner(), Cost::THREE_READS, operation, call)
            .await
    }

    async fn rival_run(&self, run: &Run) -> Result<Option<RunId>, PortError> {
        let call = Box::pin(self.controller.github.rival_run(run));
        let owner = run.repository.owner();
        self.ask(owner, Cost::READ, "look for a newer run", call)
            .await
    }

    async fn check_runs(
        &self,
        repository: &Repository,
        head: &Sha,
        name: &str,
    ) -> Result<Vec<CheckRunSeen>, PortError> {
        let call = Box::pin(self.controller.github.check_runs(repository, head, name));
        let operation = "read the check runs of a commit";
        self.ask(repository.owner(), Cost::READ, operation, call)
            .await
    }

    async fn write_check_run(
        &self,
        repository: &Repository,
        known: Option<CheckRunId>,
        order: &CheckRunOrder,
    ) -> ChangeReply {
        let github = &self.controller.github;
        let call = Box::pin(github.write_check_run(repository, known, order));
        let (owner, operation) = (repository.owner(), "write a check run");
        // A change of one that is there makes nothing new.
        let cost = match known {
            Some(_) => Cost::CHANGE,
            None => Cost::CONTENT,
        };
        self.change(owner, cost, operation, call).await
    }

    async fn cancel_run(&self, repository: &Repository, run: RunId) -> ChangeReply {
        let call = Box::pin(self.controller.github.cancel_run(repository, run));
        let owner = repository.owner();
        self.change(owner, Cost::CHANGE, "cancel a run", call).await
    }

    async fn deliveries(&self, from: Option<&HookCursor>) -> Result<HookPage, PortError> {
        let call = Box::pin(self.controller.github.deliveries(from));
        self.ask(APP, Cost::READ, "list webhook deliveries", call)
            .await
    }

    async fn redeliver(&self, attempt: HookAttemptId) -> RedeliveryReply {
        let turn = match self.turn(APP, Cost::CHANGE).await {
            Ok(turn) => turn,
            Err(not_now) => {
                let error = self.controller.not_asked("redeliver a webhook", not_now);
                return RedeliveryReply {
                    answer: RedeliveryAnswer::NotNow,
                    retry_after: error.retry_after,
                    detail: error.source.to_string(),
                };
            }
        };
        let reply = Box::pin(self.controller.github.redeliver(attempt)).await;
        turn.ended(match (&reply.answer, reply.retry_after) {
            (RedeliveryAnswer::NotNow, Some(wait)) => GitHubAnswer::Limited(wait),
            (RedeliveryAnswer::Unclear, _) => GitHubAnswer::Lost,
            (
                RedeliveryAnswer::NotNow
                | RedeliveryAnswer::Accepted
                | RedeliveryAnswer::Refused { .. },
                _,
            ) => GitHubAnswer::Answered,
        });
        reply
    }

    async fn repositories(&self) -> Result<BTreeSet<Repository>, PortError> {
        let call = Box::pin(self.controller.github.repositories());
        self.ask(APP, Cost::READ, "list the App's repositories", call)
            .await
    }

    async fn active_runs(&self, repository: &Repository) -> Result<Vec<Run>, PortError> {
        let call = Box::pin(self.controller.github.active_runs(repository));
        let operation = "list the runs of a repository";
        self.ask(repository.owner(), Cost::TWO_READS, operation, call)
            .await
    }

    fn rate_remaining(&self) -> Option<u64> {
        self.controller.github.rate_remaining()
    }

    fn hour_left(&self, owner: &str, now: Timestamp) -> Option<u64> {
        self.controller.github.hour_left(owner, now)
    }
}

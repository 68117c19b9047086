//! GitHub, as a replica reaches it: late, failing, and sometimes silent.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;
use reprise_controller::ports::{
    ChangeReply, GitHub, PortError, PortErrorKind, RedeliveryReply, RerunReply,
};
use reprise_model::check::{CheckRunOrder, CheckRunSeen};
use reprise_model::delivery::{HookPage, RedeliveryAnswer};
use reprise_model::ending::ChangeAnswer;
use reprise_model::failure::FailureFacts;
use reprise_model::ids::{
    CheckRunId, HookAttemptId, HookCursor, Repository, RunAttempt, RunId, Sha,
};
use reprise_model::job::Job;
use reprise_model::ledger::{RerunAnswer, RerunTarget};
use reprise_model::reason::{Refusal, RefusalKind};
use reprise_model::run::{CancelCause, Run};
use reprise_world::github::{ChangePosted, Refusal as Refused, Rerun, RerunPosted};
use reprise_world::world::World;

use super::{Wire, failure, passing};

/// How long one way usually takes at most.
pub(super) const USUAL: SignedDuration = SignedDuration::from_millis(300);

/// The client's own deadline.
pub(super) const DEADLINE: SignedDuration = SignedDuration::from_secs(20);

/// GitHub's words for a missing permission.
const NOT_PERMITTED: &str = "Resource not accessible by integration";

/// A run is fresh for so long after its making.
const FRESH: SignedDuration = SignedDuration::from_secs(10);

/// GitHub.
#[derive(Clone)]
pub struct SimGitHub(pub Wire);

/// What befalls a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Fails,
    Limited,
    Lost { carried_out: bool },
}

impl SimGitHub {
    pub(super) fn fault(&self) -> Option<Fault> {
        let universe = &self.0.universe;
        let rates = universe.rates().github;
        if universe.hits(rates.fails) {
            self.0.fault("github fails before acting");
            Some(Fault::Fails)
        } else if universe.hits(rates.limited) {
            self.0.fault("github's secondary limit");
            Some(Fault::Limited)
        } else if universe.hits(rates.lost_answers) {
            self.0.fault("github's answer is lost");
            let carried_out = universe.throw(|dice| dice.below(2) == 0);
            Some(Fault::Lost { carried_out })
        } else {
            None
        }
    }

    /// The same for what is done so seldom that the usual rates hardly ever meet it.
    pub(super) fn fault_of_the_rare(&self) -> Option<Fault> {
        let universe = &self.0.universe;
        if universe.rates().github.limited.0 > 0 && universe.throw(|dice| dice.chance(125)) {
            self.0.fault("github's secondary limit");
            return Some(Fault::Limited);
        }
        self.fault()
    }

    pub(super) async fn read<T>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&mut World, Timestamp) -> Option<T>,
    ) -> Result<T, PortError> {
        let wire = &self.0;
        let crash = wire.begin().await;
        wire.travel(USUAL).await;
        let answer = match self.fault() {
            None => {
                let found = wire.universe.world(read);
                found.ok_or_else(|| failure(operation, PortErrorKind::NotFound, "Not Found"))
            }
            Some(Fault::Fails) => Err(passing(operation, "502 Bad Gateway")),
            Some(Fault::Limited) => Err(PortError {
                retry_after: Some(wire.universe.rates().github.retry_after),
                ..passing(operation, "You have exceeded a secondary rate limit")
            }),
            Some(Fault::Lost { .. }) => {
                wire.universe.clock.pause(DEADLINE).await;
                Err(passing(operation, "no answer came in time"))
            }
        };
        wire.end(crash, USUAL).await;
        answer
    }

    /// A request that changes something, other than a re-run.
    async fn change(&self, act: impl FnOnce(&mut World, Timestamp) -> ChangePosted) -> ChangeReply {
        let wire = &self.0;
        let crash = wire.begin().await;
        wire.travel(USUAL).await;
        let reply = match self.fault_of_the_rare() {
            None => changed(wire.universe.world(act)),
            Some(Fault::Fails) => change_reply(ChangeAnswer::Unclear, "502 Bad Gateway"),
            Some(Fault::Limited) => ChangeReply {
                retry_after: Some(wire.universe.rates().github.retry_after),
                ..change_reply(ChangeAnswer::NotNow, "a secondary rate limit")
            },
            Some(Fault::Lost { carried_out }) => {
                if carried_out {
                    wire.universe.world(act);
                }
                wire.universe.clock.pause(DEADLINE).await;
                change_reply(ChangeAnswer::Unclear, "no answer came in time")
            }
        };
        wire.end(crash, USUAL).await;
        reply
    }

    fn hides(&self, world: &World, run: RunId, now: Timestamp) -> bool {
        let run = world.github().run(run);
        let fresh = run.is_some_and(|run| now.duration_since(run.created_at) < FRESH);
        let universe = &self.0.universe;
        let hidden = fresh && universe.hits(universe.rates().github.fresh_not_found);
        if hidden {
            self.0.fault("a fresh run is not found");
        }
        hidden
    }

    fn post(&self, repository: &Repository, asked: Rerun, fault: Option<Fault>) -> RerunReply {
        let universe = &self.0.universe;
        let in_vain = universe.hits(universe.rates().github.executes_nothing);
        if in_vain {
            self.0.fault("a re-run executes nothing");
        }
        let carry_out = |fails_before: bool, fails_after: bool| {
            universe.world(|world, now| {
                let faults = world.github_mut(now).faults_mut();
                faults.fail_before_acting = u32::from(fails_before);
                faults.fail_after_acting = u32::from(fails_after);
                faults.reruns_execute_nothing = u32::from(in_vain);
                world.github_mut(now).post_rerun(now, repository, asked)
            })
        };
        match fault {
            None => {
                let after = universe.hits(universe.rates().github.fails_after_acting);
                if after {
                    self.0.fault("github fails after acting");
                }
                reply(carry_out(false, after))
            }
            Some(Fault::Fails) => reply(carry_out(true, false)),
            Some(Fault::Limited) => RerunReply {
                retry_after: Some(universe.rates().github.retry_after),
                ..answered(RerunAnswer::NotNow, "a secondary rate limit")
            },
            Some(Fault::Lost { carried_out }) => {
                carry_out(!carried_out, carried_out);
                answered(RerunAnswer::Unclear, "no answer came in time")
            }
        }
    }
}

impl GitHub for SimGitHub {
    async fn run(&self, repository: &Repository, run: RunId) -> Result<Run, PortError> {
        self.read("read a run", |world, now| {
            if self.hides(world, run, now) {
                return None;
            }
            world.github_mut(now).read_run(now, repository, run)
        })
        .await
    }

    async fn jobs(
        &self,
        repository: &Repository,
        run: RunId,
        attempt: RunAttempt,
    ) -> Result<Vec<Job>, PortError> {
        self.read("read the jobs of a run", |world, now| {
            let github = world.github_mut(now);
            github.read_jobs(now, repository, run, attempt)
        })
        .await
    }

    async fn rerun(&self, repository: &Repository, run: RunId, target: RerunTarget) -> RerunReply {
        let wire = &self.0;
        let crash = wire.begin().await;
        wire.travel(USUAL).await;
        let fault = self.fault();
        let asked = match target {
            RerunTarget::Job(job) => Rerun::Job(job),
            RerunTarget::FailedJobs => Rerun::FailedJobs(run),
        };
        let reply = self.post(repository, asked, fault);
        if let Some(Fault::Lost { .. }) = fault {
            wire.universe.clock.pause(DEADLINE).await;
        }
        wire.end(crash, USUAL).await;
        reply
    }

    async fn cancel_cause(
        &self,
        repository: &Repository,
        check_run: CheckRunId,
    ) -> Result<CancelCause, PortError> {
        self.read("read why a job was cancelled", |world, now| {
            let github = world.github_mut(now);
            github.read_cancel_cause(now, repository, check_run)
        })
        .await
    }

    async fn failure_facts(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<FailureFacts, PortError> {
        self.read("read why a job failed", |world, now| {
            let github = world.github_mut(now);
            github.read_failure_facts(now, repository, job.id)
        })
        .await
    }

    async fn rival_run(&self, run: &Run) -> Result<Option<RunId>, PortError> {
        self.read("look for a newer run", |world, now| {
            Some(world.github_mut(now).read_newer_run(now, run))
        })
        .await
    }

    async fn check_runs(
        &self,
        repository: &Repository,
        head: &Sha,
        name: &str,
    ) -> Result<Vec<CheckRunSeen>, PortError> {
        let read = self.read("list check runs", |world, now| {
            let github = world.github_mut(now);
            Some(github.read_check_runs(now, repository, head, name))
        });
        let may_not = || failure("list check runs", PortErrorKind::Denied, NOT_PERMITTED);
        read.await?.ok_or_else(may_not)
    }

    async fn write_check_run(
        &self,
        repository: &Repository,
        known: Option<CheckRunId>,
        order: &CheckRunOrder,
    ) -> ChangeReply {
        let mut written = None;
        let reply = self.change(|world, now| {
            let github = world.github_mut(now);
            let (posted, id) = github.write_check_run(now, repository, known, order);
            written = id;
            posted
        });
        let reply = reply.await;
        let check_run = written.filter(|_| reply.answer == ChangeAnswer::Accepted);
        ChangeReply { check_run, ..reply }
    }

    async fn cancel_run(&self, repository: &Repository, run: RunId) -> ChangeReply {
        self.change(|world, now| world.github_mut(now).post_cancel(now, repository, run))
            .await
    }

    async fn deliveries(&self, from: Option<&HookCursor>) -> Result<HookPage, PortError> {
        self.read("list webhook deliveries", |world, now| {
            Some(world.github_mut(now).read_attempts(now, from))
        })
        .await
    }

    async fn redeliver(&self, attempt: HookAttemptId) -> RedeliveryReply {
        let wire = &self.0;
        let crash = wire.begin().await;
        wire.travel(USUAL).await;
        let post = || {
            wire.universe
                .world(|world, now| world.github_mut(now).post_redelivery(now, attempt))
        };
        let reply = match self.fault() {
            None if post() => redelivery(RedeliveryAnswer::Accepted, "accepted"),
            None => {
                let message = "Not Found".to_owned();
                redelivery(RedeliveryAnswer::Refused { message }, "Not Found")
            }
            Some(Fault::Fails) => redelivery(RedeliveryAnswer::Unclear, "502 Bad Gateway"),
            Some(Fault::Limited) => RedeliveryReply {
                retry_after: Some(wire.universe.rates().github.retry_after),
                ..redelivery(RedeliveryAnswer::NotNow, "a secondary rate limit")
            },
            Some(Fault::Lost { carried_out }) => {
                if carried_out {
                    post();
                }
                wire.universe.clock.pause(DEADLINE).await;
                redelivery(RedeliveryAnswer::Unclear, "no answer came in time")
            }
        };
        wire.end(crash, USUAL).await;
        reply
    }

    async fn repositories(&self) -> Result<BTreeSet<Repository>, PortError> {
        let all = self.read("list the App's repositories", |world, now| {
            Some(world.github_mut(now).read_repositories(now))
        });
        Ok(all.await?.into_iter().collect())
    }

    async fn active_runs(&self, repository: &Repository) -> Result<Vec<Run>, PortError> {
        self.read("list the runs of a repository", |world, now| {
            world.github_mut(now).read_active_runs(now, repository)
        })
        .await
    }

    fn rate_remaining(&self) -> Option<u64> {
        Some(5_000)
    }

    fn hour_left(&self, _: &str, _: Timestamp) -> Option<u64> {
        Some(5_000)
    }
}

/// As the GitHub adapter tells the answers apart.
fn reply(posted: RerunPosted) -> RerunReply {
    match posted {
        RerunPosted::Accepted => answered(RerunAnswer::Accepted, "accepted"),
        RerunPosted::ServerError => answered(RerunAnswer::Unclear, "500"),
        RerunPosted::Refused(refused) => {
            let words = refused.to_string();
            let refusal = |kind| {
                RerunAnswer::Refused(Refusal {
                    kind,
                    message: words.clone(),
                })
            };
            let answer = match refused {
                Refused::EarlierAttempt | Refused::RunOfJobActive | Refused::RunActive => {
                    RerunAnswer::NotNow
                }
                Refused::NotFound => refusal(RefusalKind::NotFound),
                Refused::OverAMonthOld => refusal(RefusalKind::TooOld),
                Refused::CannotBeRetried => refusal(RefusalKind::NotRetryable),
                Refused::WorkflowDisabled => refusal(RefusalKind::WorkflowDisabled),
                Refused::NotPermitted => refusal(RefusalKind::MissingPermission),
            };
            answered(answer, &words)
        }
    }
}

/// As the GitHub adapter tells the answers apart.
fn changed(posted: ChangePosted) -> ChangeReply {
    let refused = |kind, words: &str| {
        let message = words.to_owned();
        change_reply(ChangeAnswer::Refused(Refusal { kind, message }), words)
    };
    match posted {
        ChangePosted::Accepted => change_reply(ChangeAnswer::Accepted, "accepted"),
        ChangePosted::ServerError => change_reply(ChangeAnswer::Unclear, "500"),
        ChangePosted::NotPermitted => refused(RefusalKind::MissingPermission, NOT_PERMITTED),
        ChangePosted::Refused => refused(RefusalKind::NotFound, "Not Found"),
    }
}

fn change_reply(answer: ChangeAnswer, detail: &str) -> ChangeReply {
    ChangeReply {
        answer,
        check_run: None,
        retry_after: None,
        detail: detail.to_owned(),
    }
}

fn redelivery(answer: RedeliveryAnswer, detail: &str) -> RedeliveryReply {
    RedeliveryReply {
        answer,
        retry_after: None,
        detail: detail.to_owned(),
    }
}

fn answered(answer: RerunAnswer, detail: &str) -> RerunReply {
    RerunReply {
        answer,
        retry_after: None,
        detail: detail.to_owned(),
    }
}

//! GitHub's runners and their table, as a replica reaches them: with the faults of GitHub's other calls.

use jiff::Timestamp;
use reprise_controller::ports::{
    MadeRunner, PortError, PortErrorKind, RunnerOrder, RunnerTrouble, Runners, RunnersPlace,
};
use reprise_engine::strays::ListedRunner;
use reprise_model::ids::{Repository, RunnerId};
use reprise_world::github::{Registration, RunnerOrdered, RunnerRemoved, RunnerState};

use super::github::{Fault, SimGitHub};
use super::{failure, passing};

const MAKE: &str = "make a runner";
const HAND_OVER: &str = "hand over a runner's configuration";
const REMOVE: &str = "remove a runner";

/// What gives new instances their runners.
#[derive(Clone)]
pub struct SimRunners(pub SimGitHub);

impl SimRunners {
    /// A call that changes something, and what befalls it.
    async fn change<T>(
        &self,
        operation: &'static str,
        fault: fn(&SimGitHub) -> Option<Fault>,
        act: impl FnOnce() -> T,
    ) -> Result<T, PortError> {
        let wire = &self.0.0;
        let crash = wire.begin().await;
        wire.travel(super::github::USUAL).await;
        let answer = match fault(&self.0) {
            None => Ok(act()),
            Some(Fault::Fails) => Err(passing(operation, "502 Bad Gateway")),
            Some(Fault::Limited) => Err(PortError {
                retry_after: Some(wire.universe.rates().github.retry_after),
                ..failure(
                    operation,
                    PortErrorKind::Throttled,
                    "a secondary rate limit",
                )
            }),
            Some(Fault::Lost { carried_out }) => {
                if carried_out {
                    act();
                }
                wire.universe.clock.pause(super::github::DEADLINE).await;
                Err(passing(operation, "no answer came in time"))
            }
        };
        wire.end(crash, super::github::USUAL).await;
        answer
    }

    async fn removed(
        &self,
        repository: &Repository,
        id: RunnerId,
    ) -> Result<RunnerRemoved, PortError> {
        let universe = &self.0.0.universe;
        self.change(REMOVE, SimGitHub::fault_of_the_rare, || {
            universe.world(|world, now| world.github_mut(now).delete_runner(now, repository, id))
        })
        .await
    }
}

impl Runners for SimRunners {
    async fn make(&self, order: &RunnerOrder) -> Result<MadeRunner, RunnerTrouble> {
        let universe = &self.0.0.universe;
        let ordered = self.change(MAKE, SimGitHub::fault, || {
            universe.world(|world, now| {
                let github = world.github_mut(now);
                github.post_runner(now, &order.repository, &order.name, &order.labels)
            })
        });
        match ordered.await {
            Ok(RunnerOrdered::Made { id, encoded }) => Ok(MadeRunner {
                id,
                config: encoded.into_bytes(),
            }),
            Ok(RunnerOrdered::NameTaken) => {
                Err(RunnerTrouble::NameTaken(passing(MAKE, "409 Conflict")))
            }
            Ok(RunnerOrdered::Refused) => {
                Err(RunnerTrouble::NotMade(passing(MAKE, "404 Not Found")))
            }
            Err(error) => Err(RunnerTrouble::NotMade(error)),
        }
    }

    async fn hand_over(
        &self,
        order: &RunnerOrder,
        made: &MadeRunner,
        _: Timestamp,
    ) -> Result<(), PortError> {
        let universe = &self.0.0.universe;
        self.change(HAND_OVER, SimGitHub::fault, || {
            universe.hand_over(
                &order.instance,
                String::from_utf8_lossy(&made.config).into(),
            );
        })
        .await
    }

    fn hurry(&self) {}

    async fn remove(&self, order: &RunnerOrder, made: &MadeRunner) -> Result<(), PortError> {
        self.removed(&order.repository, made.id).await.map(drop)
    }

    async fn place(&self, repository: &Repository) -> Result<RunnersPlace, PortError> {
        let place = self.0.read("find the runners", |world, now| {
            Some(world.github_mut(now).place_of(repository))
        });
        Ok(RunnersPlace(format!("{:?}", place.await?)))
    }

    async fn list(&self, repository: &Repository) -> Result<Vec<ListedRunner>, PortError> {
        let listed = self.0.read("list the runners", |world, now| {
            world.github_mut(now).read_runners(now, repository)
        });
        Ok(listed.await?.iter().map(listed_runner).collect())
    }

    async fn take_out(&self, repository: &Repository, id: RunnerId) -> Result<bool, PortError> {
        match self.removed(repository, id).await? {
            RunnerRemoved::Gone => Ok(true),
            RunnerRemoved::Busy => Ok(false),
        }
    }
}

fn listed_runner(one: &Registration) -> ListedRunner {
    ListedRunner {
        id: RunnerId(one.id),
        name: one.name.clone(),
        is_online: match one.state {
            RunnerState::Idle | RunnerState::Took(_) => true,
            RunnerState::Waiting | RunnerState::Lost => false,
        },
        is_busy: one.is_busy(),
    }
}

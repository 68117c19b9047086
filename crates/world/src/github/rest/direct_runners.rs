//! The calls of a client that makes runners and takes them out again, without HTTP and JSON.
//!
//! A repository's runners are at its organisation, in the group that every one has, or at the repository
//! itself where that is a person's.

use jiff::Timestamp;
use reprise_model::ids::{Repository, RunnerId, RunnerName};

use crate::github::GitHub;
use crate::github::registrations::{DEFAULT_GROUP, Order, OrderRefusal, Registration, RunnerPlace};

/// What a client is told of its order for a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunnerOrdered {
    /// 201.
    Made {
        /// GitHub's number for it.
        id: RunnerId,
        /// What it starts with.
        encoded: String,
    },
    /// 409: the place has one of that name.
    NameTaken,
    /// 404 or 422.
    Refused,
}

/// What a client is told of a runner that it wants removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerRemoved {
    /// 204 or 404.
    Gone,
    /// 422: it has a job.
    Busy,
}

impl GitHub {
    /// `POST .../actions/runners/generate-jitconfig`.
    pub fn post_runner(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        name: &RunnerName,
        labels: &[String],
    ) -> RunnerOrdered {
        self.advance(now);
        let place = self.place_of(repository);
        if !self.has_place(&place) {
            return RunnerOrdered::Refused;
        }
        let order = Order {
            name: name.to_string(),
            group: DEFAULT_GROUP,
            labels: labels.to_vec(),
            work_folder: "_work".to_owned(),
        };
        match self.order_runner(now, &place, order) {
            Ok(made) => RunnerOrdered::Made {
                id: RunnerId(made.id),
                encoded: made.encoded.clone(),
            },
            Err(OrderRefusal::NameTaken) => RunnerOrdered::NameTaken,
            Err(OrderRefusal::NoSuchGroup | OrderRefusal::Invalid(_)) => RunnerOrdered::Refused,
        }
    }

    /// All pages of `GET .../actions/runners`; `None` for 404.
    pub fn read_runners(
        &mut self,
        now: Timestamp,
        repository: &Repository,
    ) -> Option<Vec<Registration>> {
        self.advance(now);
        self.prune_runners(now);
        let place = self.place_of(repository);
        self.has_place(&place).then(|| {
            let here = self.registrations().filter(|one| one.place == place);
            here.cloned().collect()
        })
    }

    /// `DELETE .../actions/runners/{id}`.
    pub fn delete_runner(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        id: RunnerId,
    ) -> RunnerRemoved {
        self.advance(now);
        let place = self.place_of(repository);
        match self.runner_at(&place, id.0) {
            Some(runner) if runner.is_busy() => RunnerRemoved::Busy,
            Some(_) => {
                self.registrations.remove(&id.0);
                RunnerRemoved::Gone
            }
            None => RunnerRemoved::Gone,
        }
    }

    /// Where the runners for a repository's jobs are.
    pub fn place_of(&self, repository: &Repository) -> RunnerPlace {
        let owner = repository.owner();
        if self.settings.is_person(owner) {
            RunnerPlace::Repository(repository.clone())
        } else {
            RunnerPlace::Organization(owner.to_owned())
        }
    }
}

//! GitHub's runners and their table, as far as the controller sees them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};
use reprise_controller::ports::{
    MadeRunner, PortError, PortErrorKind, RunnerOrder, RunnerTrouble, Runners, RunnersPlace,
};
use reprise_engine::strays::ListedRunner;
use reprise_model::ids::{Repository, RunnerId};

use super::samples::secs;
use super::{failure, passing};

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The answer to the order is lost.
    NameLost,
    /// GitHub makes no runner.
    NotMade,
    /// GitHub wants to be left alone for so many seconds.
    Limited(i64),
    /// The table does not take the row.
    NotHandedOver,
}

/// The desk, shared by all controllers of a house.
#[derive(Clone, Default)]
pub(crate) struct FakeRunners(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    wrong: VecDeque<Wrong>,
    made: Vec<RunnerOrder>,
    rows: Vec<(RunnerOrder, Timestamp)>,
    removed: Vec<RunnerId>,
    is_hurried: bool,
    listed: Vec<ListedRunner>,
}

impl FakeRunners {
    /// The next calls that can go wrong so do.
    pub(crate) fn goes_wrong(&self, wrong: &[Wrong]) {
        self.state().wrong = wrong.iter().copied().collect();
    }

    /// Everything that was ordered.
    pub(crate) fn made(&self) -> Vec<RunnerOrder> {
        self.state().made.clone()
    }

    /// What was handed over, and until when.
    pub(crate) fn rows(&self) -> Vec<(RunnerOrder, Timestamp)> {
        self.state().rows.clone()
    }

    /// Runners that were taken back.
    pub(crate) fn removed(&self) -> Vec<RunnerId> {
        self.state().removed.clone()
    }

    /// Whether nothing waits for others any more.
    pub(crate) fn is_hurried(&self) -> bool {
        self.state().is_hurried
    }

    fn limited(&self) -> Option<SignedDuration> {
        let mut state = self.state();
        match state.wrong.front() {
            Some(Wrong::Limited(seconds)) => {
                let wait = secs(*seconds);
                state.wrong.pop_front();
                Some(wait)
            }
            Some(_) | None => None,
        }
    }

    /// GitHub lists these.
    pub(crate) fn lists(&self, listed: Vec<ListedRunner>) {
        self.state().listed = listed;
    }

    fn hits(&self, expected: &[Wrong]) -> Option<Wrong> {
        let mut state = self.state();
        let next = state.wrong.front().copied();
        let hit = next.filter(|wrong| expected.contains(wrong))?;
        state.wrong.pop_front();
        Some(hit)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("not poisoned")
    }
}

impl Runners for FakeRunners {
    async fn make(&self, order: &RunnerOrder) -> Result<MadeRunner, RunnerTrouble> {
        if let Some(wait) = self.limited() {
            let kind = PortErrorKind::Throttled;
            let error = failure("make a runner", kind, Some(wait));
            return Err(RunnerTrouble::NotMade(error));
        }
        self.state().made.push(order.clone());
        match self.hits(&[Wrong::NameLost, Wrong::NotMade]) {
            Some(Wrong::NotMade) => Err(RunnerTrouble::NotMade(passing("make a runner"))),
            Some(_) => Err(RunnerTrouble::NameLost(passing("make a runner"))),
            None => Ok(MadeRunner {
                id: RunnerId(self.state().made.len() as u64),
                config: order.name.as_str().into(),
            }),
        }
    }

    async fn hand_over(
        &self,
        order: &RunnerOrder,
        made: &MadeRunner,
        expires_at: Timestamp,
    ) -> Result<(), PortError> {
        assert_eq!(made.config, order.name.as_str().as_bytes());
        if self.hits(&[Wrong::NotHandedOver]).is_some() {
            return Err(passing("hand over a runner's configuration"));
        }
        self.state().rows.push((order.clone(), expires_at));
        Ok(())
    }

    fn hurry(&self) {
        self.state().is_hurried = true;
    }

    async fn remove(&self, _: &RunnerOrder, made: &MadeRunner) -> Result<(), PortError> {
        self.state().removed.push(made.id);
        Ok(())
    }

    async fn place(&self, repository: &Repository) -> Result<RunnersPlace, PortError> {
        Ok(RunnersPlace(repository.owner().to_owned()))
    }

    async fn list(&self, _: &Repository) -> Result<Vec<ListedRunner>, PortError> {
        Ok(self.state().listed.clone())
    }

    async fn take_out(&self, _: &Repository, id: RunnerId) -> Result<bool, PortError> {
        let mut state = self.state();
        state.listed.retain(|one| one.id != id);
        state.removed.push(id);
        Ok(true)
    }
}

//! The runner of an idle instance is taken out of GitHub before the instance is ended.
//!
//! GitHub refuses that where the runner has a job. So what is ended afterwards had none, and gets none.

use std::collections::BTreeMap;

use reprise_engine::reap::RunnerWords;
use reprise_engine::strays::ListedRunner;
use reprise_model::ids::{Repository, RunnerId, RunnerName};
use reprise_model::instance::InstanceView;
use reprise_model::ledger::LaunchClaim;
use reprise_model::runner_row::made_for;
use tracing::{debug, info};

use crate::context::{Controller, WorkError};
use crate::logging::chain;
use crate::ports::{PortError, Ports, RunnersPlace};

/// The runners that one sweep has listed, each place once. What has changed since then GitHub's answer
/// to the removal tells.
#[derive(Debug, Default)]
pub(super) struct Rolls {
    places: BTreeMap<Repository, RunnersPlace>,
    lists: BTreeMap<RunnersPlace, Vec<ListedRunner>>,
}

impl<P: Ports> Controller<P> {
    /// Takes the runner of an instance out of GitHub, and what GitHub says to it.
    pub(super) async fn withdraw(
        &self,
        view: &InstanceView,
        claims: &[&LaunchClaim],
        rolls: &mut Rolls,
    ) -> Result<RunnerWords, WorkError> {
        let tag = view.tags.get(&self.settings.rules.tags.repository());
        let repository = tag.and_then(|tag| tag.parse::<Repository>().ok());
        let runners = self.runners.as_ref().or(self.registry.as_ref());
        let (Some(runners), Some(repository)) = (runners, repository) else {
            return Ok(RunnerWords::Unknown);
        };
        let withdrawn = self.withdraw_of(runners, &repository, view, claims, rolls);
        match withdrawn.await {
            Ok(words) => Ok(words),
            Err(error) if error.is_throttled() => Ok(RunnerWords::NotNow),
            Err(error) if error.refusal().is_some() => {
                debug!(error = %chain(&error), instance.id = %view.instance.id, "GitHub does not tell of its runner");
                Ok(RunnerWords::Unknown)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn withdraw_of(
        &self,
        runners: &P::Runners,
        repository: &Repository,
        view: &InstanceView,
        claims: &[&LaunchClaim],
        rolls: &mut Rolls,
    ) -> Result<RunnerWords, PortError> {
        let known = claims
            .iter()
            .find_map(|claim| claim.only_runner_of(&view.instance.id));
        let found: Vec<(RunnerId, RunnerName)> = match known {
            Some(runner) => vec![(runner.id, runner.name.clone())],
            None => {
                let listed = self.roll(runners, repository, rolls).await?;
                let here = listed.iter().filter(|one| self.is_of(&one.name, view));
                here.map(|one| (one.id, one.name.clone())).collect()
            }
        };
        // Where we make the runners, one that GitHub does not list is none; what an instance brings along
        // may be registered where we do not look.
        if found.is_empty() && self.runners.is_none() {
            return Ok(RunnerWords::Unknown);
        }
        for (id, name) in found {
            let is_gone = self.take_runner_out(runners, repository, id).await?;
            self.told_withdrawn(view, id, &name, is_gone);
            if !is_gone {
                return Ok(RunnerWords::Busy);
            }
        }
        Ok(RunnerWords::Gone)
    }

    fn is_of(&self, name: &RunnerName, view: &InstanceView) -> bool {
        let id = &view.instance.id;
        let named = self.settings.runner_name.read(name);
        made_for(name).as_ref() == Some(id) || named.is_some_and(|named| named.id == *id)
    }

    async fn roll<'r>(
        &self,
        runners: &P::Runners,
        repository: &Repository,
        rolls: &'r mut Rolls,
    ) -> Result<&'r [ListedRunner], PortError> {
        let place = match rolls.places.get(repository) {
            Some(place) => place.clone(),
            None => {
                let place = self.runners_place(runners, repository).await?;
                rolls.places.insert(repository.clone(), place.clone());
                place
            }
        };
        if !rolls.lists.contains_key(&place) {
            let listed = self.list_runners(runners, repository).await?;
            rolls.lists.insert(place.clone(), listed);
        }
        Ok(rolls.lists.get(&place).map_or(&[], Vec::as_slice))
    }

    fn told_withdrawn(&self, view: &InstanceView, id: RunnerId, name: &RunnerName, is_gone: bool) {
        let reason = if is_gone { "machine-idle" } else { "busy" };
        self.metrics.stray_runner(reason);
        info!(
            target: "reprise::decision",
            decision = "runner-removed",
            reason,
            runner.id = %id,
            runner.name = %name,
            instance.id = %view.instance.id,
            "the runner of an idle instance is to leave GitHub before the instance ends"
        );
    }
}

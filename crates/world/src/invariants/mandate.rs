//! What the programs under test are told to do, as far as the invariants depend on it.

use reprise_model::advice::Said;
use reprise_model::instance::Capacity;
use reprise_model::labels;
use reprise_model::policy::{EvidenceRule, MixedReruns, OnDemandRetries, RetryPolicy};

use super::reruns::origin;
use crate::github::{Attempt, Job};
use crate::world::{World, asks_the_endpoint};

/// What the programs under test are told to do, as far as the invariants depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mandate {
    /// The machines are somebody else's: nothing is launched, and nothing is ended.
    pub retries_only: bool,
    /// What it takes to believe that EC2 took a machine.
    pub evidence: EvidenceRule,
    /// How several jobs come back of a run in which others really failed.
    pub mixed: MixedReruns,
    /// Which later attempts are kept off spot.
    pub on_demand_retries: OnDemandRetries,
    /// The run of a job that gets no machine is cancelled.
    pub cancels_exhausted: bool,
    /// Runs of merge queues have gates.
    pub gates: bool,
    /// Labels may ask for the re-run of failures.
    pub labels_may_name_failures: bool,
    /// Labels may name the endpoint.
    pub labels_may_ask: bool,
    /// The policy of the jobs of the workflow with this name, where their labels say nothing.
    pub policy_of_workflow: Option<(&'static str, RetryPolicy)>,
    /// How many jobs of a repository are re-run in an hour; `None` where nobody was told.
    pub most_an_hour: Option<usize>,
}

impl Mandate {
    /// What holds for a job, once its endpoint was asked about it: where that said no, nothing is re-run;
    /// where it gave no answer, the default holds.
    pub(super) fn policy(self, world: &World, job: &Job) -> RetryPolicy {
        let policy = self.named(world, job);
        if policy.endpoint().is_none() {
            return policy;
        }
        let said = said_of(world, job);
        let nothing = |said: &Said| matches!(said, Said::Nothing { .. });
        match said {
            [] => policy,
            said if said.iter().any(is_yes) => policy,
            said if said.iter().any(nothing) => RetryPolicy::USUAL,
            _ => RetryPolicy::Never,
        }
    }

    /// What labels and configuration say of it.
    fn named(self, world: &World, job: &Job) -> RetryPolicy {
        let may_be_said = |policy: &RetryPolicy| match policy.endpoint() {
            Some(endpoint) => self.labels_may_ask && Some(endpoint) == asks_the_endpoint(),
            None => self.labels_may_name_failures || policy.failure().is_none(),
        };
        let labels = labels::parse(&job.labels).ok().flatten();
        let said = labels.and_then(|labels| labels.retry).filter(may_be_said);
        let run = world.github().job(job.id).map(|(run, _, _)| run);
        let of_workflow = self
            .policy_of_workflow
            .filter(|(name, _)| run.is_some_and(|run| run.spec.workflow_name == *name));
        said.or(of_workflow.map(|(_, policy)| policy))
            .unwrap_or(RetryPolicy::USUAL)
    }

    /// Whether a job of this attempt must be kept off spot.
    pub(super) fn keeps_off_spot(self, world: &World, attempt: &Attempt, job: &Job) -> bool {
        let is_later = !attempt.number.is_first();
        is_later
            && !may_be_advised_onto_spot(world, attempt, job)
            && match self.on_demand_retries {
                OnDemandRetries::Always => true,
                OnDemandRetries::UnlessOptedOut => self.named(world, job) != RetryPolicy::Never,
                OnDemandRetries::AutomaticOnly => {
                    attempt.triggering_actor == world.github().settings().bot()
                }
                OnDemandRetries::SameJob => {
                    let run = world.github().job(job.id).map(|(run, _, _)| run);
                    run.is_some_and(|run| {
                        run.executions_at(job.place())
                            .any(|earlier| earlier.id < job.id)
                    })
                }
            }
    }
}

/// What was heard of a job's execution.
pub(super) fn said_of<'a>(world: &'a World, job: &Job) -> &'a [Said] {
    world.said_of(origin(world.github(), job).id)
}

pub(super) fn is_yes(said: &Said) -> bool {
    matches!(said, Said::Yes { .. })
}

/// Whether the endpoint named spot for a job of the attempt before, of the same name.
fn may_be_advised_onto_spot(world: &World, attempt: &Attempt, job: &Job) -> bool {
    let github = world.github();
    let Some((run, _, _)) = github.job(job.id) else {
        return false;
    };
    let before = run
        .attempts()
        .find(|one| one.number.next() == attempt.number);
    let named = before.into_iter().flat_map(|before| before.jobs.values());
    let mut same = named.filter(|one| one.name == job.name);
    let spot = |said: &Said| match said {
        Said::Yes { capacity, .. } => *capacity == Some(Capacity::Spot),
        Said::No { .. } | Said::Nothing { .. } => false,
    };
    same.any(|one| said_of(world, one).iter().any(spot))
}

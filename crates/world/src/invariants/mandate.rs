//! What the programs under test are told to do, as far as the invariants depend on it.

use reprise_model::labels;
use reprise_model::policy::{EvidenceRule, MixedReruns, OnDemandRetries, RetryPolicy};

use crate::github::{Attempt, Job};
use crate::world::World;

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
    /// The policy of the jobs of the workflow with this name, where their labels say nothing.
    pub policy_of_workflow: Option<(&'static str, RetryPolicy)>,
}

impl Mandate {
    /// What holds for a job.
    pub(super) fn policy(self, world: &World, job: &Job) -> RetryPolicy {
        let may_be_said =
            |policy: &RetryPolicy| self.labels_may_name_failures || policy.failure().is_none();
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
            && match self.on_demand_retries {
                OnDemandRetries::Always => true,
                OnDemandRetries::UnlessOptedOut => self.policy(world, job) != RetryPolicy::Never,
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

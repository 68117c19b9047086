//! What is going to happen in one simulation, as data that a seed draws.
//!
//! Nothing here plays it, but each action can be done to a world ([`Action::apply`]). The invariant: a
//! plan depends on its seed alone, and a prefix of a plan plays like the whole up to its last step.

mod act;
mod calm;
mod dice;
mod draw;
mod fates;
mod happenings;
mod kind;
pub mod others;
mod policies;
mod rates;
pub mod reached;
mod strangers;
mod swarm;
#[cfg(test)]
mod tests;
mod words;
mod workload;

use jiff::{SignedDuration, Timestamp};
use reprise_engine::breaker::BreakerRules;
use reprise_engine::room::InstanceLimits;
use reprise_model::job::Conclusion;
use reprise_world::ec2::Pool;
use reprise_world::fate::{Fate, Stroke};
use reprise_world::github::RunSpec;
use reprise_world::invariants::Mandate;
use reprise_world::machine::WhenTaken;
use reprise_world::world::{ByHand, Deed, When};

pub use dice::Dice;
pub use rates::{
    AgentRates, AskRates, Chance, Ec2Rates, GitHubRates, LatencyRates, PostRates, Rates, SqsRates,
    StoreRates,
};
pub use strangers::Stranger;

/// One simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What drew it, and what its dice at play are seeded with.
    pub seed: u64,
    /// How the world is set up.
    pub world: WorldPlan,
    /// How often the controllers' surroundings fail.
    pub rates: Rates,
    /// How the post treats messages.
    pub post: PostRates,
    /// How the agents do.
    pub agents: AgentRates,
    /// How many controllers there are.
    pub replicas: u32,
    /// Whether they search for queued jobs that no event announced. Where they do not, such an event
    /// always comes in the end, and whoever acknowledges it for nothing is found out.
    pub search: bool,
    /// What holds their launches back.
    pub fleet: FleetPlan,
    /// What is done, in order of time.
    pub steps: Vec<Step>,
    /// Controllers make the runners of their instances; else instances bring them along.
    pub makes_runners: bool,
    /// From when on nothing outside fails any more, so that everything can come to rest.
    pub calm_after: SignedDuration,
}

/// What holds launches back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FleetPlan {
    /// The most instances at once.
    pub instances: InstanceLimits,
    /// When a spot pool is left alone.
    pub breaker: BreakerRules,
}

/// What a plan says of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldPlan {
    /// When it begins.
    pub start: Timestamp,
    /// What the controllers are told to do.
    pub mandate: Mandate,
    /// Whether the run's id stands in the labels of its jobs, so that no other run's job has them.
    pub labels_are_bound: bool,
    /// How far EC2's descriptions lag behind.
    pub list_delay: SignedDuration,
    /// Up to so much further, each by its own.
    pub list_delay_varies_by: SignedDuration,
    /// From an instance's launch to its state `running`.
    pub boot_takes: SignedDuration,
    /// What becomes of a job whose operating system shuts down.
    pub when_taken: WhenTaken,
    /// How often a message is received before it is a dead letter.
    pub max_receive_count: u32,
    /// Whether `rerun-failed-jobs` takes cancelled jobs along.
    pub rerun_failed_takes_cancelled: bool,
    /// Somebody else's fleet keeps machines ready for jobs to come.
    pub machines_are_ready: bool,
    /// For how long the job list of a re-run's attempt lacks a record.
    pub job_lists_lag: SignedDuration,
    /// The App may not read why jobs were cancelled.
    pub no_checks_read: bool,
    /// The App may not re-run.
    pub no_actions_write: bool,
    /// The logs of all runs are past their retention, so that nothing can be re-run.
    pub logs_are_gone: bool,
    /// All workflows are disabled, so that nothing can be re-run.
    pub workflows_are_disabled: bool,
    /// Runners that never come up.
    pub never_come_up: Chance,
}

/// Something that is done at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When, from the beginning.
    pub at: SignedDuration,
    /// What.
    pub what: Action,
}

/// What can be done. A run is named by its place among the plan's pushes, a job by its place in the
/// workflow file; what is not there yet befalls nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Somebody pushes.
    Push(Box<Push>),
    /// A person cancels a run.
    CancelByPerson {
        /// Which.
        run: usize,
    },
    /// A person re-runs a run.
    RerunByPerson {
        /// Which.
        run: usize,
        /// What of it.
        what: ByHand,
    },
    /// A person does something about a run as soon as something else has happened to it.
    PersonWaits {
        /// Which run.
        run: usize,
        /// For what.
        when: When,
        /// How long after that the person acts.
        then_after: SignedDuration,
        /// What the person does.
        deed: Deed,
    },
    /// Something strikes the instance that a job runs, or ran, on.
    Strike {
        /// Whose job.
        run: usize,
        /// Which of its jobs.
        place: usize,
        /// What strikes it.
        stroke: Stroke,
    },
    /// EC2 recommends to move on from the instance that a job runs on.
    Rebalance {
        /// Whose job.
        run: usize,
        /// Which of its jobs.
        place: usize,
    },
    /// Pools run out of capacity for a while.
    Shortage {
        /// Which.
        pool: Pool,
        /// For how long.
        lasts: SignedDuration,
    },
    /// GitHub says that a run has completed although it may not have.
    EarlyCompleted {
        /// Which.
        run: usize,
    },
    /// GitHub sends a signed event of a kind that does not matter.
    Ping,
    /// The address of the webhooks takes nothing for a while.
    AddressDown {
        /// For how long.
        lasts: SignedDuration,
    },
    /// A stranger posts something to the address of the webhooks.
    Forge(Forgery),
    /// The owner of a run's repository deletes it.
    DeleteRepository {
        /// Which run.
        run: usize,
    },
    /// Something that is none of ours happens, told like a job of ours.
    Stranger {
        /// Of which run.
        run: usize,
        /// Which of its jobs.
        place: usize,
        /// What happens.
        what: Stranger,
    },
    /// A person asks for a fresh chance for whatever of a run is exhausted.
    Requeue {
        /// Which run.
        run: usize,
    },
    /// A controller's process dies.
    Crash {
        /// Which.
        replica: u32,
        /// At which of its calls from now on.
        calls: u32,
        /// Whether that call still takes effect.
        after_effect: bool,
    },
    /// A controller is asked to end.
    Drain {
        /// Which.
        replica: u32,
    },
}

/// A run that is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// What is pushed.
    pub spec: RunSpec,
    /// What befalls its jobs, by their places: a fate an execution, of which the last repeats.
    pub fates: Vec<Vec<Fate>>,
}

/// What a stranger posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgery {
    /// What it says.
    pub says: Lie,
    /// How it is signed. A stranger does not know the secret.
    pub signed: Signed,
}

/// What a forged webhook says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lie {
    /// A job has ended so.
    Completed {
        /// Whose job.
        run: usize,
        /// Which of its jobs.
        place: usize,
        /// How.
        conclusion: Conclusion,
    },
    /// A job waits for a machine that does not exist.
    Queued {
        /// Of which run.
        run: usize,
        /// With the labels of which job.
        place: usize,
    },
    /// EC2 takes the instance that a job runs on: an event of EC2's, posted as a webhook.
    Warning {
        /// Whose job.
        run: usize,
        /// Which of its jobs.
        place: usize,
    },
    /// Nothing that can be read.
    Garbage,
}

/// How a forged webhook is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signed {
    /// Not at all.
    Not,
    /// With text that is no signature.
    Malformed,
    /// With another secret.
    Wrongly,
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64) -> Self {
        draw::plan(seed)
    }

    /// The same with the first steps alone, and nothing outside fails after them.
    #[must_use]
    pub fn prefix(&self, steps: usize) -> Self {
        let mut plan = self.clone();
        if let Some(next) = self.steps.get(steps) {
            plan.calm_after = plan.calm_after.min(next.at);
            plan.steps.truncate(steps);
        }
        plan
    }
}

//! What is going to happen in one simulation, as data that a seed draws.
//!
//! Nothing here plays it. The invariant: a plan depends on its seed alone, and a prefix of a plan
//! plays like the whole up to its last step.

mod draw;

use jiff::{SignedDuration, Timestamp};
use reprise_world::ec2::InterruptionAction;
use reprise_world::machine::WhenTaken;
use reprise_world::scenario::PlannedRun;

pub use draw::Dice;

/// How often something happens, in thousandths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(pub u16);

/// One simulation.
#[derive(Debug, Clone)]
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
    /// What is done, in order of time.
    pub steps: Vec<Step>,
    /// From when on nothing outside fails any more, so that everything can come to rest.
    pub calm_after: SignedDuration,
}

/// What a plan says of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldPlan {
    /// When it begins.
    pub start: Timestamp,
    /// How far EC2's descriptions lag behind.
    pub list_delay: SignedDuration,
    /// What becomes of a job whose operating system shuts down.
    pub when_taken: WhenTaken,
    /// How often a message is received before it is a dead letter.
    pub max_receive_count: u32,
    /// Whether `rerun-failed-jobs` takes cancelled jobs along.
    pub rerun_failed_takes_cancelled: bool,
    /// For how long the job list of a re-run's attempt lacks a record.
    pub job_lists_lag: SignedDuration,
}

/// Something that is done at a time.
#[derive(Debug, Clone)]
pub struct Step {
    /// When, from the beginning.
    pub at: SignedDuration,
    /// What.
    pub what: Action,
}

/// What can be done. A run is named by its place among the plan's pushes.
#[derive(Debug, Clone)]
pub enum Action {
    /// Somebody pushes.
    Push(Box<PlannedRun>),
    /// A person cancels a run.
    CancelByPerson {
        /// Which.
        run: usize,
    },
    /// A person re-runs a run.
    RerunByPerson {
        /// Which.
        run: usize,
        /// Whether only its failed jobs.
        only_failed: bool,
    },
    /// EC2 takes a spot instance that works, if there is one.
    Interrupt {
        /// Which, counted round among those that work.
        nth: usize,
        /// What EC2 does to it.
        action: InterruptionAction,
        /// After which notice.
        notice: SignedDuration,
    },
    /// A host dies without a word.
    HostDies {
        /// Which, counted round among those that work.
        nth: usize,
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

/// How often a controller's surroundings fail, and how long they take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates {
    /// How long calls take.
    pub latency: LatencyRates,
    /// The store.
    pub store: StoreRates,
    /// GitHub.
    pub github: GitHubRates,
    /// EC2.
    pub ec2: Ec2Rates,
    /// SQS.
    pub sqs: SqsRates,
}

/// How long a call takes, beside the milliseconds that each takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LatencyRates {
    /// A call that takes much longer.
    pub slow: Chance,
    /// How long at most.
    pub slow_up_to: SignedDuration,
}

/// The store's faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreRates {
    /// A commit is done, its answer is lost, and the client's own repeat conflicts with it.
    pub repeats_conflict: Chance,
    /// A commit of several records is refused because another transaction was at one of them.
    pub transactions_collide: Chance,
    /// A call fails and does nothing.
    pub fails: Chance,
    /// A commit is done and its answer is lost.
    pub lost_answers: Chance,
    /// What is due is read from an index that lags behind.
    pub due_lags: Chance,
    /// By how much.
    pub due_lag: SignedDuration,
}

/// GitHub's faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GitHubRates {
    /// A call is answered 5xx and does nothing.
    pub fails: Chance,
    /// A re-run is answered 5xx although it was carried out.
    pub fails_after_acting: Chance,
    /// A call's answer never comes; whether it was carried out is as likely as not.
    pub lost_answers: Chance,
    /// The secondary limit refuses a call.
    pub limited: Chance,
    /// How long it asks to wait.
    pub retry_after: SignedDuration,
    /// A run that was just made is not found.
    pub fresh_not_found: Chance,
}

/// EC2's faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ec2Rates {
    /// A call is throttled.
    pub throttled: Chance,
    /// There is no spot capacity.
    pub no_spot: Chance,
    /// There is no on-demand capacity.
    pub no_on_demand: Chance,
    /// A launch's answer is lost; whether it was carried out is as likely as not.
    pub lost_answers: Chance,
    /// A termination fails.
    pub terminate_fails: Chance,
}

/// SQS's faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SqsRates {
    /// A receive fails; whether it hid messages is as likely as not.
    pub receive_fails: Chance,
    /// A received message stays visible to others.
    pub received_twice: Chance,
    /// A delete or a change of visibility fails and does nothing.
    pub fails: Chance,
    /// A delete is done and its answer is lost.
    pub lost_answers: Chance,
}

/// How messages travel from GitHub and EventBridge to the queues.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PostRates {
    /// A message is lost at first and redelivered later.
    pub lost: Chance,
    /// How much later at most.
    pub redelivered_within: SignedDuration,
    /// A message is lost for ever.
    pub lost_for_good: Chance,
    /// A message comes twice.
    pub doubled: Chance,
    /// A message comes late, and so after others that were sent later.
    pub delayed: Chance,
    /// How late at most.
    pub delayed_up_to: SignedDuration,
}

/// How agents do, decided once an instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AgentRates {
    /// There is none.
    pub missing: Chance,
    /// It dies some time after the boot.
    pub dies: Chance,
    /// How long after the boot at most.
    pub dies_within: SignedDuration,
    /// Its calls to EC2 take long.
    pub slow: Chance,
    /// How long at most.
    pub slow_up_to: SignedDuration,
    /// A call to EC2 fails.
    pub tag_fails: Chance,
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

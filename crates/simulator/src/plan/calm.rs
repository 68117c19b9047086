//! A plan by hand: nothing happens but its steps, and nothing outside fails.

use jiff::SignedDuration;
use reprise_world::invariants::Mandate;
use reprise_world::machine::WhenTaken;

use super::draw::START;
use super::{AgentRates, Chance, FleetPlan, Plan, PostRates, Rates, Step, WorldPlan};

impl Plan {
    /// A plan of these steps, which stand in order of time, for one controller.
    pub fn calm(steps: Vec<Step>) -> Self {
        let last = steps.last().map_or(SignedDuration::ZERO, |step| step.at);
        Self {
            seed: 0,
            world: world(),
            rates: Rates::default(),
            post: PostRates::default(),
            agents: AgentRates::default(),
            replicas: 1,
            search: false,
            fleet: FleetPlan::default(),
            makes_runners: true,
            calm_after: last,
            steps,
        }
    }
}

fn world() -> WorldPlan {
    WorldPlan {
        start: START,
        mandate: Mandate::default(),
        labels_are_bound: true,
        list_delay: SignedDuration::ZERO,
        list_delay_varies_by: SignedDuration::ZERO,
        boot_takes: SignedDuration::from_secs(20),
        when_taken: WhenTaken::Fails,
        max_receive_count: 20,
        rerun_failed_takes_cancelled: true,
        machines_are_ready: false,
        job_lists_lag: SignedDuration::ZERO,
        no_checks_read: false,
        no_actions_write: false,
        logs_are_gone: false,
        workflows_are_disabled: false,
        never_come_up: Chance::default(),
    }
}

//! The world of a plan, and the controllers' configuration for it.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use jiff::SignedDuration;
use reprise_config::policies::{Policies, PolicyRule};
use reprise_config::{CheckSettings, Failures, FleetSettings, Place, Settings};
use reprise_engine::offer::{FleetOffer, Limits, RegionOffer};
use reprise_engine::redeliver::RedeliverRules;
use reprise_engine::rules::Rules;
use reprise_engine::types::InstanceType;
use reprise_model::policy::{FailurePolicy, OnLaunchExhausted, RetryPolicy};
use reprise_model::runner_name::RunnerNamePattern;
use reprise_world::github::{self, AppKeys, KeyError};
use reprise_world::invariants::Mandate;
use reprise_world::machine::{MachineSettings, RunnerStart};
use reprise_world::world::{DeliveryMode, Ec2Behaviour, World, WorldSettings, asks_the_endpoint};
use wildmatch::WildMatch;

use crate::plan::{FleetPlan, Plan};

/// The secret of the simulated webhooks.
pub const SECRET: &str = "fake-webhook-secret";

/// The pause between two sweeps, the controller's default.
pub const SWEEP_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// How failed webhook deliveries are asked for again; but for the tries the controller's defaults. Few
/// tries are used up within a simulation.
pub const REDELIVER: RedeliverRules = RedeliverRules {
    every: SignedDuration::from_mins(5),
    within: SignedDuration::from_hours(72),
    tries: 3,
};

/// The pause between two searches for queued jobs, where there are any; the controller's default.
const FIND_QUEUED_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// How often a launch is tried: fewer times than by default, so that some are given up.
const LAUNCH_TRIES: u32 = 6;

/// How many messages of a queue a controller deals with at once.
pub const AT_ONCE: usize = 100;

/// One key for all simulations of a process: making one takes a while, and nobody signs with it.
static KEYS: LazyLock<Result<AppKeys, KeyError>> = LazyLock::new(AppKeys::generate);

/// The world of a plan.
///
/// # Errors
/// When the simulated GitHub cannot be set up.
pub fn world(plan: &Plan) -> Result<World> {
    let keys = KEYS.as_ref().ok().context("failed to make the App's key")?;
    let github = github::Settings {
        rerun_failed_takes_cancelled: plan.world.rerun_failed_takes_cancelled,
        ..github::Settings::new(keys.public_pem.clone(), SECRET)
    };
    let usual = WorldSettings::new(plan.seed, plan.world.start, github);
    let mut world = World::new(WorldSettings {
        delivery: DeliveryMode::Elsewhere,
        max_receive_count: plan.world.max_receive_count,
        ec2: Ec2Behaviour {
            list_delay: plan.world.list_delay,
            list_delay_varies_by: plan.world.list_delay_varies_by,
            boot_takes: plan.world.boot_takes,
            ..usual.ec2
        },
        machines: MachineSettings {
            when_taken: plan.world.when_taken,
            never_come_up: plan.world.never_come_up.0,
            runner: if plan.makes_runners {
                RunnerStart::JustInTime
            } else {
                RunnerStart::BroughtAlong
            },
            ..usual.machines.clone()
        },
        ..usual
    })
    .context("failed to make the world")?;
    let now = world.now();
    let faults = world.github_mut(now).faults_mut();
    faults.job_lists_lag = plan.world.job_lists_lag;
    faults.no_checks_read = plan.world.no_checks_read;
    faults.no_actions_write = plan.world.no_actions_write;
    faults.logs_are_gone = plan.world.logs_are_gone;
    faults.workflows_are_disabled = plan.world.workflows_are_disabled;
    Ok(world)
}

/// The configuration of controllers that are told this, whether to search for queued jobs, and what
/// holds launches back.
///
/// # Errors
/// When the built-in table of failures is wrong.
pub fn controller(
    world: &WorldSettings,
    mandate: Mandate,
    search: bool,
    held_back: FleetPlan,
) -> Result<Settings> {
    let failures = Failures::usual().map_err(anyhow::Error::msg)?;
    Ok(Settings {
        rules: Rules {
            tags: world.tags.clone(),
            evidence: mandate.evidence,
            mixed: mandate.mixed,
            on_demand_retries: mandate.on_demand_retries,
            on_launch_exhausted: if mandate.cancels_exhausted {
                OnLaunchExhausted::CancelRun
            } else {
                OnLaunchExhausted::LeaveQueued
            },
            launch_tries: LAUNCH_TRIES,
            most_jobs_an_hour: most_jobs_an_hour(mandate),
            ..Rules::default()
        },
        repositories: vec![WildMatch::new("acme/*")],
        policies: policies(mandate),
        web: "https://github.com".to_owned(),
        runner_name: RunnerNamePattern::default(),
        places: vec![Place {
            region: world.region.clone(),
            account: world.account.clone(),
        }],
        fleet: (!mandate.retries_only).then(|| FleetSettings {
            find_queued_every: search.then_some(FIND_QUEUED_EVERY),
            ..fleet(world, held_back)
        }),
        redeliver: Some(REDELIVER),
        checks: CheckSettings {
            merge_queues: if mandate.gates {
                vec![WildMatch::new("*")]
            } else {
                Vec::new()
            },
            ..CheckSettings::default()
        },
        failures,
    })
}

fn most_jobs_an_hour(mandate: Mandate) -> u32 {
    let most = mandate.most_an_hour.map(u32::try_from).and_then(Result::ok);
    most.unwrap_or(Rules::default().most_jobs_an_hour)
}

/// What is to come back for what, and after how long.
fn policies(mandate: Mandate) -> Policies {
    let rule = |(workflow, retry): (&str, RetryPolicy)| PolicyRule {
        repository: WildMatch::new("*"),
        workflow: WildMatch::new(workflow),
        job: WildMatch::new("*"),
        retry,
        delays: None,
    };
    let everybody = WildMatch::new("*");
    let may_name: Vec<WildMatch> = mandate
        .labels_may_ask
        .then_some(everybody)
        .into_iter()
        .collect();
    let delays = [15, 60].map(SignedDuration::from_secs).to_vec();
    Policies {
        rules: mandate.policy_of_workflow.map(rule).into_iter().collect(),
        endpoints: asks_the_endpoint()
            .map(|endpoint| (endpoint, may_name.clone()))
            .into_iter()
            .collect(),
        allowed: FailurePolicy::ALL
            .into_iter()
            .filter(|_| mandate.labels_may_name_failures)
            .collect(),
        delays: FailurePolicy::ALL.map(|kind| (kind, delays.clone())).into(),
    }
}

fn fleet(world: &WorldSettings, held_back: FleetPlan) -> FleetSettings {
    let types = [
        ("c7a.large", 2, 4),
        ("c7i.large", 2, 4),
        ("c7a.xlarge", 4, 8),
    ];
    let types = types.map(|(name, cpu, ram)| InstanceType {
        name: name.to_owned(),
        cpu,
        ram,
    });
    let region = RegionOffer {
        region: world.region.clone(),
        account: world.account.clone(),
        subnets: ["a", "b"]
            .map(|zone| format!("subnet-{}{zone}", world.region))
            .to_vec(),
        private_subnets: Vec::new(),
    };
    FleetSettings {
        stack: world.stack.clone(),
        offer: FleetOffer {
            limits: Limits {
                instances: held_back.instances,
                ..Limits::default()
            },
            ..FleetOffer::of_types(region, types.to_vec())
        },
        launch_template: world.launch_template.clone(),
        launch_template_version: "$Latest".to_owned(),
        find_queued_every: None,
        old_image_after: None,
        breaker: Some(held_back.breaker),
        tag_jobs: true,
    }
}

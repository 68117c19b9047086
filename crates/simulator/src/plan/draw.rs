//! Drawing a plan.

use jiff::{SignedDuration, Timestamp};
use reprise_engine::breaker::BreakerRules;
use reprise_engine::room::InstanceLimits;
use reprise_model::policy::{EvidenceRule, MixedReruns};
use reprise_world::machine::WhenTaken;

use super::fates::Mix;
use super::happenings::Stage;
use super::kind::Kind;
use super::swarm::Swarm;
use super::{Action, Dice, FleetPlan, Plan, Push, Rates, Step, WorldPlan, policies, workload};

/// When every world begins.
pub(super) const START: Timestamp = Timestamp::constant(1_772_359_200, 0);

/// How long after the last push most things have happened.
const HORIZON: SignedDuration = SignedDuration::from_mins(20);

/// Tells the dice of the webhooks' address from those of all else.
const ADDRESS_DICE: u64 = 0x61_64_64_72_65_73_73;

/// And those of what becomes of jobs that get no machine.
const CANCEL_DICE: u64 = 0x63_61_6e_63_65_6c;

/// And those of whether merge queues wait for us.
const GATE_DICE: u64 = 0x67_61_74_65_73;

/// And those of what labels say of re-runs.
const POLICY_DICE: u64 = 0x70_6f_6c_69_63_79;

/// And those of the operator's endpoint.
const ASK_DICE: u64 = 0x61_73_6b;

/// And those of how much is re-run in an hour.
const BUDGET_DICE: u64 = 0x62_75_64_67_65_74;

/// Tells the dice of how mixed runs come back from those of all else.
const MIXED_DICE: u64 = 0x6d_69_78_65_64_21;

/// Tells the dice of what is believed from those of all else.
const PROOF_DICE: u64 = 0x70_72_6f_6f_66;

/// Tells the dice of what holds launches back from those of all else.
const FLEET_DICE: u64 = 0x66_6c_65_65_74;

/// Tells the dice of fresh chances from those of all else.
const CHANCE_DICE: u64 = 0x63_68_61_6e_63_65;

/// Tells the dice of disabled workflows from those of all else.
const DISABLED_DICE: u64 = 0x64_69_73_61_62_6c_65;

/// Tells the dice of whether runners are made from those of all else.
const RUNNER_DICE: u64 = 0x72_75_6e_6e_65_72;

pub(super) fn plan(seed: u64) -> Plan {
    let mut dice = Dice::new(seed);
    let mut kind = Kind::draw(&mut dice);
    // By dice of their own, as below.
    kind.mandate.cancels_exhausted = Dice::new(seed ^ CANCEL_DICE).chance(850);
    kind.mandate.gates = Dice::new(seed ^ GATE_DICE).chance(600);
    if Dice::new(seed ^ MIXED_DICE).chance(350) {
        kind.mandate.mixed = MixedReruns::Sequential;
    }
    if Dice::new(seed ^ PROOF_DICE).chance(350) {
        kind.mandate.evidence = EvidenceRule::Proof;
    }
    let mut policy_dice = Dice::new(seed ^ POLICY_DICE);
    let mut ask_dice = Dice::new(seed ^ ASK_DICE);
    kind.mandate = policies::mandate(&mut policy_dice, &mut ask_dice, kind.mandate);
    let mut budget_dice = Dice::new(seed ^ BUDGET_DICE);
    kind.mandate.most_an_hour = Some(policies::most_an_hour(&mut budget_dice));
    let swarm = Swarm::draw(&mut dice);
    let mix = Mix::draw(&mut dice, &swarm, &kind);
    let replicas = dice.one_of(1, &[(350, 2), (250, 3)]);
    let mut steps = workload::pushes(&mut dice, &kind, &mix);
    policies::sprinkle(&mut policy_dice, &mut steps);
    let stage = stage(&steps, replicas, &kind);
    let mut happenings = stage.happenings(&mut dice, &swarm, &kind);
    // By dice of its own: what else a seed draws stays as it was.
    let mut its_dice = Dice::new(seed ^ ADDRESS_DICE);
    let search = its_dice.chance(500) && !kind.mandate.retries_only;
    // What is given up because the address is down for long is found by a search and a sweep alone,
    // and no sweep finds a job on a machine that was not launched for its run.
    if search && kind.labels_are_bound && its_dice.chance(600) {
        let count = its_dice.number_of(1, 2);
        happenings.extend((0..count).map(|_| stage.address_down(&mut its_dice)));
    }
    let mut chance_dice = Dice::new(seed ^ CHANCE_DICE);
    if chance_dice.chance(300) {
        let count = chance_dice.number_of(1, 3);
        happenings.extend((0..count).map(|_| stage.requeue(&mut chance_dice)));
    }
    steps.extend(happenings);
    // What happens to a run at the time of its push happens after it: the sort keeps their order.
    steps.sort_by_key(|step| step.at);
    let last = steps.last().map_or(SignedDuration::ZERO, |step| step.at);
    Plan {
        seed,
        world: WorldPlan {
            workflows_are_disabled: Dice::new(seed ^ DISABLED_DICE).chance(20),
            ..world(&mut dice, &swarm, &kind)
        },
        rates: Rates {
            asks: policies::asks(&mut ask_dice),
            ..swarm.rates(&mut dice, &kind)
        },
        post: swarm.post(&mut dice),
        agents: swarm.agents(&mut dice),
        replicas: u32::try_from(replicas).unwrap_or(1),
        search,
        makes_runners: Dice::new(seed ^ RUNNER_DICE).chance(700) && !kind.mandate.retries_only,
        fleet: fleet(&mut Dice::new(seed ^ FLEET_DICE), &kind),
        calm_after: last + dice.seconds(0, 2_400),
        steps,
    }
}

/// Where labels are not bound to a run, or its repository may be gone, an idle machine is left to a person
/// for a day, and what waits for its place may wait for longer than GitHub lets it. Few failures open a breaker where there are few launches. No run is refused: its jobs would wait
/// for nothing.
fn fleet(dice: &mut Dice, kind: &Kind) -> FleetPlan {
    let usual = InstanceLimits::default();
    let few = InstanceLimits {
        stack: dice.one_of(1, &[(300, 2), (300, 4)]),
        repository: dice.one_of(1, &[(300, 2), (300, 1_000)]),
        ..usual
    };
    let failures = dice.one_of(1, &[(300, 2), (200, 3)]);
    let leaves_none_idle = kind.labels_are_bound && !kind.repository_is_deleted;
    let has_few = dice.chance(350) && leaves_none_idle && !kind.mandate.retries_only;
    FleetPlan {
        instances: if has_few { few } else { usual },
        breaker: BreakerRules {
            failures,
            open_for: dice.seconds(60, 900),
            most_open: dice.one_of(50, &[(300, 100)]),
            ..BreakerRules::default()
        },
    }
}

fn stage<'a>(steps: &'a [Step], replicas: usize, kind: &Kind) -> Stage<'a> {
    let pushes: Vec<(SignedDuration, &Push)> = steps
        .iter()
        .filter_map(|step| match &step.what {
            Action::Push(push) => Some((step.at, push.as_ref())),
            Action::CancelByPerson { .. }
            | Action::RerunByPerson { .. }
            | Action::PersonWaits { .. }
            | Action::Strike { .. }
            | Action::Rebalance { .. }
            | Action::Shortage { .. }
            | Action::EarlyCompleted { .. }
            | Action::Ping
            | Action::AddressDown { .. }
            | Action::Forge(_)
            | Action::DeleteRepository { .. }
            | Action::Stranger { .. }
            | Action::Crash { .. }
            | Action::Requeue { .. }
            | Action::Drain { .. } => None,
        })
        .collect();
    let last = pushes.last().map_or(SignedDuration::ZERO, |(at, _)| *at);
    Stage {
        pushes,
        replicas,
        may_resume: !kind.jobs_never_end,
        horizon: last + HORIZON,
    }
}

fn world(dice: &mut Dice, swarm: &Swarm, kind: &Kind) -> WorldPlan {
    let up_to = |dice: &mut Dice, most: i64| {
        if swarm.has(dice) {
            dice.seconds(0, most)
        } else {
            SignedDuration::ZERO
        }
    };
    let most_lag = dice.one_of(20, &[(250, 180)]);
    // An instance that EC2 does not describe before its job has ended was never seen by anybody.
    let most_lag = if kind.machines_are_ready { 5 } else { most_lag };
    let most_list_lag = dice.one_of(20, &[(250, 60)]);
    WorldPlan {
        start: START,
        mandate: kind.mandate,
        labels_are_bound: kind.labels_are_bound,
        list_delay: up_to(dice, most_lag),
        list_delay_varies_by: up_to(dice, most_lag),
        boot_takes: dice.seconds(5, 60),
        when_taken: dice.one_of(
            WhenTaken::Fails,
            &[(300, WhenTaken::IsCancelled), (250, WhenTaken::IsLost)],
        ),
        max_receive_count: 20,
        rerun_failed_takes_cancelled: dice.chance(500),
        job_lists_lag: up_to(dice, most_list_lag),
        no_checks_read: kind.no_checks_read,
        machines_are_ready: kind.machines_are_ready,
        no_actions_write: swarm.has(dice) && dice.chance(120),
        logs_are_gone: swarm.has(dice) && dice.chance(30),
        workflows_are_disabled: false,
        never_come_up: kind.never_come_up,
    }
}

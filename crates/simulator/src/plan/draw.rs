//! Drawing a plan.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::job::Conclusion;
use reprise_world::fate::Fate;
use reprise_world::github::{JobSpec, RunSpec};
use reprise_world::machine::WhenTaken;
use reprise_world::scenario::{PlannedRun, RUN_PLACEHOLDER, RunExpectation};

use super::{
    Action, AgentRates, Chance, Ec2Rates, GitHubRates, LatencyRates, Plan, PostRates, Rates,
    SqsRates, Step, StoreRates, WorldPlan,
};

/// All randomness of a seed.
#[derive(Debug, Clone)]
pub struct Dice(fastrand::Rng);

impl Dice {
    /// Dice that always fall alike for a seed.
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Dice of their own for a part of the simulation.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// Whether something happens this time.
    pub fn hits(&mut self, chance: Chance) -> bool {
        chance.0 > 0 && self.0.u16(..1_000) < chance.0
    }

    /// A number below `end`, which is not zero.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end.max(1))
    }

    /// A duration up to `most`.
    pub fn up_to(&mut self, most: SignedDuration) -> SignedDuration {
        self.between(SignedDuration::ZERO, most)
    }

    /// A duration, in whole milliseconds.
    pub fn between(&mut self, least: SignedDuration, most: SignedDuration) -> SignedDuration {
        let millis =
            |duration: SignedDuration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let (least, most) = (millis(least), millis(most));
        SignedDuration::from_millis(self.0.i64(least..=most.max(least)))
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.u64(..)
    }
}

/// When every world begins.
const START: Timestamp = Timestamp::constant(1_772_359_200, 0);

pub(super) fn plan(seed: u64) -> Plan {
    let mut dice = Dice::new(seed);
    let faulty = dice.below(4) > 0;
    let replicas = 1 + dice.below(3);
    let mut steps = pushes(&mut dice);
    if faulty {
        steps.extend(crashes(&mut dice, replicas));
    }
    steps.sort_by_key(|step| step.at);
    Plan {
        seed,
        world: world(&mut dice),
        rates: if faulty { rates() } else { Rates::default() },
        post: if faulty { post() } else { PostRates::default() },
        agents: if faulty {
            agents()
        } else {
            AgentRates::default()
        },
        replicas: u32::try_from(replicas).unwrap_or(1),
        calm_after: steps.last().map_or(SignedDuration::ZERO, |step| step.at)
            + SignedDuration::from_mins(30),
        steps,
    }
}

fn world(dice: &mut Dice) -> WorldPlan {
    WorldPlan {
        start: START,
        list_delay: match dice.below(3) {
            0 => SignedDuration::ZERO,
            _ => dice.up_to(SignedDuration::from_secs(20)),
        },
        when_taken: [WhenTaken::Fails, WhenTaken::IsCancelled, WhenTaken::IsLost][dice.below(3)],
        max_receive_count: 20,
        rerun_failed_takes_cancelled: dice.below(2) == 0,
        job_lists_lag: dice.up_to(SignedDuration::from_secs(5)),
    }
}

fn pushes(dice: &mut Dice) -> Vec<Step> {
    let runs = 1 + dice.below(3);
    (0..runs)
        .filter_map(|_| {
            Some(Step {
                at: dice.up_to(SignedDuration::from_mins(5)),
                what: Action::Push(Box::new(run(dice)?)),
            })
        })
        .collect()
}

fn run(dice: &mut Dice) -> Option<PlannedRun> {
    let jobs = 1 + dice.below(6);
    let names: Vec<String> = (0..jobs).map(|number| format!("job-{number}")).collect();
    let specs = names.iter().map(|name| {
        let label = format!("runs-on={RUN_PLACEHOLDER}-{name}/family=c7a/spot=true");
        JobSpec::new(name.clone(), [label])
    });
    let repository = ["acme/shop", "acme/site"][dice.below(2)];
    let spec = RunSpec::new(repository.parse().ok()?, specs.collect());
    let fates: BTreeMap<String, Vec<Fate>> = names
        .iter()
        .map(|name| {
            let fate = fate(dice);
            (name.clone(), vec![fate])
        })
        .collect();
    Some(PlannedRun {
        starts_after: SignedDuration::ZERO,
        spec,
        fates,
        expect: RunExpectation {
            attempts: 1,
            conclusion: Conclusion::Success,
            jobs: BTreeMap::new(),
        },
    })
}

fn fate(dice: &mut Dice) -> Fate {
    let takes = dice.between(SignedDuration::from_secs(5), SignedDuration::from_mins(4));
    match dice.below(6) {
        0 => Fate::fails(takes),
        1 | 2 => Fate::interrupted(takes),
        _ => Fate::passes(takes),
    }
}

fn crashes(dice: &mut Dice, replicas: usize) -> Vec<Step> {
    (0..dice.below(8))
        .map(|_| Step {
            at: dice.up_to(SignedDuration::from_mins(15)),
            what: crash(dice, replicas),
        })
        .collect()
}

fn crash(dice: &mut Dice, replicas: usize) -> Action {
    let replica = u32::try_from(dice.below(replicas)).unwrap_or_default();
    match dice.below(4) {
        0 => Action::Drain { replica },
        _ => Action::Crash {
            replica,
            calls: u32::try_from(dice.below(30)).unwrap_or_default(),
            after_effect: dice.below(2) == 0,
        },
    }
}

fn rates() -> Rates {
    Rates {
        latency: LatencyRates {
            slow: Chance(30),
            slow_up_to: SignedDuration::from_secs(15),
        },
        store: StoreRates {
            repeats_conflict: Chance(20),
            transactions_collide: Chance(50),
            fails: Chance(20),
            lost_answers: Chance(20),
            due_lags: Chance(200),
            due_lag: SignedDuration::from_secs(5),
        },
        github: GitHubRates {
            fails: Chance(30),
            fails_after_acting: Chance(200),
            lost_answers: Chance(50),
            limited: Chance(20),
            retry_after: SignedDuration::from_secs(60),
            fresh_not_found: Chance(50),
        },
        ec2: Ec2Rates {
            throttled: Chance(30),
            no_spot: Chance(100),
            no_on_demand: Chance(50),
            lost_answers: Chance(50),
            terminate_fails: Chance(50),
        },
        sqs: SqsRates {
            receive_fails: Chance(20),
            received_twice: Chance(50),
            fails: Chance(30),
            lost_answers: Chance(30),
        },
    }
}

fn post() -> PostRates {
    PostRates {
        lost: Chance(20),
        redelivered_within: SignedDuration::from_mins(10),
        lost_for_good: Chance(0),
        doubled: Chance(100),
        delayed: Chance(200),
        delayed_up_to: SignedDuration::from_secs(90),
    }
}

fn agents() -> AgentRates {
    AgentRates {
        missing: Chance(50),
        dies: Chance(50),
        dies_within: SignedDuration::from_mins(5),
        slow: Chance(100),
        slow_up_to: SignedDuration::from_secs(20),
        tag_fails: Chance(100),
    }
}

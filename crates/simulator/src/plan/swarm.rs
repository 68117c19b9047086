//! Which faults a seed has, and how often they strike.
//!
//! A seed switches on a part of the faults only: some seeds have none or few, so that what these do
//! alone is seen, and some have most of them at once.

use jiff::SignedDuration;

use super::kind::Kind;
use super::{
    AgentRates, AskRates, Chance, Dice, Ec2Rates, GitHubRates, LatencyRates, PostRates, Rates,
    SqsRates, StoreRates,
};

/// What draws a seed's faults.
#[derive(Debug)]
pub(super) struct Swarm {
    /// How many of a thousand faults are switched on.
    each: u16,
}

impl Swarm {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let each = dice.one_of(500, &[(120, 0), (260, 150), (160, 850)]);
        Self { each }
    }

    /// Whether a fault is switched on.
    pub(super) fn has(&self, dice: &mut Dice) -> bool {
        dice.chance(self.each)
    }

    /// How often a fault strikes: never, or up to so many times in a thousand.
    pub(super) fn up_to(&self, dice: &mut Dice, most: u16) -> Chance {
        let most = usize::from(most);
        let drawn = if self.has(dice) {
            dice.number_of(1, most)
        } else {
            0
        };
        Chance(u16::try_from(drawn).unwrap_or_default())
    }

    pub(super) fn rates(&self, dice: &mut Dice, kind: &Kind) -> Rates {
        Rates {
            // Drawn by dice of their own.
            asks: AskRates::default(),
            latency: LatencyRates {
                slow: self.up_to(dice, 60),
                slow_up_to: dice.seconds(1, 20),
            },
            store: StoreRates {
                repeats_conflict: self.up_to(dice, 60),
                transactions_collide: self.up_to(dice, 150),
                fails: self.up_to(dice, 50),
                lost_answers: self.up_to(dice, 60),
                due_lags: self.up_to(dice, 400),
                due_lag: dice.seconds(1, 10),
            },
            github: GitHubRates {
                fails: self.up_to(dice, 80),
                fails_after_acting: self.up_to(dice, 500),
                lost_answers: self.up_to(dice, 100),
                limited: self.up_to(dice, 60),
                retry_after: dice.seconds(10, 180),
                fresh_not_found: if kind.machines_are_ready {
                    self.up_to(dice, 900)
                } else {
                    self.up_to(dice, 200)
                },
                executes_nothing: if dice.chance(200) {
                    self.up_to(dice, 600)
                } else {
                    Chance(0)
                },
            },
            ec2: Ec2Rates {
                throttled: self.up_to(dice, 100),
                no_spot: self.up_to(dice, 300),
                no_on_demand: self.up_to(dice, 150),
                lost_answers: self.up_to(dice, 150),
                pool_throttled: self.up_to(dice, 100),
                refused: self.up_to(dice, 60),
                terminate_fails: self.up_to(dice, 150),
            },
            sqs: SqsRates {
                receive_fails: self.up_to(dice, 40),
                received_twice: self.up_to(dice, 150),
                fails: self.up_to(dice, 60),
                lost_answers: self.up_to(dice, 60),
            },
        }
    }

    pub(super) fn post(&self, dice: &mut Dice) -> PostRates {
        PostRates {
            lost: self.up_to(dice, 100),
            redelivered_within: SignedDuration::from_mins(minutes(dice, 60)),
            lost_for_good: self.up_to(dice, 100),
            ec2_lost_for_good: self.up_to(dice, 600),
            doubled: self.up_to(dice, 300),
            doubled_within: SignedDuration::from_mins(minutes(dice, 45)),
            delayed: self.up_to(dice, 400),
            delayed_up_to: dice.seconds(5, 240),
        }
    }

    pub(super) fn agents(&self, dice: &mut Dice) -> AgentRates {
        AgentRates {
            missing: self.up_to(dice, 500),
            dies: self.up_to(dice, 300),
            dies_within: SignedDuration::from_mins(minutes(dice, 10)),
            slow: self.up_to(dice, 400),
            slow_up_to: dice.seconds(5, 150),
            tag_fails: self.up_to(dice, 400),
        }
    }
}

fn minutes(dice: &mut Dice, most: usize) -> i64 {
    i64::try_from(dice.number_of(1, most)).unwrap_or(1)
}

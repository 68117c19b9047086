//! What kind of world a seed draws, before anything in it: what the controllers are told to do, and
//! the few conditions that shape everything else.

use jiff::SignedDuration;
use reprise_model::policy::OnDemandRetries;
use reprise_world::invariants::Mandate;

use super::{Chance, Dice};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What kind of world a seed draws.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) mandate: Mandate,
    pub(super) labels_are_bound: bool,
    pub(super) never_come_up: Chance,
    /// Runs that had waited for a month before they began.
    month_old: Chance,
    /// Somebody deletes a repository.
    pub(super) repository_is_deleted: bool,
    /// GitHub never ends some jobs whose machine is gone. Then no machine comes back: GitHub would show
    /// its job as running for as long as it lets a job run, which is days.
    pub(super) jobs_never_end: bool,
    /// The App may not read why jobs were cancelled.
    pub(super) no_checks_read: bool,
    /// Somebody else's fleet keeps machines ready, and some are taken as soon as they have a job.
    pub(super) machines_are_ready: bool,
    /// Somebody launches an instance of our stack by hand.
    pub(super) stack_is_copied: bool,
}

impl Kind {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let mandate = mandate(dice);
        let jobs_never_end = dice.chance(250);
        let machines_are_ready = dice.chance(450) && mandate.retries_only;
        let some = |dice: &mut Dice, seeds: u16, most: usize| {
            let drawn = dice.number_of(most / 4, most);
            let is_on = dice.chance(seeds);
            Chance(u16::try_from(drawn).unwrap_or_default() * u16::from(is_on))
        };
        Self {
            mandate,
            labels_are_bound: !machines_are_ready && !dice.chance(50),
            machines_are_ready,
            jobs_never_end,
            no_checks_read: dice.chance(80),
            // People cancel what waits in vain, and that ends also what GitHub never would.
            never_come_up: if jobs_never_end {
                Chance(0)
            } else {
                some(dice, 50, 600)
            },
            month_old: some(dice, 40, 900),
            repository_is_deleted: dice.chance(40),
            stack_is_copied: !mandate.retries_only && dice.chance(30),
        }
    }

    /// Whether a later attempt may find itself on spot.
    pub(super) fn later_attempts_may_use_spot(&self) -> bool {
        self.mandate.retries_only || self.mandate.on_demand_retries != OnDemandRetries::default()
    }

    /// How long a run had waited before it began.
    pub(super) fn waited(&self, dice: &mut Dice) -> SignedDuration {
        if dice.hits(self.month_old) {
            // GitHub re-runs nothing older than 30 days; one day later nobody asks it any more.
            DAY * 30 + dice.one_of(DAY / 2, &[(400, DAY * 2)])
        } else {
            SignedDuration::ZERO
        }
    }
}

fn mandate(dice: &mut Dice) -> Mandate {
    let usual = Mandate::default();
    let retries_only = Mandate {
        retries_only: true,
        ..usual
    };
    let with = |on_demand_retries| Mandate {
        on_demand_retries,
        ..usual
    };
    let others = [
        (110, retries_only),
        (60, with(OnDemandRetries::UnlessOptedOut)),
        (80, with(OnDemandRetries::AutomaticOnly)),
        (60, with(OnDemandRetries::SameJob)),
    ];
    dice.one_of(usual, &others)
}

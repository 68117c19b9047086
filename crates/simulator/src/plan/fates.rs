//! What befalls jobs.

use jiff::SignedDuration;
use reprise_world::ec2::{CarriedOut, Interruption, InterruptionAction, InterruptionCause};
use reprise_world::fate::{Fate, Stroke};
use reprise_world::machine::WhenTaken;

use super::kind::Kind;
use super::swarm::Swarm;
use super::{Chance, Dice};

/// EC2's usual notice.
const NOTICE: SignedDuration = SignedDuration::from_secs(120);

/// How often jobs fare how, in one seed.
#[derive(Debug)]
pub(super) struct Mix {
    interrupted: u16,
    fails: u16,
    /// Interruptions that are not the usual one.
    unusual: Chance,
    /// Jobs that tag their own instance.
    forges: Chance,
    /// Jobs that end otherwise than their world's usually do when their machine is taken.
    ends_otherwise: Chance,
    /// Jobs that GitHub never ends once their machine is gone.
    never_ended: Chance,
    /// Jobs of later attempts whose host dies, or that fail.
    later_trouble: u16,
    /// Jobs of later attempts that EC2 takes the machine from, should it be spot.
    later_interrupted: u16,
    /// Whether a stopped machine may come back.
    may_resume: bool,
    /// Jobs whose machine is taken as soon as they have it.
    taken_at_once: u16,
}

impl Mix {
    pub(super) fn draw(dice: &mut Dice, swarm: &Swarm, kind: &Kind) -> Self {
        Self {
            interrupted: dice.one_of(300, &[(150, 0), (350, 120), (150, 700)]),
            fails: dice.one_of(120, &[(300, 0), (200, 350)]),
            unusual: swarm.up_to(dice, 900),
            forges: swarm.up_to(dice, 300),
            ends_otherwise: swarm.up_to(dice, 500),
            never_ended: if kind.jobs_never_end {
                swarm.up_to(dice, 400)
            } else {
                Chance(0)
            },
            later_trouble: dice.one_of(120, &[(300, 0), (100, 600)]),
            may_resume: !kind.jobs_never_end,
            taken_at_once: if kind.machines_are_ready { 350 } else { 0 },
            later_interrupted: if kind.later_attempts_may_use_spot() {
                300
            } else {
                0
            },
        }
    }

    /// The fates of one job's executions; the last one repeats.
    pub(super) fn fates(&self, dice: &mut Dice) -> Vec<Fate> {
        let first = self.first(dice);
        let second = self.later(dice);
        vec![first, second, Fate::passes(duration(dice))]
    }

    fn first(&self, dice: &mut Dice) -> Fate {
        if dice.chance(self.taken_at_once) {
            return taken_at_once(dice);
        }
        let others = [(self.interrupted, Some(true)), (self.fails, Some(false))];
        let fate = match dice.one_of(None, &others) {
            None => Fate::passes(duration(dice)),
            Some(false) => Fate::fails(duration(dice)),
            Some(true) => self.interrupted(dice),
        };
        self.with_oddities(dice, fate)
    }

    /// Later attempts mostly have on-demand capacity, which EC2 does not take; hosts die all the same.
    fn later(&self, dice: &mut Dice) -> Fate {
        if dice.chance(self.later_interrupted) {
            return self.interrupted(dice);
        }
        if !dice.chance(self.later_trouble) {
            return Fate::passes(duration(dice));
        }
        let fate = match dice.below(4) {
            0 => Fate::interrupted(duration(dice)).by(Stroke::HostDies),
            1 => self.interrupted(dice),
            _ => Fate::fails(duration(dice)),
        };
        self.with_oddities(dice, fate)
    }

    fn interrupted(&self, dice: &mut Dice) -> Fate {
        let later = duration(dice);
        let after = dice.one_of(later, &[(150, SignedDuration::ZERO)]);
        let stroke = if dice.hits(self.unusual) {
            unusual(dice, self.may_resume)
        } else {
            Stroke::Usual
        };
        let goes_on = Fate::interrupted(after).by(stroke);
        // Some would end by themselves within the notice, or long after one that is not kept.
        let ends = if dice.chance(300) {
            after + dice.seconds(1, 150)
        } else if dice.chance(150) {
            after + dice.seconds(240, 1_500)
        } else {
            goes_on.takes
        };
        let fails = dice.chance(300);
        Fate {
            takes: ends,
            ends: if fails {
                Fate::fails(ends).ends
            } else {
                goes_on.ends.clone()
            },
            ..goes_on
        }
    }

    fn with_oddities(&self, dice: &mut Dice, fate: Fate) -> Fate {
        let usual = if dice.hits(self.ends_otherwise) {
            let others = [(400, WhenTaken::IsCancelled), (300, WhenTaken::IsLost)];
            Some(dice.one_of(WhenTaken::Fails, &others))
        } else {
            None
        };
        let is_never_ended = dice.hits(self.never_ended);
        let forges = dice.hits(self.forges);
        Fate {
            when_taken: if is_never_ended {
                Some(WhenTaken::IsNeverEnded)
            } else {
                usual
            },
            forges_after: forges.then(|| dice.up_to(fate.takes)),
            ..fate
        }
    }
}

/// EC2 takes the machine without notice, in the job's first seconds.
fn taken_at_once(dice: &mut Dice) -> Fate {
    let interruption = Interruption {
        notice: None,
        ..Interruption::terminate(NOTICE)
    };
    Fate::interrupted(dice.seconds(0, 2)).by(Stroke::Interruption {
        interruption,
        resumes_after: None,
    })
}

/// How long a job works: mostly minutes, seldom up to an hour.
pub(super) fn duration(dice: &mut Dice) -> SignedDuration {
    let (least, most) = dice.one_of((20, 240), &[(200, (240, 900)), (40, (900, 3_600))]);
    dice.seconds(least, most)
}

/// Anything but two minutes of notice and a termination.
pub(super) fn unusual(dice: &mut Dice, may_resume: bool) -> Stroke {
    let usual = Interruption {
        cause: cause(dice),
        ..Interruption::terminate(NOTICE)
    };
    let only = |interruption| Stroke::Interruption {
        interruption,
        resumes_after: None,
    };
    let carried_out = |carried_out| {
        only(Interruption {
            carried_out,
            ..usual
        })
    };
    match dice.below(8) {
        0 => only(Interruption {
            notice: None,
            ..usual
        }),
        1 => carried_out(CarriedOut::Never),
        2 => carried_out(CarriedOut::After(dice.seconds(0, 110))),
        3 => carried_out(CarriedOut::After(dice.seconds(130, 900))),
        4 => stopped(dice, may_resume, usual, InterruptionAction::Stop),
        5 => stopped(dice, may_resume, usual, InterruptionAction::Hibernate),
        6 => Stroke::HostDies,
        _ => Stroke::PowersOff,
    }
}

fn stopped(
    dice: &mut Dice,
    may_resume: bool,
    usual: Interruption,
    action: InterruptionAction,
) -> Stroke {
    let resumes = dice.chance(600) && may_resume;
    Stroke::Interruption {
        interruption: Interruption { action, ..usual },
        resumes_after: resumes.then(|| dice.seconds(30, 1_200)),
    }
}

fn cause(dice: &mut Dice) -> InterruptionCause {
    dice.one_of(
        InterruptionCause::NoCapacity,
        &[(300, InterruptionCause::Price)],
    )
}

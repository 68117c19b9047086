//! What befalls the pushed runs from outside, and the controllers.

use jiff::SignedDuration;
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_world::ec2::Pool;
use reprise_world::fate::Stroke;
use reprise_world::world::{ByHand, Deed, When};

use super::kind::Kind;
use super::swarm::Swarm;
use super::{Action, Chance, Dice, Forgery, Lie, Push, Signed, Step, Stranger, fates};

/// What is drawn from.
pub(super) struct Stage<'a> {
    /// The pushes, in order of time: when, and what.
    pub(super) pushes: Vec<(SignedDuration, &'a Push)>,
    /// How many controllers there are.
    pub(super) replicas: usize,
    /// Whether a stopped machine may come back.
    pub(super) may_resume: bool,
    /// Until when things happen.
    pub(super) horizon: SignedDuration,
}

/// What draws one happening of a kind.
type Draw<S> = fn(&S, &mut Dice) -> Step;

impl Stage<'_> {
    /// All that happens, in no order.
    pub(super) fn happenings(&self, dice: &mut Dice, swarm: &Swarm, kind: &Kind) -> Vec<Step> {
        let kinds: [(usize, Draw<Self>); 8] = [
            (3, Self::person),
            (4, Self::strike),
            (6, Self::forgery),
            (2, Self::shortage),
            (2, Self::early_completed),
            (2, Self::rebalance),
            (2, Self::ping),
            (3, Self::drain),
        ];
        let mut steps = Vec::new();
        for (most, draw) in kinds {
            if swarm.has(dice) {
                let count = dice.number_of(1, most);
                steps.extend((0..count).map(|_| draw(self, dice)));
            }
        }
        if swarm.has(dice) {
            let count = dice.number_of(1, 4);
            steps.extend((0..count).map(|_| self.stranger(dice)));
        }
        if dice.chance(100) {
            steps.extend(self.neighbour(dice));
        }
        steps.extend(self.of_kind(dice, kind));
        if swarm.has(dice) {
            let count = dice.one_of(3, &[(300, 8), (150, 20)]);
            steps.extend((0..count).map(|_| self.crash(dice)));
        }
        steps
    }

    /// What happens in worlds of a kind.
    fn of_kind(&self, dice: &mut Dice, kind: &Kind) -> Vec<Step> {
        let mut steps = Vec::new();
        if kind.repository_is_deleted {
            steps.push(self.deletion(dice));
        }
        if kind.no_checks_read && dice.chance(600) {
            let waits = (0..self.pushes.len()).map(|run| Step {
                at: self.pushed_at(run),
                what: Action::PersonWaits {
                    run,
                    when: When::InstanceIsStruck,
                    then_after: dice.seconds(0, 150),
                    deed: Deed::Cancel,
                },
            });
            steps.extend(waits);
        }
        if kind.stack_is_copied {
            steps.extend(self.copy(dice));
        }
        if kind.never_come_up > Chance(0) {
            steps.extend((0..self.pushes.len()).map(|run| self.impatience(dice, run)));
        }
        steps
    }

    fn deletion(&self, dice: &mut Dice) -> Step {
        let run = dice.below(self.pushes.len());
        if dice.chance(400) {
            return Step {
                at: self.while_it_lives(dice, run),
                what: Action::DeleteRepository { run },
            };
        }
        Step {
            at: self.pushed_at(run),
            what: Action::PersonWaits {
                run,
                when: When::InstanceIsStruck,
                then_after: dice.seconds(60, 500),
                deed: Deed::DeleteRepository,
            },
        }
    }

    /// A person asks for a fresh chance, mostly for what has been given up by then.
    pub(super) fn requeue(&self, dice: &mut Dice) -> Step {
        Step {
            at: self.horizon + dice.seconds(0, 3_600),
            what: Action::Requeue {
                run: dice.below(self.pushes.len()),
            },
        }
    }

    /// Somebody launches an instance of our stack by hand, and mostly takes it back.
    fn copy(&self, dice: &mut Dice) -> Vec<Step> {
        let comes = dice.up_to(self.horizon);
        let goes = comes + dice.seconds(900, 7_200);
        let is_forgotten = dice.chance(300);
        let happens = |at, what| Step {
            at,
            what: Action::Stranger {
                run: 0,
                place: 0,
                what,
            },
        };
        let goes = (!is_forgotten).then(|| happens(goes, Stranger::CopyGoes));
        [Some(happens(comes, Stranger::CopyComes)), goes]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Nobody waits for a day for a runner that does not come.
    fn impatience(&self, dice: &mut Dice, run: usize) -> Step {
        Step {
            at: self.pushed_at(run) + dice.seconds(4_800, 9_000),
            what: Action::CancelByPerson { run },
        }
    }

    fn person(&self, dice: &mut Dice) -> Step {
        let run = dice.below(self.pushes.len());
        let by_hand = self.by_hand(dice, run);
        // GitHub tells whole seconds, and nobody answers what is shown within one.
        let soon = dice.seconds(1, 120);
        let what = match dice.below(6) {
            0 => Action::CancelByPerson { run },
            1 => Action::RerunByPerson { run, what: by_hand },
            2 => Action::PersonWaits {
                run,
                when: When::InstanceIsStruck,
                then_after: dice.seconds(0, 180),
                deed: dice.one_of(Deed::Cancel, &[(100, Deed::Rerun(by_hand))]),
            },
            _ => Action::PersonWaits {
                run,
                when: When::RunCompletes,
                then_after: dice.one_of(soon, &[(500, SignedDuration::from_secs(1))]),
                deed: dice.one_of(Deed::Rerun(by_hand), &[(50, Deed::Cancel)]),
            },
        };
        // Who waits does so from the beginning; who acts does so while the run lives, or soon after.
        let waits = matches!(what, Action::PersonWaits { .. });
        let at = if waits {
            self.pushed_at(run)
        } else {
            self.while_it_lives(dice, run)
        };
        Step { at, what }
    }

    fn by_hand(&self, dice: &mut Dice, run: usize) -> ByHand {
        match dice.below(3) {
            0 => ByHand::Job(self.place(dice, run)),
            1 => ByHand::FailedJobs,
            _ => ByHand::WholeRun,
        }
    }

    fn strike(&self, dice: &mut Dice) -> Step {
        let (run, place) = self.job(dice);
        let stroke = if dice.chance(400) {
            Stroke::Usual
        } else {
            fates::unusual(dice, self.may_resume)
        };
        Step {
            at: self.while_it_lives(dice, run),
            what: Action::Strike { run, place, stroke },
        }
    }

    fn rebalance(&self, dice: &mut Dice) -> Step {
        let (run, place) = self.job(dice);
        Step {
            at: self.while_it_lives(dice, run),
            what: Action::Rebalance { run, place },
        }
    }

    fn shortage(&self, dice: &mut Dice) -> Step {
        let capacity = dice.one_of(Capacity::Spot, &[(300, Capacity::OnDemand)]);
        let kind = dice.one_of(None, &[(300, Some("c7a.large")), (100, Some("c7i.large"))]);
        let zone = dice.one_of(None, &[(300, Some("eu-west-1a"))]);
        // Some last longer than a launch is tried, and are everywhere.
        let is_long = dice.chance(40);
        let somewhere = Pool {
            zone: zone.map(str::to_owned),
            instance_type: kind.map(str::to_owned),
            capacity: Some(capacity),
        };
        let pool = if is_long { Pool::default() } else { somewhere };
        let (least, most) = if is_long {
            (10_800, 14_400)
        } else {
            (30, 1_500)
        };
        let lasts = dice.seconds(least, most);
        Step {
            at: dice.up_to(self.horizon),
            what: Action::Shortage { pool, lasts },
        }
    }

    fn early_completed(&self, dice: &mut Dice) -> Step {
        let run = dice.below(self.pushes.len());
        Step {
            at: self.while_it_lives(dice, run),
            what: Action::EarlyCompleted { run },
        }
    }

    fn ping(&self, dice: &mut Dice) -> Step {
        Step {
            at: dice.up_to(self.horizon),
            what: Action::Ping,
        }
    }

    /// Mostly minutes; some so long that what fails meanwhile is given up.
    pub(super) fn address_down(&self, dice: &mut Dice) -> Step {
        let (least, most) = dice.one_of((30, 1_800), &[(100, (7_200, 14_400))]);
        let lasts = dice.seconds(least, most);
        Step {
            at: dice.up_to(self.horizon),
            what: Action::AddressDown { lasts },
        }
    }

    fn forgery(&self, dice: &mut Dice) -> Step {
        let (run, place) = self.job(dice);
        let says = match dice.below(5) {
            0 => Lie::Completed {
                run,
                place,
                conclusion: Conclusion::Failure,
            },
            1 => Lie::Completed {
                run,
                place,
                conclusion: Conclusion::Success,
            },
            2 => Lie::Queued { run, place },
            3 => Lie::Warning { run, place },
            _ => Lie::Garbage,
        };
        let signed = dice.one_of(
            Signed::Wrongly,
            &[(350, Signed::Not), (150, Signed::Malformed)],
        );
        Step {
            at: self.while_it_lives(dice, run),
            what: Action::Forge(Forgery { says, signed }),
        }
    }

    fn stranger(&self, dice: &mut Dice) -> Step {
        let (run, place) = self.job(dice);
        let what = Stranger::draw(dice);
        Step {
            at: self.while_it_lives(dice, run),
            what: Action::Stranger { run, place, what },
        }
    }

    /// Somebody else's instance comes, has a job, and goes.
    fn neighbour(&self, dice: &mut Dice) -> [Step; 3] {
        let (run, place) = self.job(dice);
        let comes = self.while_it_lives(dice, run);
        let speaks = comes + dice.seconds(60, 300);
        let goes = speaks + dice.seconds(60, 600);
        let happens = |at, what| Step {
            at,
            what: Action::Stranger { run, place, what },
        };
        [
            happens(comes, Stranger::NeighbourComes),
            happens(speaks, Stranger::NeighbourSpeaks),
            happens(goes, Stranger::NeighbourGoes),
        ]
    }

    fn crash(&self, dice: &mut Dice) -> Step {
        let replica = self.replica(dice);
        let calls = dice.number_of(0, 40);
        Step {
            at: dice.up_to(self.horizon),
            what: Action::Crash {
                replica,
                calls: u32::try_from(calls).unwrap_or_default(),
                after_effect: dice.chance(500),
            },
        }
    }

    fn drain(&self, dice: &mut Dice) -> Step {
        let replica = self.replica(dice);
        Step {
            at: dice.up_to(self.horizon),
            what: Action::Drain { replica },
        }
    }

    fn replica(&self, dice: &mut Dice) -> u32 {
        u32::try_from(dice.below(self.replicas)).unwrap_or_default()
    }

    /// A job of any run: the run's number and the job's place.
    fn job(&self, dice: &mut Dice) -> (usize, usize) {
        let run = dice.below(self.pushes.len());
        (run, self.place(dice, run))
    }

    fn place(&self, dice: &mut Dice, run: usize) -> usize {
        let jobs = self.pushes.get(run).map(|(_, push)| push.spec.jobs.len());
        dice.below(jobs.unwrap_or(1))
    }

    fn pushed_at(&self, run: usize) -> SignedDuration {
        self.pushes
            .get(run)
            .map_or(SignedDuration::ZERO, |(at, _)| *at)
    }

    fn while_it_lives(&self, dice: &mut Dice, run: usize) -> SignedDuration {
        let (least, most) = dice.one_of((25, 600), &[(250, (0, 60)), (150, (600, 3_600))]);
        self.pushed_at(run) + dice.seconds(least, most)
    }
}

//! Which controllers are killed when: drawn from a seed, and carried out.
//!
//! A moment is a pause of the story, or something that just happened in the world: right then a
//! controller waits for that call's answer, or has it and has committed nothing yet. The seed fixes
//! the plan; what the processes were doing at a strike is up to the machine.

use std::fmt;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use reprise_world::invariants;
use reprise_world::world::World;

use super::replicas::Replicas;
use super::stage::Stage;
use crate::wait;

/// The longest wait for a happening; some happen only now and then.
const HAPPENS_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// In real time: no moment of the story is further away.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// One strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    when: Moment,
    whom: Whom,
    /// How long the place is empty.
    down_for: SignedDuration,
}

/// When, counted from the end of the strike before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    After(SignedDuration),
    Upon(Happening),
}

/// Something that a controller causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    Launch,
    Termination,
    Rerun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    One(usize),
    /// Again so soon after its start that it may not have come far.
    OneTwice(usize, SignedDuration),
    All,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            when,
            whom,
            down_for,
        } = self;
        write!(f, "{when:?}: {whom:?}, down for {down_for:#}")
    }
}

/// A plan for so many replicas.
pub fn drawn(seed: u64, replicas: usize, strikes: usize) -> Vec<Strike> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..strikes).map(|_| draw(&mut rng, replicas)).collect()
}

fn draw(rng: &mut fastrand::Rng, replicas: usize) -> Strike {
    let one = rng.usize(0..replicas);
    Strike {
        when: match rng.u32(0..10) {
            0..4 => Moment::After(millis(rng, 500, 25_000)),
            4..6 => Moment::Upon(Happening::Launch),
            6..8 => Moment::Upon(Happening::Termination),
            _ => Moment::Upon(Happening::Rerun),
        },
        whom: match rng.u32(0..10) {
            0..6 => Whom::One(one),
            6..8 => Whom::OneTwice(one, millis(rng, 100, 6_000)),
            _ => Whom::All,
        },
        down_for: millis(rng, 0, 20_000),
    }
}

fn millis(rng: &mut fastrand::Rng, from: i64, to: i64) -> SignedDuration {
    SignedDuration::from_millis(rng.i64(from..=to))
}

/// Carries a plan out. Nobody is down at its end. Answers how many strikes fell while there was work:
/// the others prove nothing.
pub async fn carry_out(
    stage: &Stage,
    replicas: &mut Replicas<'_>,
    plan: &[Strike],
) -> Result<usize> {
    let mut hits = 0;
    for strike in plan {
        match strike.when {
            Moment::After(pause) => pass(stage, pause).await?,
            Moment::Upon(happening) => upon(stage, happening).await?,
        }
        replicas.are_alive()?;
        hits += usize::from(!stage.with(|world, now| invariants::is_quiet(world, now)));
        match strike.whom {
            Whom::One(place) => fell(stage, replicas, &[place], strike.down_for).await?,
            Whom::OneTwice(place, lives_for) => {
                fell(stage, replicas, &[place], SignedDuration::ZERO).await?;
                pass(stage, lives_for).await?;
                fell(stage, replicas, &[place], strike.down_for).await?;
            }
            Whom::All => {
                let all: Vec<usize> = (0..replicas.count()).collect();
                fell(stage, replicas, &all, strike.down_for).await?;
            }
        }
    }
    Ok(hits)
}

async fn fell(
    stage: &Stage,
    replicas: &mut Replicas<'_>,
    whom: &[usize],
    down_for: SignedDuration,
) -> Result<()> {
    replicas.kill(whom).await?;
    pass(stage, down_for).await?;
    for place in whom {
        replicas.restart(*place)?;
    }
    Ok(())
}

/// Lets a time of the story pass.
async fn pass(stage: &Stage, pause: SignedDuration) -> Result<()> {
    let now = || stage.world().clock().now();
    let end: Timestamp = now() + pause;
    wait::until("a moment of the story", PATIENCE, async || {
        Ok((now() >= end).then_some(()))
    })
    .await
}

/// Ends right after it happened once more, or when it does not.
async fn upon(stage: &Stage, happening: Happening) -> Result<()> {
    let mut changed = stage.world().changed();
    let count = || stage.with(|world, _| happening.count(world));
    let before = count();
    let happens = async {
        while count() == before {
            changed.changed().await.context("the world has ended")?;
        }
        Ok(())
    };
    tokio::select! {
        happened = happens => happened,
        over = pass(stage, HAPPENS_WITHIN) => over,
    }
}

impl Happening {
    fn count(self, world: &World) -> usize {
        match self {
            Self::Launch => world.machines().count(),
            Self::Termination => world.terminations().len(),
            Self::Rerun => world.github().mutations().len(),
        }
    }
}

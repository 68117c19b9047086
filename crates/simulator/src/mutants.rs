//! Plays seeds with each behaviour that was broken on purpose, until an invariant finds it.
//!
//! It is the checks that are tested here. A mutant is found by a broken invariant and by nothing
//! else: a panic, or a world that never comes to rest, would be seen without any of them.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;
use reprise_engine::mutants::{self, Mutant};
use reprise_world::invariants::Broken;

use crate::plan::Plan;
use crate::run::play;

/// Within so many seeds each mutant must be found.
pub const FOUND_WITHIN: u64 = 2_000;

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hunted {
    /// Which.
    pub mutant: Mutant,
    /// How many seeds were played.
    pub played: u64,
    /// The seed that found it and what it broke.
    pub found: Option<(u64, Broken)>,
}

/// Plays each mutant until it is found, and tells of each at once.
///
/// # Errors
/// When a simulation cannot be set up.
pub fn hunt_all(
    from: u64,
    threads: Option<usize>,
    tell: impl Fn(&Hunted) + Sync,
) -> Result<Vec<Hunted>> {
    let next = AtomicUsize::new(0);
    let hunted: Mutex<Vec<Hunted>> = Mutex::default();
    let hunter = || -> Result<()> {
        while let Some(mutant) = Mutant::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let found = hunt(*mutant, from)?;
            tell(&found);
            let mut all = hunted.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(found);
        }
        Ok(())
    };
    let usual = || thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.unwrap_or_else(usual);
    thread::scope(|scope| {
        let hunters: Vec<_> = (0..threads).map(|_| scope.spawn(hunter)).collect();
        hunters.into_iter().try_for_each(|hunter| {
            let ended = hunter.join();
            ended.unwrap_or_else(|_| Err(anyhow::anyhow!("a simulation panicked")))
        })
    })?;
    let mut all = hunted.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort();
    Ok(all)
}

/// Plays one mutant until it is found.
fn hunt(mutant: Mutant, from: u64) -> Result<Hunted> {
    for seed in from..from.saturating_add(FOUND_WITHIN) {
        let plan = Plan::draw(seed);
        let broken = play_with(Some(mutant), &plan)?.into_iter();
        let broken = broken.filter(|one| one.invariant > 0).min();
        // A seed that fails by itself says nothing of the mutant.
        if let Some(broken) = broken
            && play_with(None, &plan)?.is_empty()
        {
            return Ok(Hunted {
                mutant,
                played: seed - from + 1,
                found: Some((seed, broken)),
            });
        }
    }
    Ok(Hunted {
        mutant,
        played: FOUND_WITHIN,
        found: None,
    })
}

/// What is wrong with a plan that is played with a mutant, or with none.
fn play_with(mutant: Option<Mutant>, plan: &Plan) -> Result<Vec<Broken>> {
    mutants::choose(mutant);
    let played = play(plan, false);
    mutants::choose(None);
    Ok(played?.broken)
}

impl fmt::Display for Hunted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mutant,
            played,
            found,
        } = self;
        write!(f, "{:<22} {played:>6}  ", mutant.name())?;
        match found {
            Some((seed, broken)) => write!(f, "seed {seed} breaks {broken}"),
            None => write!(f, "NOT FOUND: {}", mutant.about()),
        }
    }
}

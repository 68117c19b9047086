//! Plays many seeds on several threads; each seed lives in one of them.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;

use crate::coverage::Coverage;
use crate::plan::Plan;
use crate::rows;
use crate::run::play;

/// Every so many seeds are played twice: the same seed must tell the same story.
const PLAYED_TWICE: u64 = 50;

/// What became of many seeds.
#[derive(Debug, Default)]
pub struct Report {
    /// How many were played.
    pub played: u64,
    /// Those that failed, in order.
    pub failed: Vec<Failed>,
    /// What all together reached.
    pub coverage: Coverage,
}

/// A seed that failed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failed {
    /// Which.
    pub seed: u64,
    /// How.
    pub what: String,
}

/// Plays all seeds; stops at the first failure unless told to keep going.
///
/// # Errors
/// When a simulation cannot be set up.
pub fn play_all(seeds: Range<u64>, threads: Option<usize>, keep_going: bool) -> Result<Report> {
    let shared = Shared {
        next: AtomicU64::new(seeds.start),
        stop: AtomicBool::new(false),
        keep_going,
        end: seeds.end,
        report: Mutex::default(),
    };
    let usual = || thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.unwrap_or_else(usual);
    thread::scope(|scope| {
        let players: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| shared.work()))
            .collect();
        players.into_iter().try_for_each(|player| {
            let ended = player.join();
            ended.unwrap_or_else(|_| Err(anyhow::anyhow!("a simulation panicked")))
        })
    })?;
    let mut report = shared
        .report
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    report.failed.sort();
    Ok(report)
}

struct Shared {
    next: AtomicU64,
    stop: AtomicBool,
    keep_going: bool,
    end: u64,
    report: Mutex<Report>,
}

impl Shared {
    fn work(&self) -> Result<()> {
        let mut coverage = Coverage::default();
        while !self.stop.load(Ordering::Relaxed) {
            let seed = self.next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.end {
                break;
            }
            let failure = one(seed, &mut coverage)?;
            self.note(seed, failure);
        }
        self.report().coverage.merge(&coverage);
        Ok(())
    }

    fn note(&self, seed: u64, failure: Option<String>) {
        let mut report = self.report();
        report.played += 1;
        if let Some(what) = failure {
            report.failed.push(Failed { seed, what });
            if !self.keep_going {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }

    fn report(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Plays a seed; what is wrong with it.
fn one(seed: u64, coverage: &mut Coverage) -> Result<Option<String>> {
    let plan = Plan::draw(seed);
    let played = play(&plan, false)?;
    coverage.merge(&played.trace.coverage);
    rows::count_plan(&plan, coverage);
    if let Some(broken) = played.broken.first() {
        let more = played.broken.len() - 1;
        return Ok(Some(format!("{broken} (and {more} more)")));
    }
    if seed.is_multiple_of(PLAYED_TWICE) && play(&plan, false)?.trace.hash != played.trace.hash {
        return Ok(Some("played twice, it tells two stories".to_owned()));
    }
    Ok(None)
}

impl Report {
    /// One line.
    pub fn summary(&self) -> impl fmt::Display {
        let (played, failed) = (self.played, self.failed.len());
        format!("{played} seeds were played, {failed} of them failed")
    }
}

//! Whether one more instance may be launched: the most for the stack, a repository and a run.
//!
//! Where the stack or the repository is full a job waits, since what fills them goes away by itself.
//! A run that is full has asked for too much at once: its job is refused, and says so, for a run that
//! waits for itself could hold a repository's whole share for hours.

use std::fmt;

use jiff::Timestamp;
use reprise_model::ledger::LaunchClaim;
use reprise_model::machine_refusal::MachineRefusal;

use crate::backoff::{Jitter, after, launch_step};

/// The most instances at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceLimits {
    /// Of the stack.
    pub stack: u32,
    /// For the jobs of a repository.
    pub repository: u32,
    /// For the jobs of a run.
    pub run: u32,
}

/// A run of GitHub's largest matrix fits, and no repository can take the whole stack.
impl Default for InstanceLimits {
    fn default() -> Self {
        Self {
            stack: 1000,
            repository: 500,
            run: 256,
        }
    }
}

/// The instances that are there or under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InstanceCounts {
    /// Of the stack.
    pub stack: u32,
    /// For the jobs of the job's repository.
    pub repository: u32,
    /// For the jobs of the job's run.
    pub run: u32,
}

/// What is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Full {
    /// The stack: nobody gets an instance.
    Stack,
    /// The repository.
    Repository,
}

impl Full {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Stack, Self::Repository];

    /// The label value for metrics and logs: one of a fixed set.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stack => "stack-is-full",
            Self::Repository => "repository-is-full",
        }
    }

    /// The setting that says how many there may be.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Stack => "limits.instances",
            Self::Repository => "limits.instances_per_repository",
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "as many instances as {} allows are there",
            self.setting()
        )
    }
}

/// Whether one more may be launched.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Room {
    /// It may.
    Launch,
    /// Not now.
    Wait {
        /// What is full.
        full: Full,
        /// When to ask again.
        due: Timestamp,
    },
    /// Not for this job.
    Refuse(MachineRefusal),
}

/// Whether there is room for one more instance, that of a claim.
///
/// A job that had an instance and lost it keeps its place in its run: what was launched for it may still be
/// there, taken by another job or never up, and it is not to be refused for that.
pub fn room(
    limits: &InstanceLimits,
    counts: &InstanceCounts,
    claim: &LaunchClaim,
    now: Timestamp,
    jitter: Jitter,
) -> Room {
    if counts.run >= limits.run && claim.lost == 0 {
        return Room::Refuse(MachineRefusal::RunIsFull {
            there: counts.run,
            most: limits.run,
        });
    }
    let full = if counts.stack >= limits.stack {
        Full::Stack
    } else if counts.repository >= limits.repository {
        Full::Repository
    } else {
        return Room::Launch;
    };
    Room::Wait {
        full,
        due: after(now, launch_step(claim.waited, jitter)),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::backoff::CAP;
    use crate::samples::{at, claim};

    const MIDDLE: Jitter = Jitter(0.5);

    fn asked(limits: &InstanceLimits, counts: &InstanceCounts) -> Room {
        room(limits, counts, &claim(), at(0), MIDDLE)
    }

    #[test]
    fn two_thousand_jobs_at_once_get_as_many_instances_as_allowed_and_the_others_wait() {
        let limits = InstanceLimits::default();
        let mut counts = InstanceCounts::default();
        let mut waiting = 0;
        for job in 0..2_000 {
            // Jobs of four repositories in turn, each repository's in runs of 100.
            let of_repository = InstanceCounts {
                repository: counts.stack / 4,
                run: (counts.stack / 4) % 100,
                ..counts
            };
            match asked(&limits, &of_repository) {
                Room::Launch => counts.stack += 1,
                Room::Wait { full, due } => {
                    assert_eq!(full, Full::Stack, "job {job}");
                    assert!(due > at(0));
                    waiting += 1;
                }
                Room::Refuse(refusal) => panic!("job {job}: {refusal}"),
            }
        }
        assert_eq!((counts.stack, waiting), (1_000, 1_000));
    }

    #[test]
    fn two_thousand_jobs_of_one_run_get_the_runs_share_and_the_others_are_refused() {
        let limits = InstanceLimits::default();
        let mut there = 0;
        let mut refused = 0;
        for _ in 0..2_000 {
            let counts = InstanceCounts {
                stack: there,
                repository: there,
                run: there,
            };
            match asked(&limits, &counts) {
                Room::Launch => there += 1,
                Room::Refuse(refusal) => {
                    assert_eq!(
                        refusal.to_string(),
                        "the run has 256 instances, and limits.instances_per_run is 256"
                    );
                    refused += 1;
                }
                Room::Wait { full, .. } => panic!("{full}"),
            }
        }
        assert_eq!((there, refused), (256, 1_744));
    }

    #[test]
    fn a_job_that_lost_its_instance_is_not_refused_for_what_is_left_of_it() {
        let limits = InstanceLimits::default();
        let counts = InstanceCounts {
            stack: 256,
            repository: 256,
            run: 256,
        };
        assert!(matches!(asked(&limits, &counts), Room::Refuse(_)));
        let lost_one = LaunchClaim { lost: 1, ..claim() };
        let again = room(&limits, &counts, &lost_one, at(0), MIDDLE);
        assert_eq!(again, Room::Launch);
    }

    #[test]
    fn a_full_repository_waits_while_others_launch() {
        let limits = InstanceLimits::default();
        let counts = InstanceCounts {
            stack: 600,
            repository: 500,
            run: 3,
        };
        assert_eq!(
            asked(&limits, &counts),
            Room::Wait {
                full: Full::Repository,
                due: at(5),
            }
        );
        let other = InstanceCounts {
            repository: 100,
            ..counts
        };
        assert_eq!(asked(&limits, &other), Room::Launch);
    }

    #[test]
    fn a_job_that_waits_long_asks_seldom_and_never_stops() {
        let limits = InstanceLimits::default();
        let counts = InstanceCounts {
            stack: 1_000,
            ..InstanceCounts::default()
        };
        for (tries, seconds) in [(0, 5), (1, 10), (2, 20), (1_000, 300)] {
            let claim = LaunchClaim {
                waited: tries,
                ..claim()
            };
            let Room::Wait { due, .. } = room(&limits, &counts, &claim, at(0), MIDDLE) else {
                panic!("it waits");
            };
            assert_eq!(due, at(seconds));
        }
        assert_eq!(CAP, SignedDuration::from_secs(300));
    }
}

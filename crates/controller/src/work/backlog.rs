//! What is due and has not begun yet: re-runs and looks at instances first, launches after them, and what is
//! told of jobs that get no machine last.
//!
//! Hundreds of launches may be due at once and wait for EC2; nothing of the others waits for them. And
//! hundreds of jobs may be refused at once: nobody's machine waits until all of that is told. Which of the
//! two a claim is due for, only its record says; so each counts as a launch until that was read once.

use std::collections::{BTreeSet, VecDeque};

use reprise_store::DueKey;

#[derive(Debug, Default)]
pub(super) struct Backlog {
    first: VecDeque<DueKey>,
    launches: VecDeque<DueKey>,
    tellings: VecDeque<DueKey>,
}

/// For what there is a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    /// For a launch.
    pub(super) launch: bool,
    /// For a telling.
    pub(super) telling: bool,
}

impl Backlog {
    /// Each in the order given, which is that of the due times. `tellings` are the claims that are known to
    /// be no launches.
    pub(super) fn new(keys: impl IntoIterator<Item = DueKey>, tellings: &BTreeSet<DueKey>) -> Self {
        let (claims, first): (VecDeque<DueKey>, _) = keys.into_iter().partition(is_launch);
        let is_telling = |key: &DueKey| tellings.contains(key);
        let (tellings, launches) = claims.into_iter().partition(is_telling);
        Self {
            first,
            launches,
            tellings,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.launches.is_empty() && self.tellings.is_empty()
    }

    /// A claim that was taken for a launch is a telling.
    pub(super) fn tells(&mut self, key: DueKey) {
        self.tellings.push_back(key);
    }

    /// What is begun next, where there is a place for it.
    pub(super) fn take(&mut self, places: Places) -> Option<DueKey> {
        let Places { launch, telling } = places;
        let first = self.first.pop_front();
        let next = first.or_else(|| self.launches.pop_front_if(|_| launch));
        next.or_else(|| self.tellings.pop_front_if(|_| telling))
    }
}

pub(super) fn is_launch(key: &DueKey) -> bool {
    match key {
        DueKey::Claim(_) => true,
        DueKey::Run(_) | DueKey::Instance(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::ids::{JobId, RunId};
    use reprise_model::ledger::{ClaimKey, RunKey};

    use super::*;

    fn launch(job: u64) -> DueKey {
        DueKey::Claim(ClaimKey {
            repository: "acme/shop".parse().expect("valid"),
            job_id: JobId(job),
        })
    }

    fn rerun() -> DueKey {
        DueKey::Run(RunKey {
            repository: "acme/shop".parse().expect("valid"),
            run_id: RunId(7),
        })
    }

    const ALL: Places = Places {
        launch: true,
        telling: true,
    };

    fn backlog(keys: &[DueKey]) -> Backlog {
        Backlog::new(keys.iter().cloned(), &BTreeSet::from([launch(9)]))
    }

    #[test]
    fn a_re_run_goes_before_all_launches_and_these_before_what_is_told() {
        let mut backlog = backlog(&[launch(9), launch(1), launch(2), rerun(), launch(3)]);
        backlog.tells(launch(8));
        let taken: Vec<DueKey> = std::iter::from_fn(|| backlog.take(ALL)).collect();
        let last = [launch(9), launch(8)];
        assert_eq!(taken[..4], [rerun(), launch(1), launch(2), launch(3)]);
        assert_eq!(taken[4..], last);
        assert!(backlog.is_empty());
    }

    #[test]
    fn launches_and_tellings_stay_while_none_may_begin() {
        let mut backlog = backlog(&[launch(9), launch(1), rerun()]);
        let none = Places {
            launch: false,
            telling: false,
        };
        assert_eq!(backlog.take(none), Some(rerun()));
        assert_eq!(backlog.take(none), None);
        let telling = Places {
            telling: true,
            ..none
        };
        assert_eq!(backlog.take(telling), Some(launch(9)));
        assert_eq!(backlog.take(telling), None);
        assert_eq!(backlog.take(ALL), Some(launch(1)));
    }
}

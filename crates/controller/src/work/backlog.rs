//! What is due and has not begun yet: re-runs and looks at instances first, launches after them.
//!
//! Hundreds of launches may be due at once and wait for EC2; nothing of the others waits for them.

use std::collections::VecDeque;

use reprise_store::DueKey;

#[derive(Debug, Default)]
pub(super) struct Backlog {
    first: VecDeque<DueKey>,
    launches: VecDeque<DueKey>,
}

impl Backlog {
    /// Each in the order given, which is that of the due times.
    pub(super) fn new(keys: impl IntoIterator<Item = DueKey>) -> Self {
        let (launches, first) = keys.into_iter().partition(is_launch);
        Self { first, launches }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_empty() && self.launches.is_empty()
    }

    /// What is begun next, where there is a place: a launch only where one may have it.
    pub(super) fn take(&mut self, may_launch: bool) -> Option<DueKey> {
        match self.first.pop_front() {
            None if may_launch => self.launches.pop_front(),
            first => first,
        }
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

    #[test]
    fn a_re_run_goes_before_all_launches_and_they_go_in_their_order() {
        let mut backlog = Backlog::new([launch(1), launch(2), rerun(), launch(3)]);
        let taken: Vec<DueKey> = std::iter::from_fn(|| backlog.take(true)).collect();
        assert_eq!(taken, [rerun(), launch(1), launch(2), launch(3)]);
        assert!(backlog.is_empty());
    }

    #[test]
    fn launches_stay_while_none_may_begin() {
        let mut backlog = Backlog::new([launch(1), rerun()]);
        assert_eq!(backlog.take(false), Some(rerun()));
        assert_eq!(backlog.take(false), None);
        assert_eq!(backlog.take(true), Some(launch(1)));
    }
}

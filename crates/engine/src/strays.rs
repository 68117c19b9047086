//! Runners at GitHub whose machine is gone, or never came: they stay there, offline.
//!
//! GitHub removes one by itself after a day, and until then lists it, counts it, and may show people
//! hundreds. Only runners that Reprise made are meant, by their name. As EC2 lists an instance late and
//! GitHub does not say when a runner was made, one is a stray only if it was one some minutes ago as
//! well. A runner that is online or busy never is.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, RunnerId, RunnerName};
use reprise_model::runner_row::made_for;

use crate::backoff::after;

/// How long it must have been one.
const SINCE: SignedDuration = SignedDuration::from_mins(10);

/// The most that are removed of one place at a time.
const AT_A_TIME: usize = 30;

/// A runner, as GitHub lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRunner {
    /// GitHub's number for it.
    pub id: RunnerId,
    /// Its name.
    pub name: RunnerName,
    /// Whether it is connected.
    pub is_online: bool,
    /// Whether it has a job.
    pub is_busy: bool,
}

/// Since when runners of one place have been strays.
#[derive(Debug, Default)]
pub struct Strays(BTreeMap<RunnerId, Timestamp>);

impl Strays {
    /// Those of the list that are to be removed now. `alive` are all instances that EC2 lists and that
    /// have not begun to end; it must have been asked after GitHub.
    pub fn of(
        &mut self,
        listed: &[ListedRunner],
        alive: &BTreeSet<InstanceId>,
        now: Timestamp,
    ) -> Vec<RunnerId> {
        let strays = listed.iter().filter(|one| is_stray(one, alive));
        let known = strays.map(|one| (one.id, self.0.get(&one.id).copied().unwrap_or(now)));
        self.0 = known.collect();
        let old = self
            .0
            .iter()
            .filter(|(_, since)| after(**since, SINCE) <= now);
        old.map(|(id, _)| *id).take(AT_A_TIME).collect()
    }
}

fn is_stray(runner: &ListedRunner, alive: &BTreeSet<InstanceId>) -> bool {
    let instance = made_for(&runner.name);
    !runner.is_online && !runner.is_busy && instance.is_some_and(|id| !alive.contains(&id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{at, instance};
    use reprise_model::runner_row::runner_name;

    fn offline(id: u64) -> ListedRunner {
        ListedRunner {
            id: RunnerId(id),
            name: runner_name(&instance().id, 7),
            is_online: false,
            is_busy: false,
        }
    }

    fn removed(listed: &[ListedRunner], alive: &[InstanceId]) -> Vec<RunnerId> {
        let alive = alive.iter().cloned().collect();
        let mut strays = Strays::default();
        assert_eq!(strays.of(listed, &alive, at(0)), [], "not at first sight");
        assert_eq!(strays.of(listed, &alive, at(599)), []);
        strays.of(listed, &alive, at(600))
    }

    #[test]
    fn a_runner_without_its_machine_is_removed_once_that_has_lasted() {
        assert_eq!(
            removed(&[offline(1), offline(2)], &[]),
            [RunnerId(1), RunnerId(2)]
        );
    }

    #[test]
    fn one_that_is_online_or_busy_or_has_a_machine_or_is_not_ours_stays() {
        let online = ListedRunner {
            is_online: true,
            ..offline(1)
        };
        let busy = ListedRunner {
            is_busy: true,
            ..offline(2)
        };
        let other = ListedRunner {
            name: RunnerName::new("i-0123456789abcdef0"),
            ..offline(3)
        };
        assert_eq!(removed(&[online, busy, other], &[]), []);
        assert_eq!(removed(&[offline(1)], &[instance().id]), []);
    }

    #[test]
    fn one_that_came_back_meanwhile_begins_anew() {
        let nobody = BTreeSet::new();
        let mut strays = Strays::default();
        assert_eq!(strays.of(&[offline(1)], &nobody, at(0)), []);
        let online = ListedRunner {
            is_online: true,
            ..offline(1)
        };
        assert_eq!(strays.of(&[online], &nobody, at(300)), []);
        assert_eq!(strays.of(&[offline(1)], &nobody, at(700)), []);
    }

    #[test]
    fn a_bounded_number_is_removed_at_a_time() {
        let many: Vec<ListedRunner> = (0..100).map(offline).collect();
        assert_eq!(removed(&many, &[]).len(), 30);
    }
}

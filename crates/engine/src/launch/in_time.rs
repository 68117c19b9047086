//! Whether an instance still waits for what its runner starts with.
//!
//! Its agent looks for that for ten minutes and no longer. Where GitHub refused it for so long, or nobody
//! was there to ask, the instance is of no use: it is ended, and another one launched. An instance whose
//! runner is connected has had it, though nobody lived to say so, and is never ended here.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_model::instance::{Instance, InstanceSight};
use reprise_model::ledger::LaunchClaim;
use reprise_model::runner_row::made_for;

use crate::backoff::after;
use crate::strays::ListedRunner;

/// How long after its launch an instance gets its runner: its agent begins to look some seconds later, and
/// gives up after as long.
const WAITS_FOR: SignedDuration = SignedDuration::from_mins(10);

/// When an instance that was to get its runner just before that must have connected it.
const CONNECTED_AFTER: SignedDuration = SignedDuration::from_mins(12);

/// All that is known of an instance that EC2 names.
#[derive(Debug, Clone, Copy)]
pub struct InTimeFacts<'a> {
    /// The claim that it was launched for.
    pub claim: &'a LaunchClaim,
    /// Which instance.
    pub instance: &'a InstanceId,
    /// What EC2 says of it, once that was asked.
    pub sight: Option<&'a InstanceSight>,
    /// The runners where its own would be, once GitHub was asked.
    pub runners: Option<&'a [ListedRunner]>,
}

/// What an instance gets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum InTime {
    /// Its runner.
    Equip,
    /// Look at it first.
    Look,
    /// List the runners first.
    List,
    /// Nothing before then.
    Wait(Timestamp),
    /// Nothing: its runner is connected.
    HasRunner,
    /// Nothing any more. Where one is named, it is to be ended.
    TooLate(Option<Instance>),
}

/// What an instance gets that EC2 names as the one of a claim.
pub fn in_time(facts: &InTimeFacts<'_>, now: Timestamp) -> InTime {
    let is_young = |since: Timestamp| now < after(since, WAITS_FOR);
    // It is younger than that, and in most cases this is all.
    if facts.claim.queued_at.is_some_and(is_young) {
        return InTime::Equip;
    }
    let view = match facts.sight {
        None => return InTime::Look,
        // EC2 does not list it yet, or has forgotten it; then the job is found waiting, and asked about.
        Some(InstanceSight::Absent) => return InTime::Equip,
        Some(InstanceSight::Seen(view)) => view,
    };
    if view.state.is_over() {
        return InTime::TooLate(None);
    }
    match view.launched_at {
        None => return InTime::Equip,
        Some(launched_at) if is_young(launched_at) => return InTime::Equip,
        Some(launched_at) if now < after(launched_at, CONNECTED_AFTER) => {
            return InTime::Wait(after(launched_at, CONNECTED_AFTER));
        }
        Some(_) => {}
    }
    match facts.runners {
        None => InTime::List,
        Some(runners) if runners.iter().any(|one| is_of(one, facts.instance)) => InTime::HasRunner,
        Some(_) => InTime::TooLate(Some(view.instance.clone())),
    }
}

fn is_of(runner: &ListedRunner, instance: &InstanceId) -> bool {
    let is_there = runner.is_online || runner.is_busy;
    is_there && made_for(&runner.name).as_ref() == Some(instance)
}

#[cfg(test)]
mod tests {
    use reprise_model::ids::RunnerId;
    use reprise_model::instance::{InstanceState, InstanceView};
    use reprise_model::runner_row::runner_name;

    use super::*;
    use crate::samples::{at, claim, instance, view};

    const QUEUED: i64 = 50;

    fn gets(sight: Option<InstanceView>, runners: Option<&[ListedRunner]>, minutes: i64) -> InTime {
        let claim = LaunchClaim {
            queued_at: Some(at(QUEUED)),
            ..claim()
        };
        let sight = sight.map(InstanceSight::Seen);
        let facts = InTimeFacts {
            claim: &claim,
            instance: &instance().id,
            sight: sight.as_ref(),
            runners,
        };
        in_time(&facts, at(QUEUED + minutes * 60))
    }

    fn launched_after(minutes: i64) -> Option<InstanceView> {
        Some(InstanceView {
            launched_at: Some(at(QUEUED + minutes * 60)),
            ..view()
        })
    }

    fn online(is_online: bool) -> ListedRunner {
        ListedRunner {
            id: RunnerId(1),
            name: runner_name(&instance().id, 7),
            is_online,
            is_busy: false,
        }
    }

    #[test]
    fn nothing_is_asked_within_ten_minutes_of_the_jobs_event() {
        assert_eq!(gets(None, None, 0), InTime::Equip);
        assert_eq!(gets(None, None, 9), InTime::Equip);
        assert_eq!(gets(None, None, 10), InTime::Look);
    }

    #[test]
    fn a_young_instance_of_an_old_job_gets_its_runner() {
        assert_eq!(gets(launched_after(20), None, 29), InTime::Equip);
    }

    #[test]
    fn one_whose_agent_has_given_up_is_ended_once_nothing_can_be_connected() {
        let age_of = |minutes, runners| gets(launched_after(0), runners, minutes);
        assert_eq!(age_of(10, None), InTime::Wait(at(QUEUED + 12 * 60)));
        assert_eq!(age_of(12, None), InTime::List);
        assert_eq!(age_of(12, Some(&[])), InTime::TooLate(Some(instance())));
        let never_came = [online(false)];
        assert_eq!(
            age_of(12, Some(&never_came)),
            InTime::TooLate(Some(instance()))
        );
    }

    #[test]
    fn one_whose_runner_is_connected_is_let_be() {
        let connected = [online(true)];
        let got = gets(launched_after(0), Some(&connected), 30);
        assert_eq!(got, InTime::HasRunner);
    }

    #[test]
    fn one_that_is_gone_needs_no_end() {
        let gone = InstanceView {
            state: InstanceState::Terminated,
            ..view()
        };
        assert_eq!(gets(Some(gone), None, 10), InTime::TooLate(None));
    }
}

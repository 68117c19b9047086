//! An instance that EC2 was said to take and did not.
//!
//! A tag brings a job its re-run, and the instance is left to EC2 meanwhile. A job can set the tag
//! itself, so an instance that still runs long after is ended after all.

use jiff::Timestamp;
use reprise_model::evidence::{COUNTS_FOR, Evidence};
use reprise_model::instance::{Instance, InstanceSight};
use reprise_model::ledger::InstanceEntry;

use super::{FleetRule, is_ending, is_mere_claim};
use crate::backoff::after;
use crate::rules::Rules;

/// The instance to end, when the record of a job that [`super::awaited`] a re-run is due: one that
/// EC2 still runs, under our stack's tag. It ran one job, and that job has ended. `None` for the
/// record of any other kind, and where there is nothing left to end; either way
/// [`super::looked_late`] is the record afterwards.
pub fn outlived(
    entry: &InstanceEntry,
    sight: &InstanceSight,
    fleet: FleetRule<'_>,
    rules: &Rules,
    now: Timestamp,
) -> Option<Instance> {
    let is_due = entry.due.is_some_and(|due| due.at <= now);
    if entry.judged.is_none() || entry.unexplained.is_some() || !is_due {
        return None;
    }
    match (fleet, sight) {
        (FleetRule::Ours { stack }, InstanceSight::Seen(view)) => {
            let tag = view.tags.get(&rules.tags.stack());
            let is_ours = tag.map(String::as_str) == Some(stack);
            (is_ours && !is_ending(view.state)).then(|| view.instance.clone())
        }
        (FleetRule::Ours { .. }, InstanceSight::Absent) | (FleetRule::Foreign, _) => None,
    }
}

/// When to look whether EC2 took the instance, where nobody but its own tag says so. A notice
/// gives two minutes; after [`COUNTS_FOR`] the tag would explain the end of no job any more.
pub(super) fn looked_at_by(
    evidence: &[Evidence],
    fleet: FleetRule<'_>,
    now: Timestamp,
) -> Option<Timestamp> {
    match fleet {
        FleetRule::Ours { .. } => is_mere_claim(evidence).then(|| after(now, COUNTS_FOR)),
        FleetRule::Foreign => None,
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::evidence::EvidenceSource;
    use reprise_model::ids::JobId;
    use reprise_model::instance::{InstanceState, InstanceView};
    use reprise_model::ledger::Due;

    use super::*;
    use crate::job::{awaited, looked_late};
    use crate::samples::{STACK, at, evidence, instance, tagged, view};

    const OURS: FleetRule<'static> = FleetRule::Ours { stack: STACK };

    #[test]
    fn an_instance_that_only_its_tag_says_ec2_takes_is_ended_if_it_still_runs_15_minutes_later() {
        let entry = judged(OURS, EvidenceSource::Tag);
        assert_eq!(entry.due, Some(Due::now(at(205 + 900))));
        let said = |view: InstanceView, seconds| {
            let sight = InstanceSight::Seen(view);
            outlived(&entry, &sight, OURS, &Rules::default(), at(seconds))
        };
        assert_eq!(said(tagged(view()), 205 + 900), Some(instance()));
        assert_eq!(said(tagged(view()), 205 + 899), None, "EC2 may take it yet");
        let mut taken = tagged(view());
        taken.state = InstanceState::ShuttingDown;
        assert_eq!(said(taken, 1_200), None);
        let mut foreign = tagged(view());
        foreign.tags.remove(&Rules::default().tags.stack());
        assert_eq!(said(foreign, 1_200), None);
        let forgotten = outlived(
            &entry,
            &InstanceSight::Absent,
            OURS,
            &Rules::default(),
            at(1_200),
        );
        assert_eq!(forgotten, None);
        assert_eq!(looked_late(entry.clone()).and_then(|entry| entry.due), None);
    }

    #[test]
    fn an_instance_that_is_told_of_again_is_not_kept_longer() {
        let entry = judged(OURS, EvidenceSource::Tag);
        let again = [evidence(EvidenceSource::Tag, 210)];
        let told = awaited(Some(entry), &instance(), &again, JobId(1), OURS, at(600));
        assert_eq!(told, None);
    }

    #[test]
    fn what_ec2_itself_says_it_takes_and_what_is_not_ours_is_not_looked_at_again() {
        let warned = judged(OURS, EvidenceSource::InterruptionWarning);
        assert_eq!(warned.due, None);
        assert_eq!(judged(FleetRule::Foreign, EvidenceSource::Tag).due, None);
    }

    fn judged(fleet: FleetRule<'_>, source: EvidenceSource) -> InstanceEntry {
        let evidence = [evidence(source, 203)];
        awaited(None, &instance(), &evidence, JobId(1), fleet, at(205)).expect("a record")
    }
}

//! What a sweep makes of an instance that bears evidence of its interruption.
//!
//! The job's own event comes first; a sweep looks for the job where that event does not come, and
//! where the evidence came after the verdict on it.

use jiff::{SignedDuration, Timestamp};
use reprise_model::evidence::WARNED_AFTER_END;
use reprise_model::instance::InstanceView;
use reprise_model::job::{Job, JobStatus};
use reprise_model::ledger::InstanceEntry;
use reprise_model::policy::RetryPolicy;

use super::JobVerdict;
use super::case::grounds;
use super::overdue::overdue;
use crate::rules::Rules;

/// How long after the first sight of its evidence an instance's job is looked for. EC2 gives two
/// minutes, then the job's own event comes: asking GitHub sooner would only double its work.
const EVENTS_FIRST: SignedDuration = SignedDuration::from_mins(2);

/// How far EC2's clock and ours may differ, and how long the event of a job may take.
const MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// Whether the job of an interrupted instance is to be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Swept {
    /// Not by this sweep.
    Leave(LeaveReason),
    /// Now: read which job ran there, and ask [`found`].
    FindJob,
}

/// Why the job of an interrupted instance is not looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// Nothing that stands in the record says that it was interrupted.
    NoEvidence,
    /// Its job was judged with its evidence.
    Judged,
    /// Its job's own event may come yet.
    EventsFirst,
    /// It was looked for in vain a while ago.
    Rests,
}

/// Whether to look for the job of an instance whose evidence stands in this record.
/// `rests_until` is when it may be looked for again, where that was in vain.
pub fn swept(known: &InstanceEntry, rests_until: Option<Timestamp>, now: Timestamp) -> Swept {
    if known.judged.is_some() {
        return Swept::Leave(LeaveReason::Judged);
    }
    let Some(first_sight) = known.evidence.iter().map(|one| one.first_seen_at).min() else {
        return Swept::Leave(LeaveReason::NoEvidence);
    };
    if now.duration_since(first_sight) < EVENTS_FIRST {
        return Swept::Leave(LeaveReason::EventsFirst);
    }
    if rests_until.is_some_and(|until| now < until) {
        return Swept::Leave(LeaveReason::Rests);
    }
    Swept::FindJob
}

/// What follows from the job that ran on an interrupted instance.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a look and taken apart at once, never stored in numbers"
)]
pub enum Found {
    /// It has completed: to be judged as by its own event.
    Judge,
    /// GitHub may end it yet: look again later.
    Wait,
    /// GitHub never ended it. This is the verdict.
    GiveUp(JobVerdict),
}

/// What follows from the job that ran on an interrupted instance.
///
/// A job that is given up is kept with the grounds on which it would have come back: its run may have to be
/// cancelled by hand.
pub fn found(
    job: &Job,
    view: &InstanceView,
    known: &InstanceEntry,
    policy: RetryPolicy,
    now: Timestamp,
) -> Found {
    if job.status == JobStatus::Completed {
        return Found::Judge;
    }
    match overdue(job, view.state, &known.evidence, now) {
        Some(reason) => Found::GiveUp(JobVerdict::Settle {
            reason,
            end: None,
            ran_on: Some(view.instance.clone()),
            evidence: known.evidence.clone(),
            given_up: (policy != RetryPolicy::Never)
                .then(|| grounds(policy, &view.instance, &known.evidence, None))
                .map(Box::new),
        }),
        None => Found::Wait,
    }
}

/// Whether EC2's warning, told only now, may come after the verdict on the job that it explains: a
/// job is looked at for [`Rules::look_window`] after its end, and a warning explains no end that
/// came more than [`WARNED_AFTER_END`] before it.
pub fn may_be_late(warned_at: Timestamp, now: Timestamp, rules: &Rules) -> bool {
    let heard_within = rules
        .look_window
        .saturating_sub(WARNED_AFTER_END)
        .saturating_sub(MARGIN);
    now.duration_since(warned_at) >= heard_within
}

#[cfg(test)]
mod tests {
    use reprise_model::evidence::EvidenceSource;
    use reprise_model::ids::JobId;
    use reprise_model::instance::InstanceState;
    use reprise_model::reason::SettleReason;

    use super::*;
    use crate::samples::{at, evidence, instance, job, remembered, tagged, view};

    #[test]
    fn a_job_is_looked_for_two_minutes_after_the_first_sight_and_once() {
        let known = remembered(vec![
            evidence(EvidenceSource::StateReason, 300),
            evidence(EvidenceSource::Tag, 200),
        ]);
        let said = |rests, now| swept(&known, rests, at(now));
        assert_eq!(said(None, 319), Swept::Leave(LeaveReason::EventsFirst));
        assert_eq!(said(None, 320), Swept::FindJob);
        assert_eq!(
            said(Some(at(400)), 399),
            Swept::Leave(LeaveReason::Rests),
            "it was in vain"
        );
        assert_eq!(said(Some(at(400)), 400), Swept::FindJob);
        let judged = InstanceEntry {
            judged: Some(JobId(1)),
            ..known
        };
        assert_eq!(
            swept(&judged, None, at(400)),
            Swept::Leave(LeaveReason::Judged)
        );
    }

    #[test]
    fn nothing_is_looked_for_without_evidence() {
        let nothing = Swept::Leave(LeaveReason::NoEvidence);
        assert_eq!(swept(&remembered(Vec::new()), None, at(400)), nothing);
    }

    #[test]
    fn what_has_completed_is_judged_and_what_never_does_is_given_up_with_its_evidence() {
        let mut view = tagged(view());
        view.state = InstanceState::Terminated;
        let signs = vec![evidence(EvidenceSource::Tag, 200)];
        let known = remembered(signs.clone());
        let running = Job {
            status: JobStatus::InProgress,
            conclusion: None,
            completed_at: None,
            ..job(1, "build")
        };
        assert_eq!(
            found(&job(1, "build"), &view, &known, RetryPolicy::USUAL, at(400)),
            Found::Judge
        );
        assert_eq!(
            found(&running, &view, &known, RetryPolicy::USUAL, at(1_100)),
            Found::Wait
        );
        assert_eq!(
            found(&running, &view, &known, RetryPolicy::USUAL, at(1_101)),
            Found::GiveUp(JobVerdict::Settle {
                reason: SettleReason::NeverCompleted,
                end: None,
                ran_on: Some(instance()),
                evidence: signs.clone(),
                given_up: Some(Box::new(grounds(
                    RetryPolicy::USUAL,
                    &instance(),
                    &signs,
                    None
                ))),
            })
        );
    }

    #[test]
    fn a_warning_is_late_when_a_job_that_it_explains_may_be_settled_by_now() {
        let rules = Rules::default();
        assert!(!may_be_late(at(200), at(224), &rules));
        assert!(may_be_late(at(200), at(225), &rules));
        let job = job(1, "build");
        let last = evidence(EvidenceSource::InterruptionWarning, 230);
        assert!(last.counts_for(job.started_at, job.completed_at));
        assert!(may_be_late(last.first_seen_at, at(260), &rules));
    }
}

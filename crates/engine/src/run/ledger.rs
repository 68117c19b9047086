//! Changes of a run's record, each with the transition it makes checked where it is made.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{JobId, RunAttempt};
use reprise_model::job::{Execution, Job, JobKey};
use reprise_model::ledger::{
    Due, Rerun, RerunAnswer, RerunOrder, RerunTarget, RunEntry, RunKey, TrackedJob, TrackedState,
    Why,
};
use reprise_model::reason::{Refusal, RefusalKind, SettleReason};

use super::chance;
use crate::backoff::{Jitter, after, spread};
use crate::due;
use crate::job::Grounds;

/// GitHub may not show a run that was made less than this ago: its reads lag by seconds.
const FRESH_FOR: SignedDuration = SignedDuration::from_mins(2);

/// A record holds so many jobs that were given up, and of so many jobs what their failure was judged by:
/// beside a matrix of 256 that comes back it stays within what a store takes.
const MOST_GIVEN_UP: usize = 100;
const MOST_TOLD: usize = 50;

/// Whether no job of the run is known to have begun long ago, so that the run may just have been made.
pub(super) fn may_be_fresh(entry: &RunEntry, now: Timestamp) -> bool {
    let began = entry
        .jobs
        .values()
        .filter_map(|job| job.execution.started_at);
    began
        .min()
        .is_some_and(|began| now < after(began, FRESH_FOR))
}

/// Whether something may still have to be done about it.
pub(super) fn is_open(job: &TrackedJob) -> bool {
    match job.state {
        TrackedState::Awaiting | TrackedState::Asked { .. } => true,
        TrackedState::Settled { .. } => false,
    }
}

/// Whether nothing is known of the run but that a policy may re-run some of it, or does not re-run some
/// of it any more.
pub(super) fn is_new(entry: &RunEntry) -> bool {
    entry.jobs.values().all(is_given_up) && entry.reruns.is_empty()
}

/// Whether nothing was tried for it: its policy had the last word, or GitHub never ended it.
pub(super) fn is_given_up(job: &TrackedJob) -> bool {
    match &job.state {
        TrackedState::Settled { reason, .. } => {
            is_the_policys(reason) || *reason == SettleReason::NeverCompleted
        }
        TrackedState::Awaiting | TrackedState::Asked { .. } => false,
    }
}

fn is_the_policys(reason: &SettleReason) -> bool {
    match reason {
        SettleReason::AttemptLimit
        | SettleReason::PermanentFailure
        | SettleReason::UnknownFailure
        | SettleReason::EndpointSaidNo
        | SettleReason::EndpointUnanswered => true,
        SettleReason::Succeeded
        | SettleReason::NotSpot
        | SettleReason::NotInterrupted
        | SettleReason::Uncorroborated
        | SettleReason::EvidenceExpired
        | SettleReason::EvidenceTooLate
        | SettleReason::OptedOut
        | SettleReason::RunNotFailed
        | SettleReason::AlreadyRerun
        | SettleReason::Cancelled
        | SettleReason::CancelledByUs
        | SettleReason::CancelledUnknown
        | SettleReason::Superseded
        | SettleReason::NeverCompleted
        | SettleReason::Recovered
        | SettleReason::FailedAgain
        | SettleReason::Refused(_) => false,
    }
}

/// Whether something may still have to be done about any of them: a fresh chance may be asked for, too.
pub(super) fn has_open(entry: &RunEntry) -> bool {
    entry.jobs.values().any(is_open) || !entry.notes.requeued.is_empty()
}

/// The jobs for which no re-run was asked yet.
pub(super) fn awaiting(entry: &RunEntry) -> impl Iterator<Item = (JobId, &TrackedJob)> {
    entry
        .jobs
        .iter()
        .filter(|(_, job)| job.state == TrackedState::Awaiting)
        .map(|(id, job)| (*id, job))
}

/// The jobs for which a re-run was asked, with the attempt that it started from.
pub(super) fn asked(entry: &RunEntry) -> impl Iterator<Item = (JobId, &TrackedJob, RunAttempt)> {
    entry.jobs.iter().filter_map(|(id, job)| match job.state {
        TrackedState::Asked { rerun } => {
            let from = entry
                .reruns
                .get(rerun)
                .map_or(job.attempt, |rerun| rerun.order.from);
            Some((*id, job, from))
        }
        TrackedState::Awaiting | TrackedState::Settled { .. } => None,
    })
}

/// When the re-run was decided on that a job was asked for with.
pub(super) fn asked_at(entry: &RunEntry, job: &TrackedJob) -> Option<Timestamp> {
    match job.state {
        TrackedState::Asked { rerun } => entry.reruns.get(rerun).map(|rerun| rerun.decided_at),
        TrackedState::Awaiting | TrackedState::Settled { .. } => None,
    }
}

/// Adds a job that is to come back, unless it is there already, in whatever state and under whatever
/// id: a record that was carried over shows the same execution under a new one.
pub(super) fn track(entry: &mut RunEntry, job: &Job, grounds: Grounds) -> bool {
    debug_assert!(
        !grounds.evidence.is_empty() || grounds.why != Why::Interrupted,
        "job {} awaits without evidence",
        job.id
    );
    let known = entry.jobs.get(&job.id);
    let is_reopened = known.is_some_and(|known| explains(&grounds, known));
    if !is_reopened && (known.is_some() || holds(entry, &job.name, &job.execution())) {
        return false;
    }
    insert(entry, job, grounds, TrackedState::Awaiting);
    true
}

/// Adds a job that its policy gives up, unless it is there already: it is kept to be shown, and is not
/// judged again. Some thousand failures of one run are more than anybody reads.
pub(super) fn bury(
    entry: &mut RunEntry,
    job: &Job,
    (reason, grounds): (&SettleReason, Grounds),
    at: Timestamp,
) -> bool {
    let kept = entry.jobs.values().filter(|job| is_given_up(job)).count();
    let known = entry.jobs.get(&job.id);
    let says_more = known.is_some_and(|known| explains(&grounds, known));
    if !says_more && (super::knows(entry, job) || kept >= MOST_GIVEN_UP) {
        return false;
    }
    let reason = reason.clone();
    insert(entry, job, grounds, TrackedState::Settled { reason, at });
    true
}

fn insert(entry: &mut RunEntry, job: &Job, grounds: Grounds, state: TrackedState) {
    let told = entry.jobs.values().filter(|job| job.told.is_some()).count();
    let tracked = TrackedJob {
        key: provisional_key(&entry.key, job),
        attempt: job.run_attempt,
        execution: job.execution(),
        why: grounds.why,
        policy: Some(grounds.policy),
        instance: grounds.instance,
        evidence: grounds.evidence,
        told: grounds.told.filter(|_| told < MOST_TOLD),
        advice: grounds.advice,
        pause: grounds.pause,
        not_before: None,
        state,
    };
    entry.jobs.insert(job.id, tracked);
}

/// Whether evidence came late of a job that waits for the end of its run, or was given up for how
/// that ended; or GitHub has ended, after all, what it seemed never to.
fn explains(grounds: &Grounds, known: &TrackedJob) -> bool {
    let is_news = grounds.why == Why::Interrupted && known.why != Why::Interrupted;
    match &known.state {
        TrackedState::Awaiting => is_news,
        TrackedState::Settled { reason, .. } if *reason == SettleReason::NeverCompleted => true,
        TrackedState::Settled { reason, .. } => {
            is_news && (*reason == SettleReason::RunNotFailed || is_the_policys(reason))
        }
        TrackedState::Asked { .. } => false,
    }
}

/// Whether an execution of a job of this name is there.
pub(super) fn holds(entry: &RunEntry, name: &str, execution: &Execution) -> bool {
    entry
        .jobs
        .values()
        .any(|job| job.key.name == name && job.execution == *execution)
}

/// Adds a fail-fast sibling that the re-run `rerun` was to bring back and left behind. It is a
/// victim of the same interruption as the job that the re-run was for, and is watched as that is.
pub(super) fn track_sibling(entry: &mut RunEntry, rerun: usize, record: &Job) {
    let Some(order) = entry.reruns.get(rerun).map(|rerun| &rerun.order) else {
        return;
    };
    let Some(victim) = order.wanted.iter().find_map(|id| entry.jobs.get(id)) else {
        return;
    };
    let tracked = TrackedJob {
        key: provisional_key(&entry.key, record),
        attempt: order.from,
        execution: record.execution(),
        why: victim.why,
        policy: victim.policy,
        instance: victim.instance.clone(),
        evidence: victim.evidence.clone(),
        told: None,
        advice: None,
        pause: SignedDuration::ZERO,
        not_before: None,
        state: TrackedState::Asked { rerun },
    };
    entry.jobs.insert(record.id, tracked);
}

/// Moves a job on. Every path of it leads towards settled, and settled is the end.
pub(super) fn move_to(entry: &mut RunEntry, id: JobId, state: TrackedState) {
    let Some(job) = entry.jobs.get_mut(&id) else {
        return;
    };
    debug_assert!(
        is_legal(&job.state, &state),
        "job {id} cannot go from {:?} to {state:?}",
        job.state
    );
    job.state = state;
}

/// Settles these jobs, for one reason.
pub(super) fn settle(entry: &mut RunEntry, ids: &[JobId], reason: &SettleReason, at: Timestamp) {
    for id in ids {
        let reason = reason.clone();
        move_to(entry, *id, TrackedState::Settled { reason, at });
    }
}

/// Settles the jobs that await a re-run without an interruption.
pub(super) fn settle_failures(entry: &mut RunEntry, reason: &SettleReason, at: Timestamp) {
    let failed: Vec<JobId> = awaiting(entry)
        .filter(|(_, job)| job.why != Why::Interrupted)
        .map(|(id, _)| id)
        .collect();
    settle(entry, &failed, reason, at);
}

/// Begins the pauses of what failed, now that the run has ended. One that has begun goes on.
pub(super) fn delay(entry: &mut RunEntry, now: Timestamp, jitter: Jitter) {
    for job in entry.jobs.values_mut() {
        if job.state == TrackedState::Awaiting && job.not_before.is_none() && !job.pause.is_zero() {
            job.not_before = Some(after(now, spread(job.pause, jitter)));
        }
    }
}

/// Until when the awaiting jobs wait by their policies. What was interrupted does not wait, and takes
/// along what does: GitHub makes one attempt at a time.
pub(super) fn delayed_until(entry: &RunEntry) -> Option<Timestamp> {
    if awaiting(entry).any(|(_, job)| job.why == Why::Interrupted) {
        return None;
    }
    awaiting(entry).filter_map(|(_, job)| job.not_before).max()
}

/// Settles every job that is still open, and answers who asked for a fresh chance.
pub(super) fn settle_open(entry: &mut RunEntry, reason: &SettleReason, at: Timestamp) {
    chance::deny_all(entry, reason, at);
    let open: Vec<JobId> = entry
        .jobs
        .iter()
        .filter(|(_, job)| is_open(job))
        .map(|(id, _)| *id)
        .collect();
    settle(entry, &open, reason, at);
}

/// The last re-run, when its answer is not known.
pub(super) fn unanswered(entry: &RunEntry) -> Option<&Rerun> {
    entry
        .reruns
        .last()
        .filter(|rerun| rerun.answer == RerunAnswer::Unclear)
}

/// Writes an order down before it is asked for. It takes the place of a last one that was put
/// off, which no job refers to: so the record does not grow while GitHub says "not now".
pub(super) fn write_down(entry: &mut RunEntry, order: RerunOrder, now: Timestamp) {
    let put_off = entry
        .reruns
        .last()
        .is_some_and(|last| last.answer == RerunAnswer::NotNow);
    if put_off {
        entry.reruns.pop();
    }
    entry.reruns.push(Rerun {
        order,
        decided_at: now,
        answer: RerunAnswer::Unclear,
        not_before: None,
    });
}

/// Remembers until when GitHub wants not to be asked again. An event makes the record due sooner.
pub(super) fn hold_back(entry: &mut RunEntry, until: Timestamp) {
    if let Some(last) = entry.reruns.last_mut() {
        last.not_before = Some(until);
    }
}

/// Until when GitHub wants not to be asked again, if it put off the last re-run.
pub(super) fn held_back_until(entry: &RunEntry) -> Option<Timestamp> {
    entry
        .reruns
        .last()
        .filter(|last| last.answer == RerunAnswer::NotNow)
        .and_then(|last| last.not_before)
}

/// Stores the answer to the last re-run, and moves the jobs on that it was for.
pub(super) fn take_answer(entry: &mut RunEntry, answer: &RerunAnswer, now: Timestamp) {
    let Some(index) = entry.reruns.len().checked_sub(1) else {
        return;
    };
    let Some(last) = entry.reruns.last_mut() else {
        return;
    };
    last.answer = answer.clone();
    let wanted: Vec<JobId> = last.order.wanted.clone();
    let open: Vec<JobId> = wanted
        .into_iter()
        .filter(|id| entry.jobs.get(id).is_some_and(is_open))
        .collect();
    match answer {
        RerunAnswer::Accepted => {
            for id in open {
                move_to(entry, id, TrackedState::Asked { rerun: index });
            }
        }
        // Only that call is refused: one of the jobs by itself may still be re-run.
        RerunAnswer::Refused(_) if refused_together(entry).is_some() => {}
        RerunAnswer::Refused(refusal) => {
            let meant = refused_alone(entry, index, refusal);
            let open = open.into_iter();
            let open: Vec<JobId> = open
                .filter(|id| meant.is_none_or(|meant| meant == *id))
                .collect();
            settle(entry, &open, &SettleReason::Refused(refusal.clone()), now);
        }
        RerunAnswer::NotNow | RerunAnswer::Unclear => {}
    }
}

/// The one job about which a no says something, where it was asked for first of several.
fn refused_alone(entry: &RunEntry, index: usize, refusal: &Refusal) -> Option<JobId> {
    let order = &entry.reruns.get(index)?.order;
    let RerunTarget::Job(id) = order.target else {
        return None;
    };
    let is_about_it = match refusal.kind {
        RefusalKind::NotRetryable | RefusalKind::NotFound | RefusalKind::Unknown => true,
        RefusalKind::TooOld | RefusalKind::WorkflowDisabled | RefusalKind::MissingPermission => {
            false
        }
    };
    (is_about_it && order.wanted.contains(&id)).then_some(id)
}

/// Whether a job was asked for together with another one, which goes first: what the re-run leaves behind
/// is asked for by itself later.
pub(crate) fn waits_its_turn(entry: &RunEntry, id: JobId, job: &TrackedJob) -> bool {
    let TrackedState::Asked { rerun } = job.state else {
        return false;
    };
    let order = entry.reruns.get(rerun).map(|rerun| &rerun.order);
    order.is_some_and(|order| is_anothers_turn(order, id))
}

/// Whether an order of several jobs re-runs another one first.
pub(crate) fn is_anothers_turn(order: &RerunOrder, id: JobId) -> bool {
    match order.target {
        RerunTarget::Job(first) => order.wanted.len() > 1 && first != id,
        RerunTarget::FailedJobs => false,
    }
}

/// The attempt of which GitHub has refused the last re-run of all failed jobs, because it found none
/// to re-run: it does not always count cancelled jobs among them.
pub(super) fn refused_together(entry: &RunEntry) -> Option<RunAttempt> {
    let last = entry.reruns.last()?;
    let nothing_failed = match &last.answer {
        RerunAnswer::Refused(refusal) => refusal.kind == RefusalKind::NotRetryable,
        RerunAnswer::Unclear | RerunAnswer::Accepted | RerunAnswer::NotNow => false,
    };
    let together = last.order.target == RerunTarget::FailedJobs;
    (nothing_failed && together).then_some(last.order.from)
}

/// Makes the record due after the next step of its backoff, or after `at_least`, if that is more.
pub(super) fn back_off(
    entry: &mut RunEntry,
    at_least: SignedDuration,
    now: Timestamp,
    jitter: Jitter,
) {
    let due = entry.due.unwrap_or(Due::now(now));
    entry.due = Some(due::put_off(due, at_least, now, jitter));
}

/// A re-run was taken: its machine alone takes the time of the first two looks, so that its backoff begins
/// with the third. An event of it makes the record due anyway.
pub(super) fn begin_to_watch(entry: &mut RunEntry) {
    if let Some(due) = &mut entry.due {
        due.tries = 2;
    }
}

fn is_legal(from: &TrackedState, to: &TrackedState) -> bool {
    match (from, to) {
        (TrackedState::Awaiting, TrackedState::Asked { .. } | TrackedState::Settled { .. })
        | (TrackedState::Asked { .. }, TrackedState::Settled { .. }) => true,
        // A job that did not come along is asked for once more, by its new id.
        (TrackedState::Asked { rerun: before }, TrackedState::Asked { rerun: next }) => {
            before < next
        }
        (TrackedState::Awaiting | TrackedState::Asked { .. }, TrackedState::Awaiting)
        | (TrackedState::Settled { .. }, _) => false,
    }
}

/// The key as far as one job tells it: neither the workflow's file nor its place among equal
/// names is known before the whole attempt was read.
fn provisional_key(run: &RunKey, job: &Job) -> JobKey {
    JobKey {
        repository: run.repository.clone(),
        run_id: job.run_id,
        workflow: None,
        name: job.name.clone(),
        ordinal: 0,
    }
}

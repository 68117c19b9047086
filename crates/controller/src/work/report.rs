//! What is said about a run: one line a decision.

use reprise_engine::run::{WaitReason, rule};
use reprise_model::ids::JobId;
use reprise_model::ledger::{
    RerunAnswer, RerunOrder, RerunTarget, RunEntry, RunKey, TrackedJob, TrackedState,
};
use reprise_model::notes::Parked;
use reprise_model::reason::SettleReason;
use reprise_store::DueKey;
use tracing::{debug, info, warn};

use crate::ports::RerunReply;

pub(super) fn waiting(entry: &RunEntry, why: WaitReason) {
    info!(
        target: "reprise::decision",
        decision = "waiting",
        repository = %entry.key.repository,
        run.id = %entry.key.run_id,
        reason = why.as_str(),
        due_at = entry.due.map(|due| tracing::field::display(due.at)),
        "a run whose jobs are to come back is waited for"
    );
}

/// Once for as long as it waits.
pub(super) fn parked(key: &RunKey, parked: &Parked) {
    info!(
        target: "reprise::decision",
        decision = "parked",
        reason = WaitReason::OverBudget.as_str(),
        repository = %key.repository,
        run.id = %key.run_id,
        run.attempt = %parked.from,
        jobs = parked.jobs,
        limit = parked.limit,
        until = %parked.until,
        "a re-run waits, as its repository has had its re-runs of this hour"
    );
}

pub(super) fn done(entry: &RunEntry) {
    debug!(
        target: "reprise::decision",
        decision = "done",
        reason = "nothing-open",
        repository = %entry.key.repository,
        run.id = %entry.key.run_id,
        "nothing is left to be done about a run"
    );
}

/// Not an error: one of several had to lose, or an event came in between.
pub(super) fn lost(key: &DueKey) {
    debug!(
        target: "reprise::decision",
        decision = "left-alone",
        reason = "changed-by-another",
        ?key,
        "a due record was claimed or changed by somebody else first"
    );
}

pub(super) fn rerun(key: &RunKey, order: &RerunOrder, reply: &RerunReply) {
    let jobs: Vec<String> = order.wanted.iter().map(JobId::to_string).collect();
    info!(
        target: "reprise::decision",
        decision = "rerun",
        reason = rule(order),
        repository = %key.repository,
        run.id = %key.run_id,
        run.attempt = %order.from,
        rerun.target = target_word(order.target),
        rerun.answer = answer_word(&reply.answer),
        job.ids = jobs.join(","),
        along = order.along.join(","),
        detail = reply.detail,
        "GitHub was asked for a re-run"
    );
    if let RerunAnswer::Refused(refusal) = &reply.answer {
        warn!(
            repository = %key.repository,
            run.id = %key.run_id,
            reason = refusal.as_str(),
            detail = refusal.message,
            "GitHub refused a re-run for good"
        );
    }
}

pub(super) fn settled(key: &RunKey, (id, job): (JobId, &TrackedJob), reason: &SettleReason) {
    info!(
        target: "reprise::decision",
        decision = "settled",
        repository = %key.repository,
        run.id = %key.run_id,
        run.attempt = %job.attempt,
        job.id = %id,
        job.name = job.key.name,
        reason = reason.as_str(),
        detail = %reason,
        "a job that was to come back is settled"
    );
}

/// The jobs that are settled in `after` and were not in `before`.
pub(super) fn settled_since<'a>(
    before: &'a RunEntry,
    after: &'a RunEntry,
) -> impl Iterator<Item = ((JobId, &'a TrackedJob), &'a SettleReason)> {
    after.jobs.iter().filter_map(|(id, job)| {
        let reason = settled_reason(&job.state)?;
        let known = before
            .jobs
            .get(id)
            .and_then(|job| settled_reason(&job.state));
        known.is_none().then_some(((*id, job), reason))
    })
}

fn settled_reason(state: &TrackedState) -> Option<&SettleReason> {
    match state {
        TrackedState::Settled { reason, .. } => Some(reason),
        TrackedState::Awaiting | TrackedState::Asked { .. } => None,
    }
}

pub(super) fn target_word(target: RerunTarget) -> &'static str {
    match target {
        RerunTarget::Job(_) => "job",
        RerunTarget::FailedJobs => "failed-jobs",
    }
}

pub(super) fn answer_word(answer: &RerunAnswer) -> &'static str {
    match answer {
        RerunAnswer::Accepted => "accepted",
        RerunAnswer::NotNow => "not-now",
        RerunAnswer::Unclear => "unclear",
        RerunAnswer::Refused(_) => "refused",
    }
}

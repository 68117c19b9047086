//! What an endpoint of the operator's has to say, where the job's policy asks one.
//!
//! It is asked once everything else would allow the re-run, and it cannot allow more than that: neither more
//! re-runs than any policy has, nor one that a run's guards forbid. Where it gives no answer, the default
//! policy holds: what was interrupted comes back once, and no failure does.

use jiff::SignedDuration;
use reprise_model::advice::{
    AskedJob, AskedRun, EndpointName, Judged, Question, Said, Seen, VERSION, clean,
};
use reprise_model::evidence::Evidence;
use reprise_model::failure::Judgement;
use reprise_model::instance::{Capacity, Instance, InstanceSight};
use reprise_model::ledger::Why;
use reprise_model::policy::RetryPolicy;
use reprise_model::reason::SettleReason;

use super::{Earlier, Grounds, Host, JobFacts, JobVerdict, settled};
use crate::mutant;

/// Whether an interrupted job's endpoint lets it come back.
pub(super) enum Word {
    /// It does, or there is nobody to ask.
    Go,
    /// It does not.
    Stop,
    /// It was not asked yet.
    Ask(EndpointName),
}

/// The policy that holds, now that its endpoint was asked or is yet to be.
pub(super) fn holding(facts: &JobFacts<'_>) -> RetryPolicy {
    match facts.advice.map(|advice| &advice.said) {
        Some(Said::Nothing { .. }) if facts.policy.endpoint().is_some() => RetryPolicy::USUAL,
        Some(Said::Nothing { .. } | Said::Yes { .. } | Said::No { .. }) | None => facts.policy,
    }
}

/// What the endpoint of a policy has to say, if it asks one.
pub(super) fn word(facts: &JobFacts<'_>, policy: RetryPolicy) -> Word {
    let Some(endpoint) = policy.endpoint() else {
        return Word::Go;
    };
    let advice = facts.advice.filter(|advice| advice.answers(true));
    match advice.map(|advice| &advice.said) {
        None => Word::Ask(endpoint),
        Some(Said::No { .. }) => mutant!(IgnoreTheEndpoint => Word::Go, Word::Stop),
        Some(Said::Yes { .. } | Said::Nothing { .. }) => Word::Go,
    }
}

/// The verdict on a failure that no interruption explains. Counted are the attempts of the run.
pub(super) fn failed(
    facts: &JobFacts<'_>,
    endpoint: EndpointName,
    end: Option<Instance>,
    ran_on: Option<Instance>,
) -> JobVerdict {
    let policy = RetryPolicy::Ask(endpoint);
    let attempts = facts.job.run_attempt.get();
    if let Earlier::Unreadable(refusal) = facts.earlier {
        return settled(SettleReason::Refused(refusal.clone()), end, ran_on);
    }
    let told = facts.failure.and_then(|judged| judged.decided_by.clone());
    let grounds = Grounds {
        why: Why::Advised,
        policy,
        instance: ran_on.clone(),
        evidence: Vec::new(),
        told,
        advice: facts.advice.cloned(),
        pause: SignedDuration::ZERO,
    };
    let give_up = |reason, end| JobVerdict::Settle {
        reason,
        end,
        ran_on: ran_on.clone(),
        evidence: Vec::new(),
        given_up: Some(Box::new(grounds.clone())),
    };
    if attempts > policy.last_retried_execution() {
        return give_up(SettleReason::AttemptLimit, end);
    }
    let Some(judgement) = facts.failure else {
        return JobVerdict::ReadFailure;
    };
    match facts.advice.map(|advice| &advice.said) {
        None => JobVerdict::Ask(Box::new(question(
            facts,
            endpoint,
            (&[], attempts),
            Some(judgement),
        ))),
        Some(Said::No { .. }) if mutant!(IgnoreTheEndpoint => false, true) => {
            give_up(SettleReason::EndpointSaidNo, end)
        }
        Some(Said::Nothing { .. }) => give_up(SettleReason::EndpointUnanswered, end),
        Some(Said::Yes { .. } | Said::No { .. }) => JobVerdict::Retry {
            why: Why::Advised,
            policy,
            pause: grounds.pause,
            end,
            ran_on,
            told: grounds.told,
            advice: grounds.advice,
        },
    }
}

/// What its endpoint is asked about a job.
pub(super) fn question(
    facts: &JobFacts<'_>,
    endpoint: EndpointName,
    (evidence, attempts): (&[Evidence], u32),
    judgement: Option<&Judgement>,
) -> Question {
    let (job, web, repository) = (facts.job, facts.web, facts.repository);
    let run_url = format!("{web}/{repository}/actions/runs/{}", job.run_id);
    let most = RetryPolicy::Ask(endpoint).last_retried_execution();
    Question {
        version: VERSION,
        endpoint,
        repository: repository.clone(),
        workflow: job.workflow_name.clone(),
        job: AskedJob {
            id: job.id,
            name: job.name.clone(),
            url: format!("{run_url}/job/{}", job.id),
            labels: job.labels.clone(),
            conclusion: job.conclusion.clone(),
            failed_step: judgement.and_then(|judged| judged.failed_step.clone()),
            started_at: job.started_at,
            completed_at: job.completed_at,
        },
        run: AskedRun {
            id: job.run_id,
            attempt: job.run_attempt,
            url: run_url,
            head_sha: job.head_sha.clone(),
            head_branch: job.head_branch.clone(),
        },
        interrupted: !evidence.is_empty(),
        evidence: evidence.iter().map(seen).collect(),
        failure: judgement.map(judged),
        capacity: capacity(facts, evidence),
        attempts,
        most_attempts: most.saturating_add(1),
    }
}

fn seen(evidence: &Evidence) -> Seen {
    Seen {
        source: evidence.source,
        first_seen_at: evidence.first_seen_at,
    }
}

fn judged(judgement: &Judgement) -> Judged {
    let by = judgement.decided_by.as_ref();
    Judged {
        class: judgement.class,
        rule: by.map(|by| by.rule.to_string()),
        source: by.map(|by| by.source),
        line: by.map(|by| clean(&by.line)),
    }
}

/// EC2 may have forgotten the instance; it takes spot instances alone.
fn capacity(facts: &JobFacts<'_>, evidence: &[Evidence]) -> Option<Capacity> {
    let seen = match facts.host {
        Host::Looked {
            sight: InstanceSight::Seen(view),
            ..
        } => Some(view.capacity),
        Host::Looked { .. } | Host::None | Host::NotNamed | Host::ElsewhereRegion => None,
    };
    seen.or_else(|| (!evidence.is_empty()).then_some(Capacity::Spot))
}

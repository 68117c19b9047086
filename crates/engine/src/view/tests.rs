use std::collections::BTreeMap;

use reprise_model::budget::{Budget, Grant};
use reprise_model::evidence::EvidenceSource;
use reprise_model::ids::RunId;
use reprise_model::instance::Capacity;
use reprise_model::ledger::{
    ClaimState, Due, InstanceEntry, LaunchClaim, RerunAnswer, RunEntry, TrackedState,
};
use reprise_model::notes::{Happened, Notes};
use reprise_model::reason::{Refusal, RefusalKind, SettleReason};
use reprise_model::view::{Explanation, LineKind, RetryFilter, RetryState};

use super::*;
use crate::backoff::Jitter;
use crate::rules::Rules;
use crate::run::{
    Rival, RunDecision, RunFacts, RunStep, Spent, answered, await_job, decide, dismissed, noted,
    requeued,
};
use crate::samples::{
    at, claim, evidence, instance, interrupted_by, job, repository, run, run_key,
};

const MIDDLE: Jitter = Jitter(0.5);

/// A job that was interrupted and awaits its run.
fn awaiting() -> RunEntry {
    let evidence = vec![
        evidence(EvidenceSource::Tag, 190),
        evidence(EvidenceSource::InterruptionWarning, 188),
    ];
    await_job(
        None,
        run_key(),
        &job(1, "build"),
        interrupted_by(evidence),
        at(215),
    )
}

/// The same after its re-run was ordered.
fn ordered() -> RunEntry {
    let RunStep::Spend(budget) = decided(None).step else {
        panic!("it is paid for");
    };
    let decision = decided(Some(&budget));
    assert!(matches!(decision.step, RunStep::Ask(_)));
    decision.entry
}

/// The same while its repository has had its re-runs of the hour.
fn parked() -> RunEntry {
    let mut budget = Budget::unspent(repository());
    budget.granted.push(Grant {
        run: RunId(1),
        from: RunAttempt::FIRST,
        at: at(0),
        jobs: 300,
    });
    decided(Some(&budget)).entry
}

fn decided(spent: Option<&Budget>) -> RunDecision {
    let facts = RunFacts {
        entry: &awaiting(),
        run: &run(),
        jobs: Some(&[job(1, "build")]),
        verdicts: &BTreeMap::new(),
        causes: &BTreeMap::new(),
        rival: Rival::No,
        policies: &BTreeMap::new(),
        spent: Spent::Known(spent),
    };
    decide(&facts, at(300), MIDDLE, &Rules::default())
}

fn asked() -> RunEntry {
    answered(ordered(), RerunAnswer::Accepted, None, at(301), MIDDLE)
}

fn settled(reason: SettleReason) -> RunEntry {
    let mut entry = asked();
    entry.due = None;
    let at = at(900);
    for job in entry.jobs.values_mut() {
        job.state = TrackedState::Settled {
            reason: reason.clone(),
            at,
        };
    }
    entry
}

fn only(entry: &RunEntry, now: i64) -> RetryView {
    let (id, job) = entry.jobs.iter().next().expect("a job");
    retry(entry, *id, job, at(now))
}

fn told(explanation: &Explanation) -> String {
    let lines = explanation.story.iter().map(|line| {
        let at = line
            .at
            .map_or("-".to_owned(), |at| at.as_second().to_string());
        let rule = line.rule.as_deref().unwrap_or("-");
        let kind = line.kind.as_str();
        format!("{at} {kind} {} {rule}: {}\n", line.source, line.text)
    });
    lines.collect()
}

#[test]
fn a_parked_job_tells_why_and_when_there_may_be_room() {
    let view = only(&parked(), 301);
    assert_eq!(view.reason.as_deref(), Some("over-budget"));
    let until = at(65 * 60);
    let detail = format!(
        "the 300 re-runs that its repository has in an hour are used up; there may be room at {until}"
    );
    assert_eq!(view.detail.as_deref(), Some(detail.as_str()));
    assert!(view.next_due >= Some(until));
    let entry = parked();
    let known = Known {
        run: Some(&entry),
        claims: &[],
        instances: &[],
    };
    let story = told(&explanation(&known, None, at(301)).expect("known"));
    assert!(
        story.contains(&format!(
            "{} verdict ledger over-budget: its re-run is parked",
            at(300).as_second()
        )),
        "{story}"
    );
    assert!(
        story.contains("the repository's budget is looked at again"),
        "{story}"
    );
}

#[test]
fn a_job_is_due_from_its_records_time_on_and_else_where_it_stands() {
    let states = [
        (awaiting(), 214, RetryState::Awaiting),
        (awaiting(), 215, RetryState::Due),
        (parked(), 9_999, RetryState::Due),
        (parked(), 301, RetryState::Parked),
        (asked(), 302, RetryState::Asked),
        (asked(), 9_999, RetryState::Due),
        (
            settled(SettleReason::Recovered),
            9_999,
            RetryState::Recovered,
        ),
        (
            settled(SettleReason::FailedAgain),
            9_999,
            RetryState::Exhausted,
        ),
        (
            settled(SettleReason::Cancelled),
            9_999,
            RetryState::LeftAlone,
        ),
    ];
    for (entry, now, state) in states {
        assert_eq!(only(&entry, now).state, state, "{entry:?}");
    }
    let chance = requeued(&settled(SettleReason::FailedAgain), JobId(1), at(950));
    assert_eq!(only(&chance.expect("one"), 950).state, RetryState::Due);
}

#[test]
fn an_exhausted_job_is_shown_with_attempt_limit_reason_and_age() {
    let view = only(&settled(SettleReason::FailedAgain), 960);
    assert_eq!((view.attempt.get(), view.limit), (2, Some(2)));
    assert_eq!(view.reason.as_deref(), Some("failed-again"));
    assert_eq!(view.detail.as_deref(), Some("its re-run did not pass"));
    assert_eq!(view.seconds_since_failure, Some(60));
    assert_eq!(view.next_due, None);
}

#[test]
fn an_open_job_shows_what_comes_next_and_githubs_last_words() {
    let view = only(&awaiting(), 216);
    assert_eq!((view.attempt.get(), view.next_due), (1, Some(at(215))));
    assert_eq!(view.reason, None);
    let put_off = answered(ordered(), RerunAnswer::NotNow, None, at(301), MIDDLE);
    let put_off = noted(
        put_off,
        &RerunAnswer::NotNow,
        "This workflow is already running",
        at(301),
    );
    let view = only(&put_off, 302);
    assert_eq!(view.reason.as_deref(), Some("put-off"));
    assert_eq!(
        view.detail.as_deref(),
        Some("This workflow is already running")
    );
}

#[test]
fn a_list_shows_what_was_asked_for_and_nothing_dismissed() {
    let entry = settled(SettleReason::FailedAgain);
    let found = |entry: &RunEntry, filter: &RetryFilter| listed(entry, filter, at(1_000)).len();
    let usual = RetryFilter::default();
    assert_eq!(found(&entry, &usual), 1);
    assert_eq!(found(&settled(SettleReason::Recovered), &usual), 0);
    let recovered = RetryFilter {
        states: vec![RetryState::Recovered],
        ..usual.clone()
    };
    assert_eq!(found(&settled(SettleReason::Recovered), &recovered), 1);
    for (since, count) in [(899, 1), (900, 1), (901, 0)] {
        let since = RetryFilter {
            since: Some(at(since)),
            ..usual.clone()
        };
        assert_eq!(found(&entry, &since), count);
    }
    for (repository, count) in [("ACME/Shop", 1), ("acme/site", 0)] {
        let of = RetryFilter {
            repository: Some(repository.parse().expect("valid")),
            ..usual.clone()
        };
        assert_eq!(found(&entry, &of), count);
    }
    let gone = dismissed(&entry, JobId(1), at(950))
        .expect("possible")
        .expect("new");
    assert_eq!(found(&gone, &usual), 0);
    assert!(only(&gone, 960).dismissed);
}

#[test]
fn a_story_tells_evidence_verdict_effects_and_answers_in_the_order_of_time() {
    let launched = LaunchClaim {
        state: ClaimState::Launched {
            instance: instance().id,
            capacity: Capacity::Spot,
        },
        due: None,
        queued_at: Some(at(90)),
        ..claim()
    };
    let seen_later = InstanceEntry {
        instance: instance(),
        evidence: vec![evidence(EvidenceSource::StateReason, 310)],
        unexplained: None,
        judged: None,
        console: None,
        due: None,
    };
    let entry = settled(SettleReason::FailedAgain);
    let entry = requeued(&entry, JobId(1), at(950)).expect("possible");
    let known = Known {
        run: Some(&entry),
        claims: &[launched],
        instances: &[seen_later],
    };
    let explanation = explanation(&known, None, at(960)).expect("known");
    insta::assert_snapshot!(format!("{}\n{}", explanation.summary, told(&explanation)));
}

#[test]
fn what_passed_by_is_told_where_it_happened() {
    let mut entry = settled(SettleReason::Refused(Refusal {
        kind: RefusalKind::MissingPermission,
        message: "Resource not accessible by integration".to_owned(),
    }));
    let job = JobId(1);
    for (second, what) in [
        (
            301,
            Happened::Unclear {
                words: "500".to_owned(),
            },
        ),
        (346, Happened::FoundNotTaken),
        (
            347,
            Happened::PutOff {
                words: "This workflow is already running".to_owned(),
            },
        ),
        (400, Happened::FoundTaken),
        (
            950,
            Happened::Requeued {
                job,
                was: "refused-missing-permission".to_owned(),
            },
        ),
        (
            951,
            Happened::ChanceDenied {
                job,
                why: "policy-false".to_owned(),
            },
        ),
        (
            952,
            Happened::ChanceGiven {
                job,
                renewed: JobId(11),
            },
        ),
        (953, Happened::Dismissed { job }),
    ] {
        entry.notes.add(at(second), what);
    }
    entry.due = Some(Due {
        at: at(970),
        tries: 2,
    });
    let known = Known {
        run: Some(&entry),
        claims: &[],
        instances: &[],
    };
    let explanation = explanation(&known, Some(job), at(960)).expect("known");
    insta::assert_snapshot!(told(&explanation));
}

#[test]
fn a_job_that_was_only_launched_for_is_told_and_of_nothing_nothing_is() {
    let claims = [claim()];
    let known = Known {
        run: None,
        claims: &claims,
        instances: &[],
    };
    let told = explanation(&known, Some(claims[0].key.job_id), at(960)).expect("known");
    assert_eq!(
        told.summary,
        "the job was launched for, and nothing of its run was to come back"
    );
    assert_eq!(told.retries, []);
    let nothing = Known {
        claims: &[],
        ..known
    };
    assert_eq!(explanation(&nothing, None, at(960)), None);
}

#[test]
fn a_job_with_a_fresh_chance_is_told_as_one_that_failed_and_counts_once() {
    let mut entry = settled(SettleReason::FailedAgain);
    let mut renewed = entry.jobs[&JobId(1)].clone();
    renewed.attempt = renewed.attempt.next();
    renewed.state = TrackedState::Settled {
        reason: SettleReason::Recovered,
        at: at(2_000),
    };
    entry.jobs.insert(JobId(11), renewed);
    entry.notes.renewed.insert(JobId(11), JobId(1));
    entry.notes.dismissed.insert(JobId(1));
    let known = Known {
        run: Some(&entry),
        claims: &[],
        instances: &[],
    };
    let all = explanation(&known, None, at(2_100)).expect("known");
    assert_eq!(all.summary, "1 job is in the ledger: 1 recovered");
    assert_eq!(all.retries[1].limit, Some(3));
    let of_it = all.story.iter().filter(|line| line.job == Some(JobId(11)));
    let kinds: Vec<LineKind> = of_it.map(|line| line.kind).collect();
    assert_eq!(
        kinds,
        [LineKind::Job, LineKind::Job, LineKind::Verdict],
        "no evidence"
    );
    let first = explanation(&known, Some(JobId(1)), at(2_100)).expect("known");
    assert_eq!(first.summary, "1 job is in the ledger: 1 exhausted");
}

#[test]
fn one_jobs_story_leaves_other_jobs_out() {
    let entry = await_job(
        Some(asked()),
        run_key(),
        &job(2, "test"),
        interrupted_by(vec![evidence(EvidenceSource::Tag, 190)]),
        at(310),
    );
    let known = Known {
        run: Some(&entry),
        claims: &[],
        instances: &[],
    };
    let one = explanation(&known, Some(JobId(2)), at(320)).expect("known");
    assert_eq!(one.retries.len(), 1);
    assert!(one.story.iter().all(|line| line.job != Some(JobId(1))));
    let all = explanation(&known, Some(JobId(77)), at(320)).expect("known");
    assert_eq!(
        all.retries.len(),
        2,
        "one that is not known by this id: the run is told"
    );
    assert_eq!(entry.notes, Notes::default());
}

//! What is to come back, and how often: `[[policy]]`, and what `[retry]` says of policies.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reprise_model::policy::{FailurePolicy, NoRetryPolicy, RetryPolicy};
use wildmatch::WildMatch;

use super::github;
use crate::checker::Checker;
use crate::error::shown;
use crate::file;
use crate::policies::{Policies, PolicyRule};

/// The longest that a policy waits: a run is re-run within 30 days, and people wait for it.
const LONGEST_DELAY: SignedDuration = SignedDuration::from_hours(24);

/// What is transient has passed after seconds, or lasts for minutes. The last holds for all that follow.
const WHEN_TRANSIENT_DELAYS: [SignedDuration; 3] = [
    SignedDuration::from_secs(10),
    SignedDuration::from_secs(30),
    SignedDuration::from_secs(90),
];

/// More attempts than any policy has.
const MOST_DELAYS: usize = 10;

pub(super) fn policies(
    checker: &mut Checker<'_>,
    retry: &mut file::Retry,
    section: Vec<file::Policy>,
) -> Policies {
    let failed = retry.when_failed_delays.take().unwrap_or_default();
    delays(checker, "retry.when_failed_delays", "", &failed);
    let transient = retry.when_transient_delays.take();
    let transient = transient.unwrap_or_else(|| WHEN_TRANSIENT_DELAYS.to_vec());
    delays(checker, "retry.when_transient_delays", "", &transient);
    let numbered = (1..).zip(section);
    Policies {
        rules: numbered
            .filter_map(|(number, policy)| rule(checker, number, policy))
            .collect(),
        allowed: std::mem::take(&mut retry.allow).into_iter().collect(),
        delays: BTreeMap::from([
            (FailurePolicy::WhenFailed, failed),
            (FailurePolicy::WhenTransient, transient),
        ]),
        ..Policies::default()
    }
}

fn delays(checker: &mut Checker<'_>, key: &str, of: &str, delays: &[SignedDuration]) {
    if delays.len() > MOST_DELAYS {
        let problem =
            format!("{of}has more than {MOST_DELAYS} delays, and no job so many attempts");
        checker.wrong(key, problem);
    }
    let within = SignedDuration::ZERO..=LONGEST_DELAY;
    if delays.iter().any(|delay| !within.contains(delay)) {
        let problem = format!("{of}has a delay that is not between nothing and {LONGEST_DELAY:#}");
        checker.wrong(key, problem);
    }
}

fn rule(checker: &mut Checker<'_>, number: usize, policy: file::Policy) -> Option<PolicyRule> {
    for (key, pattern) in [
        ("policy.workflow", &policy.workflow),
        ("policy.job", &policy.job),
    ] {
        if pattern.is_empty() {
            let problem = format!("of [[policy]] number {number} is empty");
            checker.wrong(key, format!("{problem}; leave it out to match everything"));
        }
    }
    if !github::may_match(&policy.repository) {
        let problem = format!(
            "of [[policy]] number {number} is {}, which no repository is called; write owner/name",
            shown(&policy.repository)
        );
        checker.wrong("policy.repository", problem);
    }
    let retry = retry(checker, number, &policy.retry.0)?;
    if let Some(given) = &policy.delays {
        let of = format!("of [[policy]] number {number} ");
        delays(checker, "policy.delays", &of, given);
        if retry.failure().is_none() {
            let problem = format!("{of}is for {retry}, which waits for nothing; leave it out");
            checker.wrong("policy.delays", problem);
        }
    }
    Some(PolicyRule {
        repository: WildMatch::new(&policy.repository.to_ascii_lowercase()),
        workflow: WildMatch::new(&policy.workflow),
        job: WildMatch::new(&policy.job),
        retry,
        delays: policy.delays,
    })
}

fn retry(checker: &mut Checker<'_>, number: usize, word: &str) -> Option<RetryPolicy> {
    let problem = match word.parse::<RetryPolicy>() {
        Ok(policy) => return Some(policy),
        Err(NoRetryPolicy::Unknown(text)) => format!("is {}", shown(&text)),
        Err(error @ (NoRetryPolicy::Number { .. } | NoRetryPolicy::Endpoint(_))) => {
            format!("cannot be read: {error}")
        }
    };
    let known = "known are \"when-interrupted\", \"when-interrupted:2\", \"when-failed:3\", \
                 \"when-transient:4\", \"ask:NAME\" and false";
    let problem = format!("of [[policy]] number {number} {problem}; {known}");
    checker.wrong("policy.retry", problem);
    None
}

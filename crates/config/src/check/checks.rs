//! `[checks]`: what people are told on commits, and which merge queues wait for it.

use jiff::SignedDuration;
use reprise_engine::rules::Rules;
use wildmatch::WildMatch;

use super::github::may_match;
use crate::checker::Checker;
use crate::error::shown;
use crate::file;
use crate::settings::CheckSettings;

/// A host that dies without a word is noticed by GitHub after ten minutes, and its job then has to run again.
const LEAST_LIMIT: SignedDuration = SignedDuration::from_mins(5);

/// GitHub's own queues wait for six hours at most.
const MOST_LIMIT: SignedDuration = SignedDuration::from_hours(6);

pub(super) fn checks(checker: &mut Checker<'_>, section: &file::Checks) -> CheckSettings {
    for pattern in section.merge_queue.iter().filter(|one| !may_match(one)) {
        let problem = format!(
            "holds {}, which no repository is called; write owner/name, as \"acme/*\"",
            shown(pattern)
        );
        checker.wrong("checks.merge_queue", problem);
    }
    let workflows = section.merge_queue_workflows.as_ref();
    if section.merge_queue.is_empty() && workflows.is_some() {
        checker.wrong(
            "checks.merge_queue_workflows",
            "does nothing without checks.merge_queue; write the repositories there",
        );
    }
    if workflows.is_some_and(|workflows| workflows.iter().any(String::is_empty)) {
        checker.wrong(
            "checks.merge_queue_workflows",
            "holds an empty name; leave it out for all workflows",
        );
    }
    let any = [String::from("*")];
    let workflows = workflows.map_or(any.as_slice(), Vec::as_slice);
    CheckSettings {
        reports: section.reports.unwrap_or(true),
        merge_queues: patterns(
            section
                .merge_queue
                .iter()
                .map(|one| one.to_ascii_lowercase()),
        ),
        workflows: patterns(workflows.iter().cloned()),
    }
}

pub(super) fn merge_queue_limit(
    checker: &mut Checker<'_>,
    section: &file::Checks,
) -> SignedDuration {
    let limit = section.merge_queue_limit;
    let limit = limit.unwrap_or(Rules::default().merge_gate_limit);
    if !(LEAST_LIMIT..=MOST_LIMIT).contains(&limit) {
        let problem = format!("must be from {LEAST_LIMIT:#} to {MOST_LIMIT:#}");
        checker.wrong("checks.merge_queue_limit", problem);
    }
    limit
}

fn patterns(texts: impl Iterator<Item = String>) -> Vec<WildMatch> {
    texts.map(|text| WildMatch::new(&text)).collect()
}

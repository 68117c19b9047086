//! How what webhooks did not tell is found: redeliveries, and queued jobs that no event announced.

use jiff::SignedDuration;
use reprise_engine::redeliver::RedeliverRules;

use crate::checker::Checker;
use crate::file;

/// Few calls, and no longer than a run with interrupted jobs is ever left alone.
const REDELIVER_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// What github.com keeps, and takes for a redelivery. What failed on a Friday evening is so
/// delivered on Monday; whether anything is still to be done, the job's and the run's state say.
const REDELIVER_WITHIN: SignedDuration = SignedDuration::from_hours(72);

/// What Enterprise Server may keep at most.
const MOST_WITHIN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// At once, and after 5, 15, 45 and 60 minutes.
const REDELIVER_TRIES: u32 = 5;

/// What a redelivery brings within minutes need not be searched for: this is for events that GitHub
/// never sent, or that were lost behind the webhook's address.
const FIND_QUEUED_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Later than this a lost event would be as good as forgotten.
const MOST_EVERY: SignedDuration = SignedDuration::from_hours(6);

/// `None` when it is switched off.
pub(super) fn redeliver(
    checker: &mut Checker<'_>,
    section: &file::GitHub,
) -> Option<RedeliverRules> {
    let every = every(
        checker,
        "github.redeliver_every",
        section.redeliver_every,
        REDELIVER_EVERY,
    );
    let within = section.redeliver_within.unwrap_or(REDELIVER_WITHIN);
    if !within.is_positive() || within > MOST_WITHIN {
        let problem = format!("must be longer than nothing and not longer than {MOST_WITHIN:#}");
        checker.wrong("github.redeliver_within", problem);
    }
    let tries = section.redeliver_tries.unwrap_or(REDELIVER_TRIES);
    if tries == 0 {
        checker.wrong(
            "github.redeliver_tries",
            "is 0, so that nothing would be asked for; redeliver_every = \"0s\" switches it off",
        );
    }
    Some(RedeliverRules {
        every: every?,
        within,
        tries,
    })
}

pub(super) fn find_queued_every(
    checker: &mut Checker<'_>,
    given: Option<SignedDuration>,
) -> Option<SignedDuration> {
    every(checker, "fleet.find_queued_every", given, FIND_QUEUED_EVERY)
}

/// `None` for nothing, which switches it off.
fn every(
    checker: &mut Checker<'_>,
    key: &str,
    given: Option<SignedDuration>,
    usual: SignedDuration,
) -> Option<SignedDuration> {
    let every = given.unwrap_or(usual);
    if every.is_negative() || every > MOST_EVERY {
        let problem = format!("must be within {MOST_EVERY:#}; \"0s\" switches it off");
        checker.wrong(key, problem);
    }
    every.is_positive().then_some(every)
}

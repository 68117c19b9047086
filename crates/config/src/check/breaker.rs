//! `[breaker]`: when a spot pool is left alone, and for how long.

use jiff::SignedDuration;
use reprise_engine::breaker::BreakerRules;

use crate::checker::Checker;
use crate::file;

/// Spot comes and goes within hours; what is left alone for longer is forgotten.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);

/// `None` when it is switched off.
pub(super) fn rules(checker: &mut Checker<'_>, section: &file::Breaker) -> Option<BreakerRules> {
    let defaults = BreakerRules::default();
    let within = time(checker, "within", section.within, defaults.within);
    let open_for = time(checker, "open_for", section.open_for, defaults.open_for);
    let at_most = section.open_for_at_most;
    let longest = defaults.open_for_at_most.max(open_for);
    let open_for_at_most = time(checker, "open_for_at_most", at_most, longest);
    if open_for_at_most < open_for {
        let problem = format!("is shorter than breaker.open_for, which is {open_for:#}");
        checker.wrong("breaker.open_for_at_most", problem);
    }
    let failures = section.failures.unwrap_or(defaults.failures);
    (failures > 0).then_some(BreakerRules {
        failures,
        within,
        open_for,
        open_for_at_most,
        most_open: share(checker, section.most_open, defaults.most_open),
    })
}

fn time(
    checker: &mut Checker<'_>,
    key: &str,
    given: Option<SignedDuration>,
    usual: SignedDuration,
) -> SignedDuration {
    let time = given.unwrap_or(usual);
    if !time.is_positive() || time > LONGEST {
        let problem = format!("must be longer than nothing and not longer than {LONGEST:#}");
        checker.wrong(&format!("breaker.{key}"), problem);
    }
    time
}

fn share(checker: &mut Checker<'_>, given: Option<u32>, usual: u32) -> u32 {
    let share = given.unwrap_or(usual);
    if !(1..=100).contains(&share) {
        let problem = format!("is {share}; write a percentage from 1 to 100");
        let off = "failures = 0 switches breakers off";
        checker.wrong("breaker.most_open", format!("{problem}; {off}"));
    }
    share
}

//! The numbers that decisions go by: `[retry]`, `[tags]`, and how often a launch is tried.

use std::ops::RangeInclusive;

use jiff::SignedDuration;
use reprise_engine::rules::Rules;
use reprise_model::tags::TagKeys;

use crate::checker::Checker;
use crate::file;

/// Sweeps are few calls, and what they find has waited long enough.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// The sweep finds what events missed; later than this a lost event would be as good as forgotten.
const MOST_SWEEP_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// A runner that is up takes a job within seconds, and a boot lasts minutes; less would end machines that are
/// about to be of use.
const LEAST_MAX_RUN_TIME: SignedDuration = SignedDuration::from_hours(1);

/// With less than a hundredth, a fleet would hardly be launched; nobody has a hundred times the rate.
const EC2_RATES: RangeInclusive<u32> = 1..=10_000;

/// The longest key that EC2 takes for a tag is 128 characters, and ours add up to 24 to the prefix.
const LONGEST_PREFIX: usize = 100;

pub(super) fn rules(
    checker: &mut Checker<'_>,
    retry: &file::Retry,
    fleet: &file::Fleet,
    tags: file::Tags,
) -> Rules {
    let defaults = Rules::default();
    times(checker, retry);
    look(checker, retry, &defaults);
    for (key, given) in [
        ("fleet.launch_tries", fleet.launch_tries),
        ("fleet.most_launches", fleet.most_launches),
    ] {
        if given == Some(0) {
            checker.wrong(key, "is 0, so that nothing would be launched");
        }
    }
    Rules {
        look_window: retry.look_window.unwrap_or(defaults.look_window),
        look_again_after: retry.look_again_after.unwrap_or(defaults.look_again_after),
        evidence: retry.evidence.unwrap_or_default(),
        mixed: retry.mixed.unwrap_or_default(),
        on_demand_retries: retry.on_demand_retries.unwrap_or_default(),
        tags: tag_keys(checker, tags),
        launch_tries: fleet.launch_tries.unwrap_or(defaults.launch_tries),
        most_launches: fleet.most_launches.unwrap_or(defaults.most_launches),
        max_run_time: max_run_time(checker, fleet, &defaults),
        most_jobs_an_hour: most_an_hour(checker, retry, &defaults),
        on_launch_exhausted: fleet.on_launch_exhausted.unwrap_or_default(),
        ..defaults
    }
}

/// None at all is a policy, and has a setting of its own.
fn most_an_hour(checker: &mut Checker<'_>, retry: &file::Retry, defaults: &Rules) -> u32 {
    let most = retry.most_an_hour.unwrap_or(defaults.most_jobs_an_hour);
    if most == 0 {
        let problem = "is 0, and whatever is to be re-run would wait for ever; write 1 or more, and \
                       retry=false where a job is not to be re-run";
        checker.wrong("retry.most_an_hour", problem);
    }
    most
}

/// A figure that is too low costs nobody's job, as none is ended that GitHub shows at work; but the machine of
/// one that waits for room or an approval.
fn max_run_time(
    checker: &mut Checker<'_>,
    fleet: &file::Fleet,
    defaults: &Rules,
) -> SignedDuration {
    let given = fleet.max_run_time.unwrap_or(defaults.max_run_time);
    if given < LEAST_MAX_RUN_TIME {
        let problem = format!("must not be shorter than {LEAST_MAX_RUN_TIME:#}");
        checker.wrong("fleet.max_run_time", problem);
    }
    given
}

/// A replica takes what EC2 gives an account by default, or a part, or more where AWS has raised it.
pub(super) fn ec2_rate(checker: &mut Checker<'_>, percent: Option<u32>) -> u32 {
    let percent = percent.unwrap_or(Rules::default().ec2_rate_percent);
    if !EC2_RATES.contains(&percent) {
        let (least, most) = (EC2_RATES.start(), EC2_RATES.end());
        checker.wrong(
            "aws.request_rate_percent",
            format!("is {percent}; write a number from {least} to {most}"),
        );
    }
    percent
}

pub(super) fn sweep_every(checker: &mut Checker<'_>, retry: &file::Retry) -> SignedDuration {
    let every = retry.sweep_every.unwrap_or(SWEEP_EVERY);
    if every > MOST_SWEEP_EVERY {
        let problem = format!("must not be longer than {MOST_SWEEP_EVERY:#}");
        checker.wrong("retry.sweep_every", problem);
    }
    every
}

fn times(checker: &mut Checker<'_>, retry: &file::Retry) {
    for (key, value) in [
        ("retry.look_window", retry.look_window),
        ("retry.look_again_after", retry.look_again_after),
        ("retry.sweep_every", retry.sweep_every),
    ] {
        if value.is_some_and(|value| !value.is_positive()) {
            checker.wrong(key, "must be longer than nothing, as \"60s\"");
        }
    }
}

fn look(checker: &mut Checker<'_>, retry: &file::Retry, defaults: &Rules) {
    let window = retry.look_window.unwrap_or(defaults.look_window);
    let again = retry.look_again_after.unwrap_or(defaults.look_again_after);
    if window > defaults.late_look_after {
        let problem = format!("must not be longer than {:#}", defaults.late_look_after);
        checker.wrong("retry.look_window", problem);
    }
    if !window.is_positive() || again <= window {
        return;
    }
    if retry.look_again_after.is_some() {
        let problem = format!(
            "is longer than retry.look_window, which is {window:#}, so that nothing would be \
             looked at again"
        );
        checker.wrong("retry.look_again_after", problem);
    } else {
        let problem = format!(
            "is shorter than retry.look_again_after, which is {again:#}, so that nothing would be \
             looked at again"
        );
        checker.wrong("retry.look_window", problem);
    }
}

fn tag_keys(checker: &mut Checker<'_>, tags: file::Tags) -> TagKeys {
    let Some(prefix) = tags.prefix else {
        return TagKeys::default();
    };
    let right = "write what sets our tags apart, as runs-on-, or leave it out";
    checker.filled("tags.prefix", &prefix, right);
    if prefix.to_ascii_lowercase().starts_with("aws:") {
        checker.wrong(
            "tags.prefix",
            "begins with aws:, which AWS keeps for itself",
        );
    }
    if prefix.chars().count() > LONGEST_PREFIX {
        let problem = format!("is longer than {LONGEST_PREFIX} characters");
        checker.wrong("tags.prefix", format!("{problem}; EC2 takes keys of 128"));
    }
    TagKeys::with_prefix(prefix)
}

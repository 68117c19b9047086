//! What a job with these labels would get, attempt by attempt.

use std::fmt::Write;

use reprise_config::Settings;
use reprise_engine::capacity::{self, CapacityDecision, Past};
use reprise_model::ids::RunAttempt;
use reprise_model::instance::Capacity;
use reprise_model::labels::{JobLabels, LabelErrors, LabelPattern, SpotChoice};
use reprise_model::ledger::CapacityReason;
use reprise_model::policy::{OnDemandRetries, Reruns, RetryPolicy};

use super::{offer, wish};

/// What the answer goes by beside the labels.
#[derive(Debug, Default)]
pub(super) struct Ground<'a> {
    mode: OnDemandRetries,
    settings: Option<&'a Settings>,
}

impl<'a> Ground<'a> {
    pub(super) fn of(settings: &'a Settings) -> Self {
        Self {
            mode: settings.rules.on_demand_retries,
            settings: Some(settings),
        }
    }

    /// What is told, and whether both attempts get a machine as far as that is known.
    pub(super) fn told(&self, labels: &JobLabels) -> (String, bool) {
        let mut lines = wish::lines(labels);
        let first = RunAttempt::FIRST;
        let mut good = true;
        for (name, attempt) in [("attempt 1", first), ("attempt 2", first.next())] {
            let decision = self.decide(labels, attempt);
            let spot = labels.machine.spot.unwrap_or_default();
            lines.push((name, capacity_words(decision, spot)));
            if let Some(settings) = self.settings {
                let (more, is_good) = offer::machine(settings, labels, decision.capacity);
                lines.extend(more.into_iter().map(|line| ("", line)));
                good &= is_good;
            }
        }
        lines.push(("retry", self.retry(labels)));
        if !labels.ignored.is_empty() {
            let ignored = labels.ignored.join(", ");
            lines.push(("no effect", format!("{ignored}: settings of other fleets")));
        }
        if let Some(beside) = beside(labels) {
            lines.push(("beside", beside));
        }
        let mut told = String::new();
        for (name, text) in lines {
            writeln!(told, "{name:10} {text}").ok();
        }
        (told, good)
    }

    fn decide(&self, labels: &JobLabels, attempt: RunAttempt) -> CapacityDecision {
        let spot = labels.machine.spot.unwrap_or_default();
        let policy = labels.retry.unwrap_or(RetryPolicy::USUAL);
        // The second attempt of this answer is the one that Reprise asks for by itself.
        let past = Past {
            asked_by_us: !attempt.is_first() && policy != RetryPolicy::Never,
            ran_before: true,
            advised: None,
        };
        capacity::decide(attempt, spot, policy, past, self.mode)
    }

    fn retry(&self, labels: &JobLabels) -> String {
        let refused = self
            .settings
            .zip(labels.retry)
            .and_then(|(settings, said)| settings.policies.refused(said, None));
        if let Some(refused) = refused {
            return format!("as if nothing were said: {refused}");
        }
        let beyond =
            |policy: RetryPolicy| policy.failure().is_some() || policy.endpoint().is_some();
        if labels.machine.spot == Some(SpotChoice::Off) && !labels.retry.is_some_and(beyond) {
            return "nothing to re-run for: EC2 takes no on-demand machine back".to_owned();
        }
        let configured = self
            .settings
            .is_some_and(|settings| !settings.policies.rules.is_empty());
        if labels.retry.is_none() && configured {
            return "as the first [[policy]] of the configuration says that fits; if none does, an \
                    interrupted job is re-run once"
                .to_owned();
        }
        policy_words(labels.retry.unwrap_or(RetryPolicy::USUAL))
    }
}

/// What no configuration is needed to say of labels that say nothing to us.
fn beside(labels: &JobLabels) -> Option<String> {
    let others = labels.others.iter().map(String::as_str);
    let others: Vec<&str> = others
        .filter(|label| !LabelPattern::is_plain(label))
        .collect();
    let told = || {
        format!(
            "{}: refused unless limits.labels allows it",
            others.join(", ")
        )
    };
    (!others.is_empty()).then(told)
}

fn capacity_words(decision: CapacityDecision, spot: SpotChoice) -> String {
    let why = match decision.why {
        CapacityReason::FirstAttempt => "a first attempt, and nothing says spot=false",
        CapacityReason::SpotOff => "its label says spot=false",
        CapacityReason::LaterAttempt => "every attempt above 1 is",
        CapacityReason::LaterAttemptMayUseSpot => {
            "the configuration lets this attempt follow its label"
        }
        CapacityReason::Advised => "the endpoint that it asks lets this attempt use it",
        CapacityReason::NoSpotCapacity => "EC2 has no spot capacity",
        CapacityReason::BreakerOpen => "spot that would do is left alone for a while",
    };
    match (decision.capacity, spot) {
        (Capacity::OnDemand, _) | (Capacity::Spot, SpotChoice::Off) => format!("on-demand: {why}"),
        (Capacity::Spot, SpotChoice::On(strategy)) => {
            let or = if decision.may_fall_back {
                ", or on-demand where EC2 has no spot"
            } else {
                ""
            };
            format!("spot by {}{or}: {why}", strategy.as_str())
        }
    }
}

fn policy_words(policy: RetryPolicy) -> String {
    match policy {
        RetryPolicy::WhenInterrupted(reruns) => {
            let often = times(reruns);
            format!(
                "re-run {often}, by itself, when EC2 takes its spot machine; a job that fails for \
                 real is left alone"
            )
        }
        RetryPolicy::WhenFailed(reruns) => format!(
            "re-run {}, by itself, when it fails or EC2 takes its spot machine; only where the \
             configuration allows it (retry.allow)",
            times(reruns)
        ),
        RetryPolicy::WhenTransient(reruns) => format!(
            "re-run {}, by itself, when EC2 takes its spot machine or what it left behind says that \
             its failure would pass, as a lost connection; only where the configuration allows it \
             (retry.allow)",
            times(reruns)
        ),
        RetryPolicy::Ask(endpoint) => format!(
            "re-run at most {} times, by itself, when EC2 takes its spot machine or it fails and the \
             endpoint {endpoint} says so; only where the configuration has it for the repository \
             (ask.{endpoint}.repositories). Without an answer once, and only when EC2 takes its machine",
            Reruns::MOST
        ),
        RetryPolicy::Never => "never re-run by itself".to_owned(),
    }
}

fn times(reruns: Reruns) -> String {
    match reruns {
        Reruns::ONE => "once".to_owned(),
        more => format!("at most {} times", more.get()),
    }
}

pub(super) fn not_ours() -> String {
    "not ours: no label begins with runs-on, so that no machine is started\n  \
     = begin one with runs-on=${{ github.run_id }}\n"
        .to_owned()
}

/// Each mistake with a caret under its place.
pub(super) fn mistakes(errors: &LabelErrors) -> String {
    let mut told = String::new();
    for error in &errors.0 {
        let label = error.label.replace(char::is_control, "?");
        let blanks = " ".repeat(error.position.saturating_sub(1));
        let (problem, hint) = (&error.problem, &error.hint);
        writeln!(
            told,
            "error: {problem}\n  | {label}\n  | {blanks}^\n  = {hint}"
        )
        .ok();
    }
    told
}

//! All that a simulation can reach: every word of every decision, every fault, every kind of step.
//!
//! The rows are taken from the enums themselves wherever there is one, so a row that is added and
//! never reached is seen. What is reached and stands in no row is seen, too.

use std::collections::BTreeSet;
use std::fmt;

use reprise_engine::breaker::Turned;
use reprise_engine::reap::KeepReason;
use reprise_engine::redeliver::{self, GiveUpReason};
use reprise_engine::room::Full;
use reprise_engine::run::WaitReason;
use reprise_engine::unannounced;
use reprise_model::advice::NoAnswer;
use reprise_model::breaker::PoolTrouble;
use reprise_model::console::ConsoleCause;
use reprise_model::evidence::EvidenceSource;
use reprise_model::failure::FailureClass;
use reprise_model::ledger::{CapacityReason, Why};
use reprise_model::reason::{EndReason, IgnoreReason, Refusal, RefusalKind, SettleReason};

use crate::agents;
use crate::coverage::Coverage;
use crate::plan::{Plan, Stranger, reached};
use crate::ports::FAULTS;
use crate::post;

/// Rows that cannot be reached yet, or by no simulation, and why.
const EXCLUDED: [(&str, &str, &str); 21] = [
    (
        "decision",
        "advised: unreachable",
        "one that hangs is no answer as well",
    ),
    (
        "decision",
        "advised: function-failed",
        "the adapter's own, and tested there",
    ),
    (
        "decision",
        "advised: not-allowed",
        "whoever may not be asked is not asked",
    ),
    (
        "decision",
        "unannounced: launch-refused",
        "no job of a pushed run has labels with mistakes",
    ),
    (
        "decision",
        "redeliveries-rest: nothing-open",
        "as always, and not told",
    ),
    (
        "decision",
        "unannounced-rest: round-is-over",
        "as always, and not told",
    ),
    (
        "decision",
        "redelivery: refused",
        "what failed is kept for three days, and no simulation lasts as long",
    ),
    (
        "decision",
        "delivery-given-up: refused",
        "what failed is kept for three days, and no simulation lasts as long",
    ),
    (
        "decision",
        "delivery-given-up: too-old",
        "what failed is kept for three days, and no simulation lasts as long",
    ),
    (
        "decision",
        "redeliveries-rest: mind-full",
        "no simulation has so many webhooks",
    ),
    (
        "decision",
        "redeliveries-rest: read-enough",
        "no simulation has so many webhooks",
    ),
    (
        "decision",
        "unannounced-rest: rate-is-low",
        "the primary rate limit is not simulated",
    ),
    (
        "decision",
        "still-queued: not-launched",
        "it is asked only where something was launched",
    ),
    (
        "decision",
        "check-run: refused",
        "whoever may write no check runs may read none, and asks no more",
    ),
    (
        "decision",
        "kept: not-ours",
        "only instances of the stack are listed",
    ),
    (
        "decision",
        "kept: not-running",
        "decided without a question, and not told",
    ),
    (
        "decision",
        "kept: young",
        "decided without a question, and not told",
    ),
    (
        "decision",
        "terminate: past-max-run-time",
        "no simulation lasts for a week, nor keeps a claim for as long",
    ),
    (
        "decision",
        "kept: rests",
        "decided without a question, and not told",
    ),
    (
        "decision",
        "launch: no-spot-capacity",
        "a launch begins with spot; this is what comes of it",
    ),
    (
        "decision",
        "message: launch-given-up",
        "every simulated launch may be tried more than once",
    ),
];

/// What a simulation can reach.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    kind: &'static str,
    name: String,
}

/// How often each row was reached.
#[derive(Debug)]
pub struct Table<'a> {
    coverage: &'a Coverage,
    rows: BTreeSet<Row>,
}

impl<'a> Table<'a> {
    /// The table of what was reached.
    pub fn new(coverage: &'a Coverage) -> Self {
        Self {
            coverage,
            rows: all().into_iter().collect(),
        }
    }

    /// What is wrong: rows that were never reached, excluded ones that were, and unknown ones.
    pub fn wrong(&self) -> Vec<String> {
        let never = self.never().map(|row| format!("never reached: {row}"));
        let reached = self.coverage.iter().map(|(kind, name, _)| Row {
            kind,
            name: name.to_owned(),
        });
        let strange = reached.filter_map(|row| match excluded(&row) {
            Some(why) => Some(format!("reached although {why}: {row}")),
            None if self.rows.contains(&row) => None,
            None => Some(format!("reached and in no row: {row}")),
        });
        never.chain(strange).collect()
    }

    fn never(&self) -> impl Iterator<Item = &Row> {
        let rows = self.rows.iter();
        rows.filter(|row| self.times(row) == 0 && excluded(row).is_none())
    }

    fn times(&self, row: &Row) -> u64 {
        self.coverage.of(row.kind, &row.name)
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.never() {
            writeln!(f, "{:>9}  {row}", "NEVER")?;
        }
        for row in self.rows.iter().filter(|row| excluded(row).is_some()) {
            let why = excluded(row).unwrap_or_default();
            writeln!(f, "{:>9}  {row} ({why})", "excluded")?;
        }
        for row in self.rows.iter().filter(|row| self.times(row) > 0) {
            writeln!(f, "{:>9}  {row}", self.times(row))?;
        }
        Ok(())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.name)
    }
}

fn excluded(row: &Row) -> Option<&'static str> {
    let mut all = EXCLUDED.iter();
    all.find(|(kind, name, _)| *kind == row.kind && *name == row.name)
        .map(|(_, _, why)| *why)
}

/// Counts what a plan draws.
pub fn count_plan(plan: &Plan, coverage: &mut Coverage) {
    for step in reached::steps(plan) {
        coverage.count("step", step);
    }
    for stroke in reached::strokes(plan) {
        coverage.count("stroke", stroke);
    }
    for fate in reached::fortunes(plan) {
        coverage.count("fate", fate);
    }
    for (fault, _) in reached::faults(plan).into_iter().filter(|(_, has)| *has) {
        coverage.count("setting", fault);
    }
}

fn all() -> Vec<Row> {
    let settings = reached::faults(&Plan::draw(0)).into_iter();
    let settings: Vec<&str> = settings.map(|(fault, _)| fault).collect();
    let mut rows = decisions();
    rows.extend(rows_of(
        "evidence",
        &EvidenceSource::ALL.map(EvidenceSource::as_str),
    ));
    rows.extend(rows_of("answer to a re-run", &ANSWERS));
    rows.extend(rows_of("capacity", &CAPACITY));
    rows.extend(rows_of("fault", &FAULTS));
    rows.extend(rows_of("post", &post::FAULTS));
    rows.extend(rows_of("agent", &agents::FAULTS));
    rows.extend(rows_of("crash", &["before", "after"]));
    rows.extend(rows_of(
        "replica",
        &["is asked to end", "has drained", "starts again"],
    ));
    rows.extend(rows_of("step", &reached::STEPS));
    rows.extend(rows_of("step", &Stranger::ALL.map(Stranger::as_str)));
    rows.extend(rows_of("stroke", &reached::STROKES));
    rows.extend(rows_of("fate", &reached::FATES));
    rows.extend(rows_of("setting", &settings));
    rows
}

/// GitHub's answers to a re-run.
const ANSWERS: [&str; 4] = ["accepted", "not-now", "unclear", "refused"];

/// Rows of the capacity table that the reason alone does not tell.
const CAPACITY: [&str; 2] = ["a later attempt with retry=false", "no on-demand capacity"];

/// Why a job is launched for again, or no more.
const ASKED_AGAIN: [&str; 4] = [
    "instance-gone",
    "runner-taken",
    "runner-never-came",
    "launched-enough",
];

/// What else may be found of a launched job.
const FORGOTTEN: [&str; 3] = ["comes-up", "not-queued", "not-launched"];

/// GitHub's answers to a check run or a cancel.
const CHANGES: [&str; 4] = ["accepted", "not-now", "unclear", "refused"];

/// How a message may end, beside being ignored.
const OUTCOMES: [&str; 13] = [
    "unsigned",
    "wrong-signature",
    "unparsable",
    "settled",
    "awaiting",
    "run-due",
    "launched",
    "launch-due",
    "launch-given-up",
    "launch-refused",
    "evidence-stored",
    "bound",
    "gate-opened",
];

fn decisions() -> Vec<Row> {
    let settled = settle_reasons();
    let settled: Vec<&str> = settled.iter().map(SettleReason::as_str).collect();
    let ignored = IgnoreReason::ALL.map(IgnoreReason::outcome);
    let capacity = CapacityReason::ALL.map(CapacityReason::as_str);
    let reruns = [
        "one-wanted",
        "all-wanted",
        "mixed",
        "one-by-one",
        "left-behind",
    ];
    let [opened, held, closed] = Turned::WORDS;
    let answers = ["no-capacity", "throttled", "quota", "too-late", "unclear"];
    [
        told("settled", &settled),
        told("judged", &FailureClass::ALL.map(FailureClass::as_str)),
        told("awaiting", &Why::ALL.map(Why::as_str)),
        told(
            "policy-refused",
            &[
                "policy-not-allowed",
                "no-such-endpoint",
                "endpoint-not-allowed",
            ],
        ),
        told("advised", &["yes", "no"]),
        told("advised", &NoAnswer::WORDS),
        told("looking", &["no-evidence-yet"]),
        told("evidence", &["interruption-warning"]),
        told("parked", &["over-budget"]),
        told("waiting", &WaitReason::ALL.map(WaitReason::as_str)),
        told("rerun", &reruns),
        told("done", &["nothing-open"]),
        told("message", &ignored),
        told("message", &OUTCOMES),
        told("terminate", &EndReason::ALL.map(EndReason::as_str)),
        told("kept", &KeepReason::ALL.map(KeepReason::as_str)),
        told("launch", &capacity),
        told("launch-taken-over", &["not-answered"]),
        told("launch-again", &ASKED_AGAIN),
        told("console-kept", &ConsoleCause::ALL.map(ConsoleCause::as_str)),
        told("still-queued", &FORGOTTEN),
        told("check-run", &CHANGES),
        told("told", &CHANGES),
        told("gate", &["opened", "passed", "failed", "too-late"]),
        told("landed", &["on-spot-after-all"]),
        told("cancel-run", &CHANGES),
        told("launch-left", &["held-by-another"]),
        told("launch-shared", &["leads", "follows"]),
        told("launch-waits", &Full::ALL.map(Full::as_str)),
        told("launch-withdrawn", &["not-queued"]),
        told(opened, &PoolTrouble::ALL.map(PoolTrouble::as_str)),
        told(held, &PoolTrouble::ALL.map(PoolTrouble::as_str)),
        told(closed, &["tried"]),
        told("launched", &capacity),
        told("not-launched", &answers),
        told("launch-too-late", &["waited-for-its-runner"]),
        told("runner-removed", &["machine-gone", "machine-idle", "busy"]),
        told("launch-put-off", &["no-turn"]),
        told("slower", &["throttled", "limited"]),
        told("launch-given-up", &["launch-given-up"]),
        told(
            "launch-refused",
            &["bad-label", "unknown-family", "unknown-image"],
        ),
        told("left-alone", &["changed-by-another"]),
        told("redelivery", &["accepted", "refused", "not-now", "unclear"]),
        told(
            "delivery-given-up",
            &GiveUpReason::ALL.map(GiveUpReason::as_str),
        ),
        told(
            "redeliveries-rest",
            &redeliver::RestReason::ALL.map(redeliver::RestReason::as_str),
        ),
        told("unannounced", &["launch-due", "launch-refused"]),
        told(
            "unannounced-rest",
            &unannounced::RestReason::ALL.map(unannounced::RestReason::as_str),
        ),
    ]
    .concat()
}

/// Every reason for which a job can be settled.
fn settle_reasons() -> Vec<SettleReason> {
    let refused = RefusalKind::ALL.map(|kind| {
        SettleReason::Refused(Refusal {
            kind,
            message: String::new(),
        })
    });
    SettleReason::PLAIN.into_iter().chain(refused).collect()
}

fn told(decision: &str, reasons: &[&str]) -> Vec<Row> {
    let names = reasons.iter().map(|reason| format!("{decision}: {reason}"));
    names
        .map(|name| Row {
            kind: "decision",
            name,
        })
        .collect()
}

fn rows_of(kind: &'static str, names: &[&str]) -> Vec<Row> {
    let rows = names.iter().map(|name| Row {
        kind,
        name: (*name).to_owned(),
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_excluded_is_a_row_that_would_be_there() {
        let rows = all();
        for (kind, name, _) in EXCLUDED {
            let is_it = |row: &&Row| row.kind == kind && row.name == name;
            assert!(rows.iter().find(is_it).is_some(), "{kind}: {name}");
        }
    }

    #[test]
    fn a_row_that_is_never_reached_is_wrong_and_so_is_an_excluded_or_unknown_one_that_is() {
        let mut coverage = Coverage::default();
        for row in all() {
            coverage.count(row.kind, &row.name);
        }
        let excluded = Table::new(&coverage).wrong();
        assert_eq!(excluded.len(), EXCLUDED.len(), "{excluded:?}");
        coverage.count("fault", "one that nobody has named");
        let wrong = Table::new(&coverage).wrong();
        assert_eq!(wrong.len(), EXCLUDED.len() + 1);
        let nothing = Coverage::default();
        let never = Table::new(&nothing).wrong();
        assert_eq!(never.len(), all().len() - EXCLUDED.len());
    }

    #[test]
    fn a_plan_draws_only_rows_that_there_are() {
        let mut coverage = Coverage::default();
        for seed in 0..50 {
            count_plan(&Plan::draw(seed), &mut coverage);
        }
        let wrong = Table::new(&coverage).wrong();
        let strange = wrong.iter().filter(|one| !one.starts_with("never"));
        assert_eq!(strange.collect::<Vec<_>>(), Vec::<&String>::new());
    }
}

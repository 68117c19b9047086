//! Jobs that wait, in a run of a merge queue, for that very run to be re-run.
//!
//! GitHub re-runs nothing of a run while a job of it is active, so such a job waits for what it keeps from
//! happening. Only what surely means the job's own run is told: a script or an action that waits for other
//! workflows, or re-runs them, is no concern of ours.

use crate::finding::{Code, Place};
use crate::report::Found;
use crate::workflow::Job;
use crate::yaml::{Id, Kind, Tree};

/// How a script names the run that it belongs to.
const OWN_RUN: [&str; 3] = ["github.run_id", "GITHUB_RUN_ID", "context.runId"];

/// What asks for a re-run.
const RERUNS: [&str; 4] = [
    "gh run rerun",
    "/rerun",
    "reRunWorkflow",
    "reRunJobForWorkflowRun",
];

/// What looks at a run; in a loop it waits.
const LOOKS: [&str; 4] = [
    "gh run view",
    "actions/runs/",
    "getWorkflowRun",
    "listJobsForWorkflowRun",
];

/// What makes a loop that waits.
const PAUSES: [&str; 2] = ["sleep ", "setTimeout"];

/// Actions that wait for the check runs of a commit, with the input that names some of them.
const WAITERS: [(&str, &[&str]); 4] = [
    (
        "lewagon/wait-on-check-action",
        &["check-name", "check-regexp"],
    ),
    ("fountainhead/action-wait-for-check", &["checkName"]),
    ("poseidon/wait-for-status-checks", &["match_pattern"]),
    ("kachick/wait-other-jobs", &["wait-list"]),
];

/// The jobs of a workflow for merge queues that wait for their own run.
pub(crate) fn judge(tree: &Tree, jobs: &[Job]) -> Vec<Found> {
    if !is_for_merge_queues(tree) {
        return Vec::new();
    }
    let gates = jobs.iter().filter_map(|job| {
        let (place, why) = waits(tree, job, jobs)?;
        Some(Found {
            place,
            hint: Some(
                "take it out, and require the check run \"Reprise merge queue (FILE)\" in the rules of \
                 the queue"
                    .to_owned(),
            ),
            ..Found::of(job, Code::GateInRun, message(why))
        })
    });
    gates.collect()
}

fn message(why: Why) -> &'static str {
    match why {
        Why::Reruns => {
            "this job asks for a re-run of the run that it belongs to, which GitHub refuses for as long \
             as it is active"
        }
        Why::Waits => {
            "this job waits for the run that it belongs to: while it does, GitHub re-runs nothing of that \
             run, so a retry never comes"
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Why {
    Reruns,
    Waits,
}

fn is_for_merge_queues(tree: &Tree) -> bool {
    const EVENT: &str = "merge_group";
    let Some(on) = tree.root().and_then(|root| tree.get(root, "on")) else {
        return false;
    };
    match &tree.node(on).kind {
        Kind::Scalar(event) => event.text == EVENT,
        Kind::List(events) => events.iter().any(|event| text(tree, *event) == Some(EVENT)),
        Kind::Map(_) => tree.get(on, EVENT).is_some(),
    }
}

fn waits(tree: &Tree, job: &Job, jobs: &[Job]) -> Option<(Place, Why)> {
    let steps = match &tree.node(job.steps?).kind {
        Kind::List(steps) => steps.as_slice(),
        Kind::Map(_) | Kind::Scalar(_) => &[],
    };
    steps.iter().find_map(|step| {
        let why = step_waits(tree, *step, jobs)?;
        Some((tree.node(*step).place, why))
    })
}

fn step_waits(tree: &Tree, step: Id, jobs: &[Job]) -> Option<Why> {
    let with = tree.get(step, "with");
    let run = tree.get(step, "run").and_then(|run| text(tree, run));
    let uses = tree.get(step, "uses").and_then(|uses| text(tree, uses));
    let action = uses.map(|uses| uses.split('@').next().unwrap_or(uses));
    let script = match action {
        Some("actions/github-script") => input(tree, with, "script"),
        Some(_) | None => run,
    };
    if let Some(why) = script.and_then(script_waits) {
        return Some(why);
    }
    let (_, names) = WAITERS
        .into_iter()
        .find(|(waiter, _)| action.is_some_and(|action| action.eq_ignore_ascii_case(waiter)))?;
    let mut named = names.iter().filter_map(|name| input(tree, with, name));
    let is_of_this_run = match named.next() {
        None => true,
        Some(named) => jobs.iter().any(|job| job.is_called(named)),
    };
    is_of_this_run.then_some(Why::Waits)
}

fn script_waits(script: &str) -> Option<Why> {
    let has = |words: &[&str]| words.iter().any(|word| script.contains(word));
    if !has(&OWN_RUN) {
        return None;
    }
    if script.contains("gh run watch") {
        return Some(Why::Waits);
    }
    if has(&RERUNS) {
        return Some(Why::Reruns);
    }
    (has(&LOOKS) && has(&PAUSES)).then_some(Why::Waits)
}

fn input<'a>(tree: &'a Tree, with: Option<Id>, name: &str) -> Option<&'a str> {
    text(tree, tree.get(with?, name)?)
}

fn text(tree: &Tree, id: Id) -> Option<&str> {
    tree.scalar(id).map(|scalar| scalar.text.as_str())
}

//! What people are told of a run by a check run: never the wrong thing to a merge queue, and the end in
//! the end.

use jiff::{SignedDuration, Timestamp};
use reprise_model::check::{CHECK_NAME, CheckState, GATE_NAME};
use reprise_model::ids::RunId;
use reprise_model::job::Conclusion;
use reprise_model::run::RunStatus;

use crate::github::{Attempt, CheckRun, GitHub, Run};
use crate::world::World;

/// How long may pass between the read by which a gate is opened and the moment at which it is: a person may
/// re-run what passed in between.
const READ_AND_WRITTEN_WITHIN: SignedDuration = SignedDuration::from_secs(120);

/// 11: a merge gate that lets its queue go on although its run had not passed, or was being re-run.
pub(super) fn opened_early(world: &World) -> Vec<String> {
    let github = world.github();
    let open = github.check_runs().filter(|check| is_gate(check));
    let open = open.filter(|check| check.text.state == CheckState::Success);
    open.filter_map(|check| {
        let run = github.run(check.run()?)?;
        let had_passed = had_passed(github, run, check.written_at);
        (!had_passed).then(|| {
            let (name, at) = (&check.name, check.written_at);
            format!(
                "{name} of run {} let the queue go on at {at}, and the run had not passed",
                run.id
            )
        })
    })
    .collect()
}

/// What no check run says of a run, or does not say to its end. `None` where the App may not, or where
/// there is nobody (any more) to read it.
pub fn unconcluded(world: &World, id: RunId) -> Option<String> {
    let github = world.github();
    let run = github.run(id)?;
    if github.faults().no_checks_read || github.is_gone(&run.spec.repository) {
        return None;
    }
    let own = id.to_string();
    let mut checks = github.check_runs();
    let is_own = |check: &&CheckRun| {
        check.external_id == own && (check.name == CHECK_NAME || is_gate(check))
    };
    let has_ended = checks
        .find(is_own)
        .map(|check| check.text.state.is_concluded());
    match has_ended {
        Some(true) => None,
        Some(false) => Some(format!(
            "the check run of run {id} never tells how it ended"
        )),
        None => Some(format!("no check run tells of run {id}")),
    }
}

/// The runs that are to have gates: those of merge queues, and of pull requests that want to enter them.
pub fn with_gates(world: &World) -> Vec<RunId> {
    let runs = world.github().runs();
    let gated =
        runs.filter(|run| ["merge_group", "pull_request"].contains(&run.spec.event.as_str()));
    gated.map(|run| run.id).collect()
}

fn is_gate(check: &CheckRun) -> bool {
    check.name.starts_with(GATE_NAME)
}

/// Whether the attempt of that moment had passed; or the one before, where a person began another one at
/// that very time.
fn had_passed(github: &GitHub, run: &Run, at: Timestamp) -> bool {
    let begun: Vec<&Attempt> = run
        .attempts()
        .filter(|attempt| attempt.started_at <= at)
        .collect();
    match begun.as_slice() {
        [] => false,
        [.., before, last] => {
            passed(last, at) || (passed(before, at) && is_persons(github, last, at))
        }
        [only] => passed(only, at),
    }
}

fn passed(attempt: &Attempt, at: Timestamp) -> bool {
    let is_over = attempt.status == RunStatus::Completed && attempt.updated_at <= at;
    let is_good = matches!(
        attempt.conclusion,
        Some(Conclusion::Success | Conclusion::Skipped | Conclusion::Neutral)
    );
    is_over && is_good
}

fn is_persons(github: &GitHub, attempt: &Attempt, at: Timestamp) -> bool {
    attempt.triggering_actor != github.settings().bot()
        && at.duration_since(attempt.started_at) <= READ_AND_WRITTEN_WITHIN
}

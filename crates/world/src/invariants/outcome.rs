//! The invariant of the outcome: what was interrupted came back, and nothing else did.

use reprise_model::job::Conclusion;

use crate::github::{Job, Run};
use crate::scenario::{JobExpectation, PlannedRun, Scenario};
use crate::world::World;

/// 4: every run and job ends as its scenario says.
pub(super) fn runs_end_as_expected(world: &World, scenario: &Scenario) -> Vec<String> {
    let mut broken = Vec::new();
    for (index, planned) in scenario.runs.iter().enumerate() {
        let pushed = world.planned().get(index).and_then(|planned| planned.run);
        match pushed.and_then(|run| world.github().run(run)) {
            Some(run) => broken.extend(wrong_with(run, planned)),
            None => broken.push(format!(
                "workflow {} in {} was never pushed",
                planned.spec.workflow_name, planned.spec.repository
            )),
        }
    }
    broken
}

fn wrong_with(run: &Run, planned: &PlannedRun) -> Vec<String> {
    let expect = &planned.expect;
    let name = format!("run {} in {}", run.id, run.spec.repository);
    let mut broken = Vec::new();
    if run.is_active() {
        broken.push(format!("{name} is not completed"));
    }
    let attempts = run.current().number.get();
    if attempts != expect.attempts {
        broken.push(format!(
            "{name} has {attempts} attempts instead of {}",
            expect.attempts
        ));
    }
    if run.current().conclusion.as_ref() != Some(&expect.conclusion) {
        let ended = word(run.current().conclusion.as_ref());
        broken.push(format!(
            "{name} ended {ended} instead of {}",
            expect.conclusion.as_str()
        ));
    }
    for (job, expectation) in &expect.jobs {
        let executions: Vec<&Job> = run.executions(job).collect();
        if !holds(*expectation, &executions) {
            let ends: Vec<&str> = executions
                .iter()
                .map(|job| word(job.conclusion.as_ref()))
                .collect();
            broken.push(format!(
                "{job} of {name} {}, but its executions ended [{}]",
                wish(*expectation),
                ends.join(", ")
            ));
        }
    }
    broken
}

fn holds(expectation: JobExpectation, executions: &[&Job]) -> bool {
    let passed: Vec<bool> = executions
        .iter()
        .map(|job| job.conclusion == Some(Conclusion::Success))
        .collect();
    match expectation {
        JobExpectation::Passes => passed == [true],
        JobExpectation::Recovers => passed == [false, true],
        JobExpectation::StaysFailed => {
            passed == [false] && executions.iter().all(|job| job.is_completed())
        }
    }
}

fn wish(expectation: JobExpectation) -> &'static str {
    match expectation {
        JobExpectation::Passes => "should have passed at once",
        JobExpectation::Recovers => "should have failed once and then passed",
        JobExpectation::StaysFailed => "should have failed once and for all",
    }
}

fn word(conclusion: Option<&Conclusion>) -> &str {
    conclusion.map_or("open", Conclusion::as_str)
}

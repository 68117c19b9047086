//! The invariant of the outcome: what was interrupted came back, and nothing else did.

use reprise_model::job::Conclusion;

use crate::fate::Fate;
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
        let became = Became {
            last: run.current().jobs.values().find(|one| one.name == *job),
            fates: planned
                .fates
                .get(job)
                .map(Vec::as_slice)
                .unwrap_or_default(),
            executions: &executions,
        };
        if !became.holds(*expectation) {
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

/// What became of a job.
struct Became<'a> {
    executions: &'a [&'a Job],
    /// Its record in the last attempt.
    last: Option<&'a Job>,
    /// What was to befall it.
    fates: &'a [Fate],
}

impl Became<'_> {
    fn holds(&self, expectation: JobExpectation) -> bool {
        let executions = self.executions.iter();
        let passed: Vec<bool> = executions
            .map(|job| job.conclusion == Some(Conclusion::Success))
            .collect();
        match expectation {
            JobExpectation::Passes => passed == [true] && !self.is_skipped_last(),
            JobExpectation::Recovers => passed == [false, true],
            JobExpectation::StaysFailed => {
                passed == [false] && self.executions.iter().all(|job| job.is_completed())
            }
            JobExpectation::PassesAgain => passed == [true, true],
            JobExpectation::IsDone => passed == [true] && self.is_skipped_last(),
            JobExpectation::GoesOn => passed == [false, true] && self.works_for_the_rest(),
        }
    }

    fn is_skipped_last(&self) -> bool {
        let last = self.last.and_then(|job| job.conclusion.as_ref());
        last == Some(&Conclusion::Skipped)
    }

    /// Its last execution took no longer than what was not done when the notice came.
    fn works_for_the_rest(&self) -> bool {
        let worked = self.fates.first().and_then(|fate| fate.interrupted_after);
        let (Some(worked), Some(whole)) = (worked, self.fates.last().map(|fate| fate.takes)) else {
            return false;
        };
        let last = self.executions.last();
        let took = last.and_then(|job| Some(job.completed_at?.duration_since(job.started_at?)));
        took.is_some_and(|took| took <= whole - worked)
    }
}

fn wish(expectation: JobExpectation) -> &'static str {
    match expectation {
        JobExpectation::Passes => "should have passed at once",
        JobExpectation::Recovers => "should have failed once and then passed",
        JobExpectation::StaysFailed => "should have failed once and for all",
        JobExpectation::PassesAgain => "should have passed in both attempts",
        JobExpectation::IsDone => "should have passed once and been skipped then",
        JobExpectation::GoesOn => "should have failed once, and then worked only for what was left",
    }
}

fn word(conclusion: Option<&Conclusion>) -> &str {
    conclusion.map_or("open", Conclusion::as_str)
}

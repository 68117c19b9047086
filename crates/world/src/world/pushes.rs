//! What is pushed when, and what shall become of it.

use jiff::Timestamp;
use reprise_model::ids::{JobId, RunId};

use super::World;
use crate::fate::Fate;
use crate::github::RunSpec;
use crate::scenario::{PlannedRun, RUN_PLACEHOLDER, Scenario};

/// A run of a scenario.
#[derive(Debug, Clone)]
pub struct Planned {
    /// When it is pushed.
    pub at: Timestamp,
    /// What is pushed.
    pub what: PlannedRun,
    /// The run, once it was pushed.
    pub run: Option<RunId>,
}

impl World {
    /// Plans the pushes of a scenario, counted from `now`.
    pub fn play(&mut self, now: Timestamp, scenario: &Scenario) {
        self.advance(now);
        let planned = scenario.runs.iter().map(|what| Planned {
            at: self
                .now
                .checked_add(what.starts_after)
                .unwrap_or(Timestamp::MAX),
            what: what.clone(),
            run: None,
        });
        self.planned.extend(planned.collect::<Vec<_>>());
    }

    /// The runs of all scenarios played, in their order.
    pub fn planned(&self) -> &[Planned] {
        &self.planned
    }

    pub(super) fn next_push(&self) -> Option<Timestamp> {
        let open = self.planned.iter().filter(|planned| planned.run.is_none());
        open.map(|planned| planned.at).min()
    }

    pub(super) fn push_what_is_due(&mut self) {
        for index in 0..self.planned.len() {
            let planned = &self.planned[index];
            if planned.run.is_some() || planned.at > self.now {
                continue;
            }
            let spec = with_run_id(&planned.what.spec, self.next_run());
            let run = self.github.push(self.now, spec);
            self.plan_of.insert(run, index);
            self.planned[index].run = Some(run);
        }
    }

    /// What is going to become of a job that a runner has just taken.
    pub(super) fn fate_of(&self, id: JobId) -> Fate {
        let told = self.github.job(id).and_then(|(run, _, job)| {
            let planned = self.planned.get(*self.plan_of.get(&run.id)?)?;
            let fates = planned.what.fates.get(&job.name)?;
            let before = run.executions(&job.name).count().saturating_sub(1);
            fates.get(before).or(fates.last())
        });
        told.unwrap_or(&self.settings.usual_fate).clone()
    }

    /// GitHub numbers runs one by one and forgets none.
    fn next_run(&self) -> RunId {
        let first = self.github.settings().first_run;
        RunId(first.0 + self.github.runs().count() as u64)
    }
}

/// `${{ github.run_id }}` of the labels, which is known only now.
fn with_run_id(spec: &RunSpec, run: RunId) -> RunSpec {
    let mut spec = spec.clone();
    for label in spec.jobs.iter_mut().flat_map(|job| &mut job.labels) {
        *label = label.replace(RUN_PLACEHOLDER, &run.to_string());
    }
    spec
}

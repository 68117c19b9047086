//! What is pushed when, and what shall become of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_model::ids::{JobId, RunId};

use super::{ByHand, Deed, When, World};
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

/// The fates of a run's jobs; the last one of a job repeats.
#[derive(Debug)]
pub(super) enum Fates {
    /// Of jobs by their name, a fate an execution.
    ByName(BTreeMap<String, Vec<Fate>>),
    /// Of jobs by their place in the workflow file, a fate an execution.
    ByPlace(Vec<Vec<Fate>>),
}

impl Fates {
    fn of(&self, place: usize, name: &str) -> Option<&Vec<Fate>> {
        match self {
            Self::ByName(fates) => fates.get(name),
            Self::ByPlace(fates) => fates.get(place),
        }
    }
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

    /// Pushes a run now; [`RUN_PLACEHOLDER`] in its labels becomes the run's id. Its fates are those
    /// of its jobs by their places, a fate an execution, of which the last repeats; a place without
    /// any has the usual fate.
    pub fn push(&mut self, now: Timestamp, spec: &RunSpec, fates: Vec<Vec<Fate>>) -> RunId {
        self.advance(now);
        let run = self.push_with(spec, Fates::ByPlace(fates));
        self.settle();
        run
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
            let (spec, fates) = (planned.what.spec.clone(), planned.what.fates.clone());
            let (resumption, rerun_after) =
                (planned.what.resumption.clone(), planned.what.rerun_after);
            let run = self.push_with(&spec, Fates::ByName(fates));
            self.planned[index].run = Some(run);
            if let Some(resumption) = resumption {
                self.keep_what_is_left(run, &resumption);
            }
            if let Some(after) = rerun_after {
                let deed = Deed::Rerun(ByHand::WholeRun);
                self.person_waits(run, When::RunCompletes, after, deed, &spec.actor);
            }
        }
    }

    fn push_with(&mut self, spec: &RunSpec, fates: Fates) -> RunId {
        let spec = with_run_id(spec, self.next_run());
        let run = self.github.push(self.now, spec);
        self.fates.insert(run, fates);
        run
    }

    /// What is going to become of a job that a runner has taken.
    pub(super) fn fate_of(&self, id: JobId) -> Fate {
        let told = self.github.job(id).and_then(|(run, _, job)| {
            let fates = self.fates.get(&run.id)?.of(job.place(), &job.name)?;
            let mut executions = run.executions_at(job.place());
            let before = executions.position(|one| one.id == id).unwrap_or_default();
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

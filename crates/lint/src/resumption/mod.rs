//! Whether a workflow follows a plan of necessary jobs (docs/resume.md) as it was meant.
//!
//! GitHub skips a job of whose inputs, however far before it, one was skipped, unless its `if` asks for the state of the
//! run itself ([actions/runner#491](https://github.com/actions/runner/issues/491),
//! [#2205](https://github.com/actions/runner/issues/2205)); so a plan that
//! skips one finished job would end with nothing being run behind it. And a name that is written otherwise than in the
//! manifest is never in the plan's list, so that its job never runs. Only what surely is so is told.

mod condition;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use crate::Source;
use crate::file;
use crate::finding::Place;
use crate::workflow::Job;
use crate::yaml::Tree;

use self::condition::Condition;
use self::names::Names;

/// What is to be said of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resumption {
    /// What is wrong in the workflow, from top to bottom.
    pub advice: Vec<Advice>,
    /// The jobs of the manifest that the workflow does not have.
    pub missing: Vec<String>,
}

/// Something that does not do what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// Where in the workflow.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

/// Looks whether a workflow follows a plan for jobs of these names.
pub fn resumption(source: &Source, planned: &[&str]) -> Resumption {
    let (tree, jobs) = match file::read(&source.bytes) {
        Ok(read) => read,
        Err(broken) => {
            let advice = Advice {
                place: broken.place,
                message: format!("the workflow cannot be looked at: {}", broken.problem),
                hint: "see that it is the workflow of this run, or name another one".to_owned(),
            };
            return Resumption {
                advice: vec![advice],
                missing: Vec::new(),
            };
        }
    };
    let looked = Looked::at(&tree, &jobs, planned);
    let names = Names::of(source, &tree, &jobs);
    let is_missing =
        |name: &&&str| !names.may_have(name) && !looked.tested.contains(&name.to_lowercase());
    Resumption {
        advice: jobs.iter().flat_map(|job| looked.job(job)).collect(),
        missing: planned
            .iter()
            .filter(is_missing)
            .map(|name| (*name).to_owned())
            .collect(),
    }
}

/// The jobs of a workflow, with what their conditions say.
struct Looked<'a> {
    tree: &'a Tree,
    jobs: BTreeMap<&'a str, &'a Job>,
    conditions: BTreeMap<&'a str, Condition>,
    planned: BTreeSet<String>,
    /// The names that conditions look for, in small letters.
    tested: BTreeSet<String>,
}

impl<'a> Looked<'a> {
    fn at(tree: &'a Tree, jobs: &'a [Job], planned: &[&str]) -> Self {
        let read = |job: &'a Job| Some((job.key.as_str(), Condition::read(tree, job.condition?)));
        let conditions: BTreeMap<&str, Condition> = jobs.iter().filter_map(read).collect();
        let tested = conditions.values().flat_map(|one| &one.tested);
        Self {
            tree,
            jobs: jobs.iter().map(|job| (job.key.as_str(), job)).collect(),
            tested: tested.map(|name| name.to_lowercase()).collect(),
            planned: planned.iter().map(|name| name.to_lowercase()).collect(),
            conditions,
        }
    }

    fn job(&self, job: &Job) -> Vec<Advice> {
        let condition = self.conditions.get(job.key.as_str());
        let place = job
            .condition
            .map_or(job.place, |id| self.tree.node(id).place);
        let mut advice = Vec::new();
        if let Some(input) = self.may_be_skipped_before(job)
            && !condition.is_some_and(Condition::outlives_skipped_inputs)
        {
            advice.push(Advice {
                place,
                message: message(job, input, condition),
                hint: hint(condition),
            });
        }
        let Some(condition) = condition else {
            return advice;
        };
        for name in &condition.tested {
            if !self.planned.contains(&name.to_lowercase()) {
                advice.push(Advice {
                    place,
                    message: format!(
                        "{} looks for {name:?}, which the manifest does not have: it is never in the list, so the job \
                         never runs",
                        job.key
                    ),
                    hint: "write the name as the manifest has it, or add it there".to_owned(),
                });
            }
        }
        for plan in condition
            .plans
            .difference(&job.needs.iter().cloned().collect())
        {
            advice.push(Advice {
                place,
                message: format!(
                    "{} reads the list of {plan}, which is none of its needs: it gets an empty one, so the job never \
                     runs",
                    job.key
                ),
                hint: format!("add {plan} to its needs"),
            });
        }
        advice
    }

    /// A job before this one, however far, that a plan may skip.
    fn may_be_skipped_before(&self, job: &Job) -> Option<&'a str> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&str> = job.needs.iter().map(String::as_str).collect();
        while let Some(key) = open.pop() {
            let Some((key, input)) = self.jobs.get_key_value(key) else {
                continue;
            };
            if !seen.insert(*key) {
                continue;
            }
            if self.conditions.get(key).is_some_and(|one| one.follows_plan) {
                return Some(key);
            }
            open.extend(input.needs.iter().map(String::as_str));
        }
        None
    }
}

fn message(job: &Job, input: &str, condition: Option<&Condition>) -> String {
    let key = &job.key;
    if condition.is_some_and(|one| one.asks_for_state) {
        return format!(
            "{key} comes after {input}, which the plan may skip, and its if tells a skipped input from a failed or \
             cancelled one in no way"
        );
    }
    format!(
        "{key} is skipped whenever the plan skips {input}, which is before it: GitHub skips what comes after a skipped \
         job unless its if asks for the state of the run"
    )
}

fn hint(condition: Option<&Condition>) -> String {
    let list = condition.filter(|one| one.follows_plan).map(|one| {
        let plan = one.plans.first().map_or("PLAN", String::as_str);
        let name = one.tested.first().map_or("NAME", String::as_str);
        format!(" && contains(needs.{plan}.outputs.necessary_jobs, ';{name};')")
    });
    let list = list.unwrap_or_default();
    format!("begin it so: if: ${{{{ !cancelled() && !failure(){list} }}}}")
}

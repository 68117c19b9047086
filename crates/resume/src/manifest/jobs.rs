//! From what a manifest says to its jobs.

use std::collections::BTreeMap;

use super::Draft;
use super::expand::{self, Allowed, Entry, Instance};
use super::file::{self, File};
use super::matrix::{self, Combinations};
use super::needs;
use crate::job::Leg;
use crate::problem::{At, Problems, shown};
use crate::run::RunWord;
use crate::template::{Slot, Template};

/// The most jobs of a manifest. Their names alone would pass the limit of GitHub's outputs soon after.
const MOST: usize = 5_000;

/// Where artifacts lie unless a manifest says otherwise. A run's number stays the same when it is re-run, and
/// is unique only within its workflow; a store may serve several repositories.
const PREFIX: &str = "{repository}/{workflow_id}/{run_number}";

const NAME: Allowed = Allowed {
    what: "a name",
    run: false,
    matrix: true,
    instead: "write what GitHub shows, with {{ and }} for braces",
};

const OWN_PREFIX: Allowed = Allowed {
    what: "a prefix",
    run: true,
    matrix: false,
    instead: "a store is asked once a prefix, not once a job: put it into the artifacts",
};

const ARTIFACT: Allowed = Allowed {
    what: "an artifact",
    run: true,
    matrix: true,
    instead: "write another one",
};

const ADDRESS: Allowed = Allowed {
    what: "unless-found",
    run: true,
    matrix: true,
    instead: "write another one",
};

const NEED: Allowed = Allowed {
    what: "needs",
    run: false,
    matrix: true,
    instead: "write a job's name as it stands in this file",
};

/// An entry with its jobs; nothing where a mistake that was told leaves open which.
pub(crate) struct Expanded<'a> {
    pub(crate) entry: Entry<'a>,
    pub(crate) instances: Option<Vec<Instance>>,
}

/// The jobs of a file, as far as they are good.
pub(crate) fn drafts(file: &File, problems: &mut Problems) -> Vec<Draft> {
    let shared = file
        .matrix
        .as_ref()
        .map(|matrix| matrix::expand(matrix, problems));
    let prefix = shared_prefix(file, problems);
    let mut expanded = Vec::new();
    let mut is_whole = file.is_whole;
    for job in &file.jobs {
        let Some(entry) = entry(job, &prefix, problems) else {
            is_whole = false;
            continue;
        };
        let instances = instances(&entry, shared.as_ref(), problems);
        expanded.push(Expanded { entry, instances });
    }
    let count: usize = expanded
        .iter()
        .flat_map(|one| &one.instances)
        .map(Vec::len)
        .sum();
    if count > MOST {
        problems.add(
            1,
            format!("these are {count} jobs; at most {MOST} are planned at once"),
        );
        return Vec::new();
    }
    names_are_unique(&expanded, problems);
    artifacts_are_unique(&expanded, problems);
    let needs = needs::resolve(&expanded, is_whole, problems);
    let all = expanded.iter().flat_map(|one| {
        let instances = one.instances.iter().flatten();
        instances.map(|instance| (&one.entry, instance))
    });
    all.zip(needs)
        .map(|((entry, instance), needs)| Draft {
            name: instance.name.clone(),
            leg: leg(entry, instance),
            prefix: entry.prefix.clone(),
            artifacts: instance.artifacts.clone(),
            unless_found: instance.unless_found.clone(),
            needs,
            stale_with_inputs: is_on(entry.job.stale_with_inputs.as_ref()),
            only_if_wanted: is_on(entry.job.only_if_wanted.as_ref()),
        })
        .collect()
}

fn leg(entry: &Entry<'_>, instance: &Instance) -> Option<Leg> {
    let is_one = instance.values.is_empty();
    (!is_one).then(|| Leg {
        pattern: entry.job.name.value.clone(),
        values: instance.used.clone(),
    })
}

pub(crate) fn is_on(flag: Option<&At<bool>>) -> bool {
    flag.is_some_and(|flag| flag.value)
}

/// One that is bad is none, so that all that is wrong with jobs is told beside it.
fn shared_prefix(file: &File, problems: &mut Problems) -> At<Template> {
    let written = file.prefix.clone().unwrap_or_else(|| At {
        line: 1,
        value: PREFIX.to_owned(),
    });
    let Some(prefix) = OWN_PREFIX.read(&written, problems) else {
        return At {
            line: written.line,
            value: Template::default(),
        };
    };
    tells_runs_apart(&prefix, problems);
    let is_fixed = !prefix.value.slots().any(|slot| match slot {
        Slot::Hash(_) | Slot::Run(RunWord::RunNumber | RunWord::RunId | RunWord::Sha) => true,
        Slot::Run(RunWord::WorkflowId | RunWord::Repository) | Slot::Matrix(_) => false,
    });
    if is_fixed {
        let message = "this prefix is the same in every run, so what an older run left would skip the jobs of a newer \
                       one; put {workflow_id}/{run_number}, {run_id}, {sha} or a {hash:GLOB} into it. What really is \
                       good for every run may have a prefix of its own in its [[job]]";
        problems.add(prefix.line, message);
    }
    prefix
}

/// Two workflows of a repository count their runs each from 1.
fn tells_runs_apart(prefix: &At<Template>, problems: &mut Problems) {
    let has = |word| prefix.value.slots().any(|slot| *slot == Slot::Run(word));
    if has(RunWord::RunNumber) && !has(RunWord::WorkflowId) {
        let message = "{run_number} is unique only within a workflow; put {workflow_id} before it";
        problems.add(prefix.line, message);
    }
}

/// What is bad in it is left out, so that the rest is looked at; nothing where its name is bad.
fn entry<'a>(
    job: &'a file::Job,
    shared: &At<Template>,
    problems: &mut Problems,
) -> Option<Entry<'a>> {
    let name = NAME.read(&job.name, problems);
    let own = job
        .prefix
        .as_ref()
        .and_then(|own| OWN_PREFIX.read(own, problems));
    if let Some(own) = &own {
        tells_runs_apart(own, problems);
    }
    let mut all = |allowed: &Allowed, texts: &[At<String>]| -> Vec<At<Template>> {
        texts
            .iter()
            .filter_map(|text| allowed.read(text, problems))
            .collect()
    };
    let artifacts = all(&ARTIFACT, &job.artifacts);
    let unless_found = all(&ADDRESS, job.unless_found.as_slice()).pop();
    let needs = all(&NEED, &job.needs);
    let only_if_wanted = is_on(job.only_if_wanted.as_ref());
    if job.artifacts.is_empty() && job.unless_found.is_none() && !only_if_wanted {
        let message = "nothing shows that this job is done, so it would run every time: name its artifacts, or an \
                       unless-found, or leave it out of this file";
        problems.add(job.line, message);
    }
    Some(Entry {
        job,
        name: name?.value,
        prefix: own.unwrap_or_else(|| shared.clone()),
        artifacts,
        unless_found,
        needs,
    })
}

fn instances(
    entry: &Entry<'_>,
    shared: Option<&Combinations>,
    problems: &mut Problems,
) -> Option<Vec<Instance>> {
    let Some(own) = &entry.job.matrix else {
        return expand::instances(entry, shared, problems);
    };
    let combinations = matrix::expand(own, problems);
    if entry.name.axes().is_empty() {
        let message = "the name of this job says nothing of its matrix; write it as GitHub shows it, as \"Build [{distro}]\"";
        problems.add(entry.job.name.line, message);
        return None;
    }
    expand::instances(entry, Some(&combinations), problems)
}

fn names_are_unique(expanded: &[Expanded<'_>], problems: &mut Problems) {
    let mut seen: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    for one in expanded {
        let line = one.entry.job.name.line;
        for instance in one.instances.iter().flatten() {
            let name = instance.name.as_str();
            let Some((other, before)) = seen.insert(instance.name.folded(), (name, line)) else {
                continue;
            };
            let message = if other == name {
                format!(
                    "{} is a job of line {before}, too; take one out, or make the patterns narrower",
                    shown(name)
                )
            } else {
                let (name, other) = (shown(name), shown(other));
                format!(
                    "{name} and {other} (line {before}) are one name to GitHub, whose contains() ignores case; call one otherwise"
                )
            };
            problems.add(line, message);
        }
    }
}

/// Each job is judged by its own artifacts: what two have in common would skip the one that has not run.
fn artifacts_are_unique(expanded: &[Expanded<'_>], problems: &mut Problems) {
    let mut seen: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    for one in expanded {
        for instance in one.instances.iter().flatten() {
            for artifact in &instance.artifacts {
                let key = one.entry.prefix.value.clone().join("/", &artifact.value);
                let job = instance.name.as_str();
                let Some((other, before)) = seen.insert(key.to_string(), (job, artifact.line))
                else {
                    continue;
                };
                let (key, other) = (shown(&key.to_string()), shown(other));
                let message = format!(
                    "the artifact {key} is that of {other} (line {before}), too, so either would skip the other; give each its own"
                );
                problems.add(artifact.line, message);
            }
        }
    }
}

//! Which jobs a job needs.
//!
//! A need is a job's name, or a pattern as it stands in this file. What a pattern has in common with the job's own
//! name has the same value in both; over the rest it goes: `Package {distro}` that needs `Build {distro} {version}`
//! needs all versions of its own distribution.

use std::collections::{BTreeMap, BTreeSet};

use super::expand::{Instance, told};
use super::jobs::{Expanded, is_on};
use crate::problem::{At, Problems, meant, shown};
use crate::template::{Template, Values};

/// The most that jobs need in all. All of 500 jobs that need all of 500 others are half of it.
const MOST: usize = 500_000;

/// For each job in their order, where in it those stand that it needs.
pub(crate) fn resolve(
    expanded: &[Expanded<'_>],
    is_whole: bool,
    problems: &mut Problems,
) -> Vec<BTreeSet<usize>> {
    let jobs = Jobs::of(expanded);
    // Of what was left out for its mistakes, nobody can tell whether it is needed.
    let is_whole = is_whole && expanded.iter().all(|one| one.instances.is_some());
    let mut all = Vec::new();
    let mut count = 0;
    for one in expanded {
        for instance in one.instances.iter().flatten() {
            let mut found = BTreeSet::new();
            for need in &one.entry.needs {
                match jobs.named(need, instance) {
                    Ok(named) => found.extend(named),
                    Err(problem) if is_whole => problems.add(need.line, problem),
                    Err(_) => {}
                }
            }
            count += found.len();
            if count > MOST {
                let message = format!(
                    "the jobs of this file need each other more than {MOST} times; have one job gather the results of many"
                );
                problems.add(one.entry.job.line, message);
                return Vec::new();
            }
            all.push(found);
        }
    }
    if is_whole {
        flags_mean_something(expanded, &all, problems);
        if let Some(cycle) = cycle(&all) {
            jobs.tell_cycle(&cycle, problems);
        }
    }
    all
}

struct Jobs<'a> {
    by_name: BTreeMap<&'a str, usize>,
    /// The jobs of each pattern, by how that is written.
    by_pattern: BTreeMap<String, Vec<(usize, &'a Values)>>,
    /// Each with the line of its name.
    names: Vec<At<&'a str>>,
}

impl<'a> Jobs<'a> {
    fn of(expanded: &'a [Expanded<'_>]) -> Self {
        let mut jobs = Self {
            by_name: BTreeMap::new(),
            by_pattern: BTreeMap::new(),
            names: Vec::new(),
        };
        for one in expanded {
            for instance in one.instances.iter().flatten() {
                let (place, name) = (jobs.names.len(), instance.name.as_str());
                jobs.by_name.insert(name, place);
                let pattern = jobs.by_pattern.entry(one.entry.name.to_string());
                pattern.or_default().push((place, &instance.values));
                jobs.names.push(At {
                    line: one.entry.job.name.line,
                    value: name,
                });
            }
        }
        jobs
    }

    fn named(&self, need: &At<Template>, by: &Instance) -> Result<Vec<usize>, String> {
        if let Some(jobs) = self.by_pattern.get(&need.value.to_string()) {
            let agrees = |values: &Values| {
                let own = by.values.iter();
                own.clone()
                    .all(|(name, value)| values.get(name).is_none_or(|other| other == value))
            };
            let found = jobs.iter().filter(|(_, values)| agrees(values));
            let found: Vec<usize> = found.map(|(place, _)| *place).collect();
            if found.is_empty() {
                let (need, own) = (shown(&need.value.to_string()), told(&by.values));
                return Err(format!(
                    "{need} has no job for {own}, that of {}; exclude it there, or correct the matrix",
                    shown(by.name.as_str())
                ));
            }
            return Ok(found);
        }
        let text = need.value.with(&by.values).to_string();
        let name = need.value.with(&by.values).plain();
        let found = name.and_then(|name| self.by_name.get(name.as_str()).copied());
        found.map(|place| vec![place]).ok_or_else(|| {
            let patterns = self.by_pattern.keys().map(String::as_str);
            let hint = meant(&text, self.by_name.keys().copied().chain(patterns));
            format!("no job of this file is called {}; write a name or a pattern as it stands here.{hint}", shown(&text))
        })
    }

    fn tell_cycle(&self, cycle: &[usize], problems: &mut Problems) {
        let Some(first) = cycle.first().and_then(|first| self.names.get(*first)) else {
            return;
        };
        let names = cycle.iter().chain(cycle.first());
        let names = names.filter_map(|place| self.names.get(*place));
        let names: Vec<String> = names.map(|name| shown(name.value)).collect();
        let message = format!(
            "jobs need each other in a circle: {}; take a needs out",
            names.join(" needs ")
        );
        problems.add(first.line, message);
    }
}

/// A flag that changes nothing was meant otherwise.
fn flags_mean_something(
    expanded: &[Expanded<'_>],
    needs: &[BTreeSet<usize>],
    problems: &mut Problems,
) {
    let needed: BTreeSet<usize> = needs.iter().flatten().copied().collect();
    let mut place = 0;
    for one in expanded {
        let count = one.instances.iter().flatten().count();
        let own = place..place + count;
        if is_on(one.entry.job.only_if_wanted.as_ref()) {
            let mut unneeded = own.zip(one.instances.iter().flatten());
            if let Some((_, unneeded)) = unneeded.find(|(place, _)| !needed.contains(place)) {
                let name = shown(unneeded.name.as_str());
                let line = one
                    .entry
                    .job
                    .only_if_wanted
                    .as_ref()
                    .map_or(one.entry.job.line, |flag| flag.line);
                problems.add(line, format!("no job of this file needs {name}, so only-if-wanted would never let it run; name it in a needs, or take this out"));
            }
        }
        if let Some(flag) = one
            .entry
            .job
            .stale_with_inputs
            .as_ref()
            .filter(|flag| flag.value)
            && one.entry.job.needs.is_empty()
        {
            problems.add(flag.line, "this job needs no other one, so it has no inputs to be stale with; name them in needs, or take this out");
        }
        place += count;
    }
}

/// Jobs that need each other in a circle, in the order in which they do.
fn cycle(needs: &[BTreeSet<usize>]) -> Option<Vec<usize>> {
    let mut done = vec![false; needs.len()];
    for start in 0..needs.len() {
        if let Some(cycle) = cycle_from(start, needs, &mut done) {
            return Some(cycle);
        }
    }
    None
}

/// Goes down without recursion: a chain may be as long as there are jobs.
fn cycle_from(start: usize, needs: &[BTreeSet<usize>], done: &mut [bool]) -> Option<Vec<usize>> {
    let below = |job: usize| needs.get(job).into_iter().flatten().copied();
    let mut path = vec![start];
    let mut open: BTreeSet<usize> = BTreeSet::from([start]);
    let mut left = vec![below(start).collect::<Vec<_>>()];
    while let Some(next) = left.last_mut() {
        match next.pop() {
            Some(job) if open.contains(&job) => {
                let begin = path.iter().position(|one| *one == job)?;
                return Some(path.split_off(begin));
            }
            Some(job) if done.get(job).copied().unwrap_or(true) => {}
            Some(job) => {
                path.push(job);
                open.insert(job);
                left.push(below(job).collect());
            }
            None => {
                left.pop();
                if let Some(job) = path.pop() {
                    open.remove(&job);
                    if let Some(done) = done.get_mut(job) {
                        *done = true;
                    }
                }
            }
        }
    }
    None
}

//! Invariants of the fleet: what is launched, on what, and when it ends.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, JobId, RunAttempt, RunId};
use reprise_model::instance::Capacity;

use super::Mandate;
use crate::github::Job;
use crate::machine::{Activity, Machine, RunnerStart};
use crate::world::World;

/// The most launches for a job that was queued: a second one where the first brought no machine, or
/// where another job took it.
const MOST_LAUNCHES: usize = 2;

/// The most replacements of machines that were lost before their job had one: three launches are allowed,
/// and each may be doubled by an answer that was lost.
const MOST_REPLACED: usize = 4;

/// A runner that is not up by then may be replaced.
const COMES_UP_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// 3: what executes in an attempt after the first does so on on-demand capacity.
pub(super) fn later_attempts_are_on_demand(world: &World) -> Vec<String> {
    let runs = world.github().runs();
    let attempts = runs.flat_map(|run| run.attempts().map(move |attempt| (run, attempt)));
    let later = attempts.filter(|(_, attempt)| !attempt.number.is_first());
    let executions = later.flat_map(|(run, attempt)| {
        let jobs = attempt.jobs.values().filter(|job| !job.is_carried_over());
        jobs.map(move |job| (run, attempt, job))
    });
    executions
        .filter_map(|(run, attempt, job)| {
            let machine = world.machine_of_runner(&job.runner.as_ref()?.name)?;
            (machine.capacity == Capacity::Spot).then(|| {
                let (name, run, attempt) = (&job.name, run.id, attempt.number);
                format!("{name} of run {run} ran on spot in attempt {attempt}")
            })
        })
        .collect()
}

/// 3, at a launch: an instance for a job of an attempt after the first is on-demand, where nothing
/// else was told. Where it is launched for an earlier attempt's job, and a later one takes it, nobody
/// could tell at the launch.
pub(super) fn spot_for_a_later_attempt(
    world: &World,
    mandate: Mandate,
    machine: &Machine,
) -> Option<String> {
    let (run, attempt, job) = world.github().job(machine.launched_for?)?;
    let wrong = machine.capacity == Capacity::Spot && mandate.keeps_off_spot(world, attempt, job);
    wrong.then(|| {
        let (id, name, run, attempt) = (&machine.id, &job.name, run.id, attempt.number);
        format!("{id} was launched on spot for {name} of run {run} in attempt {attempt}")
    })
}

/// 7, at a launch: nothing is launched where the machines are somebody else's.
pub(super) fn launched_unasked(mandate: Mandate, machine: &Machine) -> Option<String> {
    (mandate.retries_only && machine.ours).then(|| {
        let id = &machine.id;
        format!("{id} was launched, and nothing is to be launched")
    })
}

/// Jobs that may share a launch: of one attempt, with the same labels. GitHub gives any of them to the
/// runner of any of their machines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alike {
    run: RunId,
    attempt: RunAttempt,
    labels: Option<Vec<String>>,
}

/// 7, at a launch: the launches of queued jobs that are alike are bounded by their number. `launches`
/// tells those that they had. One that can bring none of them anything any more may be replaced,
/// [`MOST_REPLACED`] times a job.
pub(super) fn one_launch_too_many(
    world: &World,
    launches: &mut BTreeMap<Alike, Vec<InstanceId>>,
    machine: &Machine,
) -> Option<String> {
    let job = machine.launched_for?;
    let (run, attempt, record) = world.github().job(job)?;
    // Where runners are made for their machines, jobs share a launch whatever their labels are.
    let by_labels = match world.settings().machines.runner {
        RunnerStart::BroughtAlong => Some(&record.labels),
        RunnerStart::JustInTime => None,
    };
    let alike = Alike {
        run: run.id,
        attempt: attempt.number,
        labels: by_labels.cloned(),
    };
    let jobs = attempt.jobs.values();
    let is_alike = |one: &Job| by_labels.is_none_or(|labels| one.labels == *labels);
    let jobs = jobs.filter(|one| !one.is_carried_over() && is_alike(one));
    let jobs: BTreeSet<JobId> = jobs.map(|job| job.id).collect();
    let earlier = launches.entry(alike).or_default();
    let machines = earlier.iter().filter_map(|id| world.machine(id));
    let lost = machines.filter(|one| is_lost(one, &jobs, machine.launched_at));
    let most = jobs.len() * MOST_LAUNCHES + lost.count().min(jobs.len() * MOST_REPLACED);
    earlier.push(machine.id.clone());
    let launched = earlier.len();
    (launched > most).then(|| {
        format!(
            "{} is launch {launched} for job {job} and those alike, and {most} are the most",
            machine.id
        )
    })
}

/// Whether a machine can bring these jobs nothing any more: it ended, another job took it, or its runner
/// had time enough to come up.
fn is_lost(machine: &Machine, jobs: &BTreeSet<JobId>, now: Timestamp) -> bool {
    let has_one = machine.job.is_some_and(|job| jobs.contains(&job));
    let is_of_use = match machine.activity {
        Activity::Booting | Activity::Idle => now < machine.launched_at + COMES_UP_WITHIN,
        Activity::Working
        | Activity::Stopping
        | Activity::Dying
        | Activity::Done
        | Activity::Gone => has_one,
    };
    !is_of_use || (machine.ending.is_some() && !has_one)
}

/// 6: only instances with our stack's tag are ended, and none whose job is running, among the
/// terminations from the `from`-th on.
pub(super) fn only_ours_and_idle_are_terminated(world: &World, from: usize) -> Vec<String> {
    let mut broken = Vec::new();
    for termination in world.terminations().iter().skip(from) {
        let id = &termination.instance;
        if !termination.ours {
            broken.push(format!("{id} was terminated, and it lacks our stack's tag"));
        }
        if let Some(job) = termination.running {
            broken.push(format!("{id} was terminated while job {job} ran on it"));
        }
    }
    broken
}

/// 7: no instance is left, and the launches of a job are bounded.
pub(super) fn nothing_outlives_its_job(world: &World) -> Vec<String> {
    let left = left(world).into_iter();
    let left = left.map(|id| format!("{id} was never ended"));
    left.chain(too_many_launches(world)).collect()
}

/// Instances that have not begun to end.
pub(super) fn left(world: &World) -> Vec<InstanceId> {
    let instances = world.instances();
    let left = instances.filter(|instance| instance.is_alive());
    left.map(|instance| instance.id.clone()).collect()
}

/// Launches and jobs are brought together by their labels, as GitHub does it.
fn too_many_launches(world: &World) -> Vec<String> {
    let mut launches: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    for machine in world.machines() {
        *launches.entry(wanted_labels(world, machine)).or_default() += 1;
    }
    let queued = queued(world);
    let too_many = launches.into_iter().filter_map(|(labels, launches)| {
        let jobs = queued.get(&labels).copied().unwrap_or_default();
        (launches > jobs * MOST_LAUNCHES).then(|| {
            let labels = labels.join(" ");
            format!("{launches} launches for {jobs} queued jobs with the labels {labels:?}")
        })
    });
    too_many.collect()
}

/// The labels that a machine was launched for: those of its runner, or of its job where it has none.
fn wanted_labels<'a>(world: &'a World, machine: &'a Machine) -> Vec<&'a str> {
    let job = machine.launched_for.and_then(|job| world.github().job(job));
    let labels = match (machine.labels.as_slice(), job) {
        ([], Some((_, _, job))) => &job.labels,
        _ => &machine.labels,
    };
    let words = labels.iter().flat_map(|label| label.split_whitespace());
    words.collect()
}

/// How often a job with these labels was queued.
fn queued(world: &World) -> BTreeMap<Vec<&str>, usize> {
    let mut queued: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
    let attempts = world.github().runs().flat_map(|run| run.attempts());
    let jobs = attempts.flat_map(|attempt| attempt.jobs.values());
    for job in jobs.filter(|job| !job.is_carried_over()) {
        let words = job.labels.iter().flat_map(|label| label.split_whitespace());
        *queued.entry(words.collect()).or_default() += 1;
    }
    queued
}

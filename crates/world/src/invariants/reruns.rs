//! Invariants of automatic re-runs: those that came in over the API.
//!
//! What people do on GitHub's pages is not among them. What counts as evidence is judged by what
//! really happened to the machine up to the moment of the re-run, not by what a program saw of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::RunId;
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_model::policy::{FailurePolicy, MixedReruns, RetryPolicy};
use reprise_model::run::CancelCause;

use super::Mandate;
use super::mandate::{is_yes, said_of};
use crate::github::{Attempt, Cancel, GitHub, Job, Mutation, MutationKind, Run, Step};
use crate::world::World;

/// How long before a re-run a newer run must have been there for the re-run to be wrong: the look
/// for one, the commit and the request are not one moment.
const NEWER_RUN_MUST_BE_SEEN_AFTER: SignedDuration = SignedDuration::from_secs(120);

/// 1: no automatic re-run past the policy's limit, among the mutations from the `from`-th on. That
/// an execution is not re-run twice needs no look: whatever GitHub re-runs executes anew, so the
/// second re-run is one of another execution. A fail-fast sibling comes back with the job that it was
/// cancelled beside, whatever its own limit.
pub(super) fn never_past_the_limit(world: &World, mandate: Mandate, from: usize) -> Vec<String> {
    let github = world.github();
    let mut broken = Vec::new();
    for rerun in accepted(github, mandate, from) {
        if rerun.may_take_others_along(world) {
            continue;
        }
        for job in rerun.meant(world) {
            if !rerun.is_within_its_limit(world, job) && !rerun.was_left_behind(world, job) {
                let policy = mandate.policy(world, job);
                broken.push(format!(
                    "{} was re-run after execution {} in attempt {}, and its policy is {policy}",
                    rerun.named(job),
                    number_of(rerun.run, job),
                    rerun.from.number,
                ));
            }
        }
    }
    broken
}

/// 2: no automatic re-run without what the policy demands, none of a success, and none against the
/// word of a person or beside a newer run.
pub(super) fn only_as_policies_say(world: &World, mandate: Mandate, from: usize) -> Vec<String> {
    accepted(world.github(), mandate, from)
        .flat_map(|rerun| {
            let mut broken = rerun.unwanted(world);
            broken.extend(rerun.against_somebody(world));
            broken
        })
        .collect()
}

/// How often runs had been read before they were changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Reads(BTreeMap<RunId, Before>);

/// How often a run had been read before its last change.
#[derive(Debug, Clone, Copy)]
struct Before {
    reads: u64,
    /// How many of these reads serve one more cancel each.
    unused: u64,
    was_cancel: bool,
}

/// 5: no call that changes a run is repeated without reading the run in between.
pub(super) fn never_without_reading_in_between(world: &World) -> Vec<String> {
    let mut reads = Reads::default();
    let mutations = world.github().mutations().iter();
    mutations
        .filter_map(|mutation| reads.unread(mutation))
        .collect()
}

impl Reads {
    /// The same for one more mutation. Two jobs that wait in vain may have their run cancelled at the same
    /// time, each after a read of its own.
    pub(super) fn unread(&mut self, mutation: &Mutation) -> Option<String> {
        let run = mutation.run?;
        let reads = mutation.reads_before;
        let was_cancel = mutation.what == MutationKind::CancelRun;
        let last = self.0.get(&run);
        let new = reads.saturating_sub(last.map_or(0, |last| last.reads));
        let is_beside = was_cancel && last.is_some_and(|last| last.was_cancel);
        let unused = last.map_or(0, |last| if is_beside { last.unused } else { 0 }) + new;
        let repeated = last.is_some() && unused == 0;
        let now = Before {
            reads,
            unused: unused.saturating_sub(1),
            was_cancel,
        };
        self.0.insert(run, now);
        repeated.then(|| {
            let at = mutation.at;
            format!("run {run} was changed twice without reading it in between, at {at}")
        })
    }
}

/// A re-run that was carried out.
pub(super) struct Accepted<'a> {
    pub(super) mutation: &'a Mutation,
    pub(super) run: &'a Run,
    /// The attempt that it was asked for.
    pub(super) from: &'a Attempt,
    /// The attempt that it made.
    to: &'a Attempt,
    mandate: Mandate,
}

pub(super) fn accepted(
    github: &GitHub,
    mandate: Mandate,
    from: usize,
) -> impl Iterator<Item = Accepted<'_>> {
    github
        .mutations()
        .iter()
        .skip(from)
        .filter_map(move |mutation| {
            let is_rerun = match mutation.what {
                MutationKind::RerunJob | MutationKind::RerunFailedJobs | MutationKind::RerunRun => {
                    true
                }
                MutationKind::CancelRun => false,
            };
            let run = github.run(mutation.run?)?;
            let from = mutation.attempt?;
            (is_rerun && mutation.acted).then_some(())?;
            Some(Accepted {
                mutation,
                run,
                from: run.attempt(from)?,
                to: run.attempt(from.next())?,
                mandate,
            })
        })
}

impl<'a> Accepted<'a> {
    /// The jobs that the call was about and that execute again. Their dependents come back with
    /// them, and are not meant.
    pub(super) fn roots(&self) -> Vec<&'a Job> {
        let jobs = self.from.jobs.values();
        let again = jobs.filter(|job| {
            let mut records = self.to.jobs.values();
            !records.any(|record| record.carried_over_from == Some(job.id))
        });
        let about = |job: &&Job| match self.mutation.what {
            MutationKind::RerunJob => self.mutation.job == Some(job.id),
            MutationKind::RerunFailedJobs => failed(job),
            MutationKind::RerunRun => true,
            MutationKind::CancelRun => false,
        };
        again.filter(about).collect()
    }

    /// The jobs whose policy the call was to serve: what has to come along with others is not
    /// counted against its own limit.
    fn meant(&self, world: &World) -> Vec<&'a Job> {
        let roots = self.roots().into_iter();
        match self.mutation.what {
            MutationKind::RerunFailedJobs => {
                roots.filter(|job| self.is_wanted(world, job)).collect()
            }
            MutationKind::RerunJob | MutationKind::RerunRun | MutationKind::CancelRun => {
                roots.collect()
            }
        }
    }

    fn unwanted(&self, world: &World) -> Vec<String> {
        let allowed = |job: &Job| match self.mutation.what {
            MutationKind::RerunJob => {
                self.is_wanted(world, job) || self.was_left_behind(world, job)
            }
            MutationKind::RerunFailedJobs => {
                self.is_wanted(world, job) || self.may_take_others_along(world)
            }
            MutationKind::RerunRun | MutationKind::CancelRun => false,
        };
        if self.mutation.what == MutationKind::RerunRun {
            return vec![format!("run {} was re-run as a whole", self.run.id)];
        }
        let roots = self.roots().into_iter();
        let unwanted = roots.filter(|job| !allowed(job));
        unwanted
            .map(|job| format!("{} was re-run, and nothing asked for it", self.named(job)))
            .collect()
    }

    fn is_wanted(&self, world: &World, job: &Job) -> bool {
        is_wanted(world, self.mandate, job, self.mutation.at)
    }

    /// A fail-fast sibling of an interrupted job must come back with it. Where re-running the failed
    /// jobs left it behind, it is asked for by the id of the record that was carried over.
    fn was_left_behind(&self, world: &World, job: &Job) -> bool {
        let origin = origin(world.github(), job);
        job.is_carried_over()
            && may_be_sibling_of_wanted(world, self.mandate, origin, self.mutation.at)
    }

    /// GitHub re-runs one job or all failed ones. Where several are wanted, or a sibling that was
    /// cancelled with one, real failures have to come along, and so has what has had its re-runs. What is wanted need not execute again:
    /// whether cancelled jobs are taken along by that call is unsettled.
    fn may_take_others_along(&self, world: &World) -> bool {
        if self.mutation.what != MutationKind::RerunFailedJobs {
            return false;
        }
        let failed: Vec<&Job> = self.from.jobs.values().filter(|job| failed(job)).collect();
        let (wanted, others): (Vec<&Job>, Vec<&Job>) = failed
            .iter()
            .partition(|job| self.is_wanted(world, job) && self.is_within_its_limit(world, job));
        let cancelled = |job: &&Job| job.conclusion == Some(Conclusion::Cancelled);
        let real_failures_stay = match self.mandate.mixed {
            MixedReruns::FailedJobs => false,
            MixedReruns::Sequential => true,
        };
        if real_failures_stay && !others.iter().all(cancelled) {
            return false;
        }
        wanted.len() > 1 || (wanted.len() == 1 && others.iter().any(cancelled))
    }

    /// A person's chance is one more re-run, however many there were before it.
    fn is_within_its_limit(&self, world: &World, job: &Job) -> bool {
        let chances = world.chances(self.run.id, job.place());
        self.is_within_its_policy(world, job) || self.chances_taken(world, job.place()) < chances
    }

    /// An interruption is counted by the executions of the job, a failure by the attempts of the run.
    fn is_within_its_policy(&self, world: &World, job: &Job) -> bool {
        let policy = self.mandate.policy(world, job);
        let is_failure = is_failure_to_re_run(world, self.mandate, job)
            && !was_interrupted(world, self.mandate, job, self.mutation.at);
        if is_failure {
            attempt_of(world, job) <= Some(policy.last_retried_execution())
        } else {
            number_of(self.run, job) <= limit(policy)
        }
    }

    /// How many of the re-runs before this one had the job at a place go past its policy.
    fn chances_taken(&self, world: &World, place: usize) -> u32 {
        let earlier = accepted(world.github(), self.mandate, 0)
            .filter(|one| one.run.id == self.run.id && one.from.number < self.from.number);
        let past_its_policy = |one: &Accepted<'_>| {
            let meant = one.meant(world).into_iter();
            meant
                .filter(|job| job.place() == place)
                .any(|job| !one.is_within_its_policy(world, job))
        };
        let taken = earlier.filter(past_its_policy).count();
        u32::try_from(taken).unwrap_or(u32::MAX)
    }

    /// A person's cancel is never answered by a re-run, nor is one by the concurrency group; and
    /// where a newer run of the same workflow, event and branch exists, the older one may cancel it.
    fn against_somebody(&self, world: &World) -> Option<String> {
        let id = self.run.id;
        match stopped_by(world.github(), self.from) {
            Some(CancelCause::Person) => {
                return Some(format!(
                    "run {id} was re-run after a person had cancelled it"
                ));
            }
            Some(CancelCause::Superseded) => {
                return Some(format!(
                    "run {id} was re-run after a newer one had taken its place"
                ));
            }
            Some(CancelCause::Ours | CancelCause::FailFast | CancelCause::Unreadable) | None => {}
        }
        let newer = newer_run(world.github(), self.run)?;
        let seen_for = self.mutation.at.duration_since(newer.created_at);
        (seen_for > NEWER_RUN_MUST_BE_SEEN_AFTER)
            .then(|| format!("run {id} was re-run beside the newer run {}", newer.id))
    }

    fn named(&self, job: &Job) -> String {
        let repository = &self.run.spec.repository;
        format!("{} of run {} in {repository}", job.name, self.run.id)
    }
}

/// Whether an automatic re-run of the job is what its policy asks for, with what there was by then:
/// it was interrupted, or its policy re-runs failures and it is one. The tag alone is enough for an
/// interruption under `evidence = "claim"`, also one that the job forged, and never under `"proof"`.
pub(super) fn is_wanted(world: &World, mandate: Mandate, job: &Job, known: Timestamp) -> bool {
    let policy = mandate.policy(world, job);
    let is_told = policy.endpoint().is_none() || was_told_to(world, job);
    let may_be = policy != RetryPolicy::Never && is_told;
    (may_be && was_interrupted(world, mandate, job, known))
        || is_failure_to_re_run(world, mandate, job)
        || (policy != RetryPolicy::Never && has_a_chance(world, job))
}

/// Whether a person asked for one more re-run of a job that did not pass.
fn has_a_chance(world: &World, job: &Job) -> bool {
    let run = world.github().job(job.id).map(|(run, _, _)| run.id);
    failed(job) && run.is_some_and(|run| world.chances(run, job.place()) > 0)
}

/// Whether a job failed, wherever it ran, in an attempt that ended as failed, and its policy re-runs
/// that, or may.
pub(super) fn is_failure_to_re_run(world: &World, mandate: Mandate, job: &Job) -> bool {
    let origin = origin(world.github(), job);
    let ended = world
        .github()
        .job(origin.id)
        .map(|(_, attempt, _)| &attempt.conclusion);
    let may_be_meant = match mandate.policy(world, job).failure() {
        Some(FailurePolicy::WhenFailed) => true,
        Some(FailurePolicy::WhenTransient) => is_transient(world.github(), job) != Some(false),
        None => mandate.policy(world, job).endpoint().is_some() && was_told_to(world, job),
    };
    may_be_meant
        && origin.runner.is_some()
        && [Some(Conclusion::Failure), Some(Conclusion::TimedOut)].contains(&origin.conclusion)
        && ended == Some(&Some(Conclusion::Failure))
}

/// Whether the endpoint said to re-run it.
fn was_told_to(world: &World, job: &Job) -> bool {
    said_of(world, job).iter().any(is_yes)
}

/// Whether the policy of a failed job surely means its failure. Of one whose endpoint says so the asking may
/// have come too late, as the event of a job may be lost.
pub(super) fn is_surely_meant(world: &World, mandate: Mandate, job: &Job) -> bool {
    match mandate.policy(world, job).failure() {
        Some(FailurePolicy::WhenFailed) => true,
        Some(FailurePolicy::WhenTransient) => is_transient(world.github(), job) == Some(true),
        None => false,
    }
}

/// Whether a failure is of its surroundings. `None` where that is left to whoever judges it: its log is
/// gone, or no step of it failed.
fn is_transient(github: &GitHub, job: &Job) -> Option<bool> {
    let origin = origin(github, job);
    let (run, _, _) = github.job(origin.id)?;
    let failed = |step: &Step| step.conclusion == Conclusion::Failure;
    origin.steps.iter().find(|step| failed(step))?;
    let fails = run.spec_of(origin).and_then(|spec| spec.fails.as_ref());
    if !fails.is_some_and(|fails| fails.is_transient) {
        return Some(false);
    }
    github.log_of(origin.id).map(|_| true)
}

/// The number of the attempt in which the job really executed.
fn attempt_of(world: &World, job: &Job) -> Option<u32> {
    let origin = origin(world.github(), job);
    let attempt = world.github().job(origin.id).map(|(_, attempt, _)| attempt);
    attempt.map(|attempt| attempt.number.get())
}

/// Whether a job failed on a spot instance, and what there was by then says that EC2 took it.
pub(super) fn was_interrupted(
    world: &World,
    mandate: Mandate,
    job: &Job,
    known: Timestamp,
) -> bool {
    let runner = job.runner.as_ref();
    let machine = runner.and_then(|runner| world.machine_of_runner(&runner.name));
    let Some((machine, times)) = machine.zip(job.started_at.zip(job.completed_at)) else {
        return false;
    };
    failed(job)
        && machine.capacity == Capacity::Spot
        && machine.may_explain(times, known, mandate.evidence)
}

/// Whether a job, in the attempt in which it really was, was cancelled beside a wanted one of the
/// same matrix, and by fail-fast for all that anybody can tell: where annotations may not be read,
/// every part of the matrix that was cancelled is taken for such a sibling. Only wanted parts that
/// `count` are looked at.
pub(super) fn is_sibling_of_wanted(
    world: &World,
    mandate: Mandate,
    job: &Job,
    known: Timestamp,
    count: impl Fn(&Job) -> bool,
) -> bool {
    let cannot_be_read = world.github().faults().no_checks_read;
    let is_wanted = |part: &Job| is_wanted(world, mandate, part, known) && count(part);
    is_cancelled_beside(world, job, cannot_be_read, is_wanted)
}

/// Whether a job may be taken for such a sibling: also where its own annotations say nothing.
fn may_be_sibling_of_wanted(world: &World, mandate: Mandate, job: &Job, known: Timestamp) -> bool {
    let messages = job.annotations.iter().map(|one| one.message.as_str());
    let says_nothing = world.github().faults().no_checks_read
        || CancelCause::from_annotations(messages) == CancelCause::Unreadable;
    is_cancelled_beside(world, job, says_nothing, |part| {
        is_wanted(world, mandate, part, known)
    })
}

fn is_cancelled_beside(
    world: &World,
    job: &Job,
    cause_is_unknown: bool,
    is_wanted: impl Fn(&Job) -> bool,
) -> bool {
    let Some((run, attempt, _)) = world.github().job(job.id) else {
        return false;
    };
    let matrix_of = |job: &Job| run.spec_of(job).and_then(|spec| spec.matrix.as_ref());
    let Some(matrix) = matrix_of(job).filter(|matrix| matrix.fail_fast || cause_is_unknown) else {
        return false;
    };
    // What was carried over into the attempt had ended before it, and cancels nobody.
    let mut others = attempt
        .jobs
        .values()
        .filter(|other| other.id != job.id && !other.is_carried_over());
    job.conclusion == Some(Conclusion::Cancelled)
        && others.any(|other| {
            matrix_of(other).is_some_and(|one| one.group == matrix.group) && is_wanted(other)
        })
}

/// Who stopped a job of this very attempt, as its annotations tell whoever may read them.
pub(super) fn stopped_by(github: &GitHub, attempt: &Attempt) -> Option<CancelCause> {
    let cause = match attempt.cancelled.as_ref()? {
        Cancel::Person(_) => CancelCause::Person,
        Cancel::Superseded { .. } => CancelCause::Superseded,
    };
    let stopped = |job: &Job| {
        let messages = job.annotations.iter().map(|one| one.message.as_str());
        !job.is_carried_over()
            && job.conclusion == Some(Conclusion::Cancelled)
            && CancelCause::from_annotations(messages) == cause
    };
    let readable = !github.faults().no_checks_read;
    (readable && attempt.jobs.values().any(stopped)).then_some(cause)
}

/// The oldest of the newer runs of the same workflow, event and branch. One that had waited for long
/// is older than its number tells.
pub(super) fn newer_run<'a>(github: &'a GitHub, run: &Run) -> Option<&'a Run> {
    let branch = run.spec.head_branch.as_ref()?;
    github.runs().find(|other| {
        (other.created_at, other.id) > (run.created_at, run.id)
            && other.workflow == run.workflow
            && other.spec.event == run.spec.event
            && other.spec.head_branch.as_ref() == Some(branch)
    })
}

/// Whether a newer run may have taken the place of one, or another one may have had its concurrency group.
pub(super) fn has_a_rival(github: &GitHub, run: &Run) -> bool {
    let group = run.spec.concurrency.as_ref().map(|one| &one.group);
    let shares = |other: &Run| {
        let its = other.spec.concurrency.as_ref().map(|one| &one.group);
        other.id != run.id && other.spec.repository == run.spec.repository && its == group
    };
    newer_run(github, run).is_some() || (group.is_some() && github.runs().any(shares))
}

pub(super) fn failed(job: &Job) -> bool {
    job.conclusion
        .as_ref()
        .is_some_and(Conclusion::is_unsuccessful)
}

/// That `retry=false` allows none at all is the business of invariant 2, which knows who had to come
/// along with others.
pub(super) fn limit(policy: RetryPolicy) -> u32 {
    match policy {
        RetryPolicy::WhenInterrupted(_)
        | RetryPolicy::WhenFailed(_)
        | RetryPolicy::WhenTransient(_)
        | RetryPolicy::Ask(_) => policy,
        RetryPolicy::Never => RetryPolicy::USUAL,
    }
    .last_retried_execution()
}

/// The record in which a job really executed.
pub(super) fn origin<'a>(github: &'a GitHub, job: &'a Job) -> &'a Job {
    let before = job.carried_over_from.and_then(|id| github.job(id));
    before.map_or(job, |(_, _, job)| origin(github, job))
}

/// Which execution of its key a record shows, from 1. A record without a runner, as of a job that
/// was cancelled while it was queued, is none and so counts as the one that comes next.
pub(super) fn number_of(run: &Run, job: &Job) -> u32 {
    let shown = job.runner.as_ref().map(|runner| runner.id);
    let earlier = run
        .executions_at(job.place())
        .take_while(|one| one.runner.as_ref().map(|runner| runner.id) != shown);
    let before_it = earlier.filter(|one| one.id < job.id).count();
    u32::try_from(before_it)
        .unwrap_or(u32::MAX)
        .saturating_add(1)
}

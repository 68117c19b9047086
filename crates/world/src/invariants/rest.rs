//! The invariants of a world that has come to rest: what was interrupted has an end that can be
//! explained, and nothing is left behind.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::advice::Said;
use reprise_model::ids::JobId;
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, JobStatus};
use reprise_model::policy::{EvidenceRule, RetryPolicy};
use reprise_model::reason::{RefusalKind, SettleReason};
use reprise_model::run::CancelCause;

use super::mandate::said_of;
use super::{Broken, Mandate, doubt, fleet, reruns, told};
use crate::github::{Attempt, Cancel, Job, Run};
use crate::machine::Machine;
use crate::world::World;

/// How long an instance may outlive its job. A sweep a minute looks at it, a job without evidence is
/// looked at for a minute and once more after ten, and one that only its tag says EC2 takes is left
/// to EC2 for a quarter of an hour; the rest is for answers that lag and for faults.
const GRACE: SignedDuration = SignedDuration::from_mins(45);

/// How long an instance may idle that never had a job, after the last job of its run has ended: a
/// re-run may take it, so it is given an hour, and is asked about every half an hour.
const IDLE_GRACE: SignedDuration = SignedDuration::from_mins(100);

/// GitHub re-runs nothing that is older.
const RERUN_ALLOWED_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How long evidence is looked for after a job's end, before its instance is ended.
const LOOKED_FOR: SignedDuration = SignedDuration::from_secs(60);

/// What the ledger of the programs under test says of each job that it tracks, by the id in the
/// attempt in which it was interrupted.
pub type Ledger = BTreeMap<JobId, Verdict>;

/// What the ledger says of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is not settled.
    Open,
    /// It is settled, for this reason.
    Settled(SettleReason),
}

/// What is wrong with a world at rest, beside what [`super::Watch`] finds on the way (4, and that no
/// instance outlives its job, of 7).
pub fn check_at_rest(world: &World, mandate: Mandate, ledger: &Ledger) -> Vec<Broken> {
    let mut ends = Vec::new();
    for run in world.github().runs() {
        if run.is_active() && !is_stuck(world, run) {
            let (id, repository) = (run.id, &run.spec.repository);
            ends.push(format!("run {id} in {repository} is not completed"));
        }
        for attempt in run.attempts() {
            let jobs = attempt.jobs.values();
            let cases = jobs.map(|job| Case {
                world,
                mandate,
                ledger,
                run,
                attempt,
                job,
            });
            ends.extend(cases.filter_map(|case| case.wrong()));
        }
    }
    ends.extend(siblings_left_behind(world, mandate, ledger));
    told([(4, ends), (7, outlived(world))]).collect()
}

/// Whether an active run waits for nothing but jobs that GitHub never ends: their machines are gone
/// without a word, and it does not notice.
pub fn is_stuck(world: &World, run: &Run) -> bool {
    let open = run
        .current()
        .jobs
        .values()
        .filter(|job| !job.is_completed());
    let mut open = open.peekable();
    open.peek().is_some() && open.all(|job| is_forgotten(world, job))
}

fn is_forgotten(world: &World, job: &Job) -> bool {
    let machine = machine_of(world, job);
    let is_gone = machine.is_some_and(|machine| !machine.is_busy());
    job.status == JobStatus::InProgress && is_gone && !job.has_deadline()
}

/// A job in one attempt of its run.
struct Case<'a> {
    world: &'a World,
    mandate: Mandate,
    ledger: &'a Ledger,
    run: &'a Run,
    attempt: &'a Attempt,
    job: &'a Job,
}

impl Case<'_> {
    /// 4: a job that was interrupted and is eligible ends recovered, re-run asked, or given up with
    /// a reason that is true.
    fn wrong(&self) -> Option<String> {
        if self.was_re_run() {
            return None;
        }
        if self.is_failure_to_re_run() {
            return self.wrong_with_failure();
        }
        if !self.is_interrupted() || !self.is_eligible() {
            return None;
        }
        match self.ledger.get(&self.job.id) {
            Some(Verdict::Settled(reason)) if self.is_true(reason) => None,
            Some(Verdict::Settled(reason)) => Some(format!(
                "{} was interrupted and is given up because {reason}, which is not so",
                self.name()
            )),
            Some(Verdict::Open) if is_stuck(self.world, self.run) => None,
            Some(Verdict::Open) => Some(format!("{} was interrupted and still waits", self.name())),
            None if self.is_left_to_others() || self.nobody_could_tell() => None,
            None => Some(format!("{} was interrupted and is forgotten", self.name())),
        }
    }

    /// The same of one that failed and that its policy re-runs for that.
    fn wrong_with_failure(&self) -> Option<String> {
        match self.ledger.get(&self.job.id) {
            Some(Verdict::Settled(reason)) if self.is_true(reason) => None,
            Some(Verdict::Settled(reason)) => Some(format!(
                "{} failed and is given up because {reason}, which is not so",
                self.name()
            )),
            Some(Verdict::Open) if is_stuck(self.world, self.run) => None,
            Some(Verdict::Open) => Some(format!("{} failed and still waits", self.name())),
            None if self.is_left_to_others() => None,
            None => Some(format!(
                "{} failed, its policy is {}, and it is forgotten",
                self.name(),
                self.policy()
            )),
        }
    }

    fn is_failure_to_re_run(&self) -> bool {
        !self.job.is_carried_over()
            && reruns::is_failure_to_re_run(self.world, self.mandate, self.job)
            && reruns::is_surely_meant(self.world, self.mandate, self.job)
            && self.attempt.number.get() <= self.policy().last_retried_execution()
    }

    fn policy(&self) -> RetryPolicy {
        self.mandate.policy(self.world, self.job)
    }

    /// EC2 took its spot instance for good from under it. One that was only stopped may be running
    /// again before anybody looks, and bear no trace of it.
    fn is_interrupted(&self) -> bool {
        let times = self.job.started_at.zip(self.job.completed_at);
        let machine = machine_of(self.world, self.job);
        machine
            .zip(times)
            .is_some_and(|(machine, (started, ended))| {
                !self.job.is_carried_over()
                    && self.job.is_completed()
                    && reruns::failed(self.job)
                    && machine.capacity == Capacity::Spot
                    && (machine.ours || self.mandate.retries_only)
                    && machine.boots == 1
                    && machine.was_taken_during(started, ended).is_some()
            })
    }

    fn is_eligible(&self) -> bool {
        let policy = self.policy();
        policy != RetryPolicy::Never
            && reruns::number_of(self.run, self.job) <= reruns::limit(policy)
    }

    /// Whether a later attempt executed it again, or would have, had what it needs passed; whoever
    /// asked for it.
    fn was_re_run(&self) -> bool {
        let later = self
            .run
            .attempts()
            .filter(|one| one.number > self.attempt.number);
        later
            .flat_map(|attempt| attempt.jobs.values())
            .any(|job| job.place() == self.job.place() && !job.is_carried_over())
    }

    /// Nobody has to write down what others had decided before it could be judged: a later attempt
    /// by somebody else, whose records tell that this one is over.
    fn is_left_to_others(&self) -> bool {
        is_stuck(self.world, self.run) || self.was_moved_on_by_others() || self.is_gone()
    }

    fn is_gone(&self) -> bool {
        self.world.github().is_gone(&self.run.spec.repository)
    }

    /// In this attempt, or in a later one before everything wanted had come back.
    fn was_stopped_by(&self, cause: CancelCause) -> bool {
        let github = self.world.github();
        let attempts = self.run.attempts();
        attempts
            .filter(|attempt| attempt.number >= self.attempt.number)
            .any(|attempt| reruns::stopped_by(github, attempt) == Some(cause))
    }

    /// In this attempt, or in a later one before everything wanted had come back.
    fn was_cancelled_by_us(&self) -> bool {
        let bot = self.world.github().settings().bot();
        let mut attempts = self.run.attempts();
        attempts.any(|attempt| {
            let by_us = |by: &Cancel| matches!(by, Cancel::Person(login) if *login == bot);
            attempt.number >= self.attempt.number && attempt.cancelled.as_ref().is_some_and(by_us)
        })
    }

    /// Without a tag, and with descriptions that lag further than anybody looks, the end of the
    /// instance by an API call after the job's end writes over the only word of EC2; and one that is
    /// somebody else's nobody looks at later.
    fn nobody_could_tell(&self) -> bool {
        let ec2 = &self.world.settings().ec2;
        let Some(machine) = machine_of(self.world, self.job) else {
            return false;
        };
        // Where proof is asked for, a tag is none.
        let is_claimed =
            machine.was_tagged_by(Timestamp::MAX) && self.mandate.evidence == EvidenceRule::Claim;
        let mut ended = self.world.terminations().iter();
        ec2.list_delay.saturating_add(ec2.list_delay_varies_by) > LOOKED_FOR
            && !is_claimed
            && (self.mandate.retries_only
                || ended.any(|termination| termination.instance == machine.id))
    }

    fn was_moved_on_by_others(&self) -> bool {
        let bot = self.world.github().settings().bot();
        let next = self.run.attempt(self.attempt.number.next());
        next.is_some_and(|next| next.triggering_actor != bot)
    }

    /// Whether the reason is what really happened.
    fn is_true(&self, reason: &SettleReason) -> bool {
        match reason {
            SettleReason::AlreadyRerun | SettleReason::EvidenceTooLate => {
                self.was_moved_on_by_others()
            }
            SettleReason::Cancelled => self.was_stopped_by(CancelCause::Person),
            SettleReason::CancelledByUs => self.was_cancelled_by_us(),
            SettleReason::Superseded => {
                self.was_stopped_by(CancelCause::Superseded)
                    || reruns::has_a_rival(self.world.github(), self.run)
            }
            SettleReason::CancelledUnknown => self.is_cancelled_for_no_reason(),
            SettleReason::Refused(refusal) => match refusal.kind {
                // GitHub took the call and did not execute the job, twice.
                RefusalKind::Unknown => self.run.attempts().count() > 1,
                RefusalKind::MissingPermission => self.world.github().faults().no_actions_write,
                // Also the word for a run that has had all its re-runs.
                RefusalKind::NotRetryable => {
                    self.world.github().faults().logs_are_gone || self.run.attempts().count() > 50
                }
                RefusalKind::WorkflowDisabled => {
                    self.world.github().faults().workflows_are_disabled
                }
                RefusalKind::TooOld => {
                    self.world.now().duration_since(self.run.created_at) > RERUN_ALLOWED_FOR
                }
                RefusalKind::NotFound => self.is_gone(),
            },
            SettleReason::RunNotFailed => {
                self.attempt.conclusion != Some(Conclusion::Failure) && self.nobody_could_tell()
            }
            // Judged as a failure, where nothing told of an interruption.
            SettleReason::PermanentFailure
            | SettleReason::UnknownFailure
            | SettleReason::AttemptLimit => {
                !self.is_failure_to_re_run() && self.nobody_could_tell()
            }
            SettleReason::EndpointSaidNo => {
                let no = |said: &Said| matches!(said, Said::No { .. });
                said_of(self.world, self.job).iter().any(no)
            }
            SettleReason::EndpointUnanswered => {
                let nothing = |said: &Said| matches!(said, Said::Nothing { .. });
                let is_so = said_of(self.world, self.job).iter().any(nothing);
                is_so && self.nobody_could_tell()
            }
            SettleReason::Recovered | SettleReason::FailedAgain => false,
            SettleReason::Succeeded
            | SettleReason::NotSpot
            | SettleReason::NotInterrupted
            | SettleReason::Uncorroborated
            | SettleReason::EvidenceExpired
            | SettleReason::OptedOut => false,
            SettleReason::NeverCompleted => is_forgotten(self.world, self.job),
        }
    }

    /// The run ended cancelled, and so did a job that no interruption explains, without a word why: it
    /// may have been a person, whose word is not answered by a re-run. As its own runner's end can
    /// read so, nobody need have cancelled it.
    fn is_cancelled_for_no_reason(&self) -> bool {
        let github = self.world.github();
        let unreadable = |job: &Job| {
            let messages = job.annotations.iter().map(|one| one.message.as_str());
            github.faults().no_checks_read
                || CancelCause::from_annotations(messages) == CancelCause::Unreadable
        };
        let unexplained = |job: &Job| {
            !job.is_carried_over()
                && job.conclusion == Some(Conclusion::Cancelled)
                && !reruns::is_wanted(self.world, self.mandate, job, Timestamp::MAX)
        };
        let mut jobs = self.attempt.jobs.values();
        self.attempt.conclusion == Some(Conclusion::Cancelled)
            && jobs.any(|job| unexplained(job) && unreadable(job))
    }

    fn name(&self) -> String {
        let (run, repository) = (self.run.id, &self.run.spec.repository);
        let (name, id) = (&self.job.name, self.job.id);
        format!("{name} ({id}) of run {run} in {repository}")
    }
}

/// 4: with fail-fast, one interrupted part of a matrix cancels the others, and they come back with
/// it. Judged where the part itself came back by an automatic re-run and nobody moved the run on.
fn siblings_left_behind(world: &World, mandate: Mandate, ledger: &Ledger) -> Vec<String> {
    let mut broken = Vec::new();
    let github = world.github();
    for rerun in reruns::accepted(github, mandate, 0) {
        let run = rerun.run;
        let is_over = !run.is_active() && !is_refused_later(ledger, run);
        let nobody = run.attempts().all(|attempt| {
            let bot = github.settings().bot();
            (attempt.number.is_first() || attempt.triggering_actor == bot)
                && attempt.cancelled.is_none()
        });
        if !is_over || !nobody || reruns::has_a_rival(github, run) {
            continue;
        }
        let cancelled = rerun
            .from
            .jobs
            .values()
            .filter(|job| !job.is_carried_over());
        for job in cancelled {
            let came_back = run.attempts().any(|attempt| {
                attempt.number > rerun.from.number
                    && attempt
                        .jobs
                        .values()
                        .any(|record| record.place() == job.place() && !record.is_carried_over())
            });
            // One that was itself interrupted is judged by its own policy, which may be to stay.
            let at = rerun.mutation.at;
            let is_sibling = reruns::is_sibling_of_wanted(world, mandate, job, at, |part| {
                is_told(world, mandate, ledger, part, at)
            }) && !reruns::was_interrupted(world, mandate, job, at);
            if is_sibling && !came_back {
                broken.push(format!(
                    "{} ({}) of run {} was cancelled beside an interrupted job and did not come back",
                    job.name, job.id, run.id
                ));
            }
        }
    }
    broken
}

/// Whether a part of a matrix that may have been interrupted is one that its instance tells of, or
/// that the programs took for interrupted. Of a notice only an event tells, which may be lost; where
/// the part then ended by itself, and its instance before EC2 took it, nobody can know of it.
fn is_told(world: &World, mandate: Mandate, ledger: &Ledger, part: &Job, known: Timestamp) -> bool {
    ledger.get(&part.id).is_some_and(may_come_back)
        || machine_of(world, part)
            .is_some_and(|machine| machine.bears_a_sign_by(known, mandate.evidence))
}

/// Whether its policy did not give it up.
fn may_come_back(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Open => true,
        Verdict::Settled(reason) => !matches!(
            reason,
            SettleReason::AttemptLimit
                | SettleReason::PermanentFailure
                | SettleReason::UnknownFailure
                | SettleReason::EndpointSaidNo
                | SettleReason::EndpointUnanswered
        ),
    }
}

/// What was asked for twice and not executed is given up, in words.
fn is_refused_later(ledger: &Ledger, run: &Run) -> bool {
    let jobs = run.attempts().flat_map(|attempt| attempt.jobs.keys());
    let mut verdicts = jobs.filter_map(|id| ledger.get(id));
    verdicts.any(|verdict| match verdict {
        Verdict::Settled(SettleReason::Refused(_)) => true,
        Verdict::Settled(_) | Verdict::Open => false,
    })
}

/// 7: no instance outlives its job by more than the grace time, and none is left.
fn outlived(world: &World) -> Vec<String> {
    let left = fleet::left(world).into_iter();
    let mut broken: Vec<String> = left.map(|id| format!("{id} was never ended")).collect();
    for machine in world.machines() {
        let Some((free_at, (ended_at, _))) = free_since(world, machine).zip(machine.ending) else {
            continue;
        };
        let outlived_by = ended_at.duration_since(free_at);
        let grace = match machine.job {
            _ if doubt::may_be_doubted(world, machine) => doubt::GRACE,
            Some(_) => GRACE,
            None => IDLE_GRACE,
        };
        if outlived_by > grace {
            let minutes = outlived_by.as_mins();
            broken.push(format!(
                "{} outlived its job by {minutes} minutes",
                machine.id
            ));
        }
    }
    broken
}

/// Since when a machine has nothing to do: its own job ended, or, where it took none, the run of the
/// job that it was launched for, any of whose later jobs could have taken it. One that a job of it
/// still waited for was not free.
fn free_since(world: &World, machine: &Machine) -> Option<Timestamp> {
    let (ended_at, _) = machine.ending?;
    let (run, _, job) = world.github().job(machine.job.or(machine.launched_for)?)?;
    let last = match machine.job {
        Some(_) => job.completed_at?,
        None if is_waited_for(machine, run, ended_at) => return None,
        None => run
            .attempts()
            .flat_map(|attempt| attempt.jobs.values())
            .filter_map(|job| job.completed_at)
            .filter(|at| *at <= ended_at)
            .max()?,
    };
    Some(last.max(machine.launched_at))
}

fn is_waited_for(machine: &Machine, run: &Run, at: Timestamp) -> bool {
    let offers = |label: &String| machine.labels.contains(label);
    let mut jobs = run.attempts().flat_map(|attempt| attempt.jobs.values());
    jobs.any(|job| {
        let begun = job.runner.as_ref().and(job.started_at).or(job.completed_at);
        job.labels.iter().all(offers)
            && job.created_at <= at
            && begun.is_none_or(|begun| begun > at)
    })
}

fn machine_of<'a>(world: &'a World, job: &Job) -> Option<&'a Machine> {
    world.machine_of_runner(&job.runner.as_ref()?.name)
}

//! The life of the runner machines, between EC2 and GitHub.
//!
//! Each machine's own agenda entry says what happens next to it; an entry that was overtaken finds
//! another activity and does nothing.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, JobId, RunnerName};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_model::tags::TagKeys;

use super::World;
use crate::ec2::{Adopted, Call, CreateTags, EndReason, Interruption};
use crate::fate::Stroke;
use crate::github::{StartError, Step};
use crate::machine::{Activity, Machine, MachineStep, RunnerStart, SignKind, WhenTaken};

/// EC2's usual notice.
const NOTICE: SignedDuration = SignedDuration::from_secs(120);

/// How many random characters end a runner's name, so that no two are ever the same.
const SUFFIX_LENGTH: usize = 5;

/// Why a machine cannot start its runner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunnerError {
    /// Nothing runs there.
    #[error("{0} is no host that is up")]
    NoHost(InstanceId),
    /// A machine has one runner in its life.
    #[error("{0} has had its runner")]
    HasOne(InstanceId),
    /// GitHub does not know the configuration, or knows it as used.
    #[error(transparent)]
    Refused(#[from] StartError),
}

impl World {
    pub(super) fn machine_launched(
        &mut self,
        at: Timestamp,
        id: &InstanceId,
        instance_type: &str,
        capacity: Capacity,
        tags: &BTreeMap<String, String>,
    ) {
        let keys: &TagKeys = &self.settings.tags;
        let labels = tags.get(&keys.labels()).map(String::as_str);
        let stack = tags.get(&keys.stack()).map(String::as_str);
        let launch = tags.get(&keys.launch());
        let launched_for = launch.and_then(|id| id.parse().ok());
        let machine = Machine {
            id: id.clone(),
            labels: labels
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            ours: stack == Some(self.settings.stack.as_str()),
            launched_for: launched_for.map(JobId),
            runner: self.runner_name(id),
            capacity,
            instance_type: instance_type.to_owned(),
            launched_at: at,
            boots: 0,
            notice_at: None,
            signs: Vec::new(),
            resumes_after: None,
            ending: None,
            job: None,
            activity: Activity::Booting,
        };
        self.machines.insert(id.clone(), machine);
        self.launches.push(id.clone());
    }

    /// An instance of another EC2, which runs already.
    pub(super) fn welcome(&mut self, adopted: &Adopted) {
        let Adopted {
            id,
            instance_type,
            capacity,
            tags,
            ..
        } = adopted;
        self.machine_launched(self.now, id, instance_type, *capacity, tags);
        self.machine_runs(self.now, id);
    }

    pub(super) fn machine_runs(&mut self, at: Timestamp, id: &InstanceId) {
        let Some(machine) = self.machines.get_mut(id) else {
            return;
        };
        // A resumed machine: its notice is void, and an ephemeral runner does not come twice.
        machine.boots = machine.boots.saturating_add(1);
        machine.notice_at = None;
        machine.ending = None;
        machine.activity = match machine.job {
            Some(_) => Activity::Done,
            None => Activity::Booting,
        };
        match self.settings.machines.runner {
            RunnerStart::BroughtAlong => self.bring_runner_up(at, id),
            RunnerStart::JustInTime => {}
        }
    }

    fn bring_runner_up(&mut self, at: Timestamp, id: &InstanceId) {
        if !self.never_comes_up() {
            let after = self.settings.machines.boot_takes;
            self.plan(at, after, MachineStep::Register, id);
        }
    }

    /// From now on the runner of every instance that begins to run comes up.
    pub fn runners_come_up(&mut self) {
        self.settings.machines.never_come_up = 0;
    }

    fn never_comes_up(&mut self) -> bool {
        let thousandths = self.settings.machines.never_come_up;
        thousandths > 0 && self.rng.u16(..1_000) < thousandths
    }

    pub(super) fn machine_ends(&mut self, at: Timestamp, id: &InstanceId, reason: EndReason) {
        let when_taken = self.when_taken(id);
        let Some(machine) = self.machines.get_mut(id) else {
            return;
        };
        let is_new = machine.ending.is_none();
        machine.ending.get_or_insert((at, reason));
        match reason {
            EndReason::SpotTermination | EndReason::SpotShutdown if is_new => {
                machine.note_sign(at, SignKind::Taken);
            }
            EndReason::SpotTermination
            | EndReason::SpotShutdown
            | EndReason::FromInside
            | EndReason::UserInitiated
            | EndReason::HostFailure => {}
        }
        let busy = machine.job.filter(|_| machine.is_busy());
        let told = match reason {
            EndReason::SpotTermination | EndReason::SpotShutdown | EndReason::FromInside => {
                when_taken.conclusion().is_some()
            }
            EndReason::UserInitiated | EndReason::HostFailure => false,
        };
        if self.idle.remove(id)
            && let Some(machine) = self.machines.get(id)
        {
            self.github.runner_gone(at, &machine.runner);
        }
        match busy {
            None => self.set(id, Activity::Gone),
            Some(_) if told && self.activity(id) != Some(Activity::Dying) => {
                self.set(id, Activity::Dying);
                let after = self.settings.machines.reports_after;
                self.plan(at, after, MachineStep::Report, id);
            }
            Some(job) => self.lose(at, id, job),
        }
    }

    fn lose(&mut self, at: Timestamp, id: &InstanceId, job: JobId) {
        let lost = match self.when_taken(id) {
            WhenTaken::IsNeverEnded => self.github.lose_runner_unnoticed(at, job),
            WhenTaken::Fails | WhenTaken::IsCancelled | WhenTaken::IsLost => {
                self.github.lose_runner(at, job)
            }
        };
        self.leave_job(id, Activity::Gone);
        // The job may have ended in the same moment; then there is nothing to lose.
        if let Err(error) = lost {
            tracing::debug!(%error, "a host went after its job");
        }
    }

    /// What becomes of the job of a machine that is taken.
    fn when_taken(&self, id: &InstanceId) -> WhenTaken {
        let job = self.machines.get(id).and_then(|machine| machine.job);
        let fated = job.and_then(|job| self.fate_of(job).when_taken);
        fated.unwrap_or(self.settings.machines.when_taken)
    }

    /// An instance stopped; it may be meant to come back.
    pub(super) fn machine_stopped(&mut self, at: Timestamp, id: &InstanceId) {
        let Some(machine) = self.machines.get_mut(id) else {
            return;
        };
        if let Some(after) = machine.resumes_after.take() {
            self.plan(at, after, MachineStep::Resume, id);
        }
    }

    /// Does what is due on the machines.
    pub(super) fn step_machines(&mut self) {
        while let Some((at, step, id)) = self.agenda.first().cloned() {
            if at > self.now {
                break;
            }
            self.agenda.pop_first();
            self.step_machine(at, step, &id);
        }
    }

    fn step_machine(&mut self, at: Timestamp, step: MachineStep, id: &InstanceId) {
        let Some((activity, job)) = self.machines.get(id).map(|one| (one.activity, one.job)) else {
            return;
        };
        match (step, activity, job) {
            (MachineStep::Register, Activity::Booting, None) => self.register(id),
            (MachineStep::Strike, Activity::Working | Activity::Stopping, Some(job)) => {
                let stroke = self.fate_of(job).stroke;
                self.strike(at, id, stroke);
            }
            (MachineStep::Forge, Activity::Working, Some(_)) => self.forge_tag(at, id),
            (MachineStep::Resume, _, _) => self.resume(at, id),
            (MachineStep::Finish, Activity::Working, Some(job)) => {
                let ends = self.fate_of(job).ends;
                self.finish(at, id, job, ends, Activity::Done);
            }
            (MachineStep::Stop, Activity::Stopping, Some(job)) => {
                self.finish(at, id, job, Conclusion::Cancelled, Activity::Done);
            }
            (MachineStep::Report, Activity::Dying, Some(job)) => self.report(at, id, job),
            // Overtaken: the machine ended, or its job did, before this was due.
            (
                MachineStep::Register
                | MachineStep::Strike
                | MachineStep::Forge
                | MachineStep::Finish
                | MachineStep::Stop
                | MachineStep::Report,
                _,
                _,
            ) => {}
        }
    }

    fn register(&mut self, id: &InstanceId) {
        let up = self.instance(id).is_some_and(|instance| instance.is_up());
        if up {
            self.set(id, Activity::Idle);
            self.idle.insert(id.clone());
            self.tell_registered(id);
        }
    }

    /// Something on a machine starts its runner with a just-in-time configuration.
    pub fn start_runner(
        &mut self,
        now: Timestamp,
        id: &InstanceId,
        encoded: &str,
    ) -> Result<(), RunnerError> {
        self.advance(now);
        let instance = self.instance(id);
        let up = instance.is_some_and(|instance| instance.is_up());
        let Some(machine) = self.machines.get_mut(id).filter(|_| up) else {
            return Err(RunnerError::NoHost(id.clone()));
        };
        if machine.activity != Activity::Booting {
            return Err(RunnerError::HasOne(id.clone()));
        }
        let registered = self.github.start_runner(self.now, encoded)?;
        machine.runner = registered.name.clone();
        machine.labels = registered.labels.clone();
        self.register(id);
        self.settle();
        Ok(())
    }

    /// Strikes a machine, whatever it is at. What comes too late, or cannot be (EC2 takes spot
    /// instances only), strikes nothing.
    pub(super) fn strike(&mut self, at: Timestamp, id: &InstanceId, stroke: Stroke) {
        let struck = match stroke {
            Stroke::Usual => {
                self.places
                    .of_mut(id)
                    .ec2
                    .interrupt(at, id, Interruption::terminate(NOTICE))
            }
            Stroke::Interruption {
                interruption,
                resumes_after,
            } => {
                if let Some(machine) = self.machines.get_mut(id) {
                    machine.resumes_after = resumes_after;
                }
                self.places.of_mut(id).ec2.interrupt(at, id, interruption)
            }
            Stroke::HostDies => self.places.of_mut(id).ec2.host_dies(at, id),
            Stroke::PowersOff => self.places.of_mut(id).ec2.shutdown_from_inside(at, id),
        };
        if let Err(error) = struck {
            tracing::debug!(%error, "a stroke came too late");
        }
    }

    /// The job uses the rights of its instance's role, as the agent does.
    fn forge_tag(&mut self, at: Timestamp, id: &InstanceId) {
        let (key, value) = self.places.of(id).ec2.settings().instance_may_tag.clone();
        let request = CreateTags {
            instances: vec![id.clone()],
            tags: BTreeMap::from([(key, value)]),
        };
        let call = Call::by_instance(at, id.clone());
        if let Err(error) = self.places.of_mut(id).ec2.create_tags(&call, &request) {
            tracing::debug!(%error, "a job could not tag its instance");
        }
    }

    fn resume(&mut self, at: Timestamp, id: &InstanceId) {
        if let Err(error) = self.places.of_mut(id).ec2.resume(at, id) {
            tracing::debug!(%error, "an instance that was to come back is gone");
        }
    }

    fn report(&mut self, at: Timestamp, id: &InstanceId, job: JobId) {
        match self.when_taken(id).conclusion() {
            Some(conclusion) => self.finish(at, id, job, conclusion, Activity::Gone),
            None => self.lose(at, id, job),
        }
    }

    fn finish(
        &mut self,
        at: Timestamp,
        id: &InstanceId,
        job: JobId,
        ends: Conclusion,
        then: Activity,
    ) {
        self.leave_job(id, then);
        self.leave_results(at, job, &ends);
        // A runner whose machine is taken stops the step that it is at.
        let cut_off = then == Activity::Gone && ends != Conclusion::Success;
        let last = if cut_off {
            Conclusion::Cancelled
        } else {
            ends.clone()
        };
        let steps = self.steps_of(at, job, last);
        if let Err(error) = self.github.finish_job(at, job, ends, steps) {
            tracing::debug!(%error, "a runner reported a job that had ended already");
        }
    }

    pub(super) fn steps_of(&self, at: Timestamp, job: JobId, last: Conclusion) -> Vec<Step> {
        let known = self.github.job(job);
        let record = known.map(|(_, _, job)| job);
        let fails = known.and_then(|(run, _, job)| run.spec_of(job)?.fails.as_ref());
        let started = record.and_then(|job| job.started_at).unwrap_or(at);
        let name = record.map(|job| job.name.as_str()).unwrap_or_default();
        let step = |name: String, conclusion, started_at, completed_at| Step {
            name,
            conclusion,
            started_at,
            completed_at,
        };
        vec![
            step(
                "Set up job".to_owned(),
                Conclusion::Success,
                started,
                started,
            ),
            step(
                fails.map_or_else(|| format!("Run {name}"), |fails| fails.name.clone()),
                last,
                started,
                at,
            ),
        ]
    }

    /// Idle runners take the jobs that they can; tells whether any did.
    pub(super) fn give_out_jobs(&mut self) -> bool {
        if self.idle.is_empty() || self.github.queued_jobs(None).is_empty() {
            return false;
        }
        let mut any = false;
        for id in self.idle.clone() {
            let Some(machine) = self.machines.get(&id) else {
                continue;
            };
            let (runner, labels) = (&machine.runner, &machine.labels);
            if self.was_taken_out(runner) {
                continue;
            }
            if let Some(job) = self.github.take_job(self.now, runner, labels) {
                self.begin(&id, job);
                any = true;
            }
        }
        any
    }

    /// A runner that was made for its machine and that somebody has removed since gets no job.
    fn was_taken_out(&self, runner: &RunnerName) -> bool {
        match self.settings.machines.runner {
            RunnerStart::BroughtAlong => false,
            RunnerStart::JustInTime => !self.github.has_runner(runner),
        }
    }

    fn begin(&mut self, id: &InstanceId, job: JobId) {
        let fate = self.fate_of(job);
        self.idle.remove(id);
        self.busy.insert(id.clone(), job);
        let Some(machine) = self.machines.get_mut(id) else {
            return;
        };
        machine.job = Some(job);
        machine.activity = Activity::Working;
        let on_spot = machine.capacity == Capacity::Spot;
        let can_be = match fate.stroke {
            Stroke::Usual | Stroke::Interruption { .. } => on_spot,
            Stroke::HostDies | Stroke::PowersOff => true,
        };
        let saved = self.restore_checkpoint(job);
        let takes = (fate.takes - saved).max(SignedDuration::ZERO);
        self.plan(self.now, takes, MachineStep::Finish, id);
        if let Some(after) = fate.interrupted_after.filter(|_| can_be) {
            self.plan(self.now, after, MachineStep::Strike, id);
        }
        if let Some(after) = fate.forges_after {
            self.plan(self.now, after, MachineStep::Forge, id);
        }
    }

    /// Runners hear from GitHub that their job shall stop, or that it has been ended.
    pub(super) fn obey_github(&mut self) -> bool {
        let mut any = false;
        for (id, job) in self.busy.clone() {
            let record = self.github.job(job).map(|(_, _, job)| job);
            let ended = record.is_none_or(|job| job.is_completed());
            let told = record.is_some_and(|job| job.is_told_to_stop());
            if ended {
                self.leave_job(&id, Activity::Done);
                any = true;
            } else if told && self.activity(&id) == Some(Activity::Working) {
                self.set(&id, Activity::Stopping);
                self.plan(
                    self.now,
                    self.settings.machines.stops_in,
                    MachineStep::Stop,
                    &id,
                );
                any = true;
            }
        }
        any
    }

    fn leave_job(&mut self, id: &InstanceId, then: Activity) {
        self.busy.remove(id);
        let ending = self
            .machines
            .get(id)
            .is_some_and(|one| one.ending.is_some());
        self.set(id, if ending { Activity::Gone } else { then });
    }

    fn activity(&self, id: &InstanceId) -> Option<Activity> {
        self.machines.get(id).map(|machine| machine.activity)
    }

    fn set(&mut self, id: &InstanceId, activity: Activity) {
        if let Some(machine) = self.machines.get_mut(id) {
            machine.activity = activity;
        }
    }

    fn plan(&mut self, at: Timestamp, after: SignedDuration, step: MachineStep, id: &InstanceId) {
        let at = at.checked_add(after).unwrap_or(Timestamp::MAX);
        self.agenda.insert((at, step, id.clone()));
    }

    fn runner_name(&mut self, id: &InstanceId) -> RunnerName {
        let suffix = std::iter::repeat_with(|| self.rng.alphanumeric());
        let suffix: String = suffix.take(SUFFIX_LENGTH).collect();
        RunnerName::new(format!("reprise--{id}--{suffix}"))
    }
}

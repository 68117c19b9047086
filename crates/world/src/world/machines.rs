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
use crate::ec2::{Adopted, EndReason, Interruption};
use crate::github::Step;
use crate::machine::{Activity, Machine, MachineStep};

/// EC2's usual notice.
const NOTICE: SignedDuration = SignedDuration::from_secs(120);

/// How many random characters end a runner's name, so that no two are ever the same.
const SUFFIX_LENGTH: usize = 5;

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
        let machine = Machine {
            id: id.clone(),
            labels: labels
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            ours: stack == Some(self.settings.stack.as_str()),
            runner: self.runner_name(id),
            capacity,
            instance_type: instance_type.to_owned(),
            launched_at: at,
            notice_at: None,
            ending: None,
            job: None,
            activity: Activity::Booting,
        };
        self.machines.insert(id.clone(), machine);
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
        machine.notice_at = None;
        machine.ending = None;
        machine.activity = match machine.job {
            Some(_) => Activity::Done,
            None => Activity::Booting,
        };
        self.plan(
            at,
            self.settings.machines.boot_takes,
            MachineStep::Register,
            id,
        );
    }

    pub(super) fn machine_ends(&mut self, at: Timestamp, id: &InstanceId, reason: EndReason) {
        let when_taken = self.settings.machines.when_taken;
        let Some(machine) = self.machines.get_mut(id) else {
            return;
        };
        machine.ending.get_or_insert((at, reason));
        let busy = machine.job.filter(|_| machine.is_busy());
        let told = match reason {
            EndReason::SpotTermination | EndReason::SpotShutdown | EndReason::FromInside => {
                when_taken.conclusion().is_some()
            }
            EndReason::UserInitiated | EndReason::HostFailure => false,
        };
        self.idle.remove(id);
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
        self.leave_job(id, Activity::Gone);
        // The job may have ended in the same moment; then there is nothing to lose.
        if let Err(error) = self.github.lose_runner(at, job) {
            tracing::debug!(%error, "a host went after its job");
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
            (MachineStep::Interrupt, Activity::Working | Activity::Stopping, Some(_)) => {
                self.interrupt(at, id);
            }
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
                | MachineStep::Interrupt
                | MachineStep::Finish
                | MachineStep::Stop
                | MachineStep::Report,
                _,
                _,
            ) => {}
        }
    }

    fn register(&mut self, id: &InstanceId) {
        let up = self
            .ec2
            .instance(id)
            .is_some_and(|instance| instance.is_up());
        if up {
            self.set(id, Activity::Idle);
            self.idle.insert(id.clone());
            self.tell_registered(id);
        }
    }

    fn interrupt(&mut self, at: Timestamp, id: &InstanceId) {
        if let Err(error) = self.ec2.interrupt(at, id, Interruption::terminate(NOTICE)) {
            tracing::debug!(%error, "an interruption came too late");
        }
    }

    fn report(&mut self, at: Timestamp, id: &InstanceId, job: JobId) {
        match self.settings.machines.when_taken.conclusion() {
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
        let steps = self.steps_of(at, job, &ends);
        if let Err(error) = self.github.finish_job(at, job, ends, steps) {
            tracing::debug!(%error, "a runner reported a job that had ended already");
        }
    }

    fn steps_of(&self, at: Timestamp, job: JobId, ends: &Conclusion) -> Vec<Step> {
        let record = self.github.job(job).map(|(_, _, job)| job);
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
            step(format!("Run {name}"), ends.clone(), started, at),
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
            if let Some(job) = self.github.take_job(self.now, runner, labels) {
                self.begin(&id, job);
                any = true;
            }
        }
        any
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
        self.plan(self.now, fate.takes, MachineStep::Finish, id);
        if let Some(after) = fate.interrupted_after.filter(|_| on_spot) {
            self.plan(self.now, after, MachineStep::Interrupt, id);
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

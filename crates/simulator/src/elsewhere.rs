//! Somebody else's fleet, in whose place the controllers only retry.
//!
//! It launches a machine for every queued job, spot in every attempt unless the job's label says
//! otherwise, and a machine powers itself off when it has had its job or waited in vain. What it
//! bears are its labels alone: no tag of our stack, and nothing that names a job.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, JobId};
use reprise_model::instance::Capacity;
use reprise_model::job::JobStatus;
use reprise_model::labels::{self, SpotChoice};
use reprise_world::ec2::Fleet;
use reprise_world::fate::Stroke;
use reprise_world::machine::Activity;
use reprise_world::world::World;

use crate::plan::{Dice, others};

/// A queued job is heard of within this.
const HEARD_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// A launch that brought nothing is tried again after this.
const TRIED_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// A machine waits so long for a job.
const IDLES_FOR: SignedDuration = SignedDuration::from_mins(15);

/// A machine powers itself off within this, once it has had its job.
const ENDS_WITHIN: SignedDuration = SignedDuration::from_secs(60);

/// Somebody else's fleet.
#[derive(Debug)]
pub struct Elsewhere {
    dice: Dice,
    /// Whether it launches a second machine beside each.
    keeps_ready: bool,
    heard: BTreeSet<JobId>,
    machines: BTreeSet<InstanceId>,
    /// Machines that are about to be ended.
    ending: BTreeSet<InstanceId>,
    agenda: BTreeMap<(Timestamp, u64), Todo>,
    planned: u64,
}

#[derive(Debug)]
enum Todo {
    Launch(JobId),
    /// Where it still has nothing to do; it was launched for this job.
    EndIdle(InstanceId, JobId),
    End(InstanceId),
}

impl Elsewhere {
    /// No machine yet.
    pub fn new(keeps_ready: bool, dice: Dice) -> Self {
        Self {
            dice,
            keeps_ready,
            heard: BTreeSet::new(),
            machines: BTreeSet::new(),
            ending: BTreeSet::new(),
            agenda: BTreeMap::new(),
            planned: 0,
        }
    }

    /// Does what is to be done by now.
    pub fn act(&mut self, world: &mut World, now: Timestamp) {
        self.hear(world, now);
        self.notice_ends(world, now);
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > now {
                break;
            }
            match entry.remove() {
                Todo::Launch(job) => self.launch(world, now, job),
                Todo::EndIdle(id, job) => self.end_idle(world, now, &id, job),
                Todo::End(id) => {
                    self.ending.remove(&id);
                    end(world, now, &id);
                }
            }
        }
    }

    /// When something is to be done next.
    pub fn next(&self) -> Option<Timestamp> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    fn hear(&mut self, world: &World, now: Timestamp) {
        for job in world.github().queued_jobs(None) {
            if self.heard.insert(job.id) {
                let after = self.dice.up_to(HEARD_WITHIN);
                self.plan(now, after, Todo::Launch(job.id));
                if self.keeps_ready {
                    self.plan(now, after, Todo::Launch(job.id));
                }
            }
        }
    }

    /// Also of one that was stopped and comes back: its runner does not.
    fn notice_ends(&mut self, world: &World, now: Timestamp) {
        let is_up = |id: &InstanceId| world.ec2().instance(id).is_some_and(|one| one.is_up());
        let is_done = |id: &&InstanceId| {
            let machine = world.machine(id);
            machine.is_some_and(|one| one.activity == Activity::Done) && is_up(id)
        };
        let done = self.machines.difference(&self.ending).filter(is_done);
        for id in done.cloned().collect::<Vec<_>>() {
            self.ending.insert(id.clone());
            let after = self.dice.up_to(ENDS_WITHIN);
            self.plan(now, after, Todo::End(id));
        }
    }

    fn launch(&mut self, world: &mut World, now: Timestamp, id: JobId) {
        let Some((labels, wanted)) = waits(world, id) else {
            return;
        };
        let tags = BTreeMap::from([(world.settings().tags.labels(), labels.join(" "))]);
        for capacity in wanted {
            self.planned += 1;
            let token = format!("elsewhere-{}", self.planned);
            let launched = others::launch(world, now, *capacity, &token, tags.clone());
            if let Some(machine) = launched.ok().as_ref().and_then(first) {
                self.machines.insert(machine.clone());
                return self.plan(now, IDLES_FOR, Todo::EndIdle(machine, id));
            }
        }
        self.plan(now, TRIED_EVERY, Todo::Launch(id));
    }

    fn end_idle(&mut self, world: &mut World, now: Timestamp, id: &InstanceId, job: JobId) {
        if world
            .machine(id)
            .is_some_and(|machine| machine.job.is_none())
        {
            end(world, now, id);
            self.plan(now, SignedDuration::ZERO, Todo::Launch(job));
        }
    }

    fn plan(&mut self, now: Timestamp, after: SignedDuration, todo: Todo) {
        let at = now.checked_add(after).unwrap_or(Timestamp::MAX);
        self.planned += 1;
        self.agenda.insert((at, self.planned), todo);
    }
}

/// The labels of a job that is queued, and what to launch for it, best first.
fn waits(world: &World, id: JobId) -> Option<(Vec<String>, &'static [Capacity])> {
    let (_, _, job) = world.github().job(id)?;
    let labels = labels::parse(&job.labels).ok().flatten()?;
    let wanted: &[Capacity] = match labels.machine.spot.unwrap_or_default() {
        SpotChoice::On(_) => &[Capacity::Spot, Capacity::OnDemand],
        SpotChoice::Off => &[Capacity::OnDemand],
    };
    (job.status == JobStatus::Queued).then(|| (job.labels.clone(), wanted))
}

fn first(fleet: &Fleet) -> Option<InstanceId> {
    fleet
        .launches
        .iter()
        .find_map(|one| one.instances.first().cloned())
}

fn end(world: &mut World, now: Timestamp, id: &InstanceId) {
    if world.machine(id).is_some_and(|machine| !machine.is_busy()) {
        world.strike_instance(now, id, Stroke::PowersOff);
    }
}

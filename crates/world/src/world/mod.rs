//! The whole simulated world as one state machine whose clock is an argument.
//!
//! It composes EC2, SQS, the metadata services, GitHub and the runner machines: what happens in one
//! is carried to the others at its own time, never at the time of the next look. It does not read a
//! clock, listen or wait. The invariant: time does not run backwards, and after each call everything
//! that was due has happened and every message is on its way.

mod appointments;
mod asked;
mod carry;
mod doors;
mod hosted;
mod machines;
mod people;
mod places;
mod pushes;
mod resumption;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reprise_model::advice::Said;
use reprise_model::ids::{InstanceId, JobId, Region, RunId};

use crate::drills::Drills;
use crate::ec2::{Adopted, Call, Ec2, Ec2Error, Ec2Instance, LaunchTemplate};
use crate::event_rules::{self, EventRules};
use crate::github::GitHub;
use crate::imds::Imds;
use crate::machine::{Machine, MachineStep};
use crate::runner_table::RunnerTable;
use crate::sqs::{DeadLetter, QueueSettings, Sqs};
use crate::story::Told;

pub use appointments::{Deed, When};
pub use asked::{ENDPOINT, asks_the_endpoint};
pub use doors::AwsReply;
pub(crate) use doors::is_for_sqs;
pub use hosted::HOSTED;
pub use machines::RunnerError;
pub use people::ByHand;
pub use pushes::Planned;
pub use settings::{
    DeliveryMode, Ec2Behaviour, Outgoing, Queue, QueueNames, WorldError, WorldSettings,
};

/// The simulated world.
pub struct World {
    settings: WorldSettings,
    now: Timestamp,
    rng: fastrand::Rng,
    places: places::Places,
    event_rules: EventRules,
    sqs: Sqs,
    github: GitHub,
    imds: BTreeMap<InstanceId, Imds>,
    machines: BTreeMap<InstanceId, Machine>,
    launches: Vec<InstanceId>,
    agenda: BTreeSet<(Timestamp, MachineStep, InstanceId)>,
    idle: BTreeSet<InstanceId>,
    busy: BTreeMap<InstanceId, JobId>,
    /// The jobs that ever ran on GitHub's own machines.
    hosted: BTreeSet<JobId>,
    /// What the operator's endpoint said of jobs.
    asked: BTreeMap<JobId, Vec<Said>>,
    /// How often a person asked for a fresh chance for the job at a place of a run's workflow file.
    chances: BTreeMap<(RunId, usize), u32>,
    terminations: Vec<Termination>,
    planned: Vec<Planned>,
    fates: BTreeMap<RunId, pushes::Fates>,
    /// What the jobs of runs leave for later attempts.
    left: BTreeMap<RunId, resumption::Left>,
    waiting: Vec<appointments::Waiting>,
    appointments: BTreeMap<(Timestamp, u64), appointments::Appointment>,
    appointed: u64,
    story: Vec<Told>,
    outgoing: Vec<Outgoing>,
    last_change: Timestamp,
    changes: u64,
}

/// An instance ended by an API call, for the invariants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Termination {
    /// When.
    pub at: Timestamp,
    /// Which instance.
    pub instance: InstanceId,
    /// Whether it had our stack's tag.
    pub ours: bool,
    /// The job that its runner was busy with.
    pub running: Option<JobId>,
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(settings: WorldSettings) -> Result<Self, WorldError> {
        let now = settings.start;
        let mut github = settings.github.clone();
        github.seed = settings.seed;
        let mut world = Self {
            now,
            rng: fastrand::Rng::with_seed(settings.seed),
            places: places::Places::new(&settings),
            event_rules: EventRules::default(),
            sqs: new_sqs(&settings),
            github: GitHub::new(github)?,
            imds: BTreeMap::new(),
            machines: BTreeMap::new(),
            launches: Vec::new(),
            agenda: BTreeSet::new(),
            idle: BTreeSet::new(),
            busy: BTreeMap::new(),
            hosted: BTreeSet::new(),
            asked: BTreeMap::new(),
            chances: BTreeMap::new(),
            terminations: Vec::new(),
            planned: Vec::new(),
            fates: BTreeMap::new(),
            left: BTreeMap::new(),
            waiting: Vec::new(),
            appointments: BTreeMap::new(),
            appointed: 0,
            story: Vec::new(),
            outgoing: Vec::new(),
            last_change: now,
            changes: 0,
            settings,
        };
        let template = launch_template(&world.settings);
        world.places.register_launch_template(now, &template);
        Ok(world)
    }

    /// Lets everything happen that is due by `now`, each thing at its own time.
    pub fn advance(&mut self, now: Timestamp) {
        self.settle();
        while let Some(at) = self.next_due().filter(|at| *at <= now) {
            self.now = self.now.max(at);
            self.places.advance(self.now);
            self.github.advance(self.now);
            self.push_what_is_due();
            self.keep_appointments();
            self.step_machines();
            self.settle();
        }
        self.now = self.now.max(now);
    }

    /// When something happens by itself next.
    pub fn next_due(&self) -> Option<Timestamp> {
        let machine = self.agenda.first().map(|(at, _, _)| *at);
        [
            self.places.next_due(),
            self.github.next_due(),
            machine,
            self.next_push(),
            self.next_appointment(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The time up to which everything has happened.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What it was made with.
    pub fn settings(&self) -> &WorldSettings {
        &self.settings
    }

    /// EC2, in the home region.
    pub fn ec2(&self) -> &Ec2 {
        &self.places.home.ec2
    }

    /// EC2 at a time, to call it directly; what that causes elsewhere happens at the next advance.
    pub fn ec2_mut(&mut self, now: Timestamp) -> &mut Ec2 {
        self.advance(now);
        &mut self.places.home.ec2
    }

    /// EC2 in any of the world's regions.
    pub fn ec2_in(&self, region: &Region) -> Option<&Ec2> {
        self.places.in_region(region).map(|place| &place.ec2)
    }

    /// The same at a time, to call it directly.
    pub fn ec2_in_mut(&mut self, now: Timestamp, region: &Region) -> Option<&mut Ec2> {
        self.advance(now);
        let place = self.places.in_region_mut(region)?;
        Some(&mut place.ec2)
    }

    /// All instances that EC2 still remembers, of all regions, without any lag.
    pub fn instances(&self) -> impl Iterator<Item = &Ec2Instance> {
        self.places.instances()
    }

    /// One instance, wherever it is, without any lag.
    pub fn instance(&self, id: &InstanceId) -> Option<&Ec2Instance> {
        self.places.of(id).ec2.instance(id)
    }

    /// The region of an instance that EC2 still remembers.
    pub fn region_of(&self, id: &InstanceId) -> Option<&Region> {
        let ec2 = &self.places.of(id).ec2;
        ec2.instance(id).map(|_| &ec2.settings().region)
    }

    /// GitHub.
    pub fn github(&self) -> &GitHub {
        &self.github
    }

    /// GitHub at a time, to call it directly; what that causes elsewhere happens at the next advance.
    pub fn github_mut(&mut self, now: Timestamp) -> &mut GitHub {
        self.advance(now);
        &mut self.github
    }

    /// SQS at a time.
    pub fn sqs_mut(&mut self, now: Timestamp) -> &mut Sqs {
        self.advance(now);
        &mut self.sqs
    }

    /// The table through which instances get their runner's configuration, in the home region.
    pub fn runner_table(&self) -> &RunnerTable {
        &self.places.home.runner_table
    }

    /// The same, to do something to it.
    pub fn runner_table_mut(&mut self) -> &mut RunnerTable {
        &mut self.places.home.runner_table
    }

    /// The same in any of the world's regions.
    pub fn runner_table_in(&self, region: &Region) -> Option<&RunnerTable> {
        let place = self.places.in_region(region)?;
        Some(&place.runner_table)
    }

    /// The Fault Injection Service at home.
    pub fn drills_mut(&mut self) -> &mut Drills {
        &mut self.places.home.drills
    }

    /// What EventBridge tells of its rules, to change it.
    pub fn event_rules_mut(&mut self) -> &mut EventRules {
        &mut self.event_rules
    }

    /// Whether no message is on its way to a queue, waits in it, or was received and not deleted.
    pub fn is_queue_empty(&self, queue: Queue) -> bool {
        let name = self.settings.queues.of(queue);
        let outgoing = self.outgoing.iter().any(|one| one.queue == queue);
        !outgoing && self.sqs.next_visible_at(name).is_none()
    }

    /// The metadata service of an instance, to break it.
    pub fn imds_mut(&mut self, id: &InstanceId) -> &mut Imds {
        let rng = &mut self.rng;
        self.imds
            .entry(id.clone())
            .or_insert_with(|| Imds::new(rng.u64(..)))
    }

    /// All machines that ever were.
    pub fn machines(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values()
    }

    /// One machine.
    pub fn machine(&self, id: &InstanceId) -> Option<&Machine> {
        self.machines.get(id)
    }

    /// The instances that were ever launched, in this order.
    pub fn launches(&self) -> &[InstanceId] {
        &self.launches
    }

    /// The machine whose runner has this name; the name holds the instance's id.
    pub fn machine_of_runner(&self, runner: &str) -> Option<&Machine> {
        let id = runner.split("--").nth(1)?.parse().ok()?;
        self.machines
            .get(&id)
            .filter(|machine| machine.runner.as_str() == runner)
    }

    /// Instances whose operating system runs, so that programs on them do.
    pub fn hosts_up(&self) -> impl Iterator<Item = &InstanceId> {
        self.instances()
            .filter(|instance| instance.is_up())
            .map(|instance| &instance.id)
    }

    /// Instances that were ended by an API call.
    pub fn terminations(&self) -> &[Termination] {
        &self.terminations
    }

    /// When something last happened.
    pub fn last_change(&self) -> Timestamp {
        self.last_change
    }

    /// Grows whenever something happens; equal numbers mean that nothing did.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// The story since the last call, in the order of time.
    pub fn take_story(&mut self) -> Vec<Told> {
        let mut story = std::mem::take(&mut self.story);
        story.sort_by_key(|told| told.at);
        story
    }

    /// The messages since the last call, where they do not go to the world's own queues.
    pub fn take_outgoing(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.outgoing)
    }

    /// Takes over an instance that another EC2 launched; it boots like all others.
    pub fn adopt(&mut self, now: Timestamp, adopted: Adopted) {
        self.advance(now);
        self.welcome(&adopted);
        self.places.home.ec2.register_instance(self.now, adopted);
        self.settle();
    }

    /// The other EC2 ended an adopted instance by an API call.
    pub fn instance_gone(&mut self, now: Timestamp, id: &InstanceId) -> Result<(), Ec2Error> {
        self.advance(now);
        let call = Call::by_account(self.now);
        self.places
            .of_mut(id)
            .ec2
            .terminate_instances(&call, std::slice::from_ref(id))?;
        self.settle();
        Ok(())
    }
}

fn new_sqs(settings: &WorldSettings) -> Sqs {
    let names = &settings.queues;
    let mut sqs = Sqs::new(
        settings.account.clone(),
        settings.region.clone(),
        settings.seed,
    );
    for queue in [Queue::Webhooks, Queue::Ec2Events] {
        let (name, dead) = (names.of(queue), names.dead_letters_of(queue));
        sqs.create_queue(dead, QueueSettings::default());
        let dead_letter = Some(DeadLetter {
            queue: dead.to_owned(),
            max_receive_count: settings.max_receive_count,
        });
        let policy = match queue {
            Queue::Webhooks => None,
            Queue::Ec2Events => Some(event_rules::admission(&settings.region, &settings.account)),
        };
        let redriven = QueueSettings {
            dead_letter,
            policy,
            ..QueueSettings::default()
        };
        sqs.create_queue(name, redriven);
    }
    sqs
}

fn launch_template(settings: &WorldSettings) -> LaunchTemplate {
    LaunchTemplate {
        name: settings.launch_template.clone(),
        image: Some(places::RUNNER_IMAGE.to_owned()),
        role: Some(settings.launch_template.clone()),
        tags_in_metadata: true,
        ..LaunchTemplate::default()
    }
}

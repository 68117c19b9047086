//! What GitHub and EventBridge tell, truly signed, of jobs and instances that are none of ours, and
//! of jobs that ask for what they cannot have.

use jiff::Timestamp;
use reprise_model::ids::{AccountId, InstanceId, JobId};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_world::event_bridge::{Ec2Envelope, Ec2Notification};
use reprise_world::machine::Machine;
use reprise_world::world::{Outgoing, Queue, World};
use serde_json::{Value, json};

use super::{Dice, others};

/// The ids of jobs that no other job has.
const NOBODY: JobId = JobId(14);

/// A runner that GitHub has for somebody else: none of ours gets so high a number.
const NOBODYS_RUNNER: u64 = 9_000_000_000;

/// Something that is none of ours, or asks for too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stranger {
    /// A job of a repository that is not allowed ends.
    RepositoryElsewhere,
    /// A job on GitHub's own machines ends.
    HostedRunner,
    /// A runner of another repository bears the name of one of our instances.
    BorrowedName,
    /// A job is queued for somebody else's machines.
    OtherLabels,
    /// A job is queued whose label cannot be understood.
    BadLabel,
    /// A job is queued for a family that nobody configured.
    NoSuchType,
    /// A job is queued for an image that nobody configured.
    NoSuchImage,
    /// A signed webhook lacks what it should have.
    Unreadable,
    /// EC2 takes an instance of another account.
    AccountElsewhere,
    /// Somebody else launches an instance in our account.
    NeighbourComes,
    /// A job on that instance ends.
    NeighbourSpeaks,
    /// That instance dies.
    NeighbourGoes,
    /// Somebody launches an instance of our stack by hand.
    CopyComes,
    /// That instance dies.
    CopyGoes,
}

impl Stranger {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::RepositoryElsewhere,
        Self::HostedRunner,
        Self::BorrowedName,
        Self::OtherLabels,
        Self::BadLabel,
        Self::NoSuchType,
        Self::NoSuchImage,
        Self::Unreadable,
        Self::AccountElsewhere,
        Self::NeighbourComes,
        Self::NeighbourSpeaks,
        Self::NeighbourGoes,
        Self::CopyComes,
        Self::CopyGoes,
    ];

    /// What happens, in a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RepositoryElsewhere => "a job of another owner's repository ends",
            Self::HostedRunner => "a job on GitHub's own machines ends",
            Self::BorrowedName => "another repository's runner bears an instance's name",
            Self::OtherLabels => "a job is queued for other machines",
            Self::BadLabel => "a job is queued with a label that cannot be read",
            Self::NoSuchType => "a job is queued for a type that is not configured",
            Self::NoSuchImage => "a job is queued for an image that is not configured",
            Self::Unreadable => "a signed webhook cannot be read",
            Self::AccountElsewhere => "EC2 takes an instance of another account",
            Self::NeighbourComes => "somebody else launches an instance beside ours",
            Self::NeighbourSpeaks => "a job on somebody else's instance ends",
            Self::NeighbourGoes => "somebody else's instance dies",
            Self::CopyComes => "somebody launches an instance of our stack by hand",
            Self::CopyGoes => "an instance that was launched by hand dies",
        }
    }

    /// One of those that come alone.
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let alone = &Self::ALL[..9];
        alone[dice.below(alone.len())]
    }

    /// Does it, like the job at that place of the run; `None` when that lacks what it takes.
    pub(super) fn apply(
        self,
        world: &mut World,
        now: Timestamp,
        like: Option<JobId>,
    ) -> Option<String> {
        match self {
            Self::NeighbourComes => Some(launch(world, now, "theirs")),
            Self::CopyComes => {
                let stack = world.settings().stack.to_string();
                Some(launch(world, now, &stack))
            }
            Self::NeighbourGoes => {
                let id = neighbour(world)?;
                Some(dies(world, now, &id))
            }
            Self::CopyGoes => {
                let id = copy(world)?;
                Some(dies(world, now, &id))
            }
            Self::AccountElsewhere => {
                let body = warning_elsewhere(world, now, like?)?;
                let message = Outgoing {
                    queue: Queue::Ec2Events,
                    body,
                    attributes: Vec::new(),
                };
                world.post(now, message);
                Some("it is told".to_owned())
            }
            Self::RepositoryElsewhere
            | Self::HostedRunner
            | Self::BorrowedName
            | Self::OtherLabels
            | Self::BadLabel
            | Self::NoSuchType
            | Self::NoSuchImage
            | Self::Unreadable
            | Self::NeighbourSpeaks => {
                let body = self.body(world, now, like?)?.to_string();
                let message = signed(world, body);
                world.post(now, message);
                Some("it is told".to_owned())
            }
        }
    }

    fn body(self, world: &World, now: Timestamp, like: JobId) -> Option<Value> {
        let github = world.github();
        let ended = |conclusion| github.imagined_completed(now, like, conclusion);
        let queued = |label: &str| {
            let body = github.imagined_queued(like, NOBODY)?;
            let mut body: Value = serde_json::from_str(&body).ok()?;
            body["workflow_job"]["labels"] = json!([label]);
            Some(body)
        };
        let mut body: Value = match self {
            Self::OtherLabels => return queued("ubuntu-latest"),
            Self::BadLabel => return queued("runs-on=1/cpu=many"),
            Self::NoSuchType => return queued("runs-on=1/family=p5"),
            Self::NoSuchImage => return queued("runs-on=1/image=windows"),
            Self::Unreadable => return Some(json!({ "action": "completed" })),
            Self::BorrowedName => serde_json::from_str(&ended(Conclusion::Success)?).ok()?,
            Self::RepositoryElsewhere
            | Self::HostedRunner
            | Self::AccountElsewhere
            | Self::NeighbourComes
            | Self::NeighbourSpeaks
            | Self::NeighbourGoes
            | Self::CopyComes
            | Self::CopyGoes => serde_json::from_str(&ended(Conclusion::Failure)?).ok()?,
        };
        let job = &mut body["workflow_job"];
        job["id"] = json!(NOBODY);
        match self {
            Self::HostedRunner => job["runner_name"] = json!("GitHub Actions 7"),
            Self::NeighbourSpeaks => {
                let id = neighbour(world)?;
                job["runner_name"] = json!(format!("theirs--{id}--1"));
            }
            Self::RepositoryElsewhere => body["repository"] = repository("elsewhere", "shop"),
            Self::BorrowedName => {
                // A name may be borrowed; the number is GitHub's.
                job["runner_id"] = json!(NOBODYS_RUNNER);
                body["repository"] = repository("acme", "stranger");
            }
            Self::OtherLabels
            | Self::BadLabel
            | Self::NoSuchType
            | Self::NoSuchImage
            | Self::Unreadable
            | Self::AccountElsewhere
            | Self::NeighbourComes
            | Self::NeighbourGoes
            | Self::CopyComes
            | Self::CopyGoes => {}
        }
        Some(body)
    }
}

fn repository(owner: &str, name: &str) -> Value {
    json!({ "name": name, "full_name": format!("{owner}/{name}"), "owner": { "login": owner } })
}

fn signed(world: &World, body: String) -> Outgoing {
    let signature = world.github().signature_of(&body);
    Outgoing {
        queue: Queue::Webhooks,
        body,
        attributes: vec![
            ("X-Hub-Signature-256".to_owned(), signature),
            ("X-GitHub-Event".to_owned(), "workflow_job".to_owned()),
            ("X-GitHub-Delivery".to_owned(), "a-stranger".to_owned()),
        ],
    }
}

fn warning_elsewhere(world: &World, now: Timestamp, like: JobId) -> Option<String> {
    let (_, _, job) = world.github().job(like)?;
    let machine = world.machine_of_runner(&job.runner.as_ref()?.name)?;
    let envelope = Ec2Envelope {
        id: "00000000-0000-4000-8000-000000000001".to_owned(),
        at: now,
        account: &AccountId::new("210987654321"),
        region: &world.settings().region,
        zone: &world.ec2().instance(&machine.id)?.zone,
        instance: &machine.id,
        notification: Ec2Notification::InterruptionWarning("terminate"),
    };
    Some(envelope.to_json())
}

/// An instance of somebody else's that lives.
fn neighbour(world: &World) -> Option<InstanceId> {
    living(world, |machine| !machine.ours && machine.labels.is_empty())
}

/// An instance of our stack that was launched by hand and lives.
fn copy(world: &World) -> Option<InstanceId> {
    living(world, |machine| {
        machine.ours && machine.launched_for.is_none()
    })
}

fn dies(world: &mut World, now: Timestamp, id: &InstanceId) -> String {
    let gone = world.ec2_mut(now).host_dies(now, id);
    format!("{id}: {gone:?}")
}

fn living(world: &World, is_it: impl Fn(&Machine) -> bool) -> Option<InstanceId> {
    let mut machines = world.machines().filter(|machine| is_it(machine));
    let lives = |id: &InstanceId| {
        world
            .ec2()
            .instance(id)
            .is_some_and(|instance| instance.is_alive())
    };
    machines
        .find(|machine| lives(&machine.id))
        .map(|one| one.id.clone())
}

fn launch(world: &mut World, now: Timestamp, stack: &str) -> String {
    let tags = [(world.settings().tags.stack(), stack.to_owned())];
    let token = format!("somebody-else-{stack}");
    let launched = others::launch(world, now, Capacity::Spot, &token, tags.into());
    launched.map_or_else(
        |error| error.to_string(),
        |fleet| format!("{} launches", fleet.launches.len()),
    )
}

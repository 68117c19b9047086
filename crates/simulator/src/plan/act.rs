//! Doing to a world what a plan says.

use jiff::Timestamp;
use reprise_model::ids::{InstanceId, JobId, RunId};
use reprise_world::event_bridge::{Ec2Envelope, Ec2Notification};
use reprise_world::world::{Outgoing, Queue, World};

use super::{Action, Forgery, Lie, Push, Signed};

/// Who acts by hand.
const PERSON: &str = "mona";

/// The id of a job that no GitHub knows.
const NOBODY: JobId = JobId(13);

impl Action {
    /// The run that it pushes, if it is a push.
    pub fn push(&self) -> Option<&Push> {
        if let Self::Push(push) = self {
            Some(push.as_ref())
        } else {
            None
        }
    }

    /// Does it to a world; what became of it, in a few words. What is not done to the world but to a
    /// controller is not done here.
    pub fn apply(&self, world: &mut World, now: Timestamp) -> String {
        let done =
            match self {
                Self::Push(push) if world.github().is_gone(&push.spec.repository) => None,
                Self::Push(push) => {
                    let run = world.push(now, &push.spec, push.fates.clone());
                    Some(format!("it is run {run}"))
                }
                Self::CancelByPerson { run } => world.nth_run(*run).map(|run| {
                    let done = world.person_cancels(now, run, PERSON);
                    format!("run {run} is cancelled: {done}")
                }),
                Self::RerunByPerson { run, what } => world.nth_run(*run).map(|run| {
                    match world.person_reruns(now, run, *what, PERSON) {
                        Ok(attempt) => format!("run {run} is in attempt {attempt}"),
                        Err(refusal) => format!("run {run}: {refusal}"),
                    }
                }),
                Self::PersonWaits {
                    run,
                    when,
                    then_after,
                    deed,
                } => world.nth_run(*run).map(|run| {
                    world.person_waits(run, *when, *then_after, *deed, PERSON);
                    format!("it is run {run}")
                }),
                Self::Strike { run, place, stroke } => instance(world, *run, *place).map(|id| {
                    world.strike_instance(now, &id, *stroke);
                    format!("it is {id}")
                }),
                Self::Rebalance { run, place } => instance(world, *run, *place).map(|id| {
                    let done = world.ec2_mut(now).recommend_rebalance(now, &id);
                    done.map_or_else(|error| error.to_string(), |()| format!("it is {id}"))
                }),
                Self::Shortage { pool, lasts } => {
                    let until = now.checked_add(*lasts).unwrap_or(Timestamp::MAX);
                    world.shortage(now, pool.clone(), until);
                    Some(format!("until {until}"))
                }
                Self::EarlyCompleted { run } => world.nth_run(*run).map(|run| {
                    world.github_mut(now).send_early_completed(now, run);
                    format!("it is run {run}")
                }),
                Self::DeleteRepository { run } => world.nth_run(*run).map(|run| {
                    world.repository_deleted(now, run);
                    format!("it is that of run {run}")
                }),
                Self::Ping => {
                    world.github_mut(now).send_ping(now);
                    Some("it is sent".to_owned())
                }
                Self::AddressDown { lasts } => {
                    let until = now.checked_add(*lasts).unwrap_or(Timestamp::MAX);
                    let down = &mut world.github_mut(now).faults_mut().webhooks_down_until;
                    let until = down.map_or(until, |known| known.max(until));
                    *down = Some(until);
                    Some(format!("until {until}"))
                }
                Self::Forge(forgery) => forgery.message(world, now).map(|message| {
                    world.post(now, message);
                    "it is posted".to_owned()
                }),
                Self::Stranger { run, place, what } => {
                    let run = world.nth_run(*run);
                    let like = run.and_then(|run| world.job_at(run, *place));
                    what.apply(world, now, like)
                }
                Self::Crash { .. } | Self::Drain { .. } | Self::Requeue { .. } => None,
            };
        done.unwrap_or_else(|| "there is nothing to do that to".to_owned())
    }
}

impl Forgery {
    /// The message as the address of the webhooks puts it on their queue.
    fn message(&self, world: &World, now: Timestamp) -> Option<Outgoing> {
        let github = world.github();
        let (event, body) = match &self.says {
            Lie::Completed {
                run,
                place,
                conclusion,
            } => {
                let id = world.job_at(world.nth_run(*run)?, *place)?;
                let body = github.imagined_completed(now, id, conclusion.clone())?;
                ("workflow_job", body)
            }
            Lie::Queued { run, place } => {
                let id = world.job_at(world.nth_run(*run)?, *place)?;
                ("workflow_job", github.imagined_queued(id, NOBODY)?)
            }
            Lie::Warning { run, place } => {
                let id = instance(world, *run, *place)?;
                ("workflow_job", warning(world, now, &id)?)
            }
            Lie::Garbage => ("workflow_job", "{\"action\": ]".to_owned()),
        };
        let mut attributes = vec![
            ("X-GitHub-Event".to_owned(), event.to_owned()),
            ("X-GitHub-Delivery".to_owned(), "forged".to_owned()),
        ];
        attributes.extend(self.signed.signature());
        Some(Outgoing {
            queue: Queue::Webhooks,
            body,
            attributes,
        })
    }
}

impl Signed {
    fn signature(self) -> Option<(String, String)> {
        let text = match self {
            Self::Not => return None,
            Self::Malformed => "sha256=none".to_owned(),
            Self::Wrongly => format!("sha256={}", "5f".repeat(32)),
        };
        Some(("X-Hub-Signature-256".to_owned(), text))
    }
}

fn instance(world: &World, run: usize, place: usize) -> Option<InstanceId> {
    let run: RunId = world.nth_run(run)?;
    world.instance_at(run, place)
}

/// What EventBridge would say if EC2 took the instance.
fn warning(world: &World, now: Timestamp, id: &InstanceId) -> Option<String> {
    let settings = world.settings();
    let envelope = Ec2Envelope {
        id: "00000000-0000-4000-8000-000000000000".to_owned(),
        at: now,
        account: &settings.account,
        region: &settings.region,
        zone: &world.ec2().instance(id)?.zone,
        instance: id,
        notification: Ec2Notification::InterruptionWarning("terminate"),
    };
    Some(envelope.to_json())
}

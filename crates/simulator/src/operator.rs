//! The person who reads the logs: an instance of which nobody can tell what for it runs is told to
//! people, and a person looks at it and ends it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_world::ec2::Call;
use reprise_world::world::World;

use crate::trace::{self, Who};

/// How long after the log's line the person is there.
const COMES_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// The person who reads the logs.
#[derive(Debug, Default)]
pub struct Operator {
    to_look_at: BTreeMap<InstanceId, Timestamp>,
}

impl Operator {
    /// Reads what was told, and ends what has waited for the person.
    pub fn act(&mut self, world: &mut World, now: Timestamp) {
        for id in trace::take_doubts() {
            let at = now.checked_add(COMES_AFTER).unwrap_or(Timestamp::MAX);
            self.to_look_at.entry(id).or_insert(at);
        }
        while let Some(id) = self.due(now) {
            self.to_look_at.remove(&id);
            end(world, now, &id);
        }
    }

    /// When the person looks next.
    pub fn next(&self) -> Option<Timestamp> {
        self.to_look_at.values().min().copied()
    }

    fn due(&self, now: Timestamp) -> Option<InstanceId> {
        let mut all = self.to_look_at.iter();
        all.find(|(_, at)| **at <= now).map(|(id, _)| id.clone())
    }
}

/// A person sees whether a job runs there.
fn end(world: &mut World, now: Timestamp, id: &InstanceId) {
    if world.machine(id).is_none_or(|machine| machine.is_busy()) {
        return;
    }
    let call = Call::by_account(now);
    let ended = world
        .ec2_mut(now)
        .terminate_instances(&call, std::slice::from_ref(id));
    let words = ended.map_or_else(|error| error.to_string(), |_| "it ends".to_owned());
    trace::line(Who::Plan, format!("a person looks at {id}: {words}"));
}

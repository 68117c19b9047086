//! What keeps a world from coming to rest, in words.

use super::{fleet, is_stuck};
use crate::world::{Queue, World};

/// Everything that has not come to rest; empty when all has.
pub fn unrest(world: &World) -> Vec<String> {
    let mut restless = Vec::new();
    let runs = world.github().runs();
    for run in runs.filter(|run| run.is_active() && !is_stuck(world, run)) {
        let jobs = run.current().jobs.values();
        for job in jobs.filter(|job| !job.is_completed()) {
            let (name, id, run) = (&job.name, job.id, run.id);
            restless.push(format!("{name} ({id}) of run {run} is {:?}", job.status));
        }
        let (id, status) = (run.id, &run.current().status);
        restless.push(format!("run {id} is {status:?}"));
    }
    for id in fleet::left(world) {
        let machine = world.machine(&id);
        let activity = machine.map(|machine| machine.activity);
        restless.push(format!("{id} lives on, and its runner is {activity:?}"));
    }
    for queue in [Queue::Webhooks, Queue::Ec2Events] {
        if !world.is_queue_empty(queue) {
            restless.push(format!("{queue:?} holds messages"));
        }
    }
    restless
}

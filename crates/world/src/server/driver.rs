//! Lets time pass in the served world, and keeps a metadata service open for every host that is up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use tokio::sync::watch;

use super::hosts::Host;
use super::shared::Shared;

/// How long the driver sleeps where nothing is due: whatever changes the world wakes it.
const LONGEST_SLEEP: SignedDuration = SignedDuration::from_hours(1);

/// Runs until the server is stopped.
pub(super) async fn drive(shared: Arc<Shared>) {
    let mut stopped = shared.stopped();
    let mut hosts = BTreeMap::new();
    while !*stopped.borrow() {
        shared.advance();
        let (up, due) = shared.peek(|world| {
            let up: BTreeSet<InstanceId> = world.hosts_up().cloned().collect();
            (up, world.next_due())
        });
        follow(&shared, &mut hosts, &up).await;
        wait(&shared, &mut stopped, due).await;
    }
    for (id, host) in hosts {
        host.stop().await;
        shared.host_down(&id);
    }
}

async fn wait(shared: &Shared, stopped: &mut watch::Receiver<bool>, due: Option<Timestamp>) {
    let clock = shared.clock();
    let until_due = due.map(|due| due.duration_since(clock.now()));
    let pause = until_due.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
    tokio::select! {
        () = clock.sleep(pause) => {}
        () = shared.wake().notified() => {}
        // An error means that the server is gone, which the loop's condition shows as well.
        _ = stopped.changed() => {}
    }
}

/// Opens and closes metadata services so that exactly the hosts that are up have one.
async fn follow(
    shared: &Arc<Shared>,
    hosts: &mut BTreeMap<InstanceId, Host>,
    up: &BTreeSet<InstanceId>,
) {
    let down: Vec<InstanceId> = hosts
        .keys()
        .filter(|id| !up.contains(*id))
        .cloned()
        .collect();
    for id in down {
        if let Some(host) = hosts.remove(&id) {
            host.stop().await;
            shared.host_down(&id);
        }
    }
    for id in up {
        if hosts.contains_key(id) {
            continue;
        }
        match Host::start(shared.clone(), id.clone()).await {
            Ok(host) => {
                shared.host_up(id, host.url());
                hosts.insert(id.clone(), host);
            }
            Err(error) => tracing::error!(instance = %id, %error, "no metadata service"),
        }
    }
}

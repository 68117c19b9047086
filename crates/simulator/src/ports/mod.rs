//! The controller's ports over the simulated world.
//!
//! Each call takes its time, may fail as the plan says, and is a place where the replica's process
//! may die: before the call's effect or right after it.

mod advisers;
mod cloud;
mod github;
mod life;
mod queue;
mod runners;
mod store;

use std::sync::Arc;

use jiff::SignedDuration;
use reprise_controller::ports::{PortError, PortErrorKind, Ports};

use crate::clock::SimClock;
use crate::trace::{self, Who};
use crate::universe::Universe;

pub use advisers::SimAdvisers;
pub use cloud::SimCloud;
pub use github::SimGitHub;
pub use life::{Crash, Life};
pub use queue::SimQueue;
pub use runners::SimRunners;
pub use store::SimStore;

/// The simulator's choice of ports.
pub struct SimPorts;

impl Ports for SimPorts {
    type Clock = SimClock;
    type Store = SimStore;
    type Cloud = SimCloud;
    type GitHub = SimGitHub;
    type Queue = SimQueue;
    type Runners = SimRunners;
    type Advisers = SimAdvisers;
}

/// How one replica reaches the world.
#[derive(Clone)]
pub struct Wire {
    /// The world and all that belongs to it.
    pub universe: Arc<Universe>,
    /// Whether the replica's process still lives.
    pub life: Arc<Life>,
    /// Which replica.
    pub replica: u32,
}

impl Wire {
    /// One call: the way there, the effect, the way back. It never ends when the process dies.
    async fn call<T>(&self, usual: SignedDuration, effect: impl FnOnce() -> T) -> T {
        let crash = self.begin().await;
        self.travel(usual).await;
        let done = effect();
        self.end(crash, usual).await;
        done
    }

    /// A call begins; the process may die at it.
    async fn begin(&self) -> Crash {
        let crash = self.life.counts_call();
        if crash == Crash::Before {
            self.die("before").await;
        }
        self.life.goes_on().await;
        crash
    }

    /// One way.
    async fn travel(&self, usual: SignedDuration) {
        let takes = self.universe.latency(usual);
        self.universe.clock.pause(takes).await;
        self.life.goes_on().await;
        trace::speaks(Who::Replica(self.replica));
    }

    /// A call's effect has happened; the process may die before it learns.
    async fn end(&self, crash: Crash, usual: SignedDuration) {
        if crash == Crash::After {
            self.die("after").await;
        }
        self.travel(usual).await;
    }

    async fn die(&self, when: &'static str) {
        trace::reached("crash", when);
        self.tell(format!("dies {when} an effect"));
        self.life.end();
        self.life.goes_on().await;
    }

    /// A fault befalls the replica.
    fn fault(&self, what: &'static str) {
        trace::reached("fault", what);
        self.tell(format!("fault: {what}"));
    }

    fn tell(&self, text: String) {
        trace::line(Who::Replica(self.replica), text);
    }
}

/// All faults that befall a replica's calls.
pub const FAULTS: [&str; 26] = [
    "a commit is done and its repeat conflicts",
    "a fresh run is not found",
    "a launch's answer is lost",
    "a message is received twice",
    "a part of a fleet",
    "a re-run executes nothing",
    "a receive fails",
    "a termination fails",
    "an endpoint fails",
    "an endpoint hangs",
    "an endpoint talks nonsense",
    "ec2 refuses a launch",
    "ec2 throttles",
    "ec2 throttles a pool",
    "github fails after acting",
    "github fails before acting",
    "github's answer is lost",
    "github's secondary limit",
    "no on-demand capacity",
    "no spot capacity",
    "sqs fails",
    "sqs's answer is lost",
    "the index of due work lags",
    "the store does it and its answer is lost",
    "the store fails",
    "transactions collide",
];

/// A failure that passes.
fn passing(operation: &'static str, words: &'static str) -> PortError {
    failure(operation, PortErrorKind::Passing, words)
}

fn failure(operation: &'static str, kind: PortErrorKind, words: &'static str) -> PortError {
    PortError {
        operation,
        kind,
        retry_after: None,
        source: words.into(),
    }
}

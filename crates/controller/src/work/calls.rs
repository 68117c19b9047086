//! The calls that launch: each is made once for all who share it.
//!
//! Whoever wants the answer to a request asks for it here, by the request's token. The first to ask makes
//! the call; where its task ends before the answer came, the next one makes it again, which the token
//! makes harmless. EC2 repeats its answer to a token, so what it said is kept for a while, also for those
//! who take the launch of somebody over; an error of the whole call is no answer, and is not kept. Nor is
//! that it was not EC2's turn, which all hear who share the call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::Jitter;
use reprise_model::launch::FleetOutcome;
use reprise_model::ledger::LaunchSpec;
use tokio::sync::OnceCell;

use crate::context::Controller;
use crate::pace::PutOff;
use crate::ports::{LaunchOrder, Ports};

/// How long an answer is kept: longer than a claim is held, so that all who take one over after a lost
/// commit are served by it.
const KEPT_FOR: SignedDuration = SignedDuration::from_secs(60);

/// The calls that are under way or were made a while ago, by their tokens.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<BTreeMap<String, Call>>);

#[derive(Debug)]
struct Call {
    heard: Arc<OnceCell<Arc<Heard>>>,
    begun_at: Timestamp,
}

/// What came of a call, the same for all who share it.
#[derive(Debug)]
pub(crate) struct Heard {
    /// What came, or when to ask.
    pub(crate) outcome: Result<FleetOutcome, PutOff>,
    /// When.
    pub(crate) at: Timestamp,
    /// Who is left without an instance tries again at the same moment as the others, so that they meet
    /// again.
    pub(crate) jitter: Jitter,
}

impl Calls {
    fn of(&self, token: &str, now: Timestamp) -> Arc<OnceCell<Arc<Heard>>> {
        let mut calls = self.lock();
        calls.retain(|_, call| now.duration_since(call.begun_at) < KEPT_FOR);
        let call = calls.entry(token.to_owned()).or_insert_with(|| Call {
            heard: Arc::default(),
            begun_at: now,
        });
        Arc::clone(&call.heard)
    }

    fn forget(&self, token: &str, heard: &Arc<OnceCell<Arc<Heard>>>) {
        let mut calls = self.lock();
        if calls
            .get(token)
            .is_some_and(|call| Arc::ptr_eq(&call.heard, heard))
        {
            calls.remove(token);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Ports> Controller<P> {
    /// What came of a request, made now or a moment ago.
    pub(super) async fn ask_once(&self, order: &LaunchOrder, spec: &LaunchSpec) -> Arc<Heard> {
        let call = self.calls.of(&order.client_token, self.now());
        let heard = call.get_or_init(|| self.call_ec2(order, spec)).await;
        if !matches!(heard.outcome, Ok(Ok(_))) {
            self.calls.forget(&order.client_token, &call);
        }
        Arc::clone(heard)
    }

    /// The one place where EC2 is asked for instances, and where its answer is heard first.
    async fn call_ec2(&self, order: &LaunchOrder, spec: &LaunchSpec) -> Arc<Heard> {
        let outcome = self.launch_in_turn(order).await;
        if let Ok(outcome) = &outcome {
            self.pools_answered(spec, outcome);
        }
        Arc::new(Heard {
            outcome,
            at: self.now(),
            jitter: self.jitter(),
        })
    }
}

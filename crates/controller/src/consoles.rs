//! The consoles of machines that died or never had a runner, asked for one after the other.
//!
//! Which are of interest, and when, the engine says ([`reprise_engine::console`]). What waits is kept in
//! memory only: what a restart forgets, the next sweep finds again as long as EC2 lists it. Nothing else waits
//! for this loop, and what EC2 says goes into the ledger alone, never into a log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reprise_engine::console::{self, Answer, ForgetReason, MOST_WAITING, Occasion, Step, Wish};
use reprise_engine::job;
use reprise_model::console::ConsoleTail;
use reprise_model::instance::Instance;
use reprise_store::Store;
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::logging::chain;
use crate::panics::{Panicked, caught};
use crate::ports::{Cloud, Ports};

/// What waits to be asked for.
#[derive(Debug, Default)]
pub(crate) struct Consoles {
    wishes: Mutex<BTreeMap<Instance, Wish>>,
    /// There is one more.
    wanted: Notify,
}

impl Consoles {
    /// Whether there was room for it. One that waits already waits on.
    fn want(&self, instance: &Instance, wish: Wish) -> bool {
        let mut wishes = self.lock();
        let is_new = !wishes.contains_key(instance);
        if is_new && wishes.len() >= MOST_WAITING {
            return false;
        }
        wishes.entry(instance.clone()).or_insert(wish);
        drop(wishes);
        self.wanted.notify_one();
        true
    }

    /// The one that is to be asked for first.
    fn first(&self) -> Option<(Instance, Wish)> {
        let wishes = self.lock();
        let first = wishes.iter().min_by_key(|(_, wish)| wish.at);
        first.map(|(instance, wish)| (instance.clone(), *wish))
    }

    fn again(&self, instance: &Instance, wish: Wish) {
        self.lock().insert(instance.clone(), wish);
    }

    fn forget(&self, instance: &Instance) {
        self.lock().remove(instance);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Instance, Wish>> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for consoles until the controller drains. What is under way then is left.
pub(crate) async fn run_consoles<P: Ports>(controller: Arc<Controller<P>>) {
    tokio::select! {
        biased;
        () = controller.draining.begun() => {}
        () = controller.ask_for_consoles() => {}
    }
}

impl<P: Ports> Controller<P> {
    /// An instance came into view: its console is asked for, where it is of interest.
    pub(crate) fn want_console(&self, instance: &Instance, on: Occasion<'_>) {
        let Some(cause) = console::wanted(on) else {
            return;
        };
        let wish = Wish::new(cause, self.now());
        if !self.consoles.want(instance, wish) {
            debug!(instance.id = %instance.id, "too many consoles wait; this one is not asked for");
        }
    }

    async fn ask_for_consoles(&self) {
        loop {
            let Some((instance, wish)) = self.consoles.first() else {
                self.consoles.wanted.notified().await;
                continue;
            };
            if wish.at > self.now() {
                // Another one may be wanted sooner.
                tokio::select! {
                    () = self.clock.sleep_until(wish.at) => {}
                    () = self.consoles.wanted.notified() => {}
                }
                continue;
            }
            self.grant(&instance, &wish).await;
            self.clock.sleep(console::PAUSE).await;
        }
    }

    async fn grant(&self, instance: &Instance, wish: &Wish) {
        let granted = caught(Box::pin(self.granted(instance, wish))).await;
        let granted = granted.unwrap_or_else(|Panicked(words)| Err(WorkError::Panicked(words)));
        if let Err(error) = granted {
            self.consoles.forget(instance);
            warn!(
                error = %chain(&error),
                instance.id = %instance.id,
                "failed to keep the console output of an instance"
            );
        }
    }

    async fn granted(&self, instance: &Instance, wish: &Wish) -> Result<(), WorkError> {
        let known = self.store.instance(instance).await?;
        let known = known.map(|known| known.record);
        let step = |answer| console::decide(wish, known.as_ref(), answer, self.now());
        let step = match step(Answer::Unasked) {
            Step::Ask => match self.cloud.console_output(instance).await {
                Ok(output) => step(Answer::Output(output.as_deref())),
                Err(error) => {
                    debug!(error = %chain(&error), instance.id = %instance.id, "no console output");
                    step(Answer::Failed)
                }
            },
            step @ (Step::Keep(_) | Step::Later(_) | Step::Forget(_)) => step,
        };
        match step {
            Step::Keep(tail) => self.keep_console(instance, &tail).await?,
            // An answer leads to one of the others.
            Step::Ask => {}
            Step::Later(again) => {
                self.consoles.again(instance, again);
                return Ok(());
            }
            Step::Forget(ForgetReason::Kept) => {}
            Step::Forget(ForgetReason::Unanswered) => warn!(
                instance.id = %instance.id,
                instance.region = %instance.region,
                "EC2 does not tell the console output of an instance; may the role call ec2:GetConsoleOutput?"
            ),
        }
        self.consoles.forget(instance);
        Ok(())
    }

    async fn keep_console(&self, instance: &Instance, tail: &ConsoleTail) -> Result<(), WorkError> {
        self.change_instance(instance, |entry| {
            job::with_console(entry.cloned(), instance, tail)
        })
        .await?;
        info!(
            target: "reprise::decision",
            decision = "console-kept",
            reason = tail.cause.as_str(),
            instance.id = %instance.id,
            instance.region = %instance.region,
            console.lines = tail.lines.len(),
            "the end of an instance's console is kept; `reprise explain` shows it"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use reprise_model::console::ConsoleCause;
    use reprise_model::ids::{AccountId, Region};

    use super::*;

    fn instance(number: usize) -> Instance {
        Instance {
            account: AccountId::new("111122223333"),
            region: Region::new("eu-west-1"),
            id: format!("i-{number:017x}").parse().expect("an id"),
        }
    }

    fn wish(seconds: i64) -> Wish {
        let at = Timestamp::from_second(seconds).expect("within range");
        Wish::new(ConsoleCause::Died, at)
    }

    #[test]
    fn no_more_consoles_wait_than_there_is_room_for_and_the_earliest_goes_first() {
        let consoles = Consoles::default();
        for number in 0..MOST_WAITING {
            let at = i64::try_from(number).expect("a small number");
            assert!(consoles.want(&instance(number), wish(1_000 - at)));
        }
        assert!(!consoles.want(&instance(MOST_WAITING), wish(0)));
        assert!(consoles.want(&instance(0), wish(0)), "it waits already");
        let (first, _) = consoles.first().expect("one");
        assert_eq!(first, instance(MOST_WAITING - 1));
        consoles.forget(&first);
        assert!(consoles.want(&instance(MOST_WAITING), wish(5)));
    }
}

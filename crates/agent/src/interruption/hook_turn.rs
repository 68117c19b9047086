//! The hooks of one notice, one after the other.

use jiff::{SignedDuration, Timestamp};

use super::NEXT_STEP_LOOK;
use crate::clock::Clock;
use crate::host::{HookWords, Host};
use crate::notebook::Notebook;
use crate::plan::hook_time;
use crate::processes::Process;
use crate::processes::job::JobFacts;
use crate::settings::InterruptionSettings;

/// How long hooks wait for the first step of a job, which says what job it is.
const FIRST_STEP_WITHIN: SignedDuration = SignedDuration::from_secs(2);

/// The hooks of one notice, one after the other.
pub(super) struct HookTurn<'a, H, C> {
    pub(super) host: &'a H,
    pub(super) clock: &'a C,
    pub(super) notebook: &'a Notebook<'a, H>,
    pub(super) settings: &'a InterruptionSettings,
    pub(super) until: Timestamp,
    pub(super) ends_at: Timestamp,
    pub(super) worker: Option<Process>,
    pub(super) words: HookWords,
}

impl<H: Host, C: Clock> HookTurn<'_, H, C> {
    pub(super) async fn run(mut self, names: Vec<String>) {
        self.learn_job().await;
        for name in names {
            let now = self.clock.now();
            let Some(time) = hook_time(self.settings, self.until.duration_since(now)) else {
                tracing::warn!(
                    hook.name = name,
                    "no time is left for this hook; it does not run"
                );
                continue;
            };
            self.words.seconds_left = self.ends_at.duration_since(now).as_secs().max(0);
            self.words.hook_seconds = time.as_secs();
            // Before it begins: it does not run twice, whatever becomes of the agent.
            let begun = name.clone();
            self.notebook
                .note(|record| record.hooks_begun.push(begun))
                .await;
            self.run_one(&name, time).await;
        }
    }

    /// A job is told by its step, and one that is being set up has none yet.
    async fn learn_job(&mut self) {
        let Some(worker) = self.worker else { return };
        let until = self.until.min(self.clock.now() + FIRST_STEP_WITHIN);
        loop {
            self.words.job = self.host.job_of(worker).await;
            let known = self.words.job != JobFacts::default();
            if known || self.clock.now() >= until || !self.host.lives(worker) {
                return;
            }
            self.clock.sleep(NEXT_STEP_LOOK).await;
        }
    }

    async fn run_one(&self, name: &str, time: SignedDuration) {
        let begun = self.clock.now();
        tracing::info!(
            hook.name = name,
            hook.limit_ms = crate::agent::millis(time),
            "a hook runs"
        );
        let outcome = tokio::select! {
            biased;
            outcome = self.host.run_hook(name, &self.words) => outcome,
            () = self.clock.sleep(time) => Err("it took too long and is killed".to_owned()),
        };
        let took = crate::agent::millis(self.clock.now().duration_since(begun));
        match outcome {
            Ok(()) => tracing::info!(hook.name = name, hook.took_ms = took, "a hook has ended"),
            Err(why) => tracing::warn!(
                hook.name = name,
                hook.took_ms = took,
                error.message = why,
                "a hook did not end well; all else goes on"
            ),
        }
    }
}

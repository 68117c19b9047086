//! Carries out what a notice leads to, beside the watch: hooks, the end of the job, the runner's.
//!
//! It makes no choices: what is due is decided in [`crate::plan`] and [`crate::rebalance`]. The watch
//! tells it what it sees; it tells the watch nothing, so that nothing here can hold a poll or a tag up.

use std::convert::Infallible;
use std::pin::Pin;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch::Receiver;

use crate::clock::Clock;
use crate::host::{HookWords, Host, StepEnd};
use crate::notebook::Notebook;
use crate::plan::{Activity, Due, Facts, Leave, Stop, due};
use crate::processes::Runner;
use crate::processes::worker_log::Unclear;
use crate::rebalance;
use crate::record::Ending;
use crate::settings::InterruptionSettings;
use crate::sighting::Sighting;
use crate::watch::Seen;

/// How often a step is looked for while the Worker is between two of them.
const NEXT_STEP_LOOK: SignedDuration = SignedDuration::from_millis(250);

/// How long it is looked for; then the runner is told to stop, so that GitHub knows in time.
const NEXT_STEP_WITHIN: SignedDuration = SignedDuration::from_secs(3);

/// What the watch has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// The notice, and whether it is there now.
    pub(crate) notice: Option<(Seen, bool)>,
    /// The instance, where it is known.
    pub(crate) instance_id: Option<String>,
    /// Whether EC2 recommends to leave the instance.
    pub(crate) rebalance: bool,
}

/// Attends to notices, for ever.
pub(crate) async fn attend<H: Host, C: Clock>(
    settings: &InterruptionSettings,
    host: &H,
    clock: &C,
    notebook: &Notebook<'_, H>,
    mut news: Receiver<News>,
) -> Infallible {
    let mut attendant = Attendant {
        settings,
        host,
        clock,
        notebook,
        sighting: Sighting::default(),
        hooks: None,
        begun_for: None,
        said: None,
        told_to_leave: false,
    };
    loop {
        let heard = news.borrow_and_update().clone();
        let wait = attendant.turn(&heard).await;
        let wake = async {
            match wait {
                Some(wait) => clock.sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            changed = news.changed() => if changed.is_err() {
                std::future::pending::<()>().await;
            },
            () = running(&mut attendant.hooks) => attendant.hooks = None,
            () = wake => (),
        }
    }
}

type Hooks<'a> = Option<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>;

struct Attendant<'a, H, C> {
    settings: &'a InterruptionSettings,
    host: &'a H,
    clock: &'a C,
    notebook: &'a Notebook<'a, H>,
    sighting: Sighting,
    hooks: Hooks<'a>,
    /// The first sight of the notice whose hooks have had their turn.
    begun_for: Option<Timestamp>,
    said: Option<Leave>,
    told_to_leave: bool,
}

impl<'a, H: Host, C: Clock> Attendant<'a, H, C> {
    /// Does what is due; then nothing is for so long, or until there is news.
    async fn turn(&mut self, news: &News) -> Option<SignedDuration> {
        match &news.notice {
            Some((seen, present)) => self.attend_notice(news, seen, *present).await,
            None if news.rebalance => Some(self.attend_rebalance()),
            None => None,
        }
    }

    async fn attend_notice(
        &mut self,
        news: &News,
        seen: &Seen,
        present: bool,
    ) -> Option<SignedDuration> {
        loop {
            let due = self.due(seen, present);
            match due {
                Due::RunHooks(time) => {
                    self.begun_for = Some(seen.at);
                    self.sighting.ended = None;
                    self.begin_hooks(news, seen, time);
                }
                Due::FailStep => self.fail_steps().await,
                Due::StopRunner(why) => self.stop_runners(why).await,
                Due::Wait(wait) => return Some(wait),
                Due::Leave(why) => {
                    self.leave(why);
                    return None;
                }
            }
        }
    }

    fn due(&mut self, seen: &Seen, present: bool) -> Due {
        let now = self.clock.now();
        let mut facts = Facts {
            action: &seen.notice.action,
            remaining: seen.remaining,
            present,
            elapsed: now.duration_since(seen.at),
            hooks_begun: self.begun_for == Some(seen.at),
            job_ended: self.job_ended(),
            runner: Activity::Absent,
        };
        // Only who comes to wait for the runner has to look at it.
        match due(self.settings, &facts) {
            Due::Wait(_) => {
                facts.runner = self.sighting.look(self.host, now);
                due(self.settings, &facts)
            }
            first @ (Due::RunHooks(_) | Due::FailStep | Due::StopRunner(_) | Due::Leave(_)) => {
                first
            }
        }
    }

    fn job_ended(&self) -> Option<Ending> {
        self.sighting
            .ended
            .or_else(|| self.notebook.record().and_then(|record| record.job_ended))
    }

    fn begin_hooks(&mut self, news: &News, seen: &Seen, time: SignedDuration) {
        let names = match self.host.hooks() {
            Ok(names) => names,
            Err(why) => {
                tracing::warn!(error.message = why, "the hooks cannot be run");
                return;
            }
        };
        let begun = self.notebook.record().map(|record| record.hooks_begun);
        let begun = begun.unwrap_or_default();
        let names: Vec<String> = names.into_iter().filter(|n| !begun.contains(n)).collect();
        if names.is_empty() {
            return;
        }
        let runners = self.sighting.runners(self.host);
        let worker = runners.iter().find_map(|runner| runner.worker);
        let words = HookWords {
            job: worker.map(|w| self.host.job_of(w)).unwrap_or_default(),
            action: seen.notice.action.to_string(),
            instance_id: news.instance_id.clone(),
            seconds_left: 0,
            hook_seconds: 0,
        };
        let turn = HookTurn {
            host: self.host,
            clock: self.clock,
            notebook: self.notebook,
            timeout: self.settings.hook_timeout.get(),
            until: self.clock.now() + time,
            ends_at: seen.ends_at(),
            words,
        };
        self.hooks = Some(Box::pin(turn.run(names)));
    }

    /// Ends the job by its step; by its runner where that is not sure to fail it.
    async fn fail_steps(&mut self) {
        self.end_hooks();
        let runners = self.sighting.runners(self.host);
        // Before the step ends: the job's own last hook reads it.
        self.ended(Ending::FailStep).await;
        for runner in runners {
            let Some(worker) = runner.worker else {
                continue;
            };
            if let Some(why) = self.fail_step(worker).await {
                tracing::warn!(reason = %why, "the step is not ended alone; its runner is stopped");
                self.ended(Ending::StopRunner).await;
                self.stop_listener(&runner);
            }
        }
    }

    /// Why the step could not be ended, if it was not.
    async fn fail_step(&mut self, worker: crate::processes::Process) -> Option<Unclear> {
        let begun = self.clock.now();
        let grace = self.settings.step_grace.get();
        loop {
            match self.host.fail_step(worker, grace).await {
                StepEnd::Ended(end) => {
                    let failure = end.failure.map(tracing::field::display);
                    tracing::warn!(
                        step.processes = end.processes,
                        step.killed = end.killed,
                        step.left = end.left.len(),
                        error.message = failure,
                        "the running step is ended; what its job does always still runs"
                    );
                    let lives_on = end.failure.is_some() && !end.left.is_empty();
                    return lives_on.then_some(Unclear::NotAllowed);
                }
                StepEnd::Unclear(why) => return Some(why),
                StepEnd::NoStep if !self.host.lives(worker) => return None,
                StepEnd::NoStep => (),
            }
            if self.clock.now().duration_since(begun) >= NEXT_STEP_WITHIN {
                return Some(Unclear::NoStep);
            }
            self.clock.sleep(NEXT_STEP_LOOK).await;
        }
    }

    async fn stop_runners(&mut self, why: Stop) {
        let runners = self.sighting.runners(self.host);
        match why {
            Stop::Chosen | Stop::LastDeadline => {
                self.end_hooks();
                self.ended(Ending::StopRunner).await;
            }
            // It has no job, so none is ended; one that has come meanwhile keeps its runner.
            Stop::Idle => self.sighting.ended = Some(Ending::StopRunner),
        }
        tracing::warn!(reason = %why, "the runner is told to stop");
        let busy_too = why != Stop::Idle;
        for runner in runners.iter().filter(|r| busy_too || r.worker.is_none()) {
            self.stop_listener(runner);
        }
        if why == Stop::Idle && runners.iter().any(|runner| runner.worker.is_some()) {
            self.sighting.ended = None;
        }
    }

    fn stop_listener(&self, runner: &Runner) {
        match runner.listener.map(|listener| self.host.stop(listener)) {
            Some(Ok(())) => (),
            Some(Err(why)) => {
                tracing::error!(error.message = why, "the runner cannot be told to stop");
            }
            None => tracing::error!("a job runs without its runner; nobody can be told to stop"),
        }
    }

    async fn ended(&mut self, ending: Ending) {
        self.sighting.ended = Some(ending);
        let note = |record: &mut crate::record::Record| record.job_ended = Some(ending);
        self.notebook.note(note).await;
    }

    /// Hooks that have not come to an end are killed.
    fn end_hooks(&mut self) {
        if self.hooks.take().is_some() {
            tracing::warn!("the hooks' time is over; what still runs of them is killed");
        }
    }

    fn leave(&mut self, why: Leave) {
        if self.said.replace(why) != Some(why) {
            tracing::info!(reason = %why, "nothing is left to do for the job");
        }
    }

    fn attend_rebalance(&mut self) -> SignedDuration {
        let now = self.clock.now();
        if !std::mem::replace(&mut self.told_to_leave, true) {
            tracing::info!(
                "EC2 recommends to leave this instance; its runner takes no new job, and ends none"
            );
        }
        let activity = self.sighting.look_seldom(self.host, now);
        match rebalance::due(activity) {
            rebalance::Due::Stop => {
                let runners = self.sighting.runners(self.host);
                for runner in runners.iter().filter(|runner| runner.worker.is_none()) {
                    tracing::info!("the runner has no job and is told to stop");
                    self.stop_listener(runner);
                }
                self.sighting.forget();
                rebalance::LOOK_EVERY
            }
            rebalance::Due::Wait(wait) => wait,
        }
    }
}

/// The hooks of one notice, one after the other.
struct HookTurn<'a, H, C> {
    host: &'a H,
    clock: &'a C,
    notebook: &'a Notebook<'a, H>,
    timeout: SignedDuration,
    until: Timestamp,
    ends_at: Timestamp,
    words: HookWords,
}

impl<H: Host, C: Clock> HookTurn<'_, H, C> {
    async fn run(mut self, names: Vec<String>) {
        for name in names {
            let now = self.clock.now();
            let time = self.until.duration_since(now).min(self.timeout);
            if time <= SignedDuration::ZERO {
                tracing::warn!(
                    hook.name = name,
                    "no time is left for this hook; it does not run"
                );
                continue;
            }
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

async fn running(hooks: &mut Hooks<'_>) {
    match hooks {
        Some(hooks) => hooks.as_mut().await,
        None => std::future::pending().await,
    }
}

//! Carries out what a notice leads to, beside the watch: hooks, the end of the job, the runner's.
//!
//! It makes no choices: what is due is decided in [`crate::plan`] and [`crate::rebalance`]. The watch
//! tells it what it sees; it tells the watch nothing, so that nothing here can hold a poll or a tag up.

use std::convert::Infallible;
use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch::Receiver;

use crate::clock::Clock;
use crate::host::{HookWords, Host, StepEnd};
use crate::notebook::Notebook;
use crate::plan::{
    Due, Facts, LOOK_EVERY, Leave, RunnerDue, Step, Stop, after_try, due, hook_time, runner_due,
    step_grace,
};
use crate::processes::Process;
use crate::processes::job::JobFacts;
use crate::rebalance;
use crate::record::Ending;
use crate::settings::InterruptionSettings;
use crate::sighting::{Known, Sighting};
use crate::watch::Seen;

/// How often a step is looked for while the Worker is between two of them.
const NEXT_STEP_LOOK: SignedDuration = SignedDuration::from_millis(250);

/// How long hooks wait for the first step of a job, which says what job it is.
const FIRST_STEP_WITHIN: SignedDuration = SignedDuration::from_secs(2);

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
        taken_up: None,
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
    /// How far an earlier agent had come with the end of the job.
    taken_up: Option<Ending>,
    said: Option<Leave>,
    told_to_leave: bool,
}

impl<'a, H: Host, C: Clock> Attendant<'a, H, C> {
    /// Does what is due; then nothing is for so long, or until there is news.
    async fn turn(&mut self, news: &News) -> Option<SignedDuration> {
        match &news.notice {
            Some((seen, present)) => self.attend_notice(news, seen, *present).await,
            None if news.rebalance => Some(self.attend_rebalance().await),
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
            match due(self.settings, &self.facts(seen, present)) {
                Due::RunHooks(time) => {
                    self.begin(seen);
                    self.begin_hooks(news, seen, time);
                }
                Due::TendRunners => return Some(self.tend_runners(seen, present).await),
                Due::Leave(why) => {
                    self.leave(why);
                    return None;
                }
            }
        }
    }

    fn facts<'n>(&self, seen: &'n Seen, present: bool) -> Facts<'n> {
        Facts {
            action: &seen.notice.action,
            remaining: seen.remaining,
            present,
            elapsed: self.clock.now().duration_since(seen.at),
            hooks_begun: self.begun_for == Some(seen.at),
        }
    }

    /// Does what is due for each runner; then nothing is for so long.
    async fn tend_runners(&mut self, seen: &Seen, present: bool) -> SignedDuration {
        self.sighting.look(self.host, self.clock.now());
        let mut all = std::mem::take(&mut self.sighting.known);
        let mut wait = LOOK_EVERY;
        let mut to_fail = Vec::new();
        // A runner that is told to stop takes no time, the end of a step does.
        for (place, known) in all.iter_mut().enumerate() {
            self.take_up(known);
            let stand = known.stand(self.clock.now());
            match runner_due(self.settings, &self.facts(seen, present), &stand) {
                RunnerDue::Wait(least) => wait = wait.min(least),
                RunnerDue::Stop(why) => self.stop(known, why).await,
                RunnerDue::FailStep => to_fail.push((place, known.runner.worker)),
            }
        }
        if !to_fail.is_empty() {
            let grace = step_grace(self.settings, &self.facts(seen, present));
            self.fail_steps(&mut all, to_fail, grace).await;
        }
        self.sighting.known = all;
        wait
    }

    /// Ends the steps of several jobs together: each has the same seconds left.
    async fn fail_steps(
        &mut self,
        all: &mut [Known],
        to_fail: Vec<(usize, Option<Process>)>,
        grace: SignedDuration,
    ) {
        self.end_hooks();
        // Before a step ends: the job's own last hook reads it.
        self.ended(Ending::FailStep).await;
        let (host, clock) = (self.host, self.clock);
        let end = async |(place, worker)| (place, fail_step(host, clock, grace, worker).await);
        let mut ends: FuturesUnordered<_> = to_fail.into_iter().map(end).collect();
        while let Some((place, step)) = ends.next().await {
            let Some(known) = all.get_mut(place) else {
                continue;
            };
            known.step = step;
            if let Step::LeftToRunner(why) = step {
                self.stop(known, why).await;
            }
        }
    }

    /// Where an earlier agent had begun to end the job, its end goes on.
    fn take_up(&mut self, known: &mut Known) {
        if let (Some(ending), Step::Untouched, Some(worker)) =
            (self.taken_up, known.step, known.runner.worker)
        {
            known.step = match ending {
                // It did not come to that.
                Ending::FailStep if self.host.has_frozen_step(worker) => Step::Untouched,
                Ending::FailStep => Step::Ended,
                Ending::StopRunner => Step::LeftToRunner(Stop::Resumed),
            };
        }
    }

    /// A notice that this agent has not attended to before: a new one, or that of an earlier agent.
    fn begin(&mut self, seen: &Seen) {
        self.begun_for = Some(seen.at);
        self.taken_up = self.notebook.record().and_then(|record| record.job_ended);
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
        // A Worker without a Listener may be anybody's.
        let worker = runners
            .iter()
            .find_map(|runner| runner.listener.and(runner.worker));
        let words = HookWords {
            job: JobFacts::default(),
            action: seen.notice.action.to_string(),
            instance_id: news.instance_id.clone(),
            seconds_left: 0,
            hook_seconds: 0,
        };
        let turn = HookTurn {
            host: self.host,
            clock: self.clock,
            notebook: self.notebook,
            settings: self.settings,
            until: self.clock.now() + time,
            ends_at: seen.ends_at(),
            worker,
            words,
        };
        self.hooks = Some(Box::pin(turn.run(names)));
    }

    /// Tells a runner to stop. Where that fails it is not told, and so told again at the next look.
    async fn stop(&mut self, known: &mut Known, why: Stop) {
        if why == Stop::Idle && self.has_a_job_now(known) {
            return;
        }
        let told = match known.runner.listener {
            Some(listener) => self.host.stop(listener),
            None => Err("its job runs without it".to_owned()),
        };
        match told {
            Ok(()) => {
                known.told = true;
                tracing::warn!(reason = %why, "the runner is told to stop");
                // Without a job, none is ended.
                if why != Stop::Idle {
                    self.end_hooks();
                    self.ended(Ending::StopRunner).await;
                }
            }
            Err(error) if !std::mem::replace(&mut known.complained, true) => {
                tracing::error!(
                    reason = %why,
                    error.message = error,
                    "the runner cannot be told to stop; trying on"
                );
            }
            Err(_) => (),
        }
    }

    /// Whether a job has come since the last look.
    fn has_a_job_now(&mut self, known: &Known) -> bool {
        let runners = self.sighting.runners(self.host);
        let same = |runner: &&crate::processes::Runner| runner.listener == known.runner.listener;
        runners
            .iter()
            .find(same)
            .is_none_or(|runner| runner.worker.is_some())
    }

    async fn ended(&mut self, ending: Ending) {
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

    async fn attend_rebalance(&mut self) -> SignedDuration {
        let now = self.clock.now();
        if !std::mem::replace(&mut self.told_to_leave, true) {
            tracing::info!(
                "EC2 recommends to leave this instance; its runner takes no new job, and ends none"
            );
        }
        self.sighting.look_seldom(self.host, now);
        let mut all = std::mem::take(&mut self.sighting.known);
        let mut wait = rebalance::LOOK_EVERY;
        for known in &mut all {
            match rebalance::due(&known.stand(now)) {
                rebalance::Due::Stop => self.stop(known, Stop::Idle).await,
                rebalance::Due::Wait(least) => wait = wait.min(least),
            }
        }
        self.sighting.known = all;
        wait
    }
}

/// Ends the step of a job, which may take some tries.
async fn fail_step<H: Host, C: Clock>(
    host: &H,
    clock: &C,
    grace: SignedDuration,
    worker: Option<Process>,
) -> Step {
    let Some(worker) = worker else {
        return Step::Ended;
    };
    let begun = clock.now();
    loop {
        let end = host.fail_step(worker, grace).await;
        if let StepEnd::Ended(end) = &end {
            tracing::warn!(
                step.processes = end.processes,
                step.killed = end.killed,
                step.left = end.left.len(),
                error.message = end.failure.map(tracing::field::display),
                "the running step is ended; what its job does always still runs"
            );
        }
        let since = clock.now().duration_since(begun);
        if let Some(step) = after_try(&end, host.lives(worker), since) {
            if let Step::LeftToRunner(why) = step {
                tracing::warn!(reason = %why, "the step is not ended alone; its runner is to stop");
            }
            return step;
        }
        clock.sleep(NEXT_STEP_LOOK).await;
    }
}

/// The hooks of one notice, one after the other.
struct HookTurn<'a, H, C> {
    host: &'a H,
    clock: &'a C,
    notebook: &'a Notebook<'a, H>,
    settings: &'a InterruptionSettings,
    until: Timestamp,
    ends_at: Timestamp,
    worker: Option<Process>,
    words: HookWords,
}

impl<H: Host, C: Clock> HookTurn<'_, H, C> {
    async fn run(mut self, names: Vec<String>) {
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

async fn running(hooks: &mut Hooks<'_>) {
    match hooks {
        Some(hooks) => hooks.as_mut().await,
        None => std::future::pending().await,
    }
}

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
use crate::host::{HookWords, Host};
use crate::notebook::Notebook;
use crate::plan::{
    Due, Facts, Frozen, LOOK_EVERY, Leave, RunnerDue, Step, Stop, due, frozen, runner_due,
    step_grace,
};
use crate::processes::Process;
use crate::processes::job::JobFacts;
use crate::rebalance;
use crate::record::Ending;
use crate::settings::InterruptionSettings;
use crate::sighting::{Known, Sighting};
use crate::watch::Seen;

mod hook_turn;
mod step_end;

use hook_turn::HookTurn;
use step_end::{Note, fail_step};

/// How often a step is looked for while the Worker is between two of them.
const NEXT_STEP_LOOK: SignedDuration = SignedDuration::from_millis(250);

/// What the watch has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// The notice, and whether it is there now.
    pub(crate) notice: Option<(Seen, bool)>,
    /// The instance, where it is known.
    pub(crate) instance_id: Option<String>,
    /// Whether EC2 recommends to leave the instance.
    pub(crate) rebalance: bool,
    /// What an earlier agent of this boot left, where one saw a notice.
    pub(crate) left: Option<Left>,
}

/// How far an earlier agent had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    /// How jobs were ended, where that had begun.
    pub(crate) job_ended: Option<Ending>,
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
        freed: false,
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
    /// Whether frozen steps of an earlier agent's were looked for.
    freed: bool,
}

impl<'a, H: Host, C: Clock> Attendant<'a, H, C> {
    /// Does what is due; then nothing is for so long, or until there is news.
    async fn turn(&mut self, news: &News) -> Option<SignedDuration> {
        match &news.notice {
            Some((seen, present)) => self.attend_notice(news, seen, *present).await,
            None => {
                self.free_steps(news).await;
                match news.rebalance {
                    true => Some(self.attend_rebalance().await),
                    false => None,
                }
            }
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
                    self.free_steps(news).await;
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
        let (host, clock) = (self.host, self.clock);
        // The job's own last hook reads it.
        let note = &Note::to(self.notebook);
        let end = async |(place, worker)| {
            let end = fail_step(host, clock, grace, worker, note).await;
            (place, end)
        };
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

    /// No step stays as an agent that was killed has left it, where no job is to be ended any more.
    async fn free_steps(&mut self, news: &News) {
        let Some(left) = news.left else { return };
        if std::mem::replace(&mut self.freed, true) {
            return;
        }
        self.sighting.look(self.host, self.clock.now());
        let mut all = std::mem::take(&mut self.sighting.known);
        let workers = all.iter().map(|known| known.runner.worker).enumerate();
        let is_frozen = |worker: &Process| self.host.has_frozen_step(*worker);
        let frozen_ones: Vec<_> = workers
            .filter(|(_, worker)| worker.as_ref().is_some_and(is_frozen))
            .collect();
        match frozen(left.job_ended) {
            _ if frozen_ones.is_empty() => (),
            Frozen::Ends => {
                tracing::warn!("an earlier agent was ending a step, which is frozen; it ends now");
                let grace = self.settings.step_grace.get();
                self.fail_steps(&mut all, frozen_ones, grace).await;
            }
            Frozen::GoesOn => {
                for worker in frozen_ones.into_iter().filter_map(|(_, worker)| worker) {
                    self.thaw(worker);
                }
            }
        }
        self.sighting.known = all;
    }

    fn thaw(&self, worker: Process) {
        match self.host.thaw_step(worker) {
            Ok(()) => tracing::warn!("an earlier agent had left a step frozen; it goes on"),
            Err(error) => tracing::error!(
                error.message = error,
                "an earlier agent has left a step frozen, which cannot be made to go on"
            ),
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

async fn running(hooks: &mut Hooks<'_>) {
    match hooks {
        Some(hooks) => hooks.as_mut().await,
        None => std::future::pending().await,
    }
}

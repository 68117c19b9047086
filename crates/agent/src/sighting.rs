//! What was seen of the runners last: which there are, whether each is busy, and since when it is not.

use jiff::{SignedDuration, Timestamp};

use crate::host::Runners;
use crate::plan::{Activity, IDLE_FOR, Stand, Step};
use crate::processes::{Process, Runner};

/// A look at all processes costs milliseconds; where nothing presses, one in so long is enough.
const SELDOM: SignedDuration = SignedDuration::from_secs(15);

/// Remembers between looks.
#[derive(Debug, Default)]
pub(crate) struct Sighting {
    pub(crate) known: Vec<Known>,
    looked_at: Option<Timestamp>,
    complained: bool,
}

/// One runner, and what was done to it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) runner: Runner,
    /// What became of its job's step.
    pub(crate) step: Step,
    /// Whether it was told to stop.
    pub(crate) told: bool,
    /// Whether it was said that it cannot be told.
    pub(crate) complained: bool,
    idle_since: Option<Timestamp>,
}

impl Known {
    /// Where its job stands.
    pub(crate) fn stand(&self, now: Timestamp) -> Stand {
        Stand {
            activity: match self.idle_since {
                Some(since) => Activity::Idle(now.duration_since(since)),
                None => Activity::Busy,
            },
            step: self.step,
            told: self.told,
        }
    }

    fn new(runner: Runner, now: Timestamp) -> Self {
        Self {
            runner,
            step: Step::Untouched,
            told: false,
            complained: false,
            idle_since: runner.worker.is_none().then_some(now),
        }
    }

    /// The same runner, as it is seen now.
    fn seen_again(mut self, runner: Runner, now: Timestamp) -> Self {
        self.idle_since = match (self.runner.worker, runner.worker) {
            (_, Some(_)) => None,
            // Its job has come to its end: it takes the next one at any moment.
            (Some(_), None) => Some(now.saturating_sub(IDLE_FOR).unwrap_or(now)),
            (None, None) => self.idle_since.or(Some(now)),
        };
        if self.runner.worker != runner.worker {
            self.step = Step::Untouched;
        }
        self.runner = runner;
        self
    }
}

impl Sighting {
    /// Looks at all runners. What was done to them is not forgotten for one look that fails.
    pub(crate) fn look(&mut self, host: &impl Runners, now: Timestamp) {
        self.looked_at = Some(now);
        let Some(runners) = self.seen_now(host) else {
            return;
        };
        let before = std::mem::take(&mut self.known);
        let known = |runner: Runner| {
            let same = before.iter().find(|known| is_same(&known.runner, &runner));
            match same {
                Some(same) => same.clone().seen_again(runner, now),
                None => Known::new(runner, now),
            }
        };
        self.known = runners.into_iter().map(known).collect();
    }

    /// The same at little cost: while all Workers that were seen live, nobody else is looked at.
    pub(crate) fn look_seldom(&mut self, host: &impl Runners, now: Timestamp) {
        let works = |known: &Known| known.runner.worker.is_some_and(|w| host.lives(w));
        let is_recent = |at: Timestamp| now.duration_since(at) < SELDOM;
        let nothing_new = match self.known.is_empty() {
            true => self.looked_at.is_some_and(is_recent),
            false => self.known.iter().all(works),
        };
        if !nothing_new {
            self.look(host, now);
        }
    }

    /// Which runners there are now.
    pub(crate) fn runners(&mut self, host: &impl Runners) -> Vec<Runner> {
        self.seen_now(host).unwrap_or_default()
    }

    fn seen_now(&mut self, host: &impl Runners) -> Option<Vec<Runner>> {
        let seen = host.runners();
        if let Err(why) = &seen
            && !std::mem::replace(&mut self.complained, true)
        {
            tracing::warn!(error.message = why, "the runner cannot be seen; trying on");
        }
        seen.ok()
    }
}

/// By its Listener; or by its Worker, which may outlive that.
fn is_same(one: &Runner, other: &Runner) -> bool {
    let same = |one: Option<Process>, other| one.is_some() && one == other;
    same(one.listener, other.listener) || same(one.worker, other.worker)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::host::StepEnd;
    use crate::processes::job::JobFacts;

    /// Runners of which each look shows what stands here.
    #[derive(Default)]
    struct Shown(Mutex<Option<Vec<Runner>>>);

    impl Shown {
        fn show(&self, runners: &[Runner]) {
            *self.0.lock().expect("not poisoned") = Some(runners.to_vec());
        }

        fn fail(&self) {
            *self.0.lock().expect("not poisoned") = None;
        }
    }

    impl Runners for Shown {
        fn runners(&self) -> Result<Vec<Runner>, String> {
            let shown = self.0.lock().expect("not poisoned").clone();
            shown.ok_or_else(|| "too many open files".to_owned())
        }

        fn lives(&self, _: Process) -> bool {
            true
        }

        async fn job_of(&self, _: Process) -> JobFacts {
            JobFacts::default()
        }

        fn has_frozen_step(&self, _: Process) -> bool {
            false
        }

        fn thaw_step(&self, _: Process) -> Result<(), String> {
            Ok(())
        }

        async fn fail_step(
            &self,
            _: Process,
            _: SignedDuration,
            _: impl Future<Output = ()> + Send,
        ) -> StepEnd {
            StepEnd::NoStep
        }

        fn stop(&self, _: Process) -> Result<(), String> {
            Ok(())
        }
    }

    fn runner(listener: u32, worker: Option<u32>) -> Runner {
        let process = |pid| Process { pid, started: 1 };
        Runner {
            listener: Some(process(listener)),
            worker: worker.map(process),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn activities(sighting: &Sighting, now: Timestamp) -> Vec<Activity> {
        let known = sighting.known.iter();
        known.map(|known| known.stand(now).activity).collect()
    }

    #[test]
    fn each_runner_is_idle_for_a_time_of_its_own_and_at_once_where_its_job_has_ended() {
        let idle = |seconds| Activity::Idle(SignedDuration::from_secs(seconds));
        let host = Shown::default();
        let mut sighting = Sighting::default();
        host.show(&[runner(1, None), runner(2, Some(3))]);
        sighting.look(&host, at(10));
        assert_eq!(activities(&sighting, at(10)), [idle(0), Activity::Busy]);
        host.show(&[runner(1, None), runner(2, None)]);
        sighting.look(&host, at(11));
        assert_eq!(activities(&sighting, at(11)), [idle(1), idle(2)]);
    }

    #[test]
    fn what_was_done_to_a_runner_is_remembered_for_it_alone_and_for_its_job_alone() {
        let host = Shown::default();
        let mut sighting = Sighting::default();
        host.show(&[runner(1, Some(3)), runner(2, Some(4))]);
        sighting.look(&host, at(10));
        for known in &mut sighting.known {
            known.step = Step::Ended;
        }
        if let Some(known) = sighting.known.first_mut() {
            known.told = true;
        }
        host.show(&[runner(2, Some(5)), runner(1, Some(3))]);
        sighting.look(&host, at(11));
        let known = sighting.known.iter();
        let stands: Vec<(Step, bool)> = known.map(|known| (known.step, known.told)).collect();
        assert_eq!(stands, [(Step::Untouched, false), (Step::Ended, true)]);
    }

    #[test]
    fn a_look_that_fails_and_a_listener_that_dies_forget_nothing_that_was_done() {
        let host = Shown::default();
        let mut sighting = Sighting::default();
        host.show(&[runner(1, Some(3))]);
        sighting.look(&host, at(10));
        for known in &mut sighting.known {
            known.step = Step::Ended;
        }
        host.fail();
        sighting.look(&host, at(11));
        let mut alone = runner(1, Some(3));
        alone.listener = None;
        host.show(&[alone]);
        sighting.look(&host, at(12));
        let steps: Vec<Step> = sighting.known.iter().map(|known| known.step).collect();
        assert_eq!(steps, [Step::Ended]);
    }
}

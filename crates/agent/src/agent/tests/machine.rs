//! The machine of the scripted cloud: a record, hooks, and a runner, in virtual time.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::MutexGuard;

use jiff::SignedDuration;

use super::cloud::Cloud;
use crate::clock::Clock;
use crate::host::{HookWords, Hooks, Runners, StepEnd};
use crate::processes::job::JobFacts;
use crate::processes::tree::TreeEnd;
use crate::processes::{Process, Runner};
use crate::record::{Boot, Records};

fn listener(runner: u32) -> Process {
    Process {
        pid: 100 + 2 * runner,
        started: 1,
    }
}

fn worker(runner: u32) -> Process {
    Process {
        pid: 101 + 2 * runner,
        started: 2,
    }
}

fn is_listener(process: Process) -> bool {
    process.started == 1
}

/// What there is on it, and what befell it.
pub(crate) struct Machine {
    pub(super) boot: String,
    pub(super) disk: Disk,
    pub(super) record: Option<String>,
    /// Each hook takes so many seconds; one that takes none never ends.
    pub(super) hooks: BTreeMap<&'static str, Option<i64>>,
    pub(super) words: Vec<HookWords>,
    pub(super) listener: bool,
    /// Until which second there is a job, if there is one.
    pub(super) job_until: Option<i64>,
    pub(super) step: StepEnd,
    /// Until which second the runner cannot be told to stop.
    pub(super) deaf_until: i64,
    pub(super) looks: u32,
    /// From which second on the job has a step that tells what job it is.
    pub(super) job_known_from: i64,
    /// How many runners there are, each with such a job.
    pub(super) runners: u32,
    /// Whether an agent was killed while it ended a step.
    pub(super) frozen: bool,
    /// How many seconds a step takes to end.
    pub(super) step_takes: i64,
    /// What was done to it, with the second.
    pub(super) events: Vec<(i64, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    Sound,
    Full,
    Hangs,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            boot: "boot-1".to_owned(),
            disk: Disk::Sound,
            record: None,
            hooks: BTreeMap::new(),
            words: Vec::new(),
            listener: false,
            job_until: None,
            step: ended(),
            deaf_until: 0,
            looks: 0,
            job_known_from: 0,
            runners: 1,
            frozen: false,
            step_takes: 0,
            events: Vec::new(),
        }
    }
}

/// A step that ended as it should.
pub(crate) fn ended() -> StepEnd {
    StepEnd::Ended(TreeEnd {
        processes: 3,
        killed: 0,
        left: Vec::new(),
        failure: None,
    })
}

impl Machine {
    /// A runner with a job that ends by itself at that second.
    pub(crate) fn runs_until(&mut self, second: i64) {
        self.listener = true;
        self.job_until = Some(second);
    }

    fn job_at(&self, second: i64) -> bool {
        self.job_until.is_some_and(|until| second < until)
    }
}

impl Cloud {
    pub(crate) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().expect("not poisoned")
    }

    /// What befell the machine, a line each with its second.
    pub(crate) fn events(&self) -> Vec<String> {
        let machine = self.machine();
        let lines = machine.events.iter();
        lines
            .map(|(second, what)| format!("{second} {what}"))
            .collect()
    }

    fn happens(&self, what: impl Into<String>) {
        let second = self.passed().as_secs();
        self.machine().events.push((second, what.into()));
    }
}

impl Records for Cloud {
    fn boot(&self) -> Result<Boot, String> {
        Ok(Boot {
            id: self.machine().boot.clone(),
            uptime: self.passed() + SignedDuration::from_secs(3600),
        })
    }

    async fn load(&self) -> Result<Option<String>, String> {
        Ok(self.machine().record.clone())
    }

    async fn save(&self, text: String) -> Result<(), String> {
        let disk = self.machine().disk;
        match disk {
            Disk::Sound => {
                self.machine().record = Some(text);
                Ok(())
            }
            Disk::Full => Err("no space left on device".to_owned()),
            Disk::Hangs => pending().await,
        }
    }

    async fn remove(&self) -> Result<(), String> {
        self.machine().record = None;
        Ok(())
    }
}

impl Hooks for Cloud {
    fn hooks(&self) -> Result<Vec<String>, String> {
        let machine = self.machine();
        Ok(machine
            .hooks
            .keys()
            .map(|name| (*name).to_owned())
            .collect())
    }

    async fn run_hook(&self, name: &str, words: &HookWords) -> Result<(), String> {
        self.machine().words.push(words.clone());
        self.happens(format!("hook {name}"));
        let takes = self.machine().hooks[name];
        match takes {
            Some(seconds) => self.clock().sleep(SignedDuration::from_secs(seconds)).await,
            None => pending().await,
        }
        self.happens(format!("hook {name} ended"));
        Ok(())
    }
}

impl Runners for Cloud {
    fn runners(&self) -> Result<Vec<Runner>, String> {
        let second = self.passed().as_secs();
        let mut machine = self.machine();
        machine.looks += 1;
        let busy = machine.job_at(second);
        let runner = |number| Runner {
            listener: Some(listener(number)),
            worker: busy.then(|| worker(number)),
        };
        Ok(match machine.listener {
            true => (0..machine.runners).map(runner).collect(),
            false => Vec::new(),
        })
    }

    fn lives(&self, process: Process) -> bool {
        let second = self.passed().as_secs();
        let machine = self.machine();
        machine.listener && (is_listener(process) || machine.job_at(second))
    }

    fn has_frozen_step(&self, _: Process) -> bool {
        self.machine().frozen
    }

    async fn job_of(&self, _: Process) -> JobFacts {
        let known = self.passed().as_secs() >= self.machine().job_known_from;
        JobFacts {
            job: known.then(|| "build".to_owned()),
            ..JobFacts::default()
        }
    }

    fn thaw_step(&self, _: Process) -> Result<(), String> {
        self.machine().frozen = false;
        self.happens("step goes on");
        Ok(())
    }

    async fn fail_step(
        &self,
        worker: Process,
        _: SignedDuration,
        sure: impl Future<Output = ()> + Send,
    ) -> StepEnd {
        assert!(!is_listener(worker));
        let (step, takes) = {
            let machine = self.machine();
            (machine.step.clone(), machine.step_takes)
        };
        if matches!(step, StepEnd::Ended(_)) {
            sure.await;
        }
        self.machine().frozen = false;
        self.clock().sleep(SignedDuration::from_secs(takes)).await;
        if matches!(step, StepEnd::Ended(_)) {
            self.happens("step ended");
        }
        step
    }

    fn stop(&self, listener: Process) -> Result<(), String> {
        assert!(is_listener(listener));
        if self.passed().as_secs() < self.machine().deaf_until {
            return Err("not permitted".to_owned());
        }
        self.happens("runner stopped");
        let mut machine = self.machine();
        machine.listener = false;
        machine.job_until = None;
        Ok(())
    }
}

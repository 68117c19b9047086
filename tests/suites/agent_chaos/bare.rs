//! A machine without a disk, hooks or a runner: where only the tag is looked at.

use jiff::SignedDuration;
use reprise_agent::host::{HookWords, Hooks, Runners, StepEnd};
use reprise_agent::processes::job::JobFacts;
use reprise_agent::processes::{Process, Runner};
use reprise_agent::record::{Boot, Records};

/// Such a machine.
#[derive(Debug)]
pub(crate) struct Bare;

impl Records for Bare {
    fn boot(&self) -> Result<Boot, String> {
        Err("it never booted".to_owned())
    }

    async fn load(&self) -> Result<Option<String>, String> {
        Ok(None)
    }

    async fn save(&self, _: String) -> Result<(), String> {
        Ok(())
    }

    async fn remove(&self) -> Result<(), String> {
        Ok(())
    }
}

impl Hooks for Bare {
    fn hooks(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    async fn run_hook(&self, name: &str, _: &HookWords) -> Result<(), String> {
        Err(format!("there is no hook {name}"))
    }
}

impl Runners for Bare {
    fn runners(&self) -> Result<Vec<Runner>, String> {
        Ok(Vec::new())
    }

    fn lives(&self, _: Process) -> bool {
        false
    }

    fn has_frozen_step(&self, _: Process) -> bool {
        false
    }

    async fn job_of(&self, _: Process) -> JobFacts {
        JobFacts::default()
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

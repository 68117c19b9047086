//! A machine of the crowd: nothing is kept on it, and nothing runs on it but its agent.

use jiff::SignedDuration;
use reprise_agent::host::{HookWords, Hooks, Runners, StepEnd};
use reprise_agent::processes::job::JobFacts;
use reprise_agent::processes::{Process, Runner};
use reprise_agent::record::{Boot, Records};

pub(crate) struct Machine;

impl Records for Machine {
    fn boot(&self) -> Result<Boot, String> {
        Ok(Boot {
            id: "the only one".to_owned(),
            uptime: SignedDuration::ZERO,
        })
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

impl Hooks for Machine {
    fn hooks(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    async fn run_hook(&self, name: &str, _: &HookWords) -> Result<(), String> {
        Err(format!("there is no hook {name}"))
    }
}

impl Runners for Machine {
    fn runners(&self) -> Result<Vec<Runner>, String> {
        Ok(Vec::new())
    }

    fn lives(&self, _: Process) -> bool {
        false
    }

    fn job_of(&self, _: Process) -> JobFacts {
        JobFacts::default()
    }

    async fn fail_step(&self, _: Process, _: SignedDuration) -> StepEnd {
        StepEnd::NoStep
    }

    fn stop(&self, _: Process) -> Result<(), String> {
        Ok(())
    }
}

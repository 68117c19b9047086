//! What EC2, GitHub and the ledger say of a drill.

use anyhow::Result;
use jiff::Timestamp;
use reprise_aws::{Ec2, RegionSettings};
use reprise_config::{Config, Settings};
use reprise_controller::daemon;
use reprise_engine::drill::{self, Seen};
use reprise_github::GitHub;
use reprise_model::instance::{InstanceSight, InstanceView, SpotStatus};
use reprise_model::job::Job;
use reprise_model::ledger::{InstanceEntry, RunEntry, RunKey};
use reprise_model::run::Run;
use reprise_store::{AnyStore, Store};

use super::target::Target;
use crate::ledger::{Access, opened};

/// Whoever is asked.
pub(super) struct Follower {
    pub(super) settings: Settings,
    pub(super) ec2: Ec2,
    pub(super) github: GitHub,
    pub(super) store: AnyStore,
}

/// What one look saw.
#[derive(Debug, Default)]
pub(super) struct Looked {
    sight: Option<InstanceSight>,
    spot: Option<SpotStatus>,
    known: Option<InstanceEntry>,
    run: Option<Run>,
    ledger: Option<RunEntry>,
    before: Vec<Job>,
    after: Vec<Job>,
    machine: Option<InstanceView>,
    /// The first thing that did not answer.
    pub(super) trouble: Option<String>,
}

impl Follower {
    pub(super) async fn connect(config: Config) -> Result<Self> {
        let regions: Vec<RegionSettings> = config.regions.iter().map(daemon::region).collect();
        Ok(Self {
            store: opened(&config.store, Access::Look).await?,
            ec2: Ec2::connect(&regions).await,
            github: daemon::connect_github(config.github)?,
            settings: config.settings,
        })
    }

    /// Looks everywhere. What does not answer is left out.
    pub(super) async fn look(&self, target: &Target) -> Looked {
        let mut looked = Looked::default();
        self.at_the_machine(target, &mut looked).await;
        self.at_the_ledger(target, &mut looked).await;
        self.at_the_run(target, &mut looked).await;
        let host = drill::rerun_host(
            &looked.seen(target, Timestamp::MIN),
            &self.settings.runner_name,
        );
        for place in &self.settings.places {
            let Some(host) = &host else { break };
            let sight = self.ec2.look(&place.region, host).await;
            if let Some(InstanceSight::Seen(view)) = looked.heard(sight) {
                looked.machine = Some(view);
                break;
            }
        }
        looked
    }

    async fn at_the_machine(&self, target: &Target, looked: &mut Looked) {
        let instance = &target.view.instance;
        let sight = self.ec2.look(&instance.region, &instance.id).await;
        looked.sight = looked.heard(sight);
        let spot = self.ec2.spot_status(&instance.region, &instance.id).await;
        looked.spot = looked.heard(spot).flatten();
    }

    async fn at_the_ledger(&self, target: &Target, looked: &mut Looked) {
        let known = self.store.instance(&target.view.instance).await;
        let known = looked.heard(known).flatten();
        looked.known = known.map(|found| found.record);
        let key = RunKey {
            repository: target.repository.clone(),
            run_id: target.job.run_id,
        };
        let ledger = looked.heard(self.store.run(&key).await).flatten();
        looked.ledger = ledger.map(|found| found.record);
    }

    async fn at_the_run(&self, target: &Target, looked: &mut Looked) {
        let (repository, run) = (&target.repository, target.job.run_id);
        let attempt = target.job.run_attempt;
        let read = self.github.run(repository, run).await;
        looked.run = looked.heard(read);
        let before = self.github.jobs(repository, run, attempt).await;
        looked.before = looked.heard(before).unwrap_or_default();
        let is_over = looked
            .run
            .as_ref()
            .is_some_and(|run| run.run_attempt > attempt);
        if is_over {
            let after = self.github.jobs(repository, run, attempt.next()).await;
            looked.after = looked.heard(after).unwrap_or_default();
        }
    }
}

impl Looked {
    pub(super) fn seen<'a>(&'a self, target: &'a Target, started: Timestamp) -> Seen<'a> {
        Seen {
            started,
            job: &target.job,
            sight: self.sight.as_ref(),
            spot: self.spot.as_ref(),
            known: self.known.as_ref(),
            run: self.run.as_ref(),
            ledger: self.ledger.as_ref(),
            before: &self.before,
            after: &self.after,
            machine: self.machine.as_ref(),
        }
    }

    fn heard<T, E: std::error::Error>(&mut self, answer: Result<T, E>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.trouble.get_or_insert_with(|| error.to_string());
                None
            }
        }
    }
}

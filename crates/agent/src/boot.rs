//! At boot: fetch the configuration that was left for this instance, and start its runner.
//!
//! The row may come seconds after the instance, and its role's policy may take as long to hold, so it
//! is asked for again, with jitter, until a deadline. A configuration works once, so a used row is left
//! to its time to live, which costs nothing. This part does not watch the runner ([`crate::caretaker`] does). The
//! watch for a notice goes on beside it.

use jiff::{SignedDuration, Timestamp};

use crate::agent::{TAG_DEADLINE as CALL_DEADLINE, millis};
use crate::clock::Clock;
use crate::complaint::Complaint;
use crate::lookup::Lookup;
use crate::metadata::Metadata;
use crate::runner::Runner;
use crate::runner_row::{JitConfig, RowFailure, RowRequest, RunnerTable};
use crate::tagger::full_jitter;

/// How long a configuration is waited for: a launch whose configuration takes longer has failed, and
/// the controller has launched another.
pub const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// The longest wait between two looks.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// Everything outside of it.
#[derive(Debug)]
pub struct BootPorts<'a, M, C, T, R> {
    /// The metadata service.
    pub metadata: &'a M,
    /// Time.
    pub clock: &'a C,
    /// The runner table.
    pub table: T,
    /// The instance's runner.
    pub runner: R,
    /// The randomness of waits.
    pub jitter: fastrand::Rng,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Booted {
    /// The runner is on its way.
    Started,
    /// An earlier agent of this boot had started it.
    StartedBefore,
    /// There was a configuration, and the runner could not be started with it.
    Failed,
    /// No configuration came.
    NoConfig,
}

impl Booted {
    /// Whether there is a runner, or will be in a moment.
    pub fn has_runner(self) -> bool {
        match self {
            Self::Started | Self::StartedBefore => true,
            Self::Failed | Self::NoConfig => false,
        }
    }
}

/// Brings the instance's runner up.
pub async fn bring_up<M: Metadata, C: Clock, T: RunnerTable, R: Runner>(
    ports: BootPorts<'_, M, C, T, R>,
) -> Booted {
    if ports.runner.was_started() {
        tracing::info!("the runner was started already by an earlier agent");
        return Booted::StartedBefore;
    }
    let begun = ports.clock.now();
    let mut boot = Boot {
        ports,
        lookup: Lookup::default(),
        trouble: Complaint::default(),
        begun,
    };
    boot.run().await
}

struct Boot<'a, M, C, T, R> {
    ports: BootPorts<'a, M, C, T, R>,
    lookup: Lookup,
    trouble: Complaint,
    begun: Timestamp,
}

impl<M: Metadata, C: Clock, T: RunnerTable, R: Runner> Boot<'_, M, C, T, R> {
    async fn run(&mut self) -> Booted {
        let mut looks = 0;
        loop {
            looks += 1;
            let failure = match self.look().await {
                Ok(Some(config)) => return self.start(&config, looks).await,
                Ok(None) => None,
                Err(failure) => Some(failure),
            };
            if let Some(failure) = &failure {
                self.failed(failure);
            }
            let wait = full_jitter(looks, LONGEST_WAIT, self.ports.jitter.f64());
            if self.waited() + wait >= PATIENCE {
                return self.give_up(looks, failure.as_ref());
            }
            self.ports.clock.sleep(wait).await;
        }
    }

    async fn look(&mut self) -> Result<Option<JitConfig>, RowFailure> {
        let request = self.request().await?;
        let read = self.ports.table.read(&request);
        let read = tokio::time::timeout(CALL_DEADLINE, read).await;
        read.unwrap_or(Err(RowFailure::TimedOut))
    }

    async fn request(&mut self) -> Result<RowRequest, RowFailure> {
        let (metadata, clock) = (self.ports.metadata, self.ports.clock);
        let instance = self.lookup.instance(metadata, clock).await;
        let credentials = self.lookup.credentials(metadata, clock).await;
        Ok(RowRequest {
            instance: instance.map_err(RowFailure::NoIdentity)?,
            credentials: credentials.map_err(RowFailure::NoCredentials)?,
            signed_at: clock.wall(),
        })
    }

    fn failed(&mut self, failure: &RowFailure) {
        if matches!(failure, RowFailure::StaleCredentials { .. }) {
            self.lookup.forget_credentials();
        }
        if let Some(failures) = self.trouble.failed(self.ports.clock.now()) {
            tracing::warn!(
                error.message = %failure,
                error.count = failures,
                "the runner's configuration cannot be fetched; trying on"
            );
        }
    }

    async fn start(&self, config: &JitConfig, looks: u32) -> Booted {
        if let Err(failure) = self.ports.runner.start(config).await {
            tracing::error!(
                runner.name = config.runner,
                error.message = %failure,
                "the runner could not be started; the instance is of no use"
            );
            return Booted::Failed;
        }
        tracing::info!(
            runner.name = config.runner,
            boot.looks = looks,
            boot.waited_ms = millis(self.waited()),
            "the runner is started with the configuration that was left for it"
        );
        Booted::Started
    }

    fn give_up(&self, looks: u32, last: Option<&RowFailure>) -> Booted {
        let why = match last {
            Some(failure) => failure.to_string(),
            None => "the table has no row for this instance".to_owned(),
        };
        tracing::error!(
            boot.looks = looks,
            boot.waited_ms = millis(self.waited()),
            error.message = why,
            "no configuration came for this instance's runner within 10 minutes; there will be no runner"
        );
        Booted::NoConfig
    }

    fn waited(&self) -> SignedDuration {
        self.ports.clock.now().duration_since(self.begun)
    }
}

#[cfg(test)]
mod tests;

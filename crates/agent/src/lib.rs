//! The agent on a runner instance: starts its runner, sees the interruption notice and tags the instance.
//!
//! One loop ([`run`]) over three ports ([`Metadata`], [`Tagger`], [`Clock`]); the decisions stand
//! apart from it ([`watch`]). Beside it, at boot and where it is configured, the instance's runner is
//! started with what the controller left for it ([`boot`]) and watched ([`caretaker`]). [`run_agent`] is all of
//! it with the real ports.
//!
//! It does not speak to GitHub or to the controller: the tag is its whole message, and a row of a
//! table all that it is told. It speaks to
//! the metadata service in version 2 only, ends on request only, and powers off nothing but an instance whose
//! runner has served its turn, never one that EC2 is about to take.

pub mod agent;
pub mod annotation;
pub mod boot;
pub mod caretaker;
pub mod clock;
mod complaint;
mod console;
pub mod credentials;
pub mod dynamo_row;
mod ec2_answer;
pub mod ec2_tagger;
pub mod endpoint;
mod hook_folder;
pub mod host;
mod http_body;
pub mod http_metadata;
pub mod identity;
mod interruption;
mod journal;
mod local_host;
pub mod logging;
mod lookup;
pub mod metadata;
mod notebook;
pub mod notice;
pub mod noticed;
pub mod plan;
pub mod premises;
pub mod processes;
mod rebalance;
pub mod record;
pub mod record_file;
pub mod remaining;
pub mod runner;
pub mod runner_row;
pub mod session;
pub mod settings;
mod shown;
mod sighting;
mod signed;
pub mod summary;
pub mod system_clock;
mod systemd;
pub mod tagger;
pub mod tenure;
pub mod tls;
pub mod watch;

use std::convert::Infallible;
use std::future::{Future, pending};

pub use agent::{AgentEnd, Ports, run};
pub use clock::Clock;
pub use host::Host;
use local_host::LocalHost;
pub use metadata::Metadata;
pub use noticed::Noticed;
pub use runner::Runner;
pub use runner_row::RunnerTable;
use settings::OnEnd;
pub use settings::Settings;
pub use system_clock::SystemClock;
pub use tagger::Tagger;

/// Runs the agent over HTTP until `shutdown` completes.
///
/// The clock may be scaled: polls, waits and deadlines follow it, while requests keep their
/// deadlines in real time and are signed with [`Clock::wall`].
pub async fn run_agent(
    settings: Settings,
    clock: impl Clock,
    shutdown: impl Future<Output = ()>,
) -> AgentEnd {
    let metadata = http_metadata::HttpMetadata::new(settings.metadata_endpoint.clone());
    let noticed = Noticed::default();
    let ca_bundle = settings.ca_bundle.as_deref();
    let tagger = ec2_tagger::Ec2Tagger::new(settings.ec2_endpoint.clone(), ca_bundle);
    if let Err(error) = tagger.ready() {
        tracing::error!(
            error.message = %error,
            "AWS cannot prove itself, so the instance cannot be tagged; watching nevertheless"
        );
    }
    let host = LocalHost::new(&settings.interruption, &clock);
    host.announce_hooks();
    let ports = Ports {
        metadata: &metadata,
        tagger,
        clock: &clock,
        host,
        noticed: noticed.clone(),
        jitter: fastrand::Rng::new(),
    };
    let keeps_runner = settings.runner.is_some();
    let keeping = keep_runner(&settings, &metadata, &clock);
    let keeping = async {
        match keeps_runner {
            true => noticed.rest_of(&clock, keeping).await,
            false => pending().await,
        }
    };
    tokio::select! {
        end = run(&settings, ports, shutdown) => end,
        never = keeping => match never {},
    }
}

/// Brings the runner up where there is one to start, and watches it until the instance has served its turn.
fn keep_runner<'a, M: Metadata, C: Clock>(
    settings: &Settings,
    metadata: &'a M,
    clock: &'a C,
) -> impl Future<Output = Infallible> + use<'a, M, C> {
    let runner = settings.runner.clone().map(|runner| {
        let table = dynamo_row::DynamoRow::new(
            settings.dynamodb_endpoint.clone(),
            settings.ca_bundle.as_deref(),
            runner.table.clone(),
            runner.role_id.clone(),
        );
        (runner, table)
    });
    async move {
        let Some((settings, table)) = runner else {
            return pending().await;
        };
        let booted = boot::bring_up(boot::BootPorts {
            metadata,
            clock,
            table,
            runner: runner::FileRunner::new(settings.clone()),
            jitter: fastrand::Rng::new(),
        });
        let started = booted.await.has_runner();
        match settings.on_end {
            OnEnd::Stay => pending().await,
            OnEnd::PowerOff => {
                let care = caretaker::Care {
                    metadata,
                    clock,
                    premises: premises::RunnerPremises::new(&settings),
                };
                care.watch(started, settings.limits()).await
            }
        }
    }
}

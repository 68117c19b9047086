//! Starting everything, and ending it well.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use reprise_ask::Asker;
use reprise_aws::{Ec2, RegionSettings, SqsQueue};
use reprise_config::{
    ApiConfig, Config, EndpointConfig, GitHubConfig, QueuesConfig, RegionConfig, RunnersConfig,
    StoreConfig,
};
use reprise_model::advice::EndpointName;
use reprise_store::{AnyStore, DynamoStore, RunnerTable, SqliteStore};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::adapters::{Real, RunnerDesk};
use crate::api;
use crate::clock::Clock;
use crate::context::Controller;
use crate::health::Health;
use crate::http::routes;
use crate::logging::chain;
use crate::loops::{Loops, drained};
use crate::metrics::Metrics;
use crate::ports::Ports;
use crate::pump::{Pump, Source};
use crate::shutdown::{self, Draining};
use crate::systemd;

/// How long one request to GitHub may take.
const GITHUB_TIMEOUT: Duration = Duration::from_secs(20);

/// Runs the controller until `stop` ends, then drains it. `seed` decides its randomness and its name
/// among the replicas.
///
/// # Errors
/// When something that must be there at the start is not.
pub async fn run<C: Clock + Clone>(
    config: Config,
    clock: C,
    seed: u64,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let (drain, draining) = shutdown::channel();
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("failed to listen on {}; set http.listen", config.listen))?;
    let api = bind_api(config.api.as_ref()).await?;
    let queues = connect_queues(&config.queues).await;
    let secrets = config.github.webhook_secrets.clone();
    let limits = (config.queues.pollers, config.queues.at_once);
    let sweep_every = config.sweep_every;
    let controller = Arc::new(connect(config, clock.clone(), draining.clone(), seed).await?);
    let loops = Loops {
        controller: Arc::clone(&controller),
        pumps: queues.pumps(&controller, &secrets, limits),
        sweep_every,
    };
    let mut loops = loops.spawn();
    let address = listener
        .local_addr()
        .context("failed to read the listening address")?;
    let api_address = api.as_ref().and_then(|(api, _)| api.local_addr().ok());
    let server = tokio::spawn(serve(
        listener,
        routes(Arc::clone(&controller)),
        Arc::clone(&controller),
    ));
    let api = api.map(|(listener, token)| {
        let routes = api::routes(Arc::clone(&controller), token);
        tokio::spawn(serve(listener, routes, Arc::clone(&controller)))
    });
    info!(http.address = %address, api.address = api_address.map(tracing::field::display), version = env!("CARGO_PKG_VERSION"), "the controller has started");
    systemd::ready();
    let beats = tokio::spawn(systemd::keep_quiet(Arc::clone(&controller)));
    watch(&mut loops, &controller.health, stop).await;
    info!("the controller drains: no new messages, what is under way is finished or handed back");
    systemd::stopping();
    drained(&clock, &drain, loops).await;
    server.abort();
    beats.abort();
    if let Some(api) = api {
        api.abort();
    }
    info!("the controller has ended");
    Ok(())
}

/// Waits for the end to be asked for; a loop that ends by itself is a fault that health shows.
async fn watch(loops: &mut JoinSet<()>, health: &Health, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return,
            Some(ended) = loops.join_next() => {
                health.loop_ended();
                error!(failed = ended.is_err(), "a loop of the controller has ended; restart it");
            }
        }
    }
}

async fn bind_api(config: Option<&ApiConfig>) -> Result<Option<(TcpListener, SecretString)>> {
    let Some(ApiConfig { listen, token }) = config else {
        return Ok(None);
    };
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("failed to listen on {listen}; set api.listen"))?;
    if !listen.ip().is_loopback() {
        warn!(
            api.address = %listen,
            "the operator's API speaks plain HTTP to other machines; put something before it that \
             speaks TLS, or set api.listen to an address of this machine alone"
        );
    }
    Ok(Some((listener, token.clone())))
}

async fn serve<P: Ports>(listener: TcpListener, routes: Router, controller: Arc<Controller<P>>) {
    if let Err(error) = axum::serve(listener, routes).await {
        controller.health.loop_ended();
        error!(error = %chain(&error), "the HTTP server has ended");
    }
}

async fn connect<C: Clock>(
    config: Config,
    clock: C,
    draining: Draining,
    seed: u64,
) -> Result<Controller<Real<C>>> {
    let store = open_store(&config.store).await?;
    let regions: Vec<RegionSettings> = config.regions.iter().map(region).collect();
    let cloud = Ec2::connect(&regions).await;
    let github = connect_github(config.github)?;
    let registry = RunnerDesk::registry(github.clone());
    let runners = connect_runners(config.runners, &config.regions, &github).await?;
    let advisers = connect_advisers(config.endpoints).await?;
    let metrics = Metrics::new().context("failed to register the metrics")?;
    Ok(Controller::new(
        clock,
        store,
        cloud,
        github,
        config.settings,
        metrics,
        draining,
        seed,
    )
    .with_runners(runners)
    .with_registry(Some(registry))
    .with_advisers(advisers))
}

async fn connect_advisers(
    endpoints: BTreeMap<EndpointName, EndpointConfig>,
) -> Result<Option<Asker>> {
    if endpoints.is_empty() {
        return Ok(None);
    }
    let settings = endpoints.into_iter().map(|(name, one)| {
        let settings = match one {
            EndpointConfig::Url { url, secret } => reprise_ask::Settings::Url { url, secret },
            EndpointConfig::Lambda { function, region } => {
                reprise_ask::Settings::Lambda { function, region }
            }
        };
        (name, settings)
    });
    let asker = Asker::connect(settings).await;
    asker
        .map(Some)
        .context("failed to set up the endpoints that may be asked; see [ask]")
}

async fn connect_runners(
    config: Option<RunnersConfig>,
    roles: &[RegionConfig],
    github: &reprise_github::GitHub,
) -> Result<Option<RunnerDesk>> {
    let Some(config) = config else {
        return Ok(None);
    };
    let mut tables = BTreeMap::new();
    for region in &config.regions {
        let name = &config.table;
        let role = roles.iter().find(|one| one.region == *region);
        let role = role.and_then(|one| one.role_arn.as_deref());
        let table = RunnerTable::connect(name, region, role).await;
        let table = table.with_context(|| {
            format!("failed to open the table {name} in {region}; see runner.table")
        })?;
        tables.insert(region.clone(), table);
    }
    Ok(Some(RunnerDesk::new(github.clone(), tables, config)))
}

/// Opens the ledger that the configuration names.
///
/// # Errors
/// When it cannot be opened, with what to look at.
pub async fn open_store(config: &StoreConfig) -> Result<AnyStore> {
    match config {
        StoreConfig::Sqlite { path } => {
            SqliteStore::open(path)
                .map(AnyStore::Sqlite)
                .with_context(|| {
                    format!(
                        "failed to open the store {}; set store.path",
                        path.display()
                    )
                })
        }
        StoreConfig::DynamoDb { table, region } => DynamoStore::connect(table, region)
            .await
            .map(AnyStore::Dynamo)
            .with_context(|| {
                format!(
                    "failed to open the table {table} in {region}; see store.table and store.region"
                )
            }),
    }
}

/// A region, as EC2 is reached there.
pub fn region(config: &RegionConfig) -> RegionSettings {
    RegionSettings {
        region: config.region.clone(),
        account: config.account.clone(),
        role_arn: config.role_arn.clone(),
    }
}

/// Prepares the connection to GitHub; nothing is asked yet.
///
/// # Errors
/// When the App's key cannot be used.
pub fn connect_github(config: GitHubConfig) -> Result<reprise_github::GitHub> {
    reprise_github::GitHub::connect(reprise_github::Settings {
        base_uri: config.base_url,
        app_id: config.app_id,
        private_key_pem: config.private_key,
        request_timeout: GITHUB_TIMEOUT,
    })
    .context("failed to set up the GitHub App; see github.app_id and github.private_key_file")
}

struct Queues {
    webhooks: Arc<SqsQueue>,
    webhooks_dead_letters: Option<Arc<SqsQueue>>,
    ec2_events: Option<Arc<SqsQueue>>,
    ec2_events_dead_letters: Option<Arc<SqsQueue>>,
}

async fn connect_queues(config: &QueuesConfig) -> Queues {
    Queues {
        webhooks: connect_queue(&config.webhooks, config).await,
        webhooks_dead_letters: connect_any(config.webhooks_dead_letters.as_deref(), config).await,
        ec2_events: connect_any(config.ec2_events.as_deref(), config).await,
        ec2_events_dead_letters: connect_any(config.ec2_events_dead_letters.as_deref(), config)
            .await,
    }
}

async fn connect_any(url: Option<&str>, config: &QueuesConfig) -> Option<Arc<SqsQueue>> {
    match url {
        Some(url) => Some(connect_queue(url, config).await),
        None => None,
    }
}

async fn connect_queue(url: &str, config: &QueuesConfig) -> Arc<SqsQueue> {
    let window = Duration::try_from(config.delete_window).unwrap_or_default();
    Arc::new(SqsQueue::connect(url, &config.region, window).await)
}

impl Queues {
    fn pumps<C: Clock>(
        &self,
        controller: &Arc<Controller<Real<C>>>,
        secrets: &[SecretString],
        (pollers, at_once): (usize, usize),
    ) -> Vec<(Pump<Real<C>>, usize)> {
        let webhooks = Pump {
            controller: Arc::clone(controller),
            queue: Arc::clone(&self.webhooks),
            dead_letters: self.webhooks_dead_letters.clone(),
            source: Source::Webhooks(secrets.to_vec()),
            at_once,
        };
        let ec2_events = self.ec2_events.as_ref().map(|queue| Pump {
            controller: Arc::clone(controller),
            queue: Arc::clone(queue),
            dead_letters: self.ec2_events_dead_letters.clone(),
            source: Source::Ec2Events,
            at_once,
        });
        std::iter::once(webhooks)
            .chain(ec2_events)
            .map(|pump| (pump, pollers))
            .collect()
    }
}

/// Ends at SIGTERM or SIGINT. It listens from the call on, not from the first poll: the first process
/// of a container is not ended by a signal that it does not listen for.
pub fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    async move {
        match signals {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! {
                    biased;
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                error!(error = %chain(&error), "failed to listen for signals; the controller ends");
            }
        }
    }
}

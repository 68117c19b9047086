//! What every handler shares.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_config::Settings;
use reprise_config::policies::Chosen;
use reprise_engine::backoff::{Jitter, after};
use reprise_engine::job::FleetRule;
use reprise_model::advice::EndpointName;
use reprise_model::ids::Repository;
use reprise_model::job::Job;
use reprise_store::{HolderId, StoreError};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::bells::Bells;
use crate::breakers::PoolWatch;
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::consoles::Consoles;
use crate::crowd::Census;
use crate::denied::Denied;
use crate::health::Health;
use crate::images::Images;
use crate::intake::{Advised, Gates, Judged, MOST_ADVISED, MOST_JUDGED, MOST_PASTS, Pasts};
use crate::metrics::Metrics;
use crate::pace::Pace;
use crate::ports::{PortError, Ports};
use crate::queues::QueueAges;
use crate::recall::Recall;
use crate::shutdown::Draining;
use crate::sweep::{InUse, Patience};
use crate::work::{Calls, Desk, Looks, Overdue};

/// The controller: its ports, its settings, and the little that it keeps in memory.
pub struct Controller<P: Ports> {
    /// Time.
    pub clock: P::Clock,
    /// The ledger.
    pub store: P::Store,
    /// EC2.
    pub cloud: P::Cloud,
    /// GitHub.
    pub github: P::GitHub,
    /// What gives new instances their runners; `None` where they bring them along.
    pub runners: Option<P::Runners>,
    /// Where they bring them along: what takes them out of GitHub.
    pub registry: Option<P::Runners>,
    /// The endpoints that have a say in re-runs; `None` where none is configured.
    pub advisers: Option<P::Advisers>,
    /// Configuration.
    pub settings: Settings,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// What the health answers go by.
    pub health: Health,
    /// Whether the end has come.
    pub draining: Draining,
    /// Something became due.
    pub due: Notify,
    /// Evidence was stored: whoever looks for some looks again at once.
    pub(crate) bells: Bells,
    /// When the job of an interrupted instance is looked for again.
    pub(crate) patience: Patience,
    /// When an instance that was kept is asked about again.
    pub(crate) kept: Patience,
    /// The instance types that there are.
    pub(crate) catalogue: Catalogue,
    /// The images that were asked for.
    pub(crate) images: Images,
    /// The images that instances run from.
    pub(crate) images_in_use: InUse,
    /// Which spot pools are left alone.
    pub(crate) pools: PoolWatch,
    /// How many instances there are.
    pub(crate) census: Census,
    /// The instances as they were listed last.
    pub(crate) recall: Recall,
    /// What was asked of EC2 and GitHub lately.
    pub(crate) pace: Pace,
    /// Instances that EC2 took, whose jobs were asked about.
    pub(crate) mourned: Patience,
    /// How old the queues' messages are.
    pub(crate) queue_ages: QueueAges,
    /// How late work is.
    pub(crate) overdue: Overdue,
    /// The consoles that are asked for.
    pub(crate) consoles: Consoles,
    /// The runs whose gates are known to be open.
    pub(crate) gates: Gates,
    /// Whether GitHub lets us write check runs.
    pub(crate) no_checks: Denied,
    /// Where launches that are alike meet.
    pub(crate) desk: Desk,
    /// What EC2 was asked for a moment ago.
    pub(crate) calls: Calls,
    /// What GitHub showed of runs a moment ago.
    pub(crate) looks: Looks,
    /// Which jobs ran in attempts that are over.
    pub(crate) pasts: Pasts,
    /// Why jobs failed.
    pub(crate) judged: Judged,
    /// What endpoints said of jobs.
    pub(crate) advised: Advised,
    /// Places among the questions that are under way, by endpoint.
    pub(crate) questions: Mutex<BTreeMap<EndpointName, Arc<Semaphore>>>,
    /// Places among the calls for queued jobs that are under way.
    launches: Semaphore,
    /// This process, among all that share the store.
    pub holder: HolderId,
    random: Mutex<fastrand::Rng>,
}

/// Why a message or a due record was not dealt with: it will be again.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Something outside failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The store failed, or somebody else was faster too often.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The controller is ending; the work is handed back as it was.
    #[error("the controller is shutting down")]
    Draining,
    /// A defect of this program.
    #[error("the work panicked: {0}; this is a defect, please report it")]
    Panicked(String),
}

impl WorkError {
    /// How long whoever failed asks to be left alone.
    pub(crate) fn retry_after(&self) -> Option<SignedDuration> {
        match self {
            Self::Port(error) => error.retry_after,
            Self::Store(_) | Self::Draining | Self::Panicked(_) => None,
        }
    }
}

impl<P: Ports> Controller<P> {
    /// A controller over these ports. `seed` decides all its randomness, and its name among the
    /// holders of leases: no two processes on one store may have the same.
    #[expect(
        clippy::too_many_arguments,
        reason = "one argument a port; a builder would say no more"
    )]
    pub fn new(
        clock: P::Clock,
        store: P::Store,
        cloud: P::Cloud,
        github: P::GitHub,
        settings: Settings,
        metrics: Metrics,
        draining: Draining,
        seed: u64,
    ) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let holder = HolderId::new(format!("{:016x}", random.u64(..)));
        Self {
            clock,
            store,
            cloud,
            github,
            runners: None,
            registry: None,
            advisers: None,
            settings,
            metrics,
            health: Health::default(),
            draining,
            due: Notify::new(),
            bells: Bells::default(),
            patience: Patience::default(),
            kept: Patience::default(),
            catalogue: Catalogue::default(),
            images: Images::default(),
            images_in_use: InUse::default(),
            desk: Desk::default(),
            calls: Calls::default(),
            looks: Looks::default(),
            pasts: Pasts::new(MOST_PASTS),
            judged: Judged::new(MOST_JUDGED),
            advised: Advised::new(MOST_ADVISED),
            questions: Mutex::default(),
            pools: PoolWatch::default(),
            census: Census::default(),
            recall: Recall::default(),
            pace: Pace::default(),
            mourned: Patience::default(),
            queue_ages: QueueAges::default(),
            overdue: Overdue::default(),
            consoles: Consoles::default(),
            gates: Gates::default(),
            no_checks: Denied::default(),
            launches: Semaphore::new(LAUNCHES_AT_ONCE),
            holder,
            random: Mutex::new(random),
        }
    }

    /// The same, giving new instances their runners.
    #[must_use]
    pub fn with_runners(self, runners: Option<P::Runners>) -> Self {
        Self { runners, ..self }
    }

    /// The same, able to take out of GitHub what instances bring along.
    #[must_use]
    pub fn with_registry(self, registry: Option<P::Runners>) -> Self {
        Self { registry, ..self }
    }

    /// The same, asking these endpoints.
    #[must_use]
    pub fn with_advisers(self, advisers: Option<P::Advisers>) -> Self {
        Self { advisers, ..self }
    }

    /// A random number for a name.
    pub(crate) fn random(&self) -> u32 {
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .u32(..)
    }

    /// A random number for a decision that spreads its time.
    pub fn jitter(&self) -> Jitter {
        Jitter(
            self.random
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .f64(),
        )
    }

    /// Whether a new start would not help: every loop runs, or they end because they were asked to.
    pub fn is_healthy(&self) -> bool {
        self.health.is_alive() || self.draining.has_begun()
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether configuration serves the repository.
    pub fn allows(&self, repository: &Repository) -> bool {
        self.settings.serves(repository)
    }

    /// The job's policy.
    pub fn policy_of(&self, repository: &Repository, job: &Job) -> Chosen<'_> {
        self.settings.policies.of(repository, job)
    }

    /// Whose machines the decisions deal with.
    pub fn fleet_rule(&self) -> FleetRule<'_> {
        match &self.settings.fleet {
            Some(fleet) => FleetRule::Ours {
                stack: fleet.stack.as_str(),
            },
            None => FleetRule::Foreign,
        }
    }

    /// Ends that long after the end of the controller was asked for, whenever that is waited for.
    pub(crate) async fn draining_for(&self, pause: SignedDuration) {
        self.draining.begun().await;
        let begun_at = self.draining.begun_at().unwrap_or_else(|| self.now());
        self.clock.sleep_until(after(begun_at, pause)).await;
    }

    /// A place among the calls that launch for queued jobs. None is begun into the end.
    ///
    /// # Errors
    /// [`WorkError::Draining`] when the controller is ending.
    pub(crate) async fn launch_place(&self) -> Result<SemaphorePermit<'_>, WorkError> {
        tokio::select! {
            biased;
            () = self.draining.begun() => Err(WorkError::Draining),
            place = self.launches.acquire() => place.map_err(|_closed| WorkError::Draining),
        }
    }

    /// Sleeps, but not into the end.
    ///
    /// # Errors
    /// [`WorkError::Draining`] when the controller is ending.
    pub async fn pause_until(&self, time: Timestamp) -> Result<(), WorkError> {
        tokio::select! {
            // The end goes first: work that could go on only now would be cut off soon.
            biased;
            () = self.draining.begun() => Err(WorkError::Draining),
            () = self.clock.sleep_until(time) => Ok(()),
        }
    }
}

/// How many calls for queued jobs are under way at once: EC2 throttles who asks for many.
const LAUNCHES_AT_ONCE: usize = 32;

/// How long a run's record is kept: as long as evidence.
pub(crate) const RUN_KEPT: SignedDuration = reprise_model::evidence::KEPT_FOR;

/// How long a launch claim is kept: GitHub fails a queued job after 24 hours and ends a running one
/// after five days, and the sweep needs the claim to tell what an instance was for.
pub(crate) const CLAIM_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

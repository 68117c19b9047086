//! Agents without a machine, a metadata service and an EC2, in virtual time: the agents' own code through its
//! ports, where it would take minutes to wait for what is to be seen.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use reprise_agent::metadata::{Answer, MetadataError, SessionToken};
use reprise_agent::tagger::{TagFailure, TagRequest};
use reprise_agent::{Clock as _, Metadata, Noticed, Ports, Settings, SystemClock, Tagger};
use reprise_model::ids::{AccountId, InstanceId, Region};
use reprise_model::instance::Capacity;
use reprise_world::ec2::{Adopted, Call, CarriedOut, CreateTags, Ec2, Ec2Settings, Interruption};
use reprise_world::imds::{Delivery, Imds, ImdsFaults};

use crate::bare::Bare;

/// How long a call to EC2 takes there and back.
const CALL_TAKES: SignedDuration = SignedDuration::from_millis(200);

/// Lets a simulation run. Virtual time needs a runtime of its own, and so a thread.
pub(crate) async fn run<T: Send + 'static>(
    simulation: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let simulated = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        runtime.block_on(simulation)
    });
    simulated.await.context("a simulation came to nothing")?
}

/// An agent's life, as it is shipped; its number decides its waits.
pub(crate) async fn live(host: Host, number: u64, length: SignedDuration) {
    let clock = host.cloud.clock.clone();
    let ports = Ports {
        metadata: host.clone(),
        tagger: host,
        clock: clock.clone(),
        host: Bare,
        noticed: Noticed::default(),
        jitter: fastrand::Rng::with_seed(number),
    };
    reprise_agent::run(&Settings::default(), ports, clock.sleep(length)).await;
}

/// A metadata service that may be out of reach altogether.
struct Service {
    imds: Imds,
    refuses: bool,
}

/// EC2, and the metadata service of each instance.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) clock: SystemClock,
    state: Arc<Mutex<State>>,
}

struct State {
    ec2: Ec2,
    services: BTreeMap<InstanceId, Service>,
    tagged_at: Vec<Timestamp>,
}

/// One instance.
#[derive(Clone)]
pub(crate) struct Host {
    cloud: Cloud,
    id: InstanceId,
}

impl Cloud {
    /// So many instances.
    pub(crate) fn new(agents: u32) -> Result<Self> {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse()?;
        let account = AccountId::new("123456789012");
        let mut ec2 = Ec2::new(Ec2Settings::new(account, Region::new("eu-west-1"), 1));
        let mut services = BTreeMap::new();
        for number in 0..agents {
            let id: InstanceId = format!("i-0{number:016x}").parse()?;
            let adopted = Adopted {
                id: id.clone(),
                instance_type: "c7a.large".to_owned(),
                zone: "eu-west-1a".to_owned(),
                capacity: Capacity::Spot,
                tags: BTreeMap::new(),
                role: Some("runner-role".to_owned()),
            };
            ec2.register_instance(start, adopted);
            let imds = Imds::new(u64::from(number));
            let refuses = false;
            services.insert(id, Service { imds, refuses });
        }
        Ok(Self {
            clock: SystemClock::starting_at(start),
            state: Arc::new(Mutex::new(State {
                ec2,
                services,
                tagged_at: Vec::new(),
            })),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each of them.
    pub(crate) fn hosts(&self) -> Vec<Host> {
        let host = |id: &InstanceId| Host {
            cloud: self.clone(),
            id: id.clone(),
        };
        self.state().services.keys().map(host).collect()
    }

    /// Gives each instance notice of two minutes.
    pub(crate) fn give_notices(&self) -> Result<()> {
        let now = self.clock.now();
        let mut state = self.state();
        let State { ec2, services, .. } = &mut *state;
        for id in services.keys() {
            let mut notice = Interruption::terminate(SignedDuration::from_mins(2));
            notice.carried_out = CarriedOut::Never;
            ec2.interrupt(now, id, notice)?;
        }
        Ok(())
    }

    /// How many instances have the tag.
    pub(crate) fn tagged(&self) -> usize {
        let state = self.state();
        let (key, value) = &state.ec2.settings().instance_may_tag;
        let has_it = |id: &&InstanceId| {
            let instance = state.ec2.instance(id);
            instance.is_some_and(|instance| instance.tags().get(key) == Some(value))
        };
        state.services.keys().filter(has_it).count()
    }

    /// How long after the notices each tag was answered.
    pub(crate) fn tagged_after(&self, notice: Timestamp) -> Vec<Duration> {
        let state = self.state();
        let passed = |at: &Timestamp| Duration::try_from(at.duration_since(notice)).ok();
        state.tagged_at.iter().filter_map(passed).collect()
    }
}

impl Host {
    /// Breaks its metadata service, or mends it.
    pub(crate) fn break_by(&self, change: impl FnOnce(&mut ImdsFaults)) {
        if let Some(service) = self.cloud.state().services.get_mut(&self.id) {
            change(&mut service.imds.faults);
        }
    }

    /// Has it refuse connections, or take them again.
    pub(crate) fn refuse(&self, refuses: bool) {
        if let Some(service) = self.cloud.state().services.get_mut(&self.id) {
            service.refuses = refuses;
        }
    }

    /// What lies before the service's own answer.
    async fn way(&self) -> Result<(), MetadataError> {
        let (refuses, hang, delivery) = {
            let state = self.cloud.state();
            let service = state.services.get(&self.id);
            let service = service.ok_or(MetadataError::TimedOut)?;
            let faults = &service.imds.faults;
            (service.refuses, faults.hang, faults.delivery)
        };
        let broken = |how: &str| Err(MetadataError::Transport(how.to_owned()));
        match delivery {
            _ if refuses => broken("connection refused"),
            _ if hang => pending().await,
            Delivery::Reset => broken("connection reset"),
            // The shortest answer takes longer than a request may.
            Delivery::Drip => pending().await,
            Delivery::Whole => Ok(()),
        }
    }
}

impl Metadata for Host {
    async fn token(&self, ttl_seconds: u32) -> Result<SessionToken, MetadataError> {
        self.way().await?;
        let now = self.cloud.clock.now();
        let mut state = self.cloud.state();
        let service = state.services.get_mut(&self.id);
        let service = service.ok_or(MetadataError::TimedOut)?;
        match service.imds.token(now, ttl_seconds) {
            Ok(token) => Ok(SessionToken::new(token)),
            Err(status) => Err(MetadataError::from_status(status.as_u16())),
        }
    }

    async fn get(&self, path: &str, token: &SessionToken) -> Result<Answer, MetadataError> {
        self.way().await?;
        let now = self.cloud.clock.now();
        let mut state = self.cloud.state();
        let State { ec2, services, .. } = &mut *state;
        let service = services.get_mut(&self.id);
        let imds = &mut service.ok_or(MetadataError::TimedOut)?.imds;
        let (status, body) = match imds.get(ec2, &self.id, now, path, token.expose()) {
            Ok(text) => (200, text.into_bytes()),
            Err(status) => (status.as_u16(), Vec::new()),
        };
        let date = Some(now);
        Ok(Answer { status, body, date })
    }
}

impl Tagger for Host {
    async fn tag(&self, request: &TagRequest) -> Result<(), TagFailure> {
        self.cloud.clock.sleep(CALL_TAKES / 2).await;
        let now = self.cloud.clock.now();
        let wanted = CreateTags {
            instances: vec![request.instance.id.clone()],
            tags: BTreeMap::from([(request.key.clone(), request.value.clone())]),
        };
        let call = Call::by_instance(now, self.id.clone());
        let answer = self.cloud.state().ec2.create_tags(&call, &wanted);
        if answer.is_ok() {
            self.cloud.state().tagged_at.push(now);
        }
        self.cloud.clock.sleep(CALL_TAKES / 2).await;
        answer.map_err(|error| match error.status {
            503 => TagFailure::Throttled { code: error.code },
            _ => TagFailure::Refused {
                code: error.code,
                message: error.message,
            },
        })
    }
}

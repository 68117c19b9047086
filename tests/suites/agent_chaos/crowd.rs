//! A thousand agents get their notices in one moment, and share an API of ten calls a second: the
//! agents' own code through its ports, in virtual time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use reprise_agent::metadata::{Answer, MetadataError, SessionToken};
use reprise_agent::tagger::{TagFailure, TagRequest};
use reprise_agent::{Clock as _, Metadata, Noticed, Ports, Settings, SystemClock, Tagger};
use reprise_model::ids::{AccountId, InstanceId, Region};
use reprise_model::instance::Capacity;
use reprise_world::ec2::{Adopted, Call, CarriedOut, CreateTags, Ec2, Ec2Settings, Interruption};
use reprise_world::imds::Imds;

use crate::bare::Bare;
use crate::table::Figure;
use crate::{Affliction, row};

const AGENTS: u32 = 1000;

/// How long a call to EC2 takes there and back.
const CALL_TAKES: SignedDuration = SignedDuration::from_millis(200);

/// When the notices come.
const NOTICE_AFTER: SignedDuration = SignedDuration::from_secs(3);

/// EC2 gives its burst of a hundred at once and the rest at ten a second: 90 s are the least for a
/// thousand; five seconds before the end the agents give up.
const LAST_TAG: Duration = Duration::from_secs(100);

pub(crate) fn all() -> Vec<Affliction> {
    vec![row!(
        "1,000 notices at once, 10 tags a second (simulated)",
        crowd()
    )]
}

async fn crowd() -> Result<Vec<Figure>> {
    // Virtual time needs a runtime of its own.
    let simulated = tokio::task::spawn_blocking(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()?;
        runtime.block_on(simulate())
    });
    let tagged_after = simulated.await??;
    let last = tagged_after.iter().max().copied().unwrap_or_default();
    Ok(vec![
        Figure::exactly("tagged", usize::try_from(AGENTS)?, tagged_after.len()),
        Figure::within("the last tag", LAST_TAG, last),
    ])
}

/// How long after the notices each instance had its tag.
async fn simulate() -> Result<Vec<Duration>> {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let cloud = Cloud::new(start)?;
    let mut agents = tokio::task::JoinSet::new();
    for (number, id) in cloud.ids().into_iter().enumerate() {
        let host = Host {
            cloud: cloud.clone(),
            id,
        };
        agents.spawn(live(host, u64::try_from(number)?));
    }
    cloud.clock.sleep(NOTICE_AFTER).await;
    cloud.give_notices()?;
    while agents.join_next().await.is_some() {}
    Ok(cloud.tagged_after(start + NOTICE_AFTER))
}

async fn live(host: Host, number: u64) {
    let mut jitter = fastrand::Rng::with_seed(number);
    let clock = host.cloud.clock.clone();
    // Instances boot when they do.
    clock
        .sleep(SignedDuration::from_millis(jitter.i64(0..1000)))
        .await;
    let ports = Ports {
        metadata: host.clone(),
        tagger: host,
        clock: clock.clone(),
        host: Bare,
        noticed: Noticed::default(),
        jitter,
    };
    let life = clock.sleep(NOTICE_AFTER + SignedDuration::from_mins(2));
    reprise_agent::run(&Settings::default(), ports, life).await;
}

#[derive(Clone)]
struct Cloud {
    clock: SystemClock,
    state: Arc<Mutex<State>>,
}

struct State {
    ec2: Ec2,
    services: BTreeMap<InstanceId, Imds>,
    tagged_at: Vec<Timestamp>,
}

#[derive(Clone)]
struct Host {
    cloud: Cloud,
    id: InstanceId,
}

impl Cloud {
    fn new(start: Timestamp) -> Result<Self> {
        let account = AccountId::new("123456789012");
        let mut ec2 = Ec2::new(Ec2Settings::new(account, Region::new("eu-west-1"), 1));
        let mut services = BTreeMap::new();
        for number in 0..AGENTS {
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
            services.insert(id, Imds::new(u64::from(number)));
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

    fn ids(&self) -> Vec<InstanceId> {
        self.state().services.keys().cloned().collect()
    }

    fn give_notices(&self) -> Result<()> {
        let now = self.clock.now();
        for id in self.ids() {
            let mut notice = Interruption::terminate(SignedDuration::from_mins(2));
            notice.carried_out = CarriedOut::Never;
            self.state().ec2.interrupt(now, &id, notice)?;
        }
        Ok(())
    }

    fn tagged_after(&self, notice: Timestamp) -> Vec<Duration> {
        let state = self.state();
        let passed = |at: &Timestamp| Duration::try_from(at.duration_since(notice)).ok();
        state.tagged_at.iter().filter_map(passed).collect()
    }
}

impl Metadata for Host {
    async fn token(&self, ttl_seconds: u32) -> Result<SessionToken, MetadataError> {
        let now = self.cloud.clock.now();
        let mut state = self.cloud.state();
        let service = state
            .services
            .get_mut(&self.id)
            .ok_or(MetadataError::TimedOut)?;
        match service.token(now, ttl_seconds) {
            Ok(token) => Ok(SessionToken::new(token)),
            Err(status) => Err(MetadataError::from_status(status.as_u16())),
        }
    }

    async fn get(&self, path: &str, token: &SessionToken) -> Result<Answer, MetadataError> {
        let now = self.cloud.clock.now();
        let mut state = self.cloud.state();
        let State { ec2, services, .. } = &mut *state;
        let service = services.get_mut(&self.id).ok_or(MetadataError::TimedOut)?;
        let (status, body) = match service.get(ec2, &self.id, now, path, token.expose()) {
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

//! The real agent on every host that is up, over the world's metadata service and EC2.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use reprise_agent::host::{HookWords, Hooks, Runners, StepEnd};
use reprise_agent::metadata::{Answer, MetadataError, SessionToken};
use reprise_agent::processes::job::JobFacts;
use reprise_agent::processes::{Process, Runner};
use reprise_agent::record::{Boot, Records};
use reprise_agent::settings::PollInterval;
use reprise_agent::tagger::{TagFailure, TagRequest};
use reprise_agent::{Metadata, Noticed, Tagger};
use reprise_model::ids::InstanceId;
use reprise_world::ec2::{Call, CreateTags};
use reprise_world::github::StartError;
use reprise_world::world::{RunnerError, World};
use tokio::task::AbortHandle;

use crate::clock::SimClock;
use crate::plan::{AgentRates, Chance, Dice};
use crate::trace::{self, Who};
use crate::universe::Universe;

/// Each agent asks so often. The real one asks every second; a simulation has other things to do.
const POLL_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// An operating system has started what starts runners after so long at most.
const BOOTS_WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// All that befalls agents.
pub const FAULTS: [&str; 3] = ["missing", "dies", "tag fails"];

/// How long a call to EC2 usually takes.
const USUAL: SignedDuration = SignedDuration::from_millis(400);

/// The agents that run.
#[derive(Debug)]
pub struct Agents {
    rates: AgentRates,
    never_come_up: Chance,
    seed: u64,
    running: BTreeMap<InstanceId, Vec<AbortHandle>>,
}

impl Agents {
    /// None yet.
    pub fn new(rates: AgentRates, never_come_up: Chance, seed: u64) -> Self {
        Self {
            rates,
            never_come_up,
            seed,
            running: BTreeMap::new(),
        }
    }

    /// Starts and ends agents with their hosts.
    pub fn follow(&mut self, universe: &Arc<Universe>, up: &BTreeSet<InstanceId>) {
        self.running.retain(|id, agent| {
            let stays = up.contains(id);
            if !stays {
                agent.iter().for_each(AbortHandle::abort);
            }
            stays
        });
        for id in up {
            if !self.running.contains_key(id) {
                let agents = self.start(universe, id);
                self.running.insert(id.clone(), agents);
            }
        }
    }

    fn start(&self, universe: &Arc<Universe>, id: &InstanceId) -> Vec<AbortHandle> {
        let starter = universe
            .makes_runners
            .then(|| self.start_runner(universe, id));
        let mut dice = Dice::new(self.seed ^ number_of(id));
        let (universe, id, rates) = (Arc::clone(universe), id.clone(), self.rates);
        let agent = async move {
            if dice.hits(rates.missing) {
                trace::reached("agent", "missing");
                return;
            }
            let end = dice.hits(rates.dies).then(|| dice.up_to(rates.dies_within));
            let slow = dice.hits(rates.slow).then_some(rates.slow_up_to);
            live(&universe, &id, end, slow, rates, dice.number()).await;
        };
        let agent = tokio::spawn(agent).abort_handle();
        starter.into_iter().chain([agent]).collect()
    }

    /// The part of it that starts the runner, which has dice of its own: where it fails, nothing comes up.
    fn start_runner(&self, universe: &Arc<Universe>, id: &InstanceId) -> AbortHandle {
        let mut dice = Dice::new(!self.seed ^ number_of(id));
        let (universe, id, rates) = (Arc::clone(universe), id.clone(), self.never_come_up);
        let starter = async move {
            if dice.hits(rates) && !universe.is_calm() {
                return;
            }
            universe.clock.pause(dice.up_to(BOOTS_WITHIN)).await;
            while !starts(&universe, &id) {
                universe.clock.pause(POLL_EVERY).await;
            }
        };
        tokio::spawn(starter).abort_handle()
    }
}

/// Starts the runner whose configuration is there. Whether there is no more to do.
fn starts(universe: &Universe, id: &InstanceId) -> bool {
    let Some(configuration) = universe.configuration(id) else {
        return false;
    };
    let started = universe.world(|world, now| world.start_runner(now, id, &configuration));
    match started {
        Ok(()) => true,
        Err(error) => {
            trace::line(Who::Agents, format!("{id} starts no runner: {error}"));
            // One that was taken back is followed by another one.
            error != RunnerError::Refused(StartError::Unknown)
        }
    }
}

/// The hosts on which an agent runs.
pub fn hosts(world: &World) -> BTreeSet<InstanceId> {
    world.hosts_up().cloned().collect()
}

async fn live(
    universe: &Arc<Universe>,
    id: &InstanceId,
    end: Option<SignedDuration>,
    slow: Option<SignedDuration>,
    rates: AgentRates,
    seed: u64,
) {
    let settings = reprise_agent::Settings {
        poll_interval: PollInterval::try_from(POLL_EVERY).unwrap_or_default(),
        ..reprise_agent::Settings::default()
    };
    let host = Host {
        universe: Arc::clone(universe),
        id: id.clone(),
    };
    let ports = reprise_agent::Ports {
        metadata: host.clone(),
        tagger: SimTagger { host, slow, rates },
        clock: universe.clock,
        host: Machine {
            clock: universe.clock,
            record: Mutex::new(None),
        },
        noticed: Noticed::default(),
        jitter: fastrand::Rng::with_seed(seed),
    };
    let death = async {
        match end {
            Some(after) => universe.clock.pause(after).await,
            None => pending().await,
        }
    };
    reprise_agent::run(&settings, ports, death).await;
    trace::reached("agent", "dies");
    trace::line(Who::Agents, format!("the agent of {id} dies"));
}

/// The same for the same instance.
fn number_of(id: &InstanceId) -> u64 {
    let digits = id.as_str().trim_start_matches("i-");
    u64::from_str_radix(digits.get(..16).unwrap_or(digits), 16).unwrap_or_default()
}

/// A host, as programs on it see the world.
#[derive(Clone)]
struct Host {
    universe: Arc<Universe>,
    id: InstanceId,
}

impl Metadata for Host {
    async fn token(&self, ttl_seconds: u32) -> Result<SessionToken, MetadataError> {
        let token = self
            .universe
            .look(|world, now| world.imds_token(now, &self.id, ttl_seconds));
        token
            .map(SessionToken::new)
            .map_err(|status| MetadataError::from_status(status.as_u16()))
    }

    async fn get(&self, path: &str, token: &SessionToken) -> Result<Answer, MetadataError> {
        let answer = self
            .universe
            .look(|world, now| world.imds_get(now, &self.id, path, token.expose()));
        Ok(match answer {
            Ok(text) => Answer {
                status: 200,
                body: text.into_bytes(),
                date: None,
            },
            Err(status) => Answer {
                status: status.as_u16(),
                body: Vec::new(),
                date: None,
            },
        })
    }
}

/// A machine on which agents keep a record, and that has no hooks. Its runner's processes are no part of
/// the world: the world plays a job's end itself.
struct Machine {
    clock: SimClock,
    record: Mutex<Option<String>>,
}

impl Machine {
    fn keep(&self, record: Option<String>) {
        if let Ok(mut kept) = self.record.lock() {
            *kept = record;
        }
    }
}

impl Records for Machine {
    fn boot(&self) -> Result<Boot, String> {
        Ok(Boot {
            id: "the only one".to_owned(),
            uptime: self.clock.elapsed(),
        })
    }

    async fn load(&self) -> Result<Option<String>, String> {
        Ok(self.record.lock().ok().and_then(|record| record.clone()))
    }

    async fn save(&self, text: String) -> Result<(), String> {
        self.keep(Some(text));
        Ok(())
    }

    async fn remove(&self) -> Result<(), String> {
        self.keep(None);
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

struct SimTagger {
    host: Host,
    slow: Option<SignedDuration>,
    rates: AgentRates,
}

impl SimTagger {
    async fn wait(&self) {
        let universe = &self.host.universe;
        let most = self.slow.unwrap_or(USUAL);
        let pause = universe.throw(|dice| dice.up_to(most));
        universe.clock.pause(pause).await;
    }
}

impl Tagger for SimTagger {
    async fn tag(&self, request: &TagRequest) -> Result<(), TagFailure> {
        let universe = &self.host.universe;
        self.wait().await;
        if universe.hits(self.rates.tag_fails) {
            trace::reached("agent", "tag fails");
            return Err(TagFailure::Throttled {
                code: "RequestLimitExceeded".to_owned(),
            });
        }
        let wanted = CreateTags {
            instances: vec![request.instance.id.clone()],
            tags: BTreeMap::from([(request.key.clone(), request.value.clone())]),
        };
        let tagged = universe.world(|world, now| {
            let call = Call::by_instance(now, self.host.id.clone());
            world.ec2_mut(now).create_tags(&call, &wanted)
        });
        self.wait().await;
        tagged.map_err(|error| match error.status {
            503 => TagFailure::Throttled { code: error.code },
            _ => TagFailure::Refused {
                code: error.code,
                message: error.message,
            },
        })
    }
}

//! Instances without a world around them: EC2's API, and the metadata service of each, on loopback
//! and in real time. It is what an agent needs, and all that it needs.
//!
//! Each door can be closed and opened again at the same address.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use reprise_model::ids::InstanceId;
use reprise_model::instance::Capacity;
use tokio::net::TcpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ServerError;
use super::shared::lock;
use super::wire::{self, Answers, Sent};
use crate::clock::ScaledClock;
use crate::ec2::{Adopted, Ec2, Ec2Settings};
use crate::imds::{Delivery, Imds, http_date};

/// Connections that may wait to be taken.
const BACKLOG: u32 = 1024;

/// Some spot instances with a role, and EC2; dropping it ends the service at once.
pub struct ServedInstances {
    inner: Arc<Mutex<Inner>>,
    requests: watch::Sender<u64>,
    clock: ScaledClock,
    ids: Vec<InstanceId>,
    metadata: Vec<Door>,
    ec2: Door,
}

struct Inner {
    ec2: Ec2,
    /// So many of EC2's next requests get no answer.
    silences: u32,
    services: BTreeMap<InstanceId, Imds>,
}

/// An address that is kept, whether it is open or not.
struct Door {
    address: SocketAddr,
    state: Mutex<State>,
}

enum State {
    /// Bound and not listening: connections are refused, and nobody else gets the port.
    Closed(TcpSocket),
    Open {
        stop: watch::Sender<bool>,
        task: JoinHandle<()>,
    },
    /// On the way from one to the other.
    Turning,
}

impl ServedInstances {
    /// So many instances, each behind a metadata service that refuses connections until it is opened.
    pub fn start(settings: Ec2Settings, count: u32) -> Result<Self, ServerError> {
        let clock = ScaledClock::starting_now(1.0).map_err(ServerError::Clock)?;
        let now = clock.now();
        let zone = settings.zones.first().cloned().unwrap_or_default();
        let mut inner = Inner {
            ec2: Ec2::new(settings),
            silences: 0,
            services: BTreeMap::new(),
        };
        let mut ids = Vec::new();
        let mut metadata = Vec::new();
        for number in 0..count {
            let id = instance_id(number)?;
            inner.ec2.register_instance(now, adopted(&id, &zone));
            inner
                .services
                .insert(id.clone(), Imds::new(u64::from(number)));
            ids.push(id);
            metadata.push(Door::closed(None)?);
        }
        let served = Self {
            inner: Arc::new(Mutex::new(inner)),
            requests: watch::Sender::new(0),
            clock,
            ids,
            metadata,
            ec2: Door::closed(None)?,
        };
        served.ec2.open(served.ec2_answers(), clock)?;
        Ok(served)
    }

    /// The instances.
    pub fn ids(&self) -> &[InstanceId] {
        &self.ids
    }

    /// EC2's endpoint.
    pub fn ec2_url(&self) -> String {
        format!("http://{}", self.ec2.address)
    }

    /// The endpoint of an instance's metadata service, by its place in [`Self::ids`].
    pub fn metadata_url(&self, instance: usize) -> Option<String> {
        let door = self.metadata.get(instance)?;
        Some(format!("http://{}", door.address))
    }

    /// Has a metadata service take connections from now on.
    pub fn open(&self, instance: usize) -> Result<(), ServerError> {
        let found = self.ids.get(instance).zip(self.metadata.get(instance));
        let Some((id, door)) = found else {
            return Ok(());
        };
        door.open(self.metadata_answers(id.clone()), self.clock)
    }

    /// Has a metadata service refuse connections from now on; open ones are broken off.
    pub async fn close(&self, instance: usize) -> Result<(), ServerError> {
        match self.metadata.get(instance) {
            Some(door) => door.close().await,
            None => Ok(()),
        }
    }

    /// Looks at EC2 and at an instance's metadata service, or changes them, at the present time.
    pub fn with<R>(
        &self,
        instance: usize,
        act: impl FnOnce(&mut Ec2, &mut Imds, &InstanceId, Timestamp) -> R,
    ) -> Option<R> {
        let id = self.ids.get(instance)?;
        let mut inner = lock(&self.inner);
        let now = self.clock.now();
        inner.ec2.advance(now);
        let Inner { ec2, services, .. } = &mut *inner;
        Some(act(ec2, services.get_mut(id)?, id, now))
    }

    /// Leaves the next requests to EC2, so many of them, without any answer or effect: their connections stay
    /// open and silent.
    pub fn silence_ec2(&self, requests: u32) {
        lock(&self.inner).silences = requests;
    }

    /// Changes with every request to anything here.
    pub fn requests(&self) -> watch::Receiver<u64> {
        self.requests.subscribe()
    }

    fn metadata_answers(&self, id: InstanceId) -> Answers {
        let (inner, requests, clock) = (Arc::clone(&self.inner), self.requests.clone(), self.clock);
        Arc::new(move |request| {
            let sent = answer_metadata(&mut lock(&inner), &id, clock.now(), request);
            requests.send_modify(|count| *count += 1);
            sent
        })
    }

    fn ec2_answers(&self) -> Answers {
        let (inner, requests, clock) = (Arc::clone(&self.inner), self.requests.clone(), self.clock);
        Arc::new(move |request| {
            let sent = answer_ec2(&mut lock(&inner), clock.now(), request);
            requests.send_modify(|count| *count += 1);
            sent
        })
    }
}

fn answer_ec2(inner: &mut Inner, now: Timestamp, request: &http::Request<Vec<u8>>) -> Sent {
    if let Some(left) = inner.silences.checked_sub(1) {
        inner.silences = left;
        return None;
    }
    let mut answer = inner.ec2.handle(now, request);
    if let Some(date) = http_date(now) {
        answer.headers_mut().insert(http::header::DATE, date);
    }
    Some((Delivery::Whole, answer))
}

fn answer_metadata(
    inner: &mut Inner,
    id: &InstanceId,
    now: Timestamp,
    request: &http::Request<Vec<u8>>,
) -> Sent {
    inner.ec2.advance(now);
    let Inner { ec2, services, .. } = inner;
    let imds = services.get_mut(id)?;
    let answer = imds.handle(ec2, id, now, request);
    (!imds.faults.hang).then_some((imds.faults.delivery, answer))
}

fn instance_id(number: u32) -> Result<InstanceId, ServerError> {
    // The last digits tell instances apart, as in the real ones' access keys.
    let text = format!("i-0{number:016x}");
    text.parse().map_err(|_| ServerError::Instance(text))
}

fn adopted(id: &InstanceId, zone: &str) -> Adopted {
    Adopted {
        id: id.clone(),
        instance_type: "c7a.large".to_owned(),
        zone: zone.to_owned(),
        capacity: Capacity::Spot,
        tags: BTreeMap::new(),
        role: Some("runner-role".to_owned()),
    }
}

impl Door {
    fn closed(address: Option<SocketAddr>) -> Result<Self, ServerError> {
        let socket = reserved(address)?;
        Ok(Self {
            address: socket.local_addr().map_err(ServerError::Listen)?,
            state: Mutex::new(State::Closed(socket)),
        })
    }

    fn open(&self, answers: Answers, clock: ScaledClock) -> Result<(), ServerError> {
        let mut state = lock(&self.state);
        match std::mem::replace(&mut *state, State::Turning) {
            State::Closed(socket) => {
                let listener = socket.listen(BACKLOG).map_err(ServerError::Listen)?;
                let (stop, gone) = watch::channel(false);
                let task = tokio::spawn(wire::serve(listener, answers, clock, gone));
                *state = State::Open { stop, task };
            }
            other @ (State::Open { .. } | State::Turning) => *state = other,
        }
        Ok(())
    }

    async fn close(&self) -> Result<(), ServerError> {
        let before = std::mem::replace(&mut *lock(&self.state), State::Turning);
        let socket = match before {
            State::Closed(socket) => socket,
            State::Turning => reserved(Some(self.address))?,
            State::Open { stop, task } => {
                stop.send_replace(true);
                // It ends by itself, now that it was told to.
                let _ = task.await;
                reserved(Some(self.address))?
            }
        };
        *lock(&self.state) = State::Closed(socket);
        Ok(())
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        if let State::Open { task, .. } = &*lock(&self.state) {
            task.abort();
        }
    }
}

fn reserved(address: Option<SocketAddr>) -> Result<TcpSocket, ServerError> {
    let address = address.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into());
    let socket = TcpSocket::new_v4().map_err(ServerError::Listen)?;
    socket.set_reuseaddr(true).map_err(ServerError::Listen)?;
    socket.bind(address).map_err(ServerError::Listen)?;
    Ok(socket)
}

#[cfg(test)]
mod tests;

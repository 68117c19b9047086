//! The spot market and other strokes of fate: capacity, interruptions, dying hosts.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_model::instance::{Capacity, InstanceState};

use super::error::Ec2Error;
use super::instance::{Ec2Instance, EndReason, Notice, SpotRequest};
use super::state::{Ec2, Happened, Step, later};
use crate::event_bridge::Ec2Notification;

/// Some pools of capacity; what is `None` means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pool {
    /// The zone.
    pub zone: Option<String>,
    /// The instance type.
    pub instance_type: Option<String>,
    /// Spot or on-demand.
    pub capacity: Option<Capacity>,
}

impl Pool {
    /// All spot, or all on-demand capacity.
    pub fn of(capacity: Capacity) -> Self {
        Self {
            capacity: Some(capacity),
            ..Self::default()
        }
    }

    fn holds(&self, zone: &str, instance_type: &str, capacity: Capacity) -> bool {
        let fits = |wanted: &Option<String>, text| wanted.as_deref().is_none_or(|one| one == text);
        fits(&self.zone, zone)
            && fits(&self.instance_type, instance_type)
            && self.capacity.is_none_or(|one| one == capacity)
    }
}

/// What pools have to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// As many instances as anybody wants.
    Unlimited,
    /// So many more launches, all these pools together; ended instances give nothing back.
    Left(u32),
    /// None, with this error instead of `InsufficientInstanceCapacity` (as `VcpuLimitExceeded`).
    Refused(Ec2Error),
}

/// What EC2 does with an interrupted instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterruptionAction {
    /// Ends it.
    Terminate,
    /// Stops it; it may come back with its tags.
    Stop,
    /// Hibernates it, which begins with the notice.
    Hibernate,
}

impl InterruptionAction {
    /// The word in notices.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::Stop => "stop",
            Self::Hibernate => "hibernate",
        }
    }
}

/// Why EC2 takes an instance, as the spot request's status tells at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterruptionCause {
    /// `instance-terminated-no-capacity`.
    NoCapacity,
    /// `instance-terminated-by-price`.
    Price,
}

/// An interruption to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interruption {
    /// What EC2 does.
    pub action: InterruptionAction,
    /// Why.
    pub cause: InterruptionCause,
    /// How long before: two minutes by best effort. `None` is an interruption without any notice.
    pub notice: Option<SignedDuration>,
    /// Whether EC2 keeps to the time that it told.
    pub carried_out: CarriedOut,
}

/// When EC2 does what its notice says. The notice is best effort, and its time may pass without an
/// end (the metadata service then tells a time in the past).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CarriedOut {
    /// At the time told.
    AtItsTime,
    /// So long after the notice, whatever time it told.
    After(SignedDuration),
    /// Not at all: the notice stands and the instance lives on.
    Never,
}

impl Interruption {
    /// The usual one: terminated for want of capacity, `notice` from now.
    pub fn terminate(notice: SignedDuration) -> Self {
        Self {
            action: InterruptionAction::Terminate,
            cause: InterruptionCause::NoCapacity,
            notice: Some(notice),
            carried_out: CarriedOut::AtItsTime,
        }
    }
}

/// Why fate cannot strike.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// No such instance.
    #[error("there is no instance {0}")]
    Unknown(InstanceId),
    /// EC2 interrupts spot instances only.
    #[error("{0} is on-demand; interrupt a spot instance")]
    NotSpot(InstanceId),
    /// It already ends, or ended.
    #[error("{id} is {state}; strike a pending or running instance")]
    NotAlive {
        /// The instance.
        id: InstanceId,
        /// The word for its state.
        state: &'static str,
    },
    /// Only a stopped instance can be resumed.
    #[error("{0} is not stopped")]
    NotStopped(InstanceId),
}

impl Ec2 {
    /// Sets what pools have to give from now on. Among several settings that match a launch the
    /// latest counts; pools that none matches are unlimited.
    pub fn set_capacity(&mut self, pool: Pool, supply: Supply) {
        self.supplies.retain(|(other, _)| *other != pool);
        self.supplies.push((pool, supply));
    }

    /// Does something while pools have so much to give, and puts back what they had before.
    pub fn while_supplied<T>(
        &mut self,
        pool: Pool,
        supply: Supply,
        act: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.supplies.clone();
        self.set_capacity(pool, supply);
        let done = act(self);
        self.supplies = before;
        done
    }

    /// Interrupts a spot instance: the notice stands at once, the end comes after it.
    pub fn interrupt(
        &mut self,
        now: Timestamp,
        id: &InstanceId,
        interruption: Interruption,
    ) -> Result<(), MarketError> {
        self.advance(now);
        let instance = self.alive(id)?;
        let Some(request) = &mut instance.spot_request else {
            return Err(MarketError::NotSpot(id.clone()));
        };
        request.cause = interruption.cause;
        let Interruption { action, notice, .. } = interruption;
        let wait = match action {
            InterruptionAction::Hibernate => SignedDuration::ZERO,
            InterruptionAction::Terminate | InterruptionAction::Stop => notice.unwrap_or_default(),
        };
        let time = later(now, wait.max(SignedDuration::ZERO));
        let acts_at = match interruption.carried_out {
            CarriedOut::AtItsTime => Some(time),
            CarriedOut::After(wait) => Some(later(now, wait.max(SignedDuration::ZERO))),
            CarriedOut::Never => None,
        };
        instance.notice = Some(Notice {
            action,
            since: now,
            time,
            acts_at,
        });
        if notice.is_some() {
            self.give_notice(now, id, action, time);
        }
        if let Some(at) = acts_at {
            self.plan(at, Step::Reclaim, id);
        }
        self.advance(now);
        Ok(())
    }

    /// A rebalance recommendation: an advice, with or without an interruption behind it.
    pub fn recommend_rebalance(
        &mut self,
        now: Timestamp,
        id: &InstanceId,
    ) -> Result<(), MarketError> {
        self.advance(now);
        self.alive(id)?.rebalance_since = Some(now);
        self.notify(now, id, Ec2Notification::RebalanceRecommendation);
        self.tell(now, Happened::RebalanceRecommended(id.clone()));
        Ok(())
    }

    /// The host dies: the instance is gone at once, with an error of EC2's own.
    pub fn host_dies(&mut self, now: Timestamp, id: &InstanceId) -> Result<(), MarketError> {
        self.advance(now);
        self.alive(id)?;
        let reason = EndReason::HostFailure;
        self.close_spot_request(now, id, reason);
        self.transition(now, id, InstanceState::Terminated, Some(reason));
        Ok(())
    }

    /// The operating system shuts itself down, which ends the instance.
    pub fn shutdown_from_inside(
        &mut self,
        now: Timestamp,
        id: &InstanceId,
    ) -> Result<(), MarketError> {
        self.advance(now);
        self.alive(id)?;
        self.begin_end(now, id, EndReason::FromInside);
        Ok(())
    }

    /// Brings a stopped instance back: its tags stay, its notice is gone.
    pub fn resume(&mut self, now: Timestamp, id: &InstanceId) -> Result<(), MarketError> {
        self.advance(now);
        let instance = self.known(id)?;
        if instance.state() != InstanceState::Stopped {
            return Err(MarketError::NotStopped(id.clone()));
        }
        instance.notice = None;
        instance.rebalance_since = None;
        self.set_spot_status(now, id, "active", "fulfilled".to_owned());
        self.transition(now, id, InstanceState::Pending, None);
        Ok(())
    }

    fn give_notice(
        &mut self,
        now: Timestamp,
        id: &InstanceId,
        action: InterruptionAction,
        time: Timestamp,
    ) {
        let status = match action {
            InterruptionAction::Terminate => "marked-for-termination",
            InterruptionAction::Stop | InterruptionAction::Hibernate => "marked-for-stop",
        };
        self.set_spot_status(now, id, "active", status.to_owned());
        self.notify(
            now,
            id,
            Ec2Notification::InterruptionWarning(action.as_str()),
        );
        let id = id.clone();
        self.tell(now, Happened::Notice { id, action, time });
    }

    /// The notice's time has come.
    pub(super) fn reclaim(&mut self, at: Timestamp, id: &InstanceId) {
        let Some(action) = self
            .instances
            .get(id)
            .filter(|instance| instance.is_alive())
            .and_then(|instance| instance.notice)
            .map(|notice| notice.action)
        else {
            return;
        };
        match action {
            InterruptionAction::Terminate => self.begin_end(at, id, EndReason::SpotTermination),
            InterruptionAction::Stop | InterruptionAction::Hibernate => {
                let reason = EndReason::SpotShutdown;
                self.close_spot_request(at, id, reason);
                self.transition(at, id, InstanceState::Stopping, Some(reason));
            }
        }
    }

    /// Begins to end an instance that is not ending yet.
    pub(super) fn begin_end(&mut self, at: Timestamp, id: &InstanceId, reason: EndReason) {
        self.close_spot_request(at, id, reason);
        self.transition(at, id, InstanceState::ShuttingDown, Some(reason));
    }

    fn close_spot_request(&mut self, at: Timestamp, id: &InstanceId, reason: EndReason) {
        let cause = self
            .instances
            .get(id)
            .and_then(|instance| instance.spot_request.as_ref())
            .map(|request| match request.cause {
                InterruptionCause::NoCapacity => "no-capacity",
                InterruptionCause::Price => "by-price",
            })
            .unwrap_or_default();
        match reason {
            EndReason::SpotTermination => {
                self.set_spot_status(at, id, "closed", format!("instance-terminated-{cause}"));
            }
            EndReason::SpotShutdown => {
                self.set_spot_status(at, id, "disabled", format!("instance-stopped-{cause}"));
            }
            EndReason::UserInitiated | EndReason::FromInside => {
                let status = "instance-terminated-by-user".to_owned();
                self.set_spot_status(at, id, "closed", status);
            }
            EndReason::HostFailure => {
                let status = "instance-terminated-by-service".to_owned();
                self.set_spot_status(at, id, "closed", status);
            }
        }
    }

    fn set_spot_status(
        &mut self,
        at: Timestamp,
        id: &InstanceId,
        state: &'static str,
        status: String,
    ) {
        let request = self
            .instances
            .get_mut(id)
            .and_then(|instance| instance.spot_request.as_mut());
        if let Some(request) = request {
            let before = SpotRequest {
                earlier: Vec::new(),
                ..request.clone()
            };
            request.earlier.push(before);
            request.state = state;
            request.status = status;
            request.updated_at = at;
        }
    }

    fn known(&mut self, id: &InstanceId) -> Result<&mut Ec2Instance, MarketError> {
        self.instances
            .get_mut(id)
            .ok_or_else(|| MarketError::Unknown(id.clone()))
    }

    fn alive(&mut self, id: &InstanceId) -> Result<&mut Ec2Instance, MarketError> {
        let instance = self.known(id)?;
        if instance.is_alive() {
            return Ok(instance);
        }
        Err(MarketError::NotAlive {
            id: id.clone(),
            state: instance.state().as_str(),
        })
    }
}

/// Takes up to `wanted` launches from the setting that governs this pool: how many, and the error
/// if that was less than wanted.
pub(super) fn take(
    supplies: &mut [(Pool, Supply)],
    zone: &str,
    instance_type: &str,
    capacity: Capacity,
    wanted: u32,
) -> (u32, Option<Ec2Error>) {
    let governing = supplies
        .iter_mut()
        .rev()
        .find(|(pool, _)| pool.holds(zone, instance_type, capacity));
    match governing.map(|(_, supply)| supply) {
        None | Some(Supply::Unlimited) => (wanted, None),
        Some(Supply::Refused(error)) => (0, Some(error.clone())),
        Some(Supply::Left(left)) => {
            let taken = wanted.min(*left);
            *left -= taken;
            let short = (taken < wanted).then(|| insufficient(zone, instance_type, capacity));
            (taken, short)
        }
    }
}

fn insufficient(zone: &str, instance_type: &str, capacity: Capacity) -> Ec2Error {
    let message = match capacity {
        Capacity::Spot => {
            "There is no Spot capacity available that matches your request.".to_owned()
        }
        Capacity::OnDemand => format!(
            "We currently do not have sufficient {instance_type} capacity in the Availability \
             Zone you requested ({zone}). Our system will be working on provisioning additional \
             capacity."
        ),
    };
    Ec2Error::new(400, "InsufficientInstanceCapacity", message)
}

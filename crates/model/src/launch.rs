//! What CreateFleet is asked for and what it brings: instances, and for each pool that gave less
//! than was wanted the reason.
//!
//! A pool is one type in one subnet. EC2's codes are read by the adapter; here are the classes that
//! matter to a decision.

use serde::{Deserialize, Serialize};

use crate::ids::InstanceId;
use crate::instance::Capacity;

/// How EC2 chooses among spot pools.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum SpotStrategy {
    /// The pools least likely to be interrupted, and of those the cheapest.
    #[default]
    PriceCapacityOptimized,
    /// The pools least likely to be interrupted.
    CapacityOptimized,
    /// The same, and the order of the types is obeyed where it costs no capacity.
    CapacityOptimizedPrioritized,
    /// The cheapest, however likely to be interrupted.
    LowestPrice,
}

impl SpotStrategy {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::PriceCapacityOptimized,
        Self::CapacityOptimized,
        Self::CapacityOptimizedPrioritized,
        Self::LowestPrice,
    ];

    /// EC2's word for it, which labels use too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PriceCapacityOptimized => "price-capacity-optimized",
            Self::CapacityOptimized => "capacity-optimized",
            Self::CapacityOptimizedPrioritized => "capacity-optimized-prioritized",
            Self::LowestPrice => "lowest-price",
        }
    }
}

/// How EC2 chooses among on-demand pools.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum OnDemandStrategy {
    /// In the order of the types.
    #[default]
    Prioritized,
    /// The cheapest.
    LowestPrice,
}

impl OnDemandStrategy {
    /// EC2's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prioritized => "prioritized",
            Self::LowestPrice => "lowest-price",
        }
    }
}

/// What capacity is bought, and by which strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purchase {
    /// Spot.
    Spot(SpotStrategy),
    /// On-demand.
    OnDemand(OnDemandStrategy),
}

impl Purchase {
    /// What it brings.
    pub fn capacity(self) -> Capacity {
        match self {
            Self::Spot(_) => Capacity::Spot,
            Self::OnDemand(_) => Capacity::OnDemand,
        }
    }
}

impl From<Capacity> for Purchase {
    /// By the default strategy.
    fn from(capacity: Capacity) -> Self {
        match capacity {
            Capacity::Spot => Self::Spot(SpotStrategy::default()),
            Capacity::OnDemand => Self::OnDemand(OnDemandStrategy::default()),
        }
    }
}

/// Why EC2 launched nothing in a pool, or nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaunchFault {
    /// EC2 has no such machine there now; another pool or on-demand may have one.
    Capacity,
    /// The pool cannot serve, which says nothing of the others: a type that its zone does not offer,
    /// a subnet without a free address.
    Unusable,
    /// The account may not have more. No pool is to blame.
    Quota,
    /// A permission or the credentials. No pool is to blame.
    Authorisation,
    /// The request as it is configured: a template, an image, a parameter, a price limit.
    Request,
    /// Too many requests.
    Throttled,
    /// EC2 failed, or nothing is known of what happened.
    Unclear,
}

impl LaunchFault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Capacity,
        Self::Unusable,
        Self::Quota,
        Self::Authorisation,
        Self::Request,
        Self::Throttled,
        Self::Unclear,
    ];

    /// The label value for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Capacity => "capacity",
            Self::Unusable => "unusable",
            Self::Quota => "quota",
            Self::Authorisation => "authorisation",
            Self::Request => "request",
            Self::Throttled => "throttled",
            Self::Unclear => "unclear",
        }
    }

    /// Whether it speaks against the pool's type in its zone, so that a breaker may count it.
    pub fn is_shortage(self) -> bool {
        match self {
            Self::Capacity => true,
            Self::Unusable
            | Self::Quota
            | Self::Authorisation
            | Self::Request
            | Self::Throttled
            | Self::Unclear => false,
        }
    }

    /// Whether it stays until an operator acts, whatever the pool.
    pub fn needs_operator(self) -> bool {
        match self {
            Self::Quota | Self::Authorisation | Self::Request => true,
            Self::Capacity | Self::Unusable | Self::Throttled | Self::Unclear => false,
        }
    }

    /// Whether it passes by itself and says nothing of any pool.
    pub fn is_passing(self) -> bool {
        match self {
            Self::Throttled | Self::Unclear => true,
            Self::Capacity | Self::Unusable | Self::Quota | Self::Authorisation | Self::Request => {
                false
            }
        }
    }
}

/// An instance that EC2 launched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launched {
    /// Which.
    pub instance: InstanceId,
    /// As what.
    pub capacity: Capacity,
    /// Its type, as `c7a.large`.
    pub instance_type: Option<String>,
    /// Its zone, as `eu-west-1a`.
    pub zone: Option<String>,
    /// Its subnet.
    pub subnet: Option<String>,
}

/// A pool that gave less than was wanted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// What was wanted of it.
    pub capacity: Capacity,
    /// The type asked for.
    pub instance_type: Option<String>,
    /// The zone, where it is known.
    pub zone: Option<String>,
    /// The subnet asked for.
    pub subnet: Option<String>,
    /// Why.
    pub fault: LaunchFault,
    /// EC2's code, as `InsufficientInstanceCapacity`.
    pub code: Option<String>,
    /// EC2's code and words.
    pub detail: String,
}

/// EC2's answer to a request for some instances. It is final for its client token: a repeat brings
/// the same answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetAnswer {
    /// The fleet's id.
    pub fleet: Option<String>,
    /// What was launched: perhaps fewer than asked for, and they count whatever stands beside them.
    pub launched: Vec<Launched>,
    /// What was missing, a pool each; also where other pools made up for it.
    pub shortfall: Vec<Shortage>,
}

/// The whole request failed.
///
/// Where the fault is passing (throttled, unclear) it answers nothing: an earlier call under the
/// same client token may have launched, so the token stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetFailure {
    /// Why.
    pub fault: LaunchFault,
    /// EC2's code, if EC2 answered.
    pub code: Option<String>,
    /// EC2's code and words, or what happened on the way.
    pub detail: String,
}

/// What came of a request for some instances.
pub type FleetOutcome = Result<FleetAnswer, FleetFailure>;

#[cfg(test)]
mod tests;

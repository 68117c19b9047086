//! What EC2's answer to a request for several instances means for each of those who share it.
//!
//! Who shares a request has a place in it, and takes the instance of that place. Nothing is written
//! down about it: EC2 repeats its answer to a client token, so the places are dealt out alike by
//! whoever hears it. The order in which EC2 tells the instances is not relied on.

use std::collections::BTreeSet;

use reprise_model::ids::InstanceId;
use reprise_model::launch::{FleetAnswer, FleetFailure, FleetOutcome, LaunchFault, Launched};
use reprise_model::ledger::{ClaimState, LaunchAnswer, LaunchClaim};

use crate::mutant;
use crate::share::names;

/// Whose an instance is, among the claims that share a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder<'a> {
    /// This one's.
    Claim(&'a LaunchClaim),
    /// Perhaps of one that has not heard EC2's answer.
    Unknown,
    /// Nobody's: each has another one, or none.
    Nobody,
}

/// Whose an instance is: the claim's that its tags name, or that of one of its crew.
pub fn holder<'a>(
    claim: &'a LaunchClaim,
    crew: &'a [LaunchClaim],
    instance: &InstanceId,
) -> Holder<'a> {
    let share = claim.share();
    let wants = |one: &LaunchClaim| {
        one.state == ClaimState::Wanted && share.is_none_or(|share| names(one, share))
    };
    if let Some(one) = crew.iter().chain([claim]).find(|one| has(one, instance)) {
        Holder::Claim(one)
    } else if claim.state == ClaimState::Wanted || crew.iter().any(wants) {
        Holder::Unknown
    } else {
        Holder::Nobody
    }
}

fn has(claim: &LaunchClaim, id: &InstanceId) -> bool {
    match &claim.state {
        ClaimState::Launched { instance, .. } => instance == id,
        ClaimState::Wanted | ClaimState::GivenUp { .. } => false,
    }
}

/// What the answer means for the one in this place; who asks alone is in place 0.
///
/// | no instance for the place, and among the pools' faults | answer |
/// | --- | --- |
/// | a passing one | throttled: later |
/// | one that needs an operator | refused, with all of EC2's words |
/// | a shortage, alone or beside pools that cannot serve | no capacity |
/// | only pools that cannot serve | refused: neither time nor on-demand helps |
#[must_use]
pub fn for_place(outcome: &FleetOutcome, place: u32) -> LaunchAnswer {
    match outcome {
        Ok(answer) => match instance_of(answer, place) {
            Some(one) => LaunchAnswer::Launched {
                instance: one.instance.clone(),
                capacity: one.capacity,
            },
            None => not_enough(answer),
        },
        Err(failure) => nothing_answered(failure),
    }
}

/// The instance of a place, in the order of their ids.
fn instance_of(answer: &FleetAnswer, place: u32) -> Option<&Launched> {
    let mut launched: Vec<&Launched> = answer.launched.iter().collect();
    launched.sort_by(|one, other| one.instance.cmp(&other.instance));
    let place = usize::try_from(mutant!(TakeTheFirst => 0, place)).ok()?;
    launched.get(place).copied()
}

/// One no outweighs everything but "later": an operator must see it. A shortage needs no more than
/// pools that cannot serve beside it.
fn not_enough(answer: &FleetAnswer) -> LaunchAnswer {
    let any = |is: fn(LaunchFault) -> bool| answer.shortfall.iter().any(|pool| is(pool.fault));
    let served = u32::try_from(answer.launched.len()).unwrap_or(u32::MAX);
    if any(LaunchFault::is_passing) {
        LaunchAnswer::Throttled
    } else if any(LaunchFault::is_shortage) && !any(LaunchFault::needs_operator) {
        let codes: BTreeSet<_> = answer
            .shortfall
            .iter()
            .filter_map(|pool| pool.code.clone())
            .collect();
        LaunchAnswer::NoCapacity {
            codes: codes.into_iter().collect(),
            served,
        }
    } else {
        LaunchAnswer::Refused {
            fault: worst(answer),
            message: refusal(answer),
            served,
        }
    }
}

/// What an operator must look at first: what no capacity of another kind would help against.
fn worst(answer: &FleetAnswer) -> LaunchFault {
    let faults = [
        LaunchFault::Authorisation,
        LaunchFault::Request,
        LaunchFault::Quota,
    ];
    let has = |fault: &LaunchFault| answer.shortfall.iter().any(|pool| pool.fault == *fault);
    faults
        .into_iter()
        .find(has)
        .unwrap_or(LaunchFault::Unusable)
}

fn refusal(answer: &FleetAnswer) -> String {
    let words: BTreeSet<_> = answer
        .shortfall
        .iter()
        .map(|pool| pool.detail.as_str())
        .collect();
    if words.is_empty() {
        let fleet = answer.fleet.as_deref().unwrap_or("without an id");
        return format!("EC2 made fleet {fleet} with neither an instance nor an error");
    }
    words.into_iter().collect::<Vec<_>>().join("; ")
}

fn nothing_answered(failure: &FleetFailure) -> LaunchAnswer {
    let message = failure.detail.clone();
    match failure.fault {
        LaunchFault::Capacity => LaunchAnswer::NoCapacity {
            codes: failure.code.iter().cloned().collect(),
            served: 0,
        },
        LaunchFault::Throttled | LaunchFault::Unclear => LaunchAnswer::Unclear { message },
        LaunchFault::Unusable
        | LaunchFault::Quota
        | LaunchFault::Authorisation
        | LaunchFault::Request => LaunchAnswer::Refused {
            fault: failure.fault,
            message,
            served: 0,
        },
    }
}

#[cfg(test)]
mod tests;

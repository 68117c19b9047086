//! Jobs that wait for the same kind of machine share one request for all their machines.
//!
//! One of them leads: its claim is written first and names the crew, then the crew's claims are
//! written, and only then is EC2 asked. So a claim that names a request is all that it takes to repeat
//! it, and what no claim names was never asked for.

use reprise_model::ids::{JobId, Repository, RunAttempt, RunId};
use reprise_model::launch::{Asked, Share};
use reprise_model::ledger::{LaunchClaim, LaunchSpec};

/// The most who share a request. A request that loses its answer is asked again for all of them, and
/// a larger one saves nothing that counts: this is a hundredth of a call each.
pub const MOST: usize = 100;

/// What those have in common who may share a request: all that the request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    run_id: RunId,
    attempt: RunAttempt,
    repository: Repository,
    spec: LaunchSpec,
    /// Where the instances bear the labels of their runners.
    labels: Option<Vec<String>>,
}

/// Whom a claim may share a request with. One run alone: the instances' tags name its repository, and
/// when its jobs are over, so is the use of all of them.
#[must_use]
pub fn alike(claim: &LaunchClaim, instances_bear_labels: bool) -> Alike {
    Alike {
        run_id: claim.run_id,
        attempt: claim.attempt,
        repository: claim.key.repository.clone(),
        spec: claim.spec.clone(),
        labels: instances_bear_labels.then(|| claim.runner_labels.clone()),
    }
}

/// The claim of one who found nobody to share with.
#[must_use]
pub fn alone(claim: LaunchClaim) -> LaunchClaim {
    LaunchClaim {
        asked: Asked::Alone,
        ..claim
    }
}

/// The claim of the one who leads these others.
#[must_use]
pub fn leading(claim: LaunchClaim, crew: Vec<JobId>) -> LaunchClaim {
    let of = u32::try_from(crew.len()).unwrap_or(u32::MAX);
    let share = Share {
        leader: claim.key.job_id,
        generation: claim.generation,
        place: 0,
        of: of.saturating_add(1),
        crew,
    };
    LaunchClaim {
        asked: Asked::Together(share),
        ..claim
    }
}

/// The claim of one of the crew; what is asked for is the leader's.
#[must_use]
pub fn following(claim: LaunchClaim, leader: &Led, place: u32) -> LaunchClaim {
    LaunchClaim {
        spec: leader.spec.clone(),
        asked: Asked::Together(Share {
            place,
            crew: Vec::new(),
            ..leader.share.clone()
        }),
        ..claim
    }
}

/// What the crew takes over from its leader.
#[derive(Debug, Clone)]
pub struct Led {
    share: Share,
    spec: LaunchSpec,
}

impl Led {
    /// `None` where the claim leads nobody.
    pub fn by(claim: &LaunchClaim) -> Option<Self> {
        let share = Share {
            crew: Vec::new(),
            ..claim.share()?.clone()
        };
        let spec = claim.spec.clone();
        Some(Self { share, spec })
    }
}

/// Who must be asked before a leader repeats its request: the others. Where none of them names it, it
/// was never made, since it is made after at least one of them was written.
pub fn to_be_asked(claim: &LaunchClaim) -> &[JobId] {
    match claim.share() {
        Some(share) if share.leader == claim.key.job_id => &share.crew,
        Some(_) | None => &[],
    }
}

/// Whether the claim names the request.
pub fn names(claim: &LaunchClaim, request: &Share) -> bool {
    claim.share().is_some_and(|share| {
        share.leader == request.leader && share.generation == request.generation
    })
}

/// The claim of a leader whose request was never made. Its name is used up all the same.
#[must_use]
pub fn never_asked(claim: LaunchClaim) -> LaunchClaim {
    LaunchClaim {
        generation: claim.generation.saturating_add(1),
        asked: Asked::NotYet,
        ..claim
    }
}

/// The request for those whom the one before left without an instance, `served` being the others. As
/// EC2 repeats its answer, all of them come to the same one.
pub(crate) fn left_over(asked: Asked, served: u32) -> Asked {
    match asked {
        Asked::Together(share) => Asked::Together(Share {
            place: share.place.saturating_sub(served),
            of: share.of.saturating_sub(served),
            ..share
        }),
        Asked::Alone | Asked::NotYet => asked,
    }
}

#[cfg(test)]
mod tests;

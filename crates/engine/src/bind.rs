//! A runner took a job: what its instance is told of it, and whether it should have been that instance.
//!
//! Which instance it was, only the runner's name tells. GitHub gives a job to any runner with its labels,
//! so one of a later attempt may land on a spot instance that was launched for another job.

use std::collections::BTreeMap;

use reprise_model::ids::{InstanceId, Region, StackName};
use reprise_model::instance::{Capacity, InstanceView};
use reprise_model::job::Job;
use reprise_model::labels::JobLabels;
use reprise_model::ledger::{CapacityReason, ClaimState, LaunchClaim};
use reprise_model::runner_name::NamedInstance;
use reprise_model::tags::TagKeys;

use crate::offer::FleetOffer;

/// Where an instance is, as far as names and labels tell: by the runner's name, else by the job's label or
/// the configured runner that it names, else in the region in which the fleet launches what names none.
pub fn region_of<'a>(
    named: &'a NamedInstance,
    labels: &'a JobLabels,
    offer: &'a FleetOffer,
) -> &'a Region {
    let runner = labels
        .runner
        .as_ref()
        .and_then(|name| offer.runners.get(name));
    let wished = labels.machine.region.as_ref();
    let wished = wished.or_else(|| runner.and_then(|runner| runner.region.as_ref()));
    named.region.as_ref().or(wished).unwrap_or(&offer.region)
}

/// What the instance is tagged with.
pub fn tags(job: &Job, keys: &TagKeys) -> BTreeMap<String, String> {
    let started = job
        .started_at
        .map(|at| (keys.job_started(), at.to_string()));
    let id = (keys.job(), job.id.to_string());
    std::iter::once(id).chain(started).collect()
}

/// Whether an instance is one of the stack: a runner may bear the name of any.
pub fn is_of_stack(view: &InstanceView, keys: &TagKeys, stack: &StackName) -> bool {
    let tag = view.tags.get(&keys.stack());
    tag.is_some_and(|tag| tag == stack.as_str())
}

/// Whether a job of a later attempt is where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Landed {
    /// It is, or nothing says that it is not.
    Right,
    /// It is on spot, and was to be kept off it.
    OnSpot,
    /// Its instance is not the one that was launched for it: EC2 must say what that is.
    Look,
}

/// Whether a job of a later attempt is where it should be. `seen` is its instance's capacity, where EC2
/// was asked.
pub fn landed(on: &InstanceId, claim: Option<&LaunchClaim>, seen: Option<Capacity>) -> Landed {
    let Some(claim) = claim else {
        return Landed::Right;
    };
    match claim.decided() {
        CapacityReason::LaterAttemptMayUseSpot | CapacityReason::Advised => return Landed::Right,
        CapacityReason::FirstAttempt
        | CapacityReason::SpotOff
        | CapacityReason::LaterAttempt
        | CapacityReason::NoSpotCapacity
        | CapacityReason::BreakerOpen => {}
    }
    let own = match &claim.state {
        ClaimState::Launched { instance, capacity } if instance == on => Some(*capacity),
        ClaimState::Launched { .. } | ClaimState::Wanted | ClaimState::GivenUp { .. } => None,
    };
    match own.or(seen) {
        Some(Capacity::OnDemand) => Landed::Right,
        Some(Capacity::Spot) => Landed::OnSpot,
        None => Landed::Look,
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::ids::JobId;
    use reprise_model::labels;

    use super::*;
    use crate::samples::{STACK, at, claim, instance, job, view};

    fn other() -> InstanceId {
        "i-0fedcba9876543210".parse().expect("an id")
    }

    fn of_later_attempt() -> LaunchClaim {
        LaunchClaim {
            why: CapacityReason::LaterAttempt,
            state: ClaimState::Launched {
                instance: instance().id,
                capacity: Capacity::OnDemand,
            },
            ..claim()
        }
    }

    #[test]
    fn an_instance_is_told_its_job_and_when_it_began() {
        let job = Job {
            id: JobId(77),
            started_at: Some(at(0)),
            ..job(1, "build")
        };
        let tags = tags(&job, &TagKeys::default());
        assert_eq!(tags["runs-on-workflow-job-id"], "77");
        assert_eq!(tags["runs-on-workflow-job-started"], at(0).to_string());
        assert_eq!(tags.len(), 2);
    }

    #[test]
    fn only_an_instance_with_the_stacks_tag_is_told_anything() {
        let (keys, stack) = (TagKeys::default(), StackName::new(STACK));
        assert!(is_of_stack(&view(), &keys, &stack));
        for tag in [None, Some("another"), Some("")] {
            let mut view = view();
            view.tags = tag
                .map(|tag| (keys.stack(), tag.to_owned()))
                .into_iter()
                .collect();
            assert!(!is_of_stack(&view, &keys, &stack), "{tag:?}");
        }
    }

    #[test]
    fn the_region_is_that_of_the_name_or_the_label_or_the_fleets_own() {
        let home = FleetOffer::of_types(crate::samples::here(), Vec::new());
        let labels = |text: &str| {
            let labels = labels::parse(&[text.to_owned()]).expect("right");
            labels.expect("ours")
        };
        let named = |region: Option<&str>| NamedInstance {
            id: instance().id,
            region: region.map(Region::new),
        };
        let word = |name: Option<&str>, text: &str| {
            let (named, labels) = (named(name), labels(text));
            region_of(&named, &labels, &home).to_string()
        };
        let far = "runs-on=42/region=us-east-1";
        assert_eq!(word(Some("eu-north-1"), far), "eu-north-1");
        assert_eq!(word(None, far), "us-east-1");
        assert_eq!(word(None, "runs-on=42"), home.region.as_str());
    }

    #[test]
    fn its_own_instance_is_known_by_the_claim() {
        let on_demand = of_later_attempt();
        assert_eq!(
            landed(&instance().id, Some(&on_demand), None),
            Landed::Right
        );
        let spot = LaunchClaim {
            why: CapacityReason::LaterAttempt,
            ..claim()
        };
        assert_eq!(landed(&instance().id, Some(&spot), None), Landed::OnSpot);
        let may = LaunchClaim {
            why: CapacityReason::LaterAttemptMayUseSpot,
            ..claim()
        };
        assert_eq!(landed(&instance().id, Some(&may), None), Landed::Right);
    }

    #[test]
    fn one_that_may_use_spot_is_right_there_also_after_a_shortage_of_it() {
        for why in [CapacityReason::NoSpotCapacity, CapacityReason::BreakerOpen] {
            let claim = LaunchClaim {
                why,
                first_why: Some(CapacityReason::LaterAttemptMayUseSpot),
                ..of_later_attempt()
            };
            let spot = Some(Capacity::Spot);
            assert_eq!(landed(&other(), Some(&claim), spot), Landed::Right);
        }
    }

    #[test]
    fn of_another_instance_ec2_tells() {
        let claim = of_later_attempt();
        assert_eq!(landed(&other(), Some(&claim), None), Landed::Look);
        let spot = Some(Capacity::Spot);
        assert_eq!(landed(&other(), Some(&claim), spot), Landed::OnSpot);
        assert_eq!(landed(&other(), None, None), Landed::Right);
    }
}

//! The launch of a fleet: which pool gives how many, and their instances.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_model::ids::InstanceId;
use reprise_model::instance::{Capacity, InstanceState};

use super::error::Ec2Error;
use super::fleet::{CreateFleet, Fleet, FleetError, FleetLaunch, FleetOverride, FleetTarget};
use super::instance::Ec2Instance;
use super::market::take;
use super::state::{Ec2, Happened, at_birth};
use super::template::Registered;

/// A pool with everything that its launch needs.
pub(super) struct Candidate {
    pub(super) registered: Registered,
    pub(super) from: FleetOverride,
    pub(super) place: Result<Place, Ec2Error>,
}

/// Where and what to launch.
pub(super) struct Place {
    pub(super) instance_type: String,
    pub(super) zone: String,
    pub(super) image: String,
}

impl Ec2 {
    pub(super) fn launch_fleet(
        &mut self,
        now: Timestamp,
        request: &CreateFleet,
        candidates: &[Candidate],
    ) -> Fleet {
        let mut fleet = Fleet {
            id: self.new_id("fleet-", 32),
            launches: Vec::new(),
            errors: Vec::new(),
        };
        for (capacity, target) in [
            (Capacity::OnDemand, &request.on_demand),
            (Capacity::Spot, &request.spot),
        ] {
            for (candidate, count) in self.allot(now, capacity, target, candidates, &mut fleet) {
                let launch = self.launch(
                    now,
                    capacity,
                    candidate,
                    count,
                    &fleet.id,
                    &request.instance_tags,
                );
                fleet.launches.extend(launch);
            }
        }
        fleet
    }

    /// Decides how many instances each pool gives, and notes what pools refuse.
    fn allot<'a>(
        &mut self,
        now: Timestamp,
        capacity: Capacity,
        target: &FleetTarget,
        candidates: &'a [Candidate],
        fleet: &mut Fleet,
    ) -> Vec<(&'a Candidate, u32)> {
        let mut supplies = self.supplies.clone();
        let mut allotted: BTreeMap<usize, u32> = BTreeMap::new();
        let mut open = preferred(target, candidates);
        let mut left = target.count;
        let step = if target.strategy.as_deref() == Some("diversified") {
            1
        } else {
            target.count
        };
        while left > 0 && !open.is_empty() {
            let index = open.remove(0);
            let candidate = &candidates[index];
            let wanted = step.min(left);
            let (given, error) = match &candidate.place {
                Ok(Place {
                    zone,
                    instance_type,
                    ..
                }) => take(&mut supplies, zone, instance_type, capacity, wanted),
                Err(error) => (0, Some(error.clone())),
            };
            left -= given;
            if given > 0 {
                *allotted.entry(index).or_default() += given;
            }
            match error {
                Some(error) => self.note_refusal(now, capacity, candidate, error, fleet),
                None => open.push(index),
            }
        }
        if target.count - left < target.at_least {
            return Vec::new();
        }
        self.supplies = supplies;
        allotted
            .into_iter()
            .map(|(index, count)| (&candidates[index], count))
            .collect()
    }

    fn note_refusal(
        &mut self,
        now: Timestamp,
        capacity: Capacity,
        candidate: &Candidate,
        error: Ec2Error,
        fleet: &mut Fleet,
    ) {
        if let Ok(place) = &candidate.place {
            let refused = Happened::LaunchRefused {
                instance_type: place.instance_type.clone(),
                zone: place.zone.clone(),
                capacity,
                code: error.code.clone(),
            };
            self.tell(now, refused);
        }
        fleet.errors.push(FleetError {
            capacity,
            from: candidate.from.clone(),
            template: candidate.registered.id.clone(),
            error,
        });
    }

    fn launch(
        &mut self,
        now: Timestamp,
        capacity: Capacity,
        candidate: &Candidate,
        count: u32,
        fleet_id: &str,
        extra_tags: &BTreeMap<String, String>,
    ) -> Option<FleetLaunch> {
        let place = candidate.place.as_ref().ok()?;
        let registered = &candidate.registered;
        let mut tags = registered.template.instance_tags.clone();
        tags.extend(extra_tags.clone());
        tags.insert("aws:ec2:fleet-id".to_owned(), fleet_id.to_owned());
        tags.insert("aws:ec2launchtemplate:id".to_owned(), registered.id.clone());
        tags.insert("aws:ec2launchtemplate:version".to_owned(), "1".to_owned());
        let reservation = self.new_id("r-", 17);
        let instances = (0..count)
            .filter_map(|_| self.launch_one(now, capacity, candidate, place, &reservation, &tags))
            .collect();
        Some(FleetLaunch {
            capacity,
            instance_type: place.instance_type.clone(),
            zone: place.zone.clone(),
            from: candidate.from.clone(),
            template: registered.id.clone(),
            instances,
        })
    }

    fn launch_one(
        &mut self,
        now: Timestamp,
        capacity: Capacity,
        candidate: &Candidate,
        place: &Place,
        reservation: &str,
        tags: &BTreeMap<String, String>,
    ) -> Option<InstanceId> {
        // 17 hexadecimal digits always make an id, so nothing is ever left out here.
        let id: InstanceId = self.new_id("i-", 17).parse().ok()?;
        let template = &candidate.registered.template;
        let spot_request = self.spot_request_for(now, capacity);
        self.remember(Ec2Instance {
            id: id.clone(),
            instance_type: place.instance_type.clone(),
            zone: place.zone.clone(),
            subnet: candidate.from.subnet.clone(),
            image: place.image.clone(),
            capacity,
            launched_at: now,
            role: template.role.clone(),
            tags_in_metadata: template.tags_in_metadata,
            user_data: template.user_data.clone(),
            reservation: reservation.to_owned(),
            spot_request,
            notice: None,
            rebalance_since: None,
            states: Vec::new(),
            tag_log: at_birth(now, tags.clone()),
        });
        let launched = Happened::Launched {
            id: id.clone(),
            instance_type: place.instance_type.clone(),
            zone: place.zone.clone(),
            capacity,
            tags: tags.clone(),
        };
        self.tell(now, launched);
        self.transition(now, &id, InstanceState::Pending, None);
        Some(id)
    }
}

/// The candidates' indices in the order in which the strategy asks them.
fn preferred(target: &FleetTarget, candidates: &[Candidate]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    let strategy = target.strategy.as_deref().unwrap_or_default();
    if strategy.contains("prioritized") {
        order.sort_by_key(|index| candidates[*index].from.priority.unwrap_or(i64::MAX));
    }
    order
}

//! DescribeSubnets: which zone a subnet is in, and nothing else of networks.

use super::buckets::Bucket;
use super::call::{Action, Call};
use super::error::Ec2Error;
use super::filter::{Filter, check_lengths};
use super::query::Params;
use super::state::Ec2;
use super::xml::Xml;

impl Ec2 {
    pub(super) fn describe_subnets_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let filters = Filter::read_all(params)?;
        let action = Action::DescribeSubnets;
        let bucket = if filters.is_empty() {
            Bucket::UnfilteredCalls(action)
        } else {
            Bucket::Calls(action)
        };
        let found = self.called(call, action, &[(bucket, 1)], |ec2| {
            check_lengths(&filters)?;
            let found = ec2.matching_subnets(&filters)?;
            call.unless_dry()?;
            Ok(found)
        })?;
        let mut xml = Xml::default();
        xml.items("subnetSet", &found, |xml, (subnet, zone)| {
            xml.text("subnetId", subnet);
            xml.text("availabilityZone", zone);
            xml.text("state", "available");
        });
        Ok(xml)
    }

    fn matching_subnets(&self, filters: &[Filter]) -> Result<Vec<(String, String)>, Ec2Error> {
        let mut found = Vec::new();
        for (subnet, zone) in &self.settings.subnets {
            if passes(subnet, zone, filters)? {
                found.push((subnet.clone(), zone.clone()));
            }
        }
        Ok(found)
    }
}

fn passes(subnet: &str, zone: &str, filters: &[Filter]) -> Result<bool, Ec2Error> {
    for filter in filters {
        let admitted = match filter.name.as_str() {
            "availability-zone" => filter.admits(zone),
            "subnet-id" => filter.admits(subnet),
            _ => return Err(filter.unknown()),
        };
        if !admitted {
            return Ok(false);
        }
    }
    Ok(true)
}

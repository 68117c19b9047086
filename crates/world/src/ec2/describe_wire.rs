//! DescribeInstances on the wire.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_model::ids::InstanceId;
use reprise_model::instance::{Capacity, InstanceState};

use super::call::Call;
use super::describe::DescribeInstances;
use super::error::Ec2Error;
use super::filter::Filter;
use super::instance::{Ec2Instance, EndReason, state_code};
use super::query::Params;
use super::state::Ec2;
use super::tags::tag_set;
use super::xml::{Xml, millis};

impl Ec2 {
    pub(super) fn describe_instances_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let request = DescribeInstances {
            ids: read_ids(params)?,
            filters: Filter::read_all(params)?,
            max_results: params.number("MaxResults")?,
            next_token: params.get("NextToken").map(str::to_owned),
        };
        let moment = self.moment_shown(call.now);
        let page = self.select_instances(call, moment, &request)?;
        let mut reservations: BTreeMap<&str, Vec<&Ec2Instance>> = BTreeMap::new();
        for instance in page.items.iter().filter_map(|id| self.instances.get(id)) {
            let reservation = reservations.entry(&instance.reservation).or_default();
            reservation.push(instance);
        }
        let mut xml = Xml::default();
        xml.items("reservationSet", reservations, |xml, (id, instances)| {
            xml.text("reservationId", id);
            xml.text("ownerId", self.settings.account.as_str());
            xml.items("instancesSet", instances, |xml, instance| {
                self.instance_xml(xml, instance, moment);
            });
        });
        xml.maybe("nextToken", page.next_token.as_deref());
        Ok(xml)
    }

    fn instance_xml(&self, xml: &mut Xml, instance: &Ec2Instance, moment: Timestamp) {
        let (state, reason) = instance.state_at(moment);
        xml.text("instanceId", instance.id.as_str());
        xml.text("imageId", &instance.image);
        state_xml(xml, "instanceState", state);
        xml.text("instanceType", &instance.instance_type);
        xml.text("launchTime", &millis(instance.launched_at));
        xml.within("placement", |xml| {
            xml.text("availabilityZone", &instance.zone);
            xml.text("tenancy", "default");
        });
        xml.maybe("subnetId", instance.subnet.as_deref());
        if let Some(reason) = reason {
            reason_xml(xml, reason);
        }
        if let Some(role) = &instance.role {
            let account = &self.settings.account;
            let arn = format!("arn:aws:iam::{account}:instance-profile/{role}");
            xml.within("iamInstanceProfile", |xml| xml.text("arn", &arn));
        }
        if instance.capacity == Capacity::Spot {
            xml.text("instanceLifecycle", "spot");
        }
        let request = instance.spot_request.as_ref();
        xml.maybe(
            "spotInstanceRequestId",
            request.map(|request| request.id.as_str()),
        );
        tag_set(xml, &instance.tags_at(moment));
    }
}

/// `InstanceId.N`.
pub(super) fn read_ids(params: &Params) -> Result<Vec<InstanceId>, Ec2Error> {
    params
        .list("InstanceId")
        .map(|text| parse_id(&text))
        .collect()
}

pub(super) fn parse_id(text: &str) -> Result<InstanceId, Ec2Error> {
    text.parse()
        .map_err(|_| Ec2Error::malformed_instance_id(text))
}

/// A state as its number and its word.
pub(super) fn state_xml(xml: &mut Xml, name: &str, state: InstanceState) {
    xml.within(name, |xml| {
        xml.text("code", &state_code(state).to_string());
        xml.text("name", state.as_str());
    });
}

fn reason_xml(xml: &mut Xml, reason: EndReason) {
    xml.text("reason", &reason.message());
    xml.within("stateReason", |xml| {
        xml.text("code", reason.code());
        xml.text("message", &reason.message());
    });
}

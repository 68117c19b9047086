//! DescribeSpotInstanceRequests: what became of the request behind each spot instance.
//!
//! Statuses lag as instances do, each description by its own: a status may show before or after what an
//! instance's own description says.

use jiff::Timestamp;
use reprise_model::ids::InstanceId;

use super::buckets::Bucket;
use super::call::{Action, Call};
use super::describe::{Page, page};
use super::error::Ec2Error;
use super::filter::{Filter, check_lengths};
use super::instance::{Ec2Instance, SpotRequest};
use super::query::Params;
use super::state::Ec2;
use super::xml::{Xml, millis};

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpotRequestQuery {
    /// By id: an unknown one fails the whole call.
    pub ids: Vec<String>,
    /// By filter: `instance-id`, `spot-instance-request-id`, `state`, `status-code`.
    pub filters: Vec<Filter>,
    /// Requests a page.
    pub max_results: Option<usize>,
    /// Where the last page ended.
    pub next_token: Option<String>,
}

/// A request, when it was made, where, and for which instance.
struct Shown {
    request: SpotRequest,
    instance: Ec2Instance,
}

impl Ec2 {
    /// Describes spot requests: each with its instance.
    pub fn describe_spot_requests(
        &mut self,
        call: &Call,
        query: &SpotRequestQuery,
    ) -> Result<Vec<(InstanceId, SpotRequest)>, Ec2Error> {
        let page = self.select_spot_requests(call, query)?;
        Ok(page
            .items
            .into_iter()
            .map(|shown| (shown.instance.id, shown.request))
            .collect())
    }

    fn select_spot_requests(
        &mut self,
        call: &Call,
        query: &SpotRequestQuery,
    ) -> Result<Page<Shown>, Ec2Error> {
        let action = Action::DescribeSpotInstanceRequests;
        let moment = self.moment_shown(call.now);
        let narrowed =
            !query.ids.is_empty() || !query.filters.is_empty() || query.max_results.is_some();
        let bucket = if narrowed {
            Bucket::Calls(action)
        } else {
            Bucket::UnfilteredCalls(action)
        };
        self.called(call, action, &[(bucket, 1)], |ec2| {
            check_lengths(&query.filters)?;
            let mut found = ec2.matching_spot_requests(query, moment)?;
            call.unless_dry()?;
            found.sort_by(|one, other| one.request.id.cmp(&other.request.id));
            let token = query.next_token.as_deref();
            page(found, |shown| &shown.request.id, query.max_results, token)
        })
    }

    fn matching_spot_requests(
        &self,
        query: &SpotRequestQuery,
        moment: Timestamp,
    ) -> Result<Vec<Shown>, Ec2Error> {
        let all = self.instances.values();
        let all: Vec<Shown> = all.filter_map(|one| shown(one, moment)).collect();
        let known = |id: &&String| all.iter().any(|shown| shown.request.id == **id);
        if let Some(unknown) = query.ids.iter().find(|id| !known(id)) {
            return Err(Ec2Error::new(
                400,
                "InvalidSpotInstanceRequestID.NotFound",
                format!("The spot instance request ID '{unknown}' does not exist"),
            ));
        }
        let mut found = Vec::new();
        for shown in all {
            let named = query.ids.is_empty() || query.ids.contains(&shown.request.id);
            if named && shown.passes(&query.filters)? {
                found.push(shown);
            }
        }
        Ok(found)
    }

    pub(super) fn describe_spot_requests_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let query = SpotRequestQuery {
            ids: params.list("SpotInstanceRequestId").collect(),
            filters: Filter::read_all(params)?,
            max_results: params.number("MaxResults")?,
            next_token: params.get("NextToken").map(str::to_owned),
        };
        let page = self.select_spot_requests(call, &query)?;
        let mut xml = Xml::default();
        xml.items("spotInstanceRequestSet", &page.items, |xml, shown| {
            shown.render(xml);
        });
        xml.maybe("nextToken", page.next_token.as_deref());
        Ok(xml)
    }
}

/// A request with the status that it had at a moment; `None` before it was made.
fn shown(instance: &Ec2Instance, moment: Timestamp) -> Option<Shown> {
    let request = instance.spot_request.as_ref()?.at(moment)?;
    Some(Shown {
        request,
        instance: instance.clone(),
    })
}

impl Shown {
    fn passes(&self, filters: &[Filter]) -> Result<bool, Ec2Error> {
        for filter in filters {
            let text = match filter.name.as_str() {
                "instance-id" => self.instance.id.as_str(),
                "spot-instance-request-id" => &self.request.id,
                "state" => self.request.state,
                "status-code" => &self.request.status,
                _ => return Err(filter.unknown()),
            };
            if !filter.admits(text) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn render(&self, xml: &mut Xml) {
        xml.text("spotInstanceRequestId", &self.request.id);
        xml.text("state", self.request.state);
        xml.within("status", |xml| {
            xml.text("code", &self.request.status);
            xml.text("updateTime", &millis(self.request.updated_at));
            xml.text("message", &self.request.status.replace('-', " "));
        });
        xml.text("type", "one-time");
        xml.text("instanceId", self.instance.id.as_str());
        xml.text("createTime", &millis(self.instance.launched_at));
        xml.text("launchedAvailabilityZone", &self.instance.zone);
    }
}

//! DescribeInstances: by ids, by filters, in pages of instances.
//!
//! It shows the state as it was `list_delay` ago, and forgets instances an hour after their end.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_model::instance::{Capacity, InstanceView};

use super::buckets::Bucket;
use super::call::{Action, Call};
use super::error::Ec2Error;
use super::filter::{Filter, check_lengths};
use super::instance::{Ec2Instance, moment_shown, state_code};
use super::state::Ec2;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DescribeInstances {
    /// By id: one that EC2 does not list fails the whole call.
    pub ids: Vec<InstanceId>,
    /// By filter: what EC2 does not list is just absent.
    pub filters: Vec<Filter>,
    /// Instances a page, 5 to 1000.
    pub max_results: Option<usize>,
    /// Where the last page ended.
    pub next_token: Option<String>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstancePage {
    /// The instances, by id.
    pub instances: Vec<InstanceView>,
    /// Where the next page begins, if there is one.
    pub next_token: Option<String>,
}

/// Some of what was found, and where the rest begins.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) next_token: Option<String>,
}

impl Ec2 {
    /// Describes instances.
    pub fn describe_instances(
        &mut self,
        call: &Call,
        request: &DescribeInstances,
    ) -> Result<InstancePage, Ec2Error> {
        let moment = self.moment_shown(call.now);
        let selected = self.select_instances(call, moment, request)?;
        let instances = selected
            .items
            .iter()
            .filter_map(|id| self.instances.get(id))
            .map(|instance| instance.view_at(moment, &self.settings))
            .collect();
        Ok(InstancePage {
            instances,
            next_token: selected.next_token,
        })
    }

    /// Every instance as a description made now would show it, for the other services of AWS.
    pub(crate) fn shown(&mut self, now: Timestamp) -> Vec<InstanceView> {
        let moment = self.moment_shown(now);
        let listed = self
            .instances
            .values()
            .filter(|one| one.is_listed_at(moment));
        listed
            .map(|one| one.view_at(moment, &self.settings))
            .collect()
    }

    pub(super) fn select_instances(
        &mut self,
        call: &Call,
        moment: Timestamp,
        request: &DescribeInstances,
    ) -> Result<Page<InstanceId>, Ec2Error> {
        let action = Action::DescribeInstances;
        let narrowed =
            !request.ids.is_empty() || !request.filters.is_empty() || request.max_results.is_some();
        let bucket = if narrowed {
            Bucket::Calls(action)
        } else {
            Bucket::UnfilteredCalls(action)
        };
        self.called(call, action, &[(bucket, 1)], |ec2| {
            check_lengths(&request.filters)?;
            check_page_size(request)?;
            ec2.check_listed(&request.ids, moment)?;
            let matching = ec2.matching(request, moment)?;
            call.unless_dry()?;
            let token = request.next_token.as_deref();
            page(matching, InstanceId::as_str, request.max_results, token)
        })
    }

    /// From now on descriptions lag behind by so much.
    pub fn set_list_delay(&mut self, delay: SignedDuration) {
        self.settings.list_delay = delay;
    }

    /// From now on descriptions lag behind by up to so much more, each by its own.
    pub fn vary_list_delay(&mut self, by: SignedDuration) {
        self.settings.list_delay_varies_by = by;
    }

    /// The moment that a description made now shows.
    pub(super) fn moment_shown(&mut self, now: Timestamp) -> Timestamp {
        let most = self.settings.list_delay_varies_by.as_secs().max(0);
        let further = match most {
            0 => 0,
            most => self.rng.i64(0..=most),
        };
        let delay = self.settings.list_delay + SignedDuration::from_secs(further);
        moment_shown(now, delay)
    }

    fn check_listed(&self, ids: &[InstanceId], moment: Timestamp) -> Result<(), Ec2Error> {
        let listed = |id: &InstanceId| {
            self.instances
                .get(id)
                .is_some_and(|instance| instance.is_listed_at(moment))
        };
        let unknown: Vec<&InstanceId> = ids.iter().filter(|id| !listed(id)).collect();
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(Ec2Error::unknown_instances(&unknown))
        }
    }

    fn matching(
        &self,
        request: &DescribeInstances,
        moment: Timestamp,
    ) -> Result<Vec<InstanceId>, Ec2Error> {
        for filter in &request.filters {
            check_name(filter)?;
        }
        let wanted = |instance: &&Ec2Instance| {
            instance.is_listed_at(moment)
                && (request.ids.is_empty() || request.ids.contains(&instance.id))
                && request
                    .filters
                    .iter()
                    .all(|filter| shows(instance, filter, moment))
        };
        Ok(self
            .instances
            .values()
            .filter(wanted)
            .map(|instance| instance.id.clone())
            .collect())
    }
}

fn check_page_size(request: &DescribeInstances) -> Result<(), Ec2Error> {
    let Some(size) = request.max_results else {
        return Ok(());
    };
    if !request.ids.is_empty() {
        return Err(Ec2Error::new(
            400,
            "InvalidParameterCombination",
            "The parameter instancesSet cannot be used with the parameter maxResults",
        ));
    }
    if (5..=1000).contains(&size) {
        return Ok(());
    }
    Err(Ec2Error::invalid_value(format!(
        "Value ( {size} ) for parameter maxResults is invalid. Expecting a value from 5 to 1000."
    )))
}

const PLAIN_FILTERS: [&str; 8] = [
    "availability-zone",
    "instance-id",
    "instance-lifecycle",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "spot-instance-request-id",
    "tag-key",
];

fn check_name(filter: &Filter) -> Result<(), Ec2Error> {
    let known = PLAIN_FILTERS.contains(&filter.name.as_str()) || filter.name.starts_with("tag:");
    if known { Ok(()) } else { Err(filter.unknown()) }
}

fn shows(instance: &Ec2Instance, filter: &Filter, moment: Timestamp) -> bool {
    let (state, _) = instance.state_at(moment);
    match filter.name.as_str() {
        "availability-zone" => filter.admits(&instance.zone),
        "instance-id" => filter.admits(instance.id.as_str()),
        "instance-lifecycle" => instance.capacity == Capacity::Spot && filter.admits("spot"),
        "instance-state-code" => filter.admits(&state_code(state).to_string()),
        "instance-state-name" => filter.admits(state.as_str()),
        "instance-type" => filter.admits(&instance.instance_type),
        "spot-instance-request-id" => instance
            .spot_request
            .as_ref()
            .is_some_and(|request| filter.admits(&request.id)),
        name => tag_filter(name, filter, &instance.tags_at(moment)),
    }
}

/// `tag-key` and `tag:KEY`.
pub(super) fn tag_filter(name: &str, filter: &Filter, tags: &BTreeMap<String, String>) -> bool {
    match name.strip_prefix("tag:") {
        Some(key) => tags.get(key).is_some_and(|value| filter.admits(value)),
        None => tags.keys().any(|key| filter.admits(key)),
    }
}

/// Cuts a page out of things sorted by name; the token holds the name of its last one.
pub(super) fn page<T>(
    sorted: Vec<T>,
    name: impl Fn(&T) -> &str,
    size: Option<usize>,
    token: Option<&str>,
) -> Result<Page<T>, Ec2Error> {
    let after = token.map(read_token).transpose()?;
    let mut items: Vec<T> = sorted
        .into_iter()
        .filter(|item| after.as_deref().is_none_or(|after| name(item) > after))
        .collect();
    let found = items.len();
    items.truncate(size.unwrap_or(usize::MAX));
    let next_token = items
        .last()
        .filter(|_| items.len() < found)
        .map(|last| URL_SAFE_NO_PAD.encode(name(last)));
    Ok(Page { items, next_token })
}

fn read_token(token: &str) -> Result<String, Ec2Error> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| {
            let message = "The specified NextToken is not valid.";
            Ec2Error::new(400, "InvalidNextToken", message)
        })
}

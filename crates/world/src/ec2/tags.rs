//! CreateTags and DescribeTags; only instances bear tags here.
//!
//! An instance may put one key with one value on itself and nothing else, as the policy of its role
//! says; everything else is refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_model::ids::InstanceId;

use super::buckets::Bucket;
use super::call::{Action, Call, Caller};
use super::describe::page;
use super::describe_wire::parse_id;
use super::error::Ec2Error;
use super::filter::{Filter, check_lengths};
use super::query::Params;
use super::state::{Ec2, Happened};
use super::xml::Xml;

/// EC2's limits of tags on a resource, of characters in a key, and in a value.
const MOST_TAGS: usize = 50;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

/// What to tag, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateTags {
    /// The instances; one that does not exist fails the whole call.
    pub instances: Vec<InstanceId>,
    /// The tags; a key that is there already gets the new value.
    pub tags: BTreeMap<String, String>,
}

/// One tag of one instance.
struct TagLine {
    name: String,
    id: InstanceId,
    key: String,
    value: String,
}

impl Ec2 {
    /// Tags instances.
    pub fn create_tags(&mut self, call: &Call, request: &CreateTags) -> Result<(), Ec2Error> {
        let action = Action::CreateTags;
        self.called(call, action, &[(Bucket::Calls(action), 1)], |ec2| {
            ec2.check_allowed(call, request)?;
            ec2.check_request(request)?;
            call.unless_dry()?;
            for id in &request.instances {
                ec2.tag(call, id, &request.tags);
            }
            Ok(())
        })
    }

    fn check_allowed(&self, call: &Call, request: &CreateTags) -> Result<(), Ec2Error> {
        let Caller::Instance(own) = &call.caller else {
            return Ok(());
        };
        let (key, value) = &self.settings.instance_may_tag;
        let itself_only = !request.instances.is_empty()
            && request.instances.iter().all(|instance| instance == own);
        let allowed_tag =
            !request.tags.is_empty() && request.tags.iter().all(|tag| tag == (key, value));
        if itself_only && allowed_tag {
            Ok(())
        } else {
            Err(Ec2Error::unauthorized(Action::CreateTags.as_str()))
        }
    }

    fn check_request(&self, request: &CreateTags) -> Result<(), Ec2Error> {
        if request.instances.is_empty() {
            return Err(Ec2Error::missing_parameter("resourceIdSet"));
        }
        if request.tags.is_empty() {
            return Err(Ec2Error::missing_parameter("tagSet"));
        }
        check_tags(&request.tags)?;
        let unknown: Vec<&InstanceId> = request
            .instances
            .iter()
            .filter(|id| !self.instances.contains_key(id))
            .collect();
        if !unknown.is_empty() {
            return Err(Ec2Error::unknown_instances(&unknown));
        }
        let too_many = request.instances.iter().any(|id| {
            let mut tags = self
                .instances
                .get(id)
                .map(|one| one.tags())
                .unwrap_or_default();
            tags.extend(request.tags.clone());
            tags.keys().filter(|key| !key.starts_with("aws:")).count() > MOST_TAGS
        });
        if too_many {
            return Err(too_many_tags());
        }
        Ok(())
    }

    fn tag(&mut self, call: &Call, id: &InstanceId, tags: &BTreeMap<String, String>) {
        let Some(instance) = self.instances.get_mut(id) else {
            return;
        };
        for (key, value) in tags {
            instance
                .tag_log
                .push((call.now, key.clone(), value.clone()));
        }
        for (key, value) in tags {
            let tagged = Happened::Tagged {
                id: id.clone(),
                by: call.caller.clone(),
                key: key.clone(),
                value: value.clone(),
            };
            self.tell(call.now, tagged);
        }
    }

    pub(super) fn create_tags_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let request = CreateTags {
            instances: params
                .list("ResourceId")
                .map(|text| parse_id(&text))
                .collect::<Result<_, _>>()?,
            tags: read_tags(params)?,
        };
        self.create_tags(call, &request)?;
        let mut xml = Xml::default();
        xml.text("return", "true");
        Ok(xml)
    }

    pub(super) fn describe_tags_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let filters = Filter::read_all(params)?;
        let size: Option<usize> = params.number("MaxResults")?;
        let action = Action::DescribeTags;
        let bucket = if filters.is_empty() && size.is_none() {
            Bucket::UnfilteredCalls(action)
        } else {
            Bucket::Calls(action)
        };
        let moment = self.moment_shown(call.now);
        let page = self.called(call, action, &[(bucket, 1)], |ec2| {
            check_lengths(&filters)?;
            let lines = ec2.tag_lines(moment, &filters)?;
            call.unless_dry()?;
            page(lines, |line| &line.name, size, params.get("NextToken"))
        })?;
        let mut xml = Xml::default();
        xml.items("tagSet", &page.items, |xml, line| {
            xml.text("resourceId", line.id.as_str());
            xml.text("resourceType", "instance");
            xml.text("key", &line.key);
            xml.text("value", &line.value);
        });
        xml.maybe("nextToken", page.next_token.as_deref());
        Ok(xml)
    }

    fn tag_lines(&self, moment: Timestamp, filters: &[Filter]) -> Result<Vec<TagLine>, Ec2Error> {
        let mut lines = Vec::new();
        for instance in self.instances.values() {
            for (key, value) in instance.tags_at(moment) {
                let line = TagLine {
                    name: format!("{} {key}", instance.id),
                    id: instance.id.clone(),
                    key,
                    value,
                };
                if line.passes(filters)? {
                    lines.push(line);
                }
            }
        }
        Ok(lines)
    }
}

impl TagLine {
    fn passes(&self, filters: &[Filter]) -> Result<bool, Ec2Error> {
        for filter in filters {
            let admitted = match filter.name.as_str() {
                "key" => filter.admits(&self.key),
                "resource-id" => filter.admits(self.id.as_str()),
                "resource-type" => filter.admits("instance"),
                "value" => filter.admits(&self.value),
                name => match name.strip_prefix("tag:") {
                    Some(key) => key == self.key && filter.admits(&self.value),
                    None => return Err(filter.unknown()),
                },
            };
            if !admitted {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// `Tag.N.Key` and `Tag.N.Value`.
pub(super) fn read_tags(params: &Params) -> Result<BTreeMap<String, String>, Ec2Error> {
    params
        .structs("Tag")
        .map(|tag| {
            let value = tag.get("Value").unwrap_or_default();
            Ok((tag.required("Key")?.to_owned(), value.to_owned()))
        })
        .collect()
}

/// `TagSpecification.N`, by resource type.
pub(super) fn tag_specifications(
    params: &Params,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, Ec2Error> {
    params
        .structs("TagSpecification")
        .map(|one| Ok((one.required("ResourceType")?.to_owned(), read_tags(&one)?)))
        .collect()
}

pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Ec2Error> {
    if tags.len() > MOST_TAGS {
        return Err(too_many_tags());
    }
    for (key, value) in tags {
        if key.starts_with("aws:") {
            return Err(Ec2Error::invalid_value(
                "Tag keys starting with 'aws:' are reserved for internal use",
            ));
        }
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            return Err(Ec2Error::invalid_value(format!(
                "Tag key exceeds the maximum length of {LONGEST_KEY} characters"
            )));
        }
        if value.chars().count() > LONGEST_VALUE {
            return Err(Ec2Error::invalid_value(format!(
                "Tag value exceeds the maximum length of {LONGEST_VALUE} characters"
            )));
        }
    }
    Ok(())
}

fn too_many_tags() -> Ec2Error {
    let message = format!("More than {MOST_TAGS} tags for a resource");
    Ec2Error::new(400, "TagLimitExceeded", message)
}

/// `tagSet`, which an untagged resource does not have.
pub(super) fn tag_set(xml: &mut Xml, tags: &BTreeMap<String, String>) {
    if !tags.is_empty() {
        xml.items("tagSet", tags, |xml, (key, value)| {
            xml.text("key", key);
            xml.text("value", value);
        });
    }
}

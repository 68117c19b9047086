//! CreateTags on one instance.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Tag;
use reprise_model::ids::InstanceId;

use super::Scope;
use crate::error::CallError;

/// Puts tags on an instance. What differs cannot share a call, and each instance's tags do.
pub(super) async fn tag(
    scope: &Scope,
    id: &InstanceId,
    tags: &BTreeMap<String, String>,
) -> Result<(), CallError> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let request = scope
        .client
        .create_tags()
        .resources(id.as_str())
        .set_tags(Some(tags.iter().map(tag).collect()));
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error) => Err(CallError::from_sdk(
            format!("tag instance {id} in {}", scope.region),
            &error,
        )),
    }
}

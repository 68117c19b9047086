//! Dry runs: what EC2 would allow, without anything being done.
//!
//! EC2 answers each by an error: `DryRunOperation` where it would have done it
//! (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html>), else the one that would
//! have come.

use std::collections::BTreeMap;
use std::error::Error;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{InstanceType, Tag};
use reprise_model::ids::InstanceId;

use super::Scope;
use super::launch::{self, LaunchRequest};
use crate::error::CallError;

/// What EC2 says where it would have done it.
const WOULD_DO: &str = "DryRunOperation";

/// A fleet, and the instances of its first pool: EC2 checks either.
pub(super) async fn launch(scope: &Scope, request: &LaunchRequest) -> Result<(), CallError> {
    let fleet = launch::call(scope, request).dry_run(true).send().await;
    verdict(format!("create a fleet in {}", scope.region), fleet)?;
    let answer = scope
        .client
        .run_instances()
        .min_count(1)
        .max_count(1)
        .launch_template(launch::template(&request.launch_template))
        .set_instance_type(
            request
                .instance_types
                .first()
                .map(|one| InstanceType::from(one.as_str())),
        )
        .set_subnet_id(request.subnets.first().cloned())
        .set_image_id(request.image.clone())
        .tag_specifications(launch::tag_specification(&request.tags))
        .dry_run(true)
        .send()
        .await;
    verdict(format!("run instances in {}", scope.region), answer)
}

pub(super) async fn terminate(scope: &Scope, id: &InstanceId) -> Result<(), CallError> {
    let request = scope.client.terminate_instances().instance_ids(id.as_str());
    let answer = request.dry_run(true).send().await;
    verdict(format!("terminate {id} in {}", scope.region), answer)
}

pub(super) async fn tag(
    scope: &Scope,
    id: &InstanceId,
    tags: &BTreeMap<String, String>,
) -> Result<(), CallError> {
    let request = scope.client.create_tags().resources(id.as_str());
    let request = request.set_tags(Some(list(tags))).dry_run(true);
    verdict(
        format!("tag {id} in {}", scope.region),
        request.send().await,
    )
}

pub(super) async fn console(scope: &Scope, id: &InstanceId) -> Result<(), CallError> {
    let request = scope.client.get_console_output().instance_id(id.as_str());
    let answer = request.dry_run(true).send().await;
    verdict(
        format!("read the console of {id} in {}", scope.region),
        answer,
    )
}

fn verdict<T, E>(operation: String, answer: Result<T, SdkError<E>>) -> Result<(), CallError>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match answer {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = CallError::from_sdk(operation, &error);
            match error.code.as_deref() {
                Some(WOULD_DO) => Ok(()),
                Some(_) | None => Err(error),
            }
        }
    }
}

fn list(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(tag).collect()
}

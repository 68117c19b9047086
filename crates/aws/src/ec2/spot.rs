//! DescribeSpotInstanceRequests, by the instances that the requests are for.
//!
//! By filter, so that an instance without a request is absent from the answer and spoils nobody else's.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::SpotInstanceRequest;
use reprise_model::ids::InstanceId;
use reprise_model::instance::SpotStatus;

use super::Scope;
use super::describe::{filter, timestamp};
use crate::error::{CallError, Ec2Error};

/// The most that EC2 puts on one page.
const PAGE: i32 = 1000;

/// One call for many instances: each has a status or none, or all share one error.
pub(super) async fn statuses(
    scope: Scope,
    ids: Vec<InstanceId>,
) -> BTreeMap<InstanceId, Result<Option<SpotStatus>, Ec2Error>> {
    match all_pages(&scope, &ids).await {
        Ok(mut found) => ids
            .into_iter()
            .map(|id| {
                let status = found.remove(&id);
                (id, Ok(status))
            })
            .collect(),
        Err(error) => ids
            .into_iter()
            .map(|id| (id, Err(error.clone().into())))
            .collect(),
    }
}

async fn all_pages(
    scope: &Scope,
    ids: &[InstanceId],
) -> Result<BTreeMap<InstanceId, SpotStatus>, CallError> {
    let wanted = ids.iter().map(|id| id.as_str().to_owned()).collect();
    let mut pages = scope
        .client
        .describe_spot_instance_requests()
        .filters(filter("instance-id", wanted))
        .max_results(PAGE)
        .into_paginator()
        .send();
    let mut found = BTreeMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            CallError::from_sdk(
                format!("describe spot requests in {}", scope.region),
                &error,
            )
        })?;
        found.extend(page.spot_instance_requests().iter().filter_map(status_of));
    }
    Ok(found)
}

/// `None` for a request without an instance or a status, of which nothing can be told.
fn status_of(request: &SpotInstanceRequest) -> Option<(InstanceId, SpotStatus)> {
    let id = request.instance_id()?.parse().ok()?;
    let status = request.status()?;
    let told = SpotStatus {
        code: status.code()?.to_owned(),
        since: status.update_time().and_then(timestamp),
    };
    Some((id, told))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::primitives::DateTime;
    use aws_sdk_ec2::types::SpotInstanceStatus;
    use jiff::Timestamp;

    use super::*;

    fn request(id: Option<&str>, code: Option<&str>) -> SpotInstanceRequest {
        let status = SpotInstanceStatus::builder()
            .set_code(code.map(str::to_owned))
            .update_time(DateTime::from_secs(1_700_000_000));
        SpotInstanceRequest::builder()
            .set_instance_id(id.map(str::to_owned))
            .status(status.build())
            .build()
    }

    #[test]
    fn a_request_is_told_of_by_its_instance_and_its_statuss_code() {
        let id = "i-0123456789abcdef0";
        let marked = request(Some(id), Some("marked-for-termination"));
        let told = (
            id.parse().expect("an id"),
            SpotStatus {
                code: "marked-for-termination".to_owned(),
                since: Timestamp::from_second(1_700_000_000).ok(),
            },
        );
        assert_eq!(status_of(&marked), Some(told));
        assert_eq!(status_of(&request(None, Some("fulfilled"))), None);
        assert_eq!(status_of(&request(Some(id), None)), None);
    }
}

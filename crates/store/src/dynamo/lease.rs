//! The leases: one conditional write to renew, two to take over.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::DynamoStore;
use super::item::{self, Item, KEY, number, text};
use crate::contract::StoreError;
use crate::lease::{Fence, HolderId, LeaseName};
use crate::time::Millis;

const HOLDER: &str = "holder";
const FENCE: &str = "fence";
const UNTIL: &str = "until";

const TAKE: &str = "take a lease";

impl DynamoStore {
    /// Renews first: that is what nearly every call is for, and the refusal shows who has it.
    pub(super) async fn take(
        &self,
        name: LeaseName,
        holder: &HolderId,
        now: Millis,
        until: Millis,
    ) -> Result<Option<Fence>, StoreError> {
        let known = match self.renew(name, holder, until).await? {
            Attempt::Done(fence) => return Ok(Some(fence)),
            Attempt::Refused(known) => known,
        };
        if !known.is_free(now) {
            return Ok(None);
        }
        match self.take_over(name, holder, until, &known).await? {
            Attempt::Done(fence) => Ok(Some(fence)),
            // The answer to it was lost, and the SDK has asked again.
            Attempt::Refused(seen) if seen.is_held_by(holder) => Ok(Some(Fence(seen.fence))),
            Attempt::Refused(_) => Ok(None),
        }
    }

    pub(super) async fn release(
        &self,
        name: LeaseName,
        holder: &HolderId,
        fence: Fence,
    ) -> Result<(), StoreError> {
        let update = self
            .update(name)
            .update_expression("REMOVE #holder")
            .condition_expression("#holder = :holder AND #fence = :fence")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_names("#fence", FENCE)
            .expression_attribute_values(":holder", text(holder.as_str()))
            .expression_attribute_values(":fence", number(fence.0));
        self.attempt("release a lease", update).await.map(drop)
    }

    async fn renew(
        &self,
        name: LeaseName,
        holder: &HolderId,
        until: Millis,
    ) -> Result<Attempt, StoreError> {
        let update = self
            .update(name)
            .update_expression("SET #until = :until")
            .condition_expression("#holder = :holder")
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_values(":until", number(until.0))
            .expression_attribute_values(":holder", text(holder.as_str()));
        self.attempt(TAKE, update).await
    }

    /// On condition that it is as it was seen: a renewal in between moves its end.
    async fn take_over(
        &self,
        name: LeaseName,
        holder: &HolderId,
        until: Millis,
        seen: &Lease,
    ) -> Result<Attempt, StoreError> {
        let update = self
            .update(name)
            .update_expression("SET #holder = :holder, #until = :until, #fence = :next")
            .expression_attribute_names("#holder", HOLDER)
            .expression_attribute_names("#until", UNTIL)
            .expression_attribute_names("#fence", FENCE)
            .expression_attribute_values(":holder", text(holder.as_str()))
            .expression_attribute_values(":until", number(until.0))
            .expression_attribute_values(":next", number(seen.fence + 1));
        let update = if seen.fence == 0 {
            update.condition_expression("attribute_not_exists(#fence)")
        } else {
            let same = "#fence = :seen AND #until = :end";
            update
                .condition_expression(same)
                .expression_attribute_values(":seen", number(seen.fence))
                .expression_attribute_values(":end", number(seen.until))
        };
        self.attempt(TAKE, update).await
    }

    fn update(&self, name: LeaseName) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table.name)
            .key(KEY, key(name))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    async fn attempt(
        &self,
        operation: &'static str,
        update: UpdateItemFluentBuilder,
    ) -> Result<Attempt, StoreError> {
        match update.send().await {
            Ok(answer) => {
                let lease = answer.attributes().map(Lease::from).unwrap_or_default();
                Ok(Attempt::Done(Fence(lease.fence)))
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let known = failed.item().map(Lease::from).unwrap_or_default();
                    Ok(Attempt::Refused(known))
                }
                _ => Err(self.table.failed(operation, &error)),
            },
        }
    }
}

enum Attempt {
    /// It is ours, with this fence.
    Done(Fence),
    /// It is as it stands here.
    Refused(Lease),
}

/// The lease as it stands in the table; fence 0 if nobody ever took it.
#[derive(Default)]
struct Lease {
    holder: Option<String>,
    fence: u64,
    until: i64,
}

impl Lease {
    fn is_free(&self, now: Millis) -> bool {
        self.holder.is_none() || self.until <= now.0
    }

    fn is_held_by(&self, holder: &HolderId) -> bool {
        self.holder.as_deref() == Some(holder.as_str())
    }
}

impl From<&Item> for Lease {
    fn from(item: &Item) -> Self {
        Self {
            holder: item::text_of(item, HOLDER).map(str::to_owned),
            fence: item::number_of(item, FENCE).unwrap_or_default(),
            until: item::number_of(item, UNTIL).unwrap_or_default(),
        }
    }
}

fn key(name: LeaseName) -> AttributeValue {
    text(format!("lease/{name}"))
}

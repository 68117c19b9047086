//! DescribeInstances, always by filter and with all its pages, and its answer in our words.

use std::collections::BTreeMap;

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Filter, Instance as Ec2Instance, InstanceLifecycleType, Reservation};
use jiff::Timestamp;
use reprise_model::ids::{AccountId, InstanceId};
use reprise_model::instance::{Capacity, Instance, InstanceSight, InstanceState, InstanceView};

use super::Scope;
use crate::error::{CallError, Ec2Error};

/// The most that EC2 puts on one page.
const PAGE: i32 = 1000;

/// One call for many ids: each is seen or absent, or all share one error.
pub(super) async fn look(
    scope: Scope,
    ids: Vec<InstanceId>,
) -> BTreeMap<InstanceId, Result<InstanceSight, Ec2Error>> {
    let wanted = ids.iter().map(|id| id.as_str().to_owned()).collect();
    let found = all_pages(&scope, vec![filter("instance-id", wanted)]).await;
    match found {
        Ok(views) => sights(ids, views),
        Err(error) => ids
            .into_iter()
            .map(|id| (id, Err(error.clone().into())))
            .collect(),
    }
}

/// What bears the stack's tag, ended instances included while EC2 shows them: what ended them is
/// evidence.
pub(super) async fn list_stack(
    scope: &Scope,
    tag_key: &str,
    stack: &str,
    each: &mut (dyn FnMut(InstanceView) + Send),
) -> Result<(), CallError> {
    let filters = vec![filter(&format!("tag:{tag_key}"), vec![stack.to_owned()])];
    // `*` and `?` in a filter's value are wildcards: a stack's name must not reach into another
    // stack, whose instances would be ended as ours.
    let mut ours = |view: InstanceView| {
        if view.tags.get(tag_key).is_some_and(|value| value == stack) {
            each(view);
        }
    };
    every_page(scope, filters, &mut ours).await
}

pub(super) fn filter(name: &str, values: Vec<String>) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values))
        .build()
}

async fn all_pages(scope: &Scope, filters: Vec<Filter>) -> Result<Vec<InstanceView>, CallError> {
    let mut views = Vec::new();
    every_page(scope, filters, &mut |view| views.push(view)).await?;
    Ok(views)
}

async fn every_page(
    scope: &Scope,
    filters: Vec<Filter>,
    each: &mut (dyn FnMut(InstanceView) + Send),
) -> Result<(), CallError> {
    let mut pages = scope
        .client
        .describe_instances()
        .set_filters(Some(filters))
        .max_results(PAGE)
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            CallError::from_sdk(format!("describe instances in {}", scope.region), &error)
        })?;
        for reservation in page.reservations() {
            views_of(scope, reservation, each);
        }
    }
    Ok(())
}

fn sights(
    ids: Vec<InstanceId>,
    views: Vec<InstanceView>,
) -> BTreeMap<InstanceId, Result<InstanceSight, Ec2Error>> {
    let mut seen: BTreeMap<_, _> = views
        .into_iter()
        .map(|view| (view.instance.id.clone(), view))
        .collect();
    ids.into_iter()
        .map(|id| {
            let view = seen.remove(&id);
            (
                id,
                Ok(view.map_or(InstanceSight::Absent, InstanceSight::Seen)),
            )
        })
        .collect()
}

fn views_of(scope: &Scope, reservation: &Reservation, each: &mut (dyn FnMut(InstanceView) + Send)) {
    // The owner is the account of the credentials; EC2 has always sent it.
    let account = reservation
        .owner_id()
        .map_or_else(|| scope.account.clone(), AccountId::new);
    let instances = reservation.instances().iter();
    instances
        .filter_map(|instance| view_of(scope, &account, instance))
        .for_each(each);
}

/// `None` for an id that is no instance id, which no caller can have asked for.
fn view_of(scope: &Scope, account: &AccountId, ec2: &Ec2Instance) -> Option<InstanceView> {
    let id = ec2.instance_id()?.parse().ok()?;
    Some(InstanceView {
        instance: Instance {
            account: account.clone(),
            region: scope.region.clone(),
            id,
        },
        capacity: capacity_of(ec2),
        state: state_of(ec2),
        state_reason: ec2
            .state_reason()
            .and_then(|reason| reason.code())
            .filter(|code| !code.is_empty())
            .map(str::to_owned),
        tags: tags_of(ec2),
        instance_type: ec2
            .instance_type()
            .map(|kind| kind.as_str().to_owned())
            .unwrap_or_default(),
        zone: ec2
            .placement()
            .and_then(|placement| placement.availability_zone())
            .map(str::to_owned),
        subnet: ec2
            .subnet_id()
            .filter(|subnet| !subnet.is_empty())
            .map(str::to_owned),
        launched_at: ec2.launch_time().and_then(timestamp),
        image: ec2.image_id().and_then(|id| id.parse().ok()),
    })
}

/// Only spot can be taken back; whatever else there is (scheduled, capacity blocks) stays.
fn capacity_of(ec2: &Ec2Instance) -> Capacity {
    if ec2.instance_lifecycle() == Some(&InstanceLifecycleType::Spot) {
        Capacity::Spot
    } else {
        Capacity::OnDemand
    }
}

fn state_of(ec2: &Ec2Instance) -> InstanceState {
    let word = ec2.state().and_then(|state| state.name());
    match word.map_or("", |name| name.as_str()) {
        "pending" => InstanceState::Pending,
        "running" => InstanceState::Running,
        "shutting-down" => InstanceState::ShuttingDown,
        "terminated" => InstanceState::Terminated,
        "stopping" => InstanceState::Stopping,
        "stopped" => InstanceState::Stopped,
        _ => InstanceState::Unknown,
    }
}

fn tags_of(ec2: &Ec2Instance) -> BTreeMap<String, String> {
    ec2.tags()
        .iter()
        .filter_map(|tag| {
            let value = tag.value().unwrap_or_default();
            Some((tag.key()?.to_owned(), value.to_owned()))
        })
        .collect()
}

pub(super) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    let nanoseconds = i32::try_from(time.subsec_nanos()).ok()?;
    Timestamp::new(time.secs(), nanoseconds).ok()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::config::BehaviorVersion;
    use aws_sdk_ec2::types::{
        InstanceState as Ec2State, InstanceStateName, InstanceType, Placement, StateReason, Tag,
    };
    use reprise_model::ids::Region;

    use super::*;

    fn scope() -> Scope {
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .build();
        Scope {
            client: aws_sdk_ec2::Client::from_conf(config),
            region: Region::new("eu-west-1"),
            account: AccountId::new("111111111111"),
        }
    }

    fn id(text: &str) -> InstanceId {
        text.parse().expect("an instance id")
    }

    fn ec2(text: &str) -> aws_sdk_ec2::types::builders::InstanceBuilder {
        Ec2Instance::builder().instance_id(text)
    }

    fn view(instance: Ec2Instance) -> InstanceView {
        let reservation = Reservation::builder()
            .owner_id("222222222222")
            .instances(instance)
            .build();
        let mut views = Vec::new();
        views_of(&scope(), &reservation, &mut |view| views.push(view));
        views.remove(0)
    }

    #[test]
    fn an_interrupted_spot_instance_is_seen_with_its_owner_reason_tags_and_time() {
        let seen = view(
            ec2("i-0123456789abcdef0")
                .instance_lifecycle(InstanceLifecycleType::Spot)
                .instance_type(InstanceType::from("c7a.large"))
                .image_id("ami-0123456789abcdef0")
                .state(state("shutting-down"))
                .state_reason(
                    StateReason::builder()
                        .code("Server.SpotInstanceTermination")
                        .build(),
                )
                .placement(Placement::builder().availability_zone("eu-west-1a").build())
                .tags(Tag::builder().key("a").value("b").build())
                .subnet_id("subnet-a")
                .launch_time(DateTime::from_secs_and_nanos(1_700_000_000, 500_000_000))
                .build(),
        );
        let expected = InstanceView {
            instance: Instance {
                account: AccountId::new("222222222222"),
                region: Region::new("eu-west-1"),
                id: id("i-0123456789abcdef0"),
            },
            capacity: Capacity::Spot,
            state: InstanceState::ShuttingDown,
            state_reason: Some("Server.SpotInstanceTermination".to_owned()),
            tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            instance_type: "c7a.large".to_owned(),
            zone: Some("eu-west-1a".to_owned()),
            subnet: Some("subnet-a".to_owned()),
            launched_at: Timestamp::from_millisecond(1_700_000_000_500).ok(),
            image: "ami-0123456789abcdef0".parse().ok(),
        };
        assert_eq!(seen, expected);
    }

    fn state(word: &str) -> Ec2State {
        Ec2State::builder()
            .name(InstanceStateName::from(word))
            .build()
    }

    #[test]
    fn an_instance_without_a_lifecycle_is_on_demand() {
        let seen = view(ec2("i-0123456789abcdef0").build());
        assert_eq!(seen.capacity, Capacity::OnDemand);
    }

    #[test]
    fn an_empty_state_reason_is_none() {
        let empty = StateReason::builder().code("").build();
        let seen = view(ec2("i-0123456789abcdef0").state_reason(empty).build());
        assert_eq!(seen.state_reason, None);
    }

    #[test]
    fn a_state_word_that_ec2_added_is_unknown_and_not_an_error() {
        let seen = view(ec2("i-0123456789abcdef0").state(state("napping")).build());
        assert_eq!(seen.state, InstanceState::Unknown);
    }

    #[test]
    fn an_id_that_ec2_does_not_list_is_absent_and_the_others_are_seen() {
        let seen = view(ec2("i-0123456789abcdef0").build());
        let asked = vec![id("i-0123456789abcdef0"), id("i-0fffffffffffffff0")];
        let sights = sights(asked, vec![seen.clone()]);
        assert_eq!(
            sights[&id("i-0123456789abcdef0")],
            Ok(InstanceSight::Seen(seen))
        );
        assert_eq!(
            sights[&id("i-0fffffffffffffff0")],
            Ok(InstanceSight::Absent)
        );
    }
}

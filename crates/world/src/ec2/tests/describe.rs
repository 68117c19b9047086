use reprise_model::instance::{Capacity, InstanceState};

use super::*;

fn by_ids(ids: &[InstanceId]) -> DescribeInstances {
    DescribeInstances {
        ids: ids.to_vec(),
        ..DescribeInstances::default()
    }
}

fn by_filter(name: &str, values: &[&str]) -> DescribeInstances {
    DescribeInstances {
        filters: vec![Filter::new(name, values.iter().copied())],
        ..DescribeInstances::default()
    }
}

fn seen(ec2: &mut Ec2, seconds: i64, request: &DescribeInstances) -> InstancePage {
    ec2.describe_instances(&Call::by_account(at(seconds)), request)
        .expect("a page")
}

fn refused(ec2: &mut Ec2, request: &DescribeInstances) -> Ec2Error {
    ec2.describe_instances(&Call::by_account(at(0)), request)
        .expect_err("refused")
}

#[test]
fn one_unknown_id_among_a_hundred_fails_the_whole_call() {
    let mut ec2 = ec2();
    let mut ids = launch_spot(&mut ec2, 99);
    assert_eq!(seen(&mut ec2, 0, &by_ids(&ids)).instances.len(), 99);
    ids.push(unknown_id(1));
    let error = refused(&mut ec2, &by_ids(&ids));
    assert_eq!(error.code, "InvalidInstanceID.NotFound");
    assert_eq!(
        error.message,
        "The instance ID 'i-00000000000000001' does not exist"
    );
    ids.push(unknown_id(2));
    assert_eq!(
        refused(&mut ec2, &by_ids(&ids)).message,
        "The instance IDs 'i-00000000000000001, i-00000000000000002' do not exist"
    );
}

#[test]
fn by_filter_an_unknown_id_is_just_absent() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 2);
    let request = by_filter("instance-id", &[ids[0].as_str(), unknown_id(1).as_str()]);
    let page = seen(&mut ec2, 0, &request);
    assert_eq!(page.instances.len(), 1);
    assert_eq!(page.instances[0].instance.id, ids[0]);
    assert_eq!(page.instances[0].capacity, Capacity::Spot);
    assert_eq!(page.instances[0].state, InstanceState::Pending);
}

#[test]
fn filters_join_and_know_states_and_tags() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 3);
    let call = Call::by_account(at(30));
    let request = CreateTags {
        instances: ids[..2].to_vec(),
        tags: tag("team", "a*b"),
    };
    ec2.create_tags(&call, &request).expect("tagged");
    ec2.terminate_instances(&call, &ids[..1]).expect("ended");
    let count = |ec2: &mut Ec2, name, values: &[&str]| {
        seen(ec2, 30, &by_filter(name, values)).instances.len()
    };
    assert_eq!(count(&mut ec2, "instance-state-name", &["running"]), 2);
    assert_eq!(count(&mut ec2, "tag:team", &["a\\*b"]), 2);
    assert_eq!(count(&mut ec2, "tag:team", &["b"]), 0);
    assert_eq!(count(&mut ec2, "tag-key", &["tea?"]), 2);
    let mut both = by_filter("tag-key", &["team"]);
    both.filters
        .push(Filter::new("instance-state-name", ["running", "pending"]));
    let page = seen(&mut ec2, 30, &both);
    assert_eq!(page.instances.len(), 1);
    assert_eq!(page.instances[0].instance.id, ids[1]);
}

#[test]
fn an_unknown_filter_is_refused() {
    let error = refused(&mut ec2(), &by_filter("colour", &["red"]));
    assert_eq!(error.message, "The filter 'colour' is invalid");
}

#[test]
fn pages_count_instances_and_hold_each_once() {
    let mut ec2 = ec2();
    let mut ids = launch_spot(&mut ec2, 12);
    ids.sort();
    let mut request = DescribeInstances {
        max_results: Some(5),
        ..DescribeInstances::default()
    };
    let mut sizes = Vec::new();
    let mut found = Vec::new();
    loop {
        let page = seen(&mut ec2, 0, &request);
        sizes.push(page.instances.len());
        found.extend(page.instances.into_iter().map(|one| one.instance.id));
        request.next_token = page.next_token;
        if request.next_token.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [5, 5, 2]);
    assert_eq!(found, ids);
}

#[test]
fn page_sizes_out_of_bounds_or_with_ids_are_refused() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 1);
    let mut request = by_ids(&ids);
    request.max_results = Some(5);
    let error = refused(&mut ec2, &request);
    assert_eq!(error.code, "InvalidParameterCombination");
    request.ids.clear();
    request.max_results = Some(4);
    assert_eq!(refused(&mut ec2, &request).code, "InvalidParameterValue");
    request.max_results = Some(5);
    request.next_token = Some("!".to_owned());
    assert_eq!(refused(&mut ec2, &request).code, "InvalidNextToken");
}

#[test]
fn an_ended_instance_is_listed_for_an_hour() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 1);
    ec2.terminate_instances(&Call::by_account(at(100)), &ids)
        .expect("ended");
    let last = 100 + 30 + 3600 - 1;
    let request = by_filter("instance-id", &[ids[0].as_str()]);
    let page = seen(&mut ec2, last, &request);
    assert_eq!(page.instances[0].state, InstanceState::Terminated);
    assert_eq!(
        page.instances[0].state_reason.as_deref(),
        Some("Client.UserInitiatedShutdown")
    );
    assert!(seen(&mut ec2, last + 1, &request).instances.is_empty());
    assert_eq!(ec2.next_due(), None);
}

#[test]
fn a_lag_may_begin_while_instances_live() {
    let mut ec2 = ec2_with(settings());
    let ids = launch_spot(&mut ec2, 1);
    ec2.set_list_delay(SignedDuration::from_secs(5));
    let state = |page: InstancePage| page.instances[0].state;
    let booted = 20 + 5;
    let late = state(seen(&mut ec2, booted - 1, &by_ids(&ids)));
    assert_eq!(late, InstanceState::Pending);
    let now = state(seen(&mut ec2, booted, &by_ids(&ids)));
    assert_eq!(now, InstanceState::Running);
}

#[test]
fn with_a_lag_descriptions_show_an_earlier_moment() {
    let mut ec2 = ec2_with(Ec2Settings {
        list_delay: SignedDuration::from_secs(5),
        ..settings()
    });
    let ids = launch_spot(&mut ec2, 1);
    let error = refused(&mut ec2, &by_ids(&ids));
    assert_eq!(error.code, "InvalidInstanceID.NotFound");
    let request = CreateTags {
        instances: ids.clone(),
        tags: tag("k", "v"),
    };
    ec2.create_tags(&Call::by_account(at(10)), &request)
        .expect("tagged: changes see the truth");
    let tagged = |page: InstancePage| page.instances[0].tags.contains_key("k");
    assert!(!tagged(seen(&mut ec2, 14, &by_ids(&ids))));
    assert!(tagged(seen(&mut ec2, 15, &by_ids(&ids))));
    let booted = 20 + 5;
    let state = |page: InstancePage| page.instances[0].state;
    assert_eq!(
        state(seen(&mut ec2, booted - 1, &by_ids(&ids))),
        InstanceState::Pending
    );
    assert_eq!(
        state(seen(&mut ec2, booted, &by_ids(&ids))),
        InstanceState::Running
    );
}

#[test]
fn one_unknown_id_ends_none() {
    let mut ec2 = ec2();
    let mut ids = launch_spot(&mut ec2, 2);
    ids.push(unknown_id(9));
    let error = ec2.terminate_instances(&Call::by_account(at(30)), &ids);
    assert_eq!(
        error.expect_err("refused").message,
        "The instance ID 'i-00000000000000009' does not exist"
    );
    assert!(ec2.instances().all(Ec2Instance::is_up));
}

#[test]
fn ending_an_instance_twice_is_no_error_and_changes_nothing() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 1);
    let end = |ec2: &mut Ec2, seconds| {
        let ended = ec2.terminate_instances(&Call::by_account(at(seconds)), &ids);
        let ended = ended.expect("ended").remove(0);
        (ended.previous, ended.current)
    };
    assert_eq!(
        end(&mut ec2, 30),
        (InstanceState::Running, InstanceState::ShuttingDown)
    );
    assert_eq!(
        end(&mut ec2, 31),
        (InstanceState::ShuttingDown, InstanceState::ShuttingDown)
    );
    assert_eq!(
        end(&mut ec2, 60),
        (InstanceState::Terminated, InstanceState::Terminated)
    );
}

#[test]
fn descriptions_that_lag_by_their_own_show_an_earlier_moment_after_a_later_one() {
    let mut ec2 = ec2();
    let id = launch_spot(&mut ec2, 1).remove(0);
    ec2.set_list_delay(SignedDuration::from_secs(2));
    ec2.vary_list_delay(SignedDuration::from_secs(60));
    let request = DescribeInstances {
        filters: vec![Filter::new("instance-id", [id.as_str()])],
        ..DescribeInstances::default()
    };
    let shown: Vec<bool> = (3..60)
        .map(|seconds| {
            let call = Call::by_account(at(seconds));
            let page = ec2.describe_instances(&call, &request).expect("a page");
            !page.instances.is_empty()
        })
        .collect();
    assert!(
        shown.windows(2).any(|two| two == [true, false]),
        "{shown:?}"
    );
    let later = Call::by_account(at(62));
    let page = ec2.describe_instances(&later, &request).expect("a page");
    assert_eq!(page.instances.len(), 1, "nothing lags for longer");
}

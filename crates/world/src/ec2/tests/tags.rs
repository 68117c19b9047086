use super::*;

const KEY: &str = "runs-on-workflow-job-interrupted";

fn tags_of(ec2: &Ec2, id: &InstanceId) -> Option<String> {
    ec2.instance(id)
        .expect("an instance")
        .tags()
        .get(KEY)
        .cloned()
}

fn tagged(
    ec2: &mut Ec2,
    call: &Call,
    instances: &[&InstanceId],
    tags: BTreeMap<String, String>,
) -> Result<(), String> {
    let request = CreateTags {
        instances: instances.iter().map(|id| (*id).clone()).collect(),
        tags,
    };
    ec2.create_tags(call, &request).map_err(|error| error.code)
}

#[test]
fn an_instance_may_put_the_one_tag_on_itself() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 1);
    let call = Call::by_instance(at(30), ids[0].clone());
    assert_eq!(
        tagged(&mut ec2, &call, &[&ids[0]], tag(KEY, "true")),
        Ok(())
    );
    assert_eq!(tags_of(&ec2, &ids[0]).as_deref(), Some("true"));
    let story = ec2.take_happenings();
    let happened = Happened::Tagged {
        id: ids[0].clone(),
        by: Caller::Instance(ids[0].clone()),
        key: KEY.to_owned(),
        value: "true".to_owned(),
    };
    assert!(story.iter().any(|line| line.what == happened));
}

#[test]
fn an_instance_may_put_no_other_tag_and_tag_no_other_instance() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 2);
    let call = Call::by_instance(at(30), ids[0].clone());
    let unauthorized = Err("UnauthorizedOperation".to_owned());
    let mut both = tag(KEY, "true");
    both.insert("other".to_owned(), "true".to_owned());
    for (instances, tags) in [
        (vec![&ids[1]], tag(KEY, "true")),
        (vec![&ids[0], &ids[1]], tag(KEY, "true")),
        (vec![&ids[0]], tag(KEY, "false")),
        (vec![&ids[0]], tag("runs-on-stack-name", "true")),
        (vec![&ids[0]], both),
        (vec![&ids[0]], BTreeMap::new()),
        (vec![], tag(KEY, "true")),
    ] {
        assert_eq!(tagged(&mut ec2, &call, &instances, tags), unauthorized);
    }
    assert_eq!(tags_of(&ec2, &ids[1]), None);
}

#[test]
fn an_instance_may_call_nothing_else() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 1);
    let call = Call::by_instance(at(30), ids[0].clone());
    let error = ec2.terminate_instances(&call, &ids).expect_err("refused");
    assert_eq!(
        (error.status, error.code.as_str()),
        (403, "UnauthorizedOperation")
    );
    let error = ec2.describe_instances(&call, &DescribeInstances::default());
    assert_eq!(error.expect_err("refused").code, "UnauthorizedOperation");
    assert!(ec2.create_fleet(&call, &spot_fleet(9)).is_err());
    assert!(ec2.instances().all(Ec2Instance::is_alive));
}

#[test]
fn a_dry_run_says_whether_it_would_be_allowed_and_changes_nothing() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 1);
    let dry = |call: Call| Call {
        dry_run: true,
        ..call
    };
    let own = dry(Call::by_instance(at(30), ids[0].clone()));
    let answer = tagged(&mut ec2, &own, &[&ids[0]], tag(KEY, "true"));
    assert_eq!(answer, Err("DryRunOperation".to_owned()));
    let answer = tagged(&mut ec2, &own, &[&ids[0]], tag(KEY, "no"));
    assert_eq!(answer, Err("UnauthorizedOperation".to_owned()));
    let ended = ec2.terminate_instances(&dry(Call::by_account(at(30))), &ids);
    assert_eq!(ended.expect_err("dry").status, 412);
    assert_eq!(tags_of(&ec2, &ids[0]), None);
    assert!(ec2.instances().all(Ec2Instance::is_alive));
}

#[test]
fn one_unknown_instance_tags_none() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 1);
    let call = Call::by_account(at(0));
    let answer = tagged(
        &mut ec2,
        &call,
        &[&ids[0], &unknown_id(1)],
        tag(KEY, "true"),
    );
    assert_eq!(answer, Err("InvalidInstanceID.NotFound".to_owned()));
    assert_eq!(tags_of(&ec2, &ids[0]), None);
}

#[test]
fn tags_that_ec2_does_not_take_are_refused() {
    let mut ec2 = ec2();
    let ids = launch_spot(&mut ec2, 1);
    let call = Call::by_account(at(0));
    let many = (0..51).map(|n| (format!("k{n}"), String::new())).collect();
    for (tags, code) in [
        (tag("aws:mine", "x"), "InvalidParameterValue"),
        (tag(&"k".repeat(129), "x"), "InvalidParameterValue"),
        (tag("k", &"v".repeat(257)), "InvalidParameterValue"),
        (many, "TagLimitExceeded"),
    ] {
        let answer = tagged(&mut ec2, &call, &[&ids[0]], tags);
        assert_eq!(answer, Err(code.to_owned()));
    }
}

use std::collections::BTreeSet;

use super::wire::called;
use super::*;

fn types(ec2: &mut Ec2, request: &DescribeInstanceTypes) -> Result<MachineTypePage, Ec2Error> {
    ec2.describe_instance_types(&Call::by_account(at(0)), request)
}

fn names(page: &MachineTypePage) -> Vec<&str> {
    page.types.iter().map(|one| one.name.as_str()).collect()
}

fn filtered(name: &str, value: &str) -> DescribeInstanceTypes {
    DescribeInstanceTypes {
        filters: vec![Filter::new(name, [value])],
        ..DescribeInstanceTypes::default()
    }
}

#[test]
fn all_types_come_in_pages_by_name_each_once() {
    let mut ec2 = ec2();
    let mut request = DescribeInstanceTypes {
        max_results: Some(30),
        ..DescribeInstanceTypes::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = types(&mut ec2, &request).expect("a page");
        assert!(page.types.len() <= 30);
        seen.extend(page.types);
        request.next_token = page.next_token;
        if request.next_token.is_none() {
            break;
        }
    }
    assert_eq!(seen, ec2.settings().machine_types);
    let different: BTreeSet<_> = seen.iter().map(|one| &one.name).collect();
    assert_eq!(different.len(), seen.len());
    assert!(seen.len() > 60, "{} types", seen.len());
}

#[test]
fn filters_tell_architectures_generations_and_kinds_apart() {
    let mut ec2 = ec2();
    let all = ec2.settings().machine_types.len();
    let mut count = |name: &str, value: &str| {
        let page = types(&mut ec2, &filtered(name, value)).expect("a page");
        page.types.len()
    };
    let architecture = "processor-info.supported-architecture";
    let halves = [count(architecture, "x86_64"), count(architecture, "arm64")];
    assert_eq!(halves.iter().sum::<usize>(), all);
    for name in [
        "current-generation",
        "bare-metal",
        "burstable-performance-supported",
    ] {
        let parts = [count(name, "true"), count(name, "false")];
        assert!(parts.iter().all(|part| *part > 0), "{name}: {parts:?}");
        assert_eq!(parts.iter().sum::<usize>(), all, "{name}");
    }
    assert_eq!(count("supported-usage-class", "spot"), all);
    assert_eq!(count("instance-type", "c7a.*"), 5);
    assert_eq!(count("vcpu-info.default-vcpus", "192"), 6);
}

#[test]
fn an_unknown_name_filter_or_page_size_fails_the_call() {
    let mut ec2 = ec2();
    let code = |answer: Result<MachineTypePage, Ec2Error>| answer.expect_err("an error").code;
    let named = DescribeInstanceTypes {
        names: vec!["c7a.large".to_owned(), "c7a.tiny".to_owned()],
        ..DescribeInstanceTypes::default()
    };
    assert_eq!(code(types(&mut ec2, &named)), "InvalidInstanceType");
    let unknown = filtered("colour", "blue");
    assert_eq!(code(types(&mut ec2, &unknown)), "InvalidParameterValue");
    let page = DescribeInstanceTypes {
        max_results: Some(1000),
        ..DescribeInstanceTypes::default()
    };
    assert_eq!(code(types(&mut ec2, &page)), "InvalidParameterValue");
}

#[test]
fn a_name_brings_that_type_alone() {
    let request = DescribeInstanceTypes {
        names: vec!["t4g.large".to_owned()],
        ..DescribeInstanceTypes::default()
    };
    let page = types(&mut ec2(), &request).expect("a page");
    assert_eq!(names(&page), ["t4g.large"]);
}

#[test]
fn an_instance_may_not_ask_for_types() {
    let mut ec2 = ec2();
    let id = launch_spot(&mut ec2, 1).remove(0);
    let call = Call::by_instance(at(1), id);
    let error = ec2.describe_instance_types(&call, &DescribeInstanceTypes::default());
    assert_eq!(error.expect_err("an error").code, "UnauthorizedOperation");
}

#[test]
fn subnets_are_told_with_their_zones_and_an_absent_one_is_just_missing() {
    let mut ec2 = ec2();
    let (status, body) = called(
        &mut ec2,
        0,
        "Action=DescribeSubnets&Filter.1.Name=subnet-id\
         &Filter.1.Value.1=subnet-eu-west-1b&Filter.1.Value.2=subnet-elsewhere",
    );
    assert_eq!(status, 200, "{body}");
    assert!(
        body.contains(
            "<subnetId>subnet-eu-west-1b</subnetId><availabilityZone>eu-west-1b</availabilityZone>"
        ),
        "{body}"
    );
    assert_eq!(body.matches("<item>").count(), 1, "{body}");
}

#[test]
fn images_are_told_by_owner_name_and_architecture_in_pages() {
    let mut ec2 = ec2();
    let call = Call::by_account(at(0));
    let mut ids = |owners: &[&str], filters: &[(&str, &str)], page: Option<usize>| {
        let request = DescribeImages {
            owners: owners.iter().map(|owner| (*owner).to_owned()).collect(),
            filters: filters
                .iter()
                .map(|(name, value)| Filter::new(*name, [*value]))
                .collect(),
            max_results: page,
            next_token: None,
        };
        let (images, more) = ec2.describe_images(&call, &request).expect("images");
        (images.len(), more.is_some())
    };
    assert_eq!(ids(&[], &[], None), (4, false));
    assert_eq!(ids(&["amazon"], &[], None), (1, false));
    assert_eq!(ids(&["self"], &[], None), (0, false));
    let ubuntu = ["099720109477"];
    assert_eq!(
        ids(&ubuntu, &[("architecture", "x86_64")], None),
        (2, false)
    );
    assert_eq!(
        ids(&ubuntu, &[("name", "ubuntu/*-arm64-*")], None),
        (1, false)
    );
    assert_eq!(ids(&ubuntu, &[("state", "available")], Some(2)), (2, true));
}

use reprise_model::instance::Capacity;

use super::*;

fn request(purchase: impl Into<Purchase>) -> LaunchRequest {
    LaunchRequest {
        region: Region::new("eu-west-1"),
        client_token: "reprise-1-0".to_owned(),
        count: 1,
        purchase: purchase.into(),
        launch_template: LaunchTemplate {
            name_or_id: "runners".to_owned(),
            version: "$Latest".to_owned(),
        },
        instance_types: vec!["c7a.large".to_owned(), "c7i.large".to_owned()],
        subnets: vec!["subnet-a".to_owned(), "subnet-b".to_owned()],
        left_out: LeftOut::default(),
        image: None,
        volume: None,
        tags: BTreeMap::new(),
    }
}

fn pools(request: &LaunchRequest) -> Vec<(String, String)> {
    let name = |text: Option<&str>| text.unwrap_or_default().to_owned();
    overrides(request)
        .iter()
        .map(|pool| {
            let kind = pool.instance_type().map(InstanceType::as_str);
            (name(kind), name(pool.subnet_id()))
        })
        .collect()
}

fn pair(kind: &str, subnet: &str) -> (String, String) {
    (kind.to_owned(), subnet.to_owned())
}

#[test]
fn every_type_is_offered_in_every_subnet_once() {
    let mut request = request(Capacity::Spot);
    request.subnets.push("subnet-a".to_owned());
    assert_eq!(
        pools(&request),
        [
            pair("c7a.large", "subnet-a"),
            pair("c7a.large", "subnet-b"),
            pair("c7i.large", "subnet-a"),
            pair("c7i.large", "subnet-b"),
        ]
    );
}

#[test]
fn no_more_pools_are_named_than_ec2_takes_and_the_preferred_types_keep_all_their_zones() {
    let mut request = request(Capacity::Spot);
    request.instance_types = (0..200)
        .map(|number| format!("c7a.{number}xlarge"))
        .collect();
    let pools = pools(&request);
    assert_eq!(pools.len(), MOST_POOLS);
    assert_eq!(pools[1], pair("c7a.0xlarge", "subnet-b"));
    assert_eq!(pools[299], pair("c7a.149xlarge", "subnet-b"));
}

#[test]
fn a_family_that_is_left_out_in_a_subnet_is_asked_in_the_others_and_ranks_as_before() {
    let mut request = request(Capacity::OnDemand);
    let first = request.instance_types[0].clone();
    request.left_out.add("subnet-a", &first);
    let pools = overrides(&request);
    let asked = |subnet| {
        let mut pools = pools.iter();
        pools.find(|pool| {
            pool.subnet_id() == Some(subnet)
                && pool.instance_type().map(InstanceType::as_str) == Some(first.as_str())
        })
    };
    assert_eq!(asked("subnet-a"), None);
    let elsewhere = asked("subnet-b").expect("is asked");
    assert_eq!(elsewhere.priority(), Some(0.0));
}

#[test]
fn only_strategies_that_obey_an_order_get_one() {
    let priorities = |purchase: Purchase| -> Vec<Option<f64>> {
        let pools = overrides(&request(purchase));
        pools.iter().map(|pool| pool.priority()).collect()
    };
    let ordered = [Some(0.0), Some(0.0), Some(1.0), Some(1.0)];
    for strategy in SpotStrategy::ALL {
        let expected = match strategy {
            SpotStrategy::CapacityOptimizedPrioritized => ordered,
            SpotStrategy::PriceCapacityOptimized
            | SpotStrategy::CapacityOptimized
            | SpotStrategy::LowestPrice => [None; 4],
        };
        assert_eq!(
            priorities(Purchase::Spot(strategy)),
            expected,
            "{strategy:?}"
        );
    }
    assert_eq!(priorities(Capacity::OnDemand.into()), ordered);
    let cheapest = Purchase::OnDemand(OnDemandStrategy::LowestPrice);
    assert_eq!(priorities(cheapest), [None; 4]);
}

#[test]
fn each_strategy_is_known_to_the_sdk() {
    for strategy in SpotStrategy::ALL {
        assert!(
            SpotAllocationStrategy::try_parse(strategy.as_str()).is_ok(),
            "{strategy:?}"
        );
        let options = spot_options(Purchase::Spot(strategy)).expect("spot options");
        let word = options
            .allocation_strategy()
            .map(SpotAllocationStrategy::as_str);
        assert_eq!(word, Some(strategy.as_str()));
        assert_eq!(on_demand_options(Purchase::Spot(strategy)), None);
    }
    for strategy in [OnDemandStrategy::Prioritized, OnDemandStrategy::LowestPrice] {
        let known = FleetOnDemandAllocationStrategy::try_parse(strategy.as_str());
        assert!(known.is_ok(), "{strategy:?}");
        assert_eq!(spot_options(Purchase::OnDemand(strategy)), None);
    }
}

#[test]
fn an_image_and_a_volume_are_those_of_every_pool() {
    let mut request = request(Capacity::Spot);
    request.image = Some("ami-1".to_owned());
    request.volume = Some(RootVolume {
        device: "/dev/sda1".to_owned(),
        size_gib: Some(80),
        kind: Some("gp3".to_owned()),
        iops: Some(4000),
        throughput_mibs: Some(500),
    });
    for pool in overrides(&request) {
        assert_eq!(pool.image_id(), Some("ami-1"));
        let [mapping] = pool.block_device_mappings() else {
            panic!("not one volume: {pool:?}");
        };
        assert_eq!(mapping.device_name(), Some("/dev/sda1"));
        let ebs = mapping.ebs().expect("a volume");
        assert_eq!(ebs.volume_size(), Some(80));
        assert_eq!(ebs.volume_type(), Some(&VolumeType::Gp3));
        assert_eq!((ebs.iops(), ebs.throughput()), (Some(4000), Some(500)));
        assert_eq!(ebs.delete_on_termination(), Some(true));
    }
}

#[test]
fn as_many_are_asked_for_as_are_wanted() {
    let mut request = request(Capacity::OnDemand);
    request.count = 10;
    let target = target(&request);
    assert_eq!(target.total_target_capacity(), Some(10));
    let kind = target.default_target_capacity_type();
    assert_eq!(kind, Some(&DefaultTargetCapacityType::OnDemand));
}

#[test]
fn a_launch_template_is_named_by_id_or_by_name() {
    let of = |name_or_id: &str| LaunchTemplate {
        name_or_id: name_or_id.to_owned(),
        version: "1".to_owned(),
    };
    assert!(of("lt-0123456789abcdef0").is_id());
    assert!(of("lt-01234567").is_id());
    assert!(!of("runners").is_id());
    assert!(!of("lt-runners").is_id());
}

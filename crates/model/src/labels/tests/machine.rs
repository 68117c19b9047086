//! What labels ask of a machine.

use super::*;

#[test]
fn every_word_for_a_strategy_chooses_it() {
    for (word, strategy) in [
        ("true", SpotStrategy::PriceCapacityOptimized),
        ("pco", SpotStrategy::PriceCapacityOptimized),
        (
            "price-capacity-optimized",
            SpotStrategy::PriceCapacityOptimized,
        ),
        ("co", SpotStrategy::CapacityOptimized),
        ("capacity-optimized", SpotStrategy::CapacityOptimized),
        ("lp", SpotStrategy::LowestPrice),
        ("lowest-price", SpotStrategy::LowestPrice),
        ("cop", SpotStrategy::CapacityOptimizedPrioritized),
        (
            "capacity-optimized-prioritized",
            SpotStrategy::CapacityOptimizedPrioritized,
        ),
    ] {
        let label = format!("runs-on=1/family=c7a.large/spot={word}");
        let spot = good(&[&label]).machine.spot;
        assert_eq!(spot, Some(SpotChoice::On(strategy)), "{word}");
    }
}

#[test]
fn a_strategy_by_order_wants_exact_types_or_a_runner_that_may_have_them() {
    for fine in [
        "runs-on=1/spot=cop/family=c7a.large+c7i.large",
        "runs-on=1/spot=cop/runner=fast",
        "runs-on=1/spot=cop/spot=co",
        "runs-on=1/spot=cop/spot=false",
    ] {
        good(&[fine]);
    }
    insta::assert_snapshot!(
        [
            errors(&["runs-on=1/spot=cop"]),
            errors(&["runs-on=1/spot=cop", "family=c7a.large+c7"]),
            errors(&["runs-on=1/spot=cop/runner=fast/family=c7a.*"]),
            errors(&["runs-on=1/family=c7 a/spot=cop"]),
        ]
        .concat()
        .join(
            "
"
        )
    );
}

#[test]
fn a_list_of_numbers_means_from_the_least_to_the_greatest() {
    for label in ["cpu=4+16", "cpu=16+4", "cpu=8+4+16"] {
        let label = format!("runs-on=1/{label}");
        assert_eq!(good(&[&label]).machine.cpu, Some(Range { min: 4, max: 16 }));
    }
}

#[test]
fn any_part_of_a_volume_may_be_missing() {
    let volume = |text: &str| good(&[&format!("runs-on=1/volume={text}")]).machine.volume;
    let all = Volume {
        size_gib: Some(80),
        kind: Some(VolumeKind::Gp3),
        throughput_mibs: Some(500),
        iops: Some(4000),
    };
    assert_eq!(volume("80gb:gp3:500mbs:4000iops"), Some(all));
    assert_eq!(volume("4000IOPS:500MBS:GP3:80GB"), Some(all));
    for text in [
        "80gb",
        "gp3",
        "80gb:gp2",
        "500mbs",
        "80gb:4000iops",
        "io2:3000iops",
    ] {
        let read = volume(text).expect("a volume");
        assert_eq!(read.to_string(), text);
    }
}

#[test]
fn a_volume_that_ec2_would_refuse_is_a_mistake() {
    insta::assert_snapshot!(
        errors(&[
            "runs-on=1/volume=80/volume=gbg/volume=80gb:/volume=0gb/volume=99999gb/volume=80gb:90gb",
            "volume=80gb:st1/volume=gp2:500mbs/volume=standard:100iops/volume=io2:80gb/volume=gp5",
            "volume=9gb:io1:100iops:5mbs/volume=égb/volume=",
            "runs-on=1/volume",
        ])
        .join(
            "
"
        )
    );
}

#[test]
fn a_tag_may_have_no_value_and_its_value_may_have_colons() {
    assert_eq!(
        good(&["runs-on=1/tag=team+url:a:b=c"]).machine.tags,
        tags(&[("team", ""), ("url", "a:b=c")])
    );
}

#[test]
fn a_runners_settings_are_read_as_labels_are() {
    let settings = ["cpu=2+4", "volume=80gb", "spot=lp"].map(str::to_owned);
    let wish = read_wish(&settings).expect("good");
    assert_eq!(wish.cpu, Some(Range { min: 2, max: 4 }));
    assert_eq!(wish.spot, Some(SpotChoice::On(SpotStrategy::LowestPrice)));
    let settings = ["cpu=2/4", "retry=false", "image=a,b", ""].map(str::to_owned);
    insta::assert_snapshot!(read_wish(&settings).expect_err("mistakes"));
}

#[test]
fn a_wish_takes_from_another_what_it_does_not_say() {
    let label = good(&["runs-on=1/cpu=8/tag=team:cart+x:1/private=false"]).machine;
    let runner = full().machine;
    let both = label.clone().or(&runner);
    assert_eq!(both.cpu, label.cpu);
    assert_eq!(both.private, Some(false));
    assert_eq!(
        both.tags,
        tags(&[("purpose", "build"), ("team", "cart"), ("x", "1")])
    );
    let rest = MachineWish {
        cpu: runner.cpu,
        private: runner.private,
        tags: runner.tags.clone(),
        ..both
    };
    assert_eq!(rest, runner);
    assert_eq!(MachineWish::default().or(&runner), runner);
    assert_eq!(runner.clone().or(&MachineWish::default()), runner);
}

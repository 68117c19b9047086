//! What labels may choose from: runners, images, regions, limits.

use jiff::SignedDuration;
use reprise_engine::breaker::BreakerRules;
use reprise_engine::offer::{ImageSource, Limits};
use reprise_engine::room::InstanceLimits;
use reprise_model::labels::{ImageChoice, Name, Range, SpotChoice};
use reprise_model::machine::Architecture;
use reprise_model::policy::FailurePolicy;

use secrecy::ExposeSecret;

use super::*;

const CHOICES: &str = r#"
[limits]
families = ["c7", "g5.*"]
image_owners = ["self", "123456789012"]
labels = ["gpu", "team-*"]
instances_per_run = 20

[runners.gpu]
cpu = 4
ram = [16, 64]
family = ["g5", "g6"]
image = "cuda"
volume = "200gb:gp3"
spot = false
private = true
tag = "team:vision"

[runners.8cpu-linux-arm64]
cpu = "8"
image = "Arm"

[images.cuda]
ami = "ami-0123456789abcdef0"

[images.arm]
owner = "self"
name = "runner-arm-*"
architecture = "arm64"
"#;

#[test]
fn runners_and_images_are_what_labels_may_name() {
    let offer = fleet(&format!("{GOOD}{CHOICES}")).offer;
    let gpu = &offer.runners[&name("gpu")];
    assert_eq!(gpu.cpu, Some(Range { min: 4, max: 4 }));
    assert_eq!(gpu.ram, Some(Range { min: 16, max: 64 }));
    assert_eq!(gpu.family.len(), 2);
    assert_eq!(gpu.image, Some(ImageChoice::Named(name("cuda"))));
    assert_eq!(gpu.spot, Some(SpotChoice::Off));
    assert_eq!(gpu.private, Some(true));
    assert_eq!(gpu.tags["team"], "vision");
    let arm = &offer.runners[&name("8cpu-linux-arm64")];
    assert_eq!(
        arm.image,
        Some(ImageChoice::Named(name("arm"))),
        "in any case"
    );
    let image = &offer.images[&name("arm")];
    assert_eq!(image.architecture, Architecture::Arm64);
    assert!(matches!(image.source, ImageSource::Newest { .. }));
}

#[test]
fn the_limits_are_safe_where_nothing_is_said() {
    let Limits {
        families,
        cpu,
        ram,
        volume,
        iops,
        image_owners,
        regions,
        labels,
        instances,
    } = fleet(GOOD).offer.limits;
    assert_eq!((cpu, ram), (Some(64), Some(256)));
    assert_eq!((volume, iops), (Some(500), Some(16_000)));
    assert!(families.is_empty() && image_owners.is_empty() && regions.is_empty());
    assert!(labels.is_empty());
    assert_eq!(instances, InstanceLimits::default());
}

#[test]
fn a_job_waits_for_room_for_six_hours_or_as_long_as_is_said() {
    let wait = |text: &str| good(text, &[]).settings.rules.longest_wait;
    assert_eq!(wait(GOOD), SignedDuration::from_hours(6));
    let said = also("[limits]\nlongest_wait = \"90m\"");
    assert_eq!(wait(&said), SignedDuration::from_mins(90));
}

#[test]
fn the_types_may_be_left_to_ec2() {
    let start = GOOD.find("types = ").expect("it is there");
    assert!(fleet(&GOOD[..start]).offer.types.is_empty());
}

#[test]
fn a_region_with_subnets_is_launched_in_beside_that_of_the_fleet() {
    let more = "\n[[aws.regions]]\nregion = \"us-east-1\"\naccount = \"210987654321\"\n";
    let regions = |text: &str| -> Vec<String> {
        let offer = fleet(text).offer;
        let regions = offer.regions.iter();
        regions.map(|one| one.region.to_string()).collect()
    };
    let text = format!("{GOOD}{more}");
    assert_eq!(regions(&text), ["eu-west-1"], "it is only looked at");
    let text = format!("{text}subnets = [\"subnet-x\"]\n");
    assert_eq!(regions(&text), ["eu-west-1", "us-east-1"]);
    let text = text.replace("[fleet]", "[fleet]\nregion = \"us-east-1\"");
    assert!(bad(&text, &[]).contains("those of [fleet]"));
}

#[test]
fn what_no_label_could_choose_is_a_mistake() {
    insta::assert_snapshot!(all_bad(&[
        &also("[runners.gpu]\ncpu = \"four\"\nvolume = \"80gb:st1\"\nspot = [true]\nfamily = []"),
        &also("[runners.gpu]\nimage = \"cuda\"\ntag = \"runs-on-x:1\"\nregion = \"eu-west-2\""),
        &also("[runners.\"big one\"]\ncpu = 4\n[runners.none]"),
        &also("[runners.gpu]\ncpus = 4"),
        &also("[runners.gpu]\ncpu = 1.5"),
        &also("[images.ubuntu]\nami = \"ubuntu\""),
        &also("[images.ubuntu]\nami = \"ami-0123abcd\"\nname = \"x\""),
        &also("[images.ubuntu]\nowner = \"canonical\"\nname = \"\""),
        &also("[images.ami-x]\nami = \"ami-0123abcd\"\narchitecture = \"x86\""),
        &also("[images.ami-x]\nami = \"ami-0123abcd\""),
        &with(
            "fleet",
            "environment = \"a b\"\nprivate_subnets = [\"subnet-0\", \"10.0.0.0/24\"]\nroot_device = \"sda\""
        ),
    ]));
}

#[test]
fn limits_that_allow_nothing_are_mistakes() {
    insta::assert_snapshot!(all_bad(&[
        &also("[limits]\ncpu = 0\ninstances = 0\nfamilies = []\nregions = []"),
        &also("[limits]\nfamilies = [\"c7 a\"]\nregions = [\"eu-west-2\"]"),
        &also("[limits]\nimage_owners = [\"amazn\", \"12345\"]\nlabels = [\"gpu \"]"),
        &also("[limits]\nlongest_wait = \"25h\""),
        &also("[limits]\ncpu = 1\nram = 2"),
        &also("[limits]\ninstance = 3"),
        &also("[limits]\nrepositories = [\"acme/*\"]"),
    ]));
}

fn fleet(text: &str) -> FleetSettings {
    good(text, &[]).settings.fleet.expect("a fleet")
}

fn also(section: &str) -> String {
    format!("{GOOD}\n{section}\n")
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

#[test]
fn breakers_are_as_configured_and_can_be_switched_off() {
    let breaker = |text: &str| fleet(&format!("{GOOD}\n[breaker]\n{text}")).breaker;
    assert_eq!(breaker(""), Some(BreakerRules::default()));
    assert_eq!(breaker("failures = 0"), None);
    let rules = breaker("failures = 5\nwithin = \"15m\"\nopen_for = \"2h\"\nmost_open = 100");
    assert_eq!(
        rules,
        Some(BreakerRules {
            failures: 5,
            within: SignedDuration::from_mins(15),
            open_for: SignedDuration::from_hours(2),
            open_for_at_most: SignedDuration::from_hours(2),
            most_open: 100,
        })
    );
}

#[test]
fn breakers_that_can_never_open_or_close_are_mistakes() {
    let text = "within = \"0s\"\nopen_for = \"30m\"\nopen_for_at_most = \"10m\"\nmost_open = 0";
    let text = format!("{GOOD}\n[breaker]\n{text}");
    insta::assert_snapshot!(bad(&text, &[]));
}

#[test]
fn the_operators_api_is_served_where_it_has_a_token() {
    let token = "fake-token-0123456789";
    let config = good(GOOD, &[("REPRISE__API__TOKEN", token)]);
    let api = config.api.expect("it has a token");
    assert_eq!(api.listen.to_string(), "127.0.0.1:9465");
    assert_eq!(api.token.expose_secret(), token);
    let shown = format!("{:?}", good(GOOD, &[("REPRISE__API__TOKEN", token)]));
    assert!(!shown.contains(token), "a secret is shown");

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{token}\n")).expect("writes");
    let text = format!(
        "{GOOD}\n[api]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"{}\"\n",
        file.display()
    );
    let api = good(&text, &[]).api.expect("it has a token");
    assert_eq!(
        api.token.expose_secret(),
        token,
        "without the end of the line"
    );
    assert_eq!(api.listen.port(), 0);
}

#[test]
fn a_token_that_could_be_guessed_or_sent_by_no_header_is_told() {
    for token in [
        "short",
        "sixteen letters and spaces",
        "fünfzehn-und-mehr-zeichen",
    ] {
        let told = bad(GOOD, &[("REPRISE__API__TOKEN", token)]);
        assert!(told.contains("api.token_file"), "{told}");
        assert!(told.contains("openssl rand -hex 32"), "{told}");
        assert!(!told.contains(token), "{told}");
    }
}

#[test]
fn an_api_on_the_metrics_address_or_on_none_is_told() {
    let token = ("REPRISE__API__TOKEN", "fake-token-0123456789");
    for (listen, words) in [
        ("0.0.0.0:80", "is http.listen too"),
        ("9465", "no address and port"),
    ] {
        let told = bad(
            GOOD,
            &[
                token,
                ("REPRISE__HTTP__LISTEN", "0.0.0.0:80"),
                ("REPRISE__API__LISTEN", listen),
            ],
        );
        assert!(
            told.contains("api.listen") && told.contains(words),
            "{told}"
        );
    }
}

#[test]
fn failures_are_re_run_where_labels_may_ask_for_it_or_a_policy_says_so() {
    let text = format!(
        "{GOOD}\n[retry]\nallow = [\"when-failed\"]\nwhen_failed_delays = [\"10s\"]\n\
         [[policy]]\nworkflow = \"nightly\"\nretry = \"when-failed:4\"\ndelays = [\"1m\", \"5m\"]"
    );
    let policies = good(&text, &[]).settings.policies;
    assert!(policies.allowed.contains(&FailurePolicy::WhenFailed));
    let usual = &policies.delays[&FailurePolicy::WhenFailed];
    assert_eq!(*usual, [SignedDuration::from_secs(10)]);
    let [rule] = policies.rules.as_slice() else {
        panic!("one rule");
    };
    assert_eq!(rule.retry.to_string(), "when-failed:4");
    assert_eq!(rule.delays.as_ref().map(Vec::len), Some(2));
    let nothing_said = good(GOOD, &[]).settings.policies;
    assert!(nothing_said.allowed.is_empty(), "they are off by default");
    let usual = &nothing_said.delays[&FailurePolicy::WhenTransient];
    assert_eq!(*usual, [10, 30, 90].map(SignedDuration::from_secs));
}

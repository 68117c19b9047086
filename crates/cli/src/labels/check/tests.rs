//! What is told of labels.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::process::ExitCode;

use reprise_config::Config;

use super::answer;
use super::answer::Ground;

fn told(labels: &[&str]) -> (String, ExitCode) {
    let labels: Vec<String> = labels.iter().map(|&label| label.to_owned()).collect();
    answer(&labels, &Ground::default())
}

#[test]
fn good_labels_are_told_attempt_by_attempt() {
    let all = [
        &["runs-on=42-build/cpu=4+16/ram=16/family=c7a+m7/spot=co"] as &[&str],
        &[
            "runs-on=42-test",
            "family=c7a.large+c7i.large",
            "spot=cop",
            "retry=false",
        ],
        &["runs-on=42-deploy/retry=3"],
        &["runs-on=42-e2e/spot=false/retry=when-failed"],
        &[
            "runs-on=42/spot=false/image=ubuntu24/volume=80gb:gp3/region=eu-west-1/private/tag=team:shop/env=prod/debug",
        ],
        &["runs-on/runner=2cpu-linux-arm64"],
        &["runs-on=${{ github.run_id }}-build,runner=fast,ram=32"],
    ];
    let told: Vec<String> = all
        .iter()
        .map(|labels| {
            let (told, code) = told(labels);
            assert_eq!(code, ExitCode::SUCCESS, "{told}");
            format!("{}\n{told}", labels.join(" "))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn every_mistake_is_told_with_a_caret_under_it() {
    let (told, code) = told(&["runs-on=größe/familly=c7a/cpu=four", "spot=flase"]);
    assert_eq!(code, ExitCode::FAILURE);
    insta::assert_snapshot!(told);
}

#[test]
fn labels_that_are_not_ours_are_said_to_be_none() {
    let (told, code) = told(&["ubuntu-latest", "cpu=4"]);
    assert_eq!(code, ExitCode::FAILURE);
    insta::assert_snapshot!(told);
}

/// A configuration with three types, an image, a runner and limits.
const CONFIG: &str = r#"
[github]
app_id = 1
private_key = "-----BEGIN RSA PRIVATE KEY-----\nfake\n-----END RSA PRIVATE KEY-----"
webhook_secrets = ["a fake secret"]
repositories = ["acme/*"]

[[aws.regions]]
region = "eu-west-1"
account = "123456789012"

[queues]
webhooks = "https://sqs.eu-west-1.amazonaws.com/123456789012/reprise-webhooks"

[store]
path = "reprise.db"

[fleet]
stack = "test"
launch_template = "reprise-runner"
subnets = ["subnet-0123456789abcdef0"]
types = [
  { name = "c7a.large", cpu = 2, ram = 4 },
  { name = "m7a.large", cpu = 2, ram = 8 },
  { name = "c7a.xlarge", cpu = 4, ram = 8 },
]

[images.ubuntu24]
ami = "ami-0123456789abcdef0"
"#;

#[test]
fn a_configuration_says_which_machines_there_are() {
    let config = Config::parse("controller.toml", CONFIG, &BTreeMap::new(), &|_| {
        Err(ErrorKind::NotFound.into())
    });
    let config = config.expect("a good configuration");
    let ground = Ground::of(&config.settings);
    let told: Vec<String> = [
        ("runs-on=1", ExitCode::SUCCESS),
        (
            "runs-on=1/family=c7a/cpu=2+4/image=ubuntu24",
            ExitCode::SUCCESS,
        ),
        ("runs-on=1/cpu=64/image=ubuntu20", ExitCode::FAILURE),
        ("runs-on=1/env=staging", ExitCode::FAILURE),
    ]
    .into_iter()
    .map(|(label, code)| {
        let (told, is) = answer(&[label.to_owned()], &ground);
        assert_eq!(is, code, "{told}");
        format!("{label}\n{told}")
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_only_ec2_knows_is_said_to_be_unknown_and_limits_hold_all_the_same() {
    let (before, rest) = CONFIG.split_once("types = [").expect("types");
    let (_, after) = rest.split_once("]\n").expect("their end");
    let config = format!("{before}{after}\n[limits]\ncpu = 16\n");
    let config = Config::parse("controller.toml", &config, &BTreeMap::new(), &|_| {
        Err(ErrorKind::NotFound.into())
    });
    let config = config.expect("a good configuration");
    let ground = Ground::of(&config.settings);
    for (label, words, code) in [
        (
            "runs-on=1",
            "all that EC2 has in eu-west-1",
            ExitCode::SUCCESS,
        ),
        (
            "runs-on=1/cpu=32",
            "refused: cpu=32 is more",
            ExitCode::FAILURE,
        ),
    ] {
        let (told, is) = answer(&[label.to_owned()], &ground);
        assert!(told.contains(words), "{told}");
        assert_eq!(is, code, "{told}");
    }
}

#[test]
fn labels_by_which_others_find_their_runners_are_told_and_refused() {
    let words = ["runs-on=1", "self-hosted", "deploy-prod"];
    let beside = "beside     deploy-prod: refused unless limits.labels allows it";
    assert!(told(&words).0.contains(beside));
    let config = Config::parse("controller.toml", CONFIG, &BTreeMap::new(), &|_| {
        Err(ErrorKind::NotFound.into())
    });
    let config = config.expect("a good configuration");
    let (told, code) = answer(&words.map(str::to_owned), &Ground::of(&config.settings));
    assert!(
        told.contains("refused: label \"deploy-prod\" says nothing to Reprise"),
        "{told}"
    );
    assert_eq!(code, ExitCode::FAILURE);
}

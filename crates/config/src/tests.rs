//! What an operator sees of a configuration, good or bad.

use std::fmt::Write as _;
use std::path::Path;

use reprise_model::policy::{EvidenceRule, MixedReruns, OnDemandRetries, RetryPolicy};
use secrecy::ExposeSecret;

use super::keys::KEYS;
use super::*;

mod asks;
mod choices;
mod form;
mod outline;
mod reference;
mod useless;

const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\nnot-a-real-key\n-----END RSA PRIVATE KEY-----";

/// The least that a fleet of ours needs.
const GOOD: &str = r#"
[github]
app_id = 12345
private_key = """
-----BEGIN RSA PRIVATE KEY-----
not-a-real-key
-----END RSA PRIVATE KEY-----
"""
webhook_secrets = ["first-fake-secret", "second-fake-secret"]

[[aws.regions]]
region = "eu-west-1"
account = "123456789012"

[queues]
webhooks = "https://sqs.example/webhooks"

[fleet]
stack = "demo"
launch_template = "runners"
subnets = ["subnet-a"]
types = [{ name = "c7a.large", cpu = 2, ram = 4 }]
"#;

#[test]
fn the_least_configuration_gets_the_documented_defaults() {
    let config = good(GOOD, &[]);
    assert_eq!(config.github.base_url, "https://api.github.com");
    assert_eq!(config.listen.to_string(), "127.0.0.1:9464");
    assert!(config.api.is_none(), "no token, no API");
    assert_eq!((config.queues.pollers, config.queues.at_once), (1, 1_000));
    assert_eq!(config.queues.delete_window.as_secs(), 20);
    assert_eq!(config.queues.region.as_str(), "eu-west-1");
    assert_eq!(config.sweep_every, jiff::SignedDuration::from_secs(60));
    assert_eq!(config.store, sqlite("reprise.db"));
    let fleet = config.settings.fleet.expect("a fleet");
    assert_eq!(fleet.launch_template_version, "$Default");
    assert_eq!(fleet.offer.region.as_str(), "eu-west-1");
    assert!(config.settings.repositories[0].matches("any/thing"));
    let found = fleet.find_queued_every.expect("it is on");
    assert_eq!(found, jiff::SignedDuration::from_mins(15));
    let old = fleet.old_image_after.expect("it is on");
    assert_eq!(old, jiff::SignedDuration::from_hours(30 * 24));
    let longest = config.settings.rules.max_run_time;
    assert_eq!(longest, jiff::SignedDuration::from_hours(7 * 24));
    let redeliver = config.settings.redeliver.expect("it is on");
    assert_eq!(redeliver.every, jiff::SignedDuration::from_mins(5));
    assert_eq!(redeliver.within, jiff::SignedDuration::from_hours(72));
    assert_eq!(redeliver.tries, 5);
}

#[test]
fn retry_only_mode_needs_no_fleet() {
    let start = GOOD.find("[fleet]").expect("it is there");
    let text = format!("{}[fleet]\nenabled = false\n", &GOOD[..start]);
    assert!(good(&text, &[]).settings.fleet.is_none());
}

#[test]
fn the_example_is_good_and_shows_the_defaults_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let example = example("controller.toml", folder.path());
    let config = good(&example, &[]);
    assert_eq!(config.github.webhook_secrets.len(), 1);
    assert_eq!(config.settings.policies.rules.len(), 2);
    assert_eq!(config.settings.policies.rules[0].retry, RetryPolicy::Never);
    let mut shown = String::new();
    for line in example.lines() {
        // Those that are set otherwise above, and those that have no default.
        let has_no_default = ["#webhook_secrets", "#private_key", "#role_arn", "#token"]
            .iter()
            .any(|key| line.starts_with(key));
        let line = if has_no_default { "" } else { line };
        let is_default = line
            .strip_prefix('#')
            .filter(|rest| !rest.starts_with([' ', '#']));
        writeln!(shown, "{}", is_default.unwrap_or(line)).expect("written");
    }
    assert_ne!(shown, example);
    assert_eq!(format!("{:?}", good(&shown, &[])), format!("{config:?}"));
}

#[test]
fn the_example_names_every_key() {
    let example = std::fs::read_to_string(example_path("controller.toml")).expect("readable");
    for (section, keys) in KEYS {
        for key in keys {
            let named = [
                format!("{key} = "),
                format!("[[{section}.{key}]]"),
                format!(".{key}]"),
            ];
            assert!(
                named.iter().any(|name| example.contains(name.as_str())),
                "[{section}] {key}"
            );
        }
    }
}

#[test]
fn the_list_of_keys_is_of_those_that_are_read() {
    for (section, keys) in KEYS {
        // Our own sentence about an unknown key lists the known ones.
        let text = format!("[{section}]\nzzzzzzzzzzzzzzzz = 1\n");
        let error = bad(&text, &[]);
        let (_, known) = error
            .split_once("known here are: ")
            .expect("the known keys");
        let known: Vec<&str> = known.trim().split(", ").collect();
        assert_eq!(keys, known, "[{section}]");
    }
    let error = bad("zzzzzzzzzzzzzzzz = 1", &[]);
    let sections: Vec<&str> = KEYS.iter().map(|(section, _)| *section).collect();
    let known = format!(
        "known here are: {}, ask, policy, runners, images",
        sections.join(", ")
    );
    assert!(error.ends_with(&known), "{error}");
}

#[test]
fn the_retry_only_example_is_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = good(&example("retry-only.toml", folder.path()), &[]);
    assert!(config.settings.fleet.is_none());
    let name = reprise_model::ids::RunnerName::new("runs-on--i-0123456789abcdef0--xyz");
    let named = config
        .settings
        .runner_name
        .read(&name)
        .expect("an instance");
    assert_eq!(named.id.as_str(), "i-0123456789abcdef0");
}

#[test]
fn an_unknown_key_or_section_is_told_with_its_line_and_the_nearest_known_one() {
    insta::assert_snapshot!(all_bad(&[
        &GOOD.replace("app_id", "ap_id"),
        &GOOD.replace("account =", "acount ="),
        &format!("{GOOD}\nzebras = 7"),
        &GOOD.replace("[queues]", "[queue]"),
        &GOOD.replace("[queues]", "[zebras]"),
        &GOOD.replace(", cpu = 2", ", vcpu = 2"),
    ]));
}

#[test]
fn a_value_of_the_wrong_type_is_told_in_plain_words_and_without_the_value() {
    insta::assert_snapshot!(all_bad(&[
        &GOOD.replace("= 12345\n", "= \"12345\"\n"),
        &GOOD.replace("= 12345\n", "= -1\n"),
        &GOOD.replace("= 12345\n", "= 1.5\n"),
        &GOOD.replace("[\"subnet-a\"]", "\"subnet-a\""),
        &GOOD.replace("\"first-fake-secret\"", "7"),
        &GOOD.replace("[fleet]", "[fleet]\nenabled = \"yes\""),
        &GOOD.replace(", cpu = 2", ""),
        &format!("{GOOD}\n[retry]\nlook_window = 60"),
        &format!("{GOOD}\n[retry]\nlook_window = \"soon\""),
        &format!("{GOOD}\n[log]\nformat = \"xml\""),
        &format!("{GOOD}\n[[policy]]\nretry = 2.5"),
    ]));
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    insta::assert_snapshot!(all_bad(&[
        &GOOD.replace("[queues]", "[queues"),
        &GOOD.replace("stack = \"demo\"", "stack = demo"),
        &format!("{GOOD}\nstack = \"again\""),
    ]));
}

#[test]
fn all_missing_keys_are_told_at_once() {
    insta::assert_snapshot!(bad("", &[]));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = r#"
[github]
private_key = "not a key"
webhook_secrets = [" "]

[[aws.regions]]
region = "eu-west-1"
account = "1234"

[[aws.regions]]
region = "eu-west-1a"
account = "123456789012"

[[aws.regions]]
region = "eu-west-1"
account = "123456789012"

[queues]
webhooks = "https://sqs.example/one"
ec2_events = "https://sqs.example/one"
webhooks_dead_letters = "https://sqs.example/one"
pollers = 0

[http]
listen = "9464"

[fleet]
region = "eu-west-2"
launch_tries = 0

[runner]
name_pattern = "^runner-(.*)$"

[retry]
look_window = "20m"
look_again_after = "0s"
allow = ["when-failed", "when-transient"]
when_transient_delays = ["25h"]

[tags]
prefix = "aws:reprise-"

[[policy]]
retry = "when-interrupted"

[[policy]]
retry = "always"

[[policy]]
retry = 6

[[policy]]
retry = false
delays = ["1m"]

[[policy]]
retry = "when-failed"
delays = ["25h"]

[[policy]]
retry = "when-transient:1"

[[policy]]
retry = "when-interrupted:0"
"#;
    insta::assert_snapshot!(bad(text, &[]));
}

#[test]
fn a_bad_expression_for_runner_names_is_shown_with_its_mistake() {
    let text = format!("{GOOD}\n[runner]\nname_pattern = \"(?<instance>i-[0-9\"");
    insta::assert_snapshot!(bad(&text, &[]));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let list = "[\"first-fake-secret\", \"second-fake-secret\"]";
    let text = GOOD.replace(list, "[]").replace(
        "app_id = 12345",
        "app_id = 12345\nwebhook_secret_file = \"/nowhere/webhook-secret\"",
    );
    insta::assert_snapshot!("a_secrets_file_that_cannot_be_read", bad(&text, &[]));
    let error = Config::load(Path::new("/nowhere/controller.toml"), &BTreeMap::new());
    insta::assert_snapshot!(
        "a_configuration_that_cannot_be_read",
        error.expect_err("not there")
    );
}

#[test]
fn the_environment_goes_before_the_file() {
    let config = good(
        GOOD,
        &[
            ("REPRISE__GITHUB__APP_ID", "777"),
            ("REPRISE__GITHUB__PRIVATE_KEY", &format!("{KEY}\nother")),
            ("REPRISE__FLEET__SUBNETS", "[\"subnet-b\", \"subnet-c\"]"),
            ("REPRISE__RETRY__LOOK_WINDOW", "90s"),
            ("REPRISE__RETRY__EVIDENCE", "proof"),
            ("REPRISE__RETRY__MIXED", "sequential"),
            ("REPRISE__RETRY__ON_DEMAND_RETRIES", "automatic-only"),
            ("REPRISE__HTTP__LISTEN", "0.0.0.0:80"),
            ("REPRISE_CONFIG", "not one of ours"),
            ("PATH", "/bin"),
        ],
    );
    assert_eq!(config.github.app_id, 777);
    assert!(config.github.private_key.expose_secret().ends_with("other"));
    assert_eq!(config.listen.to_string(), "0.0.0.0:80");
    let settings = config.settings;
    assert_eq!(
        settings.fleet.expect("a fleet").offer.regions[0].subnets,
        ["subnet-b", "subnet-c"]
    );
    assert_eq!(
        settings.rules.look_window,
        jiff::SignedDuration::from_secs(90)
    );
    assert_eq!(settings.rules.evidence, EvidenceRule::Proof);
    assert_eq!(settings.rules.mixed, MixedReruns::Sequential);
    assert_eq!(
        settings.rules.on_demand_retries,
        OnDemandRetries::AutomaticOnly
    );
}

#[test]
fn the_environment_alone_is_enough() {
    let config = good(
        "",
        &[
            ("REPRISE__GITHUB__APP_ID", "777"),
            ("REPRISE__GITHUB__PRIVATE_KEY", KEY),
            ("REPRISE__GITHUB__WEBHOOK_SECRETS", "a-fake-secret"),
            (
                "REPRISE__AWS__REGIONS",
                "[{ region = \"eu-west-1\", account = \"123456789012\" }]",
            ),
            ("REPRISE__QUEUES__WEBHOOKS", "https://sqs.example/webhooks"),
            ("REPRISE__FLEET__ENABLED", "false"),
        ],
    );
    assert!(config.settings.fleet.is_none());
}

#[test]
fn webhook_secrets_may_be_a_list_or_one_text_whatever_it_looks_like() {
    for (text, secrets) in [
        (
            r#"["a-fake-secret", "another"]"#,
            &["a-fake-secret", "another"] as &[&str],
        ),
        ("a-fake-secret", &["a-fake-secret"]),
        ("12345", &["12345"]),
        ("1e9", &["1e9"]),
        ("true", &["true"]),
        ("2027-03-01", &["2027-03-01"]),
        ("\"quoted\"", &["\"quoted\""]),
        ("{a=1}", &["{a=1}"]),
        ("[12]", &["[12]"]),
        ("a = b # c", &["a = b # c"]),
        ("1\nvalue2 = 3", &["1\nvalue2 = 3"]),
    ] {
        let config = good(GOOD, &[("REPRISE__GITHUB__WEBHOOK_SECRETS", text)]);
        let read: Vec<&str> = config
            .github
            .webhook_secrets
            .iter()
            .map(ExposeSecret::expose_secret)
            .collect();
        assert_eq!(read, secrets, "{text}");
    }
    let one = GOOD.replace(
        "[\"first-fake-secret\", \"second-fake-secret\"]",
        "\"only-one\"",
    );
    assert_eq!(good(&one, &[]).github.webhook_secrets.len(), 1);
}

#[test]
fn the_apps_key_in_the_webhook_secrets_place_is_refused_and_not_told() {
    let error = bad(GOOD, &[("REPRISE__GITHUB__WEBHOOK_SECRETS", KEY)]);
    assert!(error.contains("github.webhook_secrets"), "{error}");
    assert!(error.contains("private_key_file"), "{error}");
    assert!(!error.contains("not-a-real-key"), "{error}");
}

#[test]
fn a_text_from_the_environment_stays_a_text() {
    let config = good(
        GOOD,
        &[
            ("REPRISE__FLEET__STACK", "2027"),
            ("REPRISE__FLEET__LAUNCH_TEMPLATE_VERSION", "3"),
            ("REPRISE__STORE__PATH", "true"),
        ],
    );
    let fleet = config.settings.fleet.expect("a fleet");
    assert_eq!(fleet.stack.as_str(), "2027");
    assert_eq!(fleet.launch_template_version, "3");
    assert_eq!(config.store, sqlite("true"));
}

#[test]
fn a_bad_variable_is_named() {
    let errors = [
        ("REPRISE__GITHUB__APP_ID", "abc"),
        ("REPRISE__GITHUB__APPID", "7"),
        ("REPRISE__GITUB__APP_ID", "7"),
        ("REPRISE__FLEET__ENABLED", "perhaps"),
        ("REPRISE__FLEET__SUBNETS", "subnet-b"),
        ("REPRISE__FLEET__SUBNETS", "[1, 2]"),
        ("REPRISE__RETRY__LOOK_WINDOW", "soon"),
        ("REPRISE__AWS__REGIONS", "[{ region = \"eu-west-1\" }]"),
        ("REPRISE__POLICY__RETRY", "false"),
        ("REPRISE__APP_ID", "7"),
        ("REPRISE____APP_ID", "7"),
    ]
    .map(|one| bad(&format!("{GOOD}\n[[policy]]\nretry = false"), &[one]));
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn no_secret_is_shown_anywhere() {
    let secret = "hunter2-fake, expected nothing";
    let places = [
        GOOD.replace("\"first-fake-secret\"", &format!("{{ a = \"{secret}\" }}")),
        GOOD.replace("app_id = 12345", &format!("app_id = \"{secret}\"")),
        GOOD.replace("[fleet]", &format!("[fleet]\nenabled = \"{secret}\"")),
        GOOD.replace("-----BEGIN", secret),
        format!("{GOOD}\n[retry]\nlook_window = [\"{secret}\"]"),
    ];
    for text in places {
        assert_ne!(text, GOOD);
        let error = read(&text, &[]).expect_err("it is bad");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    for variable in ["APP_ID", "WEBHOOK_SECRETS_FILE"] {
        let variable = format!("REPRISE__GITHUB__{variable}");
        let error = read(GOOD, &[(&variable, secret)]).expect_err("it is bad");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let shown = format!(
        "{:?}",
        good(GOOD, &[("REPRISE__GITHUB__WEBHOOK_SECRETS", secret)])
    );
    assert!(
        !shown.contains("hunter2") && !shown.contains("not-a-real-key"),
        "{shown}"
    );
}

fn with(section: &str, line: &str) -> String {
    GOOD.replace(&format!("[{section}]"), &format!("[{section}]\n{line}"))
}

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Config::parse("controller.toml", text, &environment, &|path| {
        std::fs::read_to_string(path)
    })
}

fn sqlite(path: &str) -> StoreConfig {
    StoreConfig::Sqlite { path: path.into() }
}

fn good(text: &str, environment: &[(&str, &str)]) -> Config {
    read(text, environment).expect("good")
}

fn bad(text: &str, environment: &[(&str, &str)]) -> String {
    read(text, environment).expect_err("bad").to_string()
}

fn all_bad(texts: &[&str]) -> String {
    let errors: Vec<String> = texts
        .iter()
        .map(|text| {
            assert_ne!(*text, GOOD);
            bad(text, &[])
        })
        .collect();
    errors.join("\n")
}

/// An example with its secrets in files that exist.
fn example(name: &str, folder: &Path) -> String {
    let key = folder.join("app-key.pem");
    std::fs::write(&key, KEY).expect("written");
    let secret = folder.join("webhook-secret");
    std::fs::write(&secret, "a-fake-secret\n").expect("written");
    std::fs::read_to_string(example_path(name))
        .expect("readable")
        .replace("/etc/reprise/app-key.pem", &key.display().to_string())
        .replace("/etc/reprise/webhook-secret", &secret.display().to_string())
}

fn example_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

#[test]
fn the_secret_of_the_file_goes_before_those_of_the_list() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("webhook-secret");
    std::fs::write(&file, "of-the-file\n").expect("written");
    let file = file.display().to_string();
    let config = good(
        GOOD,
        &[("REPRISE__GITHUB__WEBHOOK_SECRET_FILE", file.as_str())],
    );
    let secrets = config.github.webhook_secrets.iter();
    let read: Vec<&str> = secrets.map(ExposeSecret::expose_secret).collect();
    assert_eq!(
        read,
        ["of-the-file", "first-fake-secret", "second-fake-secret"]
    );
}

const RUNNER: &str = "[runner]\ntable = \"runners\"\nrole_id = \"AROAEXAMPLEEXAMPLE123\"\n";

#[test]
fn instances_get_their_runners_where_a_table_is_named() {
    assert_eq!(good(GOOD, &[]).runners, None);
    let runners = good(&format!("{GOOD}{RUNNER}"), &[]).runners;
    let runners = runners.expect("runners");
    assert_eq!(runners.regions, [Region::new("eu-west-1")]);
    assert_eq!(runners.role_id.as_str(), "AROAEXAMPLEEXAMPLE123");
    assert_eq!(
        (runners.group.as_str(), runners.work_folder.as_str()),
        ("Default", "_work")
    );
}

#[test]
fn each_region_of_the_fleet_has_its_runner_table_and_all_are_of_one_account() {
    let elsewhere = |account: &str| {
        let place = format!("region = \"us-east-1\"\naccount = \"{account}\"");
        format!("{GOOD}{RUNNER}[[aws.regions]]\n{place}\nsubnets = [\"subnet-b\"]\n")
    };
    let runners = good(&elsewhere("123456789012"), &[]).runners;
    let regions = runners.expect("runners").regions;
    assert_eq!(
        regions,
        [Region::new("eu-west-1"), Region::new("us-east-1")]
    );
    let error = bad(&elsewhere("210987654321"), &[]);
    assert!(error.contains("runner.table"), "{error}");
    assert!(error.contains("us-east-1 are another's"), "{error}");
}

#[test]
fn runners_that_nobody_could_get_are_a_mistake() {
    for (section, says) in [
        ("table = \"runners\"", "runner.role_id"),
        (
            "table = \"a b\"\nrole_id = \"AROAEXAMPLEEXAMPLE123\"",
            "no table's name",
        ),
        (
            "table = \"runners\"\nrole_id = \"arn:aws:iam::1:role/x\"",
            "RoleId",
        ),
        ("group = \"spot\"", "without runner.table"),
    ] {
        let error = bad(&format!("{GOOD}[runner]\n{section}\n"), &[]);
        assert!(error.contains(says), "{error}");
    }
    let start = GOOD.find("[fleet]").expect("it is there");
    let watching = format!("{}[fleet]\nenabled = false\n{RUNNER}", &GOOD[..start]);
    let error = bad(&watching, &[]);
    assert!(error.contains("fleet.enabled is false"), "{error}");
}

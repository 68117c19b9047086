//! Configurations that could be read and would do nothing, or not what they say.

use reprise_model::policy::OnLaunchExhausted;

use super::*;

#[test]
fn what_serves_nobody_is_a_mistake() {
    insta::assert_snapshot!(all_bad(&[
        &with("github", "repositories = []"),
        &with("github", "repositories = [\"acme/*\", \"\"]"),
        &with("github", "repositories = [\"acme\"]"),
        &with(
            "github",
            "repositories = [\"https://github.com/acme/shop\"]"
        ),
        &GOOD.replace("app_id = 12345", "app_id = 0"),
        &policy("repository = \"acme\""),
        &policy("repository = \"\""),
        &policy("workflow = \"\""),
        &policy("job = \"\""),
    ]));
    for pattern in [
        "*",
        "acme/*",
        "acme*",
        "*/shop",
        "?cme/sh?p",
        "ACME/.github",
    ] {
        good(
            &with("github", &format!("repositories = [{pattern:?}]")),
            &[],
        );
    }
}

#[test]
fn an_address_that_nobody_can_call_is_a_mistake() {
    insta::assert_snapshot!(all_bad(&[
        &with("github", "base_url = \"api.github.com\""),
        &with("github", "base_url = \"\""),
        &GOOD.replace("https://sqs.example/webhooks", "reprise-webhooks"),
        &GOOD.replace("https://sqs.example/webhooks", "https://sqs.example"),
        &with(
            "queues",
            "ec2_events = \"arn:aws:sqs:eu-west-1:123456789012:x\""
        ),
        &with("queues", "webhooks_dead_letters = \"\""),
        &with("queues", "ec2_events_dead_letters = \"sqs://x/y\""),
    ]));
    let own = good(
        &with("github", "base_url = \"http://127.0.0.1:80/api/v3\""),
        &[],
    );
    assert_eq!(own.github.base_url, "http://127.0.0.1:80/api/v3");
}

#[test]
fn a_name_that_is_empty_or_too_long_is_a_mistake() {
    let long = "x".repeat(300);
    insta::assert_snapshot!(all_bad(&[
        &GOOD.replace("stack = \"demo\"", "stack = \" \""),
        &GOOD.replace("stack = \"demo\"", &format!("stack = \"{long}\"")),
        &GOOD.replace("launch_template = \"runners\"", "launch_template = \"\""),
        &with("fleet", "launch_template_version = \"\""),
        &GOOD.replace("[\"subnet-a\"]", "[\"subnet-a\", \"\"]"),
        &GOOD.replace("\"c7a.large\", cpu = 2", "\"\", cpu = 0"),
        &format!("{GOOD}\n[images.ubuntu]\nami = \"\""),
        &GOOD.replace(
            "region = \"eu-west-1\"",
            "role_arn = \"reprise\"\nregion = \"\""
        ),
        &with("queues", "region = \"\""),
        &format!("{GOOD}\n[tags]\nprefix = \"\""),
        &format!("{GOOD}\n[tags]\nprefix = \"AWS:reprise-\""),
        &format!("{GOOD}\n[tags]\nprefix = \"{long}\""),
        &format!("{GOOD}\n[runner]\nname_pattern = \"{long}{long}\""),
    ]));
}

#[test]
fn a_number_or_time_with_which_nothing_would_happen_is_a_mistake() {
    insta::assert_snapshot!(all_bad(&[
        &retry("look_again_after = \"2m\""),
        &retry("look_window = \"3s\""),
        &retry("look_window = \"10s\"\nlook_again_after = \"11s\""),
        &retry("most_an_hour = 0"),
        &retry("sweep_every = \"2h\""),
        &retry("sweep_every = \"9999999999999999999h\""),
        &with("queues", "pollers = 101"),
        &with("queues", "at_once = 9223372036854775807"),
        &with("queues", "delete_window = \"21s\""),
        &with("queues", "delete_window = \"-1ms\""),
    ]));
    let one = good(&retry("most_an_hour = 1"), &[]);
    assert_eq!(one.settings.rules.most_jobs_an_hour, 1);
    good(&with("queues", "delete_window = \"0s\""), &[]);
    good(
        &retry("look_window = \"10s\"\nlook_again_after = \"10s\""),
        &[],
    );
}

#[test]
fn a_variable_with_too_few_underscores_is_told_the_right_name() {
    let variables = [
        "REPRISE_STORE_PATH",
        "REPRISE_GITHUB__APP_ID",
        "REPRISE__GITHUB_APP_ID",
        "reprise__http__listen",
    ];
    let errors = variables.map(|variable| bad(GOOD, &[(variable, "1")]));
    insta::assert_snapshot!(errors.join("\n"));
    good(GOOD, &[("REPRISE_STORE_PORT_80_TCP", "tcp://10.0.0.1:80")]);
}

#[test]
fn the_ledger_may_be_a_table() {
    let table = store("kind = \"dynamodb\"\ntable = \"reprise\"");
    let in_region = |region: &str| StoreConfig::DynamoDb {
        table: "reprise".to_owned(),
        region: Region::new(region),
    };
    assert_eq!(good(&table, &[]).store, in_region("eu-west-1"));
    let queues = ("REPRISE__QUEUES__REGION", "eu-west-2");
    assert_eq!(good(&table, &[queues]).store, in_region("eu-west-2"));
    let own = ("REPRISE__STORE__REGION", "eu-west-3");
    assert_eq!(good(&table, &[queues, own]).store, in_region("eu-west-3"));
    let file = store("kind = \"sqlite\"\npath = \"/x.db\"");
    assert_eq!(good(&file, &[]).store, sqlite("/x.db"));
}

#[test]
fn what_the_chosen_kind_of_ledger_does_not_know_is_a_mistake() {
    insta::assert_snapshot!(all_bad(&[
        &store("kind = \"sqlite\"\ntable = \"reprise\"\nregion = \"eu-west-1\""),
        &store("table = \"reprise\""),
        &store("path = \"\""),
        &store("kind = \"dynamodb\"\npath = \"reprise.db\"\ntable = \"reprise\""),
        &store("kind = \"dynamodb\""),
        &store("kind = \"dynamodb\"\ntable = \"re prise\"\nregion = \"\""),
        &store("kind = \"dynamo\"\ntable = \"reprise\""),
    ]));
}

#[test]
fn a_list_of_mistakes_and_each_of_them_has_an_end() {
    let text = format!("{GOOD}{}", "\n[[policy]]\nretry = \"x\"".repeat(1_000));
    let told = bad(&text, &[]);
    assert_eq!(told.lines().count(), 51);
    assert!(told.ends_with("and 950 more mistakes"), "{told}");
    let long = "x".repeat(100_000);
    for text in [
        GOOD.replace("123456789012", &long),
        GOOD.replace("app_id", &long),
        format!("{GOOD}\n[http]\nlisten = \"{long}\""),
        format!("{GOOD}\n[log]\nformat = \"{long}\""),
        format!("{GOOD}\n[retry]\nlook_window = \"{long}\""),
        format!("{GOOD}\n[[policy]]\nretry = \"{long}\""),
        format!("{GOOD}\n[images.{long}]\nami = \"\""),
        format!("{GOOD}\n[runners.{long}]\ncpu = \"{long}\""),
    ] {
        let told = bad(&text, &[]);
        assert!(told.len() < 3_000, "{} bytes", told.len());
    }
}

#[test]
fn a_key_with_any_text_in_it_is_told_whole() {
    let key = "\"a`, expected `b`\" = 1";
    insta::assert_snapshot!(bad(&format!("[http]\n{key}"), &[]));
}

fn policy(line: &str) -> String {
    format!("{GOOD}\n[[policy]]\nretry = false\n{line}")
}

fn retry(lines: &str) -> String {
    format!("{GOOD}\n[retry]\n{lines}")
}

fn store(lines: &str) -> String {
    format!("{GOOD}\n[store]\n{lines}")
}

#[test]
fn what_would_find_nothing_that_was_lost_is_a_mistake_but_may_be_switched_off() {
    insta::assert_snapshot!(all_bad(&[
        &with("github", "redeliver_every = \"36h\""),
        &with("github", "redeliver_every = \"-5m\""),
        &with("github", "redeliver_within = \"0s\""),
        &with("github", "redeliver_within = \"1000h\""),
        &with("github", "redeliver_tries = 0"),
        &with("fleet", "find_queued_every = \"7h\""),
        &with("fleet", "old_image_after = \"-1h\""),
        &with("fleet", "max_run_time = \"59m\""),
    ]));
    let off = [
        ("REPRISE__GITHUB__REDELIVER_EVERY", "0s"),
        ("REPRISE__FLEET__FIND_QUEUED_EVERY", "0s"),
    ];
    let settings = good(GOOD, &off).settings;
    assert_eq!(settings.redeliver, None);
    let fleet = settings.fleet.expect("a fleet");
    assert_eq!(fleet.find_queued_every, None);
}

#[test]
fn a_merge_queue_of_which_nothing_could_be_told_is_a_mistake() {
    let checks = |lines: &str| format!("{GOOD}\n[checks]\n{lines}");
    insta::assert_snapshot!(all_bad(&[
        &checks("merge_queue = [\"acme shop\"]"),
        &checks("merge_queue_workflows = [\"CI\"]"),
        &checks("merge_queue = [\"acme/*\"]\nmerge_queue_workflows = [\"\"]"),
        &checks("merge_queue_limit = \"4m\""),
        &checks("merge_queue_limit = \"7h\""),
        &checks("merge_queue = true"),
    ]));
}

#[test]
fn people_are_told_of_interruptions_and_no_merge_queue_waits_unless_it_is_said() {
    let shop = "acme/Shop".parse().expect("valid");
    let usual = good(GOOD, &[]).settings;
    assert!(usual.checks.reports);
    assert!(!usual.checks.gates(&shop, Some("CI")));
    assert_eq!(usual.rules.merge_gate_limit.as_mins(), 60);
    let changed = [
        ("REPRISE__CHECKS__REPORTS", "false"),
        ("REPRISE__CHECKS__MERGE_QUEUE", "[\"acme/shop\"]"),
        ("REPRISE__CHECKS__MERGE_QUEUE_WORKFLOWS", "[\"C*\"]"),
        ("REPRISE__CHECKS__MERGE_QUEUE_LIMIT", "90m"),
    ];
    let settings = good(GOOD, &changed).settings;
    assert!(!settings.checks.reports);
    assert!(settings.checks.gates(&shop, Some("CI")));
    assert!(!settings.checks.gates(&shop, Some("Docs")));
    assert!(
        !settings
            .checks
            .gates(&"acme/site".parse().expect("valid"), Some("CI"))
    );
    assert_eq!(settings.rules.merge_gate_limit.as_mins(), 90);
}

#[test]
fn what_becomes_of_a_job_without_a_machine_is_configured() {
    let changed = [
        ("REPRISE__FLEET__MOST_LAUNCHES", "5"),
        ("REPRISE__FLEET__MAX_RUN_TIME", "30h"),
        ("REPRISE__FLEET__ON_LAUNCH_EXHAUSTED", "cancel-run"),
        ("REPRISE__FLEET__TAG_JOBS", "false"),
    ];
    let usual = good(GOOD, &[]).settings;
    let settings = good(GOOD, &changed).settings;
    let rules = |settings: &Settings| {
        let rules = &settings.rules;
        let longest = rules.max_run_time.as_hours();
        (rules.most_launches, longest, rules.on_launch_exhausted)
    };
    assert_eq!(rules(&usual), (3, 168, OnLaunchExhausted::LeaveQueued));
    assert_eq!(rules(&settings), (5, 30, OnLaunchExhausted::CancelRun));
    assert!(usual.fleet.is_some_and(|fleet| fleet.tag_jobs));
    assert!(settings.fleet.is_some_and(|fleet| !fleet.tag_jobs));
    insta::assert_snapshot!(all_bad(&[
        &with("fleet", "most_launches = 0"),
        &with("fleet", "on_launch_exhausted = \"cancel-job\""),
    ]));
}

mod mistakes;
mod reference;

use jiff::SignedDuration;

use super::*;

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn error(file: &str, variables: &[(&str, &str)]) -> String {
    Settings::load(Some(file), &environment(variables))
        .expect_err("must be refused")
        .to_string()
}

#[test]
fn the_example_names_every_key_with_its_default() {
    let example = include_str!("../../examples/agent.toml");
    let settings = Settings::load(Some(example), &environment(&[])).expect("valid");
    assert_eq!(settings, Settings::default());
    for variable in VARIABLES
        .iter()
        .filter(|name| !name.ends_with("_AGENT_CONFIG"))
    {
        let key = variable.replace(PREFIX, "").to_ascii_lowercase();
        let within = key.strip_prefix("runner_").unwrap_or(&key);
        let named = [&key, within].map(|key| example.contains(&format!("{key} = ")));
        assert!(named.contains(&true), "{key}");
    }
}

#[test]
fn the_controllers_file_is_told_as_what_it_is() {
    for example in [
        include_str!("../../../config/examples/controller.toml"),
        include_str!("../../../config/examples/retry-only.toml"),
        "[queues]\nwebhooks = \"https://sqs.example/webhooks\"",
    ] {
        let told = error(example, &[]);
        assert!(
            told.contains("controller.toml") && told.contains("docs/agent.md"),
            "{told}"
        );
    }
    let own = error("[runner]\ncommandd = \"run\"", &[]);
    assert!(!own.contains("controller"), "{own}");
}

#[test]
fn without_file_and_environment_the_defaults_hold() {
    let settings = Settings::load(None, &environment(&[])).expect("valid");
    assert_eq!(settings, Settings::default());
    assert_eq!(
        settings.metadata_endpoint.to_string(),
        "http://169.254.169.254"
    );
    assert_eq!(
        settings.tag_keys().interrupted(),
        "runs-on-workflow-job-interrupted"
    );
    assert_eq!(settings.poll_interval.get(), SignedDuration::from_secs(1));
}

#[test]
fn the_file_sets_everything() {
    let file = r#"
        metadata_endpoint = "http://127.0.0.1:1338"
        ec2_endpoint = "https://ec2.example.com"
        dynamodb_endpoint = "https://ddb.example.com"
        ca_bundle = "/etc/pki/own.pem"
        tag_prefix = "acme:"
        poll_interval = "500ms"
        log_format = "json"
        log_level = "debug"
        console = "/dev/ttyS0"

        [runner]
        table = "runners"
        role_id = "AROAEXAMPLEEXAMPLE123"
        command = ["systemctl", "start", "reprise-runner.service"]
        config_file = "/run/one"
        user = "runner"
        folder = "/srv/runner"
        idle_limit = "5m"
        linger = "90s"
        on_end = "power-off"
        leave = "halt -p"

        [interruption]
        record_file = "/var/lib/one.json"
        hooks_folder = ""
        hook_timeout = "10s"
        runners_below = "/opt/runner"
        end_job = "stop-runner"
        finish_until = "60s"
        stop_runner_at = "30s"
        step_grace = "1s"
        on_rebalance = "ignore"
    "#;
    let settings = Settings::load(Some(file), &environment(&[])).expect("valid");
    let span = |seconds| NoticeSpan::try_from(SignedDuration::from_secs(seconds)).expect("a span");
    let expected = Settings {
        metadata_endpoint: "http://127.0.0.1:1338".parse().expect("valid"),
        ec2_endpoint: "https://ec2.example.com".parse().ok(),
        dynamodb_endpoint: "https://ddb.example.com".parse().ok(),
        ca_bundle: Some("/etc/pki/own.pem".into()),
        runner: Some(RunnerSettings {
            table: "runners".to_owned(),
            role_id: "AROAEXAMPLEEXAMPLE123"
                .to_owned()
                .try_into()
                .expect("an id"),
            command: Some(command(&["systemctl", "start", "reprise-runner.service"])),
            config_file: "/run/one".into(),
            user: Some("runner".to_owned()),
            folder: "/srv/runner".into(),
            idle_limit: "5m".to_owned().try_into().expect("a time"),
            linger: "90s".to_owned().try_into().expect("a time"),
            on_end: OnEnd::PowerOff,
            leave: command(&["halt", "-p"]),
        }),
        interruption: InterruptionSettings {
            record_file: Some("/var/lib/one.json".into()),
            hooks_folder: None,
            hook_timeout: span(10),
            runners_below: Some("/opt/runner".into()),
            end_job: EndJob::StopRunner,
            finish_until: span(60),
            stop_runner_at: span(30),
            step_grace: span(1),
            on_rebalance: OnRebalance::Ignore,
        },
        tag_prefix: TagPrefix::try_from("acme:".to_owned()).expect("one"),
        poll_interval: PollInterval::try_from(SignedDuration::from_millis(500)).expect("one"),
        log_format: LogFormat::Json,
        log_level: LogLevel::Debug,
        console: Console::At("/dev/ttyS0".into()),
    };
    assert_eq!(settings, expected);
}

#[test]
fn our_variables_beat_awss_and_both_beat_the_file() {
    let file = "ec2_endpoint = \"http://file\"\nmetadata_endpoint = \"http://file\"";
    let load = |variables: &[(&str, &str)]| {
        let settings = Settings::load(Some(file), &environment(variables)).expect("valid");
        let ec2 = settings.ec2_endpoint.expect("set").to_string();
        (settings.metadata_endpoint.to_string(), ec2)
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let aws = [
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://aws/"),
        ("AWS_ENDPOINT_URL_EC2", "http://aws-ec2"),
        ("AWS_ENDPOINT_URL", "http://aws-all"),
    ];
    assert_eq!(load(&[]), pair("http://file", "http://file"));
    assert_eq!(load(&aws[2..]), pair("http://file", "http://aws-all"));
    assert_eq!(load(&aws), pair("http://aws", "http://aws-ec2"));
    let mut all = aws.to_vec();
    all.push(("REPRISE_AGENT_METADATA_ENDPOINT", "http://ours"));
    all.push(("REPRISE_AGENT_EC2_ENDPOINT", "http://ours"));
    assert_eq!(load(&all), pair("http://ours", "http://ours"));
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_what_there_is() {
    let text = error("tag_prefix = \"a\"\npoll_intervall = \"1s\"", &[]);
    assert!(text.contains("line 2"), "{text}");
    assert!(text.contains("poll_intervall"), "{text}");
    assert!(text.contains("`poll_interval`"), "{text}");
}

#[test]
fn an_unknown_variable_of_ours_is_refused() {
    let text = error("", &[("REPRISE_AGENT_POLL", "1s")]);
    assert!(text.contains("REPRISE_AGENT_POLL is unknown"), "{text}");
    assert!(text.contains("REPRISE_AGENT_POLL_INTERVAL"), "{text}");
}

#[test]
fn an_unusable_value_names_where_it_stands_and_what_would_be_right() {
    for (file, wanted) in [
        ("poll_interval = \"often\"", "write it as 1s"),
        ("poll_interval = \"0ms\"", "between 1ms and 60s"),
        ("tag_prefix = \"aws:x\"", "belong to AWS"),
        ("tag_prefix = \"a b\"", "letters, digits"),
        ("log_format = \"xml\"", "`json`"),
        ("console = \"tty\"", "write auto, off or a path"),
        ("metadata_endpoint = \"here\"", "http://169.254.169.254"),
        ("metadata_endpoint = \"https://x\"", "no TLS"),
        ("= 1", "line 1"),
    ] {
        let text = error(file, &[]);
        assert!(text.contains(wanted), "{file}: {text}");
    }
    let text = error("", &[("REPRISE_AGENT_LOG_LEVEL", "loud")]);
    assert!(text.contains("REPRISE_AGENT_LOG_LEVEL"), "{text}");
    assert!(text.contains("`info`"), "{text}");
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let settings = Settings::load(None, &environment(&[("AWS_ENDPOINT_URL", "")]));
    assert_eq!(settings.expect("valid").ec2_endpoint, None);
}

fn command(words: &[&str]) -> CommandWords {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    words.try_into().expect("a command")
}

#[test]
fn a_runner_may_come_from_the_environment_alone() {
    let settings = Settings::load(
        None,
        &environment(&[
            ("REPRISE_AGENT_RUNNER_TABLE", "runners"),
            ("REPRISE_AGENT_RUNNER_ROLE_ID", "AROAEXAMPLEEXAMPLE123"),
            ("REPRISE_AGENT_RUNNER_COMMAND", "systemctl start  one"),
        ]),
    );
    let runner = settings.expect("valid").runner.expect("a runner");
    assert_eq!(
        runner.command,
        Some(command(&["systemctl", "start", "one"]))
    );
    assert_eq!(
        runner.config_file,
        std::path::Path::new("/run/reprise/runner.jitconfig")
    );
    assert_eq!(runner.user, None);
}

#[test]
fn half_a_runner_is_refused_with_what_it_lacks() {
    for (file, says) in [
        ("[runner]\ntable = \"runners\"", "no role_id"),
        ("[runner]\nuser = \"runner\"", "no table"),
        ("[runner]\nrole_id = \"arn:aws:iam::1:role/x\"", "AROA"),
        ("[runner]\ncommand = []", "name a program"),
        ("[runner]\ncommand = \"  \"", "name a program"),
        ("[runner]\ntabel = \"runners\"", "tabel"),
    ] {
        let error = error(file, &[]);
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn the_deadlines_of_a_notice_are_within_its_two_minutes_and_in_their_order() {
    let late = error("[interruption]\nfinish_until = \"10s\"", &[]);
    assert!(late.contains("stop_runner_at"), "{late}");
    let long = error("[interruption]\nstop_runner_at = \"3m\"", &[]);
    assert!(long.contains("two minutes"), "{long}");
    let word = error("", &[("REPRISE_AGENT_END_JOB", "kill")]);
    assert!(word.contains("REPRISE_AGENT_END_JOB"), "{word}");
}

#[test]
fn the_environment_counts_more_than_the_file_on_a_notice_too() {
    let file = "[interruption]\nend_job = \"none\"\nrecord_file = \"\"";
    let variables = [
        ("REPRISE_AGENT_END_JOB", "stop-runner"),
        ("REPRISE_AGENT_HOOKS_FOLDER", "/tmp/hooks"),
    ];
    let settings = Settings::load(Some(file), &environment(&variables)).expect("valid");
    assert_eq!(settings.interruption.end_job, EndJob::StopRunner);
    assert_eq!(settings.interruption.record_file, None);
    let folder = settings.interruption.hooks_folder;
    assert_eq!(folder, Some("/tmp/hooks".into()));
}

const RUNNER: &str = "[runner]\ntable = \"runners\"\nrole_id = \"AROAEXAMPLEEXAMPLE123\"\n";

fn runner(more: &str) -> RunnerSettings {
    let settings = Settings::load(Some(&format!("{RUNNER}{more}")), &environment(&[]));
    settings.expect("valid").runner.expect("a runner")
}

#[test]
fn a_runner_of_the_path_units_powers_its_instance_off_and_one_of_a_command_does_not() {
    let settings = runner("");
    assert_eq!(settings.command, None);
    assert_eq!(settings.user.as_deref(), Some("runner"));
    assert_eq!(settings.on_end, OnEnd::PowerOff);
    assert_eq!(settings.leave, command(&["systemctl", "poweroff"]));
    assert_eq!(settings.idle_limit.get(), SignedDuration::from_mins(10));
    assert_eq!(settings.linger.get(), SignedDuration::from_mins(3));
    assert_eq!(settings.folder, std::path::Path::new("/opt/actions-runner"));
    assert_eq!(runner("command = \"start\"").on_end, OnEnd::Stay);
    assert_eq!(runner("command = \"start\"").user, None);
    let both = "command = \"start\"\non_end = \"power-off\"";
    assert_eq!(runner(both).on_end, OnEnd::PowerOff);
    assert_eq!(runner("on_end = \"stay\"").on_end, OnEnd::Stay);
}

#[test]
fn an_agent_that_brings_a_runner_up_ends_no_other_ones_jobs() {
    let below = |file: &str| {
        let settings = Settings::load(Some(file), &environment(&[])).expect("valid");
        settings.interruption.runners_below
    };
    assert_eq!(below(""), None);
    assert_eq!(below(RUNNER), Some("/opt/actions-runner".into()));
    let other = format!("{RUNNER}[interruption]\nrunners_below = \"/srv\"");
    assert_eq!(below(&other), Some("/srv".into()));
}

#[test]
fn a_runners_times_have_bounds() {
    for (more, says) in [
        ("idle_limit = \"0s\"", "between 1s and 24h"),
        ("linger = \"2 days\"", "linger"),
        ("idle_limit = \"soon\"", "no time"),
        ("on_end = \"reboot\"", "power-off"),
    ] {
        let text = error(&format!("{RUNNER}{more}"), &[]);
        assert!(text.contains(says), "{more}: {text}");
    }
}

#[test]
fn the_manual_page_names_every_variable_and_no_other() {
    let page = include_str!("../../../../deploy/agent/reprise-agent.8");
    let words = page.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    let mut named: Vec<&str> = words.filter(|word| word.starts_with(PREFIX)).collect();
    named.sort_unstable();
    named.dedup();
    let mut known = VARIABLES.to_vec();
    known.sort_unstable();
    assert_eq!(named, known);
    let agent = include_str!("../../../../docs/agent.md");
    for variable in [
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "AWS_ENDPOINT_URL_EC2",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL",
        "AWS_CA_BUNDLE",
    ] {
        let lines = |text: &str| text.lines().any(|line| line.contains(variable));
        assert!(lines(page) && lines(agent), "{variable}");
    }
}

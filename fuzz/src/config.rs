//! The controller's configuration: a file, then a line `=====`, then variables as NAME=VALUE.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use jiff::SignedDuration;
use reprise_config::{Config, ConfigError, Mistake, QueuesConfig, Settings, StoreConfig};
use reprise_model::ids::RunnerName;
use secrecy::ExposeSecret;

const FILE: &str = "controller.toml";

/// What stands in every file that the configuration names, and nowhere else: it must never be shown.
const SECRET: &str = "zqxjkvbp-GUARDED-zqxjkvbp";

/// Fifty mistakes and the line that counts the others.
const MOST_LINES: usize = 51;

/// A mistake of 2,000 characters, its place, and four bytes a character.
const LONGEST_LINE: usize = 4 * 2_400;

/// Checks one input.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let (file, variables) = text.split_once("\n=====\n").unwrap_or((text, ""));
    let environment = environment(variables);
    let read = Config::parse(FILE, file, &environment, &secret_file);
    let shown = format!("{read:?}");
    assert!(!shown.contains(SECRET), "a secret is shown");
    match &read {
        Ok(config) => good(config),
        Err(error) => bad(error),
    }
    let mut more = environment;
    more.insert("PATH".to_owned(), "/bin".to_owned());
    let again = Config::parse(FILE, file, &more, &secret_file);
    assert_eq!(
        format!("{again:?}"),
        shown,
        "somebody else's variable changed something"
    );
}

fn environment(lines: &str) -> BTreeMap<String, String> {
    let variables = lines.lines().filter_map(|line| line.split_once('='));
    variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// No file is ever opened: a path that the fuzzer finds may be any.
fn secret_file(path: &Path) -> io::Result<String> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("pem") => Ok(format!(
            "-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----\n"
        )),
        Some("secret") => Ok(format!("{SECRET}\n")),
        Some(_) | None => Err(io::Error::from(io::ErrorKind::NotFound)),
    }
}

fn bad(error: &ConfigError) {
    let told = error.to_string();
    assert!(!told.contains(SECRET), "a secret is told");
    match error {
        ConfigError::Unreadable { .. } => panic!("no file is read"),
        ConfigError::Malformed(mistakes) => {
            assert!(!mistakes.is_empty(), "a refusal without a mistake");
            for Mistake { place, message } in mistakes {
                let placed = place.starts_with(FILE) || place.starts_with("environment variable ");
                assert!(placed, "{place}");
                assert!(!message.is_empty(), "a mistake without words");
            }
        }
        ConfigError::Wrong { problems, .. } => {
            assert!(!problems.is_empty(), "a refusal without a mistake");
            for problem in problems {
                assert!(problem.key.contains('.'), "no place: {problem}");
                assert!(!problem.message.is_empty(), "a mistake without words");
            }
        }
    }
    assert!(
        told.len() <= MOST_LINES * LONGEST_LINE,
        "{} bytes",
        told.len()
    );
}

fn good(config: &Config) {
    let github = &config.github;
    assert!(is_http(&github.base_url), "{}", github.base_url);
    assert!(github.app_id > 0);
    assert!(github.private_key.expose_secret().contains("PRIVATE KEY"));
    assert!(!github.webhook_secrets.is_empty(), "anybody could sign");
    for secret in &github.webhook_secrets {
        assert!(
            !secret.expose_secret().trim().is_empty(),
            "anybody could sign"
        );
    }
    queues(&config.queues);
    store(&config.store);
    assert!(config.sweep_every.is_positive());
    assert!(config.sweep_every <= SignedDuration::from_hours(1));
    let regions: BTreeSet<&str> = config
        .regions
        .iter()
        .map(|one| one.region.as_str())
        .collect();
    assert_eq!(regions.len(), config.regions.len(), "a region twice");
    assert!(
        config
            .regions
            .iter()
            .all(|one| one.account.as_str().len() == 12)
    );
    settings(&config.settings, &regions);
}

fn queues(queues: &QueuesConfig) {
    let others = [
        &queues.ec2_events,
        &queues.webhooks_dead_letters,
        &queues.ec2_events_dead_letters,
    ];
    let all: Vec<&String> = others
        .into_iter()
        .flatten()
        .chain([&queues.webhooks])
        .collect();
    let each: BTreeSet<&String> = all.iter().copied().collect();
    assert_eq!(each.len(), all.len(), "a queue twice");
    assert!(all.iter().all(|url| is_http(url)));
    assert!((1..=100).contains(&queues.pollers));
    assert!((1..=120_000).contains(&queues.at_once));
    assert!(!queues.region.as_str().trim().is_empty());
}

/// The scheme may be written in any case.
fn is_http(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    url.starts_with("http://") || url.starts_with("https://")
}

fn store(store: &StoreConfig) {
    match store {
        StoreConfig::Sqlite { path } => assert!(!path.as_os_str().is_empty()),
        StoreConfig::DynamoDb { table, region } => {
            assert!((3..=255).contains(&table.len()), "{table}");
            assert!(!region.as_str().trim().is_empty());
        }
    }
}

fn settings(settings: &Settings, regions: &BTreeSet<&str>) {
    let rules = &settings.rules;
    assert!(rules.look_again_after.is_positive());
    assert!(rules.look_again_after <= rules.look_window);
    assert!(rules.look_window <= rules.late_look_after);
    assert!(rules.launch_tries > 0);
    assert!(
        rules.tags.interrupted().chars().count() <= 128,
        "EC2 takes no such key"
    );
    assert!(!settings.repositories.is_empty(), "nothing is served");
    assert_eq!(settings.places.len(), regions.len());
    let name = RunnerName::new("reprise--i-0123456789abcdef0--x");
    let _ = settings.runner_name.read(&name);
    if let Some(fleet) = &settings.fleet {
        assert!(regions.contains(fleet.offer.region.as_str()));
        assert!(!fleet.stack.as_str().trim().is_empty());
        let home = &fleet.offer.regions[0];
        assert_eq!(home.region, fleet.offer.region);
        assert!(!home.subnets.is_empty());
        assert!(
            fleet
                .offer
                .types
                .iter()
                .all(|one| one.cpu > 0 && one.ram > 0)
        );
    }
}

//! From the file to a configuration that can be worked with; all mistakes at once.

use std::path::Path;

use reprise_aws::RegionSettings;
use reprise_engine::launch::FleetOffer;
use reprise_engine::rules::Rules;
use reprise_engine::types::InstanceType;
use reprise_model::ids::{AccountId, Region, StackName};
use reprise_model::policy::RetryPolicy;
use reprise_model::runner_name::RunnerNamePattern;
use reprise_model::tags::TagKeys;
use secrecy::SecretString;
use wildmatch::WildMatch;

use super::error::Problem;
use super::file::{self, File};
use super::{Config, GitHubConfig, QueuesConfig};
use crate::context::{FleetSettings, Place, Settings};
use crate::logging::LogFormat;
use crate::policies::PolicyRule;

/// Long polls at once on a queue: two keep one arriving while the other answers.
const POLLERS: usize = 2;
/// Messages under way at once on a queue. Each failed spot job holds a place for a minute, so this
/// serves about a thousand such failures a minute.
const AT_ONCE: usize = 1_000;

/// Collects mistakes while values are read, so that an operator sees them all at once.
#[derive(Default)]
struct Checker {
    problems: Vec<Problem>,
}

impl Checker {
    fn need<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.problems.push(Problem::missing(key));
        }
        value
    }

    fn good<T, E: std::fmt::Display>(&mut self, key: &str, value: Result<T, E>) -> Option<T> {
        value.map_err(|error| self.wrong(key, error.to_string())).ok()
    }

    fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(key, message));
    }
}

pub(super) fn check(file: File) -> Result<Config, Vec<Problem>> {
    let mut checker = Checker::default();
    let config = build(&mut checker, file);
    match config {
        Some(config) if checker.problems.is_empty() => Ok(config),
        Some(_) | None => Err(checker.problems),
    }
}

fn build(checker: &mut Checker, file: File) -> Option<Config> {
    let regions = regions(checker, file.aws);
    let first_region = regions.first().map(|region| region.region.clone());
    let github = github(checker, &file.github);
    let queues = queues(checker, file.queues, first_region.clone());
    let fleet = fleet(checker, file.fleet, &regions);
    let policies = policies(checker, file.policy);
    let runner_name = runner_name(checker, file.runner);
    let listen = file.http.listen.unwrap_or_else(|| "127.0.0.1:9464".to_owned());
    let listen = checker.good("http.listen", listen.parse().map_err(|_| {
        format!("is {listen:?}, which is no address and port; write 127.0.0.1:9464")
    }));
    let (fleet, launch_tries) = fleet?;
    let mut rules = rules(checker, &file.retry, file.tags);
    rules.launch_tries = launch_tries.unwrap_or(rules.launch_tries);
    let places = regions
        .iter()
        .map(|one| Place { region: one.region.clone(), account: one.account.clone() })
        .collect();
    Some(Config {
        github: github?,
        regions,
        queues: queues?,
        store_path: file.store.path.unwrap_or_else(|| "reprise.db".into()),
        listen: listen?,
        log_format: file.log.format.unwrap_or(LogFormat::Json),
        sweep_every: file.retry.sweep_every.unwrap_or(jiff::SignedDuration::from_secs(60)),
        settings: Settings {
            rules,
            repositories: patterns(file.github.repositories),
            policies,
            runner_name: runner_name?,
            places,
            fleet,
        },
    })
}

fn patterns(repositories: Option<Vec<String>>) -> Vec<WildMatch> {
    repositories
        .unwrap_or_else(|| vec!["*".to_owned()])
        .iter()
        .map(|pattern| WildMatch::new(&pattern.to_ascii_lowercase()))
        .collect()
}

fn github(checker: &mut Checker, section: &file::GitHub) -> Option<GitHubConfig> {
    let app_id = checker.need("github.app_id", section.app_id);
    let private_key = secret(
        checker,
        "github.private_key_file",
        section.private_key.clone(),
        section.private_key_file.as_deref(),
    );
    let mut webhook_secrets = section.webhook_secrets.clone();
    if webhook_secrets.is_empty() || section.webhook_secret_file.is_some() {
        let file = section.webhook_secret_file.as_deref();
        webhook_secrets.extend(secret(checker, "github.webhook_secret_file", None, file));
    }
    Some(GitHubConfig {
        base_url: section.base_url.clone().unwrap_or_else(|| "https://api.github.com".to_owned()),
        app_id: app_id?,
        private_key: private_key?,
        webhook_secrets,
    })
}

/// A secret given itself, by the environment, or by a file that holds it.
fn secret(
    checker: &mut Checker,
    key: &str,
    given: Option<SecretString>,
    file: Option<&Path>,
) -> Option<SecretString> {
    match (given, file) {
        (Some(given), _) => Some(given),
        (None, Some(path)) => {
            let read = std::fs::read_to_string(path)
                .map_err(|error| format!("names {}, which cannot be read: {error}", path.display()));
            checker.good(key, read).map(|text| SecretString::from(text.trim_end().to_owned()))
        }
        (None, None) => checker.need(key, None),
    }
}

fn regions(checker: &mut Checker, section: file::Aws) -> Vec<RegionSettings> {
    if section.regions.is_empty() {
        checker.wrong("aws.regions", "is empty; add [[aws.regions]] with region and account");
    }
    for region in &section.regions {
        let account = &region.account;
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            checker.wrong("aws.regions.account", format!("is {account:?}; an account has twelve digits"));
        }
    }
    section
        .regions
        .into_iter()
        .map(|region| RegionSettings {
            region: Region::new(region.region),
            account: AccountId::new(region.account),
            role_arn: region.role_arn,
        })
        .collect()
}

fn queues(
    checker: &mut Checker,
    section: file::Queues,
    first_region: Option<Region>,
) -> Option<QueuesConfig> {
    let webhooks = checker.need("queues.webhooks", section.webhooks);
    let region = section.region.map(Region::new).or(first_region);
    if section.ec2_events.is_some() && section.ec2_events == webhooks {
        checker.wrong(
            "queues.ec2_events",
            "is the webhook queue; what a message is, its queue says, so there must be two",
        );
    }
    for (key, value) in [("queues.pollers", section.pollers), ("queues.at_once", section.at_once)] {
        if value == Some(0) {
            checker.wrong(key, "is 0, so that nothing would be received; write 1 or more");
        }
    }
    Some(QueuesConfig {
        region: region?,
        webhooks: webhooks?,
        ec2_events: section.ec2_events,
        webhooks_dead_letters: section.webhooks_dead_letters,
        ec2_events_dead_letters: section.ec2_events_dead_letters,
        pollers: section.pollers.unwrap_or(POLLERS),
        at_once: section.at_once.unwrap_or(AT_ONCE),
    })
}

/// The fleet and the number of tries; the outer `None` when there were mistakes.
#[expect(clippy::option_option, reason = "mistakes and retry-only mode are different answers")]
fn fleet(
    checker: &mut Checker,
    section: file::Fleet,
    regions: &[RegionSettings],
) -> Option<(Option<FleetSettings>, Option<u32>)> {
    if !section.enabled.unwrap_or(true) {
        return Some((None, None));
    }
    let stack = checker.need("fleet.stack", section.stack);
    let launch_template = checker.need("fleet.launch_template", section.launch_template);
    if section.subnets.is_empty() {
        checker.wrong("fleet.subnets", "is empty; name one subnet a zone");
    }
    if section.types.is_empty() {
        checker.wrong(
            "fleet.types",
            "is empty; add types as { name = \"c7a.large\", cpu = 2, ram = 4 }",
        );
    }
    let region = section.region.map(Region::new).or(regions.first().map(|one| one.region.clone()));
    if let Some(region) = &region
        && !regions.iter().any(|one| one.region == *region)
    {
        checker.wrong("fleet.region", format!("is {region}, which is none of [[aws.regions]]"));
    }
    let types = section
        .types
        .into_iter()
        .map(|one| InstanceType { name: one.name, cpu: one.cpu, ram: one.ram })
        .collect();
    let fleet = FleetSettings {
        stack: StackName::new(stack?),
        offer: FleetOffer { region: region?, types, images: section.images },
        launch_template: launch_template?,
        launch_template_version: section.launch_template_version.unwrap_or_else(|| "$Default".to_owned()),
        subnets: section.subnets,
    };
    Some((Some(fleet), section.launch_tries))
}

fn policies(checker: &mut Checker, section: Vec<file::Policy>) -> Vec<PolicyRule> {
    let mut rules = Vec::new();
    for policy in section {
        let retry = match policy.retry.as_str() {
            "when-interrupted" => RetryPolicy::WhenInterrupted,
            "false" => RetryPolicy::Never,
            other => {
                checker.wrong(
                    "policy.retry",
                    format!("is {other:?}; known are \"when-interrupted\" and \"false\""),
                );
                continue;
            }
        };
        rules.push(PolicyRule {
            repository: WildMatch::new(&policy.repository.to_ascii_lowercase()),
            workflow: WildMatch::new(&policy.workflow),
            job: WildMatch::new(&policy.job),
            retry,
        });
    }
    rules
}

fn runner_name(checker: &mut Checker, section: file::Runner) -> Option<RunnerNamePattern> {
    match section.name_pattern {
        Some(pattern) => {
            checker.good("runner.name_pattern", RunnerNamePattern::try_from(pattern))
        }
        None => Some(RunnerNamePattern::default()),
    }
}

fn rules(checker: &mut Checker, retry: &file::Retry, tags: file::Tags) -> Rules {
    let defaults = Rules::default();
    let durations = [
        ("retry.look_window", retry.look_window),
        ("retry.look_again_after", retry.look_again_after),
        ("retry.sweep_every", retry.sweep_every),
    ];
    for (key, value) in durations {
        if value.is_some_and(|value| !value.is_positive()) {
            checker.wrong(key, "must be longer than nothing, as \"60s\"");
        }
    }
    Rules {
        look_window: retry.look_window.unwrap_or(defaults.look_window),
        look_again_after: retry.look_again_after.unwrap_or(defaults.look_again_after),
        on_demand_retries: retry.on_demand_retries.unwrap_or_default(),
        tags: tags.prefix.map_or_else(TagKeys::default, TagKeys::with_prefix),
        ..defaults
    }
}

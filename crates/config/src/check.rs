//! From the file to a configuration that can be worked with; all mistakes at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;

use jiff::SignedDuration;
use reprise_engine::launch::FleetOffer;
use reprise_engine::rules::Rules;
use reprise_engine::types::InstanceType;
use reprise_model::ids::{AccountId, Region, StackName};
use reprise_model::policy::RetryPolicy;
use reprise_model::runner_name::RunnerNamePattern;
use reprise_model::tags::TagKeys;
use secrecy::{ExposeSecret, SecretString};
use wildmatch::WildMatch;

use crate::checker::Checker;
use crate::error::Problem;
use crate::file::{self, File};
use crate::policies::PolicyRule;
use crate::{
    Config, FleetSettings, GitHubConfig, LogFormat, Place, QueuesConfig, RegionConfig, Settings,
};

const BASE_URL: &str = "https://api.github.com";
const LISTEN: &str = "127.0.0.1:9464";
/// Sweeps are few calls, and what they find has waited long enough.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// Long polls at once on a queue: two keep one arriving while the other answers.
const POLLERS: usize = 2;
/// Messages under way at once on a queue. Each failed spot job holds a place for a minute, so this
/// serves about a thousand such failures a minute.
const AT_ONCE: usize = 1_000;

pub(crate) fn check(file: File) -> Result<Config, Vec<Problem>> {
    let mut checker = Checker::default();
    let config = build(&mut checker, file);
    match config {
        Some(config) if checker.problems.is_empty() => Ok(config),
        Some(_) | None => Err(checker.problems),
    }
}

fn build(checker: &mut Checker, file: File) -> Option<Config> {
    let regions = regions(checker, file.aws);
    let github = github(checker, &file.github);
    let queues = queues(
        checker,
        file.queues,
        regions.first().map(|one| one.region.clone()),
    );
    let rules = rules(checker, &file.retry, file.fleet.launch_tries, file.tags);
    let fleet = fleet(checker, file.fleet, &regions);
    let policies = policies(checker, file.policy);
    let runner_name = runner_name(checker, file.runner);
    let listen = listen(checker, file.http);
    let places = regions
        .iter()
        .map(|one| Place {
            region: one.region.clone(),
            account: one.account.clone(),
        })
        .collect();
    Some(Config {
        github: github?,
        regions,
        queues: queues?,
        store_path: file.store.path.unwrap_or_else(|| "reprise.db".into()),
        listen: listen?,
        log_format: file.log.format.unwrap_or(LogFormat::Json),
        sweep_every: file.retry.sweep_every.unwrap_or(SWEEP_EVERY),
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

fn listen(checker: &mut Checker, section: file::Http) -> Option<SocketAddr> {
    let text = section.listen.unwrap_or_else(|| LISTEN.to_owned());
    let problem = format!("is {text:?}, which is no address and port; write {LISTEN}");
    checker.good("http.listen", text.parse().map_err(|_| problem))
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
    let given = section.private_key.clone();
    let file = section.private_key_file.as_deref();
    let private_key = secret(checker, "github.private_key_file", given, file);
    if private_key.as_ref().is_some_and(|key| !is_pem(key)) {
        checker.wrong(
            "github.private_key_file",
            "holds no private key; it is the PEM file that GitHub gave when the key was made",
        );
    }
    Some(GitHubConfig {
        base_url: section
            .base_url
            .clone()
            .unwrap_or_else(|| BASE_URL.to_owned()),
        webhook_secrets: webhook_secrets(checker, section),
        app_id: app_id?,
        private_key: private_key?,
    })
}

fn is_pem(key: &SecretString) -> bool {
    let key = key.expose_secret();
    key.contains("-----BEGIN ") && key.contains("PRIVATE KEY-----")
}

fn webhook_secrets(checker: &mut Checker, section: &file::GitHub) -> Vec<SecretString> {
    let mut secrets = section.webhook_secrets.0.clone();
    let file = section.webhook_secret_file.as_deref();
    if secrets.is_empty() && file.is_none() {
        checker
            .problems
            .push(Problem::missing("github.webhook_secrets"));
    } else if file.is_some() {
        secrets.extend(secret(checker, "github.webhook_secret_file", None, file));
    }
    if secrets
        .iter()
        .any(|secret| secret.expose_secret().trim().is_empty())
    {
        checker.wrong(
            "github.webhook_secrets",
            "holds an empty secret, with which anybody could sign; take it out",
        );
    }
    secrets
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
            let read = std::fs::read_to_string(path).map_err(|error| {
                format!("names {}, which cannot be read: {error}", path.display())
            });
            checker
                .good(key, read)
                .map(|text| SecretString::from(text.trim_end().to_owned()))
        }
        (None, None) => checker.need(key, None),
    }
}

fn regions(checker: &mut Checker, section: file::Aws) -> Vec<RegionConfig> {
    if section.regions.is_empty() {
        checker.wrong(
            "aws.regions",
            "is empty; add [[aws.regions]] with region and account",
        );
    }
    let mut named = BTreeSet::new();
    for region in &section.regions {
        let (name, account) = (&region.region, &region.account);
        if name.trim().is_empty() {
            checker.wrong(
                "aws.regions.region",
                "is empty; write a region, as eu-west-1",
            );
        } else if !named.insert(name) {
            checker.wrong(
                "aws.regions.region",
                format!("is {name} twice; one entry a region"),
            );
        }
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            let problem = format!("is {account:?}; an account has twelve digits");
            checker.wrong("aws.regions.account", problem);
        }
    }
    section
        .regions
        .into_iter()
        .map(|region| RegionConfig {
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
    let webhooks = checker.need("queues.webhooks", section.webhooks.clone());
    queues_differ(checker, &section);
    for (key, value) in [
        ("queues.pollers", section.pollers),
        ("queues.at_once", section.at_once),
    ] {
        if value == Some(0) {
            checker.wrong(
                key,
                "is 0, so that nothing would be received; write 1 or more",
            );
        }
    }
    Some(QueuesConfig {
        region: section.region.map(Region::new).or(first_region)?,
        webhooks: webhooks?,
        ec2_events: section.ec2_events,
        webhooks_dead_letters: section.webhooks_dead_letters,
        ec2_events_dead_letters: section.ec2_events_dead_letters,
        pollers: section.pollers.unwrap_or(POLLERS),
        at_once: section.at_once.unwrap_or(AT_ONCE),
    })
}

/// Two kinds of message on one queue would be believed alike; a queue that is its own dead-letter
/// queue would never be empty.
fn queues_differ(checker: &mut Checker, section: &file::Queues) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (key, url) in [
        ("queues.webhooks", &section.webhooks),
        ("queues.ec2_events", &section.ec2_events),
        (
            "queues.webhooks_dead_letters",
            &section.webhooks_dead_letters,
        ),
        (
            "queues.ec2_events_dead_letters",
            &section.ec2_events_dead_letters,
        ),
    ] {
        let Some(url) = url else { continue };
        match seen.get(url.as_str()) {
            Some(other) => checker.wrong(
                key,
                format!(
                    "is the same queue as {other}; what a message is, its queue says, so each \
                     needs one of its own"
                ),
            ),
            None => {
                seen.insert(url, key);
            }
        }
    }
}

/// `None` in retry-only mode; also where there are mistakes, which `checker` knows of.
fn fleet(
    checker: &mut Checker,
    section: file::Fleet,
    regions: &[RegionConfig],
) -> Option<FleetSettings> {
    if !section.enabled.unwrap_or(true) {
        return None;
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
    let region = section
        .region
        .map(Region::new)
        .or(regions.first().map(|one| one.region.clone()));
    if let Some(region) = &region
        && !regions.iter().any(|one| one.region == *region)
    {
        checker.wrong(
            "fleet.region",
            format!("is {region}, which is none of [[aws.regions]]"),
        );
    }
    let types = section
        .types
        .into_iter()
        .map(|one| InstanceType {
            name: one.name,
            cpu: one.cpu,
            ram: one.ram,
        })
        .collect();
    Some(FleetSettings {
        stack: StackName::new(stack?),
        offer: FleetOffer {
            region: region?,
            types,
            images: section.images,
        },
        launch_template: launch_template?,
        launch_template_version: section
            .launch_template_version
            .unwrap_or_else(|| "$Default".to_owned()),
        subnets: section.subnets,
    })
}

fn policies(checker: &mut Checker, section: Vec<file::Policy>) -> Vec<PolicyRule> {
    let mut rules = Vec::new();
    for (index, policy) in section.into_iter().enumerate() {
        let retry = match policy.retry.0.as_str() {
            "when-interrupted" => RetryPolicy::WhenInterrupted,
            "false" => RetryPolicy::Never,
            other => {
                let problem = format!(
                    "of [[policy]] number {} is {other:?}; known are \"when-interrupted\" and \
                     false",
                    index + 1
                );
                checker.wrong("policy.retry", problem);
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
    let Some(pattern) = section.name_pattern else {
        return Some(RunnerNamePattern::default());
    };
    let read = RunnerNamePattern::try_from(pattern);
    checker.good(
        "runner.name_pattern",
        read.map_err(|error| format!("cannot be used: {error}")),
    )
}

fn rules(
    checker: &mut Checker,
    retry: &file::Retry,
    launch_tries: Option<u32>,
    tags: file::Tags,
) -> Rules {
    let defaults = Rules::default();
    for (key, value) in [
        ("retry.look_window", retry.look_window),
        ("retry.look_again_after", retry.look_again_after),
        ("retry.sweep_every", retry.sweep_every),
    ] {
        if value.is_some_and(|value| !value.is_positive()) {
            checker.wrong(key, "must be longer than nothing, as \"60s\"");
        }
    }
    if retry
        .look_window
        .is_some_and(|window| window > defaults.late_look_after)
    {
        let problem = format!("must not be longer than {:#}", defaults.late_look_after);
        checker.wrong("retry.look_window", problem);
    }
    if launch_tries == Some(0) {
        checker.wrong(
            "fleet.launch_tries",
            "is 0, so that nothing would be launched",
        );
    }
    if tags
        .prefix
        .as_deref()
        .is_some_and(|prefix| prefix.starts_with("aws:"))
    {
        checker.wrong(
            "tags.prefix",
            "begins with aws:, which AWS keeps for itself",
        );
    }
    Rules {
        look_window: retry.look_window.unwrap_or(defaults.look_window),
        look_again_after: retry.look_again_after.unwrap_or(defaults.look_again_after),
        on_demand_retries: retry.on_demand_retries.unwrap_or_default(),
        tags: tags
            .prefix
            .map_or_else(TagKeys::default, TagKeys::with_prefix),
        launch_tries: launch_tries.unwrap_or(defaults.launch_tries),
        ..defaults
    }
}

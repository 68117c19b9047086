//! From the file to a configuration that can be worked with; all mistakes at once.

mod api;
mod ask;
mod aws;
mod breaker;
mod checks;
mod fleet;
mod github;
mod images;
mod limits;
mod lost;
mod policies;
mod queues;
mod rules;
mod runner;
mod runners;
mod store;

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use reprise_engine::rules::Rules;

use crate::checker::{Checker, Secrecy};
use crate::error::{Problem, shown};
use crate::failures;
use crate::file::{self, File};
use crate::policies::Policies;
use crate::url;
use crate::{Config, LogFormat, Place, ReadFile, RegionConfig, Settings};

const LISTEN: &str = "127.0.0.1:9464";

pub(crate) fn check(
    file: File,
    read: ReadFile<'_>,
    secrecy: Secrecy,
) -> Result<Config, Vec<Problem>> {
    let mut checker = Checker::new(read, secrecy);
    let config = build(&mut checker, file);
    match config {
        Some(config) if checker.problems.is_empty() => Ok(config),
        Some(_) | None => Err(checker.problems),
    }
}

/// Where the health answers are served, whatever else is wrong.
pub(crate) fn check_listen(file: File) -> Result<SocketAddr, Vec<Problem>> {
    let read = |_: &Path| Err(io::ErrorKind::Unsupported.into());
    let mut checker = Checker::new(&read, Secrecy::LeftOut);
    listen(&mut checker, file.http).ok_or(checker.problems)
}

fn build(checker: &mut Checker<'_>, mut file: File) -> Option<Config> {
    let places = aws::places(checker, &file);
    let request_rate_percent = file.aws.request_rate_percent;
    let regions = aws::regions(checker, file.aws);
    let first_region = regions.first().map(|one| one.region.clone());
    let github = github::github(checker, &file.github);
    let redeliver = lost::redeliver(checker, &file.github);
    let repositories = github::repositories(checker, file.github.repositories);
    let queues = queues::queues(checker, file.queues, first_region);
    let region = queues.as_ref().map(|queues| &queues.region);
    let store = store::store(checker, file.store, region);
    let rules = Rules {
        ec2_rate_percent: rules::ec2_rate(checker, request_rate_percent),
        merge_gate_limit: checks::merge_queue_limit(checker, &file.checks),
        longest_wait: limits::longest_wait(checker, file.limits.longest_wait),
        ..rules::rules(checker, &file.retry, &file.fleet, file.tags)
    };
    let checks = checks::checks(checker, &file.checks);
    let sweep_every = rules::sweep_every(checker, &file.retry);
    let limits = limits::limits(checker, file.limits, &regions);
    let images = images::images(checker, file.images);
    let runners = runners::runners(checker, file.runners, &images, &rules.tags);
    let choices = fleet::Choices {
        places,
        limits,
        images,
        runners,
        breaker: file.breaker,
    };
    let enabled = file.fleet.enabled.unwrap_or(true);
    let fleet = fleet::fleet(checker, file.fleet, choices);
    let (endpoints, named) = ask::endpoints(checker, file.ask, region);
    let policies = Policies {
        endpoints: named,
        ..policies::policies(checker, &mut file.retry, file.policy)
    };
    ask::are_there(checker, &policies);
    let failures = failures::failures(checker, file.failures);
    let runner_name = runner::name_pattern(checker, file.runner.name_pattern.clone());
    let runners = runner::runners(checker, file.runner, enabled, fleet.as_ref());
    let api = api::api(checker, file.api, file.http.listen.as_deref());
    let listen = listen(checker, file.http);
    Some(Config {
        queues: queues?,
        store: store?,
        listen: listen?,
        api,
        log_format: file.log.format.unwrap_or(LogFormat::Json),
        sweep_every,
        runners,
        endpoints,
        settings: Settings {
            rules,
            repositories,
            policies,
            web: url::web_of(&github.as_ref()?.base_url),
            failures: failures?,
            runner_name: runner_name?,
            places: regions.iter().map(place).collect(),
            fleet,
            redeliver,
            checks,
        },
        github: github?,
        regions,
    })
}

fn place(region: &RegionConfig) -> Place {
    Place {
        region: region.region.clone(),
        account: region.account.clone(),
    }
}

fn listen(checker: &mut Checker<'_>, section: file::Http) -> Option<SocketAddr> {
    let text = section.listen.unwrap_or_else(|| LISTEN.to_owned());
    let problem = format!(
        "is {}, which is no address and port; write {LISTEN}",
        shown(&text)
    );
    checker.good("http.listen", text.parse().map_err(|_| problem))
}

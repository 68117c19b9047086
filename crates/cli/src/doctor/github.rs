//! What GitHub says of the App.

use reprise_config::{GitHubConfig, Settings};
use reprise_controller::daemon::connect_github;
use reprise_engine::doctor::{self, Finding, Grant, Hook, Needs};
use reprise_github::{AppGrant, GitHubError, GitHubErrorKind};

use super::{now, words};

/// What to do where GitHub does not answer as it should.
const KEY: &str =
    "github.app_id and github.private_key_file of the configuration must be those of one App";
const REACH: &str = "can this machine reach that address, github.base_url? https://www.githubstatus.com tells of outages";

/// What only the App is told.
const ITS_OWN: [&str; 5] = [
    "clock",
    "installation",
    "repositories",
    "webhook",
    "deliveries",
];

pub(super) async fn app(config: GitHubConfig, settings: &Settings) -> Vec<Finding> {
    let needs = Needs {
        runners: settings.fleet.is_some(),
    };
    let address = config.base_url.clone();
    let unread = |check, error: &GitHubError| unread(check, &address, error);
    let github = match connect_github(config) {
        Ok(github) => github,
        Err(error) => return without(Finding::wrong("app", words(&error), KEY)),
    };
    let mut found = match github.app().await {
        Ok((app, date)) => vec![doctor::clock(now(), date), doctor::app(&grant(app), needs)],
        Err(error) => return without(unread("app", &error)),
    };
    found.extend(match github.app_installations().await {
        Ok(all) => installations(all, needs),
        Err(error) => vec![unread("installation", &error)],
    });
    found.push(match github.repositories().await {
        Ok(seen) => {
            let served = seen.iter().filter(|one| settings.serves(one)).count();
            doctor::repositories(seen.len(), served)
        }
        Err(error) => unread("repositories", &error),
    });
    found.push(match github.hook_config().await {
        Ok(config) => doctor::hook(&Hook {
            has_secret: config.secret.as_ref().is_some_and(|one| !one.is_empty()),
            checks_certificates: config.checks_certificates(),
            url: config.url,
            content_type: config.content_type,
        }),
        Err(error) => unread("webhook", &error),
    });
    found.push(match github.deliveries(None).await {
        Ok(page) => doctor::deliveries(&page.attempts, now()),
        Err(error) => unread("deliveries", &error),
    });
    found
}

/// Who cannot even ask what the App is, gets the same answer to everything else.
fn without(app: Finding) -> Vec<Finding> {
    let rest = ITS_OWN.map(|check| Finding::not_checked(check, "GitHub tells the App nothing"));
    std::iter::once(app).chain(rest).collect()
}

fn installations(all: Vec<AppGrant>, needs: Needs) -> Vec<Finding> {
    if all.is_empty() {
        return vec![Finding::wrong(
            "installation",
            "nobody has installed the App",
            "App settings, Install App",
        )];
    }
    let all = all.into_iter().map(grant);
    all.map(|one| doctor::installation(&one, needs)).collect()
}

fn grant(app: AppGrant) -> Grant {
    Grant {
        name: app.name,
        permissions: app.permissions,
        events: app.events,
        suspended: app.suspended,
    }
}

fn unread(check: &'static str, address: &str, error: &GitHubError) -> Finding {
    let said = error.with_source();
    match error.kind() {
        GitHubErrorKind::Unauthorized
        | GitHubErrorKind::NotFound
        | GitHubErrorKind::Forbidden(_) => Finding::wrong(check, said, KEY),
        GitHubErrorKind::RateLimited { .. }
        | GitHubErrorKind::Unavailable
        | GitHubErrorKind::Unexpected => Finding::wrong(check, format!("{address}: {said}"), REACH),
    }
}

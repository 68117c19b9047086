//! The GitHub App, its installations and its webhook.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_model::delivery::HookAttempt;

use super::Finding;

/// What the App may do at least, as `deploy/github-app/manifest.json` asks for it; a test holds both together.
pub(super) const PERMISSIONS: [(&str, &str); 4] = [
    ("actions", "write"),
    ("checks", "write"),
    ("metadata", "read"),
    (RUNNERS, "write"),
];

/// What it is to hear of.
pub(super) const EVENTS: [&str; 2] = ["workflow_job", "workflow_run"];

/// The permission that runners need, and the one that stands for it where the account is a person's.
const RUNNERS: &str = "organization_self_hosted_runners";
const PERSONS_RUNNERS: &str = "administration";

/// A webhook that failed so long ago is told of, but something has arrived since.
const LATELY: SignedDuration = SignedDuration::from_hours(1);

/// What somebody granted the App.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// The App's name, or the account's.
    pub name: String,
    /// What it may do, by permission.
    pub permissions: BTreeMap<String, String>,
    /// What it hears of.
    pub events: BTreeSet<String>,
    /// Whether the installation is suspended.
    pub suspended: bool,
}

/// What this configuration needs of the App.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Whether runners are made, or taken out of GitHub.
    pub runners: bool,
}

/// The App's webhook.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hook {
    /// Where it goes.
    pub url: Option<String>,
    /// `json` or `form`.
    pub content_type: Option<String>,
    /// Whether it is signed.
    pub has_secret: bool,
    /// Whether the certificate is checked.
    pub checks_certificates: bool,
}

/// What the App itself asks for.
pub fn app(grant: &Grant, needs: Needs) -> Finding {
    let advice = "App settings, Permissions & events; docs/github-app.md says what for";
    granted("app", &grant.name, grant, needs, advice)
}

/// What an installation has agreed to.
pub fn installation(grant: &Grant, needs: Needs) -> Finding {
    const CHECK: &str = "installation";
    if grant.suspended {
        let says = format!("{} has suspended it", grant.name);
        return Finding::wrong(
            CHECK,
            says,
            "unsuspend it in the account's settings, GitHub Apps",
        );
    }
    let advice = "an owner of the account must agree to what the App asks for: settings, GitHub Apps, Review request";
    granted(CHECK, &grant.name, grant, needs, advice)
}

fn granted(check: &'static str, whose: &str, grant: &Grant, needs: Needs, advice: &str) -> Finding {
    let lacks = lacking(grant, needs);
    if lacks.is_empty() {
        return Finding::ok(check, format!("{whose}: permissions and events are there"));
    }
    Finding::wrong(check, format!("{whose} lacks {}", lacks.join(", ")), advice)
}

fn lacking(grant: &Grant, needs: Needs) -> Vec<String> {
    let has = |name: &str, level: &str| {
        let given = grant.permissions.get(name).map(String::as_str);
        given == Some("write") || given == Some("admin") || given == Some(level)
    };
    let permissions = PERMISSIONS.into_iter().filter(|(name, level)| {
        let is_needed = needs.runners || *name != RUNNERS;
        let stands_in = *name == RUNNERS && has(PERSONS_RUNNERS, level);
        is_needed && !has(name, level) && !stands_in
    });
    let permissions = permissions.map(|(name, level)| format!("{name}={level}"));
    let events = EVENTS
        .into_iter()
        .filter(|event| !grant.events.contains(*event));
    permissions
        .chain(events.map(|event| format!("the event {event}")))
        .collect()
}

/// How many repositories the App sees, and how many of them the configuration serves.
pub fn repositories(seen: usize, served: usize) -> Finding {
    const CHECK: &str = "repositories";
    if served > 0 {
        return Finding::ok(
            CHECK,
            format!("{served} served, of {seen} that the App sees"),
        );
    }
    Finding::wrong(
        CHECK,
        format!("none is served, of {seen} that the App sees"),
        "install the App in repositories that github.repositories of the configuration names, or name them there",
    )
}

/// How the webhook is set up.
pub fn hook(hook: &Hook) -> Finding {
    const CHECK: &str = "webhook";
    let Some(url) = hook.url.as_deref().filter(|url| !url.is_empty()) else {
        let advice = "App settings, Webhook: its address is the output webhook_url of Terraform";
        return Finding::wrong(CHECK, "it goes nowhere", advice);
    };
    let content = hook.content_type.as_deref().unwrap_or("form");
    let mut mistakes = Vec::new();
    if content != "json" {
        mistakes.push(format!(
            "its content type is {content}, which cannot be read"
        ));
    }
    if !hook.has_secret {
        mistakes.push("it has no secret, and nothing unsigned is believed".to_owned());
    }
    if !hook.checks_certificates {
        mistakes.push("it checks no certificate".to_owned());
    }
    if mistakes.is_empty() {
        return Finding::ok(CHECK, format!("goes to {url} as json, signed"));
    }
    let advice = "App settings, Webhook: application/json, the secret that the controllers know, SSL verification";
    Finding::wrong(CHECK, format!("{url}: {}", mistakes.join("; ")), advice)
}

/// Whether webhooks arrive: the newest attempts first, as GitHub keeps them for three days.
pub fn deliveries(attempts: &[HookAttempt], now: Timestamp) -> Finding {
    const CHECK: &str = "deliveries";
    let Some(last) = attempts.iter().max_by_key(|one| one.at) else {
        let advice = "push something that runs a workflow, and ask again";
        return Finding::unknown(CHECK, "GitHub has sent no webhook in three days", advice);
    };
    let advice = "App settings, Advanced, Recent Deliveries shows the answers; docs/operations.md, When webhooks do not arrive";
    if !last.arrived {
        return Finding::wrong(
            CHECK,
            format!("the last webhook, at {:.0}, did not arrive", last.at),
            advice,
        );
    }
    // What came later by another attempt has arrived.
    let came = |failed: &HookAttempt| {
        let mut all = attempts.iter();
        all.any(|one| one.arrived && one.delivery == failed.delivery)
    };
    let is_recent = |one: &HookAttempt| now.duration_since(one.at) <= LATELY;
    let lately = |one: &&HookAttempt| !one.arrived && is_recent(one) && !came(one);
    let failed = attempts.iter().filter(lately).count();
    if failed > 0 {
        let says = format!("{failed} of the last hour's did not arrive");
        return Finding::wrong(CHECK, says, advice);
    }
    Finding::ok(CHECK, format!("the last webhook arrived at {:.0}", last.at))
}

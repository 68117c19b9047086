//! The App as GitHub has it: what it may do, what it hears of, where its webhooks go.
//!
//! The App speaks for itself here, by its JWT; no permission and no installation is needed.

use std::collections::{BTreeMap, BTreeSet};

use http::header::DATE;
use jiff::Timestamp;
use serde::Deserialize;

use crate::GitHub;
use crate::error::GitHubError;
use crate::read::with_query;
use crate::wire::Page;

/// The App, or an installation of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppGrant {
    /// The App's name in addresses, or the account that installed it.
    pub name: String,
    /// What it may do: `actions` is `write`.
    pub permissions: BTreeMap<String, String>,
    /// What it hears of.
    pub events: BTreeSet<String>,
    /// Whether somebody has suspended it.
    pub suspended: bool,
}

/// The App's webhook. The secret itself is never told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HookConfig {
    /// Where webhooks go.
    pub url: Option<String>,
    /// `json` or `form`.
    pub content_type: Option<String>,
    /// Whether it has a secret: then this is some stars.
    pub secret: Option<String>,
    /// Whether certificates are not checked: `1`, as a text or as a number.
    #[serde(default)]
    insecure_ssl: serde_json::Value,
}

impl HookConfig {
    /// Whether GitHub checks the certificate of whoever takes the webhooks.
    pub fn checks_certificates(&self) -> bool {
        let words = self.insecure_ssl.to_string();
        words.trim_matches('"') != "1"
    }
}

impl GitHub {
    /// What the App is granted, and what time it is at GitHub.
    pub async fn app(&self) -> Result<(AppGrant, Option<Timestamp>), GitHubError> {
        let operation = "read the App";
        let answer = self.inner.transport.get_as_app(operation, "/app").await?;
        let app: WireApp = answer.parse(operation)?;
        let date = answer.header(&DATE);
        let date = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
        let date = date.map(|time| time.timestamp());
        Ok((app.into_grant(), date))
    }

    /// What each installation granted it: less than the App wants, until its owner has agreed.
    pub async fn app_installations(&self) -> Result<Vec<AppGrant>, GitHubError> {
        let operation = "list the App's installations";
        let mut found = Vec::new();
        for page in Page::all() {
            let path = with_query(operation, "/app/installations", &page)?;
            let answer = self.inner.transport.get_as_app(operation, &path).await?;
            let listed: Vec<WireGrant> = answer.parse(operation)?;
            let is_last = listed.len() < Page::SIZE;
            found.extend(listed.into_iter().map(WireGrant::into_grant));
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// The App's webhook.
    pub async fn hook_config(&self) -> Result<HookConfig, GitHubError> {
        let operation = "read the App's webhook";
        let path = "/app/hook/config";
        let answer = self.inner.transport.get_as_app(operation, path).await?;
        answer.parse(operation)
    }
}

#[derive(Debug, Deserialize)]
struct WireApp {
    /// GitHub Enterprise of old has none.
    #[serde(default)]
    slug: String,
    permissions: BTreeMap<String, String>,
    events: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct WireGrant {
    account: Option<WireAccount>,
    permissions: BTreeMap<String, String>,
    events: BTreeSet<String>,
    suspended_at: Option<String>,
}

/// An enterprise has a slug in the place of a login.
#[derive(Debug, Deserialize)]
struct WireAccount {
    login: Option<String>,
    slug: Option<String>,
}

impl WireApp {
    fn into_grant(self) -> AppGrant {
        AppGrant {
            name: self.slug,
            permissions: self.permissions,
            events: self.events,
            suspended: false,
        }
    }
}

impl WireGrant {
    fn into_grant(self) -> AppGrant {
        AppGrant {
            name: self
                .account
                .and_then(|one| one.login.or(one.slug))
                .unwrap_or_default(),
            permissions: self.permissions,
            events: self.events,
            suspended: self.suspended_at.is_some(),
        }
    }
}

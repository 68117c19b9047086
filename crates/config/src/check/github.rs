//! `[github]`: the App, its secrets, and whom it serves.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use wildmatch::WildMatch;

use crate::GitHubConfig;
use crate::checker::{Checker, Secrecy};
use crate::error::{Problem, shown};
use crate::file;
use crate::url;

const BASE_URL: &str = "https://api.github.com";

pub(super) fn github(checker: &mut Checker<'_>, section: &file::GitHub) -> Option<GitHubConfig> {
    let app_id = checker.need("github.app_id", section.app_id);
    if app_id == Some(0) {
        checker.wrong("github.app_id", "is 0; write the number on the App's page");
    }
    let private_key = private_key(checker, section);
    let webhook_secrets = match checker.secrecy {
        Secrecy::Needed => webhook_secrets(checker, section),
        Secrecy::LeftOut => at_hand(checker, section),
    };
    Some(GitHubConfig {
        base_url: base_url(checker, section),
        webhook_secrets,
        app_id: app_id?,
        private_key: private_key?,
    })
}

fn private_key(checker: &mut Checker<'_>, section: &file::GitHub) -> Option<SecretString> {
    let given = section.private_key.clone();
    let file = section.private_key_file.as_deref();
    let key = secret(checker, "github.private_key_file", given, file);
    if checker.secrecy == Secrecy::Needed && key.as_ref().is_some_and(|key| !is_pem(key)) {
        checker.wrong(
            "github.private_key_file",
            "holds no private key; it is the PEM file that GitHub gave when the key was made",
        );
    }
    key
}

/// The webhook secrets where all of them can be read: with some alone, good signatures would seem forged.
fn at_hand(checker: &Checker<'_>, section: &file::GitHub) -> Vec<SecretString> {
    let mut secrets = section.webhook_secrets.0.clone();
    if let Some(path) = &section.webhook_secret_file {
        match (checker.read)(path) {
            Ok(text) => secrets.insert(0, SecretString::from(text.trim_end().to_owned())),
            Err(_) => secrets.clear(),
        }
    }
    secrets
}

fn base_url(checker: &mut Checker<'_>, section: &file::GitHub) -> String {
    let text = section.base_url.as_deref().unwrap_or(BASE_URL);
    if !url::is_http(text) {
        checker.wrong(
            "github.base_url",
            format!("is no URL; write {BASE_URL}, or https://HOST/api/v3 for Enterprise Server"),
        );
    }
    text.to_owned()
}

fn is_pem(key: &SecretString) -> bool {
    let key = key.expose_secret();
    key.contains("-----BEGIN ") && key.contains("PRIVATE KEY-----")
}

fn webhook_secrets(checker: &mut Checker<'_>, section: &file::GitHub) -> Vec<SecretString> {
    let mut secrets = section.webhook_secrets.0.clone();
    let file = section.webhook_secret_file.as_deref();
    if secrets.is_empty() && file.is_none() {
        checker
            .problems
            .push(Problem::missing("github.webhook_secrets"));
    } else if file.is_some() {
        // The first one is the current one: the file stays where it is while an old one leaves the list.
        let from_file = secret(checker, "github.webhook_secret_file", None, file);
        secrets.splice(0..0, from_file);
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
    if secrets.iter().any(is_pem) {
        checker.wrong(
            "github.webhook_secrets",
            "holds a private key, with which GitHub signs no webhook; write the App's webhook secret here, and \
             its key into private_key or private_key_file",
        );
    }
    secrets
}

/// A secret given itself, by the environment, or by a file that holds it. Where secrets are left out, it is empty:
/// an [`Outline`](crate::Outline) has no place for it.
pub(super) fn secret(
    checker: &mut Checker<'_>,
    key: &str,
    given: Option<SecretString>,
    file: Option<&Path>,
) -> Option<SecretString> {
    if checker.secrecy == Secrecy::LeftOut {
        return Some(SecretString::default());
    }
    match (given, file) {
        (Some(given), _) => Some(given),
        (None, Some(path)) => {
            let read = (checker.read)(path).map_err(|error| {
                format!("names {}, which cannot be read: {error}", path.display())
            });
            checker
                .good(key, read)
                .map(|text| SecretString::from(text.trim_end().to_owned()))
        }
        (None, None) => checker.need(key, None),
    }
}

pub(super) fn repositories(
    checker: &mut Checker<'_>,
    section: Option<Vec<String>>,
) -> Vec<WildMatch> {
    let patterns = section.unwrap_or_else(|| vec!["*".to_owned()]);
    if patterns.is_empty() {
        checker.wrong(
            "github.repositories",
            "is empty, so that nothing would be served; write them as [\"acme/*\"], or leave it \
             out to serve all",
        );
    }
    for pattern in patterns.iter().filter(|pattern| !may_match(pattern)) {
        let problem = format!(
            "holds {}, which no repository is called; write owner/name, as \"acme/*\"",
            shown(pattern)
        );
        checker.wrong("github.repositories", problem);
    }
    patterns
        .iter()
        .map(|pattern| WildMatch::new(&pattern.to_ascii_lowercase()))
        .collect()
}

/// Whether a repository can have such a name: what a star or a question mark stands for may hold
/// the slash.
pub(super) fn may_match(pattern: &str) -> bool {
    let known =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '*' | '?');
    let slashes = pattern.matches('/').count();
    let open = pattern.contains(['*', '?']);
    !pattern.is_empty() && pattern.chars().all(known) && (slashes == 1 || slashes == 0 && open)
}

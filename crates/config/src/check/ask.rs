//! `[ask.NAME]`: the endpoints that may be asked about re-runs, and who may name them.

use std::collections::BTreeMap;

use reprise_model::advice::EndpointName;
use reprise_model::ids::Region;
use secrecy::{ExposeSecret, SecretString};
use wildmatch::WildMatch;

use super::github;
use crate::EndpointConfig;
use crate::checker::{Checker, Secrecy};
use crate::error::shown;
use crate::file::Ask;
use crate::policies::Policies;
use crate::url;

/// A shorter one could be guessed by trying.
const LEAST_SECRET: usize = 16;

/// The longest ARN of a function with an alias is some 280 characters.
const LONGEST_FUNCTION: usize = 300;

type Endpoints = BTreeMap<EndpointName, EndpointConfig>;
type Named = BTreeMap<EndpointName, Vec<WildMatch>>;

/// How each is asked, and the repositories whose labels may name it.
pub(super) fn endpoints(
    checker: &mut Checker<'_>,
    section: BTreeMap<String, Ask>,
    region: Option<&Region>,
) -> (Endpoints, Named) {
    let (mut endpoints, mut named) = (Endpoints::new(), Named::new());
    for (text, ask) in section {
        let Some(name) = checker.good("ask", text.parse::<EndpointName>()) else {
            continue;
        };
        if named.contains_key(&name) {
            let problem = format!("has {name} twice, as upper and lower case count the same");
            checker.wrong("ask", problem);
        }
        let patterns = repositories(checker, &name, ask.repositories.clone());
        named.insert(name, patterns);
        endpoints.extend(endpoint(checker, &name, ask, region).map(|one| (name, one)));
    }
    (endpoints, named)
}

/// Whether each endpoint that a `[[policy]]` asks is there.
pub(super) fn are_there(checker: &mut Checker<'_>, policies: &Policies) {
    for (number, rule) in (1..).zip(&policies.rules) {
        let missing = |name: &EndpointName| !policies.endpoints.contains_key(name);
        if let Some(name) = rule.retry.endpoint().filter(missing) {
            let problem = format!("of [[policy]] number {number} asks {name}, which is not there");
            checker.wrong("policy.retry", format!("{problem}; add [ask.{name}]"));
        }
    }
}

fn endpoint(
    checker: &mut Checker<'_>,
    name: &EndpointName,
    ask: Ask,
    region: Option<&Region>,
) -> Option<EndpointConfig> {
    let key = |key: &str| format!("ask.{name}.{key}");
    match (ask.url, ask.lambda) {
        (Some(url), None) => {
            if ask.region.is_some() {
                let problem = "is for a Lambda function, and an address has none; leave it out";
                checker.wrong(&key("region"), problem);
            }
            let secret = secret(checker, name, ask.secret, ask.secret_file.as_deref());
            if url::is_private(&url) {
                let secret = secret?;
                return Some(EndpointConfig::Url { url, secret });
            }
            checker.wrong(&key("url"), bad_url(&url));
            None
        }
        (None, Some(function)) => {
            if ask.secret.is_some() || ask.secret_file.is_some() {
                let problem =
                    "is of no use, as AWS signs what a Lambda function gets; leave it out";
                checker.wrong(&key("secret_file"), problem);
            }
            lambda(checker, name, function, (ask.region, region))
        }
        (Some(_), Some(_)) => {
            let problem = "stands beside a url; keep the one that is to be asked";
            checker.wrong(&key("lambda"), problem);
            None
        }
        (None, None) => {
            let problem = "is missing, and lambda too; write one of them, as \
                           url = \"https://judge.example/ask\"";
            checker.wrong(&key("url"), problem);
            None
        }
    }
}

fn secret(
    checker: &mut Checker<'_>,
    name: &EndpointName,
    given: Option<SecretString>,
    file: Option<&std::path::Path>,
) -> Option<SecretString> {
    let key = format!("ask.{name}.secret_file");
    if checker.secrecy == Secrecy::Needed && given.is_none() && file.is_none() {
        let problem = "is missing; without a secret nobody can tell our questions from others'. \
                       `openssl rand -hex 32` makes one";
        checker.wrong(&key, problem);
        return None;
    }
    let secret = github::secret(checker, &key, given, file)?;
    let is_short = secret.expose_secret().trim().len() < LEAST_SECRET;
    if checker.secrecy == Secrecy::Needed && is_short {
        let problem = format!("holds no secret of {LEAST_SECRET} or more characters");
        checker.wrong(&key, format!("{problem}; `openssl rand -hex 32` makes one"));
    }
    Some(secret)
}

/// An ARN names its region; else it is the one given, else that of the queues.
fn lambda(
    checker: &mut Checker<'_>,
    name: &EndpointName,
    function: String,
    (given, usual): (Option<String>, Option<&Region>),
) -> Option<EndpointConfig> {
    let key = format!("ask.{name}.lambda");
    if !is_function(&function) {
        let problem = format!(
            "is {}, which no Lambda function is called",
            shown(&function)
        );
        checker.wrong(&key, format!("{problem}; write its name or its ARN"));
        return None;
    }
    let of_arn = arn_region(&function).map(str::to_owned);
    if let (Some(given), Some(of_arn)) = (&given, &of_arn)
        && given != of_arn
    {
        let problem = format!("is {}, and the ARN names {of_arn}", shown(given));
        checker.wrong(
            &format!("ask.{name}.region"),
            format!("{problem}; leave it out"),
        );
    }
    let named = of_arn.or(given).map(Region::new);
    let region = named.or_else(|| usual.cloned())?;
    Some(EndpointConfig::Lambda { function, region })
}

/// The characters of names and ARNs, versions and aliases.
fn is_function(text: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '$');
    let is_whole = !text.starts_with("arn:") || arn_region(text).is_some();
    !text.is_empty() && text.len() <= LONGEST_FUNCTION && text.chars().all(known) && is_whole
}

/// `eu-west-1` of `arn:aws:lambda:eu-west-1:123456789012:function:judge`.
fn arn_region(function: &str) -> Option<&str> {
    let mut parts = function.strip_prefix("arn:")?.split(':');
    let (_, service) = (parts.next()?, parts.next()?);
    let region = parts.next().filter(|region| !region.is_empty())?;
    let (_, kind) = (parts.next()?, parts.next()?);
    (service == "lambda" && kind == "function" && parts.next().is_some()).then_some(region)
}

fn repositories(
    checker: &mut Checker<'_>,
    name: &EndpointName,
    section: Option<Vec<String>>,
) -> Vec<WildMatch> {
    let key = format!("ask.{name}.repositories");
    let Some(patterns) = section else {
        let problem = "is missing; write whose labels may name it, as [\"acme/*\"], or [] where \
                       only [[policy]] does";
        checker.wrong(&key, problem);
        return Vec::new();
    };
    for pattern in patterns.iter().filter(|one| !github::may_match(one)) {
        let problem = format!("holds {}, which no repository is called", shown(pattern));
        checker.wrong(&key, format!("{problem}; write owner/name, as \"acme/*\""));
    }
    let patterns = patterns.iter();
    patterns
        .map(|pattern| WildMatch::new(&pattern.to_ascii_lowercase()))
        .collect()
}
/// Whoever stands before the host is a secret, and is not shown.
fn bad_url(url: &str) -> String {
    if url.contains('@') {
        return "holds an @; what is before the host of an address would be a secret in every log, and the \
                questions are signed: leave it out"
            .to_owned();
    }
    let url = shown(url);
    format!(
        "is {url}; write https:// and a host, as https://judge.example/ask, or http:// to this machine itself"
    )
}

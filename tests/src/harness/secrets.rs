//! What no log of a stage may tell.

use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};
use regex::Regex;

use super::config::WEBHOOK_SECRET;
use super::operator::TOKEN;

/// What signs the controllers' calls to AWS.
pub const AWS_SECRET_KEY: &str = "fake-secret-key-of-the-tests";

/// Secrets that begin so: tokens of installations, and what the world gives an instance's role.
const BEGINNINGS: [(&str, &str); 3] = [
    ("a token of an installation", "ghs_"),
    ("a role's secret key", "fake-secret-of-"),
    ("a role's session token", "fake-session-token-of-"),
];

/// JSON in base64: the JWTs of the App, and the configurations of runners.
static ENCODED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new("ey[IJ][0-9A-Za-z+/_-]{20}").ok());

/// Looks through all logs in a folder, those of controllers and of agents; answers how many there are.
pub(super) fn are_kept(folder: &Path) -> Result<usize> {
    let key =
        std::fs::read_to_string(folder.join("app-key.pem")).context("failed to read a key")?;
    let mut count = 0;
    for entry in std::fs::read_dir(folder).context("failed to list the logs")? {
        let path = entry.context("failed to list the logs")?.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        count += 1;
        let log = std::fs::read(&path)?;
        let log = String::from_utf8_lossy(&log);
        let told = log.lines().find_map(|line| Some((told(line, &key)?, line)));
        ensure!(told.is_none(), "{} tells {told:?}", path.display());
    }
    Ok(count)
}

/// The secret that a line tells.
fn told(line: &str, private_key: &str) -> Option<&'static str> {
    let whole = [
        ("the webhook secret", WEBHOOK_SECRET),
        ("the controllers' AWS secret key", AWS_SECRET_KEY),
        ("the operator's token", TOKEN),
    ];
    let mut known = whole.into_iter().chain(BEGINNINGS);
    if let Some((what, _)) = known.find(|(_, text)| line.contains(text)) {
        return Some(what);
    }
    let mut parts = private_key.lines().filter(|part| part.len() >= 40);
    if parts.any(|part| line.contains(part)) {
        return Some("the App's private key");
    }
    let encoded = ENCODED.as_ref().is_none_or(|one| one.is_match(line));
    encoded.then_some("a JWT or a runner's configuration")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_is_found_wherever_it_stands_in_a_log() {
        let part = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj";
        let key = format!("-----BEGIN PRIVATE KEY-----\n{part}\n-----END PRIVATE KEY-----\n");
        let jit = "eyIucnVubmVyIjoiZXlKQloyVnVkRWxr";
        let jwt = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJpc3MiOjF9.sig";
        for secret in [
            WEBHOOK_SECRET,
            AWS_SECRET_KEY,
            TOKEN,
            "ghs_0123456789",
            "fake-secret-of-i-0123456789abcdef0",
            "fake-session-token-of-i-0123456789abcdef0",
            part,
            jit,
            jwt,
        ] {
            let line = format!("{{\"message\":\"it said {secret}, which it must not\"}}");
            assert!(told(&line, &key).is_some(), "{secret}");
        }
        let line = "{\"message\":\"launched\",\"runner.name\":\"reprise--i-0--eyJ\"}";
        assert_eq!(told(line, &key), None);
    }

    #[test]
    fn a_log_that_tells_a_secret_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("app-key.pem", "-----BEGIN PRIVATE KEY-----\n").expect("written");
        write("controller.toml", WEBHOOK_SECRET).expect("written");
        write("controller-0.log", "started\n").expect("written");
        assert_eq!(are_kept(folder.path()).expect("they are kept"), 1);
        write("agent-i-0.log", "polls\nuses ghs_0123\n").expect("written");
        let error = are_kept(folder.path()).expect_err("it is told").to_string();
        assert!(error.contains("agent-i-0.log tells"), "{error}");
    }
}

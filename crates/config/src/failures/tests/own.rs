//! An operator's own patterns.

use std::collections::BTreeMap;

use reprise_engine::failure::judge;
use reprise_model::failure::{FailureClass, FailureRule, FailureTable};

use super::example;
use crate::{Config, ConfigError};

/// The least that is good, in retry-only mode.
const LEAST: &str = r#"
[github]
app_id = 12345
private_key = """
-----BEGIN RSA PRIVATE KEY-----
not-a-real-key
-----END RSA PRIVATE KEY-----
"""
webhook_secrets = ["first-fake-secret"]
[[aws.regions]]
region = "eu-west-1"
account = "123456789012"
[queues]
webhooks = "https://sqs.example/webhooks"
[fleet]
enabled = false
"#;

const OWN: &str = r#"
[[failures.transient]]
patterns = ['license server is busy', 'artifact \S+ not found in the mirror']
note = "our license server and our mirror"
examples = ["license server is busy (code 12)"]

[[failures.permanent]]
patterns = ['contract violation']
reach = "step"
note = "our contract tests"

[[failures.harmless]]
patterns = ['^telemetry: ']
note = "our telemetry is never there"
"#;

#[test]
fn own_patterns_go_before_the_built_in_table_in_their_lines() {
    let config = read(OWN).expect("good");
    for (printed, class) in [
        ("license server is busy", FailureClass::Transient),
        (
            "Error: artifact x.jar not found in the mirror",
            FailureClass::Transient,
        ),
        (
            "contract violation\ncurl: (6) Could not resolve host: x",
            FailureClass::Permanent,
        ),
        ("telemetry: connection refused", FailureClass::Unknown),
        (
            "curl: (6) Could not resolve host: x",
            FailureClass::Transient,
        ),
    ] {
        let example = &example::read(&format!("@@ own\n{printed}\n"))[0];
        let judgement = judge(&example.facts, config.settings.failures.tables());
        assert_eq!(judgement.class, class, "{printed}: {judgement}");
    }
}

#[test]
fn a_judgement_names_the_operators_table() {
    let config = read(OWN).expect("good");
    let example = &example::read("@@ own\nlicense server is busy\n")[0];
    let judgement = judge(&example.facts, config.settings.failures.tables());
    let rule = judgement.decided_by.expect("it was decided").rule;
    assert_eq!(
        rule,
        FailureRule::Pattern {
            table: FailureTable::Configured,
            pattern: "license server is busy".to_owned(),
            note: "our license server and our mirror".to_owned(),
        }
    );
}

#[test]
fn without_own_patterns_there_is_the_built_in_table_alone() {
    let config = read("").expect("good");
    assert!(config.settings.failures.tables().configured.is_none());
}

#[test]
fn a_bad_pattern_is_told_with_its_place_and_what_to_do() {
    let told: Vec<String> = [
        "[[failures.transient]]\npatterns = ['good']\n[[failures.transient]]\npatterns = ['a(b']",
        "[[failures.permanent]]\npatterns = ['x*']",
        "[[failures.permanent]]\npatterns = ['caf\u{e9}']",
        "[[failures.harmless]]\npatterns = []",
        "[[failures.transient]]\npatterns = ['x']\nreach = \"step\"",
        "[[failures.transient]]\npatterns = ['busy']\nexamples = [\"bussy\"]",
        "[[failures.transient]]\npatterns = ['(?:a{900}){900}']",
        "[[failures.transient]]\npatterns = ['x']\nreach = \"ende\"",
        "[[failures.transient]]\npattern = 'x'",
    ]
    .into_iter()
    .map(|text| read(text).expect_err("bad").to_string())
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_pattern_that_is_too_long_and_too_many_patterns_are_refused() {
    let long = format!(
        "[[failures.transient]]\npatterns = ['{}']",
        "x".repeat(1_001)
    );
    let error = read(&long).expect_err("too long").to_string();
    assert!(error.contains("1000 are allowed"), "{error}");
    let many = "[[failures.transient]]\npatterns = ['x']\n".repeat(501);
    let error = read(&many).expect_err("too many").to_string();
    assert!(
        error.ends_with("failures.* has 501 entries; write 500 at most"),
        "{error}"
    );
}

fn read(own: &str) -> Result<Config, ConfigError> {
    let text = format!("{LEAST}{own}");
    Config::parse(
        "controller.toml",
        &text,
        &BTreeMap::new(),
        &|_| unreachable!(),
    )
}

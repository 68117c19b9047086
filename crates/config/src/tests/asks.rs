//! `[ask.NAME]`, and who may name it.

use super::*;
use crate::EndpointConfig;

const JUDGE: &str = r#"
[ask.Judge]
url = "https://judge.example/ask"
secret = "a-fake-secret-of-some-length"
repositories = ["Acme/*"]

[ask.flaky]
lambda = "arn:aws:lambda:eu-central-1:123456789012:function:flaky:live"
repositories = []

[ask.local]
lambda = "local-judge"
repositories = ["acme/shop"]

[[policy]]
retry = "ask:flaky"
"#;

#[test]
fn an_endpoint_is_an_address_with_a_secret_or_a_function() {
    let config = good(&format!("{GOOD}{JUDGE}"), &[]);
    let shown: Vec<String> = config
        .endpoints
        .iter()
        .map(|(name, one)| match one {
            EndpointConfig::Url { url, secret } => {
                format!("{name}: {url} with {}", secret.expose_secret())
            }
            EndpointConfig::Lambda { function, region } => {
                format!("{name}: {function} in {region}")
            }
        })
        .collect();
    assert_eq!(
        shown,
        [
            "flaky: arn:aws:lambda:eu-central-1:123456789012:function:flaky:live in eu-central-1",
            "judge: https://judge.example/ask with a-fake-secret-of-some-length",
            "local: local-judge in eu-west-1",
        ]
    );
    let may_name = |endpoint: &str, repository: &str| {
        let said = format!("ask:{endpoint}").parse().expect("a policy");
        let repository = repository.parse().expect("a repository");
        let policies = &config.settings.policies;
        policies.refused(said, Some(&repository)).is_none()
    };
    assert!(may_name("judge", "acme/shop") && !may_name("judge", "other/shop"));
    assert!(!may_name("flaky", "acme/shop") && !may_name("nobody", "acme/shop"));
    assert_eq!(config.settings.web, "https://github.com");
}

#[test]
fn all_that_is_wrong_with_endpoints_is_told_at_once() {
    let wrong = r#"
[ask."no name"]
url = "https://judge.example"
[ask.nothing]
repositories = ["acme"]
[ask.both]
url = "https://judge.example"
lambda = "judge"
repositories = []
[ask.plain]
url = "http://judge.example/ask"
region = "eu-west-1"
[ask.short]
url = "https://judge.example/ask"
secret = "short"
repositories = []
[ask.bare]
url = "https://judge.example/ask"
repositories = []
[ask.function]
lambda = "arn:aws:lambda:eu-west-1:123456789012:function:judge"
region = "eu-north-1"
secret = "a-fake-secret-of-some-length"
repositories = []
[ask.odd]
lambda = "arn:aws:sqs:eu-west-1:123456789012:judge"
repositories = []
[ask.unreadable]
url = "https://judge.example/ask"
secret_file = "/nowhere/at/all"
repositories = []
[[policy]]
retry = "ask:nobody"
[[policy]]
retry = "ask:"
"#;
    insta::assert_snapshot!(bad(&format!("{GOOD}{wrong}"), &[]));
}

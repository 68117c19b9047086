//! Who needs no secrets reads a configuration without them.

use super::*;

fn outline(text: &str) -> Result<Outline, ConfigError> {
    Outline::parse("controller.toml", text, &BTreeMap::new(), &|path| {
        std::fs::read_to_string(path)
    })
}

/// The least configuration with its secrets in files that are not there.
fn elsewhere() -> String {
    let start = GOOD.find("private_key").expect("it is there");
    let end = GOOD.find("[[aws.regions]]").expect("it is there");
    format!(
        "{}private_key_file = \"/nowhere/key\"\nwebhook_secret_file = \"/nowhere/secret\"\n\n{}\
         [api]\ntoken_file = \"/nowhere/token\"\n\
         [ask.judge]\nurl = \"https://judge.example/ask\"\nrepositories = []\nsecret_file = \"/nowhere/judge\"\n",
        &GOOD[..start],
        &GOOD[end..]
    )
}

#[test]
fn secrets_that_are_not_there_are_missed_by_the_controller_and_not_by_an_outline() {
    let text = elsewhere();
    assert_eq!(bad(&text, &[]).matches("cannot be read").count(), 4);
    let outline = outline(&text).expect("good");
    assert_eq!(outline.queues.webhooks, "https://sqs.example/webhooks");
    assert_eq!(outline.store, sqlite("reprise.db"));
    assert!(outline.settings.fleet.is_some());
    assert!(outline.webhook_secrets.is_empty());
}

#[test]
fn an_outline_needs_no_key_of_a_secret_at_all_as_the_environment_may_hold_it_elsewhere() {
    let text = elsewhere()
        .replace("private_key_file = \"/nowhere/key\"\n", "")
        .replace("webhook_secret_file = \"/nowhere/secret\"\n", "")
        .replace("secret_file = \"/nowhere/judge\"\n", "");
    assert!(outline(&text).is_ok(), "{:?}", outline(&text));
}

#[test]
fn webhook_secrets_count_where_all_of_them_can_be_read() {
    assert_eq!(outline(GOOD).expect("good").webhook_secrets.len(), 2);
    let some = with("github", "webhook_secret_file = \"/nowhere/secret\"");
    assert!(outline(&some).expect("good").webhook_secrets.is_empty());
}

#[test]
fn other_mistakes_are_told_to_whoever_reads_an_outline() {
    let text = elsewhere().replace("123456789012", "1234");
    let error = outline(&text).expect_err("bad").to_string();
    assert!(error.contains("account"), "{error}");
}

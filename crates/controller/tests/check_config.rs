//! `reprise-controller --check-config` as an operator runs it.

#![expect(
    clippy::expect_used,
    reason = "the helpers of a test fail it where they stand"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn a_good_configuration_is_said_to_be_good_and_nothing_is_started() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["controller.toml", "retry-only.toml"] {
        let config = example(name, folder.path());
        let output = check(&config, &[]);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8(output.stdout).expect("text");
        assert_eq!(said, format!("{} is good\n", config.display()));
        assert!(output.stderr.is_empty());
    }
    assert!(!folder.path().join("reprise.db").exists());
}

#[test]
fn a_bad_configuration_is_a_failure_that_says_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = example("controller.toml", folder.path());
    let output = check(&config, &[("REPRISE__FLEET__STAK", "demo")]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("text");
    let wanted = "error: environment variable REPRISE__FLEET__STAK: unknown key \"stak\"; \
                  did you mean \"stack\"?\n";
    assert_eq!(said, wanted);
    assert!(output.stdout.is_empty());
}

#[test]
fn a_configuration_that_is_not_there_is_a_failure_that_names_it() {
    let output = check(Path::new("/nowhere/controller.toml"), &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("/nowhere/controller.toml"), "{said}");
    assert!(said.contains("No such file"), "{said}");
}

fn check(config: &Path, environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reprise-controller"))
        .arg("--check-config")
        .arg("--config")
        .arg(config)
        .envs(environment.iter().copied())
        .output()
        .expect("it runs")
}

/// An example with its secrets and its ledger in a folder that exists.
fn example(name: &str, folder: &Path) -> PathBuf {
    let key = "-----BEGIN RSA PRIVATE KEY-----\nnot-a-real-key\n-----END RSA PRIVATE KEY-----\n";
    std::fs::write(folder.join("app-key.pem"), key).expect("written");
    std::fs::write(folder.join("webhook-secret"), "a-fake-secret\n").expect("written");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../config/examples")
        .join(name);
    let text = std::fs::read_to_string(source).expect("readable");
    let folder_text = folder.display().to_string();
    let text = text
        .replace("/etc/reprise", &folder_text)
        .replace("/var/lib/reprise", &folder_text);
    let config = folder.join(name);
    std::fs::write(&config, text).expect("written");
    config
}

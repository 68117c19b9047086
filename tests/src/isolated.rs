//! A test in a process of its own.
//!
//! The AWS SDK takes endpoint and credentials from the environment, as it does in production, and
//! the environment of a running process is nobody's to change. So a test starts its server and then
//! runs itself once more, alone, with the environment that leads there.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

/// Where the second run finds what it is to test, as JSON.
const PLACE: &str = "REPRISE_TEST_PLACE";

/// Set by operators in their own shells; none of it may leak into a test.
const FOREIGN: [&str; 8] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_STS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
];

/// In the second run: what to test. `None` in the first.
pub fn place<P: DeserializeOwned>() -> Result<Option<P>> {
    std::env::var(PLACE)
        .ok()
        .map(|text| serde_json::from_str(&text).context("failed to read what to test"))
        .transpose()
}

/// Runs the test of this name again, with an environment that leads to `endpoint`.
pub async fn run_again(test: &str, endpoint: &str, place: &impl Serialize) -> Result<()> {
    run_again_in(test, endpoint, place, |_| {}).await
}

/// The same, in an environment that `changed` has its own ideas of.
pub async fn run_again_in(
    test: &str,
    endpoint: &str,
    place: &impl Serialize,
    changed: impl FnOnce(&mut Command),
) -> Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    for name in FOREIGN {
        command.env_remove(name);
    }
    command
        .args([test, "--exact", "--nocapture"])
        .env(PLACE, serde_json::to_string(place)?)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_ACCESS_KEY_ID", "AKIAFAKETEST")
        .env("AWS_SECRET_ACCESS_KEY", "fake-secret-of-a-test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    changed(&mut command);
    let output = command
        .output()
        .await
        .context("failed to start the test program again")?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{test} failed in its own process:\n{said}{complained}"
    );
    // A name that no test has would run nothing, and pass.
    ensure!(
        said.contains("1 passed"),
        "no test is called {test}:\n{said}"
    );
    Ok(())
}

//! Which commands work for somebody who has the configuration, and not its secrets.

use anyhow::{Result, ensure};
use reprise_tests::harness::stage::Stage;

use super::asked;

/// The stage's configuration, with its secrets in files that are not there.
fn without_secrets(stage: &Stage) -> Result<String> {
    let text = std::fs::read_to_string(stage.config())?;
    let lines = text.lines().map(|line| match line.split_once(" = ") {
        Some(("private_key_file", _)) => "private_key_file = \"/nowhere/app-key.pem\"",
        Some(("webhook_secrets", _)) => "webhook_secret_file = \"/nowhere/webhook-secret\"",
        Some(_) | None => line,
    });
    let lines: Vec<&str> = lines.collect();
    ensure!(lines.join("\n").matches("/nowhere/").count() == 2, "{text}");
    let config = stage.config().with_file_name("without-secrets.toml");
    std::fs::write(&config, lines.join("\n"))?;
    Ok(config.display().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_need_no_secrets_and_what_speaks_to_github_names_those_that_it_misses() -> Result<()>
{
    let stage = Stage::usual().await?;
    // It makes the ledger.
    let controller = stage.controller().await?;
    let config = without_secrets(&stage)?;
    let labels = ["labels", "check", "--config", &config, "runs-on=1/cpu=2"];
    let checked = asked(&stage, &labels).await?;
    ensure!(checked.code == Some(0), "{checked:?}");
    ensure!(checked.told.contains("c7a.large"), "{checked:?}");

    let list = asked(&stage, &["queue", "dead", "list", "--config", &config]).await?;
    ensure!(list.code == Some(0), "{list:?}");
    ensure!(
        list.complained.contains("no signature is checked"),
        "{list:?}"
    );
    let redrive = ["queue", "dead", "redrive", "--all", "--config", &config];
    let redriven = asked(&stage, &redrive).await?;
    ensure!(redriven.code == Some(0), "{redriven:?}");

    let retries = asked(&stage, &["retries", "list", "--config", &config]).await?;
    ensure!(retries.code == Some(0), "{retries:?}");
    let unknown = asked(&stage, &["explain", "acme/shop", "1", "--config", &config]).await?;
    unknown.fails_with(&["error: no webhook of run acme/shop/1 has arrived"])?;

    let doctor = asked(&stage, &["doctor", "--config", &config]).await?;
    doctor.fails_with(&["/nowhere/app-key.pem", "/nowhere/webhook-secret"])?;
    controller.terminate().await?;
    Ok(())
}

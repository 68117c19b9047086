//! `reprise explain` and `reprise retries`, as somebody uses them who wants to know why a job failed.
//!
//! The machines are somebody else's, so that the test decides what each attempt comes to.

use anyhow::{Context, Result, ensure};
use reprise_model::ids::JobId;
use reprise_model::job::Conclusion;
#[cfg(feature = "peers")]
use reprise_tests::harness::afar::Afar;
#[cfg(feature = "peers")]
use reprise_tests::harness::config::Places;
use reprise_tests::harness::controller::Controller;
use reprise_tests::harness::foreign::{NAME_PATTERN, interrupt, loses, push, take};
use reprise_tests::harness::operator::{API, Said, operator, said};
use reprise_tests::harness::stage::{Setting, Stage};
use serde_json::Value;

/// A stage, its controller, and where that is asked.
async fn stage() -> Result<(Stage, Controller, String)> {
    stage_of(Setting::default()).await
}

async fn stage_of(setting: Setting) -> Result<(Stage, Controller, String)> {
    let setting = Setting {
        variables: vec![
            ("REPRISE__FLEET__ENABLED", "false"),
            ("REPRISE__RUNNER__NAME_PATTERN", NAME_PATTERN),
            ("REPRISE__GITHUB__REPOSITORIES", "[\"acme/*\"]"),
        ],
        config: API,
        ..setting
    };
    let stage = Stage::set(setting).await?;
    let mut controller = stage.controller().await?;
    let serves = controller.says("its API", |line| line["api.address"].is_string());
    let serves = serves.await?;
    let address = serves["api.address"].as_str().context("no address")?;
    let api = format!("http://{address}");
    Ok((stage, controller, api))
}

async fn ask(api: &str, arguments: &[&str]) -> Result<Said> {
    said(operator(api, arguments)?).await
}

/// The same, straight to the ledger.
async fn look(stage: &Stage, arguments: &[&str]) -> Result<Said> {
    let config = stage.config();
    let config = config.to_str().context("no text")?;
    let all = [arguments, &["--config", config]].concat();
    // Nobody listens there.
    let mut command = operator("http://127.0.0.1:9", &all)?;
    command
        .env("AWS_ENDPOINT_URL_DYNAMODB", &stage.places().dynamodb_url)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIAFAKETESTFAKETEST")
        .env("AWS_SECRET_ACCESS_KEY", "fake-secret-key-of-the-tests");
    said(command).await
}

/// The id of the only job, once the run has this attempt.
async fn attempt(stage: &Stage, number: u32) -> Result<JobId> {
    let what = format!("attempt {number}");
    let seen = stage.sees(&what, move |world, _| {
        let run = world.github().runs().next()?;
        let current = run.current();
        (current.number.get() == number).then(|| current.jobs.keys().next().copied())?
    });
    seen.await
}

/// Their fleet runs the job of this attempt, and it ends so.
async fn runs(stage: &Stage, number: u32, conclusion: Conclusion) -> Result<JobId> {
    let job = attempt(stage, number).await?;
    take(stage, job).await?;
    stage.with(|world, now| {
        let github = world.github_mut(now);
        github.finish_job(now, job, conclusion, Vec::new())
    })?;
    Ok(job)
}

/// A job that was interrupted, came back once, and failed again. Its run's id, and its own.
async fn is_exhausted(stage: &Stage, controller: &mut Controller) -> Result<(String, JobId)> {
    let job = push(stage, "acme/shop", "e2e")?;
    let (instance, _) = take(stage, job).await?;
    interrupt(stage, &instance)?;
    loses(stage, &instance, job).await?;
    runs(stage, 2, Conclusion::Failure).await?;
    controller
        .says("the end of it", |line| {
            line["decision"] == "settled" && line["reason"] == "failed-again"
        })
        .await?;
    let run = stage.with(|world, _| world.github().runs().next().map(|run| run.id));
    Ok((run.context("no run")?.to_string(), job))
}

fn lines_of<'a>(told: &'a Value, key: &str) -> Result<Vec<&'a str>> {
    let lines = told["story"].as_array().context("no story")?;
    Ok(lines.iter().filter_map(|line| line[key].as_str()).collect())
}

async fn an_exhausted_job_is_explained_listed_requeued_and_recovers(
    (stage, mut controller, api): (Stage, Controller, String),
) -> Result<()> {
    let (run, job) = is_exhausted(&stage, &mut controller).await?;
    let address = format!("https://github.com/acme/shop/actions/runs/{run}/job/{job}");

    let listed = ask(&api, &["retries", "list", "--json", "--since", "24h"]).await?;
    let listed = listed.lines()?;
    ensure!(listed.len() == 1, "{listed:#?}");
    for (key, value) in [
        ("state", Value::from("exhausted")),
        ("attempt", Value::from(2)),
        ("limit", Value::from(2)),
        ("reason", Value::from("failed-again")),
        ("job", Value::from(job.0)),
        ("next_due", Value::Null),
    ] {
        ensure!(listed[0][key] == value, "{key}: {}", listed[0]);
    }
    let since = listed[0]["seconds_since_failure"].as_i64();
    ensure!(since.is_some_and(|since| since >= 0), "{}", listed[0]);
    let table = ask(&api, &["retries", "list", "--repo", "acme/shop"]).await?;
    for words in ["exhausted", "2 of 2", "its re-run did not pass", "e2e"] {
        ensure!(table.told.contains(words), "{words}: {table:?}");
    }
    is_explained_in_order(&stage, &api, &address).await?;

    let done = ask(&api, &["retries", "requeue", &address]).await?;
    ensure!(done.told.contains("has a fresh chance"), "{done:?}");
    let second = attempt(&stage, 3).await?;
    runs(&stage, 3, Conclusion::Success).await?;
    controller
        .says("the recovery", |line| {
            line["decision"] == "settled" && line["reason"] == "recovered"
        })
        .await?;
    ensure!(stage.mutations().len() == 2, "{:?}", stage.mutations());
    let left = ask(&api, &["retries", "list", "--json"]).await?.lines()?;
    ensure!(left.is_empty(), "{left:#?} of attempt 3, job {second}");
    let recovered = look(
        &stage,
        &["retries", "list", "--json", "--state", "recovered"],
    )
    .await?;
    ensure!(recovered.lines()?.len() == 1, "{recovered:?}");
    let told = ask(&api, &["explain", "acme/shop", &run]).await?;
    for words in [
        "a person asked for a fresh chance",
        "it has a fresh chance",
        "its re-run passed",
    ] {
        ensure!(told.told.contains(words), "{words}: {told:?}");
    }
    let shown = ask(&api, &["retries", "show", "acme/shop", &run]).await?;
    ensure!(
        shown.told.contains("1 job is in the ledger: 1 recovered"),
        "{shown:?}"
    );
    controller.is_healthy().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_job_is_explained_listed_requeued_and_recovers_in_sqlite() -> Result<()> {
    an_exhausted_job_is_explained_listed_requeued_and_recovers(stage().await?).await
}

#[cfg(feature = "peers")]
#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_job_is_explained_listed_requeued_and_recovers_in_dynamodb() -> Result<()> {
    let usual = Setting::default();
    let afar = Afar::start(usual.speed, 20).await?;
    let elsewhere = afar.places();
    let places = move |places: &mut Places| {
        let worlds = places.clone();
        elsewhere(places);
        *places = Places {
            ledger: places.ledger.clone(),
            dynamodb_url: places.dynamodb_url.clone(),
            ..worlds
        };
    };
    let stage = stage_of(Setting {
        places: Box::new(places),
        ..usual
    });
    an_exhausted_job_is_explained_listed_requeued_and_recovers(stage.await?).await
}

/// By both ways the same, in the order in which it happened.
async fn is_explained_in_order(stage: &Stage, api: &str, address: &str) -> Result<()> {
    let asked = ask(api, &["explain", address, "--json"]).await?.lines()?;
    let looked = look(stage, &["explain", address, "--json"])
        .await?
        .lines()?;
    ensure!(
        asked[0]["story"] == looked[0]["story"],
        "{asked:#?} {looked:#?}"
    );
    let told = &asked[0];
    let kinds = lines_of(told, "kind")?;
    let mut places = Vec::new();
    for (kind, rule) in [
        ("evidence", None),
        ("verdict", Some("interrupted")),
        ("effect", Some("one-wanted")),
        ("answer", Some("accepted")),
        ("verdict", Some("failed-again")),
    ] {
        let lines = told["story"].as_array().context("no story")?;
        let is_it = |line: &Value| line["kind"] == kind && line["rule"].as_str() == rule;
        let place = lines.iter().position(is_it);
        places.push(place.with_context(|| format!("{kind} {rule:?} in {kinds:?}"))?);
    }
    ensure!(places.is_sorted(), "{places:?}: {told:#}");
    let times = lines_of(told, "at")?;
    ensure!(times.is_sorted(), "{times:?}");
    let text = ask(api, &["explain", address]).await?;
    for words in [
        "1 job is in the ledger: 1 exhausted",
        "[tag]",
        "GitHub was asked to re-run job",
    ] {
        ensure!(text.told.contains(words), "{words}: {text:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_dismissed_and_requeued_straight_in_the_ledger() -> Result<()> {
    let (stage, mut controller, api) = stage().await?;
    let (run, _) = is_exhausted(&stage, &mut controller).await?;
    let done = look(&stage, &["retries", "dismiss", "acme/shop", &run, "--json"]).await?;
    ensure!(done.lines()?[0]["dismissed"] == true, "{done:?}");
    let left = ask(&api, &["retries", "list", "--json"]).await?.lines()?;
    ensure!(left.is_empty(), "{left:#?}");
    let none = ask(&api, &["retries", "requeue", "acme/shop", &run]).await?;
    none.fails_with(&["no job of run", "is exhausted; name a job by its id"])?;
    let told = ask(&api, &["retries", "show", "acme/shop", &run, "--json"])
        .await?
        .lines()?;
    let job = told[0]["job"].to_string();
    let done = look(
        &stage,
        &["retries", "requeue", "acme/shop", &run, "--job", &job],
    )
    .await?;
    ensure!(done.code == Some(0), "{done:?}");
    runs(&stage, 3, Conclusion::Success).await?;
    controller
        .says("the recovery", |line| {
            line["decision"] == "settled" && line["reason"] == "recovered"
        })
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_answered_with_what_is_wrong_and_what_to_do() -> Result<()> {
    let (stage, _controller, api) = stage().await?;
    for (arguments, words) in [
        (
            &["explain", "https://github.com/acme/shop/pull/3"] as &[&str],
            &["it is the address of no run", "acme/shop 9000000001"] as &[&str],
        ),
        (
            &["explain", "acme/shop", "1"],
            &[
                "error: no webhook of run acme/shop/1 has arrived",
                "reprise doctor",
                "decision=settled",
            ],
        ),
        (
            &["explain", "other/shop", "1"],
            &["other/shop is not served", "github.repositories"],
        ),
        (
            &["retries", "requeue", "other/shop", "1"],
            &["github.repositories"],
        ),
        (
            &["retries", "dismiss", "acme/shop", "1"],
            &["error: no webhook of run"],
        ),
        (
            &["retries", "list", "--ledger", "/nowhere/reprise.db"],
            &["there is no ledger /nowhere/reprise.db", "store.path"],
        ),
        (
            &["retries", "list", "--ledger", "dynamodb:reprise"],
            &["dynamodb:eu-west-1/reprise"],
        ),
        (
            &["retries", "list", "--config", "/nowhere/controller.toml"],
            &["/nowhere/controller.toml"],
        ),
        (
            &["retries", "list", "--token-file", "/nowhere/token"],
            &["/nowhere/token", "--token-file"],
        ),
        (
            &["retries", "list", "--api", "http://reprise.example"],
            &["for everybody to read", "ssh -L"],
        ),
        (
            &["retries", "list", "--api", "http://127.0.0.1:9"],
            &[
                "failed to ask the controller at http://127.0.0.1:9",
                "--ledger",
            ],
        ),
    ] {
        ask(&api, arguments).await?.fails_with(words)?;
    }
    let config = stage.config();
    let config = config.to_str().context("no text")?;
    let no_ledger = ask(&api, &["retries", "list", "--ledger", config]).await?;
    no_ledger.fails_with(&["cannot be read as a ledger"])?;
    let usage = ask(&api, &["retries", "list", "--state", "lost"]).await?;
    ensure!(
        usage.code == Some(2) && usage.complained.contains("known are awaiting"),
        "{usage:?}"
    );

    for wrong in ["yesterday", "2 fortnights", "-2h", "0s", "2"] {
        let since = format!("--since={wrong}");
        let usage = ask(&api, &["retries", "list", &since]).await?;
        ensure!(usage.code == Some(2), "{usage:?}");
        for words in [wrong, "90m, 24h or 7d"] {
            ensure!(usage.complained.contains(words), "{words}: {usage:?}");
        }
    }

    let mut unreachable = operator(
        &api,
        &["retries", "list", "--ledger", "dynamodb:eu-west-1/reprise"],
    )?;
    unreachable
        .env("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIAFAKETESTFAKETEST")
        .env("AWS_SECRET_ACCESS_KEY", "fake-secret-key-of-the-tests");
    let unreachable = said(unreachable).await?;
    unreachable.fails_with(&["failed to open the table reprise in eu-west-1"])?;

    let mut wrong = operator(&api, &["retries", "list"])?;
    wrong.env("REPRISE_OPERATOR_TOKEN", "somebody-elses-token");
    said(wrong)
        .await?
        .fails_with(&["the token is not the controller's", "api.token_file"])?;
    let mut without = operator(&api, &["retries", "list"])?;
    without.env_remove("REPRISE_OPERATOR_TOKEN");
    said(without)
        .await?
        .fails_with(&["the API wants a token", "--token-file"])?;
    let github = stage.places().github_url.clone();
    let elsewhere = ask(&github, &["retries", "list"]).await?;
    elsewhere.fails_with(&["is no API of this controller"])
}

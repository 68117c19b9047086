//! Looking whether everything is set up.

use anyhow::{Context, Result, bail, ensure};
use reprise_tests::harness::operator::said;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_world::ec2::{Action, Ec2Error};
use reprise_world::event_rules::EventRules;
use reprise_world::world::Queue;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use super::{Running, asked, command};

pub(super) async fn doctor(stage: &Stage) -> Result<(Option<i32>, Vec<Value>)> {
    doctor_with(stage, &[]).await
}

/// The same with further variables.
pub(super) async fn doctor_with(
    stage: &Stage,
    variables: &[(&str, &str)],
) -> Result<(Option<i32>, Vec<Value>)> {
    let mut command = command(stage, &["doctor", "--json"])?;
    command.envs(variables.iter().copied());
    let said = said(command).await?;
    let lines = said.told.lines().map(serde_json::from_str);
    let lines = lines
        .collect::<Result<_, _>>()
        .with_context(|| format!("{said:?}"))?;
    Ok((said.code, lines))
}

/// The findings of a check.
pub(super) fn of<'a>(lines: &'a [Value], check: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["check"] == check).collect()
}

/// That this check, and no other, is wrong, and says so in these words.
async fn only_wrong(stage: &Stage, check: &str, words: &str) -> Result<()> {
    let (code, lines) = doctor(stage).await?;
    ensure!(code == Some(1), "{lines:#?}");
    let wrong: Vec<&Value> = lines
        .iter()
        .filter(|line| line["health"] == "wrong")
        .collect();
    ensure!(
        wrong.iter().all(|line| line["check"] == check),
        "{wrong:#?}"
    );
    let told = wrong.iter().any(|line| {
        line["text"]
            .as_str()
            .is_some_and(|text| text.contains(words))
    });
    ensure!(told, "{words}: {lines:#?}");
    ensure!(
        wrong.iter().all(|line| line["advice"].is_string()),
        "{wrong:#?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_well_where_a_job_has_just_run() -> Result<()> {
    let running = Running::new().await?;
    let (code, lines) = doctor(&running.stage).await?;
    let not_ok: Vec<&Value> = lines.iter().filter(|line| line["health"] != "ok").collect();
    ensure!(code == Some(0) && not_ok.is_empty(), "{not_ok:#?}");
    for check in [
        "versions",
        "credentials",
        "caller",
        "ledger",
        "queue",
        "dead letters",
        "event rule",
        "looks",
        "launch",
        "instances",
        "runner images",
        "clock",
        "app",
        "installation",
        "repositories",
        "webhook",
        "deliveries",
    ] {
        ensure!(
            !of(&lines, check).is_empty(),
            "nothing of {check}: {lines:#?}"
        );
    }
    let said = asked(&running.stage, &["doctor"]).await?;
    ensure!(said.told.contains("All is well."), "{said:?}");
    let changed = running.stage.with(|world, _| world.machines().count());
    ensure!(changed == 1, "a dry run launched something");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_first_as_whom_aws_is_asked_and_another_than_was_meant_is_wrong() -> Result<()> {
    let stage = Stage::usual().await?;
    let said = asked(&stage, &["doctor", "--json", "--as", "reprise-controller"]).await?;
    ensure!(said.code == Some(1), "{said:?}");
    let lines: Vec<&str> = said.told.lines().collect();
    let caller: Value = serde_json::from_str(lines.get(2).context("no third line")?)?;
    ensure!(
        caller["check"] == "caller" && caller["health"] == "wrong",
        "{caller:#?}"
    );
    let text = caller["text"].as_str().context("no text")?;
    for words in [
        "arn:aws:iam::123456789012:user/AKIAFAKETESTFAKETEST",
        "is not the role reprise-controller",
    ] {
        ensure!(text.contains(words), "{words}: {text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_wrong_in_aws_is_told_by_itself() -> Result<()> {
    let running = Running::new().await?;
    let stage = &running.stage;
    let denied = || Ec2Error::new(403, "UnauthorizedOperation", "no policy allows it");
    for (action, check) in [
        (Action::CreateFleet, "launch"),
        (Action::RunInstances, "launch"),
        (Action::TerminateInstances, "instances"),
        (Action::GetConsoleOutput, "instances"),
        (Action::CreateTags, "instances"),
    ] {
        stage.with(|world, now| world.ec2_mut(now).fail_next(action, denied()));
        only_wrong(stage, check, "UnauthorizedOperation").await?;
    }
    stage.with(|world, _| world.event_rules_mut().enabled = false);
    only_wrong(stage, "event rule", "switched off").await?;
    stage.with(|world, _| {
        world.event_rules_mut().enabled = true;
        world.event_rules_mut().pattern = json!({ "source": ["aws.s3"] });
    });
    only_wrong(stage, "event rule", "no rule sends").await?;
    stage.with(|world, _| *world.event_rules_mut() = EventRules::default());
    only_admitted(stage).await?;
    stage.with(|world, now| {
        let name = world
            .settings()
            .queues
            .dead_letters_of(Queue::Webhooks)
            .to_owned();
        let message = reprise_world::sqs::NewMessage {
            body: "given up".to_owned(),
            ..Default::default()
        };
        world.sqs_mut(now).send(now, &name, message)
    })?;
    only_wrong(stage, "dead letters", "queues.webhooks: 1").await?;
    Ok(())
}

/// What a queue's policy does not admit does not reach it, whatever rules say; who may not read these is told
/// what the policy says, and any other refusal in its own words.
async fn only_admitted(stage: &Stage) -> Result<()> {
    let refused = |code| stage.with(|world, _| world.event_rules_mut().refused = code);
    refused(Some("AccessDeniedException"));
    let (_, lines) = doctor(stage).await?;
    let found = of(&lines, "event rule");
    ensure!(found[0]["health"] == "unknown", "{found:#?}");
    refused(Some("InternalException"));
    only_wrong(stage, "event rule", "InternalException").await?;
    refused(None);
    let policy = |admitted: Option<String>| {
        stage.with(|world, now| {
            let name = world.settings().queues.of(Queue::Ec2Events).to_owned();
            let sqs = world.sqs_mut(now);
            let mut settings = sqs.settings(&name)?.clone();
            let before = std::mem::replace(&mut settings.policy, admitted);
            sqs.create_queue(name, settings);
            anyhow::Ok(before)
        })
    };
    let usual = policy(None)?;
    only_wrong(stage, "event rule", "does not admit").await?;
    refused(Some("AccessDeniedException"));
    only_wrong(stage, "event rule", "admits no rule").await?;
    refused(None);
    policy(usual)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_wrong_at_github_is_told_by_itself() -> Result<()> {
    let stage = Stage::set(Setting {
        world: |world| {
            world
                .github
                .permissions
                .insert("actions".to_owned(), "read".to_owned());
            world.github.webhook_url = String::new();
        },
        ..Setting::default()
    });
    let stage = stage.await?;
    let controller = stage.controller().await?;
    let (code, lines) = doctor(&stage).await?;
    ensure!(code == Some(1), "{lines:#?}");
    for (check, words) in [
        ("app", "actions=write"),
        ("installation", "actions=write"),
        ("webhook", "goes nowhere"),
        ("repositories", "none is served"),
    ] {
        let found = of(&lines, check);
        let told = found.iter().any(|line| {
            line["text"]
                .as_str()
                .is_some_and(|text| text.contains(words))
        });
        ensure!(
            told && found.iter().all(|line| line["health"] == "wrong"),
            "{check}: {found:#?}"
        );
    }
    // Nothing has run yet: that is no fault.
    for check in ["instances", "runner images", "deliveries"] {
        let found = of(&lines, check);
        ensure!(
            found.iter().all(|line| line["health"] == "unknown"),
            "{found:#?}"
        );
    }
    controller.terminate().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_answer_is_told_and_the_rest_is_looked_at_all_the_same() -> Result<()> {
    let stage = Stage::set(Setting {
        places: Box::new(|places| {
            places.github_url = "http://127.0.0.1:9".to_owned();
            places.webhooks_dead.push_str("-of-nobody");
        }),
        ..Setting::default()
    });
    let stage = stage.await?;
    let (code, lines) = doctor(&stage).await?;
    ensure!(code == Some(1), "{lines:#?}");
    for (check, health) in [
        ("credentials", "ok"),
        ("app", "wrong"),
        ("ledger", "wrong"),
        ("launch", "ok"),
    ] {
        let found = of(&lines, check);
        let is_so = found.iter().all(|line| line["health"] == health);
        ensure!(is_so && !found.is_empty(), "{check}: {found:#?}");
    }
    let wrong = of(&lines, "dead letters");
    ensure!(
        wrong.iter().any(|line| line["health"] == "wrong"),
        "{lines:#?}"
    );
    are_not_checked(&lines, &GITHUBS)?;
    // Nobody made a ledger: a look makes none.
    ensure!(!stage.ledger_file().exists());
    let mut command = command(&stage, &["doctor"])?;
    command.env("REPRISE_CONFIG", "/nonexistent/controller.toml");
    said(command)
        .await?
        .fails_with(&["/nonexistent/controller.toml"])?;
    Ok(())
}

/// What only the App is told.
const GITHUBS: [&str; 5] = [
    "clock",
    "installation",
    "repositories",
    "webhook",
    "deliveries",
];

/// That each of these was left alone, and is told in a word.
fn are_not_checked(lines: &[Value], checks: &[&str]) -> Result<()> {
    for check in checks {
        let found = of(lines, check);
        let [line] = found.as_slice() else {
            bail!("{check}: {found:#?}");
        };
        let text = line["text"].as_str().context("no text")?;
        ensure!(
            line["health"] == "unknown" && text.starts_with("not checked: "),
            "{line:#?}"
        );
        ensure!(text.len() <= 50 && line["advice"].is_null(), "{line:#?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_that_is_told_first_and_once_and_what_needs_them_is_left_alone()
-> Result<()> {
    let stage = Stage::usual().await?;
    let controller = stage.controller().await?;
    let without = |arguments: &[&str]| -> Result<Command> {
        let mut command = command(&stage, arguments)?;
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY");
        Ok(command)
    };
    let told = said(without(&["doctor", "--json"])?).await?;
    ensure!(told.code == Some(1), "{told:?}");
    let lines = told.told.lines().map(serde_json::from_str);
    let lines: Vec<Value> = lines.collect::<Result<_, _>>()?;
    let checks: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["check"].as_str())
        .collect();
    ensure!(
        checks.starts_with(&["versions", "credentials", "clock", "app"]),
        "{checks:?}"
    );
    are_not_checked(
        &lines,
        &[
            "queue",
            "event rule",
            "looks",
            "launch",
            "instances",
            "runner images",
        ],
    )?;
    let wrong: Vec<&Value> = lines
        .iter()
        .filter(|line| line["health"] == "wrong")
        .collect();
    ensure!(
        wrong.iter().all(|line| ["credentials", "repositories"]
            .contains(&line["check"].as_str().unwrap_or_default())),
        "{wrong:#?}"
    );
    let text = said(without(&["doctor"])?).await?.told;
    ensure!(text.matches("AWS_PROFILE").count() == 1, "{text}");
    ensure!(text.contains("not checked: no AWS credentials"), "{text}");
    controller.terminate().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_tells_the_region_and_no_metadata_service_is_asked_for_one() -> Result<()>
{
    let running = Running::new().await?;
    let metadata = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", metadata.local_addr()?);
    for arguments in [&["doctor"] as &[&str], &["queue", "dead", "list"]] {
        let mut command = command(&running.stage, arguments)?;
        command
            .env_remove("AWS_REGION")
            .env("AWS_EC2_METADATA_DISABLED", "false")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &address);
        let said = tokio::select! {
            said = said(command) => said?,
            asked = metadata.accept() => bail!("{arguments:?}: somebody asked: {asked:?}"),
        };
        ensure!(said.code == Some(0), "{said:?}");
        ensure!(!said.complained.contains("region"), "{said:?}");
    }
    Ok(())
}

//! `reprise queue dead`, as somebody uses it who was called because a dead-letter queue is not empty.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
#[cfg(feature = "peers")]
use reprise_tests::harness::config::Places;
use reprise_tests::harness::controller::Controller;
use reprise_tests::harness::messages::{self, Letter, StrangeJob, bare, signed, signed_with};
use reprise_tests::harness::operator::{Said, queue_dead, said};
use reprise_tests::harness::program::{reprise, signal};
use reprise_tests::harness::stage::{Setting, Stage};
#[cfg(feature = "peers")]
use reprise_tests::ministack::Ministack;
use reprise_tests::wait;
use reprise_world::world::Queue;
use serde_json::Value;
use tokio::process::Command;

/// For messages that the controller moves.
const PATIENCE: Duration = Duration::from_secs(60);

const DELIVERY: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";

/// No queue gives such an id.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

async fn ask(stage: &Stage, arguments: &[&str]) -> Result<Said> {
    said(queue_dead(stage, arguments)?).await
}

async fn listed(stage: &Stage) -> Result<Vec<Value>> {
    ask(stage, &["list", "--json"]).await?.lines()
}

async fn bury(stage: &Stage, url: &str, letter: &Letter) -> Result<()> {
    let places = stage.places();
    messages::send(&places.sqs_url, places.region.as_str(), url, letter).await
}

/// A job that gets a machine when the controller hears of it.
fn good() -> Result<Letter> {
    let job = StrangeJob {
        repository: "acme/shop",
        run: 9_000_000_001,
        id: 25_000_000_001,
        labels: vec!["runs-on=1/family=c7a/spot=true".to_owned()],
        runner: None,
        ran: (
            "2026-03-01T10:20:00Z".to_owned(),
            "2026-03-01T10:22:00Z".to_owned(),
        ),
    };
    let mut letter = signed("workflow_job", job.queued())?;
    let delivery = ("X-GitHub-Delivery".to_owned(), DELIVERY.to_owned());
    letter.attributes.push(delivery);
    Ok(letter)
}

fn id(line: &Value) -> Result<&str> {
    line["id"]
        .as_str()
        .with_context(|| format!("no id in {line}"))
}

/// One that the controller itself buried, and one that SQS gave up on; both are looked at and sent
/// back.
async fn dead_letters_are_looked_at_and_sent_back(stage: &Stage) -> Result<()> {
    let mut controller = stage.controller().await?;
    let unreadable = signed("workflow_job", r#"{"action":"queued"}"#)?;
    stage.send(Queue::Webhooks, &unreadable).await?;
    let bad = wait::until("a buried message", PATIENCE, async || {
        Ok(listed(stage).await?.pop())
    });
    let bad = bad.await?;
    ensure!(bad["queue"] == "webhooks", "{bad}");
    let problem = bad["problem"].as_str().context("it can be read")?;
    ensure!(problem.contains("missing field `workflow_job`"), "{bad}");

    let good = good()?;
    bury(stage, &stage.places().webhooks_dead, &good).await?;
    are_counted(&controller, 2).await?;
    let (bad, good_id) = (id(&bad)?.to_owned(), is_listed(stage).await?);
    is_shown(stage, &good_id, &good).await?;
    is_left_by_a_dry_run(stage, &good_id, &bad).await?;

    let sent = ask(stage, &["redrive", &good_id]).await?;
    ensure!(sent.code == Some(0), "{sent:?}");
    ensure!(sent.told.contains(&good_id), "{sent:?}");
    ensure!(sent.told.ends_with("\n1 sent back\n"), "{sent:?}");
    stage
        .sees("the job's machine", |world, _| {
            world.machines().next().map(drop)
        })
        .await?;

    let kept = ask(stage, &["redrive", &bad, UNKNOWN]).await?;
    ensure!(kept.code == Some(1), "{kept:?}");
    ensure!(kept.told.contains("--force"), "{kept:?}");
    ensure!(
        kept.told.ends_with("\n1 left here, 1 not found\n"),
        "{kept:?}"
    );
    is_buried_again(stage, &bad).await?;
    controller.is_healthy().await
}

/// The controller asks once a minute, and shows the empty queue of the other kind too.
async fn are_counted(controller: &Controller, wanted: u64) -> Result<()> {
    let counted = wait::until("the number of dead letters", PATIENCE, async || {
        let count = controller.counter("reprise_dead_letters{queue=\"webhooks\"}");
        Ok((count.await? == wanted).then_some(()))
    });
    counted.await?;
    let metrics = controller.metrics().await?;
    let other = "reprise_dead_letters{queue=\"ec2-events\"} 0";
    ensure!(metrics.lines().any(|line| line == other), "{metrics}");
    Ok(())
}

/// Twice the same: a look changes nothing but the number of looks.
async fn is_listed(stage: &Stage) -> Result<String> {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let lines = listed(stage).await?;
        ensure!(lines.len() == 2, "{lines:#?}");
        let good = lines.iter().find(|line| line["delivery"] == DELIVERY);
        let good = good.with_context(|| format!("{lines:#?}"))?;
        for (key, value) in [
            ("repository", "acme/shop".into()),
            ("run", Value::from(9_000_000_001_u64)),
            ("job", Value::from(25_000_000_001_u64)),
            ("event", "workflow_job".into()),
            ("action", "queued".into()),
            ("signature", "valid".into()),
            ("problem", Value::Null),
        ] {
            ensure!(good[key] == value, "{key}: {good}");
        }
        ids.push(id(good)?.to_owned());
    }
    ensure!(ids[0] == ids[1], "{ids:?}");
    let table = ask(stage, &["list"]).await?;
    ensure!(table.code == Some(0), "{table:?}");
    for words in [
        &ids[0],
        DELIVERY,
        "webhooks: 2 dead letters",
        "ec2-events: no dead letters",
    ] {
        ensure!(table.told.contains(words), "{words}: {table:?}");
    }
    let one = ask(
        stage,
        &["list", "--json", "--limit", "1", "--queue", "webhooks"],
    )
    .await?;
    ensure!(one.lines()?.len() == 1, "{one:?}");
    ensure!(one.complained.contains("1 of about 2"), "{one:?}");
    ids.pop().context("no id")
}

async fn is_shown(stage: &Stage, id: &str, letter: &Letter) -> Result<()> {
    let shown = ask(stage, &["show", id]).await?;
    ensure!(shown.code == Some(0), "{shown:?}");
    for words in [
        id,
        DELIVERY,
        "signed with a webhook secret",
        "\"full_name\": \"acme/shop\"",
    ] {
        ensure!(shown.told.contains(words), "{words}: {shown:?}");
    }
    let raw = ask(stage, &["show", DELIVERY, "--raw"]).await?;
    ensure!(raw.told == letter.body, "{raw:?}");
    ask(stage, &["show", UNKNOWN]).await?.fails_with(&[
        UNKNOWN,
        "among the 2 dead letters of webhooks and ec2-events",
    ])
}

async fn is_left_by_a_dry_run(stage: &Stage, good: &str, bad: &str) -> Result<()> {
    let dry = ask(stage, &["redrive", "--all", "--dry-run"]).await?;
    ensure!(dry.code == Some(1), "{dry:?}");
    ensure!(dry.told.contains(good) && dry.told.contains(bad), "{dry:?}");
    let sum = "\n1 would be sent back, 1 left here\n";
    ensure!(dry.told.ends_with(sum), "{dry:?}");
    ensure!(listed(stage).await?.len() == 2, "a dry run took something");
    ensure!(stage.launches() == 0, "a dry run sent something");
    Ok(())
}

/// Sent back by force, and found unreadable once more.
async fn is_buried_again(stage: &Stage, bad: &str) -> Result<()> {
    let forced = ask(stage, &["redrive", "--all", "--force"]).await?;
    ensure!(forced.code == Some(0), "{forced:?}");
    let again = wait::until("the message in its grave again", PATIENCE, async || {
        Ok(listed(stage).await?.pop())
    });
    let again = again.await?;
    ensure!(id(&again)? != bad, "it never left: {again}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_looked_at_and_sent_back_on_the_worlds_sqs() -> Result<()> {
    dead_letters_are_looked_at_and_sent_back(&Stage::usual().await?).await
}

#[cfg(feature = "peers")]
#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_looked_at_and_sent_back_on_ministacks_sqs() -> Result<()> {
    let ministack = Ministack::start().await?;
    let webhooks = ministack.queues("webhooks").await?;
    let ec2_events = ministack.queues("ec2-events").await?;
    let sqs_url = ministack.url();
    let places = move |places: &mut Places| {
        places.sqs_url = sqs_url;
        places.webhooks = webhooks.queue_url;
        places.webhooks_dead = webhooks.dead_letters_url;
        places.ec2_events = ec2_events.queue_url;
        places.ec2_events_dead = ec2_events.dead_letters_url;
    };
    let stage = Stage::set(Setting {
        places: Box::new(places),
        ..Setting::default()
    });
    dead_letters_are_looked_at_and_sent_back(&stage.await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_one_call_brings_is_seen_once_each_and_all_is_sent_back() -> Result<()> {
    let stage = Stage::usual().await?;
    let number = 37;
    for at in 0..number {
        let body = format!(r#"{{"number":{at}}}"#);
        bury(
            &stage,
            &stage.places().webhooks_dead,
            &signed("push", body)?,
        )
        .await?;
    }
    let mut ids: Vec<String> = Vec::new();
    for line in listed(&stage).await? {
        ids.push(id(&line)?.to_owned());
    }
    ids.sort();
    ids.dedup();
    ensure!(ids.len() == number, "{} of {number}", ids.len());
    ensure!(
        stage.dead_letters(Queue::Webhooks)? == number,
        "a look hid something"
    );

    let sent = ask(&stage, &["redrive", "--all"]).await?;
    ensure!(sent.code == Some(0), "{sent:?}");
    ensure!(sent.told.ends_with("\n37 sent back\n"), "{sent:?}");
    ensure!(
        stage.dead_letters(Queue::Webhooks)? == 0,
        "something stayed"
    );
    let waiting = stage.messages(Queue::Webhooks)?;
    ensure!(waiting.visible == number, "{waiting:?}");
    let empty = ask(&stage, &["redrive", "--all"]).await?;
    ensure!(empty.told == "nothing to send back\n", "{empty:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_is_interrupted_hands_everything_back() -> Result<()> {
    let stage = Stage::set(Setting {
        // Its poll for more takes a minute, in which the interruption comes.
        speed: 1.0 / 60.0,
        ..Setting::default()
    });
    let stage = stage.await?;
    let dead = &stage.places().ec2_events_dead;
    for _ in 0..3 {
        bury(&stage, dead, &bare("{}")).await?;
    }
    let look = queue_dead(&stage, &["list", "--queue", "ec2-events"])?.spawn()?;
    let process = look.id().context("it has ended")?;
    let held = |visible| {
        stage.sees("hidden messages", move |world, now| {
            let name = world.settings().queues.dead_letters_of(Queue::Ec2Events);
            let name = name.to_owned();
            let counts = world.sqs_mut(now).counts(now, &name).ok()?;
            (counts.visible == visible).then_some(())
        })
    };
    held(0).await?;
    signal("INT", process).await?;
    let ended = Said::from(look.wait_with_output().await?);
    ensure!(ended.code == Some(130), "{ended:?}");
    ensure!(
        ended.complained.contains("stopped before the end"),
        "{ended:?}"
    );
    held(3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_controller_would_not_believe_is_only_sent_back_by_force() -> Result<()> {
    let stage = Stage::usual().await?;
    let forged = signed_with("somebody else's secret", "push", "{}")?;
    bury(&stage, &stage.places().webhooks_dead, &forged).await?;
    let kept = ask(&stage, &["redrive", "--all"]).await?;
    ensure!(kept.code == Some(1), "{kept:?}");
    ensure!(kept.told.contains("would not believe it"), "{kept:?}");
    ensure!(stage.dead_letters(Queue::Webhooks)? == 1, "it was sent");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_set_up_is_named_with_what_would_be_right() -> Result<()> {
    let stage = Stage::usual().await?;
    let mut elsewhere = queue_dead(&stage, &["list"])?;
    elsewhere.env("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9");
    said(elsewhere).await?.fails_with(&[
        "failed to count the messages of the dead-letter queue",
        "queues.webhooks_dead_letters",
    ])?;

    let mut misspelt = queue_dead(&stage, &["redrive", "--all"])?;
    let url = format!("{}-nope", stage.places().webhooks_dead);
    misspelt.env("REPRISE__QUEUES__WEBHOOKS_DEAD_LETTERS", &url);
    said(misspelt).await?.fails_with(&[
        &url,
        "NonExistentQueue",
        "queues.webhooks_dead_letters",
    ])?;

    let text = std::fs::read_to_string(stage.config())?;
    let without: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("_dead_letters"))
        .collect();
    let config = stage.config().with_file_name("without.toml");
    std::fs::write(&config, without.join("\n"))?;
    let config = config.to_str().context("no text")?;
    let none = ask(&stage, &["list", "--config", config]).await?;
    none.fails_with(&[
        "queues.webhooks_dead_letters",
        "there is no dead-letter queue",
    ])?;
    let none = ask(
        &stage,
        &["list", "--config", config, "--queue", "ec2-events"],
    )
    .await?;
    none.fails_with(&["set queues.ec2_events_dead_letters to the URL"])?;

    let none = ask(&stage, &["list", "--config", "/nowhere/controller.toml"]).await?;
    none.fails_with(&["/nowhere/controller.toml"])?;
    // Before anything is read, so that nothing else stands in the way of the answer.
    let usage = ask(&stage, &["redrive", "--config", "/nowhere/controller.toml"]).await?;
    ensure!(usage.code == Some(2), "{usage:?}");
    for words in [
        "error: say which messages",
        "reprise queue dead list",
        "--all",
    ] {
        ensure!(usage.complained.contains(words), "{words}: {usage:?}");
    }
    let both = ask(&stage, &["redrive", "--all", "some-id"]).await?;
    ensure!(both.code == Some(2), "{both:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_read_enough_ends_a_command_without_a_word() -> Result<()> {
    let stage = Stage::usual().await?;
    bury(
        &stage,
        &stage.places().webhooks_dead,
        &signed("push", "{}")?,
    )
    .await?;
    let mut list = Command::new(reprise()?);
    list.args(["demo", "--list"]).stderr(Stdio::piped());
    let mut short_story = Command::new(reprise()?);
    short_story.arg("demo").stderr(Stdio::piped());
    let commands = [
        list,
        short_story,
        queue_dead(&stage, &["list", "--queue", "webhooks"])?,
    ];
    for mut command in commands {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        command
            .stdout(writer)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = command.spawn()?;
        // It holds the writing end too.
        drop(command);
        let ended = Said::from(ended.wait_with_output().await?);
        ensure!(ended.code == Some(141), "{ended:?}");
        ensure!(ended.complained.is_empty(), "{ended:?}");
    }
    ensure!(
        stage.dead_letters(Queue::Webhooks)? == 1,
        "it is still hidden"
    );
    Ok(())
}

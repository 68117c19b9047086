//! An interruption on purpose, followed to the green attempt.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use reprise_model::instance::Capacity;
use reprise_tests::harness::operator::Said;
use reprise_tests::harness::program::signal;
use reprise_tests::harness::stage::Stage;
use reprise_tests::wait;
use reprise_world::drills::{DRILL_TARGET, DRILL_TEMPLATE};
use reprise_world::ec2::Action;
use serde_json::Value;
use tokio::process::Child;

use super::{Running, asked, command};

async fn interrupt(stage: &Stage, whom: &str, more: &[&str]) -> Result<Said> {
    let all = [&["interrupt", whom, "--template", DRILL_TEMPLATE], more].concat();
    asked(stage, &all).await
}

fn steps(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .filter_map(|line| line["step"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_is_followed_from_the_notice_to_the_green_second_attempt() -> Result<()> {
    let running = Running::new().await?;
    let drill = interrupt(&running.stage, &running.address(), &["--yes", "--json"]).await?;
    let lines = drill.lines().with_context(|| running.stage.so_far())?;
    let expected = [
        "interruption-asked",
        "notice",
        "tagged",
        "job-ended",
        "run-completed",
        "re-run-asked",
        "machine",
        "green",
        "end",
    ];
    let mut told = steps(&lines);
    // Two that one look sees are told in their order; which looks see what is the machine's affair.
    ensure!(told.last() == Some(&"end"), "{lines:#?}");
    told.sort_by_key(|step| expected.iter().position(|one| one == step));
    ensure!(told == expected, "{lines:#?}");
    let line = |step: &str| {
        lines
            .iter()
            .find(|line| line["step"] == step)
            .context("none")
    };
    ensure!(line("end")?["green"] == true, "{lines:#?}");
    let machine = line("machine")?["text"].as_str().context("no text")?;
    ensure!(machine.contains("on-demand"), "{machine}");
    for step in &expected[1..8] {
        let at = line(step)?["at"].as_str().context("no time")?;
        at.parse::<jiff::Timestamp>()
            .with_context(|| format!("{step} at {at}"))?;
    }
    let rows = running.stage.rows();
    ensure!(
        rows == [
            "acme/shop e2e 1 spot failure",
            "acme/shop e2e 2 on-demand success"
        ],
        "{rows:?}"
    );
    ensure!(
        running.stage.mutations().len() == 1,
        "{:?}",
        running.stage.mutations()
    );
    ensure!(
        running.mark().as_deref() == Some("over"),
        "{:?}",
        running.mark()
    );
    is_explained_with_its_console(&running).await?;
    running.controller.terminate().await?;
    Ok(())
}

/// The machine's last words are kept, and shown with the rest.
async fn is_explained_with_its_console(running: &Running) -> Result<()> {
    let config = running.stage.config();
    let config = config.to_str().context("no text")?;
    let run = running.run.to_string();
    let told = wait::until(
        "the console",
        std::time::Duration::from_secs(60),
        async || {
            let told = asked(
                &running.stage,
                &["explain", "acme/shop", &run, "--config", config],
            )
            .await?;
            Ok(told
                .told
                .contains("wrote to its console at last")
                .then_some(told))
        },
    );
    let told = told.await.with_context(|| running.stage.so_far())?;
    for words in [
        "[died]",
        "reprise-agent: notice",
        "[  OK  ] Started reprise-agent",
    ] {
        ensure!(told.told.contains(words), "{words}: {told:?}");
    }
    ensure!(!told.told.contains('\u{1b}'), "{told:?}");
    let reads = running.stage.with(|world, _| {
        let calls = world.ec2().call_counts();
        calls.get(&Action::GetConsoleOutput).copied()
    });
    // A running machine's, and where that is refused, the posted one: once an instance.
    ensure!(reads.is_some_and(|reads| reads <= 2), "{reads:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_named_too_and_nothing_is_done_without_a_yes() -> Result<()> {
    let running = Running::new().await?;
    let host = running.host.to_string();
    let asked = interrupt(&running.stage, &host, &[]).await?;
    asked.fails_with(&["say --yes"])?;
    ensure!(running.mark().is_none(), "{:?}", running.mark());
    let drill = interrupt(&running.stage, &host, &["--yes"]).await?;
    ensure!(
        drill.code == Some(0),
        "{drill:?}\n{}",
        running.stage.so_far()
    );
    for words in ["+00:00", "notice", "green", "the job came back by itself"] {
        ensure!(drill.told.contains(words), "{words}: {drill:?}");
    }
    let machines = running.stage.with(|world, _| {
        let mut all: Vec<Capacity> = world.machines().map(|one| one.capacity).collect();
        all.sort();
        all
    });
    ensure!(
        machines == [Capacity::Spot, Capacity::OnDemand],
        "{machines:?}"
    );
    Ok(())
}

/// A drill under way, to be stopped by a person.
fn begun(running: &Running) -> Result<Child> {
    let host = running.host.to_string();
    let mut command = command(
        &running.stage,
        &["interrupt", &host, "--template", DRILL_TEMPLATE, "--yes"],
    )?;
    Ok(command.spawn()?)
}

/// Ctrl-C, and what was said until the end.
async fn stopped(child: Child) -> Result<Said> {
    let process = child.id().context("it has ended")?;
    signal("INT", process).await?;
    let ended = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
    Ok(ended.context("it did not end")??.into())
}

/// From now on descriptions lag behind, and show the machine as it runs all the same.
async fn lags(running: &Running) -> Result<()> {
    let lag = SignedDuration::from_secs(10);
    let old = running.stage.sees("a machine of some age", |world, now| {
        let launched = world.instance(&running.host)?.launched_at;
        (now.duration_since(launched) > SignedDuration::from_mins(2)).then_some(())
    });
    old.await?;
    let stage = &running.stage;
    stage.with(|world, now| world.ec2_mut(now).set_list_delay(lag));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ctrl_c_ends_the_watching_alone_and_the_mark_stays_until_the_experiment_has_looked()
-> Result<()> {
    let running = Running::new().await?;
    running
        .stage
        .with(|world, _| world.drills_mut().resolves_after = 3);
    let child = begun(&running)?;
    let experiment = running.stage.sees("an experiment", |world, _| {
        (world.drills_mut().begun() == 1).then_some(())
    });
    experiment.await?;
    let said = stopped(child).await?;
    ensure!(said.code == Some(130), "{said:?}");
    ensure!(
        said.complained.contains("may yet look for the mark"),
        "{said:?}"
    );
    ensure!(running.mark().as_deref() == Some("over"), "{said:?}");
    let taken = wait::until("a machine taken", Duration::from_secs(60), async || {
        let rows = running.stage.rows();
        let taken = "acme/shop e2e 1 spot failure";
        Ok(rows.iter().any(|row| row == taken).then_some(()))
    });
    taken.await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_begins_when_ec2_shows_the_mark() -> Result<()> {
    let running = Running::new().await?;
    lags(&running).await?;
    let host = running.host.to_string();
    let drill = interrupt(&running.stage, &host, &["--yes"]).await?;
    ensure!(
        drill.code == Some(0),
        "{drill:?}\n{}",
        running.stage.so_far()
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ctrl_c_before_the_experiment_takes_the_mark_off_and_nothing_is_begun() -> Result<()> {
    let running = Running::new().await?;
    lags(&running).await?;
    let child = begun(&running)?;
    never_shows(&running).await?;
    let said = stopped(child).await?;
    ensure!(said.code == Some(130), "{said:?}");
    is_not_begun(&running)?;
    ensure!(!said.complained.contains("may yet look"), "{said:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_does_not_show_begins_nothing() -> Result<()> {
    let running = Running::new().await?;
    lags(&running).await?;
    let child = begun(&running)?;
    never_shows(&running).await?;
    let said = Said::from(child.wait_with_output().await?);
    said.fails_with(&["does not show the mark reprise-drill", "ask again"])?;
    is_not_begun(&running)
}

/// Waits for the mark, and has descriptions lag so far behind that they never show it.
async fn never_shows(running: &Running) -> Result<()> {
    let marked = running.stage.sees("a mark", |world, now| {
        let tags = world.instance(&running.host)?.tags();
        tags.get(DRILL_TARGET.0)?;
        let hour = SignedDuration::from_hours(1);
        world.ec2_mut(now).set_list_delay(hour);
        Some(())
    });
    marked.await
}

fn is_not_begun(running: &Running) -> Result<()> {
    let begun = running.stage.with(|world, _| world.drills_mut().begun());
    ensure!(begun == 0, "{begun}");
    let mark = running.mark();
    ensure!(mark.as_deref() == Some("over"), "{mark:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_not_spot_or_idle_is_not_interrupted() -> Result<()> {
    let running = Running::new().await?;
    let stage = &running.stage;
    let refuses = async |whom: &str, more: &[&str], words: &[&str]| {
        let all = [more, &["--yes"]].concat();
        let said = interrupt(stage, whom, &all).await?;
        said.fails_with(words).with_context(|| whom.to_owned())
    };
    let run = format!("https://github.com/acme/shop/actions/runs/{}", running.run);
    for whom in [run.as_str(), "i-nothing", "everything"] {
        // Words that name nothing are refused as arguments.
        let said = interrupt(stage, whom, &["--yes"]).await?;
        ensure!(said.code == Some(2), "{said:?}");
    }
    refuses("i-0123456789abcdef9", &[], &["EC2 knows no instance"]).await?;
    refuses(&format!("{run}/job/17"), &[], &["has no job 17"]).await?;
    refuses("acme/shop/actions/runs", &[], &[])
        .await
        .err()
        .context("it is no argument")?;
    // Of another stack, though it runs a job of ours.
    let key = stage.with(|world, _| world.settings().tags.stack());
    let tag = |value: &str| {
        let (key, value) = (key.clone(), value.to_owned());
        stage.with(|world, now| {
            let request = reprise_world::ec2::CreateTags {
                instances: vec![running.host.clone()],
                tags: [(key, value)].into(),
            };
            let call = reprise_world::ec2::Call::by_account(now);
            world.ec2_mut(now).create_tags(&call, &request)
        })
    };
    tag("another")?;
    refuses(&running.host.to_string(), &[], &["not of the stack"]).await?;
    refuses(&running.address(), &[], &["not of the stack"]).await?;
    tag("reprise")?;
    ensure!(running.mark().is_none(), "{:?}", running.mark());
    // A template that is not there interrupts nothing, and leaves no mark behind.
    let host = running.host.to_string();
    let said = asked(
        stage,
        &["interrupt", &host, "--template", "EXTnone", "--yes"],
    )
    .await?;
    said.fails_with(&[
        "failed to begin the experiment of EXTnone",
        "does not exist",
    ])?;
    ensure!(
        running.mark().as_deref() == Some("over"),
        "{:?}",
        running.mark()
    );
    let rows = stage.rows();
    ensure!(rows == ["acme/shop e2e 1 spot open"], "{rows:?}");
    Ok(())
}

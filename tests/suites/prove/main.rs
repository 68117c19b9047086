//! `reprise doctor` and `reprise interrupt`, as somebody uses them who has just set everything up.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use reprise_model::ids::{InstanceId, JobId, RunId};
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, JobStatus};
use reprise_tests::harness::controller::Controller;
use reprise_tests::harness::operator::{Said, operator, said};
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::story::{Story, on_spot, passes};
use reprise_tests::wait;
use reprise_world::drills::{DRILL_TARGET, DRILL_TEMPLATE};
use reprise_world::ec2::{Action, Ec2Error};
use reprise_world::scenario::JobExpectation;
use reprise_world::world::Queue;
use serde_json::Value;
use tokio::process::Command;

/// Seconds of the story: longer than a notice, so that the drill comes before the job's own end.
const LONG: i64 = 900;

fn command(stage: &Stage, arguments: &[&str]) -> Result<Command> {
    let mut command = operator("http://127.0.0.1:9", arguments)?;
    command
        .env("REPRISE_CONFIG", stage.config())
        .env("AWS_ENDPOINT_URL", stage.world().aws_url())
        .env("AWS_REGION", stage.places().region.as_str())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIAFAKETESTFAKETEST")
        .env("AWS_SECRET_ACCESS_KEY", "fake-secret-key-of-the-tests")
        .stdin(Stdio::null());
    Ok(command)
}

async fn asked(stage: &Stage, arguments: &[&str]) -> Result<Said> {
    said(command(stage, arguments)?).await
}

async fn interrupt(stage: &Stage, whom: &str, more: &[&str]) -> Result<Said> {
    let all = [&["interrupt", whom, "--template", DRILL_TEMPLATE], more].concat();
    asked(stage, &all).await
}

/// A stage on which one job runs on spot, and where.
struct Running {
    stage: Stage,
    controller: Controller,
    run: RunId,
    job: JobId,
    host: InstanceId,
}

impl Running {
    async fn new() -> Result<Self> {
        let stage = Stage::usual().await?;
        let controller = stage.controller().await?;
        let story = Story::of("acme/shop")?.job(
            on_spot("e2e"),
            [passes(LONG), passes(10)],
            JobExpectation::Recovers,
        );
        stage.play(&story.ends(2, Conclusion::Success));
        let seen = stage.sees("a job that runs", |world, _| {
            let run = world.github().runs().next()?;
            let job = run.current().jobs.values().next()?;
            let runner = job.runner.as_ref()?;
            let host = world.machine_of_runner(&runner.name)?.id.clone();
            (job.status == JobStatus::InProgress).then_some((run.id, job.id, host))
        });
        let (run, job, host) = seen.await?;
        Ok(Self {
            stage,
            controller,
            run,
            job,
            host,
        })
    }

    fn address(&self) -> String {
        format!(
            "https://github.com/acme/shop/actions/runs/{}/job/{}",
            self.run, self.job
        )
    }

    /// What the mark of the machine says.
    fn mark(&self) -> Option<String> {
        let tags = self
            .stage
            .with(|world, _| Some(world.instance(&self.host)?.tags()));
        tags?.get(DRILL_TARGET.0).cloned()
    }
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

async fn doctor(stage: &Stage) -> Result<(Option<i32>, Vec<Value>)> {
    let said = asked(stage, &["doctor", "--json"]).await?;
    let lines = said.told.lines().map(serde_json::from_str);
    let lines = lines
        .collect::<Result<_, _>>()
        .with_context(|| format!("{said:?}"))?;
    Ok((said.code, lines))
}

/// The findings of a check.
fn of<'a>(lines: &'a [Value], check: &str) -> Vec<&'a Value> {
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
        "ledger",
        "queue",
        "dead letters",
        "event rule",
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
        world.event_rules_mut().denied = true;
    });
    // The world's queues have no policy either, which is a queue that admits nobody.
    only_wrong(stage, "event rule", "admits no rule").await?;
    stage.with(|world, _| world.event_rules_mut().denied = false);
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
    for check in [
        "ledger",
        "app",
        "installation",
        "repositories",
        "webhook",
        "deliveries",
        "dead letters",
    ] {
        let wrong = of(&lines, check)
            .iter()
            .any(|line| line["health"] == "wrong");
        ensure!(wrong, "{check}: {lines:#?}");
    }
    ensure!(
        of(&lines, "launch")
            .iter()
            .all(|line| line["health"] == "ok"),
        "{lines:#?}"
    );
    // Nobody made a ledger: a look makes none.
    ensure!(!stage.ledger_file().exists());
    let mut command = command(&stage, &["doctor"])?;
    command.env("REPRISE_CONFIG", "/nonexistent/controller.toml");
    said(command)
        .await?
        .fails_with(&["/nonexistent/controller.toml"])?;
    Ok(())
}

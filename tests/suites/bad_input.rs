//! What strangers send to the queues and write into labels: it ends, it is counted, and it changes
//! nothing.

use anyhow::{Context, Result, ensure};
use reprise_model::job::{Conclusion, JobStatus};
use reprise_tests::harness::controller::Controller;
use reprise_tests::harness::messages::{
    Letter, StrangeJob, bare, interruption_warning, signed, signed_with, unsigned,
};
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::story::{Story, interrupted, on_spot, passes};
use reprise_world::github::{JobSpec, RunSpec};
use reprise_world::scenario::JobExpectation;
use reprise_world::world::Queue;

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-west-1";
const INSTANCE: &str = "i-0123456789abcdef0";

/// More than any JSON reader should follow.
const DEEP: usize = 100_000;

/// Below SQS's own limit for a message, and far above what GitHub sends.
const LARGE: usize = 200_000;

/// So many forged messages come while a real job is brought back.
const FLOOD: u64 = 500;

/// A stage that serves the repositories of `acme` alone.
async fn stage() -> Result<Stage> {
    let setting = Setting {
        variables: vec![("REPRISE__GITHUB__REPOSITORIES", r#"["acme/*"]"#)],
        ..Setting::default()
    };
    Stage::set(setting).await
}

/// A message, how it must end, and whether it is kept for a person.
struct Case {
    what: &'static str,
    queue: Queue,
    letter: Letter,
    outcome: &'static str,
    kept: bool,
}

impl Case {
    fn ends(what: &'static str, queue: Queue, letter: Letter, outcome: &'static str) -> Self {
        Self {
            what,
            queue,
            letter,
            outcome,
            kept: outcome == "unparsable",
        }
    }
}

/// Sends each, and looks at everything that it must not have changed.
async fn each_changes_nothing(
    stage: &Stage,
    controller: &mut Controller,
    cases: Vec<Case>,
) -> Result<()> {
    for case in cases {
        let what = case.what;
        nothing_comes_of(stage, controller, case)
            .await
            .with_context(|| what.to_owned())?;
    }
    Ok(())
}

async fn nothing_comes_of(stage: &Stage, controller: &mut Controller, case: Case) -> Result<()> {
    let queue = match case.queue {
        Queue::Webhooks => "webhooks",
        Queue::Ec2Events => "ec2-events",
    };
    let before = controller.messages(queue, case.outcome).await?;
    let kept = stage.dead_letters(case.queue)? + usize::from(case.kept);
    stage.send(case.queue, &case.letter).await?;
    controller.counts(queue, case.outcome, before + 1).await?;
    stage
        .sees("an empty queue", |world, _| {
            world.is_queue_empty(case.queue).then_some(())
        })
        .await?;
    ensure!(
        stage.dead_letters(case.queue)? == kept,
        "{} dead letters",
        stage.dead_letters(case.queue)?
    );
    ensure!(stage.launches() == 0, "an instance was launched");
    ensure!(
        stage.mutations().is_empty(),
        "GitHub was asked: {:?}",
        stage.mutations()
    );
    controller.is_healthy().await
}

fn job() -> StrangeJob {
    StrangeJob {
        repository: "acme/shop",
        run: 9_000_000_001,
        id: 25_000_000_001,
        labels: vec!["runs-on=1/family=c7a/spot=true".to_owned()],
        runner: None,
        ran: (
            "2026-03-01T10:20:00Z".to_owned(),
            "2026-03-01T10:22:00Z".to_owned(),
        ),
    }
}

fn ran_on(runner: &str) -> StrangeJob {
    StrangeJob {
        runner: Some(runner.to_owned()),
        ..job()
    }
}

fn warning() -> String {
    interruption_warning(ACCOUNT, REGION, INSTANCE).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_githubs_word_on_the_webhook_queue_changes_nothing() -> Result<()> {
    let stage = stage().await?;
    let mut controller = stage.controller().await?;
    let case = |what, letter, outcome| Case::ends(what, Queue::Webhooks, letter, outcome);
    let foreign = StrangeJob {
        repository: "evil/shop",
        ..ran_on(&format!("reprise--{INSTANCE}--abcde"))
    };
    let of_another = signed_with("somebody else's secret", "workflow_job", job().queued())?;
    let mut tampered = signed("workflow_job", job().queued())?;
    tampered.body.push(' ');
    let cases = vec![
        case(
            "a job that nobody signed",
            unsigned("workflow_job", job().queued()),
            "unsigned",
        ),
        case(
            "a job signed by somebody else",
            of_another,
            "wrong-signature",
        ),
        case(
            "a body that was changed after it was signed",
            tampered,
            "wrong-signature",
        ),
        case(
            "an EC2 event that nobody signed",
            bare(warning()),
            "unsigned",
        ),
        case(
            "an EC2 event with GitHub's signature",
            signed("", warning())?,
            "ignored-nothing-to-decide",
        ),
        case(
            "an EC2 event that is called a job",
            signed("workflow_job", warning())?,
            "unparsable",
        ),
        case(
            "half a body",
            signed("workflow_job", r#"{"action":"queued","#)?,
            "unparsable",
        ),
        case(
            "no JSON",
            signed("workflow_run", "action=completed")?,
            "unparsable",
        ),
        case(
            "a body without end",
            signed("workflow_job", "[".repeat(DEEP))?,
            "unparsable",
        ),
        case(
            "deep objects",
            signed("workflow_run", r#"{"a":"#.repeat(DEEP / 5))?,
            "unparsable",
        ),
        case(
            "an event of another kind",
            signed("push", "{}")?,
            "ignored-nothing-to-decide",
        ),
        case(
            "a job of a foreign repository",
            signed("workflow_job", foreign.queued())?,
            "ignored-repository-not-allowed",
        ),
        case(
            "a failure there",
            signed("workflow_job", foreign.failed())?,
            "ignored-repository-not-allowed",
        ),
        case(
            "a job without a runner",
            signed("workflow_job", job().failed())?,
            "ignored-no-runner",
        ),
        case(
            "a runner that names no instance",
            signed("workflow_job", ran_on("laptop").failed())?,
            "ignored-runner-name-without-instance",
        ),
    ];
    each_changes_nothing(&stage, &mut controller, cases).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_eventbridges_word_on_the_ec2_queue_changes_nothing() -> Result<()> {
    let stage = stage().await?;
    let mut controller = stage.controller().await?;
    let case = |what, letter, outcome| Case::ends(what, Queue::Ec2Events, letter, outcome);
    let foreign = interruption_warning("210987654321", REGION, INSTANCE).to_string();
    let elsewhere = interruption_warning(ACCOUNT, "us-east-1", INSTANCE).to_string();
    let nameless = interruption_warning(ACCOUNT, REGION, "i-none").to_string();
    let cases = vec![
        case(
            "a webhook with GitHub's signature",
            signed("workflow_job", job().queued())?,
            "unparsable",
        ),
        case(
            "a webhook that nobody signed",
            bare(job().failed()),
            "unparsable",
        ),
        case("no JSON", bare("instance-id=i-1"), "unparsable"),
        case("a body without end", bare("[".repeat(DEEP)), "unparsable"),
        case("an instance that can be none", bare(nameless), "unparsable"),
        case(
            "an instance of a foreign account",
            bare(foreign),
            "ignored-foreign-instance",
        ),
        case(
            "an instance of another region",
            bare(elsewhere),
            "ignored-foreign-instance",
        ),
    ];
    each_changes_nothing(&stage, &mut controller, cases).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_on_an_instance_that_ec2_does_not_know_is_settled_after_the_window() -> Result<()> {
    let stage = stage().await?;
    let mut controller = stage.controller().await?;
    let now = stage.with(|_, now| now);
    let lost = StrangeJob {
        ran: (now.to_string(), now.to_string()),
        ..ran_on(&format!("reprise--{INSTANCE}--abcde"))
    };
    let letter = signed("workflow_job", lost.failed())?;
    let case = Case::ends("a lost instance", Queue::Webhooks, letter, "settled");
    nothing_comes_of(&stage, &mut controller, case).await?;
    let settled = controller.decides("settled").await?;
    ensure!(settled["reason"] == "evidence-expired", "{settled}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_with_a_mistake_leaves_its_job_queued_and_is_named_with_what_would_be_right()
-> Result<()> {
    let stage = stage().await?;
    let mut controller = stage.controller().await?;
    let label = "runs-on=42/familly=c7a/spot=flase";
    let jobs = vec![
        JobSpec::new("misspelt", [label]),
        JobSpec::new("immense", [format!("runs-on=43/{}", "a".repeat(LARGE))]),
        JobSpec::new("greedy", ["runs-on=44/cpu=4096/family=p5"]),
    ];
    let run = stage.with(|world, now| {
        let spec = RunSpec::new("acme/shop".parse().expect("a repository"), jobs);
        world.github_mut(now).push(now, spec)
    });
    controller.counts("webhooks", "launch-refused", 3).await?;
    let refused = controller.decisions("launch-refused")?;
    let of = |job: &str| refused.iter().find(|line| line["job.name"] == job);
    let misspelt = of("misspelt").context("no word on the misspelt label")?;
    let detail = misspelt["detail"].as_str().context("no detail")?;
    let wanted = [
        label,
        "at character 12: unknown key \"familly\"; did you mean \"family\"?",
        "at character 29: \"flase\" is no value of spot; did you mean \"false\"?",
    ];
    for words in wanted {
        ensure!(detail.contains(words), "{words:?} is not in {detail:?}");
    }
    // However long a stranger's label is, the log shows its beginning only.
    let immense = of("immense").context("no word on the immense label")?;
    ensure!(
        immense.to_string().len() < 2_000,
        "a line of {} bytes",
        immense.to_string().len()
    );
    ensure!(of("greedy").is_some(), "{refused:#?}");
    let queued = stage.with(|world, _| {
        let run = world.github().run(run)?;
        let mut jobs = run.current().jobs.values();
        Some(jobs.all(|job| job.status == JobStatus::Queued))
    });
    ensure!(queued == Some(true), "{:?}", stage.rows());
    ensure!(stage.launches() == 0, "an instance was launched");
    controller.is_healthy().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_forged_messages_does_not_hold_up_a_real_job() -> Result<()> {
    let stage = stage().await?;
    let mut controller = stage.controller().await?;
    let scenario = Story::of("acme/shop")?
        .job(
            on_spot("e2e"),
            [interrupted(5), passes(10)],
            JobExpectation::Recovers,
        )
        .ends(2, Conclusion::Success);
    stage.play(&scenario);
    // They speak of the real run and its job, the first that the world numbers.
    let forged = [
        unsigned("workflow_job", job().queued()),
        signed_with("a guess", "workflow_job", job().failed())?,
    ];
    for letter in forged.iter().cycle().take(FLOOD as usize) {
        stage.send(Queue::Webhooks, letter).await?;
    }
    stage.ends_well(&scenario).await?;
    controller.counts("webhooks", "unsigned", FLOOD / 2).await?;
    controller
        .counts("webhooks", "wrong-signature", FLOOD / 2)
        .await?;
    ensure!(stage.launches() == 2, "{} launches", stage.launches());
    ensure!(stage.mutations().len() == 1, "{:?}", stage.mutations());
    ensure!(
        stage.dead_letters(Queue::Webhooks)? == 0,
        "forged messages were kept"
    );
    controller.is_healthy().await
}

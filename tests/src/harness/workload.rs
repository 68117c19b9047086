//! What goes on while controllers are killed: enough at once that a strike seldom finds them idle.

use anyhow::Result;
use jiff::SignedDuration;
use reprise_model::job::Conclusion;
use reprise_world::github::JobSpec;
use reprise_world::scenario::{self, JobExpectation, PlannedRun, RUN_PLACEHOLDER, Scenario};

use super::story::{Story, fails, interrupted, on_spot, passes};

/// How long after each other the further runs are pushed.
const STAGGER: SignedDuration = SignedDuration::from_secs(7);

/// The demo's runs, and beside them matrices, several interruptions of a run, and real failures.
pub fn busy(seed: u64) -> Result<Scenario> {
    let mut busy = scenario::find("all")?.varied(seed);
    let further = [
        matrix_of_three_interrupted()?,
        fail_fast()?,
        mixed()?,
        on_demand()?,
    ];
    let mut starts_after = SignedDuration::ZERO;
    for mut run in further {
        starts_after += STAGGER;
        run.starts_after = starts_after;
        busy.runs.push(run);
    }
    Ok(busy)
}

/// How many runs the usual load has.
const USUAL_RUNS: i64 = 20;

/// What a cost sheet is made of: runs of three jobs, one every ten seconds; of sixty jobs three
/// fail by themselves and one loses its machine.
pub fn usual() -> Result<Scenario> {
    let mut runs = Vec::new();
    for number in 0..USUAL_RUNS {
        let mut run = usual_run(number)?;
        run.starts_after = SignedDuration::from_secs(10 * number);
        // A newer run of the same branch would take its place, and nothing would be re-run.
        run.spec.head_branch = Some(format!("feature-{number}"));
        runs.push(run);
    }
    Ok(Scenario {
        name: "usual",
        about: "what a cost sheet is made of",
        runs,
    })
}

fn usual_run(number: i64) -> Result<PlannedRun> {
    let story = Story::of("acme/usual")?
        .job(
            on_spot("build"),
            [passes(40 + number)],
            JobExpectation::Passes,
        )
        .job(
            on_spot("lint"),
            [passes(30 + number)],
            JobExpectation::Passes,
        );
    let test = on_spot("test");
    let run = match number {
        3 | 10 | 17 => story
            .job(test, [fails(50)], JobExpectation::StaysFailed)
            .ends(1, Conclusion::Failure),
        5 => story
            .job(
                test,
                [interrupted(20), passes(50)],
                JobExpectation::Recovers,
            )
            .ends(2, Conclusion::Success),
        _ => story
            .job(test, [passes(60)], JobExpectation::Passes)
            .ends(1, Conclusion::Success),
    };
    Ok(only(run))
}

/// A job of every kind that is not interrupted, in one run.
pub fn every_kind() -> Result<Scenario> {
    let labelled = |name: &str, more: &str| {
        let label = format!("runs-on={RUN_PLACEHOLDER}-{name}/family=c7a{more}");
        JobSpec::new(name, [label])
    };
    let mut story = Story::of("acme/kinds")?;
    for (kind, label) in [
        ("spot", "/spot=true"),
        ("on-demand", "/spot=false"),
        ("opted-out", "/spot=true/retry=false"),
    ] {
        let passing = labelled(&format!("{kind}-passes"), label);
        let failing = labelled(&format!("{kind}-fails"), label);
        story = story
            .job(passing, [passes(30)], JobExpectation::Passes)
            .job(failing, [fails(30)], JobExpectation::StaysFailed);
    }
    Ok(story.ends(1, Conclusion::Failure))
}

/// Three of five shards lose their machines, at different times, and what needs them waits for all.
fn matrix_of_three_interrupted() -> Result<PlannedRun> {
    let mut story = Story::of("acme/warehouse")?;
    for (shard, after) in [
        (1, Some(10)),
        (2, Some(25)),
        (3, Some(40)),
        (4, None),
        (5, None),
    ] {
        let job = shard_of("test", shard, false);
        story = match after {
            Some(after) => story.job(
                job,
                [interrupted(after), passes(30)],
                JobExpectation::Recovers,
            ),
            None => story.job(job, [passes(60)], JobExpectation::Passes),
        };
    }
    let deploy = on_spot("deploy").needs(["test"]);
    let story = story.job(deploy, [passes(20)], JobExpectation::Passes);
    Ok(only(story.ends(2, Conclusion::Success)))
}

/// One loses its machine, and GitHub cancels its siblings for it.
fn fail_fast() -> Result<PlannedRun> {
    let story = Story::of("acme/ledger")?.job(
        shard_of("check", 1, true),
        [interrupted(5), passes(20)],
        JobExpectation::Recovers,
    );
    // Long enough to be under way when the first one ends, however late that one began.
    let story = story.job(
        shard_of("check", 2, true),
        [passes(900), passes(30)],
        JobExpectation::Recovers,
    );
    Ok(only(story.ends(2, Conclusion::Success)))
}

/// An interruption beside a failure of the job's own: only the one comes back.
fn mixed() -> Result<PlannedRun> {
    let story = Story::of("acme/parser")?
        .job(
            on_spot("fuzz"),
            [interrupted(15), passes(25)],
            JobExpectation::Recovers,
        )
        .job(on_spot("lint"), [fails(50)], JobExpectation::StaysFailed);
    Ok(only(story.ends(2, Conclusion::Failure)))
}

/// Nothing here can be interrupted, and one fails.
fn on_demand() -> Result<PlannedRun> {
    let steady = |name: &str| {
        let label = format!("runs-on={RUN_PLACEHOLDER}-{name}/family=c7a/spot=false");
        JobSpec::new(name, [label])
    };
    let story = Story::of("acme/docs")?
        .job(steady("links"), [passes(45)], JobExpectation::Passes)
        .job(steady("spelling"), [fails(35)], JobExpectation::StaysFailed);
    Ok(only(story.ends(1, Conclusion::Failure)))
}

/// `GROUP (SHARD)` of a matrix, on a spot machine of its own.
fn shard_of(group: &str, shard: u32, fail_fast: bool) -> JobSpec {
    let mut job = on_spot(&format!("{group}-{shard}")).matrix(group, fail_fast);
    job.name = format!("{group} ({shard})");
    job
}

/// A story is one run.
fn only(scenario: Scenario) -> PlannedRun {
    let mut runs = scenario.runs;
    runs.remove(0)
}

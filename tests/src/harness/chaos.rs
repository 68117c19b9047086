//! A play in which controllers are killed, and what is asked of its end.
//!
//! The world, its agents and its runners live on; the queues and the ledger are wherever the stage
//! has them. Judged is the world's final state alone, by every invariant.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use jiff::{SignedDuration, Timestamp};
use reprise_world::invariants::{self, Broken};
use reprise_world::scenario::Scenario;
use reprise_world::world::World;
use serde_json::Value;

use super::postman::Postman;
use super::replicas::Replicas;
use super::stage::Stage;
use super::strikes::{self, Strike};
use crate::wait;

/// How many controllers share the work.
pub const REPLICAS: usize = 3;

/// Seconds of the story in one of the wall's. Slower than other stories: some thirty agents run beside
/// the controllers, on as few as two cores.
pub const SPEED: f64 = 20.0;

/// How often a message may be received: far more often than where controllers live for longer than a
/// few seconds.
pub const RECEIVES: u32 = 50;

/// Enough for the length of the story.
const STRIKES: usize = 14;

/// The story, the strikes, and the rest at the end, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(180);

/// After that nothing is coming any more, also if it should: the longest wait for a run is five
/// minutes.
const STUCK_AFTER: SignedDuration = SignedDuration::from_mins(6);

/// Names the seed of another play.
const SEED: &str = "REPRISE_CHAOS_SEED";

/// Messages of a queue service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Left {
    /// Waiting, or received and not deleted.
    pub waiting: u64,
    /// Given up.
    pub dead: u64,
}

/// The seed that the environment names, else this one.
pub fn seed_or(usual: u64) -> Result<u64> {
    match std::env::var(SEED) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{SEED} is {text:?}, which is no number")),
        Err(_) => Ok(usual),
    }
}

/// Plays it. `left` tells what is in the queues.
pub async fn play(
    stage: &Stage,
    scenario: &Scenario,
    seed: u64,
    left: impl AsyncFnMut() -> Result<Left>,
) -> Result<()> {
    let plan = strikes::drawn(seed, REPLICAS, STRIKES);
    let mut replicas = Replicas::start(stage, REPLICAS).await?;
    let mut postman = Postman::bad(seed);
    stage.play(scenario);
    let played = act(stage, scenario, &plan, &mut replicas, &mut postman, left).await;
    let judged = match played {
        Ok(left) => judge(stage, scenario, left),
        Err(error) => Err(error),
    };
    let ended = match judged {
        Ok(()) => replicas.terminate().await,
        Err(error) => Err(error),
    };
    let (taken, doubled, forged) = postman.tally();
    let kills = replicas.kills();
    eprintln!("seed {seed}: {kills} kills, {taken} messages, {doubled} doubled, {forged} forged");
    ended.map_err(|error| {
        anyhow!(
            "{error:#}\n{}",
            told(stage, scenario, seed, &plan, replicas.history())
        )
    })
}

/// Strikes and mail side by side, until the strikes are over and everything has come to rest.
async fn act(
    stage: &Stage,
    scenario: &Scenario,
    plan: &[Strike],
    replicas: &mut Replicas<'_>,
    postman: &mut Postman,
    mut left: impl AsyncFnMut() -> Result<Left>,
) -> Result<Left> {
    let struck = Cell::new(None);
    let strikes = async {
        struck.set(Some(strikes::carry_out(stage, replicas, plan).await?));
        Ok(())
    };
    let rest = wait::until("rest", PATIENCE, async || {
        postman.step(stage).await?;
        let (well, stuck) = stage.with(|world, now| is_over(world, now, scenario));
        if struck.get().is_none() || !postman.is_idle() || !(well || stuck) {
            return Ok(None);
        }
        let left = left().await?;
        Ok((left.waiting == 0 || stuck).then_some(left))
    });
    let ((), left) = tokio::try_join!(strikes, rest)?;
    let hits = struck.get().unwrap_or_default();
    ensure!(
        hits * 2 >= plan.len(),
        "only {hits} of {} strikes fell while there was work",
        plan.len()
    );
    Ok(left)
}

/// Whether everything has come to rest as it should, and whether nothing happens any more.
fn is_over(world: &World, now: Timestamp, scenario: &Scenario) -> (bool, bool) {
    let well = invariants::is_quiet(world, now) && invariants::check(world, scenario).is_empty();
    let stuck = now.duration_since(world.last_change()) >= STUCK_AFTER;
    (well, stuck)
}

fn judge(stage: &Stage, scenario: &Scenario, left: Left) -> Result<()> {
    let broken = stage.with(|world, _| invariants::check(world, scenario));
    let broken: Vec<String> = broken.iter().map(Broken::to_string).collect();
    ensure!(broken.is_empty(), "broken: {broken:#?}");
    ensure!(left == Left::default(), "the queues hold {left:?}");
    one_machine_a_job(stage)
}

/// Tighter than the invariant: nobody runs out of capacity here, and a client token makes the
/// repeat of a launch harmless, so no job may have had two machines.
fn one_machine_a_job(stage: &Stage) -> Result<()> {
    let mut machines: BTreeMap<String, usize> = BTreeMap::new();
    stage.with(|world, _| {
        for machine in world.machines() {
            *machines.entry(machine.labels.join(" ")).or_default() += 1;
        }
        for attempt in world.github().runs().flat_map(|run| run.attempts()) {
            for job in attempt.jobs.values().filter(|job| !job.is_carried_over()) {
                if let Some(count) = machines.get_mut(&job.labels.join(" ")) {
                    *count = count.saturating_sub(1);
                }
            }
        }
    });
    machines.retain(|_, count| *count > 0);
    ensure!(
        machines.is_empty(),
        "machines beyond one a job: {machines:#?}"
    );
    Ok(())
}

/// All that helps to understand a play that went wrong.
fn told(
    stage: &Stage,
    scenario: &Scenario,
    seed: u64,
    plan: &[Strike],
    history: &[String],
) -> String {
    let plan: Vec<String> = plan.iter().map(Strike::to_string).collect();
    let decisions: Vec<String> = stage.decisions().iter().map(in_short).collect();
    let broken = stage.with(|world, _| invariants::check(world, scenario));
    format!(
        "seed {seed}; play it again by {SEED}={seed}\nplan:\n  {}\nwhat fell:\n  {}\n\
         broken: {broken:#?}\nbecame: {:#?}\ndecisions:\n  {}",
        plan.join("\n  "),
        history.join("\n  "),
        stage.rows(),
        decisions.join("\n  ")
    )
}

fn in_short(line: &Value) -> String {
    let word = |key: &str| match line.get(key) {
        None => String::new(),
        Some(value) => format!(
            " {}",
            value.as_str().map_or(value.to_string(), str::to_owned)
        ),
    };
    let keys = [
        "decision",
        "repository",
        "run.id",
        "run.attempt",
        "job.name",
        "job.id",
    ];
    let more = ["instance.id", "capacity", "reason"];
    let words: String = keys.iter().chain(&more).map(|key| word(key)).collect();
    format!("{}{words}", line["timestamp"].as_str().unwrap_or_default())
}

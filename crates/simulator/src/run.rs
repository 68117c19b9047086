//! Plays one plan to its end.
//!
//! The driver does what the plan says at its times, carries messages, follows hosts with agents and
//! looks at the invariants whenever the world has changed. It ends when everything has come to rest,
//! and a world that never does is a failure, too.

use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::RunId;
use reprise_store::Store;
use reprise_world::ec2::Interruption;
use reprise_world::github::Rerun;
use reprise_world::invariants::{self, Broken};
use reprise_world::machine::Activity;
use reprise_world::scenario::Scenario;
use reprise_world::world::{Queue, World};
use tokio::task::JoinSet;

use crate::agents::{self, Agents};
use crate::checks::{self, Watch};
use crate::plan::{Action, Dice, Plan, Step};
use crate::post::Post;
use crate::replica::Replica;
use crate::tell::tell;
use crate::trace::{self, Trace, Who};
use crate::universe::Universe;

/// Nothing may have happened for so long before all is over: longer than any look, wait or sweep.
const QUIET_FOR: SignedDuration = SignedDuration::from_mins(6);

/// After the last step everything comes to rest within this. GitHub itself takes a day to end a job
/// that no runner takes.
const RESTS_WITHIN: SignedDuration = SignedDuration::from_hours(30);

/// What became of a plan.
#[derive(Debug)]
pub struct Played {
    /// What is wrong; empty when all went well.
    pub broken: Vec<Broken>,
    /// How long it took, in its own time.
    pub took: SignedDuration,
    /// What happened.
    pub trace: Trace,
}

/// Plays a plan. With `keep` the lines of its trace are kept.
///
/// # Errors
/// When the simulation itself cannot be set up.
pub fn play(plan: &Plan, keep: bool) -> Result<Played> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .context("failed to make a runtime")?;
    let played: Result<_> = runtime.block_on(async {
        let universe = Arc::new(Universe::new(plan)?);
        trace::begin(universe.clock, keep);
        let broken = Driver::new(plan, &universe).run().await?;
        Ok((broken, universe.clock.elapsed()))
    });
    let trace = trace::end();
    drop(runtime);
    let (broken, took) = played?;
    Ok(Played {
        broken,
        took,
        trace,
    })
}

struct Driver<'a> {
    plan: &'a Plan,
    steps: std::slice::Iter<'a, Step>,
    next_step: Option<&'a Step>,
    universe: Arc<Universe>,
    replicas: Vec<Arc<Replica>>,
    processes: JoinSet<Result<()>>,
    agents: Agents,
    post: Post,
    watch: Watch,
}

impl<'a> Driver<'a> {
    fn new(plan: &'a Plan, universe: &Arc<Universe>) -> Self {
        let mut steps = plan.steps.iter();
        let next_step = steps.next();
        let mut dice = Dice::new(!plan.seed);
        let replicas = (0..plan.replicas).map(|number| Replica::new(universe, number));
        Self {
            plan,
            steps,
            next_step,
            universe: Arc::clone(universe),
            replicas: replicas.collect(),
            processes: JoinSet::new(),
            agents: Agents::new(plan.agents, dice.number()),
            post: Post::new(plan.post, dice.fork()),
            watch: Watch::default(),
        }
    }

    async fn run(mut self) -> Result<Vec<Broken>> {
        for replica in &self.replicas {
            self.processes.spawn(Arc::clone(replica).run());
        }
        let end = self.end();
        loop {
            self.calm_down();
            self.take_steps();
            let broken = self.look();
            if !broken.is_empty() {
                return Ok(broken);
            }
            if self.is_quiet().await? {
                return Ok(checks::check_at_rest(&self.universe).await?);
            }
            if self.universe.now() >= end {
                return Ok(vec![self.never_quiet().await?]);
            }
            self.wait().await?;
        }
    }

    fn end(&self) -> Timestamp {
        self.time(self.plan.calm_after.max(self.last_step()) + RESTS_WITHIN)
    }

    fn last_step(&self) -> SignedDuration {
        let last = self.plan.steps.last();
        last.map_or(SignedDuration::ZERO, |step| step.at)
    }

    fn time(&self, since: SignedDuration) -> Timestamp {
        let epoch = self.universe.clock.epoch();
        epoch.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    fn calm_down(&mut self) {
        if !self.universe.is_calm() && self.universe.clock.elapsed() >= self.plan.calm_after {
            trace::line(Who::Plan, "from now on nothing fails");
            self.universe.calm();
            self.post.calm();
        }
    }

    fn take_steps(&mut self) {
        while let Some(step) = self.next_step {
            if step.at > self.universe.clock.elapsed() {
                break;
            }
            self.next_step = self.steps.next();
            self.act(&step.what);
        }
    }

    fn act(&self, action: &Action) {
        match action {
            Action::Crash {
                replica,
                calls,
                after_effect,
            } => {
                if let Some(replica) = self.replica(*replica) {
                    replica.will_die(*calls, *after_effect);
                }
            }
            Action::Drain { replica } => {
                if let Some(replica) = self.replica(*replica) {
                    replica.drain();
                }
            }
            Action::Push(_)
            | Action::CancelByPerson { .. }
            | Action::RerunByPerson { .. }
            | Action::Interrupt { .. }
            | Action::HostDies { .. } => {
                let done = self.universe.look(|world, now| change(world, now, action));
                trace::line(Who::Plan, done);
            }
        }
    }

    fn replica(&self, number: u32) -> Option<&Arc<Replica>> {
        let replicas = u32::try_from(self.replicas.len()).unwrap_or(u32::MAX);
        let index = usize::try_from(number.checked_rem(replicas)?).ok()?;
        self.replicas.get(index)
    }

    /// Carries on what has happened, and tells what is wrong.
    fn look(&mut self) -> Vec<Broken> {
        let universe = Arc::clone(&self.universe);
        let (mut broken, mail, up) = universe.look(|world, now| {
            world.advance(now);
            for message in world.take_outgoing() {
                self.post.take(now, message);
            }
            let mail = self.post.deliver(world, now);
            for told in world.take_story() {
                trace::line_at(told.at, Who::World, tell(&told.what));
            }
            (self.watch.check(world), mail, agents::hosts(world))
        });
        if mail {
            universe.mail_came();
        }
        self.agents.follow(&universe, &up);
        let complaints = universe.take_complaints().into_iter();
        broken.extend(complaints.map(|what| Broken { invariant: 0, what }));
        broken
    }

    async fn is_quiet(&self) -> Result<bool> {
        let (universe, now) = (&self.universe, self.universe.now());
        let rests = self.next_step.is_none() && universe.is_calm() && self.post.next().is_none();
        if !rests || now < self.quiet_at() {
            return Ok(false);
        }
        if !universe.look(|world, now| invariants::is_quiet(world, now)) {
            return Ok(false);
        }
        let due = universe.store.due(now, 1).await?;
        Ok(due.is_empty() && universe.store.next_due(now).await?.is_none())
    }

    /// What keeps the world from its rest.
    async fn never_quiet(&self) -> Result<Broken> {
        let (universe, now) = (&self.universe, self.universe.now());
        let mut why = universe.look(|world, _| restless(world));
        let due = universe.store.due(now, 3).await?;
        why.extend(due.iter().map(|key| format!("{key:?} is due")));
        Ok(Broken {
            invariant: 0,
            what: format!("the world never comes to rest: {}", why.join(", ")),
        })
    }

    /// When nothing will have happened for long enough.
    fn quiet_at(&self) -> Timestamp {
        let changed = self.universe.look(|world, _| world.last_change());
        let last = self
            .universe
            .last_write()
            .map_or(changed, |write| write.max(changed));
        last.checked_add(QUIET_FOR).unwrap_or(Timestamp::MAX)
    }

    /// Until something is to be done. A replica that cannot be started ends it all.
    async fn wait(&mut self) -> Result<()> {
        let next = self.next();
        tokio::select! {
            biased;
            Some(ended) = self.processes.join_next() => ended.context("a replica panicked")?,
            () = self.universe.stirred() => Ok(()),
            () = self.universe.clock.pause_until(next) => Ok(()),
        }
    }

    fn next(&self) -> Timestamp {
        let now = self.universe.now();
        let step = self.next_step.map(|step| self.time(step.at));
        let calm = (!self.universe.is_calm()).then(|| self.time(self.plan.calm_after));
        let world = self.universe.look(|world, _| world.next_due());
        let look_again = now + QUIET_FOR;
        let quiet = Some(self.quiet_at()).filter(|at| *at > now);
        let all = [step, calm, world, quiet, self.post.next()]
            .into_iter()
            .flatten();
        all.min().map_or(look_again, |at| at.min(look_again))
    }
}

/// Changes the world as the plan says; what was done.
fn change(world: &mut World, now: Timestamp, action: &Action) -> String {
    match action {
        Action::Push(run) => {
            let scenario = Scenario {
                name: "drawn",
                about: "drawn by a seed",
                runs: vec![(**run).clone()],
            };
            world.play(now, &scenario);
            format!(
                "pushes {} jobs to {}",
                run.spec.jobs.len(),
                run.spec.repository
            )
        }
        Action::CancelByPerson { run } => match pushed(world, *run) {
            Some(run) => {
                let done = world.github_mut(now).cancel_run(now, run, "mona");
                format!("mona cancels run {run}: {done}")
            }
            None => "nothing to cancel yet".to_owned(),
        },
        Action::RerunByPerson { run, only_failed } => match pushed(world, *run) {
            Some(run) => {
                let asked = if *only_failed {
                    Rerun::FailedJobs(run)
                } else {
                    Rerun::WholeRun(run)
                };
                let done = world.github_mut(now).rerun(now, asked, "mona");
                format!("mona re-runs run {run}: {done:?}")
            }
            None => "nothing to re-run yet".to_owned(),
        },
        Action::Interrupt {
            nth,
            action,
            notice,
        } => match working(world, *nth) {
            Some(id) => {
                let interruption = Interruption {
                    action: *action,
                    ..Interruption::terminate(*notice)
                };
                let done = world.ec2_mut(now).interrupt(now, &id, interruption);
                format!("EC2 takes {id}: {done:?}")
            }
            None => "nothing to take".to_owned(),
        },
        Action::HostDies { nth } => match working(world, *nth) {
            Some(id) => {
                let done = world.ec2_mut(now).host_dies(now, &id);
                format!("the host of {id} dies: {done:?}")
            }
            None => "no host to die".to_owned(),
        },
        Action::Crash { .. } | Action::Drain { .. } => String::new(),
    }
}

fn pushed(world: &World, nth: usize) -> Option<RunId> {
    world.planned().get(nth)?.run
}

/// The machines that work, counted round.
fn working(world: &World, nth: usize) -> Option<reprise_model::ids::InstanceId> {
    let working: Vec<_> = world
        .machines()
        .filter(|machine| machine.activity == Activity::Working)
        .map(|machine| machine.id.clone())
        .collect();
    let index = nth.checked_rem(working.len())?;
    working.get(index).cloned()
}

fn restless(world: &World) -> Vec<String> {
    let active = world.github().runs().filter(|run| run.is_active());
    let active = active.map(|run| format!("run {} is active", run.id));
    let alive = world.ec2().instances().filter(|one| one.is_alive());
    let alive = alive.map(|one| format!("{} is alive", one.id));
    let queues = [Queue::Webhooks, Queue::Ec2Events].into_iter();
    let full = queues.filter(|queue| !world.is_queue_empty(*queue));
    let full = full.map(|queue| format!("{queue:?} is not empty"));
    active.chain(alive).chain(full).collect()
}

//! Plays one plan to its end.
//!
//! The driver does what the plan says at its times, carries messages, follows hosts with agents and
//! looks at the invariants whenever the world has changed. It ends when everything has come to rest,
//! and a world that never does is a failure, too.

use std::sync::Arc;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use reprise_controller::operator::{self, Wish};
use reprise_model::delivery::HookEvent;
use reprise_model::view::Subject;
use reprise_store::{DueKey, Store};
use reprise_world::invariants::{self, Broken, Watch};
use reprise_world::world::World;
use tokio::task::JoinSet;

use crate::agents::{self, Agents};
use crate::checks;
use crate::elsewhere::Elsewhere;
use crate::operator::Operator;
use crate::outcome::{self, RunOutcome};
use crate::plan::{Action, Dice, Plan, Step};
use crate::post::Post;
use crate::replica::Replica;
use crate::setting::REDELIVER;
use crate::tell::tell;
use crate::trace::{self, Trace, Who};
use crate::universe::Universe;

/// Nothing may have happened for so long before all is over: longer than any look, wait or sweep.
const QUIET_FOR: SignedDuration = SignedDuration::from_mins(6);

/// Whatever became of what it asked for, a controller gives a webhook up so long after its last
/// attempt: three times ten minutes until an attempt would show, and an hour's pause.
const GIVEN_UP_WITHIN: SignedDuration = SignedDuration::from_hours(2);

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
    /// What became of its runs.
    pub outcomes: Vec<RunOutcome>,
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
        let outcomes = outcome::outcomes(&universe).await?;
        Ok((broken, universe.clock.elapsed(), outcomes))
    });
    let trace = trace::end();
    drop(runtime);
    let (broken, took, outcomes) = played?;
    Ok(Played {
        broken,
        took,
        outcomes,
        trace,
    })
}

/// Whether a webhook has not arrived that a controller is still to have delivered again. One whose
/// redeliveries were asked for in vain, as the requests were lost, is given up, too.
fn is_webhook_open(world: &World, now: Timestamp) -> bool {
    let github = world.github();
    let down_until = github.faults().webhooks_down_until;
    let may_come = |tried_at: Timestamp| {
        let since = down_until.map_or(tried_at, |until| until.max(tried_at));
        now.duration_since(since) < GIVEN_UP_WITHIN
    };
    github.undelivered().iter().any(|one| {
        let tries = u32::try_from(one.redeliveries).unwrap_or(u32::MAX);
        one.event != HookEvent::Other && tries < REDELIVER.tries && may_come(one.tried_at)
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
    elsewhere: Option<Elsewhere>,
    operator: Operator,
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
            agents: Agents::new(plan.agents, plan.world.never_come_up, dice.number()),
            post: Post::new(plan, dice.fork()),
            elsewhere: (plan.world.mandate.retries_only)
                .then(|| Elsewhere::new(plan.world.machines_are_ready, dice.fork())),
            operator: Operator::default(),
            watch: Watch::of(plan.world.mandate),
        }
    }

    async fn run(mut self) -> Result<Vec<Broken>> {
        for replica in &self.replicas {
            self.processes.spawn(Arc::clone(replica).run());
        }
        let end = self.end();
        loop {
            self.calm_down();
            self.take_steps().await?;
            let broken = self.look();
            if !broken.is_empty() {
                return Ok(broken);
            }
            if self.is_quiet().await? {
                return Ok(checks::check_at_rest(&self.universe).await?);
            }
            if self.universe.now() >= end {
                // What is left behind tells more than that something is.
                let mut broken = checks::check_at_rest(&self.universe).await?;
                broken.extend(self.never_quiet().await?);
                return Ok(broken);
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

    async fn take_steps(&mut self) -> Result<()> {
        while let Some(step) = self.next_step {
            if step.at > self.universe.clock.elapsed() {
                break;
            }
            self.next_step = self.steps.next();
            if let Action::Requeue { run } = step.what {
                self.requeue(run).await?;
            }
            self.act(&step.what);
        }
        Ok(())
    }

    /// What `reprise retries requeue` does, straight in the ledger.
    async fn requeue(&self, run: usize) -> Result<()> {
        let universe = &self.universe;
        let key = universe.look(|world, _| {
            let run = world.github().run(world.nth_run(run)?)?;
            Some((run.spec.repository.clone(), run.id))
        });
        let Some((repository, run)) = key else {
            return Ok(());
        };
        let subject = Subject {
            repository,
            run,
            job: None,
        };
        let person = operator::Operator::new(&universe.store, None);
        let wished = person.wish(Wish::Requeue, &subject, universe.now()).await;
        let done = match wished {
            Ok(jobs) => {
                universe.look(|world, _| {
                    jobs.iter()
                        .for_each(|job| world.person_gives_a_chance(job.job));
                });
                format!("{} are due", jobs.len())
            }
            Err(trouble) => trouble.to_string(),
        };
        trace::line(
            Who::Plan,
            format!("a person asks for a fresh chance: {done}"),
        );
        Ok(())
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
            // Asked of the ledger, above.
            Action::Requeue { .. } => {}
            Action::Drain { replica } => {
                if let Some(replica) = self.replica(*replica) {
                    replica.drain();
                }
            }
            Action::Push(_)
            | Action::CancelByPerson { .. }
            | Action::RerunByPerson { .. }
            | Action::PersonWaits { .. }
            | Action::Strike { .. }
            | Action::Rebalance { .. }
            | Action::Shortage { .. }
            | Action::EarlyCompleted { .. }
            | Action::Ping
            | Action::AddressDown { .. }
            | Action::Stranger { .. }
            | Action::DeleteRepository { .. }
            | Action::Forge(_) => {
                let done = self.universe.look(|world, now| action.apply(world, now));
                trace::line(Who::Plan, format!("{action}; {done}"));
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
            self.operator.act(world, now);
            if let Some(elsewhere) = &mut self.elsewhere {
                elsewhere.act(world, now);
            }
            for message in world.take_outgoing() {
                self.post.take(now, message);
            }
            let mail = self.post.deliver(world, now);
            for told in world.take_story() {
                trace::line_at(told.at, Who::World, tell(&told.what));
            }
            (self.watch.look(world), mail, agents::hosts(world))
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
        if universe.look(|world, now| is_webhook_open(world, now)) {
            return Ok(false);
        }
        let rests = self.next_step.is_none() && universe.is_calm() && self.post.next().is_none();
        if !rests || now < self.quiet_at() {
            return Ok(false);
        }
        if !universe.look(|world, now| invariants::is_quiet(world, now)) {
            return Ok(false);
        }
        for key in universe.written() {
            if !self.is_stuck(&key) && self.is_due_some_day(&key).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn is_due_some_day(&self, key: &DueKey) -> Result<bool> {
        let store = &self.universe.store;
        let due = match key {
            DueKey::Instance(key) => store
                .instance(key)
                .await?
                .and_then(|found| found.record.due),
            DueKey::Run(key) => store.run(key).await?.and_then(|found| found.record.due),
            DueKey::Claim(key) => store.claim(key).await?.and_then(|found| found.record.due),
            DueKey::Check(key) => store.check(key).await?.and_then(|found| found.record.due),
        };
        Ok(due.is_some())
    }

    /// Whether a record waits for a job that GitHub never ends; it is looked at for a month.
    fn is_stuck(&self, key: &DueKey) -> bool {
        let run = match key {
            DueKey::Run(run) | DueKey::Check(run) => run.run_id,
            DueKey::Instance(_) | DueKey::Claim(_) => return false,
        };
        self.universe.look(|world, _| {
            let run = world.github().run(run);
            run.is_some_and(|run| invariants::is_stuck(world, run))
        })
    }

    /// When nothing will have happened for long enough.
    fn quiet_at(&self) -> Timestamp {
        let changed = self.universe.look(|world, _| world.last_change());
        let last = self
            .universe
            .last_write(|key| !self.is_stuck(key))
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
        let elsewhere = self.elsewhere.as_ref().and_then(Elsewhere::next);
        let (operator, post) = (self.operator.next(), self.post.next());
        let all = [step, calm, world, quiet, elsewhere, operator, post]
            .into_iter()
            .flatten();
        all.min().map_or(look_again, |at| at.min(look_again))
    }

    /// What is restless still.
    async fn never_quiet(&self) -> Result<Vec<Broken>> {
        let mut restless = self.universe.look(|world, _| invariants::unrest(world));
        for key in self.universe.written() {
            if !self.is_stuck(&key) && self.is_due_some_day(&key).await? {
                restless.push(format!("{key:?} is due"));
            }
        }
        let restless = restless.join("; ");
        Ok(vec![Broken {
            invariant: 0,
            what: format!("the world never comes to rest: {restless}"),
        }])
    }
}

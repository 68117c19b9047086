//! Many jobs queued at once, from the push to the last machine's end, with EC2's own buckets.
//!
//! The real controller by the world's HTTP doors. The machines are the world's: what an agent would do
//! on each, fetch its runner's configuration and start the runner, is done here for all of them, since
//! so many processes would be what is measured.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_tests::harness::stage::{Hosts, Setting, Stage};
use reprise_tests::harness::story::{Story, passes};
use reprise_tests::wait;
use reprise_world::github::JobSpec;
use reprise_world::invariants;
use reprise_world::machine::{Activity, RunnerStart};
use reprise_world::scenario::{JobExpectation, RUN_PLACEHOLDER, Scenario};
use reprise_world::world::World;

use crate::figures::Figure;
use crate::meter::Meter;

/// Jobs of both loads.
pub(crate) const JOBS: usize = 500;

/// Runs of the load in which jobs are alike.
const RUNS_ALIKE: usize = 5;

/// How long a job works: long enough that all are launched before many have ended.
const JOB_TAKES: i64 = 20;

/// With EC2's buckets a call each takes two minutes; a busy machine and a slow build some more.
const PATIENCE: Duration = Duration::from_secs(1200);

/// How often hosts look for their runners, and this for the end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The runner table, and room for all jobs at once.
const CONFIG: &str = r#"
[runner]
table = "reprise-runners"
role_id = "AROAFAKEFAKEFAKEFAKE0"

[limits]
instances = 2000
instances_per_repository = 2000
instances_per_run = 2000
"#;

/// Actions of EC2 that a job takes to be launched.
const TO_LAUNCH: [&str; 5] = [
    "CreateFleet",
    "DescribeImages",
    "DescribeInstanceTypes",
    "DescribeLaunchTemplates",
    "DescribeSubnets",
];

/// What GitHub is asked once a repository or organisation, or at intervals (the search for lost
/// webhooks and for queued jobs that none announced), however many jobs there are.
const NOT_BY_JOBS: [&str; 9] = [
    "access token",
    "installation of a repository",
    "installations",
    "jobs of an attempt",
    "repositories of the installation",
    "runner groups",
    "runners",
    "runs",
    "webhook deliveries",
];

/// How the jobs are like each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// Five runs of a hundred jobs; those of a run have the same labels.
    Alike,
    /// Each job asks for a tag of its own, so that no two can share a launch.
    Alone,
}

impl Load {
    /// What the table says of it.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Alike => "5 runs of 100 jobs alike, queued at once",
            Self::Alone => "500 jobs of which no two are alike, queued at once",
        }
    }

    fn scenario(self) -> Result<Scenario> {
        let mut runs = Vec::new();
        for number in 0..RUNS_ALIKE {
            let mut story = Story::of(&format!("acme/load-{number}"))?;
            for job in 0..JOBS / RUNS_ALIKE {
                let name = format!("test ({job})");
                let label = self.label(number, job);
                story = story.job(
                    JobSpec::new(name, [label]),
                    [passes(JOB_TAKES)],
                    JobExpectation::Passes,
                );
            }
            runs.extend(story.ends(1, reprise_model::job::Conclusion::Success).runs);
        }
        Ok(Scenario {
            name: "bench",
            about: "many jobs at once",
            runs,
        })
    }

    fn label(self, run: usize, job: usize) -> String {
        match self {
            Self::Alike => format!("runs-on={RUN_PLACEHOLDER}/family=c7a"),
            Self::Alone => {
                format!("runs-on={RUN_PLACEHOLDER}-{job}/family=c7a/tag=job:{run}-{job}")
            }
        }
    }
}

/// Plays a load once, in seconds of the story of which `speed` are one of the wall's.
pub(crate) async fn run(load: Load, speed: f64) -> Result<Vec<Figure>> {
    let stage = Stage::set(Setting {
        speed,
        world: |world| world.machines.runner = RunnerStart::JustInTime,
        config: CONFIG,
        hosts: Hosts::Bare,
        ..Setting::default()
    })
    .await?;
    let controller = stage.controller().await?;
    let meter = Meter::of(&controller)?;
    let (cpu_before, before) = (
        meter.cpu_seconds()?,
        stage.with(|world, _| Calls::of(world)),
    );
    let pushed = stage.with(|_, now| now);
    let scenario = load.scenario()?;
    stage.play(&scenario);
    let mut agents = Agents::default();
    wait::until_every(LOOK_EVERY, "rest", PATIENCE, async || {
        let quiet = stage.with(|world, now| {
            agents.start_runners(world, now);
            invariants::is_quiet(world, now)
        });
        Ok(quiet.then_some(()))
    })
    .await
    .with_context(|| stage.so_far())?;
    stage.ends_well(&scenario).await?;
    let cpu = meter.cpu_seconds()? - cpu_before;
    let peak = meter.peak_mebibytes()?;
    controller.terminate().await?;
    stage.with(|world, _| {
        let launched = world.machines().count();
        ensure!(launched >= JOBS, "{launched} machines");
        let mut figures = vec![
            Figure::new(
                "from the push to the last launch",
                last_launch(world, pushed),
                " s",
            )
            .digits(1),
            Figure::new("machines a job", launched as f64 / JOBS as f64, ""),
            Figure::new(
                "machines whose runner GitHub refused",
                agents.refused.len() as f64,
                "",
            )
            .digits(0),
        ];
        let calls = Calls::of(world).since(&before);
        figures.extend(calls.figures(load, agents.reads));
        figures.extend([
            Figure::new(
                "controller: CPU a job, its whole life",
                cpu * 1e3 / JOBS as f64,
                " ms",
            ),
            Figure::new("controller: peak memory", peak, " MB")
                .digits(1)
                .at_most(64.0),
        ]);
        Ok(figures)
    })
}

/// What agents do.
#[derive(Debug, Default)]
struct Agents {
    /// Whose runner GitHub did not know any more.
    refused: BTreeSet<InstanceId>,
    /// Rows that were read, each by the one request that an agent makes.
    reads: u64,
}

impl Agents {
    /// Each host that is up starts the runner that was handed over to it. GitHub may know it no more; then
    /// its job waits for another machine.
    fn start_runners(&mut self, world: &mut World, now: Timestamp) {
        let ready: Vec<_> = world
            .machines()
            .filter(|machine| machine.activity == Activity::Booting)
            .filter(|machine| {
                let instance = world.ec2().instance(&machine.id);
                instance.is_some_and(|instance| instance.is_up())
            })
            .filter_map(|machine| {
                let config = world.runner_table().configuration(&machine.id)?;
                Some((machine.id.clone(), config))
            })
            .collect();
        for (instance, config) in ready {
            self.reads += 1;
            if world.start_runner(now, &instance, &config).is_err() {
                self.refused.insert(instance);
            }
        }
    }
}

fn last_launch(world: &World, pushed: Timestamp) -> f64 {
    let last = world.machines().map(|machine| machine.launched_at).max();
    let after = last.map_or(SignedDuration::ZERO, |last| last.duration_since(pushed));
    after.as_secs_f64()
}

/// Calls by action, as the servers counted them.
#[derive(Debug, Clone, Default)]
struct Calls {
    ec2: BTreeMap<String, u64>,
    refused: u64,
    runner_table: u64,
    github: BTreeMap<String, u64>,
}

impl Calls {
    fn of(world: &World) -> Self {
        let ec2 = world.ec2().call_counts().iter();
        let refused = world
            .ec2()
            .calls()
            .filter(|call| call.error.as_deref() == Some("RequestLimitExceeded"));
        Self {
            ec2: ec2
                .map(|(action, count)| (action.as_str().to_owned(), *count))
                .collect(),
            refused: refused.count() as u64,
            runner_table: world.runner_table().requests().values().sum(),
            github: world
                .github()
                .requests()
                .iter()
                .map(|(route, count)| ((*route).to_owned(), *count))
                .collect(),
        }
    }

    fn since(mut self, before: &Self) -> Self {
        subtract(&mut self.ec2, &before.ec2);
        subtract(&mut self.github, &before.github);
        self.refused -= before.refused;
        self.runner_table -= before.runner_table;
        self
    }

    fn github_row(route: &str) -> String {
        match NOT_BY_JOBS.contains(&route) {
            true => format!("beside these, not by jobs: {route}"),
            false => format!("of these GitHub: {route}"),
        }
    }

    fn figures(&self, load: Load, agents_reads: u64) -> Vec<Figure> {
        let a_job = |count: u64| count as f64 / JOBS as f64;
        let to_launch: u64 = TO_LAUNCH
            .iter()
            .filter_map(|name| self.ec2.get(*name))
            .sum();
        let all: u64 = self.ec2.values().sum::<u64>() + self.runner_table + agents_reads;
        let by_jobs = self
            .github
            .iter()
            .filter(|(route, _)| !NOT_BY_JOBS.contains(&route.as_str()));
        let github: u64 = by_jobs.map(|(_, count)| count).sum();
        let (launch_budget, life_budget) = match load {
            Load::Alike => (0.3, Some(1.5)),
            Load::Alone => (3.0, None),
        };
        let life = Figure::new(
            "AWS calls a job, its whole life, queue aside",
            a_job(all),
            "",
        );
        let mut figures = vec![
            Figure::new("EC2 calls to launch a job", a_job(to_launch), "")
                .digits(3)
                .at_most(launch_budget),
            match life_budget {
                Some(budget) => life.at_most(budget).digits(3),
                None => life.digits(3),
            },
        ];
        let by_action = self.ec2.iter().filter(|(_, count)| **count > 0);
        figures.extend(by_action.map(|(action, count)| {
            Figure::new(format!("of these EC2 {action}"), a_job(*count), "").digits(3)
        }));
        figures.extend([
            Figure::new("of these runner table", a_job(self.runner_table), "").digits(3),
            Figure::new(
                "of these agents, each its runner's row",
                a_job(agents_reads),
                "",
            )
            .digits(3),
            Figure::new("of these refused for the rate", a_job(self.refused), "").digits(3),
            Figure::new("GitHub calls a launched job", a_job(github), "")
                .digits(3)
                .at_most(1.0),
        ]);
        let routes = self.github.iter().filter(|(_, count)| **count > 0);
        figures.extend(routes.map(|(route, count)| {
            Figure::new(Self::github_row(route), a_job(*count), "").digits(3)
        }));
        figures
    }
}

fn subtract(from: &mut BTreeMap<String, u64>, before: &BTreeMap<String, u64>) {
    for (name, count) in before {
        if let Some(left) = from.get_mut(name) {
            *left -= count;
        }
    }
}

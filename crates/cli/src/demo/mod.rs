//! `reprise demo`: a spot interruption and its repair, told live.
//!
//! The simulated cloud runs in this process and is spoken to over HTTP on loopback; the controller
//! and one agent an instance are processes of their own. Whether it went well is judged from the
//! world's final state, never from what the programs say.

mod narrator;
mod processes;
mod screen;
mod setting;
mod table;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::SignedDuration;
use reprise_model::ids::InstanceId;
use reprise_world::clock::ScaledClock;
use reprise_world::invariants::{self, Broken};
use reprise_world::scenario::{self, Scenario};
use reprise_world::server::{self, HostEvent, RunningWorld};
use tokio::sync::mpsc::UnboundedReceiver;

use narrator::Narrator;
use processes::{Heard, Processes};
use screen::Screen;
use setting::Setting;

use crate::output::{note, say};
use crate::signals::{STOPPED, stopped};
use crate::terminal;

/// Seconds of the story that pass in one of the viewer's, at `--speed 1`. At this pace the default
/// scenario, about nine minutes of a real cloud's time, takes some ten seconds.
const PACE: f64 = 50.0;

/// A story that has not come to rest by then never will: GitHub itself gives up on a lost host
/// after ten minutes.
const LONGEST: SignedDuration = SignedDuration::from_mins(45);

/// How often the screen is brought up to date, in the story's time.
const TICK: SignedDuration = SignedDuration::from_secs(1);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What to play; `--list` tells the names.
    #[arg(long, default_value = scenario::all()[0].name)]
    scenario: String,
    /// Tell the names of all scenarios and end.
    #[arg(long)]
    list: bool,
    /// Varies ids and durations, never the outcome.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Times 50 of the story's seconds in one of yours, from 0.01 to 20.
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Keep the folder with the configuration, the ledger and the logs, and say where it is.
    #[arg(long)]
    keep: bool,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.01..=20.0).contains(&speed) => Ok(speed),
        Ok(_) | Err(_) => Err("write a number from 0.01 to 20; 1 is the usual pace".to_owned()),
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    if arguments.list {
        for listed in scenario::all() {
            say(format_args!("{:18} {}", listed.name, listed.about))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let scenario = scenario::find(&arguments.scenario)?.varied(arguments.seed);
    tokio::select! {
        played = play(&arguments, &scenario) => played,
        // What the story had started is ended as it is dropped.
        () = stopped() => {
            note("stopped before the end; nothing is left running");
            Ok(ExitCode::from(STOPPED))
        }
    }
}

async fn play(arguments: &Arguments, scenario: &Scenario) -> Result<ExitCode> {
    let clock = ScaledClock::starting_now(PACE * arguments.speed)?;
    let setting = Setting::new(arguments.seed, &clock, arguments.keep)?;
    let world = server::start(setting.world()?, clock).await?;
    let mut processes = Processes::new(&setting, &world);
    let screen = Screen::new(&clock);
    screen.say("demo", &format!("{}: {}", scenario.name, scenario.about))?;
    screen.wait_for("the controller starts");
    processes.start_controller(&setting.write_config(&world)?)?;
    let mut play = Play {
        world,
        processes,
        screen,
        narrator: Narrator::default(),
        clock,
    };
    let broken = play.until_quiet(scenario).await?;
    play.end(scenario, &broken, &setting).await
}

struct Play {
    world: RunningWorld,
    processes: Processes,
    screen: Screen,
    narrator: Narrator,
    clock: ScaledClock,
}

impl Play {
    async fn until_quiet(&mut self, scenario: &Scenario) -> Result<Vec<Broken>> {
        self.processes.controller_ready().await?;
        self.world.with(|world, now| world.play(now, scenario));
        let mut hosts = self.world.hosts();
        let begun = self.clock.now();
        loop {
            self.one_moment(&mut hosts).await?;
            if self
                .world
                .with(|world, now| invariants::is_quiet(world, now))
            {
                return Ok(self
                    .world
                    .with(|world, _| invariants::check(world, scenario)));
            }
            if self.clock.now().duration_since(begun) > LONGEST {
                let broken = self
                    .world
                    .with(|world, _| invariants::check(world, scenario));
                let open: Vec<String> = broken.iter().map(Broken::to_string).collect();
                bail!("the story has not come to rest: {}", open.join("; "));
            }
        }
    }

    /// Takes what has happened since the last moment, and tells it.
    async fn one_moment(&mut self, hosts: &mut UnboundedReceiver<HostEvent>) -> Result<()> {
        tokio::select! {
            Some(event) = hosts.recv() => self.host(event)?,
            Some(heard) = self.processes.next() => self.heard(heard)?,
            () = self.clock.sleep(TICK) => {}
        }
        for told in self.world.with(|world, _| world.take_story()) {
            if let Some((who, text)) = self.narrator.tale(&told.what) {
                self.screen.say_at(told.at, who, &text)?;
            }
        }
        self.screen.wait_for(&self.narrator.waiting_for());
        Ok(())
    }

    fn host(&mut self, event: HostEvent) -> Result<()> {
        match event {
            HostEvent::Up {
                instance,
                metadata_url,
            } => {
                let runner = self.world.runner_address(&instance);
                self.processes.start_agent(instance, &metadata_url, &runner)
            }
            HostEvent::Down { instance } => {
                self.processes.end_agent(&instance);
                Ok(())
            }
        }
    }

    fn is_up(&self, instance: &InstanceId) -> bool {
        self.world
            .with(|world, _| world.hosts_up().any(|up| up == instance))
    }

    fn heard(&mut self, heard: Heard) -> Result<()> {
        let said = match heard {
            Heard::Controller(line) => self.narrator.controller(&line),
            // On a machine that is being switched off, everything fails.
            Heard::Agent(instance, _) if !self.is_up(&instance) => None,
            Heard::Agent(instance, line) => self.narrator.agent(&instance, &line),
            Heard::ControllerSilent => bail!(self.processes.last_words()),
        };
        if let Some((who, text)) = said {
            self.screen.say(who, &text)?;
        }
        Ok(())
    }

    async fn end(
        mut self,
        scenario: &Scenario,
        broken: &[Broken],
        setting: &Setting,
    ) -> Result<ExitCode> {
        self.screen.wait_for("the controller drains");
        self.processes
            .stop_controller()
            .await
            .context("failed to end the controller")?;
        let rows = self.world.with(|world, _| invariants::summary(world));
        self.screen.finish();
        let table = table::of(&rows, &self.narrator, terminal::width());
        say(format_args!("\n{table}"))?;
        let code = verdict(scenario, broken)?;
        if let Some(folder) = setting.kept() {
            say(format_args!(
                "configuration, ledger and logs are kept in {}",
                folder.display()
            ))?;
        }
        self.world.stop().await;
        Ok(code)
    }
}

fn verdict(scenario: &Scenario, broken: &[Broken]) -> Result<ExitCode> {
    if broken.is_empty() {
        let runs = scenario.runs.len();
        say(format_args!(
            "{runs} {} ended as expected, and every invariant held: no job re-run twice, none that its \
             policy leaves alone, every second attempt on-demand, no instance left.",
            if runs == 1 { "run" } else { "runs" }
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    for one in broken {
        note(format_args!("error: broken {one}"));
    }
    Ok(ExitCode::FAILURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_good_only_if_every_invariant_held() {
        let scenario = scenario::all()[0].scenario();
        let broken = Broken {
            invariant: 3,
            what: "attempt 2 of e2e ran on spot".to_owned(),
        };
        let code = |broken| verdict(&scenario, broken).expect("a reader");
        assert_eq!(code(&[]), ExitCode::SUCCESS);
        assert_eq!(code(&[broken]), ExitCode::FAILURE);
    }

    #[test]
    fn a_speed_that_no_story_could_be_told_at_is_refused() {
        assert_eq!(speed("2.5"), Ok(2.5));
        for text in ["0", "-1", "NaN", "21", "fast"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}

//! `reprise interrupt`: EC2 takes a machine on purpose, and what follows is told until the job has come back.
//!
//! The interruption is AWS's own, by an experiment whose template and role reach nothing but marked machines of
//! the stack (`terraform/modules/drill`). Whether a machine may be taken, and how far it has come, the engine
//! says ([`reprise_engine::drill`]); nothing of Reprise is told that it is a drill.

mod experiment;
mod follow;
mod show;
mod target;
#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use reprise_aws::Drills;
use reprise_config::{Config, DEFAULT_PATH, PATH_VARIABLE, environment};
use reprise_controller::clock::{Clock, SystemClock};
use reprise_engine::drill::{self, Outcome, Step};

use crate::output::{note, say, say_exactly};
use crate::signals::{Stopped, stopped};
use experiment::Drill;
use follow::Follower;
use target::{Target, Whom};

/// The pause between two looks.
const LOOKS_EVERY: SignedDuration = SignedDuration::from_secs(3);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The address of a job at GitHub that runs now, or the id of the spot instance on which one does.
    #[arg(value_name = "JOB-URL | INSTANCE")]
    whom: Whom,
    /// The controller's configuration.
    #[arg(
        long,
        default_value = DEFAULT_PATH,
        env = PATH_VARIABLE
    )]
    config: PathBuf,
    /// The experiment's template, the output `template_id` of terraform/modules/drill.
    #[arg(long, value_name = "ID", env = "REPRISE_DRILL_TEMPLATE")]
    template: String,
    /// Do not ask before it is done.
    #[arg(long)]
    yes: bool,
    /// How long what follows is watched at most, as 30m.
    #[arg(long, value_name = "TIME", default_value = "45m")]
    within: SignedDuration,
    /// One JSON object a step and line.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let config = Config::load(&arguments.config, &environment())?;
    let follower = Follower::connect(config).await?;
    let target = target::find(&follower, &arguments.whom).await?;
    if !arguments.yes && !agreed(&target).await? {
        bail!("nothing was done");
    }
    let drills = Drills::connect(&target.view.instance.region).await?;
    let started = now();
    let mut drill = Drill::of(&follower.ec2, drills, target.view.instance.clone());
    let done = async {
        drill.begin(&arguments.template, started).await?;
        follow(&follower, &target, &mut drill, started, &arguments).await
    };
    let followed = tokio::select! {
        followed = done => followed,
        () = stopped() => Err(Stopped.into()),
    };
    drill.end().await;
    followed
}

/// Tells each step once, until the job has come back or cannot any more.
async fn follow(
    follower: &Follower,
    target: &Target,
    drill: &mut Drill<'_>,
    started: Timestamp,
    arguments: &Arguments,
) -> Result<ExitCode> {
    let mut told = show::Told::new(started, arguments.json);
    let until = started.saturating_add(arguments.within)?;
    let mut last_trouble = None;
    loop {
        drill.look().await?;
        let looked = follower.look(target).await;
        let seen = looked.seen(target, started);
        let steps = drill::steps(&seen, &follower.settings.rules);
        for step in &steps {
            if let Some(line) = told.step(step, now())? {
                say(line)?;
            }
        }
        let is_noticed = steps.iter().any(|one| one.step == Step::Notice);
        drill.unmark_once_taken(is_noticed).await;
        // Said once for as long as it is the same: what passes is asked for again.
        let trouble = looked.trouble.clone();
        if let Some(trouble) = trouble.as_ref().filter(|_| trouble != last_trouble) {
            note(format_args!("{trouble}; asked again"));
        }
        last_trouble = trouble;
        match drill::outcome(&seen) {
            Outcome::Green => {
                say(told.end("the job came back by itself and passed, on-demand", true)?)?;
                return Ok(ExitCode::SUCCESS);
            }
            Outcome::Failed(why) => {
                bail!("{why}; `reprise explain {}` tells more", target.address())
            }
            Outcome::Open if now() >= until => bail!(
                "the job has not come back within {:#}; `reprise explain {}` tells where it stands",
                arguments.within,
                target.address()
            ),
            Outcome::Open => {}
        }
        SystemClock.sleep(LOOKS_EVERY).await;
    }
}

/// Asks whoever sits there.
async fn agreed(target: &Target) -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody can be asked here whether it is to be done; say --yes");
    }
    say_exactly(&format!("{}\nGo on? [y/N] ", show::question(target)))?;
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let answer = answer
        .await
        .context("failed to ask")?
        .context("failed to read the answer")?;
    Ok(matches!(
        answer.trim().to_ascii_lowercase().as_str(),
        "y" | "yes"
    ))
}

fn now() -> Timestamp {
    SystemClock.now()
}

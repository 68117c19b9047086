//! `reprise interrupt`: EC2 takes a machine on purpose, and what follows is told until the job has come back.
//!
//! The interruption is AWS's own, by an experiment whose template and role reach nothing but marked machines of
//! the stack (`terraform/modules/drill`). Whether a machine may be taken, and how far it has come, the engine
//! says ([`reprise_engine::drill`]); nothing of Reprise is told that it is a drill.

mod follow;
mod show;
mod target;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use reprise_aws::{Drills, Ec2, Experiment, ExperimentState};
use reprise_config::{Config, DEFAULT_PATH, PATH_VARIABLE, environment};
use reprise_controller::clock::{Clock, SystemClock};
use reprise_engine::drill::{self, DRILL_TAG, Outcome, Step};
use reprise_model::instance::Instance;

use crate::output::{note, say, say_exactly};
use crate::signals::{Stopped, stopped};
use follow::Follower;
use target::{Target, Whom};

/// The mark of a target, and what takes its place once it is none any more: a later drill must not find it.
const MARKED: &str = "true";
const OVER: &str = "over";

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
    let mut drill = Drill::begin(&follower.ec2, drills, &target, &arguments.template).await?;
    let followed = tokio::select! {
        followed = follow(&follower, &target, &mut drill, started, &arguments) => followed,
        () = stopped() => Err(Stopped.into()),
    };
    drill.unmark(&follower.ec2).await;
    followed
}

/// An experiment under way, and the mark of its target.
struct Drill {
    drills: Drills,
    instance: Instance,
    experiment: Experiment,
    is_marked: bool,
}

impl Drill {
    /// Marks the machine, and has it taken.
    async fn begin(ec2: &Ec2, drills: Drills, target: &Target, template: &str) -> Result<Self> {
        let instance = target.view.instance.clone();
        mark(ec2, &instance, MARKED).await.with_context(|| {
            format!(
                "failed to mark {} as the target; nothing was done",
                instance.id
            )
        })?;
        // One of this moment: whoever asks again wants another interruption.
        let token = format!("reprise-{}-{}", instance.id, now().as_millisecond());
        match drills.start(template, &token).await {
            Ok(experiment) => Ok(Self {
                drills,
                instance,
                experiment,
                is_marked: true,
            }),
            Err(error) => {
                unmark(ec2, &instance).await;
                Err(error).with_context(|| {
                    format!(
                        "failed to begin the experiment of {template}; is it the output template_id of \
                         terraform/modules/drill?"
                    )
                })
            }
        }
    }

    /// Looks how it goes, until it has ended.
    async fn look(&mut self) -> Result<()> {
        if self.experiment.state == ExperimentState::Running {
            // What does not answer is asked again with the next look.
            if let Ok(experiment) = self.drills.look(&self.experiment.id).await {
                self.experiment = experiment;
            }
        }
        if self.experiment.state == ExperimentState::Failed {
            let reason = self
                .experiment
                .reason
                .as_deref()
                .unwrap_or("it does not say why");
            bail!(
                "the experiment {} interrupted nothing: {reason}",
                self.experiment.id
            );
        }
        Ok(())
    }

    /// The service's role may interrupt what is marked alone: so the mark stays until that was done.
    async fn unmark_once_taken(&mut self, ec2: &Ec2, is_noticed: bool) {
        if is_noticed || self.experiment.state == ExperimentState::Completed {
            self.unmark(ec2).await;
        }
    }

    async fn unmark(&mut self, ec2: &Ec2) {
        if self.is_marked {
            self.is_marked = false;
            unmark(ec2, &self.instance).await;
        }
    }
}

/// A later drill must not find it again.
async fn unmark(ec2: &Ec2, instance: &Instance) {
    if let Err(error) = mark(ec2, instance, OVER).await {
        note(format_args!(
            "failed to take the mark {DRILL_TAG} off {}: the next drill may take it again ({error})",
            instance.id
        ));
    }
}

async fn mark(ec2: &Ec2, instance: &Instance, value: &str) -> Result<()> {
    let tags = BTreeMap::from([(DRILL_TAG.to_owned(), value.to_owned())]);
    Ok(ec2.tag(&instance.region, &instance.id, &tags).await?)
}

/// Tells each step once, until the job has come back or cannot any more.
async fn follow(
    follower: &Follower,
    target: &Target,
    drill: &mut Drill,
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
        drill.unmark_once_taken(&follower.ec2, is_noticed).await;
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

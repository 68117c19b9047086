//! A plan in plain words, for the trace of a failure.

use std::fmt;

use reprise_world::ec2::{CarriedOut, Interruption, Pool};
use reprise_world::fate::{Fate, Stroke};
use reprise_world::world::{ByHand, Deed, When};

use super::{Action, Forgery, Lie, Plan, Push, Signed, Step};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seed, replicas) = (self.seed, self.replicas);
        writeln!(f, "seed {seed}, replicas: {replicas}")?;
        writeln!(f, "search: {}", self.search)?;
        writeln!(f, "makes runners: {}", self.makes_runners)?;
        writeln!(f, "fleet: {:?}", self.fleet)?;
        writeln!(f, "world:  {:?}", self.world)?;
        writeln!(f, "rates:  {:?}", self.rates)?;
        writeln!(f, "post:   {:?}", self.post)?;
        writeln!(f, "agents: {:?}", self.agents)?;
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(f, "{number:>3}. {step}")?;
        }
        write!(f, "     after {:#} nothing outside fails", self.calm_after)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {:#} {}", self.at, self.what)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push(push) => push.fmt(f),
            Self::CancelByPerson { run } => write!(f, "a person cancels push {run}"),
            Self::RerunByPerson { run, what } => {
                write!(f, "a person re-runs {} of push {run}", by_hand(*what))
            }
            Self::PersonWaits {
                run,
                when,
                then_after,
                deed,
            } => {
                let when = match when {
                    When::RunCompletes => "it completes",
                    When::InstanceIsStruck => "an instance of it is struck",
                };
                let deed = match deed {
                    Deed::Cancel => "cancels it".to_owned(),
                    Deed::DeleteRepository => "deletes its repository".to_owned(),
                    Deed::Rerun(what) => format!("re-runs {} of it", by_hand(*what)),
                };
                write!(
                    f,
                    "a person waits for push {run}, and {then_after:#} after {when} {deed}"
                )
            }
            Self::Strike { run, place, stroke } => {
                let stroke = stroke_words(stroke);
                write!(f, "the instance of job {place} of push {run} {stroke}")
            }
            Self::Rebalance { run, place } => {
                write!(
                    f,
                    "EC2 recommends to leave the instance of job {place} of push {run}"
                )
            }
            Self::Shortage { pool, lasts } => {
                write!(f, "{} have no capacity for {lasts:#}", pools(pool))
            }
            Self::EarlyCompleted { run } => {
                write!(f, "GitHub says that push {run} has completed")
            }
            Self::DeleteRepository { run } => {
                write!(f, "the repository of push {run} is deleted")
            }
            Self::Ping => f.write_str("GitHub sends a ping"),
            Self::AddressDown { lasts } => {
                write!(f, "the address of the webhooks takes nothing for {lasts:#}")
            }
            Self::Forge(forgery) => forgery.fmt(f),
            Self::Crash {
                replica,
                calls,
                after_effect,
            } => {
                let when = if *after_effect { "after" } else { "before" };
                write!(
                    f,
                    "replica {replica} dies {when} its {calls}th call from now on"
                )
            }
            Self::Stranger { run, place, what } => {
                write!(f, "{} (like job {place} of push {run})", what.as_str())
            }
            Self::Requeue { run } => {
                write!(
                    f,
                    "a person asks for a fresh chance for what of push {run} is exhausted"
                )
            }
            Self::Drain { replica } => write!(f, "replica {replica} is asked to end"),
        }
    }
}

impl fmt::Display for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = &self.spec;
        let branch = spec.head_branch.as_deref().unwrap_or("no branch");
        let (repository, workflow, event) = (&spec.repository, &spec.workflow_name, &spec.event);
        write!(
            f,
            "somebody pushes {repository} {workflow} ({event}, {branch}"
        )?;
        if let Some(concurrency) = &spec.concurrency {
            let cancels = if concurrency.cancel_in_progress {
                ", which cancels what is in progress"
            } else {
                ""
            };
            write!(f, ", group {}{cancels}", concurrency.group)?;
        }
        if spec.waited.is_positive() {
            write!(f, ", after it had waited for {:#}", spec.waited)?;
        }
        f.write_str("):")?;
        for (place, job) in spec.jobs.iter().enumerate() {
            write!(f, "\n       job {place} {:?} {:?}", job.name, job.labels)?;
            if !job.needs.is_empty() {
                write!(f, " needs {:?}", job.needs)?;
            }
            if let Some(matrix) = job.matrix.as_ref().filter(|matrix| matrix.fail_fast) {
                write!(f, " fail-fast in {:?}", matrix.group)?;
            }
            write!(f, " {:?}", job.condition)?;
            for fate in self.fates.get(place).into_iter().flatten() {
                write!(f, "; {}", fate_words(fate))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Forgery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = match self.signed {
            Signed::Not => "without a signature",
            Signed::Malformed => "with nonsense for a signature",
            Signed::Wrongly => "signed with another secret",
        };
        write!(f, "a stranger posts {signed}: ")?;
        match &self.says {
            Lie::Completed {
                run,
                place,
                conclusion,
            } => {
                let ends = conclusion.as_str();
                write!(f, "job {place} of push {run} has ended with {ends}")
            }
            Lie::Queued { run, place } => {
                write!(f, "a job like job {place} of push {run} is queued")
            }
            Lie::Warning { run, place } => {
                write!(f, "EC2 takes the instance of job {place} of push {run}")
            }
            Lie::Garbage => f.write_str("garbage"),
        }
    }
}

fn by_hand(what: ByHand) -> String {
    match what {
        ByHand::Job(place) => format!("job {place}"),
        ByHand::FailedJobs => "the failed jobs".to_owned(),
        ByHand::WholeRun => "all".to_owned(),
    }
}

fn pools(pool: &Pool) -> String {
    let capacity = pool.capacity.map_or("all", |capacity| capacity.as_str());
    let kind = pool.instance_type.as_deref().unwrap_or("any type");
    let zone = pool.zone.as_deref().unwrap_or("any zone");
    format!("{capacity} pools of {kind} in {zone}")
}

fn fate_words(fate: &Fate) -> String {
    let mut words = format!("takes {:#} and ends {}", fate.takes, fate.ends.as_str());
    if let Some(after) = fate.interrupted_after {
        words += &format!(
            ", but after {after:#} its host {}",
            stroke_words(&fate.stroke)
        );
    }
    if let Some(when_taken) = fate.when_taken {
        words += &format!(" ({when_taken:?})");
    }
    if let Some(after) = fate.forges_after {
        words += &format!(", forges its tag after {after:#}");
    }
    words
}

fn stroke_words(stroke: &Stroke) -> String {
    match stroke {
        Stroke::Usual => "is interrupted".to_owned(),
        Stroke::Interruption {
            interruption,
            resumes_after,
        } => {
            let mut words = interruption_words(interruption);
            if let Some(after) = resumes_after {
                words += &format!(" and comes back {after:#} later");
            }
            words
        }
        Stroke::HostDies => "dies".to_owned(),
        Stroke::PowersOff => "powers itself off".to_owned(),
    }
}

fn interruption_words(interruption: &Interruption) -> String {
    let notice = interruption.notice.map_or_else(
        || "without notice".to_owned(),
        |notice| format!("with a notice of {notice:#}"),
    );
    let carried_out = match interruption.carried_out {
        CarriedOut::AtItsTime => String::new(),
        CarriedOut::After(after) => format!(", which EC2 carries out after {after:#}"),
        CarriedOut::Never => ", which EC2 does not carry out".to_owned(),
    };
    let action = interruption.action.as_str();
    format!("is interrupted ({action}) {notice}{carried_out}")
}

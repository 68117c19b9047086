//! A drill: which machine may be interrupted on purpose, and how far what follows has come.
//!
//! Reprise takes no part in it: the interruption is EC2's, and every step is read from EC2, GitHub and the
//! ledger, as an operator would.

mod mark;
#[cfg(test)]
mod tests;

use std::fmt;

use jiff::Timestamp;
use reprise_model::evidence::EvidenceSource;
use reprise_model::ids::InstanceId;
use reprise_model::instance::{Capacity, InstanceSight, InstanceState, InstanceView, SpotStatus};
use reprise_model::job::{Conclusion, Job, JobStatus};
use reprise_model::ledger::TrackedState;
use reprise_model::ledger::{InstanceEntry, RunEntry};
use reprise_model::reason::SettleReason;
use reprise_model::run::{Run, RunStatus};
use reprise_model::runner_name::RunnerNamePattern;

use crate::rules::Rules;

pub use mark::{Begun, MARK_SHOWS_WITHIN, MARK_STAYS, MARKED, OVER, needs_mark, shows_mark};

/// The tag by which the experiment's template knows its target (`terraform/modules/drill`).
pub const DRILL_TAG: &str = "reprise-drill";

/// What a spot request says from the notice on.
const TAKEN: &str = "marked-for-termination";

/// Why a machine is not interrupted on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It does not bear the stack's tag.
    NotOurs {
        /// The stack.
        stack: String,
    },
    /// EC2 interrupts spot instances alone.
    NotSpot,
    /// It does not run.
    NotRunning(InstanceState),
    /// EC2 takes it already.
    Marked,
    /// There would be nothing to bring back.
    NoJob,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs { stack } => write!(
                f,
                "it is not of the stack {stack}; nothing else is ever interrupted"
            ),
            Self::NotSpot => f.write_str(
                "it is on-demand, which EC2 does not interrupt; take a job's first attempt",
            ),
            Self::NotRunning(state) => {
                write!(
                    f,
                    "it is {}; take the machine of a job that runs",
                    state.as_str()
                )
            }
            Self::Marked => f.write_str("it bears an interruption tag already"),
            Self::NoJob => f.write_str("no job runs on it; nothing would come back"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Whether a machine may be interrupted on purpose, with this job on it.
///
/// # Errors
/// Why not.
pub fn may_interrupt(
    view: &InstanceView,
    job: Option<&Job>,
    stack: &str,
    rules: &Rules,
) -> Result<(), Refusal> {
    if view.tags.get(&rules.tags.stack()).map(String::as_str) != Some(stack) {
        return Err(Refusal::NotOurs {
            stack: stack.to_owned(),
        });
    }
    if view.state != InstanceState::Running {
        return Err(Refusal::NotRunning(view.state));
    }
    if view.capacity != Capacity::Spot {
        return Err(Refusal::NotSpot);
    }
    if view.tags.contains_key(&rules.tags.interrupted()) {
        return Err(Refusal::Marked);
    }
    match job {
        Some(job) if job.status == JobStatus::InProgress => Ok(()),
        Some(_) | None => Err(Refusal::NoJob),
    }
}

/// The steps from the experiment to the green attempt, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// EC2 was asked for the interruption.
    Started,
    /// EC2 gave notice.
    Notice,
    /// The agent tagged its instance.
    Tagged,
    /// The job ended.
    JobEnded,
    /// All jobs of its run have ended.
    RunCompleted,
    /// GitHub was asked for the re-run.
    RerunAsked,
    /// A machine was launched for it.
    Machine,
    /// The job of the next attempt passed.
    Green,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Started,
        Self::Notice,
        Self::Tagged,
        Self::JobEnded,
        Self::RunCompleted,
        Self::RerunAsked,
        Self::Machine,
        Self::Green,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "interruption-asked",
            Self::Notice => "notice",
            Self::Tagged => "tagged",
            Self::JobEnded => "job-ended",
            Self::RunCompleted => "run-completed",
            Self::RerunAsked => "re-run-asked",
            Self::Machine => "machine",
            Self::Green => "green",
        }
    }
}

/// What is known while a drill goes on. What was not read yet, or cannot be any more, is `None`.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// When the experiment was begun.
    pub started: Timestamp,
    /// The job, as it was then.
    pub job: &'a Job,
    /// The machine.
    pub sight: Option<&'a InstanceSight>,
    /// The spot request behind it.
    pub spot: Option<&'a SpotStatus>,
    /// What the ledger has of it.
    pub known: Option<&'a InstanceEntry>,
    /// The run.
    pub run: Option<&'a Run>,
    /// What the ledger has of it.
    pub ledger: Option<&'a RunEntry>,
    /// The jobs of the interrupted attempt.
    pub before: &'a [Job],
    /// The jobs of the next one.
    pub after: &'a [Job],
    /// The machine of the job's re-run.
    pub machine: Option<&'a InstanceView>,
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub step: Step,
    /// When, by whoever told it; where it was only seen to be so, there is no time.
    pub at: Option<Timestamp>,
    /// More of it.
    pub says: String,
}

/// How a drill stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// It goes on.
    Open,
    /// The re-run passed, on-demand.
    Green,
    /// It came to another end, which says why.
    Failed(String),
}

/// The steps taken so far, in their order.
pub fn steps(seen: &Seen<'_>, rules: &Rules) -> Vec<Taken> {
    let told: [Option<(Option<Timestamp>, String)>; 8] = [
        Some((
            Some(seen.started),
            "EC2 was asked to take the machine".to_owned(),
        )),
        notice(seen),
        tagged(seen, rules),
        job_ended(seen),
        run_completed(seen),
        rerun_asked(seen),
        machine(seen),
        green(seen),
    ];
    Step::ALL
        .into_iter()
        .zip(told)
        .filter_map(|(step, told)| {
            let (at, says) = told?;
            Some(Taken { step, at, says })
        })
        .collect()
}

/// How it stands.
pub fn outcome(seen: &Seen<'_>) -> Outcome {
    if let Some(ended) = interrupted(seen).filter(|job| job.status == JobStatus::Completed)
        && ended.conclusion == Some(Conclusion::Success)
    {
        return Outcome::Failed(
            "the job passed before its machine was taken; take one that runs for longer than three minutes".to_owned(),
        );
    }
    if let Some(again) = rerun(seen).filter(|job| job.status == JobStatus::Completed) {
        return match &again.conclusion {
            Some(Conclusion::Success) => green_or_spot(seen),
            conclusion => {
                let word = conclusion.as_ref().map_or("nothing", Conclusion::as_str);
                Outcome::Failed(format!("the re-run ended with {word}"))
            }
        };
    }
    match settled(seen) {
        // What follows is watched at GitHub.
        None | Some(SettleReason::Succeeded | SettleReason::Recovered) => Outcome::Open,
        Some(reason) => Outcome::Failed(format!("the job was settled: {reason}")),
    }
}

fn green_or_spot(seen: &Seen<'_>) -> Outcome {
    match seen.machine.map(|view| view.capacity) {
        Some(Capacity::Spot) => {
            Outcome::Failed("the re-run passed, but on a spot machine".to_owned())
        }
        Some(Capacity::OnDemand) | None => Outcome::Green,
    }
}

/// Why the ledger has settled the job.
fn settled<'a>(seen: &Seen<'a>) -> Option<&'a SettleReason> {
    let job = seen.ledger?.jobs.get(&seen.job.id)?;
    match &job.state {
        TrackedState::Settled { reason, .. } => Some(reason),
        TrackedState::Awaiting | TrackedState::Asked { .. } => None,
    }
}

fn first_word_of(seen: &Seen<'_>, source: EvidenceSource) -> Option<Timestamp> {
    let of_instance = seen.known.into_iter().flat_map(|known| &known.evidence);
    let of_job = seen.ledger.and_then(|ledger| ledger.jobs.get(&seen.job.id));
    let of_job = of_job.into_iter().flat_map(|job| &job.evidence);
    let words = of_instance.chain(of_job).filter(|one| one.source == source);
    words.map(|one| one.first_seen_at).min()
}

fn notice(seen: &Seen<'_>) -> Option<(Option<Timestamp>, String)> {
    let marked = seen.spot.filter(|spot| spot.code == TAKEN);
    let by_request = marked.map(|spot| (spot.since, "by the spot request".to_owned()));
    let warned = first_word_of(seen, EvidenceSource::InterruptionWarning);
    by_request.or_else(|| warned.map(|at| (Some(at), "by EC2's event".to_owned())))
}

fn tagged(seen: &Seen<'_>, rules: &Rules) -> Option<(Option<Timestamp>, String)> {
    let says = || "the agent tagged its instance".to_owned();
    if let Some(at) = first_word_of(seen, EvidenceSource::Tag) {
        return Some((Some(at), says()));
    }
    match seen.sight? {
        InstanceSight::Seen(view) => {
            let is_tagged = view.tags.contains_key(&rules.tags.interrupted());
            is_tagged.then(|| (None, says()))
        }
        InstanceSight::Absent => None,
    }
}

fn interrupted<'a>(seen: &Seen<'a>) -> Option<&'a Job> {
    seen.before.iter().find(|job| job.id == seen.job.id)
}

fn job_ended(seen: &Seen<'_>) -> Option<(Option<Timestamp>, String)> {
    let job = interrupted(seen).filter(|job| job.status == JobStatus::Completed)?;
    let word = job
        .conclusion
        .as_ref()
        .map_or("nothing", Conclusion::as_str);
    Some((job.completed_at, format!("{} ended: {word}", job.name)))
}

/// GitHub tells of the newest attempt alone when it ended.
fn run_completed(seen: &Seen<'_>) -> Option<(Option<Timestamp>, String)> {
    let run = seen.run?;
    let says = || format!("attempt {} has ended", seen.job.run_attempt);
    if run.run_attempt > seen.job.run_attempt {
        let last = seen.before.iter().filter_map(|job| job.completed_at).max();
        return Some((last, says()));
    }
    (run.status == RunStatus::Completed).then(|| (run.updated_at, says()))
}

fn rerun_asked(seen: &Seen<'_>) -> Option<(Option<Timestamp>, String)> {
    let says = || "GitHub was asked for the re-run".to_owned();
    let mut orders = seen.ledger.into_iter().flat_map(|ledger| &ledger.reruns);
    if let Some(order) = orders.find(|one| one.order.from == seen.job.run_attempt) {
        return Some((Some(order.decided_at), says()));
    }
    let run = seen
        .run
        .filter(|run| run.run_attempt > seen.job.run_attempt)?;
    Some((run.run_started_at, says()))
}

/// The job in the next attempt: by its name, which stays the same.
pub fn rerun<'a>(seen: &Seen<'a>) -> Option<&'a Job> {
    seen.after.iter().find(|job| job.name == seen.job.name)
}

/// The machine that the re-run got, where its runner's name tells it.
pub fn rerun_host(seen: &Seen<'_>, names: &RunnerNamePattern) -> Option<InstanceId> {
    let name = rerun(seen)?.runner_name.as_ref()?;
    names.read(name).map(|named| named.id)
}

fn machine(seen: &Seen<'_>) -> Option<(Option<Timestamp>, String)> {
    let view = seen.machine?;
    let (id, capacity) = (&view.instance.id, view.capacity);
    let says = format!("{id}, {capacity} {}", view.instance_type);
    Some((view.launched_at, says))
}

fn green(seen: &Seen<'_>) -> Option<(Option<Timestamp>, String)> {
    let job = rerun(seen).filter(|job| job.conclusion == Some(Conclusion::Success))?;
    let says = format!("{} of attempt {} passed", job.name, job.run_attempt);
    Some((job.completed_at, says))
}

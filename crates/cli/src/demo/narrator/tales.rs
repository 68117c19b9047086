//! What the world did.

use reprise_world::ec2::{Caller, EndReason};
use reprise_world::story::{Asked, NamedInstance, NamedJob, NamedRun, Tale};

use super::{Narrator, Said, job_text};

impl Narrator {
    /// The line of something that happened, if it deserves one.
    pub(in crate::demo) fn tale(&mut self, tale: &Tale) -> Option<Said> {
        match tale {
            Tale::RunStarted { .. }
            | Tale::JobQueued { .. }
            | Tale::JobStarted { .. }
            | Tale::JobCompleted { .. }
            | Tale::RunCompleted { .. }
            | Tale::RunCancelled { .. }
            | Tale::RerunAccepted { .. }
            | Tale::RerunRefused { .. } => self.github(tale),
            Tale::Launched { .. }
            | Tale::LaunchRefused { .. }
            | Tale::InstanceRunning(_)
            | Tale::RunnerRegistered { .. }
            | Tale::Notice { .. }
            | Tale::RebalanceRecommended(_)
            | Tale::Tagged { .. }
            | Tale::ShuttingDown { .. }
            | Tale::Stopped(_)
            | Tale::Terminated { .. } => self.ec2(tale),
        }
    }

    fn github(&mut self, tale: &Tale) -> Option<Said> {
        let text = match tale {
            Tale::RunStarted { run, event, actor } => {
                format!("{event} by {actor} starts {}", run_text(run))
            }
            Tale::JobQueued { job, labels } => {
                self.queued.insert(job.id);
                format!("{} is queued: {}", named(job), labels.join(" "))
            }
            Tale::JobStarted { job, runner, .. } => {
                self.queued.remove(&job.id);
                self.running.insert(job.id);
                return Some(("runner", format!("{runner} takes {}", named(job))));
            }
            Tale::JobCompleted {
                carried_over: true, ..
            } => return None,
            Tale::JobCompleted {
                job, conclusion, ..
            } => {
                self.queued.remove(&job.id);
                self.running.remove(&job.id);
                format!("{} ends: {}", named(job), conclusion.as_str())
            }
            Tale::RunCompleted { run, conclusion } => {
                format!("{} completes: {}", run_text(run), conclusion.as_str())
            }
            Tale::RunCancelled { run, by } => format!("{} is cancelled by {by}", run_text(run)),
            Tale::RerunAccepted { run, asked, by } => {
                format!(
                    "201 for {by}: {} again, as {}",
                    asked_text(asked),
                    run_text(run)
                )
            }
            Tale::RerunRefused {
                run,
                asked,
                by,
                refusal,
            } => {
                format!(
                    "403 for {by}: {} of {}: {refusal:?}",
                    asked_text(asked),
                    run_text(run)
                )
            }
            _ => return None,
        };
        Some(("github", text))
    }

    fn ec2(&mut self, tale: &Tale) -> Option<Said> {
        let text = match tale {
            Tale::Launched { instance, zone, .. } => {
                self.instances.insert(instance.id.clone());
                let NamedInstance {
                    id,
                    capacity,
                    instance_type,
                    ..
                } = instance;
                format!("launches {id}, {instance_type} {capacity} in {zone}")
            }
            Tale::LaunchRefused {
                instance_type,
                zone,
                capacity,
                code,
            } => {
                format!("has no {capacity} {instance_type} in {zone}: {code}")
            }
            Tale::Notice {
                instance, action, ..
            } => {
                self.noticed.insert(instance.id.clone());
                let victim = instance
                    .job
                    .as_ref()
                    .map_or_else(String::new, |job| format!(" under {}", named(job)));
                format!(
                    "takes {} back{victim}: notice to {} in two minutes",
                    instance.id,
                    action.as_str()
                )
            }
            Tale::Tagged {
                instance,
                by: Caller::Instance(_),
                key,
                value,
            } => {
                return Some((
                    "agent",
                    format!("tags its own {} {key}={value}", instance.id),
                ));
            }
            Tale::ShuttingDown { instance, reason } => {
                format!("shuts {} down{}", instance.id, reason_text(*reason))
            }
            Tale::Terminated { instance, .. } => {
                self.instances.remove(&instance.id);
                return None;
            }
            Tale::RebalanceRecommended(instance) => format!("recommends to leave {}", instance.id),
            Tale::Stopped(instance) => format!("has stopped {}", instance.id),
            _ => return None,
        };
        Some(("ec2", text))
    }
}

fn named(job: &NamedJob) -> String {
    job_text(&job.name, job.run.attempt, &job.run.repository)
}

fn run_text(run: &NamedRun) -> String {
    format!(
        "run {} of {} in {}, attempt {}",
        run.id, run.workflow, run.repository, run.attempt
    )
}

fn asked_text(asked: &Asked) -> String {
    match asked {
        Asked::Job(name) => format!("job {name}"),
        Asked::FailedJobs => "all failed jobs".to_owned(),
        Asked::WholeRun => "every job".to_owned(),
    }
}

fn reason_text(reason: EndReason) -> &'static str {
    match reason {
        EndReason::SpotTermination | EndReason::SpotShutdown => ": the spot market has it",
        EndReason::UserInitiated => ", as the controller asked",
        EndReason::FromInside => ": its system shut down",
        EndReason::HostFailure => ": its host died",
    }
}

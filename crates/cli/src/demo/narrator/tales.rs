//! What the world did.

use jiff::SignedDuration;
use reprise_world::ec2::{Caller, EndReason, InterruptionAction};
use reprise_world::story::{Asked, NamedInstance, NamedJob, NamedRun, Tale};

use super::{Narrator, Said, job_text};

impl Narrator {
    /// The line of something that happened, if it deserves one.
    pub(in crate::demo) fn tale(&mut self, tale: &Tale) -> Option<Said> {
        self.follow(tale);
        Some(match tale {
            Tale::RunStarted { run, event, actor } => {
                github(format!("{event} by {actor} starts {}", run_text(run)))
            }
            Tale::JobQueued { job, labels } => {
                github(format!("{} is queued: {}", named(job), labels.join(" ")))
            }
            Tale::JobStarted { job, runner, .. } => {
                ("runner", format!("{runner} takes {}", named(job)))
            }
            Tale::JobCompleted {
                job,
                conclusion,
                carried_over: false,
                ..
            } => github(format!("{} ends: {}", named(job), conclusion.as_str())),
            Tale::RunCompleted { run, conclusion } => github(format!(
                "{} completes: {}",
                run_text(run),
                conclusion.as_str()
            )),
            Tale::CheckWritten {
                run,
                name,
                state,
                title,
            } => github(format!(
                "shows {name} on the commit of run {}, {}: {title}",
                run.id,
                state.as_str()
            )),
            Tale::RunCancelled { run, by } => {
                github(format!("{} is cancelled by {by}", run_text(run)))
            }
            Tale::RerunAccepted { run, asked, by } => github(format!(
                "201 for {by}: {} again, as {}",
                asked_text(asked),
                run_text(run)
            )),
            Tale::RerunRefused {
                run,
                asked,
                by,
                refusal,
            } => github(format!(
                "403 for {by}: {} of {}: {refusal:?}",
                asked_text(asked),
                run_text(run)
            )),
            Tale::Launched { instance, zone, .. } => ec2(launched_text(instance, zone)),
            Tale::LaunchRefused {
                instance_type,
                zone,
                capacity,
                code,
            } => ec2(format!(
                "has no {capacity} {instance_type} in {zone}: {code}"
            )),
            Tale::Notice {
                instance, action, ..
            } => ec2(notice_text(instance, *action)),
            Tale::Tagged {
                instance,
                by: Caller::Instance(_),
                key,
                value,
            } => (
                "agent",
                format!("tags its own {} {key}={value}", instance.id),
            ),
            Tale::ShuttingDown { instance, reason } => ec2(format!(
                "shuts {} down{}",
                instance.id,
                reason_text(*reason)
            )),
            Tale::RunnerRegistered { instance, .. } => (
                "agent",
                format!("starts the runner of its own {}", instance.id),
            ),
            Tale::Planned { job, necessary, of } => (
                "job",
                format!("{}: {necessary} of {of} jobs are left to do", named(job)),
            ),
            Tale::CheckpointSaved { job, worked } => (
                "agent",
                format!(
                    "its hook saves what {} has made in {}",
                    named(job),
                    whole_seconds(*worked)
                ),
            ),
            Tale::CheckpointRestored { job, worked } => (
                "job",
                format!(
                    "{} begins with what took {} before",
                    named(job),
                    whole_seconds(*worked)
                ),
            ),
            Tale::RebalanceRecommended(instance) => {
                ec2(format!("recommends to leave {}", instance.id))
            }
            Tale::Stopped(instance) => ec2(format!("has stopped {}", instance.id)),
            Tale::JobCompleted {
                carried_over: true, ..
            }
            | Tale::InstanceRunning(_)
            | Tale::Tagged {
                by: Caller::Account(_),
                ..
            }
            | Tale::Terminated { .. } => return None,
        })
    }

    /// Keeps count of what lives, waits and runs, and of what was interrupted.
    fn follow(&mut self, tale: &Tale) {
        match tale {
            Tale::JobQueued { job, .. } => {
                self.queued.insert(job.id);
            }
            Tale::JobStarted { job, .. } => {
                self.queued.remove(&job.id);
                self.running.insert(job.id);
            }
            Tale::JobCompleted { job, .. } => {
                self.queued.remove(&job.id);
                self.running.remove(&job.id);
            }
            Tale::Launched { instance, .. } => {
                self.instances.insert(instance.id.clone());
            }
            Tale::Notice { instance, .. } => {
                self.noticed.insert(instance.id.clone());
            }
            Tale::Terminated { instance, .. } => {
                self.instances.remove(&instance.id);
            }
            Tale::RunStarted { .. }
            | Tale::RunCompleted { .. }
            | Tale::CheckWritten { .. }
            | Tale::RunCancelled { .. }
            | Tale::RerunAccepted { .. }
            | Tale::RerunRefused { .. }
            | Tale::LaunchRefused { .. }
            | Tale::InstanceRunning(_)
            | Tale::RunnerRegistered { .. }
            | Tale::Planned { .. }
            | Tale::CheckpointSaved { .. }
            | Tale::CheckpointRestored { .. }
            | Tale::RebalanceRecommended(_)
            | Tale::Tagged { .. }
            | Tale::ShuttingDown { .. }
            | Tale::Stopped(_) => {}
        }
    }
}

fn github(text: String) -> Said {
    ("github", text)
}

fn ec2(text: String) -> Said {
    ("ec2", text)
}

fn launched_text(instance: &NamedInstance, zone: &str) -> String {
    let NamedInstance {
        id,
        capacity,
        instance_type,
        ..
    } = instance;
    format!("launches {id}, {instance_type} {capacity} in {zone}")
}

fn notice_text(instance: &NamedInstance, action: InterruptionAction) -> String {
    let victim = instance.job.as_ref();
    let victim = victim.map_or_else(String::new, |job| format!(" under {}", named(job)));
    let action = action.as_str();
    format!(
        "takes {} back{victim}: notice to {action} in two minutes",
        instance.id
    )
}

fn whole_seconds(worked: SignedDuration) -> String {
    format!("{} s", worked.as_secs())
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

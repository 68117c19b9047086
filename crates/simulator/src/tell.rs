//! The world's story in one line each, with the ids that a search needs.

use reprise_world::story::{Asked, NamedInstance, NamedJob, NamedRun, Tale};

/// A line of the story.
pub fn tell(tale: &Tale) -> String {
    match tale {
        Tale::RunStarted { run, event, actor } => format!("{} starts: {event} by {actor}", r(run)),
        Tale::JobQueued { job, .. } => format!("{} is queued", j(job)),
        Tale::JobStarted { job, instance, .. } => format!("{} starts{}", j(job), on(instance)),
        Tale::JobCompleted {
            job,
            conclusion,
            carried_over,
            instance,
        } => {
            let how = if *carried_over { ", carried over" } else { "" };
            let ends = conclusion.as_str();
            format!("{} ends: {ends}{how}{}", j(job), on(instance))
        }
        Tale::RunCompleted { run, conclusion } => {
            format!("{} ends: {}", r(run), conclusion.as_str())
        }
        Tale::CheckWritten {
            run,
            name,
            state,
            title,
        } => format!("{} shows {name}, {}: {title}", r(run), state.as_str()),
        Tale::RunCancelled { run, by } => format!("{} is cancelled by {by}", r(run)),
        Tale::RerunAccepted { run, asked, by } => {
            format!("{} is a re-run of {} for {by}", r(run), a(asked))
        }
        Tale::RerunRefused {
            run,
            asked,
            by,
            refusal,
        } => format!("{}: no re-run of {} for {by}: {refusal}", r(run), a(asked)),
        Tale::Launched {
            instance, labels, ..
        } => format!("{} is launched for {}", i(instance), labels.join(" ")),
        Tale::LaunchRefused {
            instance_type,
            zone,
            capacity,
            code,
        } => format!("no {capacity} {instance_type} in {zone}: {code}"),
        Tale::InstanceRunning(instance) => format!("{} runs", i(instance)),
        Tale::RunnerRegistered { instance, .. } => format!("{} has a runner", i(instance)),
        Tale::Notice {
            instance,
            action,
            time,
        } => format!(
            "{} gets notice: {} at {time:.0}",
            i(instance),
            action.as_str()
        ),
        Tale::Planned { job, necessary, of } => {
            format!("{} finds {necessary} of {of} jobs to do", j(job))
        }
        Tale::CheckpointSaved { job, worked } => format!("{worked:#} of {} are saved", j(job)),
        Tale::CheckpointRestored { job, worked } => format!("{} begins with {worked:#}", j(job)),
        Tale::RebalanceRecommended(instance) => format!("{} had better move on", i(instance)),
        Tale::Tagged {
            instance,
            key,
            value,
            ..
        } => format!("{} is tagged {key}={value}", i(instance)),
        Tale::ShuttingDown { instance, reason } => {
            format!("{} shuts down: {}", i(instance), reason.code())
        }
        Tale::Stopped(instance) => format!("{} has stopped", i(instance)),
        Tale::Terminated { instance, reason } => {
            format!("{} has ended: {}", i(instance), reason.code())
        }
    }
}

fn r(run: &NamedRun) -> String {
    let (repository, id, attempt) = (&run.repository, run.id, run.attempt);
    format!("run {id} of {repository}, attempt {attempt},")
}

fn j(job: &NamedJob) -> String {
    let NamedJob { run, name, id } = job;
    format!("{name} ({id}; run {}, attempt {})", run.id, run.attempt)
}

fn i(instance: &NamedInstance) -> String {
    let NamedInstance {
        id, capacity, job, ..
    } = instance;
    match job {
        Some(job) => format!("{id} ({capacity}, {} {})", job.name, job.id),
        None => format!("{id} ({capacity})"),
    }
}

fn on(instance: &Option<NamedInstance>) -> String {
    let instance = instance.as_ref();
    instance.map_or_else(String::new, |one| {
        format!(" on {} ({})", one.id, one.capacity)
    })
}

fn a(asked: &Asked) -> String {
    match asked {
        Asked::Job(name) => name.clone(),
        Asked::FailedJobs => "the failed jobs".to_owned(),
        Asked::WholeRun => "everything".to_owned(),
    }
}

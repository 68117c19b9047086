//! What GitHub and its runner say of a failure, whatever the job printed.
//!
//! Their sentences are known from public logs; a sentence that they change is no sign any more, and the
//! failure is judged by its log.

use reprise_model::failure::{
    Annotation, AnnotationLevel, DecidedBy, FailureClass, FailureFacts, FailureSign, FailureSource,
    Step,
};
use reprise_model::job::{Conclusion, JobStatus};
use reprise_model::run::CancelCause;

use super::by_sign;
use super::line::{Lines, Mark, shown};

/// The path of an annotation that speaks of no file.
const NO_FILE: &str = ".github";

/// What the signs of a job tell.
#[derive(Debug)]
pub(super) enum Sign {
    /// They alone say what it is.
    Ends(FailureClass, DecidedBy),
    /// It counts for each of its steps, unless what they printed says otherwise.
    OfItsSteps(DecidedBy),
}

/// The signs of a job, the strongest first.
pub(super) fn of_the_job(facts: &FailureFacts, lines: &Lines) -> Option<Sign> {
    if let Some(cancelled) = cancelled(facts) {
        return Some(Sign::Ends(FailureClass::Unknown, cancelled));
    }
    if let Some(host) = told_of_host(facts, lines) {
        return Some(Sign::Ends(FailureClass::Transient, host));
    }
    if let Some(code) = code_annotated(facts) {
        return Some(Sign::Ends(FailureClass::Permanent, code));
    }
    if let Some(timed_out) = timed_out(facts) {
        return Some(Sign::OfItsSteps(timed_out));
    }
    lost(facts).map(|lost| Sign::Ends(FailureClass::Transient, lost))
}

/// The messages of annotations, with those that matter little.
fn messages(facts: &FailureFacts) -> impl Iterator<Item = &str> {
    let annotations = facts.annotations.iter().flatten();
    annotations.filter_map(|annotation| annotation.message.as_deref())
}

fn cancelled(facts: &FailureFacts) -> Option<DecidedBy> {
    let why = |message: &&str| CancelCause::from_annotations([*message]) != CancelCause::Unreadable;
    let message = messages(facts).find(why)?;
    let sign = FailureSign::Cancelled;
    Some(by_sign(sign, FailureSource::Annotation, message))
}

fn told_of_host(facts: &FailureFacts, lines: &Lines) -> Option<DecidedBy> {
    let annotated = messages(facts)
        .find_map(|message| Some(by_sign(host(message)?, FailureSource::Annotation, message)));
    let logged = || {
        let errors = lines
            .all
            .iter()
            .rev()
            .filter(|line| line.mark == Mark::Error);
        let mut errors = errors.map(|line| shown(&line.text));
        errors.find_map(|line| Some(by_sign(host(&line)?, FailureSource::ErrorLine, &line)))
    };
    annotated.or_else(logged)
}

/// A sentence about the host.
fn host(message: &str) -> Option<FailureSign> {
    let of_runner = message.starts_with("The ") && message.contains("runner");
    if of_runner && message.contains("lost communication with the server")
        || message.starts_with("The hosted runner encountered an error while running your job")
    {
        Some(FailureSign::LostCommunication)
    } else if message.starts_with("The runner has received a shutdown signal") {
        Some(FailureSign::ShutDown)
    } else if message.contains("No space left on device") && message.contains("_diag") {
        Some(FailureSign::DiskFull)
    } else {
        None
    }
}

/// The limit of the job, of a step, or of an action.
fn timed_out(facts: &FailureFacts) -> Option<DecidedBy> {
    let limit = |message: &&str| is_time_limit(message);
    if let Some(message) = messages(facts).find(limit) {
        let source = FailureSource::Annotation;
        return Some(by_sign(FailureSign::TimedOut, source, message));
    }
    let over = |step: &&Step| step.conclusion == Some(Conclusion::TimedOut);
    if let Some(step) = facts.steps.iter().find(over) {
        return Some(by_sign(
            FailureSign::TimedOut,
            FailureSource::Steps,
            &step.name,
        ));
    }
    let conclusion = facts.conclusion.as_ref();
    (conclusion == Some(&Conclusion::TimedOut))
        .then(|| by_sign(FailureSign::TimedOut, FailureSource::Steps, "timed_out"))
}

/// "The job running on runner NAME has exceeded the maximum execution time of 360 minutes.",
/// "The job has exceeded the maximum execution time of 6h0m0s", "The action 'NAME' has timed out after 10
/// minutes."
pub(super) fn is_time_limit(message: &str) -> bool {
    message.starts_with("The job ") && message.contains("exceeded the maximum execution time")
        || message.starts_with("The action ") && message.contains(" has timed out after ")
}

/// A checker's finding in a file of the repository: problem matchers turn the lines of compilers and
/// linters into such annotations.
fn code_annotated(facts: &FailureFacts) -> Option<DecidedBy> {
    let of_code = |annotation: &&Annotation| {
        let path = annotation.path.as_deref().unwrap_or(NO_FILE);
        is_failure(annotation) && !path.is_empty() && path != NO_FILE
    };
    let found = facts.annotations.iter().flatten().find(of_code)?;
    let message = found.message.as_deref().unwrap_or_default();
    let line = format!("{}: {message}", found.path.as_deref().unwrap_or_default());
    Some(by_sign(
        FailureSign::CodeAnnotated,
        FailureSource::Annotation,
        &line,
    ))
}

pub(super) fn is_failure(annotation: &Annotation) -> bool {
    annotation.level == Some(AnnotationLevel::Failure)
}

/// A host that is gone: no step failed, and one was cancelled or never ended. A job that is cancelled looks
/// the same, so one must not have been, or its annotations must show nobody who did it.
fn lost(facts: &FailureFacts) -> Option<DecidedBy> {
    if facts.steps.iter().any(has_failed) {
        return None;
    }
    if facts.conclusion == Some(Conclusion::Cancelled) && facts.annotations.is_none() {
        return None;
    }
    let step = facts.steps.iter().find(|step| was_cut_off(step))?;
    Some(by_sign(
        FailureSign::HostLost,
        FailureSource::Steps,
        &step.name,
    ))
}

pub(super) fn has_failed(step: &Step) -> bool {
    matches!(
        step.conclusion,
        Some(Conclusion::Failure | Conclusion::TimedOut)
    )
}

/// Whether a step began and was not let end.
pub(super) fn was_cut_off(step: &Step) -> bool {
    let never_ended = step.status == JobStatus::InProgress && step.conclusion.is_none();
    step.conclusion == Some(Conclusion::Cancelled) || never_ended
}

//! What a failed step printed, and the annotations that came of it.

use jiff::{SignedDuration, Timestamp};
use reprise_model::failure::{Annotation, FailureFacts, Step};

use super::END;
use super::line::{Line, Lines, Mark, cleaned};
use super::signs::{has_failed, is_failure, was_cut_off};

/// Times of steps are in whole seconds, those of lines are not.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// So many annotations are looked at, and so many bytes of each. GitHub keeps ten a step.
const ANNOTATIONS: usize = 100;
const ANNOTATION: usize = 4_000;

/// What the runner writes at the head of a step.
const HEAD: &[u8] = b"##[group]Run ";
const HEAD_ENDS: &[u8] = b"##[endgroup]";

/// What is known of one failed step.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// What it printed, in order, to its last error line.
    pub(super) lines: Vec<&'a Line>,
    /// The lines of the annotations that may be its.
    pub(super) annotations: Vec<Annotated>,
}

/// A line of an annotation.
#[derive(Debug, Clone)]
pub(super) struct Annotated {
    pub(super) text: Vec<u8>,
    /// Whether it is certain that this step made it.
    pub(super) is_certain: bool,
}

impl<'a> Section<'a> {
    /// A section for each step that failed; where none did, for each that was cut off; where GitHub
    /// told no steps, for the last one that shows in the log.
    pub(super) fn of_failed_steps(facts: &FailureFacts, lines: &'a Lines) -> Vec<Self> {
        let mut steps: Vec<&Step> = facts.steps.iter().filter(|step| has_failed(step)).collect();
        if steps.is_empty() {
            steps = facts
                .steps
                .iter()
                .filter(|step| was_cut_off(step))
                .collect();
        }
        let mut printed: Vec<Vec<&Line>> = steps.iter().map(|step| printed(lines, step)).collect();
        if printed.is_empty() {
            printed.push(last_failed(&lines.all));
        }
        let annotations = Annotations::of(facts, lines, &printed);
        let sections = printed.into_iter();
        sections
            .map(|lines| Section {
                annotations: annotations.of_step(&lines),
                lines,
            })
            .collect()
    }

    /// Where its last lines begin.
    pub(super) fn end(&self) -> usize {
        self.lines.len().saturating_sub(END)
    }
}

/// What a step printed, by time; where there are no times, what the last failed step did.
fn printed<'a>(lines: &'a Lines, step: &Step) -> Vec<&'a Line> {
    let has_times = lines.all.iter().any(|line| line.at.is_some());
    match (step.started_at, step.completed_at) {
        (Some(from), Some(to)) if has_times => body(within(&lines.all, from, to)),
        (Some(from), None) if has_times => body(within(&lines.all, from, Timestamp::MAX)),
        (Some(_) | None, _) => last_failed(&lines.all),
    }
}

/// The lines between two whole seconds. In the first one the step before it may have printed too, before
/// this step's head.
fn within(lines: &[Line], from: Timestamp, to: Timestamp) -> &[Line] {
    let after = to.checked_add(SECOND).unwrap_or(Timestamp::MAX);
    let begun = from.checked_add(SECOND).unwrap_or(Timestamp::MAX);
    // A line without a time is the rest of the one before it.
    let first = |bound: Timestamp| {
        let at = lines
            .iter()
            .position(|line| line.at.is_some_and(|at| at >= bound));
        at.unwrap_or(lines.len())
    };
    let start = first(from);
    let end = first(after).max(start);
    let head = (start..first(begun).clamp(start, end))
        .rev()
        .find(|at| head_at(lines, *at).is_some());
    &lines[head.unwrap_or(start)..end]
}

/// What the last step printed that ended in an error; nothing where none did.
fn last_failed(lines: &[Line]) -> Vec<&Line> {
    let Some(last) = lines.iter().rposition(|line| line.mark == Mark::Error) else {
        return Vec::new();
    };
    let start = (0..last).rev().find(|at| head_at(lines, *at).is_some());
    body(&lines[start.unwrap_or(0)..=last])
}

/// Without heads, and without what follows the last error line.
fn body(lines: &[Line]) -> Vec<&Line> {
    let last = lines.iter().rposition(|line| line.mark == Mark::Error);
    let lines = last.map_or(lines, |last| &lines[..=last]);
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        if let Some(end) = head_at(lines, at) {
            at = end;
        } else if line.mark != Mark::Echo {
            kept.push(line);
        }
        at += 1;
    }
    kept
}

/// The end of the head of a step that begins here. A group that the step itself opened may be called so
/// as well, but what it holds is not a step's script and environment.
fn head_at(lines: &[Line], at: usize) -> Option<usize> {
    if !lines.get(at)?.text.starts_with(HEAD) {
        return None;
    }
    for (end, line) in lines.iter().enumerate().skip(at + 1) {
        let text = line.text.as_slice();
        if text.starts_with(HEAD_ENDS) {
            return Some(end);
        }
        let is_its = line.mark == Mark::Echo
            || text.starts_with(b"  ")
            || text.starts_with(b"shell: ")
            || text == b"env:"
            || text == b"with:";
        if !is_its {
            return None;
        }
    }
    None
}

/// The annotations that say that something failed. The runner makes one of each error line, so the log
/// tells whose they are.
struct Annotations {
    /// By the first line, that the log has.
    all: Vec<Vec<Vec<u8>>>,
    /// Of those, which stand only in what other steps printed.
    elsewhere: Vec<bool>,
    /// Whether there is but one failed step.
    only: bool,
}

impl Annotations {
    fn of(facts: &FailureFacts, lines: &Lines, printed: &[Vec<&Line>]) -> Self {
        let failures = facts
            .annotations
            .iter()
            .flatten()
            .filter(|one| is_failure(one));
        let all: Vec<Vec<Vec<u8>>> = failures.take(ANNOTATIONS).map(lines_of).collect();
        let in_log = |message: &Vec<Vec<u8>>| lines.all.iter().any(|line| is_of(line, message));
        let in_steps = |message: &Vec<Vec<u8>>| {
            let mut steps = printed.iter().flatten();
            steps.any(|line| is_of(line, message))
        };
        let elsewhere = all.iter().map(|one| in_log(one) && !in_steps(one));
        Self {
            elsewhere: elsewhere.collect(),
            only: printed.len() == 1,
            all,
        }
    }

    /// Those that a step made, or may have made.
    fn of_step(&self, printed: &[&Line]) -> Vec<Annotated> {
        let mut found = Vec::new();
        for (message, elsewhere) in self.all.iter().zip(&self.elsewhere) {
            if *elsewhere {
                continue;
            }
            let is_certain = self.only || printed.iter().any(|line| is_of(line, message));
            found.extend(message.iter().map(|text| Annotated {
                text: text.clone(),
                is_certain,
            }));
        }
        found
    }
}

fn is_of(line: &Line, message: &[Vec<u8>]) -> bool {
    let first = message.first();
    line.mark == Mark::Error
        && first.is_some_and(|first| line.text.trim_ascii() == first.trim_ascii())
}

fn lines_of(annotation: &Annotation) -> Vec<Vec<u8>> {
    let message = annotation.message.as_deref().unwrap_or_default().as_bytes();
    let message = message.get(..ANNOTATION).unwrap_or(message);
    let lines = message.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.map(cleaned).filter(|line| !line.is_empty()).collect()
}

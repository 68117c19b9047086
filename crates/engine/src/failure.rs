//! Whether a failed job may pass when it is run again: transient, permanent, or unknown.
//!
//! [`judge`] looks at one failed execution: its steps, the annotations of its check run, the end of its
//! log. Unknown is not retried, so every doubt ends as unknown or permanent: a transient failure that is
//! left alone costs a person a click, a permanent one that is retried costs machines and hides the truth.
//!
//! # Which lines count
//! A log is full of harmless words ("0 errors", "connection reset, retrying", a test called
//! `times_out_when_refused`), so a line counts by where it stands.
//! - **What GitHub and the runner say** (`signs`) goes first: nothing that a job prints explains a host
//!   that is gone. That a step ran into its limit or was killed is told by them too, but what it had printed
//!   before may show that it had failed already.
//! - **A step at a time.** Only what a failed step printed counts, told by the times of the step and of the
//!   lines: steps before it passed, those after it tidy up. Of that, the script that the runner repeats at its
//!   head is left out, and what follows the last `##[error]`. A job is transient only when each of its failed
//!   steps is; one that is permanent makes it permanent.
//! - **The end of the step.** What fails a step is told right before it ends. A *permanent* pattern counts in
//!   its last [`END`] lines, and in each of its error lines and annotations; one that leaves no doubt (`reach =
//!   "step"`: a test runner's own verdict, a compiler's error) counts wherever the step printed it. A
//!   *transient* pattern counts at the end only; bare words, as "timeout", have `reach = "error"` and count
//!   only in lines that speak of an error.
//! - **Harmless lines** count for nothing: a test that passed, a zero count, a warning, an attempt of many.
//!
//! # Which pattern wins
//! In one line the operator's table goes before the built-in one. Over all lines of a step: a permanent
//! pattern without doubt, then a step's sign, then any permanent pattern, then a transient one.
//!
//! # Bounds
//! Strangers write logs. Of a job with [`STEPS`] failed steps at most, the last [`LOG_END`](reprise_model::failure::LOG_END) bytes, [`LINES`] lines and
//! [`LINE`] bytes a line are looked at; patterns are compiled within a limit and searched for in linear time.

mod evidence;
mod line;
mod section;
mod signs;
mod table;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use reprise_model::advice::clean;
use reprise_model::failure::{
    DecidedBy, FailureClass, FailureFacts, FailureRule, FailureSign, FailureSource, JobLog,
    Judgement,
};

pub use self::table::{
    Group, LONGEST_PATTERN, MOST_RULES, Reach, Rule, RuleProblem, Table, TableError,
};

use self::line::Lines;
use self::section::Section;
use self::signs::Sign;
use crate::backoff::after;

/// So many lines are the end of a step: the longest that usual tools take to say what went wrong, a Gradle
/// build or a Dockerfile with its excerpt.
pub const END: usize = 40;

/// So many lines of a log are looked at.
pub const LINES: usize = 4_000;

/// So many bytes of a line are looked at.
pub const LINE: usize = 2_000;

/// A job in which more steps failed than this is not looked at.
pub const STEPS: usize = 30;

/// The tables to go by.
#[derive(Debug, Clone, Copy)]
pub struct Tables<'a> {
    /// The operator's; it goes before the built-in one.
    pub configured: Option<&'a Table>,
    /// The one that comes with the program.
    pub built_in: &'a Table,
}

/// What follows from reading why a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum FailureSaid {
    /// This is what it is.
    Judged(Judgement),
    /// Its log may still be on its way: to be read again then.
    TooEarly {
        /// When.
        at: Timestamp,
    },
}

/// What follows from the facts, or from GitHub's final no to show them. A job that ended less than `window`
/// ago and left no log that tells may have left it a moment later.
pub fn said(
    facts: Option<&FailureFacts>,
    tables: Tables<'_>,
    completed_at: Option<Timestamp>,
    window: SignedDuration,
    now: Timestamp,
) -> FailureSaid {
    let Some(facts) = facts else {
        return FailureSaid::Judged(UNTOLD);
    };
    let mut judgement = judge(facts, tables);
    let at = completed_at.map(|completed| after(completed, window));
    match at.filter(|at| now < *at && judgement == UNTOLD && facts.log == JobLog::Missing) {
        Some(at) => FailureSaid::TooEarly { at },
        None => {
            judgement.failed_step = failed_step(facts);
            FailureSaid::Judged(judgement)
        }
    }
}

/// The name of the first step that failed, which strangers gave it.
fn failed_step(facts: &FailureFacts) -> Option<String> {
    let failed = facts.steps.iter().find(|step| signs::has_failed(step));
    failed.map(|step| clean(&step.name))
}

/// What a failure is, and what said so.
pub fn judge(facts: &FailureFacts, tables: Tables<'_>) -> Judgement {
    let lines = Lines::of(&facts.log);
    match signs::of_the_job(facts, &lines) {
        Some(Sign::Ends(class, decided_by)) => decided(class, decided_by),
        Some(Sign::OfItsSteps(sign)) => of_steps(facts, &lines, tables, Some(&sign)),
        None => of_steps(facts, &lines, tables, None),
    }
}

/// The judgement of all steps that failed: a re-run helps only when it helps each of them.
fn of_steps(
    facts: &FailureFacts,
    lines: &Lines,
    tables: Tables<'_>,
    sign: Option<&DecidedBy>,
) -> Judgement {
    let sections = Section::of_failed_steps(facts, lines);
    if sections.len() > STEPS {
        return UNTOLD;
    }
    let judged = sections.iter();
    let judged = judged.map(|section| evidence::judge(section, tables, sign));
    let mut judged: Vec<Judgement> = judged.collect();
    judged.sort_by_key(|judgement| match judgement.class {
        FailureClass::Permanent => 0,
        FailureClass::Unknown => 1,
        FailureClass::Transient => 2,
    });
    let first = judged.into_iter().next();
    first.unwrap_or(UNTOLD)
}

/// Nothing tells what it is.
pub const UNTOLD: Judgement = Judgement {
    class: FailureClass::Unknown,
    decided_by: None,
    failed_step: None,
};

fn decided(class: FailureClass, decided_by: DecidedBy) -> Judgement {
    Judgement {
        class,
        decided_by: Some(decided_by),
        failed_step: None,
    }
}

fn by_sign(sign: FailureSign, source: FailureSource, line: &str) -> DecidedBy {
    DecidedBy {
        rule: FailureRule::Sign(sign),
        source,
        line: line::shown(line.as_bytes()),
    }
}

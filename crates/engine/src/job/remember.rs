//! What is remembered of an instance when a job on it has been judged.
//!
//! Every function answers the record to write, or `None` when it would change nothing: a write
//! that changes nothing costs money and makes others read again.

use jiff::Timestamp;
use reprise_model::console::ConsoleTail;
use reprise_model::evidence::Evidence;
use reprise_model::ids::JobId;
use reprise_model::instance::Instance;
use reprise_model::ledger::{Due, InstanceEntry, UnexplainedJob};

use super::outlived::looked_at_by;
use super::{FleetRule, earliest_of_each};
use crate::backoff::after;
use crate::rules::Rules;

/// The record with this evidence added: each source's earliest word.
pub fn with_evidence(
    entry: Option<InstanceEntry>,
    instance: &Instance,
    evidence: &[Evidence],
) -> Option<InstanceEntry> {
    changed(entry, instance, |entry| add(entry, evidence))
}

/// The record once its job was judged with this evidence, whatever the verdict: nothing is left
/// unexplained, and a sweep that sees the evidence again knows that it is dealt with. What is due
/// for a job that was judged before stays due.
pub fn explained(
    entry: Option<InstanceEntry>,
    instance: &Instance,
    evidence: &[Evidence],
    job: JobId,
) -> Option<InstanceEntry> {
    changed(entry, instance, |entry| {
        let is_told_again = entry.judged == Some(job);
        add(entry, evidence);
        entry.judged = Some(job);
        entry.unexplained = None;
        if !is_told_again {
            entry.due = None;
        }
    })
}

/// The record once its job awaits a re-run: as [`explained`], and where the fleet is ours and only
/// the instance's own tag says that EC2 takes it, due when [`super::outlived`] can tell whether
/// that was true.
pub fn awaited(
    entry: Option<InstanceEntry>,
    instance: &Instance,
    evidence: &[Evidence],
    job: JobId,
    fleet: FleetRule<'_>,
    now: Timestamp,
) -> Option<InstanceEntry> {
    changed(entry, instance, |entry| {
        let is_told_again = entry.judged == Some(job);
        add(entry, evidence);
        entry.judged = Some(job);
        entry.unexplained = None;
        if !is_told_again {
            entry.due = looked_at_by(&entry.evidence, fleet, now).map(Due::now);
        }
    })
}

/// The record with a job that was settled as not interrupted: evidence that comes late reopens it,
/// and at a set time after its end it is looked at once more. After that time it is not remembered
/// again, so the last look is the last.
///
/// Where the fleet is ours nothing is remembered: most jobs that fail do so by themselves, and the
/// few that come into question later are found by the tags of their instance and its launch claim.
pub fn unexplained(
    entry: Option<InstanceEntry>,
    instance: &Instance,
    job: UnexplainedJob,
    fleet: FleetRule<'_>,
    rules: &Rules,
    now: Timestamp,
) -> Option<InstanceEntry> {
    match fleet {
        FleetRule::Ours { .. } => return None,
        FleetRule::Foreign => {}
    }
    let look_at = after(job.job.completed_at.unwrap_or(now), rules.late_look_after);
    if look_at <= now {
        return None;
    }
    changed(entry, instance, |entry| {
        entry.unexplained = Some(job);
        entry.due = Some(Due {
            at: look_at,
            tries: 0,
        });
    })
}

/// The record after the last look: the job stays settled.
pub fn looked_late(entry: InstanceEntry) -> Option<InstanceEntry> {
    let instance = entry.instance.clone();
    changed(Some(entry), &instance, |entry| {
        entry.unexplained = None;
        entry.due = None;
    })
}

/// The record with the last lines of its console; `None` where there are some already.
pub fn with_console(
    entry: Option<InstanceEntry>,
    instance: &Instance,
    console: &ConsoleTail,
) -> Option<InstanceEntry> {
    changed(entry, instance, |entry| {
        entry.console.get_or_insert_with(|| console.clone());
    })
}

fn changed(
    entry: Option<InstanceEntry>,
    instance: &Instance,
    change: impl FnOnce(&mut InstanceEntry),
) -> Option<InstanceEntry> {
    let before = entry.unwrap_or_else(|| InstanceEntry {
        instance: instance.clone(),
        evidence: Vec::new(),
        unexplained: None,
        judged: None,
        console: None,
        due: None,
    });
    let mut entry = before.clone();
    change(&mut entry);
    (entry != before).then_some(entry)
}

fn add(entry: &mut InstanceEntry, evidence: &[Evidence]) {
    let known = std::mem::take(&mut entry.evidence);
    entry.evidence = earliest_of_each(known.into_iter().chain(evidence.iter().cloned()));
}

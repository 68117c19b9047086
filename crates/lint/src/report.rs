//! The findings of a file as they come up.

use std::collections::BTreeSet;

use crate::Source;
use crate::finding::{Code, Finding, Place, ShownLabel};
use crate::value::{Text, Unknowns, is_unknown};
use crate::wanted::Wanted;
use crate::words::Said;
use crate::workflow::Job;
use crate::{mistakes, near_miss, words};

/// The findings of a file so far.
pub(crate) struct Report<'a> {
    source: &'a Source,
    seen: BTreeSet<(Place, Code, String)>,
    findings: Vec<Finding>,
}

/// A finding that does not know its file yet.
pub(crate) struct Found {
    pub(crate) place: Place,
    pub(crate) code: Code,
    pub(crate) job: Option<String>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) label: Option<ShownLabel>,
}

impl Found {
    pub(crate) fn about(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            place,
            code,
            job: None,
            message: message.into(),
            hint: None,
            label: None,
        }
    }

    pub(crate) fn of(job: &Job, code: Code, message: impl Into<String>) -> Self {
        Self {
            job: Some(job.key.clone()),
            ..Self::about(code, job.place, message)
        }
    }
}

impl<'a> Report<'a> {
    pub(crate) fn of(source: &'a Source) -> Self {
        Self {
            source,
            seen: BTreeSet::new(),
            findings: Vec::new(),
        }
    }

    /// What several jobs of a matrix, or several worlds, have in common is said once.
    pub(crate) fn add(&mut self, found: Found) {
        let key = (found.place, found.code, found.message.clone());
        if !self.seen.insert(key) {
            return;
        }
        self.findings.push(Finding {
            file: self.source.name.clone(),
            place: found.place,
            code: found.code,
            job: found.job,
            message: found.message,
            hint: found.hint,
            label: found.label,
        });
    }

    /// From top to bottom, and the worst first where several stand at one place.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by(|one, other| {
            let order = |finding: &Finding| (finding.place, finding.code);
            order(one).cmp(&order(other))
        });
        self.findings
    }

    /// What is wrong with labels of ours by themselves.
    pub(crate) fn ours(&mut self, job: &Job, wanted: &Wanted, unknowns: &Unknowns) {
        let mut wrong = BTreeSet::new();
        for mistake in mistakes::of(wanted, unknowns) {
            wrong.insert(mistake.place);
            self.add(Found {
                place: mistake.place.unwrap_or(job.place),
                hint: mistake.hint,
                label: Some(mistake.label),
                ..Found::of(job, mistake.code, mistake.message)
            });
        }
        for label in &wanted.labels {
            for (at, setting) in mistakes::unknown_settings(label) {
                if wrong.contains(&label.place(at)) {
                    continue;
                }
                let message = words::cannot_be_checked(&unknowns.shown(&setting));
                self.add(Found {
                    place: label.place(at).unwrap_or(job.place),
                    ..Found::of(job, Code::NotChecked, message)
                });
            }
        }
    }

    /// Labels that are somebody else's, unless they were meant to be ours.
    pub(crate) fn others(&mut self, job: &Job, wanted: &Wanted, unknowns: &Unknowns) {
        if let Some(miss) = near_miss::of(wanted, unknowns) {
            self.add(Found {
                place: miss.label.place(0).unwrap_or(job.place),
                hint: Some(miss.hint),
                label: Some(mistakes::shown(miss.label, unknowns, 0)),
                ..Found::of(job, Code::NearMiss, miss.message)
            });
        }
    }

    /// Labels of which nobody can tell whose they are.
    pub(crate) fn unknown(&mut self, job: &Job, wanted: &Wanted, unknowns: &Unknowns) {
        let mut labels = wanted.labels.iter();
        if let Some(label) = labels.find(|label| label.string.contains(is_unknown)) {
            let message = words::cannot_be_checked(&unknowns.shown(&label.string));
            self.add(Found {
                place: label.place(0).unwrap_or(job.place),
                ..Found::of(job, Code::NotChecked, message)
            });
        }
    }

    /// What a job's labels share with others, told at the label that makes them ours.
    pub(crate) fn shared(&mut self, job: &Job, label: &Text, said: Said, unknowns: &Unknowns) {
        self.add(Found {
            place: label.place(0).unwrap_or(job.place),
            hint: said.hint,
            label: Some(mistakes::shown(label, unknowns, 0)),
            ..Found::of(job, said.code, said.message)
        });
    }
}

//! How findings are told.

use std::rc::Rc;

use reprise_model::labels;

use crate::finding::Code;
use crate::sharing::{Played, Sharing};
use crate::value::{Text, Unknowns};
use crate::wanted::Wanted;

/// The most jobs that one finding names.
const MOST_NAMED: usize = 3;

/// What tells the jobs of a matrix apart.
const INDEX: &str = "-${{ strategy.job-index }}";

/// What is said of a finding.
pub(crate) struct Said {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

pub(crate) fn cannot_be_checked(text: &str) -> String {
    format!("{text} cannot be checked: it is known only when the workflow runs")
}

pub(crate) fn too_many_ways() -> String {
    "not all of the labels that this job may have were checked: its conditions allow too many"
        .to_owned()
}

pub(crate) fn too_much() -> String {
    "not all of the file was checked: its expressions and matrices are too large".to_owned()
}

/// The first label of a job that makes it ours.
pub(crate) fn marking_label(played: &Played<'_>) -> Option<Rc<Text>> {
    let mut all = played.worlds.iter().flat_map(|(_, legs)| legs);
    all.find_map(marking)
}

fn marking(wanted: &Wanted) -> Option<Rc<Text>> {
    let readable = wanted.readable();
    let mut labels = readable.into_iter().zip(&wanted.labels);
    let found = labels
        .find(|(readable, _)| !matches!(labels::parse(std::slice::from_ref(readable)), Ok(None)));
    found.map(|(_, label)| Rc::clone(label))
}

pub(crate) fn sharing(
    sharing: &Sharing,
    one: &Played<'_>,
    all: &[Played<'_>],
    unknowns: &Unknowns,
) -> Said {
    let key = one.job.key.as_str();
    let leg = if one.job.matrix.is_some() { INDEX } else { "" };
    let write = |suffix: &str| write(one, suffix, unknowns);
    match sharing {
        Sharing::EveryRun => Said {
            code: Code::SameInEveryRun,
            message: "the labels are the same in every run: this job and any other that is queued \
                      with them may take each other's machines"
                .to_owned(),
            hint: write(&format!("-{key}{leg}")),
        },
        Sharing::SomeRun(source) => Said {
            code: Code::WeakId,
            message: format!(
                "only ${{{{ {source} }}}} tells the runs apart, and two runs may have the same: \
                 they may take each other's machines"
            ),
            hint: write(&format!("-{key}{leg}")),
        },
        Sharing::Unknowable(source) => Said {
            code: Code::NotChecked,
            message: format!(
                "whether each run has labels of its own depends on ${{{{ {source} }}}}, which is \
                 known only when the workflow runs"
            ),
            hint: None,
        },
        Sharing::Siblings { alike } => Said {
            code: Code::SameInRun,
            message: siblings(*alike),
            hint: write(INDEX),
        },
        Sharing::Jobs(others) => Said {
            code: Code::SameInRun,
            message: jobs(others, all),
            hint: write(&format!("-{key}{leg}")),
        },
    }
}

fn siblings(alike: Option<usize>) -> String {
    let who = match alike {
        Some(alike) => format!("{alike} jobs of this matrix have"),
        None => "all jobs of this matrix have".to_owned(),
    };
    format!("{who} the same labels and may take each other's machines")
}

fn jobs(others: &[usize], all: &[Played<'_>]) -> String {
    let named: Vec<String> = others
        .iter()
        .map(|index| {
            let job = all[*index].job;
            format!("{} (line {})", job.key, job.place.line)
        })
        .collect();
    serve(&named)
}

fn serve(others: &[String]) -> String {
    let named = listed(others);
    format!("the labels serve {named} in the same run too: the jobs may take each other's machines")
}

/// Some names, and how many more there are.
fn listed(names: &[String]) -> String {
    let mut named: Vec<String> = names.iter().take(MOST_NAMED).cloned().collect();
    if names.len() > MOST_NAMED {
        named.push(format!("{} more", names.len() - MOST_NAMED));
    }
    let last = named.pop().unwrap_or_default();
    if named.is_empty() {
        last
    } else {
        format!("{} and {last}", named.join(", "))
    }
}

/// The labels are those of jobs in other files of the same run.
pub(crate) fn other_files(others: &[String], one: &Played<'_>, unknowns: &Unknowns) -> Said {
    let leg = if one.job.matrix.is_some() { INDEX } else { "" };
    Said {
        code: Code::SameInRun,
        message: serve(others),
        hint: write(one, &format!("-{}{leg}", one.job.key), unknowns),
    }
}

/// The workflow is called several times in one run.
pub(crate) fn called_again(callers: &[String], one: &Played<'_>, unknowns: &Unknowns) -> Said {
    let callers = listed(callers);
    Said {
        code: Code::SameInRun,
        message: format!(
            "{callers} calls this workflow several times in one run, and each call's job has the \
             same labels: they may take each other's machines"
        ),
        hint: write(one, "-${{ inputs.id }}", unknowns)
            .map(|write| format!("{write}, with an input that differs from call to call")),
    }
}

/// The right label, with something more in its ID.
fn write(one: &Played<'_>, suffix: &str, unknowns: &Unknowns) -> Option<String> {
    let label = marking_label(one)?;
    let better = suggested(&unknowns.shown(&label.string), suffix);
    Some(format!("write {better}"))
}

/// The label with something more in its ID, which begins with the run's.
fn suggested(label: &str, suffix: &str) -> String {
    const RUN: &str = "${{ github.run_id }}";
    let end = end_of_first(label);
    let (first, rest) = label.split_at(end);
    let id = first.split_once('=').map_or("", |(_, id)| id.trim());
    let id = if id.contains(RUN) { id } else { RUN };
    let known = suffix.split_once("-${{").map_or(suffix, |(known, _)| known);
    let rest_of_suffix = &suffix[known.len()..];
    let suffix = if id.ends_with(known) {
        rest_of_suffix
    } else {
        suffix
    };
    let id = id.strip_suffix('-').unwrap_or(id);
    format!("runs-on={id}{suffix}{rest}")
}

/// Where the first setting ends; what stands in an expression separates nothing.
fn end_of_first(label: &str) -> usize {
    let mut inside = false;
    for (index, letter) in label.char_indices() {
        match letter {
            '{' => inside = true,
            '}' => inside = false,
            '/' | ',' if !inside => return index,
            _ => {}
        }
    }
    label.len()
}

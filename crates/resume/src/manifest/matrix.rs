//! The combinations of a matrix, as GitHub makes them.

use super::file::{self, Combination};
use crate::problem::{Problems, meant, shown};
use crate::run::RunWord;
use crate::template::{Values, is_axis_name};

/// The most combinations of one matrix. GitHub makes no more than 256 jobs of one, and a manifest's may serve several jobs.
const MOST: usize = 10_000;

/// A matrix, expanded.
#[derive(Debug, Default)]
pub(crate) struct Combinations {
    pub(crate) all: Vec<Values>,
    /// The names that its values have.
    pub(crate) names: Vec<String>,
}

/// Expands a matrix: every combination of its values, without those that `exclude` names; `include` adds values to
/// the combinations of which it changes none, and is one of its own where there is no such.
pub(crate) fn expand(matrix: &file::Matrix, problems: &mut Problems) -> Combinations {
    names(matrix, problems);
    excluded(matrix, problems);
    let Some(product) = product(matrix) else {
        let message = format!(
            "this matrix has more than {MOST} combinations; GitHub makes at most 256 jobs of one"
        );
        problems.add(matrix.line, message);
        return Combinations::default();
    };
    let is_out = |values: &Values| {
        let out = matrix.exclude.iter();
        out.map(plain).any(|out| is_part_of(&out, values))
    };
    let combined: Vec<Values> = product.into_iter().filter(|one| !is_out(one)).collect();
    let mut all = combined.clone();
    for more in &matrix.include {
        let more = plain(more);
        if !extend(&mut all, &combined, &more) {
            all.push(more);
        }
    }
    let is_whole = matrix.axes.iter().all(|axis| !axis.values.is_empty());
    if all.is_empty() && is_whole {
        problems.add(
            matrix.line,
            "this matrix has no combination; list values, or exclude fewer",
        );
    }
    let mut names: Vec<String> = all
        .iter()
        .flat_map(|values| values.keys().cloned())
        .collect();
    names.sort();
    names.dedup();
    Combinations { all, names }
}

fn plain(combination: &Combination) -> Values {
    let values = combination.values.iter();
    values
        .map(|(name, value)| (name.clone(), value.value.clone()))
        .collect()
}

fn names(matrix: &file::Matrix, problems: &mut Problems) {
    let axes = matrix
        .axes
        .iter()
        .map(|axis| (&axis.name.value, axis.name.line));
    let included = matrix.include.iter().flat_map(|one| &one.values);
    let included = included.map(|(name, value)| (name, value.line));
    for (name, line) in axes.chain(included) {
        if RunWord::parse(name).is_some() {
            problems.add(
                line,
                format!("{{{name}}} is a word of the run; call these values otherwise"),
            );
        } else if !is_axis_name(name) {
            let name = shown(name);
            problems.add(
                line,
                format!("{name} is no name for values; use letters, digits, - and _"),
            );
        }
    }
    for axis in &matrix.axes {
        let mut seen = std::collections::BTreeSet::new();
        for value in &axis.values {
            if !seen.insert(&value.value) {
                let (name, value_) = (&axis.name.value, shown(&value.value));
                problems.add(
                    value.line,
                    format!("{name} has {value_} twice; once is enough"),
                );
            }
        }
    }
}

/// An exclusion that excludes nothing is a typing mistake.
fn excluded(matrix: &file::Matrix, problems: &mut Problems) {
    for (name, value) in matrix.exclude.iter().flat_map(|one| &one.values) {
        let Some(axis) = matrix.axes.iter().find(|axis| axis.name.value == *name) else {
            let hint = meant(
                name,
                matrix.axes.iter().map(|axis| axis.name.value.as_str()),
            );
            let name = shown(name);
            problems.add(
                value.line,
                format!("exclude names {name}, of which the matrix has no list.{hint}"),
            );
            continue;
        };
        if !axis.values.iter().any(|known| known.value == value.value) {
            let hint = meant(
                &value.value,
                axis.values.iter().map(|known| known.value.as_str()),
            );
            let value_ = shown(&value.value);
            problems.add(
                value.line,
                format!("exclude names the {name} {value_}, which the list has not.{hint}"),
            );
        }
    }
    for empty in matrix.exclude.iter().filter(|one| one.values.is_empty()) {
        problems.add(
            empty.line,
            "this exclusion names no value, so it would exclude everything; take it out",
        );
    }
}

/// Every combination, the last list fastest; nothing where they are too many, and none without a list.
fn product(matrix: &file::Matrix) -> Option<Vec<Values>> {
    if matrix.axes.is_empty() {
        return Some(Vec::new());
    }
    let mut all = vec![Values::new()];
    for axis in &matrix.axes {
        if all.len().saturating_mul(axis.values.len()) > MOST {
            return None;
        }
        let longer = |one: &Values| {
            let of = |value: &str| {
                let mut one = one.clone();
                one.insert(axis.name.value.clone(), value.to_owned());
                one
            };
            axis.values
                .iter()
                .map(|value| of(&value.value))
                .collect::<Vec<_>>()
        };
        all = all.iter().flat_map(longer).collect();
    }
    Some(all)
}

fn is_part_of(part: &Values, whole: &Values) -> bool {
    part.iter()
        .all(|(name, value)| whole.get(name) == Some(value))
}

/// Adds values to each combination of which they change no original one; whether there was one.
fn extend(all: &mut [Values], combined: &[Values], more: &Values) -> bool {
    let mut found = false;
    for (values, original) in all.iter_mut().zip(combined) {
        let changes =
            |(name, value): (&String, &String)| original.get(name).is_some_and(|old| old != value);
        if !more.iter().any(changes) {
            values.extend(more.clone());
            found = true;
        }
    }
    found
}

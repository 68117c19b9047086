//! Which labels a job asks for.

use std::collections::BTreeSet;
use std::rc::Rc;

use reprise_model::labels;

use crate::evaluate::Evaluation;
use crate::finding::Place;
use crate::value::{Text, Unknown, Unknowns, Value, Varies, is_unknown};
use crate::yaml::{Id, Kind};

/// The labels of one job.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) labels: Vec<Rc<Text>>,
}

/// Whose labels they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    Others,
    /// They are known only when the workflow runs.
    Unknown,
}

/// Reads `runs-on`.
pub(crate) fn read(evaluation: &mut Evaluation<'_>, runs_on: Id) -> Wanted {
    let tree = evaluation.tree;
    let node = tree.node(runs_on);
    evaluation.here = node.place;
    let value = match &node.kind {
        Kind::Scalar(scalar) => evaluation.template(scalar),
        Kind::Map(_) => match tree.get(runs_on, "labels") {
            Some(labels) => return read_list(evaluation, labels),
            None => Value::Null,
        },
        Kind::List(_) => return read_list(evaluation, runs_on),
    };
    Wanted::of(&value, evaluation.here)
}

fn read_list(evaluation: &mut Evaluation<'_>, labels: Id) -> Wanted {
    let tree = evaluation.tree;
    let ids = match &tree.node(labels).kind {
        Kind::List(items) => items.clone(),
        Kind::Scalar(_) => vec![labels],
        Kind::Map(_) => Vec::new(),
    };
    let mut wanted = Wanted { labels: Vec::new() };
    for id in ids {
        evaluation.here = tree.node(id).place;
        if let Some(scalar) = tree.scalar(id) {
            let value = evaluation.template(scalar);
            wanted
                .labels
                .extend(Wanted::of(&value, evaluation.here).labels);
        }
    }
    wanted
}

impl Wanted {
    /// What a value says where labels are wanted.
    pub(crate) fn of(value: &Value, here: Place) -> Self {
        let labels = match value {
            Value::List(items) => items.iter().map(|item| item.as_text(here)).collect(),
            Value::Map(map) => {
                let labels = map.get("labels").cloned().unwrap_or(Value::Null);
                let inner = matches!(labels, Value::List(_) | Value::Text(_));
                return if inner {
                    Self::of(&labels, here)
                } else {
                    Self { labels: Vec::new() }
                };
            }
            Value::Null => Vec::new(),
            Value::Text(_) | Value::Bool(_) | Value::Number(_) => vec![value.as_text(here)],
        };
        Self { labels }
    }

    /// The labels as the controller would read them, with some text in place of what is unknown.
    pub(crate) fn readable(&self) -> Vec<String> {
        let known = |letter| if is_unknown(letter) { '0' } else { letter };
        let texts = self.labels.iter();
        texts
            .map(|label| label.string.chars().map(known).collect())
            .collect()
    }

    pub(crate) fn whose(&self) -> Whose {
        match labels::parse(&self.readable()) {
            Ok(Some(_)) | Err(_) => Whose::Ours,
            Ok(None) if self.labels.iter().any(|label| may_be_ours(label)) => Whose::Unknown,
            Ok(None) => Whose::Others,
        }
    }

    /// Whether more is unknown than what makes the labels unique.
    pub(crate) fn is_partly_unknown(&self) -> bool {
        let settings = self
            .labels
            .iter()
            .flat_map(|label| label.string.split(['/', ',']));
        let mut others = settings.filter(|setting| {
            let key = setting.split('=').next().unwrap_or_default();
            !key.trim().eq_ignore_ascii_case("runs-on")
        });
        others.any(|setting| setting.contains(is_unknown))
    }

    /// GitHub tells labels apart in any case and any order.
    pub(crate) fn set(&self) -> BTreeSet<String> {
        let texts = self.labels.iter();
        texts.map(|label| label.string.to_lowercase()).collect()
    }

    /// All that is unknown in them.
    pub(crate) fn unknown<'a>(
        &'a self,
        unknowns: &'a Unknowns,
    ) -> impl Iterator<Item = &'a Unknown> {
        let texts = self.labels.iter();
        texts.flat_map(|label| unknowns.within(&label.string))
    }

    /// How well they tell the runs apart.
    pub(crate) fn varies(&self, unknowns: &Unknowns) -> Varies {
        let all = self.unknown(unknowns).map(|unknown| unknown.varies);
        all.max().unwrap_or(Varies::Never)
    }
}

/// Whether its first key is unknown.
fn may_be_ours(label: &Text) -> bool {
    let end = label.string.find(['=', '/', ',']);
    let key = &label.string[..end.unwrap_or(label.string.len())];
    key.contains(is_unknown)
}

//! The jobs of one `[[job]]`: one by itself, or one a combination of its matrix that its name tells apart.

use std::collections::BTreeMap;

use super::file;
use super::matrix::Combinations;
use crate::name::JobName;
use crate::problem::{At, Problems, meant, shown};
use crate::run::RunWord;
use crate::template::{Slot, Template, Values};

/// A `[[job]]` whose texts were read.
pub(crate) struct Entry<'a> {
    pub(crate) job: &'a file::Job,
    pub(crate) name: Template,
    pub(crate) prefix: At<Template>,
    pub(crate) artifacts: Vec<At<Template>>,
    pub(crate) unless_found: Option<At<Template>>,
    pub(crate) needs: Vec<At<Template>>,
}

/// One of its jobs.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) name: JobName,
    /// Of what its name says.
    pub(crate) values: Values,
    /// Of what its name and its artifacts say.
    pub(crate) used: Values,
    pub(crate) artifacts: Vec<At<Template>>,
    pub(crate) unless_found: Option<At<Template>>,
}

/// Its jobs; nothing where a mistake that was told leaves open which.
pub(crate) fn instances(
    entry: &Entry<'_>,
    combinations: Option<&Combinations>,
    problems: &mut Problems,
) -> Option<Vec<Instance>> {
    let line = entry.job.name.line;
    let axes = axes(entry);
    if axes.is_empty() {
        return one(entry, &Values::new(), problems).map(|one| vec![one]);
    }
    let Some(combinations) = combinations else {
        for (name, line) in axes {
            problems.add(
                line,
                format!("{{{name}}} has no values; list them in a [matrix] as {name} = [...]"),
            );
        }
        return None;
    };
    let mut is_known = true;
    for (name, line) in &axes {
        if !combinations.names.contains(name) {
            is_known = false;
            let hint = meant(name, combinations.names.iter().map(String::as_str));
            let words = RunWord::list();
            let message = format!("{{{name}}} is none of the matrix, and none of {words}.{hint}");
            problems.add(*line, message);
        }
    }
    if !is_known || combinations.all.is_empty() {
        return None;
    }
    let mut found: BTreeMap<JobName, Instance> = BTreeMap::new();
    let mut order = Vec::new();
    for values in &combinations.all {
        if let Some(name) = axes.keys().find(|name| !values.contains_key(*name)) {
            let without = told(values);
            problems.add(line, format!("the combination {without} of the matrix has no {name}, which this job says; give it one in include"));
            return None;
        }
        let instance = one(entry, values, problems)?;
        match found.get(&instance.name) {
            None => {
                order.push(instance.name.clone());
                found.insert(instance.name.clone(), instance);
            }
            Some(same) if is_same(same, &instance) => {}
            Some(_) => {
                let missing = axes
                    .keys()
                    .find(|name| !entry.name.axes().contains(name.as_str()));
                let missing = missing.map_or("", String::as_str);
                let name = shown(instance.name.as_str());
                problems.add(line, format!("several jobs of the matrix would be called {name} and have different artifacts; put {{{missing}}} into the name, as GitHub shows it"));
                return None;
            }
        }
    }
    Some(
        order
            .into_iter()
            .filter_map(|name| found.remove(&name))
            .collect(),
    )
}

/// The names of values that an entry says, each with a line where it does.
fn axes(entry: &Entry<'_>) -> BTreeMap<String, usize> {
    let name = At {
        line: entry.job.name.line,
        value: entry.name.clone(),
    };
    let texts = entry.artifacts.iter().chain(&entry.unless_found);
    let mut axes = BTreeMap::new();
    for text in std::iter::once(&name).chain(texts) {
        for axis in text.value.axes() {
            axes.entry(axis.to_owned()).or_insert(text.line);
        }
    }
    axes
}

fn one(entry: &Entry<'_>, values: &Values, problems: &mut Problems) -> Option<Instance> {
    let line = entry.job.name.line;
    let text = entry.name.with(values).plain()?;
    let name = JobName::parse(&text).map_err(|error| {
        problems.add(line, format!("the name {} {error}", shown(&text)));
    });
    let fill = |template: &At<Template>| At {
        line: template.line,
        value: template.value.with(values),
    };
    let of = |names: &dyn Fn(&str) -> bool| -> Values {
        let those = values.iter().filter(|(name, _)| names(name));
        those
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    let (own, used) = (entry.name.axes(), axes(entry));
    Some(Instance {
        name: name.ok()?,
        values: of(&|name| own.contains(name)),
        used: of(&|name| used.contains_key(name)),
        artifacts: entry.artifacts.iter().map(fill).collect(),
        unless_found: entry.unless_found.as_ref().map(fill),
    })
}

fn is_same(one: &Instance, other: &Instance) -> bool {
    one.artifacts == other.artifacts && one.unless_found == other.unless_found
}

pub(crate) fn told(values: &Values) -> String {
    let told: Vec<String> = values
        .iter()
        .map(|(name, value)| format!("{name} = {}", shown(value)))
        .collect();
    format!("{{ {} }}", told.join(", "))
}

/// Which placeholders a text may have, and what to say of another one.
pub(crate) struct Allowed {
    pub(crate) what: &'static str,
    pub(crate) run: bool,
    pub(crate) matrix: bool,
    pub(crate) instead: &'static str,
}

impl Allowed {
    pub(crate) fn read(&self, text: &At<String>, problems: &mut Problems) -> Option<At<Template>> {
        let template = match Template::parse(&text.value) {
            Ok(template) => template,
            Err(problem) => {
                problems.add(
                    text.line,
                    format!("{} {} {problem}", self.what, shown(&text.value)),
                );
                return None;
            }
        };
        let refused = template.slots().find(|slot| match slot {
            Slot::Run(_) | Slot::Hash(_) => !self.run,
            Slot::Matrix(_) => !self.matrix,
        });
        if let Some(slot) = refused {
            let message = format!(
                "{} cannot have {{{slot}}} in it; {}",
                self.what, self.instead
            );
            problems.add(text.line, message);
            return None;
        }
        Some(At {
            line: text.line,
            value: template,
        })
    }
}

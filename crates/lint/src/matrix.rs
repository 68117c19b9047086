//! The jobs that a matrix makes.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::evaluate::{Evaluation, Leg};
use crate::value::Value;
use crate::yaml::Id;

/// GitHub makes no more jobs of a matrix.
const MOST: usize = 256;

type Values = BTreeMap<String, Value>;

/// The jobs of a matrix.
#[derive(Debug)]
pub(crate) struct Legs {
    pub(crate) legs: Vec<Leg>,
    /// There may be others, and each of these may be there several times.
    pub(crate) open: bool,
}

/// Expands a job's `strategy.matrix`.
pub(crate) fn expand(evaluation: &mut Evaluation<'_>, matrix: Option<Id>) -> Legs {
    let Some(matrix) = matrix else {
        let alone = Leg {
            of: Some((0, 1)),
            ..Leg::default()
        };
        return Legs {
            legs: vec![alone],
            open: false,
        };
    };
    let Value::Map(map) = evaluation.node(matrix) else {
        let any = Leg {
            open: true,
            ..Leg::default()
        };
        return Legs {
            legs: vec![any],
            open: true,
        };
    };
    Plan::of(&map).legs()
}

/// A matrix, as far as it is known.
struct Plan {
    axes: Vec<(String, Rc<Vec<Value>>)>,
    include: Vec<Rc<Values>>,
    exclude: Vec<Rc<Values>>,
    open: bool,
}

impl Plan {
    fn of(map: &Values) -> Self {
        let mut plan = Self {
            axes: Vec::new(),
            include: Vec::new(),
            exclude: Vec::new(),
            open: false,
        };
        for (key, value) in map {
            match (key.as_str(), value) {
                ("include", value) => plan.include = plan.maps(value),
                ("exclude", value) => plan.exclude = plan.maps(value),
                (_, Value::List(values)) => plan.axes.push((key.clone(), Rc::clone(values))),
                // Any number of values; what they are, the expression says when it is read.
                _ => plan.open = true,
            }
        }
        plan
    }

    fn maps(&mut self, list: &Value) -> Vec<Rc<Values>> {
        let Value::List(items) = list else {
            self.open |= *list != Value::Null;
            return Vec::new();
        };
        let mut maps = Vec::new();
        for item in items.iter() {
            if let Value::Map(map) = item {
                maps.push(Rc::clone(map));
            } else {
                self.open = true;
            }
        }
        maps
    }

    fn legs(&self) -> Legs {
        let combined: Vec<Values> = product(&self.axes)
            .into_iter()
            .filter(|values| !self.exclude.iter().any(|out| is_part_of(out, values)))
            .collect();
        let mut all = combined.clone();
        for more in &self.include {
            if !extend(&mut all, &combined, more) && all.len() < MOST {
                all.push((**more).clone());
            }
        }
        if all.is_empty() && self.open {
            all.push(Values::new());
        }
        let total = all.len();
        let leg = |(index, values)| Leg {
            values: Rc::new(values),
            open: self.open,
            of: (!self.open).then_some((index, total)),
        };
        Legs {
            legs: all.into_iter().enumerate().map(leg).collect(),
            open: self.open,
        }
    }
}

/// Every combination, the last axis fastest; none without an axis.
fn product(axes: &[(String, Rc<Vec<Value>>)]) -> Vec<Values> {
    if axes.is_empty() {
        return Vec::new();
    }
    let mut all = vec![Values::new()];
    for (name, values) in axes {
        let mut longer = Vec::new();
        for one in &all {
            for value in values.iter().take(MOST - longer.len()) {
                let mut one = one.clone();
                one.insert(name.clone(), value.clone());
                longer.push(one);
            }
        }
        all = longer;
    }
    all
}

fn is_part_of(part: &Values, whole: &Values) -> bool {
    part.iter()
        .all(|(key, value)| whole.get(key) == Some(value))
}

/// Adds what `include` says to each combination of which it changes no original value; whether there
/// was one.
fn extend(all: &mut [Values], combined: &[Values], more: &Values) -> bool {
    let mut found = false;
    for (values, original) in all.iter_mut().zip(combined) {
        let overwrites = more
            .iter()
            .any(|(key, value)| original.get(key).is_some_and(|old| old != value));
        if !overwrites {
            values.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
            found = true;
        }
    }
    found
}

//! What a job's `if` says of the run's state, and of a plan.

use std::collections::BTreeSet;

use crate::expression::{Expression, Literal, Operator, Segment, parse, segments};
use crate::yaml::{Id, Tree};

/// The outputs of a plan that are lists of names.
const LISTS: [&str; 2] = ["necessary_jobs", "necessary_jobs_json"];

/// Functions without which GitHub puts `success()` before a condition.
const STATES: [&str; 4] = ["always", "cancelled", "failure", "success"];

/// What an `if` says, as far as a plan is concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Condition {
    /// It looks for a name in a list of necessary jobs.
    pub(super) follows_plan: bool,
    /// The names that it looks for, as far as they are written out.
    pub(super) tested: BTreeSet<String>,
    /// The jobs whose lists it reads.
    pub(super) plans: BTreeSet<String>,
    /// It has a function of the run's state in it.
    pub(super) asks_for_state: bool,
    /// Nobody but GitHub knows what it means.
    unreadable: bool,
    not_cancelled: bool,
    not_failure: bool,
    /// It judges the results of its inputs by itself.
    reads_results: bool,
}

impl Condition {
    pub(super) fn read(tree: &Tree, id: Id) -> Self {
        let mut condition = Self::default();
        let text = tree.scalar(id).map(|scalar| scalar.text.as_str());
        let Some(expression) = text.and_then(expression) else {
            condition.unreadable = true;
            return condition;
        };
        expression.each(&mut |part| condition.part(part));
        condition.demands(&expression);
        condition
    }

    /// Whether the job runs although the plan skipped an input, and not where an input failed: either in
    /// the form of the documentation, or by the results of its inputs. Of what cannot be read nothing else is said.
    pub(super) fn outlives_skipped_inputs(&self) -> bool {
        let judges = self.asks_for_state && self.reads_results;
        (self.not_cancelled && self.not_failure) || judges || self.unreadable
    }

    fn part(&mut self, part: &Expression) {
        match part {
            Expression::Call(name, arguments) => {
                let name = name.to_lowercase();
                self.asks_for_state |= STATES.contains(&name.as_str());
                if let ("contains", [list, wanted]) = (name.as_str(), arguments.as_slice()) {
                    self.contains(list, wanted);
                }
            }
            Expression::Member(of, name) => {
                self.reads_results |= name.eq_ignore_ascii_case("result");
                self.plans.extend(plan(of, name));
            }
            Expression::Literal(_)
            | Expression::Context(_)
            | Expression::Index(..)
            | Expression::Not(_)
            | Expression::Binary(..) => {}
        }
    }

    /// A list may come by another name; then the name that is looked for has its `;` on both sides.
    fn contains(&mut self, list: &Expression, wanted: &Expression) {
        let text = match wanted {
            Expression::Literal(Literal::Text { text, .. }) => Some(text.as_str()),
            Expression::Literal(_)
            | Expression::Context(_)
            | Expression::Member(..)
            | Expression::Index(..)
            | Expression::Call(..)
            | Expression::Not(_)
            | Expression::Binary(..) => None,
        };
        let name = text.and_then(|text| text.strip_prefix(';')?.strip_suffix(';'));
        self.tested.extend(name.map(str::to_owned));
        let mut is_list = name.is_some();
        list.each(&mut |part| {
            if let Expression::Member(_, name) = part {
                is_list |= LISTS.contains(&name.to_lowercase().as_str());
            }
        });
        self.follows_plan |= is_list;
    }

    /// What must hold, whatever else does.
    fn demands(&mut self, of: &Expression) {
        match of {
            Expression::Binary(Operator::And, left, right) => {
                self.demands(left);
                self.demands(right);
            }
            Expression::Not(of) => self.refuses(of),
            Expression::Binary(..)
            | Expression::Literal(_)
            | Expression::Context(_)
            | Expression::Member(..)
            | Expression::Index(..)
            | Expression::Call(..) => {}
        }
    }

    /// What must not hold.
    fn refuses(&mut self, of: &Expression) {
        match of {
            Expression::Binary(Operator::Or, left, right) => {
                self.refuses(left);
                self.refuses(right);
            }
            Expression::Call(name, _) => {
                self.not_cancelled |= name.eq_ignore_ascii_case("cancelled");
                self.not_failure |= name.eq_ignore_ascii_case("failure");
            }
            Expression::Binary(..)
            | Expression::Literal(_)
            | Expression::Context(_)
            | Expression::Member(..)
            | Expression::Index(..)
            | Expression::Not(_) => {}
        }
    }
}

/// The job whose list is read: `needs.PLAN.outputs.necessary_jobs`.
fn plan(of: &Expression, name: &str) -> Option<String> {
    if !LISTS.contains(&name.to_lowercase().as_str()) {
        return None;
    }
    let Expression::Member(job, outputs) = of else {
        return None;
    };
    let Expression::Member(needs, plan) = &**job else {
        return None;
    };
    let is_needs =
        matches!(&**needs, Expression::Context(name) if name.eq_ignore_ascii_case("needs"));
    (is_needs && outputs.eq_ignore_ascii_case("outputs")).then(|| plan.clone())
}

/// An `if` is an expression, with or without its braces. With text around them it is always true, whatever is meant.
fn expression(text: &str) -> Option<Expression> {
    match segments(text.trim()).as_mut_slice() {
        [Segment::Expression { parsed, .. }] => parsed.take(),
        [Segment::Text { text, .. }] => parse(text),
        _ => None,
    }
}

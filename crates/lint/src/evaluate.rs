//! What expressions come to.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::expression::{Expression, Literal, Operator, Segment, segments};
use crate::finding::Place;
use crate::functions;
use crate::value::{Text, Unknown, Unknowns, Value, Varies, cleaned};
use crate::world::World;
use crate::yaml::{Id, Kind, Scalar, Tree};

/// How much may be looked at in one file. Files that people write take some hundreds; this keeps
/// what strangers write within a second.
const FUEL: u32 = 500_000;

/// How many evaluations a file is still worth.
#[derive(Debug)]
pub(crate) struct Fuel(u32);

impl Fuel {
    pub(crate) fn full() -> Self {
        Self(FUEL)
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.0 == 0
    }

    pub(crate) fn spend(&mut self) {
        self.0 = 0;
    }

    fn burn(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }
}

/// One job of a matrix, or the one of a job without.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leg {
    /// Its `matrix`.
    pub(crate) values: Rc<BTreeMap<String, Value>>,
    /// `matrix` may have more than that.
    pub(crate) open: bool,
    /// Its number and how many there are, where that is known.
    pub(crate) of: Option<(usize, usize)>,
}

/// The job that is looked at, in the world that is looked at.
pub(crate) struct Evaluation<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) unknowns: &'a mut Unknowns,
    pub(crate) world: &'a mut World,
    pub(crate) fuel: &'a mut Fuel,
    /// What is the same within the file and nowhere else.
    pub(crate) file: &'a str,
    pub(crate) job: &'a str,
    pub(crate) leg: Option<&'a Leg>,
    /// What stands where nothing better is known.
    pub(crate) here: Place,
}

impl Evaluation<'_> {
    /// A node as an expression would see it.
    pub(crate) fn node(&mut self, id: Id) -> Value {
        self.fuel.burn();
        if self.fuel.is_spent() {
            return Value::Null;
        }
        let tree = self.tree;
        let node = tree.node(id);
        self.here = node.place;
        match &node.kind {
            Kind::Scalar(scalar) => self.scalar(scalar),
            Kind::List(items) => {
                let items = items.iter().map(|item| self.node(*item)).collect();
                Value::List(Rc::new(items))
            }
            Kind::Map(entries) => {
                let mut map = BTreeMap::new();
                for (key, value) in entries {
                    let key = tree.scalar(*key).map(|key| key.text.to_lowercase());
                    map.insert(key.unwrap_or_default(), self.node(*value));
                }
                Value::Map(Rc::new(map))
            }
        }
    }

    fn scalar(&mut self, scalar: &Scalar) -> Value {
        if scalar.plain
            && let Some(value) = plain(&scalar.text)
        {
            return value;
        }
        self.template(scalar)
    }

    /// A text with its expressions filled in; an expression alone keeps its kind.
    pub(crate) fn template(&mut self, scalar: &Scalar) -> Value {
        self.fuel.burn();
        let here = self.here;
        let mut whole = Text::default();
        let text = cleaned(&scalar.text);
        let segments = segments(&text);
        let alone = segments.len() == 1;
        for segment in &segments {
            match segment {
                Segment::Text { text, at } => whole.push(&match scalar.verbatim {
                    Some(begin) => Text::verbatim(text, begin.further(*at)),
                    None => Text::from(text, here),
                }),
                Segment::Expression { parsed, text, at } => {
                    let begin = scalar.verbatim.map(|begin| begin.further(*at));
                    self.here = begin.unwrap_or(here);
                    let value = match parsed {
                        Some(expression) => self.expression(expression, begin),
                        None => self.unknown(text.trim(), Varies::Unknowable, Scope::Leg),
                    };
                    if alone {
                        return value;
                    }
                    whole.push(&value.as_text(self.here));
                }
            }
            if whole.is_too_long() {
                return self.unknown("a very long text", Varies::Unknowable, Scope::Leg);
            }
        }
        Value::text(whole)
    }

    /// `begin` is where the expression begins, where it stands in the file as it is.
    pub(crate) fn expression(&mut self, of: &Expression, begin: Option<Place>) -> Value {
        self.fuel.burn();
        if self.fuel.is_spent() {
            return Value::Null;
        }
        match of {
            Expression::Literal(literal) => self.literal(literal, begin),
            Expression::Context(name) => self.context(of, &name.to_lowercase()),
            Expression::Member(base, name) => {
                let name = name.to_lowercase();
                if let Expression::Context(context) = &**base {
                    return self.property(of, &context.to_lowercase(), &name);
                }
                let base = self.expression(base, begin);
                self.member(of, &base, &name)
            }
            Expression::Index(base, Some(index)) => {
                let (base, index) = (self.expression(base, begin), self.expression(index, begin));
                self.index(of, &base, &index)
            }
            Expression::Index(_, None) => self.unknown_of(of),
            Expression::Call(name, arguments) => {
                let arguments: Vec<Value> = arguments
                    .iter()
                    .map(|argument| self.expression(argument, begin))
                    .collect();
                let known = functions::call(&name.to_lowercase(), &arguments, self.here);
                known.unwrap_or_else(|| self.unknown_of(of))
            }
            Expression::Not(of) => {
                let value = self.expression(of, begin);
                Value::Bool(!self.is_true(&value))
            }
            Expression::Binary(operator, left, right) => {
                self.binary(of, *operator, (left, right), begin)
            }
        }
    }

    fn literal(&self, literal: &Literal, begin: Option<Place>) -> Value {
        match literal {
            Literal::Null => Value::Null,
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Number(number) => Value::Number(*number),
            Literal::Text { text, at } => Value::text(match (begin, at) {
                (Some(begin), Some(at)) => Text::verbatim(text, begin.further(*at)),
                _ => Text::from(text, self.here),
            }),
        }
    }

    fn binary(
        &mut self,
        whole: &Expression,
        operator: Operator,
        (left, right): (&Expression, &Expression),
        begin: Option<Place>,
    ) -> Value {
        let value = self.expression(left, begin);
        match operator {
            Operator::And if self.is_true(&value) => self.expression(right, begin),
            Operator::And if value.is_unknown() => Value::Bool(false),
            Operator::Or if !self.is_true(&value) => self.expression(right, begin),
            Operator::And | Operator::Or => value,
            Operator::Equal | Operator::NotEqual => {
                let other = self.expression(right, begin);
                let equal = functions::equal(&value, &other).unwrap_or_else(|| {
                    let (left, right) = (Box::new(left.clone()), Box::new(right.clone()));
                    let equal = Expression::Binary(Operator::Equal, left, right);
                    let condition = self.unknown_of(&equal);
                    self.is_true(&condition)
                });
                Value::Bool(equal == (operator == Operator::Equal))
            }
            Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => {
                self.unknown_of(whole)
            }
        }
    }

    fn context(&mut self, whole: &Expression, name: &str) -> Value {
        match (name, self.leg) {
            ("matrix", Some(leg)) if !leg.open => Value::Map(Rc::clone(&leg.values)),
            _ => self.unknown_of(whole),
        }
    }

    fn property(&mut self, whole: &Expression, context: &str, name: &str) -> Value {
        let leg = self.leg.cloned().unwrap_or_default();
        let known = match (context, name, leg.of) {
            ("matrix", _, _) => leg.values.get(name).cloned(),
            ("strategy", "job-index", Some((index, _))) => Some(number(index)),
            ("strategy", "job-total", Some((_, total))) => Some(number(total)),
            _ => None,
        };
        match known {
            Some(value) => value,
            None if context == "matrix" && !leg.open => Value::Null,
            None => self.unknown_of(whole),
        }
    }

    fn member(&mut self, whole: &Expression, base: &Value, name: &str) -> Value {
        match base {
            Value::Map(map) => map.get(name).cloned().unwrap_or(Value::Null),
            Value::Text(_) if base.is_unknown() => self.unknown_of(whole),
            Value::Text(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::List(_) => {
                Value::Null
            }
        }
    }

    fn index(&mut self, whole: &Expression, base: &Value, index: &Value) -> Value {
        match (base, index) {
            _ if base.is_unknown() || index.is_unknown() => self.unknown_of(whole),
            (Value::Map(map), Value::Text(name)) => {
                let found = map.get(&name.string.to_lowercase());
                found.cloned().unwrap_or(Value::Null)
            }
            (Value::List(items), Value::Number(number)) => {
                let found = items.iter().enumerate();
                let mut found = found.filter(|(at, _)| number_of(*at) == *number);
                found.next().map_or(Value::Null, |(_, item)| item.clone())
            }
            _ => Value::Null,
        }
    }

    /// As GitHub takes a value for a condition.
    fn is_true(&mut self, value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Bool(value) => *value,
            Value::Number(number) => *number != 0.0 && !number.is_nan(),
            Value::List(_) | Value::Map(_) => true,
            Value::Text(text) => match functions::is_empty(text, self.unknowns) {
                Some(empty) => !empty,
                None => self.world.holds(&text.string),
            },
        }
    }

    /// Something that is known only when the workflow runs.
    fn unknown_of(&mut self, expression: &Expression) -> Value {
        let (mut varies, mut scope) = (Varies::Never, Scope::Run);
        expression.each_context(&mut |context, name| {
            let name = name.map(str::to_lowercase);
            let (how, whose) = context_of(&context.to_lowercase(), name.as_deref());
            varies = varies.max(how);
            scope = scope.max(whose);
        });
        let is_plain = matches!(expression, Expression::Member(of, _) if matches!(**of, Expression::Context(_)));
        if varies == Varies::WithEachRun && !is_plain {
            varies = Varies::Unknowable;
        }
        self.unknown(&expression.written(), varies, scope)
    }

    fn unknown(&mut self, source: &str, varies: Varies, scope: Scope) -> Value {
        let number = self.leg.and_then(|leg| leg.of).map(|(index, _)| index);
        let unknown = Unknown {
            source: source.to_owned(),
            varies,
            is_of_leg: scope == Scope::Leg,
        };
        let scope = match scope {
            Scope::Run => String::new(),
            Scope::File => self.file.to_owned(),
            Scope::Leg => format!("{} {} {number:?}", self.file, self.job),
        };
        let letter = self.unknowns.character(unknown, scope);
        if self.unknowns.are_too_many() {
            self.fuel.spend();
        }
        Value::text(Text::from(&letter.to_string(), self.here))
    }
}

/// For whom something unknown is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Run,
    File,
    Leg,
}

fn context_of(context: &str, name: Option<&str>) -> (Varies, Scope) {
    match (context, name) {
        ("github", Some("run_id")) => (Varies::WithEachRun, Scope::Run),
        // What an event brings may be anything: `github.event.inputs.x`.
        ("github", Some("event")) => (Varies::Unknowable, Scope::Run),
        ("github", Some(name)) if CONSTANT.contains(&name) => (Varies::Never, Scope::Run),
        ("github", Some(_)) => (Varies::Somehow, Scope::Run),
        ("vars" | "secrets", _) => (Varies::Never, Scope::Run),
        ("strategy", _) => (Varies::Never, Scope::Leg),
        ("matrix", _) => (Varies::Unknowable, Scope::Leg),
        _ => (Varies::Unknowable, Scope::File),
    }
}

/// Properties of `github` that two runs of a workflow have in common, as a rule. `job` is empty
/// where labels are read, and `run_attempt` is 1 in each run's first attempt.
const CONSTANT: [&str; 14] = [
    "action",
    "actor",
    "api_url",
    "event_name",
    "graphql_url",
    "job",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "run_attempt",
    "server_url",
    "workflow",
    "workflow_ref",
];

fn number(count: usize) -> Value {
    Value::Number(number_of(count))
}

/// Exact: no list of a file that is read has more elements than a `u32` counts.
fn number_of(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}

/// What a plain scalar is by YAML's core schema, where it is no text.
fn plain(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        _ => {}
    }
    let radix = |prefix, radix| {
        let digits = text.strip_prefix(prefix)?;
        u32::from_str_radix(digits, radix).ok().map(f64::from)
    };
    let looks_so = text.contains(|letter: char| letter.is_ascii_digit())
        && text
            .chars()
            .all(|letter| letter.is_ascii_digit() || matches!(letter, '+' | '-' | '.' | 'e' | 'E'));
    let decimal = || looks_so.then(|| text.parse().ok()).flatten();
    let number = radix("0x", 16).or_else(|| radix("0o", 8)).or_else(decimal);
    number.map(Value::Number)
}

//! GitHub's functions over values that are known well enough.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::finding::Place;
use crate::value::{Text, Unknowns, Value, Varies, is_unknown};

/// What a call comes to; nothing where that is not known.
pub(crate) fn call(name: &str, arguments: &[Value], here: Place) -> Option<Value> {
    match (name, arguments) {
        ("format", [form, rest @ ..]) => format(&form.as_text(here), rest, here),
        ("join", [list]) => join(list, &Text::from(",", here), here),
        ("join", [list, separator]) => join(list, &separator.as_text(here), here),
        ("fromjson", [Value::Text(text)]) => from_json(text),
        ("contains", [Value::List(items), wanted]) => {
            let same: Option<Vec<bool>> = items.iter().map(|item| equal(item, wanted)).collect();
            Some(Value::Bool(same?.contains(&true)))
        }
        ("contains", [within, wanted]) => compare(within, wanted, |a, b| a.contains(b)),
        ("startswith", [within, wanted]) => compare(within, wanted, |a, b| a.starts_with(b)),
        ("endswith", [within, wanted]) => compare(within, wanted, |a, b| a.ends_with(b)),
        _ => None,
    }
}

/// GitHub's `==`: texts in any case, other kinds as numbers; nothing where it is not known.
pub(crate) fn equal(one: &Value, other: &Value) -> Option<bool> {
    match (one, other) {
        _ if one.is_unknown() || other.is_unknown() => None,
        (Value::Text(one), Value::Text(other)) => {
            Some(one.string.to_lowercase() == other.string.to_lowercase())
        }
        (Value::List(one), Value::List(other)) => Some(Rc::ptr_eq(one, other)),
        (Value::Map(one), Value::Map(other)) => Some(Rc::ptr_eq(one, other)),
        _ => Some(as_number(one) == as_number(other)),
    }
}

/// Whether a text is empty; nothing where that is not known.
pub(crate) fn is_empty(text: &Text, unknowns: &Unknowns) -> Option<bool> {
    let certain = |letter| !is_unknown(letter);
    let mut within = unknowns.within(&text.string);
    if text.string.is_empty() {
        Some(true)
    } else if text.string.contains(certain)
        || within.any(|unknown| unknown.varies == Varies::WithEachRun)
    {
        Some(false)
    } else {
        None
    }
}

fn as_number(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Number(number) => *number,
        Value::Text(text) if text.string.trim().is_empty() => 0.0,
        Value::Text(text) => text.string.trim().parse().unwrap_or(f64::NAN),
        Value::List(_) | Value::Map(_) => f64::NAN,
    }
}

fn compare(one: &Value, other: &Value, how: impl Fn(&str, &str) -> bool) -> Option<Value> {
    if one.is_unknown() || other.is_unknown() {
        return None;
    }
    let lower = |value: &Value| value.as_text(Place::START).string.to_lowercase();
    Some(Value::Bool(how(&lower(one), &lower(other))))
}

fn format(form: &Text, arguments: &[Value], here: Place) -> Option<Value> {
    let mut whole = Text::default();
    let mut letters = form.string.chars().enumerate().peekable();
    while let Some((at, letter)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        match (letter, next) {
            ('{', Some('{')) | ('}', Some('}')) => {
                letters.next();
                whole.push(&piece(form, at, letter, here));
            }
            ('{', _) => {
                let mut number = String::new();
                while let Some((_, digit)) = letters.next_if(|(_, digit)| *digit != '}') {
                    number.push(digit);
                }
                letters.next()?;
                let argument = arguments.get(number.trim().parse::<usize>().ok()?)?;
                whole.push(&argument.as_text(here));
            }
            ('}', _) => return None,
            _ => whole.push(&piece(form, at, letter, here)),
        }
        if whole.is_too_long() {
            return None;
        }
    }
    Some(Value::text(whole))
}

/// One character of a text, where it stands.
fn piece(of: &Text, at: usize, letter: char, here: Place) -> Text {
    Text::from(
        letter.encode_utf8(&mut [0; 4]),
        of.place(at).unwrap_or(here),
    )
}

fn join(list: &Value, separator: &Text, here: Place) -> Option<Value> {
    let Value::List(items) = list else {
        let alone = Value::Text(list.as_text(here));
        return (!list.is_unknown()).then_some(alone);
    };
    let mut whole = Text::default();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            whole.push(separator);
        }
        whole.push(&item.as_text(here));
        if whole.is_too_long() {
            return None;
        }
    }
    Some(Value::text(whole))
}

/// What is unknown may stand within the strings of the JSON; elsewhere nobody knows what it means.
fn from_json(text: &Text) -> Option<Value> {
    let place = text.place(0).unwrap_or(Place::START);
    let json = serde_json::from_str(&text.string).ok()?;
    Some(value_of(json, place))
}

fn value_of(json: serde_json::Value, place: Place) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(string) => Value::text(Text::from(&string, place)),
        serde_json::Value::Array(items) => {
            let items = items.into_iter().map(|item| value_of(item, place));
            Value::List(Rc::new(items.collect()))
        }
        serde_json::Value::Object(entries) => {
            let entries = entries
                .into_iter()
                .map(|(key, value)| (key.to_lowercase(), value_of(value, place)));
            Value::Map(Rc::new(entries.collect::<BTreeMap<_, _>>()))
        }
    }
}

//! The form of the file: which keys there are, and of which kind their values. All mistakes at once.
//!
//! serde ends at the first mistake. What it ended at is taken out and the rest is read again, until nothing is
//! wrong with the rest. What lacks only because something was taken out is not told.

use std::ops::Range;

use serde::Deserialize;
use toml::de::{DeArray, DeTable, DeValue, Deserializer, Error};
use toml::{Spanned, Table};

use crate::error::{Mistake, explained, malformed, shortened, too_many};
use crate::file::File;

/// The agent's keys that the controller has not, outside of `[runner]` and within.
pub(crate) const OF_THE_AGENT: [&str; 10] = [
    "metadata_endpoint",
    "ec2_endpoint",
    "dynamodb_endpoint",
    "ca_bundle",
    "tag_prefix",
    "poll_interval",
    "log_format",
    "log_level",
    "console",
    "interruption",
];
pub(crate) const OF_ITS_RUNNER: [&str; 8] = [
    "command",
    "config_file",
    "user",
    "folder",
    "idle_limit",
    "linger",
    "on_end",
    "leave",
];

/// So much of a key is shown; no key of ours is half as long.
const LONGEST_KEY: usize = 60;

/// What a file says, as far as its form is good.
pub(crate) struct Form {
    pub(crate) file: File,
    pub(crate) table: Table,
    pub(crate) mistakes: Vec<Mistake>,
}

/// Reads it. An error when there is no rest that could be read.
pub(crate) fn read(name: &str, text: &str) -> Result<Form, Vec<Mistake>> {
    let whole = |error: &Error| malformed(name, text, error, None);
    let mut root = DeTable::parse(text).map_err(|error| vec![whole(&error)])?;
    if let Some(key) = agents(root.get_ref()) {
        return Err(vec![Mistake::of_the_agents_file(name, key)]);
    }
    let mut reading = Reading::default();
    loop {
        let error = match File::deserialize(Deserializer::from(root.clone())) {
            Ok(file) => {
                let table = Table::deserialize(Deserializer::from(root));
                let table = table.map_err(|error| vec![whole(&error)])?;
                let mistakes = reading.in_order();
                return Ok(Form {
                    file,
                    table,
                    mistakes,
                });
            }
            Err(error) => error,
        };
        let goes_on = reading.meets(name, text, &error, &mut root);
        if !goes_on || too_many(reading.mistakes.len()) {
            return Err(reading.in_order());
        }
    }
}

#[derive(Default)]
struct Reading {
    /// With their places in the text.
    mistakes: Vec<(usize, Mistake)>,
    /// The tables out of which something was taken, by their places.
    robbed: Vec<Range<usize>>,
}

impl Reading {
    /// Remembers a mistake and takes out what it is about. False where that is nowhere.
    fn meets(
        &mut self,
        name: &str,
        text: &str,
        error: &Error,
        root: &mut Spanned<DeTable<'_>>,
    ) -> bool {
        let whole = root.span();
        let taken = error
            .span()
            .and_then(|at| take(root.get_mut(), &whole, &at));
        let follows = error.message().starts_with("missing field")
            && error.span().is_some_and(|at| self.robbed.contains(&at));
        if !follows {
            let key = taken.as_ref().map(|taken| taken.path.as_slice());
            let start = error.span().map_or(0, |at| at.start);
            let mistake = malformed(name, text, error, key);
            self.mistakes.push((start, mistake));
        }
        let is_taken = taken.is_some();
        self.robbed.extend(taken.map(|taken| taken.table));
        is_taken
    }

    fn in_order(mut self) -> Vec<Mistake> {
        self.mistakes.sort_by_key(|(start, _)| *start);
        self.mistakes
            .into_iter()
            .map(|(_, mistake)| mistake)
            .collect()
    }
}

/// What was taken out.
struct Taken {
    /// Its keys, the outermost first.
    path: Vec<String>,
    /// Where the table or list is that it was in.
    table: Range<usize>,
}

/// Takes out of a table what stands at this place, or has its key there: the innermost such thing.
fn take(table: &mut DeTable<'_>, own: &Range<usize>, at: &Range<usize>) -> Option<Taken> {
    let mut found = None;
    for (key, value) in table.iter_mut() {
        let span = value.span();
        if let Some(mut taken) = take_within(value.get_mut(), &span, at) {
            taken.path.insert(0, shown_key(key.get_ref()));
            return Some(taken);
        }
        if key.span() == *at || span == *at {
            found = Some(key.clone());
            break;
        }
    }
    let key = found?;
    table.remove(&key);
    Some(Taken {
        path: vec![shown_key(key.get_ref())],
        table: own.clone(),
    })
}

fn take_within(value: &mut DeValue<'_>, own: &Range<usize>, at: &Range<usize>) -> Option<Taken> {
    let list = match value {
        DeValue::Table(table) => return take(table, own, at),
        DeValue::Array(list) => list,
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => return None,
    };
    for one in list.iter_mut() {
        let span = one.span();
        if let Some(taken) = take_within(one.get_mut(), &span, at) {
            return Some(taken);
        }
    }
    if !list.iter().any(|one| one.span() == *at) {
        return None;
    }
    let rest = std::mem::replace(list, DeArray::new()).into_iter();
    *list = rest.filter(|one| one.span() != *at).collect();
    Some(Taken {
        path: Vec::new(),
        table: own.clone(),
    })
}

/// As it is written, where that is a plain word.
fn shown_key(key: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let short = shortened(key, LONGEST_KEY);
    if key.chars().all(is_plain) {
        short
    } else {
        format!("{short:?}")
    }
}

/// A key that only the agent's settings have.
fn agents(root: &DeTable<'_>) -> Option<&'static str> {
    let of_runner = || match root.get("runner")?.get_ref() {
        DeValue::Table(runner) => OF_ITS_RUNNER
            .into_iter()
            .find(|key| runner.contains_key(*key)),
        DeValue::Array(_)
        | DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => None,
    };
    let own = OF_THE_AGENT.into_iter().find(|key| root.contains_key(*key));
    own.or_else(of_runner)
        .filter(|_| !root.contains_key("github"))
}

/// What was told of a mistake, with its key where that is known.
pub(crate) fn with_key(message: &str, path: Option<&[String]>) -> String {
    let told = explained(message);
    let Some((last, tables)) = path.and_then(<[String]>::split_last) else {
        return told;
    };
    let is_unknown = message.starts_with("unknown field ");
    match (is_unknown, tables.join(".")) {
        (true, table) if table.is_empty() => told,
        (true, table) => format!("[{table}] has the {told}"),
        (false, table) if table.is_empty() => format!("{last}: {told}"),
        (false, table) => format!("{table}.{last}: {told}"),
    }
}

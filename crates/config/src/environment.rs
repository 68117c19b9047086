//! `REPRISE__SECTION__KEY=value` over the file.
//!
//! A value is the text itself wherever text is wanted, so that a secret may look like a number.
//! Only where it is not does it count as a number, a boolean or a list.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::error::{ConfigError, Mistake, explained, shortened};
use crate::file::File;
use crate::form::{self, Form};
use crate::keys::{self, PREFIX};

/// So much of a variable's name is shown; the longest of ours has 39 characters.
const LONGEST_NAME: usize = 100;

/// The file's sections with the environment's values in place.
pub(crate) fn overlay(
    name: &str,
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<File, ConfigError> {
    // Read alone first: only then do mistakes have a line.
    let Form {
        mut file,
        mut table,
        mut mistakes,
    } = form::read(name, text).map_err(ConfigError::Malformed)?;
    for (variable, value) in environment {
        if let Some(path) = variable.strip_prefix(PREFIX) {
            match set(&table, variable, path, value) {
                Ok(good) => (table, file) = good,
                Err(mistake) => mistakes.push(mistake),
            }
        } else if let Some(meant) = keys::meant(variable) {
            mistakes.push(wrong(variable, &format!("is not read; write {meant}")));
        }
    }
    if mistakes.is_empty() {
        Ok(file)
    } else {
        Err(ConfigError::Malformed(mistakes))
    }
}

/// The table with a variable's value in it, and what it then says.
fn set(table: &Table, variable: &str, path: &str, text: &str) -> Result<(Table, File), Mistake> {
    let path = path.to_ascii_lowercase();
    let Some((section, key)) = path
        .split_once("__")
        .filter(|(section, _)| !section.is_empty())
    else {
        let right = keys::meant(variable).unwrap_or_else(|| format!("{PREFIX}SECTION__KEY"));
        return Err(wrong(variable, &format!("names no key; write {right}")));
    };
    let mut mistake = None;
    for value in readings(text) {
        let is_text = value.is_str();
        let mut table = table.clone();
        insert(&mut table, variable, section, key, value)?;
        let read: Result<File, toml::de::Error> = table.clone().try_into();
        match read {
            Ok(file) => return Ok((table, file)),
            // What reads as a list or a number was meant as one.
            Err(_) if is_text && mistake.is_some() => {}
            Err(error) => mistake = Some(explained(error.message())),
        }
    }
    Err(wrong(variable, &mistake.unwrap_or_default()))
}

fn insert(
    table: &mut Table,
    variable: &str,
    section: &str,
    key: &str,
    value: Value,
) -> Result<(), Mistake> {
    let section = table
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()));
    let Some(section) = section.as_table_mut() else {
        return Err(wrong(
            variable,
            "names a list of tables; those are set in the file",
        ));
    };
    section.insert(key.to_owned(), value);
    Ok(())
}

/// What a text may mean, the text itself first. Only a list or a table comes before it: no single
/// text of ours is written in brackets, and a list of secrets would do as one secret as well.
fn readings(text: &str) -> Vec<Value> {
    let itself = Value::String(text.to_owned());
    match parsed(text) {
        Some(list @ (Value::Array(_) | Value::Table(_))) => vec![list, itself],
        Some(value @ (Value::Integer(_) | Value::Float(_) | Value::Boolean(_))) => {
            vec![itself, value]
        }
        Some(Value::String(_) | Value::Datetime(_)) | None => vec![itself],
    }
}

fn parsed(text: &str) -> Option<Value> {
    let mut table = toml::from_str::<Table>(&format!("value = {text}")).ok()?;
    // More than one key: the text went on with lines of its own.
    if table.len() == 1 {
        table.remove("value")
    } else {
        None
    }
}

fn wrong(variable: &str, message: &str) -> Mistake {
    Mistake {
        place: format!("environment variable {}", shortened(variable, LONGEST_NAME)),
        message: message.to_owned(),
    }
}

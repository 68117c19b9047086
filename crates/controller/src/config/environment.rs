//! `REPRISE__SECTION__KEY=value` over the file.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::error::{ConfigError, malformed, with_suggestion};
use super::file::File;

const PREFIX: &str = "REPRISE__";

/// The file's sections with the environment's values in place.
pub(super) fn overlay(
    name: &str,
    text: &str,
    environment: &BTreeMap<String, String>,
) -> Result<File, ConfigError> {
    // Read alone first: only then do mistakes have a line.
    let file: File = toml::from_str(text).map_err(|error| malformed(name, text, &error))?;
    let overrides: Vec<(&String, &String)> =
        environment.iter().filter(|(key, _)| key.starts_with(PREFIX)).collect();
    if overrides.is_empty() {
        return Ok(file);
    }
    let mut table: Table = toml::from_str(text).map_err(|error| malformed(name, text, &error))?;
    for (variable, value) in overrides {
        set(&mut table, variable, value)?;
        let checked: Result<File, _> = table.clone().try_into();
        checked.map_err(|error| wrong(variable, &with_suggestion(error.message())))?;
    }
    table.try_into().map_err(|error: toml::de::Error| malformed(name, text, &error))
}

fn set(table: &mut Table, variable: &str, value: &str) -> Result<(), ConfigError> {
    let path = variable.trim_start_matches(PREFIX).to_ascii_lowercase();
    let Some((section, key)) = path.split_once("__") else {
        return Err(wrong(variable, "names no key; write REPRISE__SECTION__KEY"));
    };
    let section = table
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()))
        .as_table_mut()
        .ok_or_else(|| wrong(variable, "names a list; lists of tables are set in the file"))?;
    section.insert(key.to_owned(), value_of(value));
    Ok(())
}

/// A number, a boolean or a list where it reads as one, else the text itself.
fn value_of(text: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("value = {text}")).ok();
    parsed
        .and_then(|mut table| table.remove("value"))
        .filter(|value| !matches!(value, Value::Datetime(_) | Value::Table(_)))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

fn wrong(variable: &str, message: &str) -> ConfigError {
    ConfigError::Malformed {
        place: format!("environment variable {variable}"),
        message: message.to_owned(),
    }
}

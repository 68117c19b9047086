//! docs/configuration.md, tried: what it says of each of the agent's keys holds.

use super::*;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");

/// The least that a runner needs.
const RUNNER: &str = "[runner]\ntable = \"runners\"\nrole_id = \"AROAEXAMPLEEXAMPLE123\"\n";

/// A row of the page.
struct Row {
    table: String,
    key: String,
    without: String,
    range: String,
    variable: String,
}

/// The agent's half of the page.
fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(PAGE).expect("readable");
    let (_, half) = page.split_once("\n## The agent's file\n").expect("it");
    let mut table = "";
    let mut rows = Vec::new();
    for line in half.lines() {
        if let Some(text) = line.strip_prefix("### `") {
            table = text.trim_end_matches('`');
        } else if line.starts_with("| `") {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [key, _, without, range, _, variable] = cells.as_slice() else {
                panic!("{line}");
            };
            rows.push(Row {
                table: table.to_owned(),
                key: key.trim_matches('`').to_owned(),
                without: (*without).to_owned(),
                range: (*range).to_owned(),
                variable: variable.trim_matches('`').to_owned(),
            });
        }
    }
    rows
}

impl Row {
    /// A file in which this key has that value.
    fn set(&self, value: &str) -> String {
        let line = format!("{} = {value}\n", self.key);
        match self.table.as_str() {
            "" => format!("{line}{RUNNER}"),
            "[runner]" => format!("{RUNNER}{line}"),
            table => format!("{RUNNER}{table}\n{line}"),
        }
    }
}

fn load(file: &str) -> Result<Settings, SettingsError> {
    Settings::load(Some(file), &environment(&[]))
}

/// What the backquotes hold, if nothing stands beside them.
fn literal(text: &str) -> Option<&str> {
    let text = text.strip_prefix('`')?.strip_suffix('`')?;
    let is_value = text.starts_with(['"', '[']) && !text.contains('`');
    is_value.then_some(text)
}

#[test]
fn the_page_has_every_key_and_variable_and_no_other() {
    let rows = rows();
    for table in ["", "[runner]", "[interruption]"] {
        let error = error(&format!("{table}\nzzzz = 1\n"), &[]);
        let (_, known) = error.rsplit_once("expected one of ").expect("known keys");
        let known = known.split('`').skip(1).step_by(2);
        let known: Vec<&str> = known
            .filter(|one| *one != "runner" && *one != "interruption")
            .collect();
        let here = rows.iter().filter(|row| row.table == table);
        assert_eq!(
            here.map(|row| row.key.as_str()).collect::<Vec<_>>(),
            known,
            "{table}"
        );
    }
    let mut named: Vec<&str> = rows.iter().map(|row| row.variable.as_str()).collect();
    named.push("REPRISE_AGENT_CONFIG");
    named.sort_unstable();
    let mut read = VARIABLES.to_vec();
    read.sort_unstable();
    assert_eq!(named, read);
}

#[test]
fn a_default_of_the_page_that_is_written_out_changes_nothing() {
    let usual = load(RUNNER).expect("valid");
    let mut tried = 0;
    for row in rows() {
        let default = row.without.split(", with a ").next().and_then(literal);
        let Some(default) = default else { continue };
        tried += 1;
        let written = load(&row.set(default)).expect("valid");
        assert_eq!(written, usual, "{}", row.key);
    }
    assert!(tried > 18, "{tried}");
}

#[test]
fn a_ranges_ends_are_taken_and_what_is_beyond_is_refused() {
    let mut tried = 0;
    for row in rows() {
        let Some((least, most)) = row.range.split_once(" to ") else {
            continue;
        };
        for (end, beyond) in [(least, -1), (most, 1)] {
            let Some(end) = literal(end) else { continue };
            tried += 1;
            assert!(load(&row.set(end)).is_ok(), "{} = {end}", row.key);
            let time: SignedDuration = end.trim_matches('"').parse().expect("a time");
            let beyond = time + SignedDuration::from_millis(beyond);
            let refused = load(&row.set(&format!("\"{beyond:#}\"")));
            assert!(refused.is_err(), "{} = {beyond:#}", row.key);
        }
    }
    assert!(tried >= 12, "{tried}");
}

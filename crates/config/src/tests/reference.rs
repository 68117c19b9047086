//! docs/configuration.md, tried: what it says of each key holds.
//!
//! `cargo xtask config-reference` makes the page from comments of the types; only a program can tell whether what
//! they say of defaults and ranges is true.

use jiff::SignedDuration;
use toml::Value;

use super::*;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");

/// A configuration with each kind of table, in which every key may stand.
const RICH: &str = r#"
[github]
app_id = 12345
private_key = "-----BEGIN RSA PRIVATE KEY-----not-a-real-key-----END RSA PRIVATE KEY-----"
webhook_secrets = "a-fake-secret"

[checks]
merge_queue = ["acme/shop"]

[aws]

[[aws.regions]]
region = "eu-west-1"
account = "123456789012"

[queues]
webhooks = "https://sqs.example/webhooks"

[store]

[api]
token = "an-obviously-fake-token"

[fleet]
stack = "demo"
launch_template = "runners"
subnets = ["subnet-a"]

[[fleet.types]]
name = "t3.nano"
cpu = 1
ram = 1

[runner]
table = "runners"
role_id = "AROAEXAMPLEEXAMPLE123"

[[failures.transient]]
patterns = ["license server busy"]

[ask.NAME]
url = "https://judge.example/ask"
repositories = ["acme/*"]
secret = "an-obviously-fake-secret"

[[policy]]
retry = "when-failed"

[runners.NAME]
cpu = 4

[images.NAME]
ami = "ami-0123456789abcdef0"
"#;

/// A row of the page.
struct Row {
    heading: String,
    key: String,
    kind: String,
    without: String,
    range: String,
    variable: String,
}

/// The controller's half of the page.
fn rows() -> Vec<Row> {
    let page = std::fs::read_to_string(PAGE).expect("readable");
    let (_, half) = page.split_once("\n## The controller's file\n").expect("it");
    let (half, _) = half.split_once("\n## The agent's file\n").expect("both");
    let mut heading = "";
    let mut rows = Vec::new();
    for line in half.lines() {
        if let Some(text) = line.strip_prefix("### `") {
            heading = text.trim_end_matches('`');
        } else if line.starts_with("| `") {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [key, kind, without, range, _, variable] = cells.as_slice() else {
                panic!("{line}");
            };
            rows.push(Row {
                heading: heading.to_owned(),
                key: key.trim_matches('`').to_owned(),
                kind: (*kind).to_owned(),
                without: (*without).to_owned(),
                range: (*range).to_owned(),
                variable: variable.trim_matches('`').to_owned(),
            });
        }
    }
    rows
}

impl Row {
    fn name(&self) -> String {
        format!("{} {}", self.heading, self.key)
    }

    /// The default, where it is a value.
    fn default(&self) -> Option<Value> {
        value(self.without.strip_prefix('`')?.strip_suffix('`')?)
    }

    /// The configuration without this key, or with this value of it.
    fn set(&self, value: Option<&str>) -> String {
        let without = without(&self.heading, &self.key);
        let Some(value) = value else {
            return without;
        };
        let line = format!("{} = {value}\n", self.key);
        let head = format!("\n{}\n", self.heading);
        if without.contains(&head) {
            without.replace(&head, &format!("{head}{line}"))
        } else {
            format!("{without}{head}{line}")
        }
    }
}

/// [`RICH`] without that line of that table, and without tables of that name in it.
fn without(heading: &str, key: &str) -> String {
    let inner = heading.trim_start_matches('[').trim_end_matches(']');
    let inner = format!("[[{inner}.{key}]]");
    let mut now = "";
    let kept = RICH.lines().filter(|line| {
        if line.starts_with('[') {
            now = line;
        }
        let is_it = now == heading && line.starts_with(&format!("{key} = "));
        !is_it && now != inner
    });
    kept.map(|line| format!("{line}\n")).collect()
}

fn value(text: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    table.get("value").cloned()
}

fn shown(text: &str) -> String {
    format!("{:?}", good(text, &[]))
}

#[test]
fn the_page_has_every_key_that_is_read_and_no_other() {
    let rows = rows();
    let mut headings: Vec<&str> = rows.iter().map(|row| row.heading.as_str()).collect();
    headings.dedup();
    for heading in &headings {
        // Our own sentence about an unknown key lists the known ones.
        let error = bad(&format!("{heading}\nzzzzzzzzzzzzzzzzzzzzzzzz = 1\n"), &[]);
        let (_, known) = error.split_once("known here are: ").expect("known keys");
        let here = rows.iter().filter(|row| row.heading == *heading);
        let keys: Vec<&str> = here.map(|row| row.key.as_str()).collect();
        assert_eq!(
            keys,
            known.trim().split(", ").collect::<Vec<_>>(),
            "{heading}"
        );
    }
    for (section, _) in KEYS {
        assert!(
            headings.contains(&format!("[{section}]").as_str()),
            "{section}"
        );
    }
    for heading in [
        "[ask.NAME]",
        "[[policy]]",
        "[runners.NAME]",
        "[images.NAME]",
    ] {
        assert!(headings.contains(&heading), "{heading}");
    }
}

#[test]
fn a_default_of_the_page_that_is_written_out_changes_nothing() {
    let mut tried = 0;
    for row in rows() {
        let Some(default) = row.default() else {
            continue;
        };
        tried += 1;
        let (left, written) = (row.set(None), row.set(Some(&default.to_string())));
        assert_ne!(left, written, "{}", row.name());
        assert_eq!(shown(&left), shown(&written), "{}", row.name());
        if let Some(other) = another(&default) {
            let other = row.set(Some(&other));
            let other = read(&other, &[]).map(|config| format!("{config:?}"));
            assert_ne!(
                other.ok(),
                Some(shown(&left)),
                "{} does nothing",
                row.name()
            );
        }
    }
    assert!(tried > 50, "{tried}");
}

/// Another value of the same type, which means something else.
fn another(value: &Value) -> Option<String> {
    Some(match value {
        Value::Boolean(value) => (!value).to_string(),
        Value::Integer(number) => (number + 1).to_string(),
        Value::String(text) => match text.parse::<SignedDuration>() {
            Ok(time) => format!("\"{:#}\"", time - SignedDuration::from_millis(1)),
            Err(_) => return None,
        },
        Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => return None,
    })
}

#[test]
fn what_the_page_requires_is_missed() {
    let mut tried = 0;
    for row in rows()
        .iter()
        .filter(|row| row.without.starts_with("required"))
    {
        let left = row.set(None);
        let is_there = left.lines().count() < RICH.lines().count();
        assert!(is_there || row.without != "required", "{}", row.name());
        if is_there {
            tried += 1;
            let error = bad(&left, &[]);
            let other = row.key.trim_end_matches("_file");
            assert!(error.contains(other), "{}: {error}", row.name());
        }
    }
    assert!(tried > 15, "{tried}");
}

#[test]
fn a_ranges_ends_are_taken_and_what_is_beyond_is_refused() {
    let mut tried = 0;
    for row in rows() {
        let (least, most) = ends(&row.range);
        for (end, beyond) in [(least, -1), (most, 1)] {
            let Some(end) = end.as_deref() else { continue };
            tried += 1;
            let (excluded, end) = match end.strip_prefix("more than ") {
                Some(end) => (true, end),
                None => (false, end),
            };
            let refused = if excluded {
                end.to_owned()
            } else {
                let result = read(&row.set(Some(end)), &[]);
                assert!(result.is_ok(), "{}: {end}: {result:?}", row.name());
                step(end, beyond)
            };
            let error = bad(&row.set(Some(&refused)), &[]);
            assert!(
                error.contains(&row.key),
                "{}: {refused}: {error}",
                row.name()
            );
        }
    }
    assert!(tried > 40, "{tried}");
}

/// Both ends, where they are values and not other keys.
fn ends(range: &str) -> (Option<String>, Option<String>) {
    let literal = |text: &str| {
        let bare = text.replace('`', "");
        let value = value(bare.trim_start_matches("more than "));
        value.map(|_| bare)
    };
    match range.split_once(" to ") {
        Some((least, most)) => (literal(least), literal(most)),
        None => (literal(range.trim_start_matches("at least ")), None),
    }
}

fn step(end: &str, by: i64) -> String {
    let value = value(end).expect("a value");
    if let Some(number) = value.as_integer() {
        return (number + by).to_string();
    }
    let time: SignedDuration = value.as_str().expect("a text").parse().expect("a time");
    format!("\"{:#}\"", time + SignedDuration::from_millis(by))
}

#[test]
fn the_pages_words_are_those_that_are_read() {
    let mut tried = 0;
    for row in rows().iter().filter(|row| row.kind.starts_with("`\"")) {
        tried += 1;
        let error = bad(&row.set(Some("\"zzzzzzzzzzzzzzzzzzzzzzzz\"")), &[]);
        let (_, known) = error.split_once("known are: ").expect("known words");
        let known: Vec<String> = known
            .trim()
            .split(", ")
            .map(|one| format!("`\"{one}\"`"))
            .collect();
        assert_eq!(row.kind, known.join(", "), "{}", row.name());
    }
    assert!(tried > 6, "{tried}");
}

#[test]
fn the_pages_variables_are_those_that_are_read() {
    let named: Vec<String> = rows()
        .into_iter()
        .filter(|row| !row.variable.is_empty())
        .map(|row| row.variable)
        .collect();
    let keys = KEYS.iter().flat_map(|(section, keys)| {
        keys.iter()
            .map(move |key| crate::keys::variable(&format!("{section}.{key}")))
    });
    let (mut named, mut read): (Vec<_>, Vec<_>) = (named, keys.collect());
    named.sort();
    read.sort();
    assert_eq!(named, read);
}

#[test]
fn a_table_by_name_is_set_whole_by_a_variable() {
    let ask = "{ lambda = \"judge\", repositories = [] }";
    let config = good(
        GOOD,
        &[
            ("REPRISE__RUNNERS__BIG", "{ cpu = 16 }"),
            (
                "REPRISE__IMAGES__ARM",
                "{ ami = \"ami-0123456789abcdef0\" }",
            ),
            ("REPRISE__ASK__JUDGE", ask),
        ],
    );
    assert_eq!(config.endpoints.len(), 1);
    let offer = config.settings.fleet.expect("a fleet").offer;
    let names = (offer.runners.keys()).chain(offer.images.keys());
    let names: Vec<&str> = names.map(|name| name.as_str()).collect();
    assert_eq!(names, ["big", "arm"]);
}

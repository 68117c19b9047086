//! The metrics that there are, with their labels, and what a text names that is none of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use regex::Regex;

use crate::command::root;

/// What Prometheus adds to each series.
const TARGET_LABELS: [&str; 2] = ["instance", "job"];

/// The text of all crates, in which a label's value must stand as a literal.
pub(super) struct Sources(String);

impl Sources {
    pub(super) fn read() -> Result<Self> {
        let mut text = String::new();
        for name in ["controller", "engine", "model", "store"] {
            gather(&root().join("crates").join(name).join("src"), &mut text)?;
        }
        Ok(Self(text))
    }

    fn says(&self, value: &str) -> bool {
        self.0.contains(&format!("\"{value}\""))
    }
}

fn gather(folder: &Path, text: &mut String) -> Result<()> {
    let failed = || format!("failed to read {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(failed)? {
        let path = entry.with_context(failed)?.path();
        if path.is_dir() {
            gather(&path, text)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&std::fs::read_to_string(&path).with_context(failed)?);
        }
    }
    Ok(())
}

/// Each metric's labels.
pub(super) struct Names(BTreeMap<String, BTreeSet<String>>);

impl Names {
    /// Reads the table of docs/metrics.md.
    pub(super) fn of_page(page: &str) -> Result<Self> {
        let row = Regex::new(r"(?m)^\| `(reprise_\w+)` \| (\w+) \| ([^|]*) \|")?;
        let label = Regex::new(r"`(\w+)`")?;
        let mut names = BTreeMap::new();
        for [name, kind, labels] in row.captures_iter(page).map(|found| found.extract().1) {
            let found = label.captures_iter(labels).map(|found| found.extract().1);
            let labels: BTreeSet<String> = found.map(|[one]| one.to_owned()).collect();
            if kind == "histogram" {
                let mut bucket = labels.clone();
                bucket.insert("le".to_owned());
                names.insert(format!("{name}_bucket"), bucket);
                names.insert(format!("{name}_sum"), labels.clone());
                names.insert(format!("{name}_count"), labels);
            } else {
                names.insert(name.to_owned(), labels);
            }
        }
        ensure!(!names.is_empty(), "docs/metrics.md has no table of metrics");
        Ok(Self(names))
    }

    /// Adds what the rules record, with the labels that they sum by.
    pub(super) fn add_recorded(&mut self, rules: &str) -> Result<()> {
        let by = Regex::new(r"\bsum by \(([^)]*)\)")?;
        for block in rules.split("- record: ").skip(1) {
            let block = block.split("\n      - ").next().unwrap_or(block);
            let name = block.lines().next().unwrap_or_default().trim().to_owned();
            let labels = by.captures(block).map(|found| found.extract::<1>().1[0]);
            let labels = labels.map(words).unwrap_or_default();
            ensure!(
                self.0.insert(name.clone(), labels).is_none(),
                "{name} twice"
            );
        }
        Ok(())
    }

    /// What the text names that is not there. A grouping must fit some metric of its expression, which
    /// `expr:` begins.
    pub(super) fn wrong_in(&self, text: &str, sources: &Sources) -> Result<Vec<String>> {
        let metric = Regex::new(r"\b(reprise[_:][\w:]+)\b(?:\{([^}]*)\})?")?;
        let grouping = Regex::new(r"\b(?:by|on|without|ignoring) \(([^)]*)\)")?;
        let mut wrong = Vec::new();
        for part in text.split("expr: ") {
            let part = part.split("annotations:").next().unwrap_or(part);
            let mut known: BTreeSet<&str> = TARGET_LABELS.into();
            for found in metric.captures_iter(part) {
                let name = &found[1];
                let Some(labels) = self.0.get(name) else {
                    wrong.push(format!("there is no metric {name}"));
                    continue;
                };
                known.extend(labels.iter().map(String::as_str));
                let matchers = found.get(2).map_or("", |one| one.as_str());
                wrong.extend(self::matchers(name, labels, matchers, sources)?);
            }
            for found in grouping.captures_iter(part) {
                let strange = words(&found[1]);
                let strange = strange.iter().filter(|one| !known.contains(one.as_str()));
                wrong.extend(strange.map(|one| format!("nothing here has the label {one}")));
            }
        }
        Ok(wrong)
    }
}

fn words(list: &str) -> BTreeSet<String> {
    let words = list.split(',').map(str::trim).filter(|one| !one.is_empty());
    words.map(str::to_owned).collect()
}

/// Labels whose values are the world's and not ours.
const FREE: [&str; 7] = [
    "repository",
    "family",
    "region",
    "zone",
    "image",
    "action",
    "le",
];

fn matchers(
    name: &str,
    labels: &BTreeSet<String>,
    text: &str,
    sources: &Sources,
) -> Result<Vec<String>> {
    let matcher = Regex::new(r#"(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)""#)?;
    let mut wrong = Vec::new();
    for [label, values] in matcher.captures_iter(text).map(|found| found.extract().1) {
        if TARGET_LABELS.contains(&label) {
            continue;
        }
        if !labels.contains(label) {
            wrong.push(format!("{name} has no label {label}"));
        } else if !FREE.contains(&label) {
            let strange = values.split('|').filter(|value| !sources.says(value));
            wrong.extend(strange.map(|value| format!("{name}: no {label} is {value}")));
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "| metric | kind | labels | what |\n| --- | --- | --- | --- |\n\
        | `reprise_jobs_total` | counter | `reason`, `zone` | Jobs. |\n\
        | `reprise_took_seconds` | histogram | `zone` | Time. |\n";

    const RULES: &str = "      - record: reprise:jobs:increase1h\n        expr: sum by (reason) (reprise_jobs_total)\n";

    fn wrong(expression: &str) -> Vec<String> {
        let mut names = Names::of_page(PAGE).expect("a table");
        names.add_recorded(RULES).expect("one");
        let sources = Sources(r#"Self::Late => "late","#.to_owned());
        let text = format!("expr: {expression}");
        names.wrong_in(&text, &sources).expect("patterns")
    }

    #[test]
    fn what_is_there_may_be_named() {
        for right in [
            r#"sum by (zone) (reprise_jobs_total{reason="late",zone="a"})"#,
            r#"sum by (le) (reprise_took_seconds_bucket{le="60",job="reprise"})"#,
            "reprise_took_seconds_sum / on (instance) reprise_took_seconds_count",
            r#"sum by (reason) (reprise:jobs:increase1h{reason=~"late"})"#,
        ] {
            assert_eq!(wrong(right), Vec::<String>::new(), "{right}");
        }
    }

    #[test]
    fn what_is_not_there_is_found() {
        for (text, found) in [
            ("reprise_job_total", "there is no metric reprise_job_total"),
            (
                "reprise_took_seconds",
                "there is no metric reprise_took_seconds",
            ),
            (
                "reprise_jobs_total_sum",
                "there is no metric reprise_jobs_total_sum",
            ),
            (
                "reprise:job:increase1h",
                "there is no metric reprise:job:increase1h",
            ),
            (
                r#"reprise_jobs_total{le="1"}"#,
                "reprise_jobs_total has no label le",
            ),
            (
                r#"reprise_jobs_total{reason=~"late|lost"}"#,
                "reprise_jobs_total: no reason is lost",
            ),
            (
                "sum by (zone) (reprise:jobs:increase1h)",
                "nothing here has the label zone",
            ),
        ] {
            assert_eq!(wrong(text), [found], "{text}");
        }
    }

    #[test]
    fn a_page_without_metrics_checks_nothing_and_says_so() {
        assert!(Names::of_page("# Metrics\n").is_err());
    }
}

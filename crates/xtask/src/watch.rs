//! What watches Reprise must name what Reprise shows: the rules, their tests and the dashboard are held to
//! docs/metrics.md, which a test of the controller holds to what is registered. promtool says the rest.

mod names;

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use regex::Regex;
use serde_json::{Value, json};

use self::names::{Names, Sources};
use crate::command::{exists, root, run};
use crate::links::anchors;

const RULES: &str = "deploy/prometheus/reprise.rules.yml";
const TESTS: &str = "deploy/prometheus/reprise.test.yml";
const DASHBOARD: &str = "deploy/grafana/reprise.json";
const RUNBOOK: &str = "docs/runbook.md";

/// Checks rules, tests, dashboard and runbook.
pub(crate) fn check() -> Result<()> {
    if !exists("promtool", &["--version"]) {
        bail!("missing: promtool (on Debian: apt-get install prometheus)");
    }
    let rules = read(RULES)?;
    let tests = read(TESTS)?;
    let mut names = Names::of_page(&read("docs/metrics.md")?)?;
    names.add_recorded(&rules)?;
    let sources = Sources::read()?;
    let dashboard = dashboard(&read(DASHBOARD)?)?;
    let expressions = expressions(&dashboard);
    let texts = [
        (RULES, rules.clone()),
        (TESTS, tests.clone()),
        (DASHBOARD, expressions.join("\n")),
    ];
    for (file, text) in texts {
        let wrong = names.wrong_in(&text, &sources)?;
        ensure!(wrong.is_empty(), "{file}: {}", wrong.join("; "));
    }
    let alerts = alerts(&rules)?;
    check_runbook(&alerts, &read(RUNBOOK)?)?;
    check_tested(&alerts, &tests)?;
    check_order(&rules, &tests)?;
    let promtool = |words: &[&str]| run(Command::new("promtool").current_dir(root()).args(words));
    promtool(&["check", "rules", "--lint-fatal", RULES])?;
    promtool(&["test", "rules", TESTS])?;
    let queries = root().join("target/dashboard.rules.json");
    std::fs::write(&queries, as_rules(&dashboard).to_string())
        .with_context(|| format!("failed to write {}", queries.display()))?;
    promtool(&[
        "check",
        "rules",
        "--lint=none",
        "target/dashboard.rules.json",
    ])?;
    println!(
        "{} alerts and {} queries of the dashboard name what Reprise shows",
        alerts.len(),
        expressions.len()
    );
    Ok(())
}

fn read(file: &str) -> Result<String> {
    std::fs::read_to_string(root().join(file)).with_context(|| format!("failed to read {file}"))
}

/// The names of all alerts; each has what whoever is woken by it needs.
fn alerts(rules: &str) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for block in rules.split("- alert: ").skip(1) {
        let block = block.split("\n      - ").next().unwrap_or(block);
        let name = block.lines().next().unwrap_or_default().trim().to_owned();
        for key in ["severity: ", "summary: ", "description: "] {
            ensure!(block.contains(key), "the alert {name} has no {key}");
        }
        let runbook = format!("runbook: {RUNBOOK}#{}\n", name.to_lowercase());
        ensure!(
            format!("{block}\n").contains(&runbook),
            "the alert {name} does not say {runbook}"
        );
        ensure!(names.insert(name.clone()), "two alerts are named {name}");
    }
    ensure!(!names.is_empty(), "no alerts were found");
    Ok(names)
}

/// Each alert has its section, and each section its alert.
fn check_runbook(alerts: &BTreeSet<String>, page: &str) -> Result<()> {
    let anchors = anchors(page);
    for alert in alerts {
        let anchor = alert.to_lowercase();
        ensure!(anchors.contains(&anchor), "{RUNBOOK} lacks {alert}");
    }
    let sections = page.lines().filter_map(|line| line.strip_prefix("## "));
    for section in sections {
        ensure!(alerts.contains(section), "{RUNBOOK}: no alert {section}");
    }
    Ok(())
}

/// A test shows each alert both on and off.
fn check_tested(alerts: &BTreeSet<String>, tests: &str) -> Result<()> {
    for alert in alerts {
        let name = format!("alertname: {alert}\n");
        let cases = tests.split(&name).skip(1);
        let (off, on): (Vec<_>, Vec<_>) =
            cases.partition(|case| case.lines().nth(1).is_some_and(|line| line.ends_with("[]")));
        ensure!(!on.is_empty(), "{TESTS}: {alert} never fires");
        ensure!(!off.is_empty(), "{TESTS}: {alert} fires always");
    }
    Ok(())
}

/// The tests evaluate each group after those whose records it reads. promtool takes a group that is not named in
/// any order, so that a test would pass today and fail tomorrow.
fn check_order(rules: &str, tests: &str) -> Result<()> {
    let groups = rules
        .lines()
        .filter_map(|line| line.strip_prefix("  - name: "));
    let order = groups.collect::<Vec<_>>().join(", ");
    let line = format!("group_eval_order: [{order}]");
    ensure!(
        tests.lines().any(|said| said == line),
        "{TESTS}: {line} is missing"
    );
    Ok(())
}

/// The dashboard, whose panels have ids of their own.
fn dashboard(text: &str) -> Result<Value> {
    let dashboard: Value = serde_json::from_str(text).context("the dashboard is no JSON")?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let mut ids = BTreeSet::new();
    for panel in panels {
        let id = panel["id"].as_u64().context("a panel without an id")?;
        ensure!(ids.insert(id), "two panels have the id {id}");
        let is_row = panel["type"] == "row";
        let asks = panel["targets"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        ensure!(is_row || asks, "the panel {id} asks nothing");
    }
    ensure!(!ids.is_empty(), "no panels");
    Ok(dashboard)
}

/// The dashboard's queries as rules, as promtool reads nothing else.
fn as_rules(dashboard: &Value) -> Value {
    let rules = targets(dashboard).enumerate().map(
        |(number, target)| json!({"record": format!("query_{number}"), "expr": target["expr"]}),
    );
    json!({"groups": [{"name": "dashboard", "rules": rules.collect::<Vec<_>>()}]})
}

fn targets(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().into_iter().flatten();
    panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
}

/// Each query, with the labels that its legend shows as if it grouped by them.
fn expressions(dashboard: &Value) -> Vec<String> {
    #[expect(clippy::expect_used, reason = "the pattern is a constant")]
    let label = Regex::new(r"\{\{\s*(\w+)\s*\}\}").expect("a pattern");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    targets(dashboard)
        .map(|target| {
            let legend = text(&target["legendFormat"]);
            let shown: Vec<&str> = label
                .captures_iter(&legend)
                .filter_map(|found| found.get(1).map(|name| name.as_str()))
                .collect();
            format!("expr: {} by ({})", text(&target["expr"]), shown.join(", "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALERT: &str = "      - alert: RepriseLate\n        expr: up\n        labels:\n          severity: warning\n        annotations:\n          summary: Late.\n          description: It is late.\n          runbook: docs/runbook.md#repriselate\n";

    #[test]
    fn an_alert_without_its_runbook_or_summary_is_found() {
        assert_eq!(alerts(ALERT).expect("whole").len(), 1);
        for lacking in ["summary: Late.", "#repriselate", "severity: warning"] {
            assert!(alerts(&ALERT.replace(lacking, "")).is_err(), "{lacking}");
        }
        assert!(alerts(&format!("{ALERT}{ALERT}")).is_err());
        assert!(alerts("groups: []").is_err());
    }

    #[test]
    fn alerts_and_sections_of_the_runbook_belong_together() {
        let alerts = alerts(ALERT).expect("whole");
        check_runbook(&alerts, "# Runbook\n\n## RepriseLate\n").expect("both");
        assert!(check_runbook(&alerts, "# Runbook\n").is_err());
        assert!(check_runbook(&alerts, "## RepriseLate\n## RepriseGone\n").is_err());
    }

    #[test]
    fn an_alert_is_tested_on_and_off() {
        let alerts = alerts(ALERT).expect("whole");
        let off = "alertname: RepriseLate\n eval_time: 1m\n exp_alerts: []\n";
        let on = "alertname: RepriseLate\n eval_time: 1m\n exp_alerts:\n  - exp_labels: {}\n";
        check_tested(&alerts, &format!("{off}{on}")).expect("both");
        assert!(check_tested(&alerts, off).is_err());
        assert!(check_tested(&alerts, on).is_err());
    }

    #[test]
    fn a_dashboard_with_an_id_twice_or_a_mute_panel_is_found() {
        let panel =
            r#"{"id":1,"type":"stat","targets":[{"expr":"up","legendFormat":"{{ zone }}"}]}"#;
        let whole = dashboard(&format!(r#"{{"panels":[{panel}]}}"#)).expect("whole");
        assert_eq!(expressions(&whole), ["expr: up by (zone)"]);
        assert!(dashboard(&format!(r#"{{"panels":[{panel},{panel}]}}"#)).is_err());
        assert!(dashboard(r#"{"panels":[{"id":1,"type":"stat","targets":[]}]}"#).is_err());
        assert!(dashboard("{").is_err());
    }
}

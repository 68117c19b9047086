//! Concurrency groups: those of a run, and who holds one.

use reprise_model::ids::{Repository, RunId};
use serde_json::{Value, json};

use super::answer::Answer;
use crate::github::GitHub;

impl GitHub {
    /// What a run takes part in by its configuration, with its own places there.
    pub(super) fn groups_of_run(&self, repository: &Repository, run: RunId) -> Option<Answer> {
        let spec = &self.run_at(repository, run)?.spec;
        let groups = spec.concurrency.iter().map(|concurrency| {
            let mut group = self.group_json(repository, &concurrency.group);
            let members = self.group_members(repository, &concurrency.group);
            let places = members.iter().zip(0_u64..);
            let own = places.filter(|(member, _)| **member == run);
            let own =
                own.map(|(member, place)| self.member_json(repository, *member, place, &group));
            group["group_members"] = own.collect();
            group
        });
        let groups: Vec<Value> = groups.collect();
        Some(Answer::ok(json!({
            "total_count": groups.len(),
            "concurrency_groups": groups,
        })))
    }

    /// Nothing where nobody holds it.
    pub(super) fn group(&self, repository: &Repository, name: &str) -> Option<Answer> {
        let members = self.group_members(repository, name);
        if members.is_empty() {
            return None;
        }
        let mut group = self.group_json(repository, name);
        let places = members.iter().zip(0_u64..);
        let listed =
            places.map(|(member, place)| self.member_json(repository, *member, place, &group));
        let listed: Vec<Value> = listed.collect();
        group["total_count"] = json!(listed.len());
        group["group_members"] = json!(listed);
        Some(Answer::ok(group))
    }

    fn group_json(&self, repository: &Repository, name: &str) -> Value {
        let api = &self.settings.api_url;
        let quoted =
            percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        json!({
            "group_name": name,
            "group_url": format!("{api}/repos/{repository}/actions/concurrency_groups/{quoted}"),
        })
    }

    fn member_json(&self, repository: &Repository, run: RunId, place: u64, group: &Value) -> Value {
        let (api, html) = (&self.settings.api_url, &self.settings.html_url);
        let status = if place == 0 { "in_progress" } else { "pending" };
        let url = group["group_url"].as_str().unwrap_or_default();
        json!({
            "run_id": run,
            "run_name": self.run(run).map(|run| run.spec.workflow_name.as_str()),
            "run_url": format!("{api}/repos/{repository}/actions/runs/{run}"),
            "run_html_url": format!("{html}/{repository}/actions/runs/{run}"),
            "position": place,
            "position_url": format!("{url}?ahead_of_run={run}"),
            "status": status,
        })
    }
}

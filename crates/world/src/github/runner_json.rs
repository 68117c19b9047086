//! GitHub's JSON for self-hosted runners and their groups.

use serde_json::{Value, json};

use super::json::Wire;
use super::registrations::{DEFAULT_GROUP, Registration, RunnerState};

impl Wire<'_> {
    /// A registered runner.
    pub(super) fn runner(self, runner: &Registration) -> Value {
        let (os, status) = match runner.state {
            RunnerState::Waiting => ("unknown", "offline"),
            RunnerState::Lost => ("linux", "offline"),
            RunnerState::Idle | RunnerState::Took(_) => ("linux", "online"),
        };
        let labels = runner.labels.iter().zip(1..);
        let label =
            |(name, id): (&String, u64)| json!({ "id": id, "name": name, "type": "custom" });
        json!({
            "id": runner.id,
            "runner_group_id": runner.group,
            "name": runner.name,
            "os": os,
            "status": status,
            "busy": runner.is_busy(),
            "ephemeral": true,
            "labels": labels.map(label).collect::<Vec<_>>(),
        })
    }

    /// A group of an organisation.
    pub(super) fn runner_group(self, organization: &str, id: u64, name: &str) -> Value {
        let api = &self.0.api_url;
        json!({
            "id": id,
            "name": name,
            "visibility": "all",
            "default": id == DEFAULT_GROUP,
            "runners_url": format!("{api}/orgs/{organization}/actions/runner-groups/{id}/runners"),
            "inherited": false,
            "allows_public_repositories": false,
        })
    }
}

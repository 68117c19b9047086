//! All keys, and the variables of the environment that stand for them.
//!
//! A variable that was meant to be one and is written otherwise would silently do nothing. Only those
//! are recognised whose letters are exactly a section's and its key's: other programs, and the cluster,
//! have variables that begin with our name too.

/// What every variable of the configuration begins with.
pub(crate) const PREFIX: &str = "REPRISE__";

/// What one may begin with that was meant to be such a variable.
const NEARLY: &str = "REPRISE_";

/// The sections that are no lists and hold no names of an operator's own, with their keys.
pub(crate) const KEYS: [(&str, &[&str]); 15] = [
    (
        "github",
        &[
            "base_url",
            "app_id",
            "private_key",
            "private_key_file",
            "webhook_secrets",
            "webhook_secret_file",
            "repositories",
            "redeliver_every",
            "redeliver_within",
            "redeliver_tries",
        ],
    ),
    (
        "checks",
        &[
            "reports",
            "merge_queue",
            "merge_queue_workflows",
            "merge_queue_limit",
        ],
    ),
    ("aws", &["request_rate_percent", "regions"]),
    (
        "queues",
        &[
            "region",
            "webhooks",
            "ec2_events",
            "webhooks_dead_letters",
            "ec2_events_dead_letters",
            "pollers",
            "at_once",
            "delete_window",
        ],
    ),
    ("store", &["kind", "path", "table", "region"]),
    ("http", &["listen"]),
    ("api", &["listen", "token", "token_file"]),
    (
        "fleet",
        &[
            "enabled",
            "stack",
            "region",
            "launch_template",
            "launch_template_version",
            "subnets",
            "private_subnets",
            "types",
            "architecture",
            "root_device",
            "environment",
            "launch_tries",
            "most_launches",
            "on_launch_exhausted",
            "tag_jobs",
            "find_queued_every",
            "old_image_after",
            "max_run_time",
        ],
    ),
    (
        "breaker",
        &[
            "failures",
            "within",
            "open_for",
            "open_for_at_most",
            "most_open",
        ],
    ),
    (
        "runner",
        &["name_pattern", "table", "role_id", "group", "work_folder"],
    ),
    (
        "retry",
        &[
            "look_window",
            "look_again_after",
            "evidence",
            "mixed",
            "on_demand_retries",
            "sweep_every",
            "allow",
            "when_failed_delays",
            "when_transient_delays",
            "most_an_hour",
        ],
    ),
    ("tags", &["prefix"]),
    ("log", &["format"]),
    (
        "limits",
        &[
            "families",
            "cpu",
            "ram",
            "volume",
            "iops",
            "image_owners",
            "labels",
            "regions",
            "instances",
            "instances_per_repository",
            "instances_per_run",
            "longest_wait",
        ],
    ),
    ("failures", &["transient", "permanent", "harmless"]),
];

/// The variable that stands for `section.key`.
pub(crate) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// The variable that was meant, when the underscores or the case of this one keep it from being it.
pub(crate) fn meant(name: &str) -> Option<String> {
    let letters = letters(name.to_ascii_uppercase().strip_prefix(NEARLY)?);
    KEYS.iter()
        .flat_map(|(section, keys)| keys.iter().map(move |key| format!("{section}.{key}")))
        .map(|key| variable(&key))
        .find(|variable| self::letters(variable.trim_start_matches(PREFIX)) == letters)
        .filter(|variable| variable != name)
}

fn letters(name: &str) -> String {
    name.replace(['_', '-'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_with_wrong_underscores_is_known_by_its_letters() {
        for name in [
            "REPRISE_STORE_PATH",
            "REPRISE_STORE__PATH",
            "REPRISE__STORE_PATH",
            "REPRISE__STORE___PATH",
            "reprise__store__path",
        ] {
            let meant = meant(name);
            assert_eq!(meant.as_deref(), Some("REPRISE__STORE__PATH"), "{name}");
        }
        assert_eq!(
            meant("REPRISE_GITHUB_APP_ID").as_deref(),
            Some("REPRISE__GITHUB__APP_ID")
        );
    }

    #[test]
    fn the_right_one_and_other_programs_variables_are_let_be() {
        for name in [
            "REPRISE__STORE__PATH",
            "REPRISE_CONFIG",
            "REPRISE_AGENT_LOG_FORMAT",
            "REPRISE_STORE_SERVICE_HOST",
            "STORE_PATH",
            "REPRISE_",
        ] {
            assert_eq!(meant(name), None, "{name}");
        }
    }
}

//! Whose code a job runs, from the event that began its run.

use serde_json::Value;

use super::error::CheckpointError;

/// How far the code of a run is the repository's own. It is a part of every key, so that rights and life cycles of a
/// bucket can tell runs apart by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Code that somebody with write access has pushed.
    Own,
    /// A pull request from a branch of the repository.
    PullRequest(u64),
    /// A pull request from a fork, or from one that is gone.
    Fork(u64),
    /// An event that says nothing of whose code is run, by its name.
    Event(String),
}

/// Events of what is in the repository.
const OWN: [&str; 9] = [
    "create",
    "deployment",
    "merge_group",
    "page_build",
    "push",
    "release",
    "repository_dispatch",
    "schedule",
    "workflow_dispatch",
];

/// Events whose run has a pull request's code checked out, with that pull request in their text.
const PULL_REQUESTS: [&str; 3] = [
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
];

impl Trust {
    /// Reads an event: its name (`GITHUB_EVENT_NAME`), its text (`GITHUB_EVENT_PATH`) and the run's repository.
    ///
    /// # Errors
    /// Where a pull request's event does not say which.
    pub fn of(name: &str, event: &Value, repository: &str) -> Result<Self, CheckpointError> {
        if OWN.contains(&name) {
            return Ok(Self::Own);
        }
        if !PULL_REQUESTS.contains(&name) {
            let is_letter = |letter: u8| letter.is_ascii_lowercase() || letter == b'_';
            if name.is_empty() || !name.bytes().all(is_letter) {
                return Err(CheckpointError::Event(name.to_owned()));
            }
            return Ok(Self::Event(name.to_owned()));
        }
        let request = &event["pull_request"];
        let number = request["number"].as_u64();
        let number = number.ok_or_else(|| CheckpointError::Event(name.to_owned()))?;
        // Of a fork that was deleted there is no `repo`.
        let head = request["head"]["repo"]["full_name"].as_str();
        Ok(match head {
            Some(head) if head.eq_ignore_ascii_case(repository) => Self::PullRequest(number),
            Some(_) | None => Self::Fork(number),
        })
    }

    /// As it stands in a key.
    pub fn as_part(&self) -> String {
        match self {
            Self::Own => "own".to_owned(),
            Self::PullRequest(number) => format!("pull-request-{number}"),
            Self::Fork(number) => format!("fork-{number}"),
            Self::Event(name) => format!("event-{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn part(name: &str, head: Value) -> Option<String> {
        let event = json!({ "pull_request": { "number": 7, "head": { "repo": head } } });
        let trust = Trust::of(name, &event, "acme/shop");
        trust.ok().map(|trust| trust.as_part())
    }

    #[test]
    fn a_forks_code_is_told_from_the_repositorys_own() {
        let fork = json!({ "full_name": "mallory/shop" });
        let own = json!({ "full_name": "Acme/Shop" });
        for (name, head, wanted) in [
            ("push", &fork, "own"),
            ("schedule", &own, "own"),
            ("pull_request", &own, "pull-request-7"),
            ("pull_request", &fork, "fork-7"),
            ("pull_request", &Value::Null, "fork-7"),
            ("pull_request_review", &fork, "fork-7"),
            // These may check out anybody's code.
            ("pull_request_target", &own, "event-pull_request_target"),
            ("workflow_run", &own, "event-workflow_run"),
            ("issue_comment", &own, "event-issue_comment"),
        ] {
            assert_eq!(part(name, head.clone()).as_deref(), Some(wanted), "{name}");
        }
    }

    #[test]
    fn an_event_that_says_too_little_is_refused() {
        for name in ["", "../push", "pull_request/../../own"] {
            assert_eq!(part(name, Value::Null), None, "{name}");
        }
        assert!(Trust::of("pull_request", &json!({}), "acme/shop").is_err());
    }
}

//! GitHub's JSON for a repository, which is mostly addresses.

use reprise_model::ids::Repository;
use serde_json::{Map, Value, json};

use super::json::{REGISTERED, Wire};
use super::state::Run;

/// `<name>_url` and what follows the repository's own address.
const ADDRESSES: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

impl Wire<'_> {
    /// The repository of a run.
    pub(super) fn repository_of(self, run: &Run) -> Value {
        self.repository(&run.spec.repository, run.repository_id)
    }

    /// A repository, with its number.
    pub(super) fn repository(self, repository: &Repository, id: u64) -> Value {
        let api = self.repository_api(repository);
        let mut fields: Map<String, Value> = ADDRESSES
            .iter()
            .map(|(name, path)| ((*name).to_owned(), json!(format!("{api}{path}"))))
            .collect();
        fields.extend(self.about(repository, id));
        fields.extend(self.clones(repository));
        fields.extend(counts());
        Value::Object(fields)
    }

    fn about(self, repository: &Repository, id: u64) -> Map<String, Value> {
        object(json!({
            "id": id,
            "node_id": self.node("Repository", id),
            "name": repository.name(),
            "full_name": repository.to_string(),
            "owner": self.owner(repository.owner()),
            "private": false,
            "visibility": "public",
            "description": null,
            "fork": false,
            "homepage": null,
            "language": null,
            "license": null,
            "topics": [],
            "is_template": false,
            "archived": false,
            "disabled": false,
            "default_branch": "main",
            "allow_forking": true,
            "web_commit_signoff_required": false,
            "created_at": REGISTERED,
            "updated_at": REGISTERED,
            "pushed_at": REGISTERED,
        }))
    }

    fn clones(self, repository: &Repository) -> Map<String, Value> {
        let page = self.repository_page(repository);
        object(json!({
            "html_url": page,
            "clone_url": format!("{page}.git"),
            "git_url": format!("{page}.git"),
            "ssh_url": format!("git@github.com:{repository}.git"),
            "svn_url": page,
            "mirror_url": null,
        }))
    }
}

fn counts() -> Map<String, Value> {
    object(json!({
        "size": 1,
        "forks": 0,
        "forks_count": 0,
        "open_issues": 0,
        "open_issues_count": 0,
        "stargazers_count": 0,
        "watchers": 0,
        "watchers_count": 0,
        "has_downloads": true,
        "has_issues": true,
        "has_pages": false,
        "has_projects": false,
        "has_wiki": false,
        "has_discussions": false,
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

//! Whether another run is in the way of a re-run: a newer one, or who has its concurrency group.

use jiff::Timestamp;
use reprise_model::ids::{Repository, RunId};
use reprise_model::run::Run;

use crate::GitHub;
use crate::error::GitHubError;
use crate::read::with_query;
use crate::wire::{Page, RunsPage, RunsQuery};

impl GitHub {
    /// The run that took this one's place: a newer one of the same branch, or else one that holds its
    /// concurrency group.
    pub async fn rival_run(&self, run: &Run) -> Result<Option<RunId>, GitHubError> {
        match self.newer_on_branch(run).await? {
            Some(newer) => Ok(Some(newer)),
            None => self.group_holder(run).await,
        }
    }

    /// The newest run of the same workflow, event and branch that was made after this one, if there
    /// is any. A run without a branch has no successor, and equal branch names of two forks are two
    /// branches.
    async fn newer_on_branch(&self, run: &Run) -> Result<Option<RunId>, GitHubError> {
        let Some(branch) = &run.head_branch else {
            return Ok(None);
        };
        let repository = &run.repository;
        let operation = format!("look for a run of {repository} newer than {}", run.id);
        let mut rivals = Rivals::of(run);
        for Page { per_page, page } in Page::all() {
            let query = RunsQuery {
                branch,
                event: &run.event,
                created: &since(run.created_at),
                exclude_pull_requests: true,
                per_page,
                page,
            };
            let path = format!(
                "/repos/{repository}/actions/workflows/{}/runs",
                run.workflow_id
            );
            let path = with_query(&operation, &path, &query)?;
            let listed: RunsPage = self.read(&operation, repository, &path).await?;
            let last = listed.workflow_runs.len() < per_page;
            rivals.take(listed);
            if last || rivals.own_head.is_some() {
                break;
            }
        }
        Ok(rivals.newest())
    }
}

/// GitHub counts in whole seconds, so the second of the run itself must be in. Then the run itself
/// is listed too, last of all, and says from which repository its branch is.
fn since(created: Timestamp) -> String {
    created.strftime(">=%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The runs that came after one run, as far as they were listed.
struct Rivals<'a> {
    run: &'a Run,
    rival: Vec<Rival>,
    /// The head repository of the run itself, once it was listed; GitHub may know none.
    own_head: Option<Option<Repository>>,
}

struct Rival {
    id: RunId,
    created: Timestamp,
    head: Option<Repository>,
}

impl<'a> Rivals<'a> {
    fn of(run: &'a Run) -> Self {
        Self {
            run,
            rival: Vec::new(),
            own_head: None,
        }
    }

    fn take(&mut self, page: RunsPage) {
        for listed in page.workflow_runs {
            let (other, head) = listed.into_parts(&self.run.repository);
            if other.id == self.run.id {
                self.own_head = Some(head);
            } else if self.is_after(&other) {
                self.rival.push(Rival {
                    id: other.id,
                    created: other.created_at,
                    head,
                });
            }
        }
    }

    /// Our own look at what the query asks for: a server that ignores a filter misleads nobody.
    fn is_after(&self, other: &Run) -> bool {
        other.workflow_id == self.run.workflow_id
            && other.event == self.run.event
            && other.head_branch == self.run.head_branch
            && (other.created_at, other.id) > (self.run.created_at, self.run.id)
    }

    fn newest(self) -> Option<RunId> {
        let own_head = self.own_head;
        let same_branch = |rival: &Rival| own_head.as_ref().is_none_or(|own| *own == rival.head);
        let rivals = self.rival.into_iter().filter(same_branch);
        let newest = rivals.max_by_key(|rival| (rival.created, rival.id));
        newest.map(|rival| rival.id)
    }
}

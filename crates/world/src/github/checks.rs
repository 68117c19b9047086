//! Check runs that the App makes on commits, beside those that GitHub makes for jobs.

use jiff::Timestamp;
use reprise_model::check::CheckText;
use reprise_model::ids::{CheckRunId, Repository, RunId, Sha};

use super::{GitHub, HappeningKind};

/// A check run of the App's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRun {
    /// GitHub's number for it.
    pub id: CheckRunId,
    /// Where.
    pub repository: Repository,
    /// On which commit.
    pub head: Sha,
    /// Its name.
    pub name: String,
    /// What the App calls it by.
    pub external_id: String,
    /// What it says now.
    pub text: CheckText,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it was last written.
    pub written_at: Timestamp,
}

/// What is written into a check run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CheckOrder {
    pub(super) name: String,
    pub(super) external_id: String,
    pub(super) text: CheckText,
}

impl CheckRun {
    /// The run that it is about, where its external id begins with a run's number.
    pub fn run(&self) -> Option<RunId> {
        let number = self.external_id.split('/').next()?;
        number.parse().ok().map(RunId)
    }
}

impl GitHub {
    /// The App's check runs, the oldest first.
    pub fn check_runs(&self) -> impl Iterator<Item = &CheckRun> {
        self.checks.values()
    }

    /// How often any of them was written.
    pub fn checks_written(&self) -> u64 {
        self.checks_written
    }

    /// Whether a run of the repository has this commit.
    pub(super) fn has_commit(&self, repository: &Repository, head: &Sha) -> bool {
        let mut runs = self.runs.values();
        runs.any(|run| run.spec.repository == *repository && run.spec.head_sha == *head)
    }

    pub(super) fn make_check(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        head: Sha,
        order: CheckOrder,
    ) -> CheckRun {
        let id = CheckRunId(FIRST + self.checks.len() as u64);
        let check = CheckRun {
            id,
            repository: repository.clone(),
            head,
            name: order.name,
            external_id: order.external_id,
            text: order.text,
            made_at: now,
            written_at: now,
        };
        self.checks.insert(id, check.clone());
        self.told_of(now, &check);
        check
    }

    pub(super) fn update_check(
        &mut self,
        now: Timestamp,
        repository: &Repository,
        id: CheckRunId,
        order: CheckOrder,
    ) -> Option<CheckRun> {
        let known = self.checks.get_mut(&id);
        let check = known.filter(|check| check.repository == *repository)?;
        check.name = order.name;
        check.external_id = order.external_id;
        check.text = order.text;
        check.written_at = now;
        let check = check.clone();
        self.told_of(now, &check);
        Some(check)
    }

    fn told_of(&mut self, now: Timestamp, check: &CheckRun) {
        self.checks_written += 1;
        if let Some(run) = check.run() {
            let what = HappeningKind::CheckWritten {
                name: check.name.clone(),
                state: check.text.state,
                title: check.text.title.clone(),
            };
            self.happened(now, run, what);
        }
    }
}

/// Far from the numbers of jobs, which are those of their check runs.
const FIRST: u64 = 55_000_000_001;

//! What a workflow file says, as far as the simulated GitHub needs it, and the graph of its `needs`.
//!
//! It does not parse YAML: a scenario states its jobs as values. The invariant of [`Plan`] is that
//! every need names a job and that no job waits for itself, however indirectly.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use reprise_model::ids::{Repository, Sha};

/// A workflow run to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSpec {
    /// Where it runs; known to GitHub from the first push on.
    pub repository: Repository,
    /// The workflow's `name:`.
    pub workflow_name: String,
    /// The workflow file, as `.github/workflows/ci.yml`.
    pub workflow_path: String,
    /// What started it, as `push` or `merge_group`.
    pub event: String,
    /// The branch; absent for some events.
    pub head_branch: Option<String>,
    /// The commit.
    pub head_sha: Sha,
    /// The commit's message, which is also the title of the run.
    pub title: String,
    /// Who pushed.
    pub actor: String,
    /// The workflow's concurrency group, if it has one.
    pub concurrency: Option<Concurrency>,
    /// How long it had waited already, as for somebody's approval: it was made so long before.
    pub waited: SignedDuration,
    /// The jobs in the order of the file, a matrix written out.
    pub jobs: Vec<JobSpec>,
}

impl RunSpec {
    /// A push to `main` that runs the workflow `ci`; every field can be set afterwards.
    pub fn new(repository: Repository, jobs: Vec<JobSpec>) -> Self {
        Self {
            repository,
            workflow_name: "ci".to_owned(),
            workflow_path: ".github/workflows/ci.yml".to_owned(),
            event: "push".to_owned(),
            head_branch: Some("main".to_owned()),
            head_sha: Sha::new("3484a3fb816e0859fd6e1cea078d76385ff50625"),
            title: "Sell more apples".to_owned(),
            actor: "alice".to_owned(),
            concurrency: None,
            waited: SignedDuration::ZERO,
            jobs,
        }
    }
}

/// `concurrency:` of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    /// The group; one run of it is active and at most one waits.
    pub group: String,
    /// Whether a newer run cancels the active one, and not only the waiting one.
    pub cancel_in_progress: bool,
}

/// One job of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSpec {
    /// Its name, with matrix values, as `test (1, linux)`.
    pub name: String,
    /// Its `runs-on` labels.
    pub labels: Vec<String>,
    /// Names of jobs, or of matrix groups, that end before it starts.
    pub needs: Vec<String>,
    /// The matrix that it is a part of.
    pub matrix: Option<Matrix>,
    /// Its `if:`.
    pub condition: Condition,
    /// What shows when an execution of it fails, where that is not as usual.
    pub fails: Option<FailedStep>,
}

/// The step that fails a job, and what it prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStep {
    /// Its name.
    pub name: String,
    /// The lines of the log in which it ends. Without a line of `##[error]` at their end the usual one
    /// follows.
    pub prints: String,
    /// Whether that tells of its surroundings alone: the same may pass when it is run again.
    pub is_transient: bool,
}

impl JobSpec {
    /// A job that needs nothing and is in no matrix.
    pub fn new<L: Into<String>>(
        name: impl Into<String>,
        labels: impl IntoIterator<Item = L>,
    ) -> Self {
        Self {
            name: name.into(),
            labels: labels.into_iter().map(Into::into).collect(),
            needs: Vec::new(),
            matrix: None,
            condition: Condition::Success,
            fails: None,
        }
    }

    /// The same job, needing these jobs or matrix groups.
    #[must_use]
    pub fn needs<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.needs.extend(names.into_iter().map(Into::into));
        self
    }

    /// The same job as a part of the matrix `group`.
    #[must_use]
    pub fn matrix(mut self, group: impl Into<String>, fail_fast: bool) -> Self {
        self.matrix = Some(Matrix {
            group: group.into(),
            fail_fast,
        });
        self
    }

    /// The same job with `if: always()`.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.condition = Condition::Always;
        self
    }

    /// The same job, which runs where a plan finds it necessary.
    #[must_use]
    pub fn where_necessary(mut self) -> Self {
        self.condition = Condition::Necessary;
        self
    }

    /// The same job, in which this step prints this whenever an execution of it fails.
    #[must_use]
    pub fn fails_with(mut self, step: impl Into<String>, prints: impl Into<String>) -> Self {
        self.fails = Some(FailedStep {
            name: step.into(),
            prints: prints.into(),
            is_transient: false,
        });
        self
    }

    /// As [`JobSpec::fails_with`], where what is printed tells of its surroundings alone.
    #[must_use]
    pub fn fails_in_passing(self, step: impl Into<String>, prints: impl Into<String>) -> Self {
        let mut job = self.fails_with(step, prints);
        if let Some(fails) = &mut job.fails {
            fails.is_transient = true;
        }
        job
    }

    fn is_called(&self, need: &str) -> bool {
        self.name == need || self.matrix.as_ref().is_some_and(|m| m.group == need)
    }
}

/// The matrix of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// The job's key in the workflow file, shared by its siblings.
    pub group: String,
    /// Whether the failure of one sibling cancels the others; true in GitHub unless said otherwise.
    pub fail_fast: bool,
}

/// `if:` of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// `success()`: everything before it succeeded; the default.
    Success,
    /// `!cancelled() && !failure() && contains(needs.plan.outputs.necessary_jobs, ';NAME;')`: a plan that ran before has it
    /// among the jobs that are left to do, and nothing before it failed. What was skipped before it does not matter.
    Necessary,
    /// `always()`: it runs whatever happened before, a cancel of the run included.
    Always,
}

/// The graph of a workflow's jobs, by their place in [`RunSpec::jobs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    needs: Vec<BTreeSet<usize>>,
}

impl Plan {
    /// `None` when GitHub could not start the workflow: no job, an unknown need, or a circle.
    pub(super) fn of(jobs: &[JobSpec]) -> Option<Self> {
        let needs: Option<Vec<_>> = jobs.iter().map(|job| resolve(jobs, job)).collect();
        let plan = Self { needs: needs? };
        let circle = (0..jobs.len()).any(|job| plan.before(job).contains(&job));
        (!jobs.is_empty() && !circle).then_some(plan)
    }

    /// The jobs that `job` names in its `needs`.
    pub(super) fn needs(&self, job: usize) -> &BTreeSet<usize> {
        &self.needs[job]
    }

    /// Everything that ends before `job` starts.
    pub(super) fn before(&self, job: usize) -> BTreeSet<usize> {
        closure(self.needs[job].clone(), |at| self.needs[at].clone())
    }

    /// `roots` and everything that waits for one of them.
    pub(super) fn with_dependents(&self, roots: BTreeSet<usize>) -> BTreeSet<usize> {
        let mut dependents: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for (job, needs) in self.needs.iter().enumerate() {
            for need in needs {
                dependents.entry(*need).or_default().insert(job);
            }
        }
        closure(roots, |at| dependents.get(&at).cloned().unwrap_or_default())
    }
}

fn resolve(jobs: &[JobSpec], job: &JobSpec) -> Option<BTreeSet<usize>> {
    let mut found = BTreeSet::new();
    for need in &job.needs {
        let called = jobs.iter().enumerate().filter(|(_, j)| j.is_called(need));
        let places: Vec<usize> = called.map(|(place, _)| place).collect();
        if places.is_empty() {
            return None;
        }
        found.extend(places);
    }
    Some(found)
}

fn closure(start: BTreeSet<usize>, next: impl Fn(usize) -> BTreeSet<usize>) -> BTreeSet<usize> {
    let mut open: Vec<usize> = start.iter().copied().collect();
    let mut all = start;
    while let Some(at) = open.pop() {
        for job in next(at) {
            if all.insert(job) {
                open.push(job);
            }
        }
    }
    all
}

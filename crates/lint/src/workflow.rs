//! The jobs of a workflow file.

use crate::finding::Place;
use crate::yaml::{Id, Kind, Tree};

/// A job, as the file has it.
#[derive(Debug)]
pub(crate) struct Job {
    /// Its key under `jobs`.
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) runs_on: Option<Id>,
    pub(crate) matrix: Option<Id>,
    /// `strategy.max-parallel` is 1, so that no two jobs of its matrix wait at the same time.
    pub(crate) one_by_one: bool,
    /// The keys of the jobs that it waits for.
    pub(crate) needs: Vec<String>,
    /// The workflow that it calls, and what it hands in.
    pub(crate) uses: Option<String>,
    pub(crate) with: Option<Id>,
    /// Its `name:`, where it has one.
    pub(crate) name: Option<String>,
    /// The same as it stands in the file, with what is filled in.
    pub(crate) shown: Option<Id>,
    /// Its `if:`.
    pub(crate) condition: Option<Id>,
    pub(crate) steps: Option<Id>,
}

impl Job {
    /// Whether GitHub shows its check run under this name.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name.as_deref().unwrap_or(&self.key) == name
    }
}

/// The jobs of a file in their order; nothing where it has none, and so is no workflow.
pub(crate) fn jobs(tree: &Tree) -> Option<Vec<Job>> {
    let jobs = tree.get(tree.root()?, "jobs")?;
    if !matches!(tree.node(jobs).kind, Kind::Map(_)) {
        return None;
    }
    let jobs = tree.entries(jobs).map(|(key, body)| job(tree, key, body));
    Some(jobs.collect())
}

fn job(tree: &Tree, key: Id, body: Id) -> Job {
    let strategy = tree.get(body, "strategy");
    let of_strategy = |name| strategy.and_then(|strategy| tree.get(strategy, name));
    let most = of_strategy("max-parallel").and_then(|most| tree.scalar(most));
    Job {
        key: tree
            .scalar(key)
            .map_or_else(String::new, |key| key.text.clone()),
        place: tree.node(key).place,
        runs_on: tree.get(body, "runs-on"),
        matrix: of_strategy("matrix"),
        one_by_one: most.is_some_and(|most| most.text == "1"),
        needs: needs(tree, body),
        uses: tree
            .get(body, "uses")
            .and_then(|uses| tree.scalar(uses))
            .map(|uses| uses.text.clone()),
        with: tree.get(body, "with"),
        name: tree
            .get(body, "name")
            .and_then(|name| tree.scalar(name))
            .map(|name| name.text.clone()),
        shown: tree.get(body, "name"),
        condition: tree.get(body, "if"),
        steps: tree.get(body, "steps"),
    }
}

fn needs(tree: &Tree, body: Id) -> Vec<String> {
    let Some(needs) = tree.get(body, "needs") else {
        return Vec::new();
    };
    let text = |id| tree.scalar(id).map(|scalar| scalar.text.clone());
    match &tree.node(needs).kind {
        Kind::List(items) => items.iter().filter_map(|item| text(*item)).collect(),
        Kind::Scalar(scalar) => vec![scalar.text.clone()],
        Kind::Map(_) => Vec::new(),
    }
}

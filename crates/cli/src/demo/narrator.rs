//! The story in sentences: what the world did, and what the controller decided.
//!
//! It only tells. Nothing that it has heard decides whether the demo went well.

mod decisions;
mod tales;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use reprise_model::ids::{InstanceId, JobId};
use reprise_model::job::Conclusion;
use reprise_world::invariants::JobRow;

/// Who acts, and what they do.
pub(super) type Said = (&'static str, String);

/// Remembers what the table at the end wants to know.
#[derive(Debug, Default)]
pub(super) struct Narrator {
    /// Instances that EC2 gave notice to.
    noticed: BTreeSet<InstanceId>,
    /// The controller's last word on a job.
    words: BTreeMap<JobId, String>,
    /// Why a job got its capacity.
    capacities: BTreeMap<JobId, String>,
    /// Runs that were said to be waited for, and why.
    waited: BTreeSet<(String, String)>,
    queued: BTreeSet<JobId>,
    running: BTreeSet<JobId>,
    instances: BTreeSet<InstanceId>,
}

impl Narrator {
    /// What the spinner says.
    pub(super) fn waiting_for(&self) -> String {
        let (queued, running, instances) =
            (self.queued.len(), self.running.len(), self.instances.len());
        if queued + running + instances == 0 {
            return "all is quiet; a moment longer, as late evidence could still come".to_owned();
        }
        format!("{running} jobs run, {queued} wait for a machine, {instances} instances live")
    }

    pub(super) fn what_happened(&self, row: &JobRow) -> String {
        let ended = row
            .conclusion
            .as_ref()
            .map_or("never ended", Conclusion::as_str);
        let interrupted = row
            .instance
            .as_ref()
            .is_some_and(|id| self.noticed.contains(id));
        if interrupted {
            format!("interrupted, {ended}")
        } else {
            ended.to_owned()
        }
    }

    pub(super) fn why(&self, row: &JobRow) -> String {
        let capacity = self
            .capacities
            .get(&row.job_id)
            .filter(|_| !row.attempt.is_first());
        let word = self.words.get(&row.job_id);
        match (capacity, word) {
            (Some(capacity), Some(word)) => format!("{capacity}; {word}"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => String::new(),
        }
    }
}

/// A job as people call it.
fn job_text(
    name: &str,
    attempt: impl std::fmt::Display,
    repository: impl std::fmt::Display,
) -> String {
    format!("{name} ({repository}, attempt {attempt})")
}

//! What jobs leave in object storage, and what the plan of a later attempt makes of it.
//!
//! Which jobs are necessary, `reprise_resume` decides, of the manifest, of keys as they are in a bucket, and of the variables
//! that GitHub sets in a job. Here is only the bucket, and what the agent's hook saves there on a notice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, JobId, RunId};
use reprise_model::job::Conclusion;
use reprise_resume::{
    Hashes, Job, Key, Manifest, ManifestError, OnError, RunFacts, Seen, decide, outputs, prefixes,
};

use super::World;
use crate::github::Run;
use crate::scenario::Resumption;
use crate::story::Tale;

/// The output that jobs' conditions read.
const OUTPUT: &str = "necessary_jobs=";

/// What the jobs of a run leave.
#[derive(Debug)]
pub(super) struct Left {
    plan: String,
    jobs: Vec<Job>,
    stored: BTreeSet<Key>,
    /// How long the job at a place of the workflow file has worked for what its checkpoint has.
    saved: BTreeMap<usize, SignedDuration>,
}

impl Left {
    fn of(run: &Run, resumption: &Resumption) -> Result<Self, ManifestError> {
        let manifest = Manifest::parse("reprise-resume.toml", &resumption.manifest)?;
        Ok(Self {
            plan: resumption.plan.clone(),
            jobs: manifest.jobs(&facts(run), &Hashes::default())?,
            stored: BTreeSet::new(),
            saved: BTreeMap::new(),
        })
    }

    /// What a job of that name must leave is there.
    fn put(&mut self, name: &str) {
        let made = self.jobs.iter().filter(|job| job.name.as_str() == name);
        let made = made.flat_map(|job| job.artifacts.iter().cloned());
        self.stored.extend(made);
    }

    /// The output of a plan, as a step writes it, with how many jobs are necessary.
    fn plan(&self) -> Option<(String, usize)> {
        let below = |prefix: &reprise_resume::Prefix| {
            let keys = self.stored.iter().filter(|key| key.is_below(prefix));
            Ok(keys.cloned().collect())
        };
        let listed = prefixes(&self.jobs).into_iter();
        let seen = Seen {
            listed: listed
                .map(|prefix| (prefix.clone(), below(&prefix)))
                .collect(),
            ..Seen::default()
        };
        let plan = decide(&self.jobs, &seen, OnError::Fail).ok()?;
        let outputs = outputs(&plan).ok()?;
        let text = outputs.lines().find_map(|line| line.strip_prefix(OUTPUT))?;
        Some((text.to_owned(), plan.necessary().count()))
    }
}

fn facts(run: &Run) -> RunFacts {
    let (repository, path) = (&run.spec.repository, &run.spec.workflow_path);
    let variables = [
        ("GITHUB_REPOSITORY", repository.to_string()),
        ("GITHUB_RUN_ID", run.id.to_string()),
        ("GITHUB_RUN_NUMBER", run.number.to_string()),
        ("GITHUB_SHA", run.spec.head_sha.to_string()),
        (
            "GITHUB_WORKFLOW_REF",
            format!("{repository}/{path}@refs/heads/main"),
        ),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    RunFacts::from_environment(&variables.into())
}

impl World {
    /// From now on the jobs of a run leave something. A manifest with a mistake leaves all to do for ever, which no scenario
    /// expects.
    pub(super) fn keep_what_is_left(&mut self, run: RunId, resumption: &Resumption) {
        let left = self.github.run(run).map(|run| Left::of(run, resumption));
        match left {
            Some(Ok(left)) => {
                self.left.insert(run, left);
            }
            Some(Err(error)) => tracing::error!(%error, "a scenario's manifest"),
            None => {}
        }
    }

    /// A job's last step was its plan, or put what it made; that is before GitHub hears of the job's end.
    pub(super) fn leave_results(&mut self, at: Timestamp, job: JobId, ends: &Conclusion) {
        let Some((run, _, record)) = self
            .github
            .job(job)
            .filter(|_| *ends == Conclusion::Success)
        else {
            return;
        };
        let (run, name) = (run.id, record.name.clone());
        let Some(left) = self.left.get_mut(&run) else {
            return;
        };
        if left.plan != name {
            return left.put(&name);
        }
        let of = left.jobs.len();
        if let Some((text, necessary)) = left.plan() {
            self.github.put_out_necessary_jobs(run, text);
            if let Some(job) = self.named_job(job) {
                self.tell(at, Tale::Planned { job, necessary, of });
            }
        }
    }

    /// The hook of a machine's agent saves what its job has made so far; what the job makes from then on is lost.
    pub(super) fn save_checkpoint(&mut self, at: Timestamp, id: &InstanceId) {
        let job = self.machines.get(id).filter(|machine| machine.is_busy());
        let known = job.and_then(|machine| self.github.job(machine.job?));
        let Some((run, _, record)) = known else {
            return;
        };
        let (run, job, place) = (run.id, record.id, record.place());
        let worked = record
            .started_at
            .map_or(SignedDuration::ZERO, |started| at.duration_since(started));
        let Some(left) = self.left.get_mut(&run) else {
            return;
        };
        let before = left.saved.get(&place).copied().unwrap_or_default();
        let worked = before + worked;
        left.saved.insert(place, worked);
        if let Some(job) = self.named_job(job) {
            self.tell(at, Tale::CheckpointSaved { job, worked });
        }
    }

    /// A job begins with its checkpoint, where there is one: how much of its work that has.
    pub(super) fn restore_checkpoint(&mut self, job: JobId) -> SignedDuration {
        let Some((run, _, record)) = self.github.job(job) else {
            return SignedDuration::ZERO;
        };
        let left = self.left.get(&run.id);
        let saved = left.and_then(|left| left.saved.get(&record.place()).copied());
        if let Some(worked) = saved
            && let Some(job) = self.named_job(job)
        {
            self.tell(self.now, Tale::CheckpointRestored { job, worked });
        }
        saved.unwrap_or_default()
    }
}

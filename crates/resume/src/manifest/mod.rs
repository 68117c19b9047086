//! The manifest: which jobs a workflow has, and what shows that each is done.
//!
//! Text in, jobs out. All that can be wrong without knowing the run is told at once.

mod expand;
mod file;
mod jobs;
mod matrix;
mod needs;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::hash::{FileSet, Hashes};
use crate::job::{Address, Job, Leg};
use crate::key::{Key, Prefix};
use crate::name::JobName;
use crate::problem::{At, ManifestError, Problems, shown};
use crate::run::RunFacts;
use crate::template::{Slot, Template};

pub(crate) use self::file::LARGEST;

/// A manifest that was read and found good, its patterns expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    name: String,
    store: Option<String>,
    drafts: Vec<Draft>,
}

/// A job whose keys still lack what only the run knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) name: JobName,
    pub(crate) leg: Option<Leg>,
    pub(crate) prefix: At<Template>,
    pub(crate) artifacts: Vec<At<Template>>,
    pub(crate) unless_found: Option<At<Template>>,
    /// Where in the manifest's jobs they stand.
    pub(crate) needs: BTreeSet<usize>,
    pub(crate) stale_with_inputs: bool,
    pub(crate) only_if_wanted: bool,
}

impl Manifest {
    /// The largest manifest that is read, in bytes.
    pub const LARGEST: usize = LARGEST;

    /// Reads a manifest. `name` stands for the file in mistakes.
    ///
    /// # Errors
    /// All mistakes, each with its line and what to do.
    pub fn parse(name: &str, text: &str) -> Result<Self, ManifestError> {
        let mut problems = Problems::default();
        let file = file::read(text, &mut problems);
        let store = file.store.as_ref().map(|store| store.value.clone());
        let drafts = jobs::drafts(&file, &mut problems);
        let manifest = Self {
            name: name.to_owned(),
            store,
            drafts,
        };
        problems.unless_any(name, manifest)
    }

    /// The store's address, where the manifest names one.
    pub fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }

    /// The names of all jobs, in the manifest's order.
    pub fn names(&self) -> impl Iterator<Item = &JobName> {
        self.drafts.iter().map(|draft| &draft.name)
    }

    /// The files whose hashes its keys have in them.
    pub fn hashed_files(&self) -> BTreeSet<&FileSet> {
        let templates = self.drafts.iter().flat_map(|draft| {
            let artifacts = draft.artifacts.iter().chain([&draft.prefix]);
            artifacts.chain(&draft.unless_found)
        });
        let slots = templates.flat_map(|template| template.value.slots());
        let files = slots.filter_map(|slot| match slot {
            Slot::Hash(files) => Some(files),
            Slot::Run(_) | Slot::Matrix(_) => None,
        });
        files.collect()
    }

    /// The jobs of a run.
    ///
    /// # Errors
    /// What is not known of the run, and keys that are none.
    pub fn jobs(&self, run: &RunFacts, hashes: &Hashes) -> Result<Vec<Job>, ManifestError> {
        let mut filling = Filling {
            run,
            hashes,
            problems: Problems::default(),
        };
        let jobs = self.drafts.iter().filter_map(|draft| filling.job(draft));
        let jobs = jobs.collect();
        filling.problems.unless_any(&self.name, jobs)
    }
}

struct Filling<'a> {
    run: &'a RunFacts,
    hashes: &'a Hashes,
    problems: Problems,
}

impl Filling<'_> {
    fn job(&mut self, draft: &Draft) -> Option<Job> {
        let prefix = self.text(&draft.prefix);
        let prefix = prefix.and_then(|text| self.good("prefix", &text, Prefix::parse));
        let artifacts = draft.artifacts.iter();
        let artifacts: Vec<Option<At<String>>> =
            artifacts.map(|artifact| self.text(artifact)).collect();
        let address = draft.unless_found.as_ref().map(|address| {
            let text = self.text(address)?;
            self.good("unless-found", &text, Address::parse)
        });
        let prefix = prefix?;
        let keys = artifacts.into_iter().map(|artifact| {
            let key = |text: &str| prefix.key(text);
            self.good("the artifact", &artifact?, key)
        });
        let artifacts: Vec<Option<Key>> = keys.collect();
        Some(Job {
            name: draft.name.clone(),
            leg: draft.leg.clone(),
            artifacts: artifacts.into_iter().collect::<Option<_>>()?,
            unless_found: match address {
                Some(address) => Some(address?),
                None => None,
            },
            needs: draft.needs.clone(),
            stale_with_inputs: draft.stale_with_inputs,
            only_if_wanted: draft.only_if_wanted,
            prefix,
        })
    }

    fn text(&mut self, template: &At<Template>) -> Option<At<String>> {
        let filled = template.value.filled(self.run, self.hashes);
        let text = filled.map_err(|problem| self.problems.add(template.line, problem));
        text.ok().map(|value| At {
            line: template.line,
            value,
        })
    }

    fn good<T, E: std::fmt::Display>(
        &mut self,
        what: &str,
        text: &At<String>,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let read = read(&text.value).map_err(|error| {
            let message = format!("{what} {} is none: {error}", shown(&text.value));
            self.problems.add(text.line, message);
        });
        read.ok()
    }
}

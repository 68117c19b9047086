//! What GitHub calls the jobs of a workflow.

use crate::Source;
use crate::evaluate::{Evaluation, Fuel};
use crate::matrix;
use crate::value::{Unknowns, is_unknown};
use crate::workflow::Job;
use crate::world::{self, World};
use crate::yaml::Tree;

/// The names that jobs may have.
pub(super) struct Names {
    patterns: Vec<Pattern>,
    /// There are others, which cannot be known from this file.
    open: bool,
}

/// A name, with any text between its pieces.
struct Pattern {
    pieces: Vec<String>,
}

impl Names {
    pub(super) fn of(source: &Source, tree: &Tree, jobs: &[Job]) -> Self {
        let mut naming = Naming {
            source,
            tree,
            unknowns: Unknowns::default(),
            fuel: Fuel::full(),
        };
        let mut patterns = Vec::new();
        // The jobs of a workflow that is called have names of their own there.
        let mut open = jobs.iter().any(|job| job.uses.is_some());
        for job in jobs {
            let worlds = world::each(|world| naming.job(job, world));
            open |= !worlds.complete;
            patterns.extend(worlds.played.into_iter().flat_map(|(_, names)| names));
        }
        open |= naming.fuel.is_spent();
        Self { patterns, open }
    }

    /// Whether a job may have this name.
    pub(super) fn may_have(&self, name: &str) -> bool {
        self.open || self.patterns.iter().any(|pattern| pattern.is(name))
    }
}

struct Naming<'a> {
    source: &'a Source,
    tree: &'a Tree,
    unknowns: Unknowns,
    fuel: Fuel,
}

impl Naming<'_> {
    fn job(&mut self, job: &Job, world: &mut World) -> Vec<Pattern> {
        let mut evaluation = Evaluation {
            tree: self.tree,
            unknowns: &mut self.unknowns,
            world,
            fuel: &mut self.fuel,
            file: &self.source.name,
            job: &job.key,
            leg: None,
            here: job.place,
        };
        let Some(name) = job.shown.and_then(|id| self.tree.scalar(id)) else {
            return vec![Pattern::of_key(job)];
        };
        let legs = matrix::expand(&mut evaluation, job.matrix);
        let mut names = Vec::new();
        for leg in &legs.legs {
            evaluation.leg = Some(leg);
            let value = evaluation.template(name);
            names.push(Pattern::read(&value.as_text(job.place).string));
        }
        names
    }
}

impl Pattern {
    /// Without a name of its own GitHub shows a job's key, and behind it the values of its matrix.
    fn of_key(job: &Job) -> Self {
        let pieces = match job.matrix {
            Some(_) => vec![format!("{} (", job.key), ")".to_owned()],
            None => vec![job.key.clone()],
        };
        Self { pieces }
    }

    fn read(text: &str) -> Self {
        Self {
            pieces: text.split(is_unknown).map(str::to_owned).collect(),
        }
    }

    fn is(&self, name: &str) -> bool {
        let (first, last, middle) = match self.pieces.as_slice() {
            [] => return false,
            [whole] => return whole == name,
            [first, middle @ .., last] => (first, last, middle),
        };
        let Some(mut rest) = name.strip_prefix(first.as_str()) else {
            return false;
        };
        for piece in middle {
            match rest.split_once(piece.as_str()) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

//! One workflow file from its bytes to what its jobs ask for.

use std::collections::BTreeMap;

use crate::calls::Call;
use crate::evaluate::{Evaluation, Fuel};
use crate::finding::{Code, Place};
use crate::report::{Found, Report};
use crate::sharing::{self, Order, Played};
use crate::value::{Text, Unknowns, Value};
use crate::wanted::{self, Wanted, Whose};
use crate::workflow::{self, Job};
use crate::world::{self, World, Worlds};
use crate::yaml::{Broken, Id, Tree};
use crate::{LARGEST, Source, functions, gates, matrix, words};

/// A file that was read.
pub(crate) struct File<'a> {
    pub(crate) source: &'a Source,
    content: Result<(Tree, Vec<Job>), Broken>,
}

/// A file that was looked at by itself.
pub(crate) struct Looked<'a> {
    pub(crate) name: &'a str,
    pub(crate) report: Report<'a>,
    /// Its jobs with labels; none where not all could be looked at.
    pub(crate) played: Vec<Played<'a>>,
    /// Its jobs that call other workflows.
    pub(crate) calls: Vec<Call<'a>>,
    pub(crate) order: Order,
}

impl<'a> File<'a> {
    pub(crate) fn read(source: &'a Source) -> Self {
        Self {
            source,
            content: read(&source.bytes),
        }
    }

    pub(crate) fn look(&'a self, unknowns: &mut Unknowns) -> Looked<'a> {
        let mut looked = Looked {
            name: &self.source.name,
            report: Report::of(self.source),
            played: Vec::new(),
            calls: Vec::new(),
            order: Order::of(&[]),
        };
        match &self.content {
            Ok((tree, jobs)) => {
                looked.order = Order::of(jobs);
                looked.gates(tree, jobs);
                looked.jobs(tree, jobs, unknowns);
            }
            Err(broken) => looked.report.add(Found {
                hint: broken.hint.map(str::to_owned),
                ..Found::about(broken.code, broken.place, broken.problem.as_str())
            }),
        }
        looked
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<(Tree, Vec<Job>), Broken> {
    if bytes.len() > LARGEST {
        let problem = format!("the file has more than {LARGEST} bytes");
        return Err(Broken::new(Place::START, problem));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
        Broken::new(end_of(&before), "here is a byte that is no UTF-8")
    })?;
    let tree = Tree::read(text)?;
    let jobs = workflow::jobs(&tree);
    let jobs =
        jobs.ok_or_else(|| Broken::new(Place::START, "it has no jobs, so it is no workflow"))?;
    Ok((tree, jobs))
}

fn end_of(text: &str) -> Place {
    let line = text.rsplit('\n').next().unwrap_or_default();
    Place {
        line: text.matches('\n').count() + 1,
        column: line.chars().count() + 1,
    }
}

impl<'a> Looked<'a> {
    fn jobs(&mut self, tree: &Tree, jobs: &'a [Job], unknowns: &mut Unknowns) {
        let mut reading = Reading {
            tree,
            file: self.name,
            unknowns,
            fuel: Fuel::full(),
        };
        for (index, job) in jobs.iter().enumerate() {
            let worlds = reading.play(job);
            // What was evaluated without fuel is not what the file says.
            if reading.fuel.is_spent() {
                let found = Found::about(Code::NotChecked, Place::START, words::too_much());
                self.report.add(found);
                self.played.clear();
                return;
            }
            if !worlds.complete {
                let found = Found::of(job, Code::NotChecked, words::too_many_ways());
                self.report.add(found);
            }
            self.job(job, index, worlds, reading.unknowns);
        }
        self.sharing(unknowns);
    }

    fn gates(&mut self, tree: &Tree, jobs: &[Job]) {
        for found in gates::judge(tree, jobs) {
            self.report.add(found);
        }
    }

    fn job(&mut self, job: &'a Job, index: usize, worlds: Worlds<Asked>, unknowns: &Unknowns) {
        let open = worlds.played.iter().any(|(_, asked)| asked.open);
        let many = worlds.played.iter().any(|(_, asked)| asked.legs > 1);
        if let Some(uses) = &job.uses {
            let several = (open || many) && !job.one_by_one;
            self.calls.push(Call {
                index,
                uses,
                several,
            });
        }
        let mut known = BTreeMap::new();
        let mut ours = Vec::new();
        for (world, asked) in worlds.played {
            let mut all = asked.all;
            all.retain(|wanted| self.labels(job, wanted, &mut known, unknowns) == Whose::Ours);
            ours.push((world, all));
        }
        if job.runs_on.is_some() {
            self.played.push(Played {
                job,
                index,
                worlds: ours,
                open,
            });
        }
    }

    /// What is wrong with labels by themselves, once for all jobs of a matrix that have them.
    fn labels(
        &mut self,
        job: &Job,
        wanted: &Wanted,
        known: &mut BTreeMap<Vec<String>, Whose>,
        unknowns: &Unknowns,
    ) -> Whose {
        let texts = wanted.labels.iter();
        let texts: Vec<String> = texts.map(|label| label.string.clone()).collect();
        *known.entry(texts).or_insert_with(|| {
            let whose = wanted.whose();
            match whose {
                Whose::Ours => self.report.ours(job, wanted, unknowns),
                // Of what is handed in to another workflow, only labels of ours are labels for
                // certain.
                Whose::Others | Whose::Unknown if job.runs_on.is_none() => {}
                Whose::Others => self.report.others(job, wanted, unknowns),
                Whose::Unknown => self.report.unknown(job, wanted, unknowns),
            }
            whose
        })
    }

    fn sharing(&mut self, unknowns: &Unknowns) {
        let all = sharing::judge(&self.played, &self.order, unknowns);
        for (one, found) in self.played.iter().zip(all) {
            let Some(label) = words::marking_label(one) else {
                continue;
            };
            for sharing in found {
                let said = words::sharing(&sharing, one, &self.played, unknowns);
                self.report.shared(one.job, &label, said, unknowns);
            }
        }
    }
}

/// The reading of one file.
struct Reading<'a> {
    tree: &'a Tree,
    file: &'a str,
    unknowns: &'a mut Unknowns,
    fuel: Fuel,
}

/// What the jobs of a matrix ask for in one world.
struct Asked {
    all: Vec<Wanted>,
    /// How many jobs they are.
    legs: usize,
    /// There may be others.
    open: bool,
}

impl Reading<'_> {
    fn play(&mut self, job: &Job) -> Worlds<Asked> {
        world::each(|world| self.play_once(job, world))
    }

    fn play_once(&mut self, job: &Job, world: &mut World) -> Asked {
        let mut evaluation = Evaluation {
            tree: self.tree,
            unknowns: self.unknowns,
            world,
            fuel: &mut self.fuel,
            file: self.file,
            job: &job.key,
            leg: None,
            here: job.place,
        };
        let legs = matrix::expand(&mut evaluation, job.matrix);
        let mut all = Vec::new();
        for leg in &legs.legs {
            evaluation.leg = Some(leg);
            all.extend(job.runs_on.map(|id| wanted::read(&mut evaluation, id)));
            all.extend(
                job.with
                    .iter()
                    .flat_map(|id| handed_in(&mut evaluation, *id)),
            );
        }
        Asked {
            all,
            legs: legs.legs.len(),
            open: legs.open,
        }
    }
}

/// What a job hands in to the workflow that it calls, as if each input were labels: one as a text,
/// or several as JSON.
fn handed_in(evaluation: &mut Evaluation<'_>, with: Id) -> Vec<Wanted> {
    let tree = evaluation.tree;
    let mut all = Vec::new();
    for (_, input) in tree.entries(with) {
        let value = evaluation.node(input);
        let here = evaluation.here;
        let is_json = |text: &Text| text.string.trim_start().starts_with('[');
        let list = if matches!(&value, Value::Text(text) if is_json(text)) {
            functions::call("fromjson", std::slice::from_ref(&value), here)
        } else {
            None
        };
        all.push(Wanted::of(&list.unwrap_or(value), here));
    }
    all
}

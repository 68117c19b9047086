//! One workflow file from its bytes to its findings.

use std::collections::BTreeSet;

use crate::evaluate::{Evaluation, Fuel};
use crate::finding::{Code, Finding, Place, ShownLabel};
use crate::sharing::{self, Played};
use crate::value::{Unknowns, is_unknown};
use crate::wanted::{self, Wanted, Whose};
use crate::workflow::{self, Job};
use crate::world::{self, World, Worlds};
use crate::yaml::{Broken, Id, Tree};
use crate::{LARGEST, Source, matrix, mistakes, near_miss, words};

pub(crate) fn lint(source: &Source) -> Vec<Finding> {
    let mut report = Report::of(source);
    match read(&source.bytes) {
        Ok(tree) => jobs(&tree, &mut report),
        Err(broken) => report.add(Found {
            hint: broken.hint.map(str::to_owned),
            ..Found::about(Code::UnreadableWorkflow, broken.place, broken.problem)
        }),
    }
    report.finish()
}

fn read(bytes: &[u8]) -> Result<Tree, Broken> {
    if bytes.len() > LARGEST {
        let problem = format!("the file has more than {LARGEST} bytes");
        return Err(Broken::new(Place::START, problem));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Tree::read(text),
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            Err(Broken::new(
                end_of(&before),
                "here is a byte that is no UTF-8",
            ))
        }
    }
}

fn end_of(text: &str) -> Place {
    let line = text.rsplit('\n').next().unwrap_or_default();
    Place {
        line: text.matches('\n').count() + 1,
        column: line.chars().count() + 1,
    }
}

fn jobs(tree: &Tree, report: &mut Report<'_>) {
    let Some(jobs) = workflow::jobs(tree) else {
        let message = "it has no jobs, so it is no workflow".to_owned();
        report.add(Found::about(
            Code::UnreadableWorkflow,
            Place::START,
            message,
        ));
        return;
    };
    let mut reading = Reading {
        tree,
        file: &report.source.name,
        unknowns: Unknowns::default(),
        fuel: Fuel::full(),
    };
    let mut played = Vec::new();
    for job in &jobs {
        let Some(runs_on) = job.runs_on else {
            continue;
        };
        let worlds = reading.play(job, runs_on);
        if !worlds.complete {
            report.add(Found::of(job, Code::NotChecked, words::too_many_ways()));
        }
        let open = worlds.played.iter().any(|(_, legs)| legs.open);
        let mut ours = Vec::new();
        for (world, legs) in worlds.played {
            ours.push((world, report.labels(job, legs.all, &reading.unknowns)));
        }
        played.push(Played {
            job,
            worlds: ours,
            open,
        });
    }
    if reading.fuel.is_spent() {
        let found = Found::about(Code::NotChecked, Place::START, words::too_much());
        return report.add(found);
    }
    report.sharing(&played, &reading.unknowns);
}

/// The reading of one file.
struct Reading<'a> {
    tree: &'a Tree,
    file: &'a str,
    unknowns: Unknowns,
    fuel: Fuel,
}

/// What the jobs of a matrix ask for in one world.
struct Asked {
    all: Vec<Wanted>,
    open: bool,
}

impl Reading<'_> {
    fn play(&mut self, job: &Job, runs_on: Id) -> Worlds<Asked> {
        world::each(|world| self.play_once(job, runs_on, world))
    }

    fn play_once(&mut self, job: &Job, runs_on: Id, world: &mut World) -> Asked {
        let mut evaluation = Evaluation {
            tree: self.tree,
            unknowns: &mut self.unknowns,
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
            all.push(wanted::read(&mut evaluation, runs_on));
        }
        Asked {
            all,
            open: legs.open,
        }
    }
}

/// The findings of a file so far.
struct Report<'a> {
    source: &'a Source,
    seen: BTreeSet<(Place, Code, String)>,
    findings: Vec<Finding>,
}

/// A finding that does not know its file yet.
struct Found {
    place: Place,
    code: Code,
    job: Option<String>,
    message: String,
    hint: Option<String>,
    label: Option<ShownLabel>,
}

impl Found {
    fn about(code: Code, place: Place, message: String) -> Self {
        Self {
            place,
            code,
            job: None,
            message,
            hint: None,
            label: None,
        }
    }

    fn of(job: &Job, code: Code, message: String) -> Self {
        Self {
            job: Some(job.key.clone()),
            ..Self::about(code, job.place, message)
        }
    }
}

impl<'a> Report<'a> {
    fn of(source: &'a Source) -> Self {
        Self {
            source,
            seen: BTreeSet::new(),
            findings: Vec::new(),
        }
    }

    /// What several jobs of a matrix, or several worlds, have in common is said once.
    fn add(&mut self, found: Found) {
        if !self
            .seen
            .insert((found.place, found.code, found.message.clone()))
        {
            return;
        }
        self.findings.push(Finding {
            file: self.source.name.clone(),
            place: found.place,
            code: found.code,
            job: found.job,
            message: found.message,
            hint: found.hint,
            label: found.label,
        });
    }

    /// From top to bottom, and the worst first where several stand at one place.
    fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by(|one, other| {
            let order = |finding: &Finding| (finding.place, finding.code);
            order(one).cmp(&order(other))
        });
        self.findings
    }

    /// What is wrong with labels by themselves; answers those that are ours.
    fn labels(&mut self, job: &Job, all: Vec<Wanted>, unknowns: &Unknowns) -> Vec<Wanted> {
        let mut ours = Vec::new();
        for wanted in all {
            match wanted.whose() {
                Whose::Ours => {
                    self.ours(job, &wanted, unknowns);
                    ours.push(wanted);
                }
                Whose::Others => self.others(job, &wanted, unknowns),
                Whose::Unknown => self.unknown(job, &wanted, unknowns),
            }
        }
        ours
    }

    fn ours(&mut self, job: &Job, wanted: &Wanted, unknowns: &Unknowns) {
        let mut wrong = BTreeSet::new();
        for mistake in mistakes::of(wanted, unknowns) {
            wrong.insert(mistake.place);
            self.add(Found {
                place: mistake.place.unwrap_or(job.place),
                hint: mistake.hint,
                label: Some(mistake.label),
                ..Found::of(job, mistake.code, mistake.message)
            });
        }
        for label in &wanted.labels {
            for (at, setting) in mistakes::unknown_settings(label) {
                if wrong.contains(&label.place(at)) {
                    continue;
                }
                let message = words::cannot_be_checked(&unknowns.shown(&setting));
                self.add(Found {
                    place: label.place(at).unwrap_or(job.place),
                    ..Found::of(job, Code::NotChecked, message)
                });
            }
        }
    }

    fn others(&mut self, job: &Job, wanted: &Wanted, unknowns: &Unknowns) {
        if let Some(miss) = near_miss::of(wanted, unknowns) {
            self.add(Found {
                place: miss.label.place(0).unwrap_or(job.place),
                hint: Some(miss.hint),
                label: Some(mistakes::shown(miss.label, unknowns, 0)),
                ..Found::of(job, Code::NearMiss, miss.message)
            });
        }
    }

    fn unknown(&mut self, job: &Job, wanted: &Wanted, unknowns: &Unknowns) {
        let mut labels = wanted.labels.iter();
        if let Some(label) = labels.find(|label| label.string.contains(is_unknown)) {
            let message = words::cannot_be_checked(&unknowns.shown(&label.string));
            self.add(Found {
                place: label.place(0).unwrap_or(job.place),
                ..Found::of(job, Code::NotChecked, message)
            });
        }
    }

    fn sharing(&mut self, played: &[Played<'_>], unknowns: &Unknowns) {
        for (one, found) in played.iter().zip(sharing::judge(played, unknowns)) {
            let Some(label) = words::marking_label(one) else {
                continue;
            };
            for sharing in found {
                let said = words::sharing(&sharing, one, played, unknowns);
                self.add(Found {
                    place: label.place(0).unwrap_or(one.job.place),
                    hint: said.hint,
                    label: Some(mistakes::shown(&label, unknowns, 0)),
                    ..Found::of(one.job, said.code, said.message)
                });
            }
        }
    }
}

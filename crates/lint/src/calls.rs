//! Which jobs of several files meet in one run: those of a workflow, and those of the workflows that
//! it calls.
//!
//! A called workflow has its caller's `github.run_id`, so what tells the jobs of a file apart need
//! not tell them from the caller's, nor from those of a second call. Only calls from one file to
//! another that was handed in with it are followed, and only labels that are the same for certain
//! are compared: an input may differ from call to call.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::file::Looked;
use crate::sharing::{Comparing, Played, Sets, sets};
use crate::value::{Unknowns, Varies};
use crate::wanted::Wanted;
use crate::words;
use crate::world::World;

/// A job that calls another workflow.
pub(crate) struct Call<'a> {
    /// Which of the file's jobs it is.
    pub(crate) index: usize,
    pub(crate) uses: &'a str,
    /// It may call it several times at once.
    pub(crate) several: bool,
}

/// Which job of which file.
type Who = (usize, usize);

/// A job in a run: who it is, and which job of the caller's brought it in.
struct Member {
    who: Who,
    by: usize,
    several: bool,
}

/// Adds to the reports of all files what their jobs share with those of other files.
pub(crate) fn judge(files: &mut [Looked<'_>], unknowns: &Unknowns) {
    let found = Meetings::among(files, unknowns);
    for ((file, job), met) in found.met {
        let others: Vec<String> = met.iter().map(|who| name(files, *who)).collect();
        tell(files, (file, job), unknowns, |one| {
            words::other_files(&others, one, unknowns)
        });
    }
    for ((file, job), callers) in found.again {
        let callers: Vec<String> = callers.into_iter().collect();
        tell(files, (file, job), unknowns, |one| {
            words::called_again(&callers, one, unknowns)
        });
    }
}

fn tell(
    files: &mut [Looked<'_>],
    (file, job): Who,
    unknowns: &Unknowns,
    words: impl Fn(&Played<'_>) -> words::Said,
) {
    let Looked { played, report, .. } = &mut files[file];
    let one = &played[job];
    if let Some(label) = words::marking_label(one) {
        report.shared(one.job, &label, words(one), unknowns);
    }
}

fn name(files: &[Looked<'_>], (file, job): Who) -> String {
    let job = files[file].played[job].job;
    format!("{} ({}:{})", job.key, files[file].name, job.place.line)
}

/// Who meets whom.
#[derive(Default)]
struct Meetings {
    met: BTreeMap<Who, BTreeSet<Who>>,
    /// Jobs that meet themselves, with who calls them more than once.
    again: BTreeMap<Who, BTreeSet<String>>,
}

impl Meetings {
    fn among(files: &[Looked<'_>], unknowns: &Unknowns) -> Self {
        let certain: Vec<Vec<Sets<'_>>> = files
            .iter()
            .map(|file| {
                let played = file.played.iter();
                played
                    .map(|one| sets(one, |world, wanted| is_certain(world, wanted, unknowns)))
                    .collect()
            })
            .collect();
        let mut found = Self::default();
        let mut comparing = Comparing::default();
        for file in 0..files.len() {
            let members = members(files, file);
            found.in_run(&files[file], &members, &certain, &mut comparing);
        }
        found
    }

    /// The jobs of one run.
    fn in_run(
        &mut self,
        caller: &Looked<'_>,
        members: &[Member],
        certain: &[Vec<Sets<'_>>],
        comparing: &mut Comparing,
    ) {
        let of = |(file, job): Who| &certain[file][job];
        for (number, one) in members.iter().enumerate() {
            if one.several && comparing.may_meet(of(one.who), of(one.who)) {
                self.again(caller, one);
            }
            for other in &members[number + 1..] {
                let at_once = one.by != other.by && !caller.order.is_set(one.by, other.by);
                if !at_once || !comparing.may_meet(of(one.who), of(other.who)) {
                    continue;
                }
                if one.who == other.who {
                    self.again(caller, one);
                } else if one.who.0 != other.who.0 {
                    self.met.entry(one.who).or_default().insert(other.who);
                    self.met.entry(other.who).or_default().insert(one.who);
                }
            }
        }
    }

    fn again(&mut self, caller: &Looked<'_>, member: &Member) {
        let callers = self.again.entry(member.who).or_default();
        callers.insert(caller.name.to_owned());
    }
}

/// Whether labels are those of one run, and the same whoever calls: neither they nor what was assumed
/// of them depends on anything that is handed in.
fn is_certain(world: &World, wanted: &Wanted, unknowns: &Unknowns) -> bool {
    let labels = wanted.labels.iter().map(|label| label.string.as_str());
    let mut all = labels
        .chain(world.conditions())
        .flat_map(|text| unknowns.within(text));
    wanted.varies(unknowns) == Varies::WithEachRun
        && !all.any(|unknown| unknown.varies == Varies::Unknowable)
}

/// The jobs of a run of this file: its own, and those of the files that it calls.
fn members(files: &[Looked<'_>], file: usize) -> Vec<Member> {
    let caller = &files[file];
    let mut members = Vec::new();
    let mut called = Vec::new();
    for call in &caller.calls {
        let callee = files
            .iter()
            .position(|other| is_called(caller.name, call.uses, other.name));
        let Some(callee) = callee.filter(|callee| *callee != file) else {
            continue;
        };
        called.extend((0..files[callee].played.len()).map(|job| Member {
            who: (callee, job),
            by: call.index,
            several: call.several,
        }));
    }
    if !called.is_empty() {
        members.extend(caller.played.iter().enumerate().map(|(job, one)| Member {
            who: (file, job),
            by: one.index,
            several: false,
        }));
    }
    members.extend(called);
    members
}

/// Whether `uses` in one file means the other: `./.github/workflows/NAME`, in the same folder.
fn is_called(caller: &str, uses: &str, other: &str) -> bool {
    let Some(name) = uses.strip_prefix("./.github/workflows/") else {
        return false;
    };
    let folder = Path::new(caller).parent();
    folder.is_some_and(|folder| folder.join(name) == Path::new(other))
}

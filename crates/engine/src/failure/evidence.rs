//! The judgement of one failed step, from what it printed.

use reprise_model::failure::{
    DecidedBy, FailureClass, FailureRule, FailureSign, FailureSource, FailureTable, Judgement,
};

use super::line::{Mark, shown};
use super::section::Section;
use super::table::{Found, Named, Says, Table};
use super::{Tables, UNTOLD, by_sign, decided, signs};

/// How much a line counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// For all that it says.
    Error,
    /// The same, as far as the line itself speaks of an error.
    End,
    /// For permanent words alone.
    OnlyPermanent,
    /// For what leaves no doubt.
    OnlyCertain,
}

/// A line that counts.
struct Line<'a> {
    text: &'a [u8],
    source: FailureSource,
    weight: Weight,
}

/// The first of each kind that the lines say, in the order of their weight.
#[derive(Default)]
struct Heard {
    certain: Option<DecidedBy>,
    permanent: Option<DecidedBy>,
    transient: Option<DecidedBy>,
}

/// What a step's failure is; `sign` is what is known of the whole job.
pub(super) fn judge(
    section: &Section<'_>,
    tables: Tables<'_>,
    sign: Option<&DecidedBy>,
) -> Judgement {
    let heard = heard(section, tables);
    let sign = || sign.cloned().or_else(|| ended(section));
    if let Some(certain) = heard.certain {
        decided(FailureClass::Permanent, certain)
    } else if let Some(sign) = sign() {
        decided(FailureClass::Transient, sign)
    } else if let Some(permanent) = heard.permanent {
        decided(FailureClass::Permanent, permanent)
    } else if let Some(transient) = heard.transient {
        decided(FailureClass::Transient, transient)
    } else {
        UNTOLD
    }
}

fn heard(section: &Section<'_>, tables: Tables<'_>) -> Heard {
    let lines = weighed(section);
    let mut heard = Heard::default();
    let own = tables.configured.map(|table| Reading::of(table, &lines));
    let built_in = Reading::of(tables.built_in, &lines);
    for (at, line) in lines.iter().enumerate() {
        let by_own = own.as_ref().and_then(|own| own.says(at));
        if let Some((table, says)) = by_own.or_else(|| built_in.says(at)) {
            heard.hear(line, table, says, built_in.is_error(at));
        }
    }
    heard
}

impl Heard {
    fn hear(&mut self, line: &Line<'_>, table: FailureTable, says: Says<'_>, is_error: bool) {
        let by = |named: Named<'_>| DecidedBy {
            rule: FailureRule::Pattern {
                table,
                pattern: named.pattern.to_owned(),
                note: named.note.to_owned(),
            },
            source: line.source,
            line: shown(line.text),
        };
        let counts = line.weight != Weight::OnlyCertain;
        let both = counts && line.weight != Weight::OnlyPermanent;
        let as_error = line.weight == Weight::Error || is_error;
        match says {
            Says::Certain(named) => first(&mut self.certain, || by(named)),
            Says::Permanent(named) if counts => first(&mut self.permanent, || by(named)),
            Says::Transient(named) if both => first(&mut self.transient, || by(named)),
            Says::TransientError(named) if both && as_error => {
                first(&mut self.transient, || by(named));
            }
            Says::Permanent(_) | Says::Transient(_) | Says::TransientError(_) | Says::Harmless => {}
        }
    }
}

fn first(kept: &mut Option<DecidedBy>, one: impl FnOnce() -> DecidedBy) {
    if kept.is_none() {
        *kept = Some(one());
    }
}

/// What a table finds in each line.
struct Reading<'t> {
    table: &'t Table,
    found: Vec<Found>,
    voided: Vec<usize>,
}

impl<'t> Reading<'t> {
    fn of(table: &'t Table, lines: &[Line<'_>]) -> Self {
        let found: Vec<Found> = lines.iter().map(|line| table.find(line.text)).collect();
        let mut voided: Vec<usize> = found.iter().flat_map(|one| table.voided(one)).collect();
        voided.sort_unstable();
        voided.dedup();
        Self {
            table,
            found,
            voided,
        }
    }

    fn says(&self, at: usize) -> Option<(FailureTable, Says<'t>)> {
        let says = self.table.says(self.found.get(at)?, &self.voided)?;
        Some((self.table.name(), says))
    }

    fn is_error(&self, at: usize) -> bool {
        let found = self.found.get(at);
        found.is_some_and(|found| self.table.is_error(found))
    }
}

/// All lines with their weight: annotations, then error lines, then the others, each from the last to the
/// first, so that the first that decides is the nearest to the end.
fn weighed<'a>(section: &'a Section<'_>) -> Vec<Line<'a>> {
    let annotations = section.annotations.iter().map(|one| Line {
        text: &one.text,
        source: FailureSource::Annotation,
        weight: if one.is_certain {
            Weight::Error
        } else {
            Weight::OnlyPermanent
        },
    });
    let end = section.end();
    let lines = section.lines.iter().enumerate().rev().map(|(at, line)| {
        let is_error = line.mark == Mark::Error;
        Line {
            text: &line.text,
            source: if is_error {
                FailureSource::ErrorLine
            } else {
                FailureSource::Log
            },
            weight: match (is_error, at >= end) {
                (true, true) => Weight::Error,
                (true, false) => Weight::OnlyPermanent,
                (false, true) => Weight::End,
                (false, false) => Weight::OnlyCertain,
            },
        }
    });
    let (errors, others): (Vec<Line<'a>>, Vec<Line<'a>>) =
        lines.partition(|line| line.source == FailureSource::ErrorLine);
    annotations.chain(errors).chain(others).collect()
}

/// How the step ended, as the runner tells it in its last error line.
fn ended(section: &Section<'_>) -> Option<DecidedBy> {
    let last = section
        .lines
        .iter()
        .rev()
        .find(|line| line.mark == Mark::Error);
    let logged = last.map(|line| (FailureSource::ErrorLine, shown(&line.text)));
    let certain = section.annotations.iter().filter(|one| one.is_certain);
    let annotated = certain.map(|one| (FailureSource::Annotation, shown(&one.text)));
    let mut told = logged.into_iter().chain(annotated);
    told.find_map(|(source, line)| {
        let sign = if signs::is_time_limit(&line) {
            FailureSign::TimedOut
        } else if was_killed(&line) {
            FailureSign::Killed
        } else {
            return None;
        };
        Some(by_sign(sign, source, &line))
    })
}

/// 137 is what a shell makes of signal 9, which the kernel sends when memory is short.
fn was_killed(line: &str) -> bool {
    let code = line.trim_end_matches('.').rsplit_once("exit code ");
    code.is_some_and(|(told, code)| {
        code == "137"
            && (told.starts_with("Process completed") || told.starts_with("Docker run failed"))
    })
}

//! Which failures are transient: the built-in table, and `[failures]` for an operator's own patterns.
//!
//! Both are written in the same form. What counts where, and what wins, `reprise_engine::failure` says.

use std::fmt;
use std::sync::OnceLock;

use reprise_engine::failure::{
    Group, MOST_RULES, Reach, Rule, RuleProblem, Table, TableError, Tables,
};
use reprise_model::failure::FailureTable;

use crate::checker::Checker;
use crate::error::shown;
use crate::file;

#[cfg(test)]
mod tests;

/// The table that comes with the program.
const BUILT_IN: &str = include_str!("failures/table.toml");

/// The tables by which failures are judged.
pub struct Failures {
    configured: Option<Table>,
    built_in: &'static Table,
}

impl Failures {
    /// The built-in table alone.
    ///
    /// # Errors
    /// What is wrong with it; a test reads it.
    pub fn usual() -> Result<Self, String> {
        let built_in = built_in()?;
        Ok(Self {
            configured: None,
            built_in,
        })
    }

    /// The tables, as [`reprise_engine::failure::judge`] wants them.
    pub fn tables(&self) -> Tables<'_> {
        Tables {
            configured: self.configured.as_ref(),
            built_in: self.built_in,
        }
    }
}

impl fmt::Debug for Failures {
    /// The operator's rules alone: the built-in ones are the same everywhere.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rules = self.configured.iter().flat_map(Table::rules);
        f.debug_list().entries(rules).finish()
    }
}

/// The built-in table, compiled once in a program's life.
///
/// # Errors
/// What is wrong with it; a test reads it.
pub fn built_in() -> Result<&'static Table, String> {
    static TABLE: OnceLock<Table> = OnceLock::new();
    if let Some(table) = TABLE.get() {
        return Ok(table);
    }
    let section: file::Failures =
        toml::from_str(BUILT_IN).map_err(|error| error.message().to_owned())?;
    let (_, rules) = rules(section).into_iter().unzip::<_, _, Vec<Place>, _>();
    let table = Table::compile(FailureTable::BuiltIn, rules).map_err(|error| error.to_string())?;
    Ok(TABLE.get_or_init(|| table))
}

pub(crate) fn failures(checker: &mut Checker<'_>, section: file::Failures) -> Option<Failures> {
    let built_in = checker.good(
        "failures.*",
        built_in().map_err(|problem| {
            format!("cannot be read, as the built-in table is wrong: {problem}")
        }),
    );
    let (places, rules): (Vec<Place>, Vec<Rule>) = rules(section).into_iter().unzip();
    let configured = (!rules.is_empty()).then(|| Table::compile(FailureTable::Configured, rules));
    let configured = configured.transpose();
    if let Err(error) = &configured {
        wrong(checker, &places, error);
    }
    Some(Failures {
        configured: configured.ok()?,
        built_in: built_in?,
    })
}

/// Where a rule is written: its list, and its number there.
type Place = (&'static str, usize);

fn rules(section: file::Failures) -> Vec<(Place, Rule)> {
    let lists = [
        ("transient", Group::Transient, section.transient),
        ("permanent", Group::Permanent, section.permanent),
        ("harmless", Group::Harmless, section.harmless),
    ];
    let lists = lists.into_iter();
    let rules = lists.flat_map(|(list, group, patterns)| {
        let numbered = (1..).zip(patterns);
        numbered.map(move |(number, pattern)| ((list, number), rule(group, pattern)))
    });
    rules.collect()
}

fn rule(group: Group, pattern: file::FailurePattern) -> Rule {
    Rule {
        group,
        reach: match pattern.reach {
            None | Some(file::FailureReach::End) => Reach::End,
            Some(file::FailureReach::Step) => Reach::Step,
            Some(file::FailureReach::Error) => Reach::Error,
        },
        patterns: pattern.patterns,
        except: pattern.except,
        unless: pattern.unless,
        note: pattern.note,
        examples: pattern.examples,
    }
}

fn wrong(checker: &mut Checker<'_>, places: &[Place], error: &TableError) {
    match error {
        TableError::Rule { at, problem } => {
            let (list, number) = places.get(*at).copied().unwrap_or(("transient", at + 1));
            let problem = in_words(problem);
            let problem = format!("number {number} {problem}");
            checker.wrong(&format!("failures.{list}"), problem);
        }
        TableError::TooMany => checker.wrong(
            "failures.*",
            format!("has {} entries; write {MOST_RULES} at most", places.len()),
        ),
        TableError::TooLarge => checker.wrong(
            "failures.*",
            "takes too much memory with all its patterns together; leave repetitions like {1,1000} out",
        ),
    }
}

fn in_words(problem: &RuleProblem) -> String {
    match problem {
        RuleProblem::Example(example) => format!(
            "does not find its example {}; correct the one or the other",
            shown(example)
        ),
        RuleProblem::NotAscii(_)
        | RuleProblem::TooLong(_)
        | RuleProblem::NotARegex { .. }
        | RuleProblem::MatchesAll(_)
        | RuleProblem::TransientStep
        | RuleProblem::NoPattern => problem.to_string(),
    }
}

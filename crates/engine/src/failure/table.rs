//! Tables of patterns: what they find in a line, and why a pattern is no good.
//!
//! All patterns of a table are one automaton, so a line is read once however many there are.

use std::fmt;
use std::ops::Range;

use regex::bytes::{RegexBuilder, RegexSet, RegexSetBuilder, SetMatches};
use reprise_model::failure::FailureTable;

/// So many rules a table may have.
pub const MOST_RULES: usize = 500;

/// So many characters a pattern may have.
pub const LONGEST_PATTERN: usize = 1_000;

/// What one pattern may take when it is compiled; a usual one takes a few KB.
const PATTERN_SIZE: usize = 256 * 1024;

/// What all patterns of a table may take together.
const TABLE_SIZE: usize = 16 * 1024 * 1024;

/// What the search keeps of the states that it came upon; with less it is slower, never wrong.
const CACHE_SIZE: usize = 4 * 1024 * 1024;

/// A line that speaks of an error.
const ERROR: &str =
    r"error|err!|fatal|fail|exception|panic|can(?:not|'t)\b|could ?n[o']t\b|unable to|^E: ";

/// A rule about the lines of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What a line says that it finds.
    pub group: Group,
    /// Where it counts.
    pub reach: Reach,
    /// Regular expressions over the bytes of a line, of which one is found; upper and lower case are the
    /// same to them.
    pub patterns: Vec<String>,
    /// In a line with one of these it counts for nothing: the named exceptions.
    pub except: Vec<String>,
    /// Where the step printed a line with one of these it counts for nothing.
    pub unless: Vec<String>,
    /// What it is about, for people.
    pub note: String,
    /// Lines that it must find.
    pub examples: Vec<String>,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The surroundings failed.
    Transient,
    /// What was run fails.
    Permanent,
    /// Nothing, whatever else it says.
    Harmless,
}

/// Where a rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Wherever the step printed it; for permanent rules that leave no doubt.
    Step,
    /// At the end of the step.
    #[default]
    End,
    /// There, in lines that speak of an error; for bare words.
    Error,
}

/// Rules that can be searched for.
#[derive(Debug, Clone)]
pub struct Table {
    name: FailureTable,
    rules: Vec<Compiled>,
    set: RegexSet,
}

#[derive(Debug, Clone)]
struct Compiled {
    rule: Rule,
    /// The places of its patterns in the set.
    patterns: Range<usize>,
    except: Range<usize>,
    unless: Range<usize>,
}

/// What a table found in a line.
pub(super) struct Found(SetMatches);

/// What a line says by a table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Says<'t> {
    /// It failed for good, without doubt.
    Certain(Named<'t>),
    /// It failed for good.
    Permanent(Named<'t>),
    /// Its surroundings failed.
    Transient(Named<'t>),
    /// The same, if the line counts as an error.
    TransientError(Named<'t>),
    /// Nothing.
    Harmless,
}

/// A pattern that was found, and what its rule is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'t> {
    pub(super) pattern: &'t str,
    pub(super) note: &'t str,
}

/// Why rules are no table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableError {
    /// A rule is no good.
    Rule {
        /// Its place, from 0.
        at: usize,
        /// Why.
        problem: RuleProblem,
    },
    /// There are more than [`MOST_RULES`].
    TooMany,
    /// Together they are too large.
    TooLarge,
}

/// Why a rule is no good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleProblem {
    /// A pattern has letters beyond ASCII.
    NotAscii(String),
    /// A pattern has more than [`LONGEST_PATTERN`] characters.
    TooLong(String),
    /// A pattern is no regular expression, or too large a one.
    NotARegex {
        /// The pattern.
        pattern: String,
        /// What is wrong with it, on several lines.
        problem: String,
    },
    /// A pattern finds an empty line, and so every one.
    MatchesAll(String),
    /// A transient rule counts in the whole step.
    TransientStep,
    /// It has no pattern.
    NoPattern,
    /// The rule does not find its example.
    Example(String),
}

impl Table {
    /// Compiles rules.
    ///
    /// # Errors
    /// The first rule that is no good, or that there are too many.
    pub fn compile(name: FailureTable, rules: Vec<Rule>) -> Result<Self, TableError> {
        if rules.len() > MOST_RULES {
            return Err(TableError::TooMany);
        }
        for (at, rule) in rules.iter().enumerate() {
            checked(rule).map_err(|problem| TableError::Rule { at, problem })?;
        }
        let mut patterns = Vec::new();
        let rules: Vec<Compiled> = rules
            .into_iter()
            .map(|rule| placed(rule, &mut patterns))
            .collect();
        // Each of an operator's by itself, so that none of them is large; ours are known.
        if let Some(error) = (name == FailureTable::Configured)
            .then(|| first_bad(&rules))
            .flatten()
        {
            return Err(error);
        }
        patterns.push(ERROR.to_owned());
        let set = RegexSetBuilder::new(&patterns)
            .unicode(false)
            .case_insensitive(true)
            .size_limit(TABLE_SIZE)
            .dfa_size_limit(CACHE_SIZE)
            .build();
        match set {
            Ok(set) => Self { name, rules, set }.with_its_examples(),
            Err(_) => Err(first_bad(&rules).unwrap_or(TableError::TooLarge)),
        }
    }

    /// Its name.
    pub fn name(&self) -> FailureTable {
        self.name
    }

    /// Its rules, in order.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|compiled| &compiled.rule)
    }

    /// What it finds in a line.
    pub(super) fn find(&self, line: &[u8]) -> Found {
        Found(self.set.matches(line))
    }

    /// The rules, by place, that a line of the step voids.
    pub(super) fn voided(&self, found: &Found) -> impl Iterator<Item = usize> {
        let rules = self.rules.iter().enumerate();
        rules
            .filter(|(_, rule)| found.any(&rule.unless))
            .map(|(at, _)| at)
    }

    /// What a line says; `voided` are rules that count for nothing in its step.
    pub(super) fn says(&self, found: &Found, voided: &[usize]) -> Option<Says<'_>> {
        if !found.0.matched_any() {
            return None;
        }
        let hits = self.rules.iter().enumerate();
        let hits = hits.filter(|(at, rule)| {
            found.any(&rule.patterns) && !found.any(&rule.except) && !voided.contains(at)
        });
        let says = hits.map(|(_, compiled)| compiled.said(found));
        says.min_by_key(Says::rank)
    }

    /// Whether a line speaks of an error.
    pub(super) fn is_error(&self, found: &Found) -> bool {
        found.0.matched(self.set.len() - 1)
    }

    fn with_its_examples(self) -> Result<Self, TableError> {
        for (at, compiled) in self.rules.iter().enumerate() {
            if let Some(problem) = self.problem_of(compiled) {
                return Err(TableError::Rule { at, problem });
            }
        }
        Ok(self)
    }

    fn problem_of(&self, compiled: &Compiled) -> Option<RuleProblem> {
        let empty = self.find(b"");
        let exceptions = compiled.except.clone().chain(compiled.unless.clone());
        let mut places = compiled.patterns.clone().chain(exceptions);
        if let Some(place) = places.find(|place| empty.0.matched(*place)) {
            let pattern = self.set.patterns().get(place).cloned();
            return Some(RuleProblem::MatchesAll(pattern.unwrap_or_default()));
        }
        let missed = compiled.rule.examples.iter().find(|example| {
            let found = self.find(example.as_bytes());
            !found.any(&compiled.patterns) || found.any(&compiled.except)
        });
        missed.map(|example| RuleProblem::Example(example.clone()))
    }
}

impl Compiled {
    /// What it says of a line in which it found something.
    fn said(&self, found: &Found) -> Says<'_> {
        let mut patterns = self.patterns.clone().zip(&self.rule.patterns);
        let pattern = patterns.find(|(place, _)| found.0.matched(*place));
        let named = Named {
            pattern: pattern.map_or("", |(_, pattern)| pattern),
            note: &self.rule.note,
        };
        match (self.rule.group, self.rule.reach) {
            (Group::Harmless, _) => Says::Harmless,
            (Group::Permanent, Reach::Step) => Says::Certain(named),
            (Group::Permanent, Reach::End | Reach::Error) => Says::Permanent(named),
            (Group::Transient, Reach::Error) => Says::TransientError(named),
            (Group::Transient, Reach::End | Reach::Step) => Says::Transient(named),
        }
    }
}

impl Found {
    fn any(&self, places: &Range<usize>) -> bool {
        places.clone().any(|place| self.0.matched(place))
    }
}

impl Says<'_> {
    /// The order in which the rules that find one line count.
    fn rank(&self) -> u8 {
        match self {
            Self::Certain(_) => 0,
            Self::Harmless => 1,
            Self::Permanent(_) => 2,
            Self::Transient(_) => 3,
            Self::TransientError(_) => 4,
        }
    }
}

/// Puts a rule's patterns behind the others.
fn placed(rule: Rule, patterns: &mut Vec<String>) -> Compiled {
    let mut places = |more: &[String]| {
        let start = patterns.len();
        patterns.extend_from_slice(more);
        start..patterns.len()
    };
    Compiled {
        patterns: places(&rule.patterns),
        except: places(&rule.except),
        unless: places(&rule.unless),
        rule,
    }
}

fn texts(rule: &Rule) -> impl Iterator<Item = &String> {
    let exceptions = rule.except.iter().chain(&rule.unless);
    rule.patterns.iter().chain(exceptions)
}

fn checked(rule: &Rule) -> Result<(), RuleProblem> {
    if rule.group == Group::Transient && rule.reach == Reach::Step {
        return Err(RuleProblem::TransientStep);
    }
    if rule.patterns.is_empty() {
        return Err(RuleProblem::NoPattern);
    }
    for pattern in texts(rule) {
        if !pattern.is_ascii() {
            return Err(RuleProblem::NotAscii(pattern.clone()));
        }
        if pattern.len() > LONGEST_PATTERN {
            return Err(RuleProblem::TooLong(pattern.clone()));
        }
    }
    Ok(())
}

/// The first rule that cannot be compiled by itself.
fn first_bad(rules: &[Compiled]) -> Option<TableError> {
    let problem = |pattern: &String| {
        let built = RegexBuilder::new(pattern)
            .unicode(false)
            .case_insensitive(true)
            .size_limit(PATTERN_SIZE)
            .build();
        let problem = built.err()?.to_string();
        let pattern = pattern.clone();
        Some(RuleProblem::NotARegex { pattern, problem })
    };
    let mut bad = rules.iter().enumerate().filter_map(|(at, compiled)| {
        let problem = texts(&compiled.rule).find_map(problem)?;
        Some(TableError::Rule { at, problem })
    });
    bad.next()
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAscii(pattern) => write!(
                f,
                "has a pattern with letters beyond ASCII, {pattern:?}; write their bytes, as \\xC3\\xA9, \
                 or `.` for each byte"
            ),
            Self::TooLong(pattern) => write!(
                f,
                "has a pattern of {} characters; {LONGEST_PATTERN} are allowed",
                pattern.len()
            ),
            Self::NotARegex { pattern, problem } => {
                write!(f, "has a pattern that is no regular expression, {pattern:?}: {problem}")
            }
            Self::MatchesAll(pattern) => write!(
                f,
                "has a pattern that finds every line, {pattern:?}; write something that must be there"
            ),
            Self::TransientStep => f.write_str(
                "counts in the whole step, which only a permanent pattern may; write reach = \"end\"",
            ),
            Self::NoPattern => f.write_str("has no pattern; write one into patterns"),
            Self::Example(example) => write!(f, "does not find its example {example:?}"),
        }
    }
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { at, problem } => write!(f, "rule number {} {problem}", at + 1),
            Self::TooMany => write!(f, "has more than {MOST_RULES} rules"),
            Self::TooLarge => f.write_str("is too large when all its patterns are compiled"),
        }
    }
}

impl std::error::Error for TableError {}

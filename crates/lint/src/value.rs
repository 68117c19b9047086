//! What an expression may come to, as far as it is known without running the workflow.
//!
//! What is known only when the workflow runs is one character of Unicode's private areas within a
//! text, its number in [`Unknowns`]. So `runs-on=${{ github.run_id }}/cpu=4` is a text like any
//! other, two texts are the same for certain when they are equal, and joining texts needs no second
//! set of rules.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::finding::Place;

/// The first of the characters that stand for something unknown, the same in all files.
const FIRST: u32 = 0xF_0000;

/// The last one.
const LAST: u32 = 0x10_FFFD;

/// The most that can be told apart.
const MOST: usize = (LAST - FIRST) as usize;

/// The longest text that is worked with. GitHub takes labels of 256 characters.
const LONGEST: usize = 4096;

/// The most characters of an expression that people are shown, and about the most of a label.
const MOST_SHOWN: usize = 1000;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(Rc<Text>),
    List(Rc<Vec<Value>>),
    Map(Rc<BTreeMap<String, Value>>),
}

/// A text, and where each part of it stands in the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text {
    pub(crate) string: String,
    length: usize,
    origins: Vec<Origin>,
}

/// Where the characters from one on come from.
#[derive(Debug, Clone, Copy)]
struct Origin {
    from: usize,
    place: Place,
    /// Each further character stands one column further.
    steps: bool,
}

/// Texts are equal wherever they stand.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.string == other.string
    }
}

impl Text {
    /// A text that stands as it is on one line.
    pub(crate) fn verbatim(text: &str, place: Place) -> Self {
        Self::at(text, place, true)
    }

    /// A text that comes from a place, and does not stand there as it is.
    pub(crate) fn from(text: &str, place: Place) -> Self {
        Self::at(text, place, false)
    }

    fn at(text: &str, place: Place, steps: bool) -> Self {
        Self {
            string: text.to_owned(),
            length: text.chars().count(),
            origins: vec![Origin {
                from: 0,
                place,
                steps,
            }],
        }
    }

    pub(crate) fn push(&mut self, other: &Self) {
        let moved = other.origins.iter().map(|origin| Origin {
            from: origin.from + self.length,
            ..*origin
        });
        self.origins.extend(moved);
        self.string.push_str(&other.string);
        self.length += other.length;
    }

    /// Whether it is longer than anything that is worked with.
    pub(crate) fn is_too_long(&self) -> bool {
        self.length > LONGEST
    }

    /// Where a character stands, counted from 0.
    pub(crate) fn place(&self, index: usize) -> Option<Place> {
        let origin = self.origins.iter().rfind(|origin| origin.from <= index)?;
        let steps = if origin.steps { index - origin.from } else { 0 };
        Some(origin.place.further(steps))
    }
}

/// What is known only when the workflow runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// The expression.
    pub(crate) source: String,
    pub(crate) varies: Varies,
    /// It may differ among the jobs of a matrix.
    pub(crate) is_of_leg: bool,
}

/// How much it may vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Varies {
    /// Never: `vars.x`, `github.repository`.
    Never,
    /// From run to run, and two runs may have the same.
    Somehow,
    /// Nobody can tell from the file: `inputs.x`, `needs.x.outputs.y`.
    Unknowable,
    /// No two runs have the same: `github.run_id`.
    WithEachRun,
}

/// The table of all that is unknown.
#[derive(Debug, Default)]
pub(crate) struct Unknowns {
    all: Vec<Unknown>,
    numbers: BTreeMap<(String, String), usize>,
}

impl Unknowns {
    /// The character of something unknown. The same source is the same within a scope, whose name
    /// is empty for all jobs of a run.
    pub(crate) fn character(&mut self, unknown: Unknown, scope: String) -> char {
        let key = (unknown.source.clone(), scope);
        let index = *self.numbers.entry(key).or_insert(self.all.len());
        if index == self.all.len() {
            self.all.push(unknown);
        }
        let number = u32::try_from(index).map_or(LAST, |index| FIRST.saturating_add(index));
        char::from_u32(number.min(LAST)).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    /// Whether there are more than can be told apart.
    pub(crate) fn are_too_many(&self) -> bool {
        self.all.len() >= MOST
    }

    /// What is unknown in a text.
    pub(crate) fn within<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a Unknown> {
        text.chars().filter_map(|letter| self.behind(letter))
    }

    fn behind(&self, letter: char) -> Option<&Unknown> {
        let index = is_unknown(letter).then(|| u32::from(letter) - FIRST)?;
        self.all.get(usize::try_from(index).ok()?)
    }

    /// A text for people: what is unknown as the expression that it is. It has an end, however
    /// often a long expression stands in it.
    pub(crate) fn shown(&self, text: &str) -> String {
        let mut shown = String::new();
        for letter in text.chars() {
            if shown.len() > MOST_SHOWN {
                shown.push_str("...");
                break;
            }
            match self.behind(letter) {
                Some(unknown) => shown.push_str(&unknown.shown()),
                None => shown.push(letter),
            }
        }
        shown
    }
}

impl Unknown {
    /// As it stands in a text.
    fn shown(&self) -> String {
        let source: String = self.source.chars().take(MOST_SHOWN).collect();
        format!("${{{{ {source} }}}}")
    }
}

/// Whether a character stands for something unknown.
pub(crate) fn is_unknown(letter: char) -> bool {
    (FIRST..=LAST).contains(&u32::from(letter))
}

/// A text of a file without the characters that mean something unknown here.
pub(crate) fn cleaned(text: &str) -> String {
    let clean = |letter| {
        if is_unknown(letter) {
            char::REPLACEMENT_CHARACTER
        } else {
            letter
        }
    };
    text.chars().map(clean).collect()
}

impl Value {
    pub(crate) fn text(text: Text) -> Self {
        Self::Text(Rc::new(text))
    }

    /// As it stands in a text; lists and mappings have no such form that matters in a label.
    pub(crate) fn as_text(&self, place: Place) -> Rc<Text> {
        let text = match self {
            Self::Text(text) => return Rc::clone(text),
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::List(_) => "Array".to_owned(),
            Self::Map(_) => "Object".to_owned(),
        };
        Rc::new(Text::from(&text, place))
    }

    /// Whether anything in it is unknown.
    pub(crate) fn is_unknown(&self) -> bool {
        match self {
            Self::Text(text) => text.string.contains(is_unknown),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Map(_) => false,
        }
    }
}

//! A YAML file as a tree that knows where everything stands.
//!
//! An alias is a second way to the node that it names, never a copy, so that the tree is no larger
//! than the file, whatever its anchors would expand to. Invariant: following a tree always comes
//! to an end, as no node lies within itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use crate::finding::{Code, Place};

/// The deepest nesting. Workflows need about ten, and what reads the tree goes down by recursion.
const DEEPEST: usize = 64;

/// The most commas and opening brackets on one line. The parser takes time by their square, as a list
/// may turn out to be a key until its line ends; people write some tens.
const MOST_ON_A_LINE: usize = 1000;

/// A file, read.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    root: Option<Id>,
}

/// A node of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(usize);

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Id>),
    Map(Vec<(Id, Id)>),
}

#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Without quotes and tag, so that it may be a number or a boolean.
    pub(crate) plain: bool,
    /// Where its text stands character by character, where it does so on one line.
    pub(crate) verbatim: Option<Place>,
}

/// Why a file is not read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// A mistake in the file, or nothing but too much for us.
    pub(crate) code: Code,
    pub(crate) place: Place,
    pub(crate) problem: String,
    pub(crate) hint: Option<&'static str>,
}

impl Broken {
    pub(crate) fn new(place: Place, problem: impl Into<String>) -> Self {
        Self {
            code: Code::UnreadableWorkflow,
            place,
            problem: problem.into(),
            hint: None,
        }
    }
}

impl Tree {
    /// Reads the first document of a file; others mean nothing to GitHub.
    pub(crate) fn read(text: &str) -> Result<Self, Broken> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        has_no_crowded_line(text)?;
        let mut parser = Parser::new_from_str(text);
        let mut growing = Growing::over(text);
        while let Some((event, span)) = next(&mut parser, text)? {
            if matches!(event, Event::DocumentEnd | Event::StreamEnd) {
                break;
            }
            growing.take(event, span)?;
        }
        Ok(growing.tree)
    }

    pub(crate) fn root(&self) -> Option<Id> {
        self.root
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id.0]
    }

    /// What a mapping has under a key.
    pub(crate) fn get(&self, id: Id, key: &str) -> Option<Id> {
        self.entries(id)
            .find(|(name, _)| self.scalar(*name).is_some_and(|name| name.text == key))
            .map(|(_, value)| value)
    }

    /// A mapping's keys and values; none of anything else.
    pub(crate) fn entries(&self, id: Id) -> impl Iterator<Item = (Id, Id)> {
        let entries: &[(Id, Id)] = match &self.node(id).kind {
            Kind::Map(entries) => entries,
            Kind::List(_) | Kind::Scalar(_) => &[],
        };
        entries.iter().copied()
    }

    pub(crate) fn scalar(&self, id: Id) -> Option<&Scalar> {
        match &self.node(id).kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }
}

fn has_no_crowded_line(text: &str) -> Result<(), Broken> {
    for (index, line) in text.lines().enumerate() {
        if line.matches([',', '[', '{']).count() > MOST_ON_A_LINE {
            let place = Place {
                line: index + 1,
                ..Place::START
            };
            let problem = format!(
                "the file was not checked: this line has more than {MOST_ON_A_LINE} commas and brackets"
            );
            return Err(Broken {
                code: Code::NotChecked,
                ..Broken::new(place, problem)
            });
        }
    }
    Ok(())
}

fn next<'a>(
    parser: &mut Parser<'a, StrInput<'a>>,
    text: &str,
) -> Result<Option<(Event<'a>, Span)>, Broken> {
    let event = parser.next_event().transpose();
    event.map_err(|error| {
        let place = place(*error.marker());
        Broken {
            hint: hint(text, place),
            ..Broken::new(place, error.info())
        }
    })
}

/// What many write, and what YAML takes for a mapping in a list.
fn hint(text: &str, place: Place) -> Option<&'static str> {
    let line = text.lines().nth(place.line - 1)?;
    let bare = line.contains("${{") && line.contains('[');
    bare.then_some("between [ and ], put a text that has ${{ }} in it in quotes")
}

fn place(mark: Marker) -> Place {
    Place {
        line: mark.line().max(1),
        column: mark.col() + 1,
    }
}

/// A tree that is being read.
struct Growing<'a> {
    tree: Tree,
    lines: Vec<&'a str>,
    open: Vec<Open>,
    /// Complete nodes only: one that is still open cannot be named.
    anchors: BTreeMap<usize, Id>,
}

/// A list or a mapping whose end was not seen yet.
struct Open {
    place: Place,
    anchor: usize,
    is_map: bool,
    children: Vec<Id>,
}

impl<'a> Growing<'a> {
    fn over(text: &'a str) -> Self {
        Self {
            tree: Tree {
                nodes: Vec::new(),
                root: None,
            },
            lines: text.lines().collect(),
            open: Vec::new(),
            anchors: BTreeMap::new(),
        }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Broken> {
        let place = place(span.start);
        match event {
            Event::Alias(anchor) => {
                let named = self.anchors.get(&anchor).copied();
                let id = named
                    .ok_or_else(|| Broken::new(place, "an alias stands within what it names"))?;
                self.hang(id);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = self.scalar(text, style, tag.is_some(), place);
                self.add(place, anchor, Kind::Scalar(scalar));
            }
            Event::SequenceStart(anchor, _) => self.begin(place, anchor, false)?,
            Event::MappingStart(anchor, _) => self.begin(place, anchor, true)?,
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn begin(&mut self, place: Place, anchor: usize, is_map: bool) -> Result<(), Broken> {
        if self.open.len() >= DEEPEST {
            let problem = format!("more than {DEEPEST} lists and mappings within each other");
            return Err(Broken::new(place, problem));
        }
        self.open.push(Open {
            place,
            anchor,
            is_map,
            children: Vec::new(),
        });
        Ok(())
    }

    fn end(&mut self) {
        let Some(done) = self.open.pop() else {
            return;
        };
        let kind = if done.is_map {
            let pairs = done.children.chunks_exact(2);
            Kind::Map(pairs.map(|pair| (pair[0], pair[1])).collect())
        } else {
            Kind::List(done.children)
        };
        self.add(done.place, done.anchor, kind);
    }

    fn add(&mut self, place: Place, anchor: usize, kind: Kind) {
        let id = Id(self.tree.nodes.len());
        self.tree.nodes.push(Node { place, kind });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        self.hang(id);
    }

    /// Puts a node where it stands.
    fn hang(&mut self, id: Id) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(id),
            None => self.tree.root = self.tree.root.or(Some(id)),
        }
    }

    fn scalar(&self, text: Cow<'_, str>, style: ScalarStyle, tagged: bool, at: Place) -> Scalar {
        let quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
        let begin = at.further(usize::from(quoted));
        let line = self.lines.get(at.line - 1).copied().unwrap_or_default();
        let same = starts_with(line.chars().skip(begin.column - 1), &text);
        Scalar {
            plain: style == ScalarStyle::Plain && !tagged,
            verbatim: same.then_some(begin),
            text: text.into_owned(),
        }
    }
}

fn starts_with(mut line: impl Iterator<Item = char>, text: &str) -> bool {
    text.chars().all(|letter| line.next() == Some(letter))
}

//! Text with expressions in it.

use super::{Expression, parse};

/// A part of a text.
#[derive(Debug, PartialEq)]
pub(crate) enum Segment<'a> {
    /// Text as it is.
    Text {
        text: &'a str,
        /// Characters from 0.
        at: usize,
    },
    /// `${{ ... }}`.
    Expression {
        /// Nothing where it cannot be read.
        parsed: Option<Expression>,
        /// As it is written between the braces.
        text: &'a str,
        /// Where that begins, in characters from 0.
        at: usize,
    },
}

/// The parts of a text, in order. A `${{` without an end is text.
pub(crate) fn segments(text: &str) -> Vec<Segment<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut at) = (text, 0);
    while let Some((before, inside, after)) = split(rest) {
        if !before.is_empty() {
            found.push(Segment::Text { text: before, at });
        }
        at += before.chars().count() + 3;
        found.push(Segment::Expression {
            parsed: parse(inside),
            text: inside,
            at,
        });
        at += inside.chars().count() + 2;
        rest = after;
    }
    if !rest.is_empty() {
        found.push(Segment::Text { text: rest, at });
    }
    found
}

/// What stands before the first expression, in it, and behind it.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (before, begun) = text.split_once("${{")?;
    let end = end(begun)?;
    Some((before, &begun[..end], &begun[end + 2..]))
}

/// Where the first `}}` is that stands in no quotes.
fn end(text: &str) -> Option<usize> {
    let mut in_quotes = false;
    for (index, letter) in text.char_indices() {
        match letter {
            '\'' => in_quotes = !in_quotes,
            '}' if !in_quotes && text[index..].starts_with("}}") => return Some(index),
            _ => {}
        }
    }
    None
}

//! The words of an expression.

use super::{Literal, Operator};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    Name(String),
    Literal(Literal),
    Operator(Operator),
    Not,
    Dot,
    Star,
    Comma,
    Open,
    Close,
    OpenIndex,
    CloseIndex,
}

/// Nothing where GitHub would not understand a word either.
pub(super) fn words(text: &str) -> Option<Vec<Word>> {
    let letters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        if letter.is_whitespace() {
            at += 1;
            continue;
        }
        let (word, length) = word(&letters, at, found.last())?;
        found.push(word);
        at += length;
    }
    Some(found)
}

fn word(letters: &[char], at: usize, before: Option<&Word>) -> Option<(Word, usize)> {
    let letter = *letters.get(at)?;
    let second = letters.get(at + 1).copied();
    let two = |word| Some((word, 2));
    let one = |word| Some((word, 1));
    match (letter, second) {
        ('\'', _) => quoted(letters, at),
        ('|', Some('|')) => two(Word::Operator(Operator::Or)),
        ('&', Some('&')) => two(Word::Operator(Operator::And)),
        ('=', Some('=')) => two(Word::Operator(Operator::Equal)),
        ('!', Some('=')) => two(Word::Operator(Operator::NotEqual)),
        ('<', Some('=')) => two(Word::Operator(Operator::AtMost)),
        ('>', Some('=')) => two(Word::Operator(Operator::AtLeast)),
        ('<', _) => one(Word::Operator(Operator::Less)),
        ('>', _) => one(Word::Operator(Operator::Greater)),
        ('!', _) => one(Word::Not),
        ('*', _) => one(Word::Star),
        (',', _) => one(Word::Comma),
        ('(', _) => one(Word::Open),
        (')', _) => one(Word::Close),
        ('[', _) => one(Word::OpenIndex),
        (']', _) => one(Word::CloseIndex),
        ('.', next) if !next.is_some_and(|next| next.is_ascii_digit()) => one(Word::Dot),
        _ if letter.is_ascii_alphabetic() || letter == '_' => {
            name(&letters[at..], before == Some(&Word::Dot))
        }
        _ => number(&letters[at..]),
    }
}

fn quoted(letters: &[char], at: usize) -> Option<(Word, usize)> {
    let mut text = String::new();
    let mut doubled = false;
    let mut end = at + 1;
    loop {
        match (letters.get(end)?, letters.get(end + 1)) {
            ('\'', Some('\'')) => {
                text.push('\'');
                doubled = true;
                end += 2;
            }
            ('\'', _) => break,
            (letter, _) => {
                text.push(*letter);
                end += 1;
            }
        }
    }
    let literal = Literal::Text {
        text,
        at: (!doubled).then_some(at + 1),
    };
    Some((Word::Literal(literal), end + 1 - at))
}

/// A word, or a literal that looks like one; behind a dot it is always a word.
fn name(letters: &[char], is_member: bool) -> Option<(Word, usize)> {
    let name: String = letters
        .iter()
        .copied()
        .take_while(|letter| continues_a_name(*letter))
        .collect();
    let length = name.len();
    let word = match name.as_str() {
        "null" if !is_member => Word::Literal(Literal::Null),
        "true" if !is_member => Word::Literal(Literal::Bool(true)),
        "false" if !is_member => Word::Literal(Literal::Bool(false)),
        _ => Word::Name(name),
    };
    Some((word, length))
}

pub(super) fn continues_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')
}

fn number(letters: &[char]) -> Option<(Word, usize)> {
    let text: String = letters
        .iter()
        .take_while(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '+' | '-' | '.'))
        .collect();
    let value = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok().map(f64::from),
        None => text.parse().ok(),
    };
    Some((Word::Literal(Literal::Number(value?)), text.len()))
}

//! From the words of an expression to what it means.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::words::{Word, words};
use super::{Expression, Literal, Operator};

/// The deepest nesting; GitHub's own limit is 50.
const DEEPEST: usize = 50;

/// The longest expression, in bytes; GitHub's own limit is 21,000 characters.
const LONGEST: usize = 21_000;

/// The most words. No tree is deeper than it has words, and trees are read by recursion.
const MOST_WORDS: usize = 500;

/// Nothing where it cannot be read.
pub(crate) fn parse(text: &str) -> Option<Expression> {
    if text.len() > LONGEST {
        return None;
    }
    let words = words(text)?;
    if words.len() > MOST_WORDS {
        return None;
    }
    let mut parser = Parser {
        words: words.into_iter().peekable(),
        depth: 0,
    };
    let whole = parser.expression(0)?;
    parser.words.next().is_none().then_some(whole)
}

struct Parser {
    words: Peekable<IntoIter<Word>>,
    depth: usize,
}

impl Parser {
    /// Operators that bind at least so strongly, and what stands between them.
    fn expression(&mut self, strength: u8) -> Option<Expression> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let mut left = self.unary()?;
        while let Some(operator) = self.operator(strength) {
            let right = self.expression(operator.strength() + 1)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        self.depth -= 1;
        Some(left)
    }

    fn operator(&mut self, strength: u8) -> Option<Operator> {
        let Word::Operator(operator) = *self.words.peek()? else {
            return None;
        };
        if operator.strength() < strength {
            return None;
        }
        self.words.next();
        Some(operator)
    }

    fn unary(&mut self) -> Option<Expression> {
        let mut nots = 0;
        while self.takes(&Word::Not) {
            nots += 1;
        }
        let mut of = self.postfix()?;
        for _ in 0..nots {
            of = Expression::Not(Box::new(of));
        }
        Some(of)
    }

    fn postfix(&mut self) -> Option<Expression> {
        let mut of = self.primary()?;
        loop {
            of = if self.takes(&Word::Dot) {
                self.member(of)?
            } else if self.takes(&Word::OpenIndex) {
                self.index(of)?
            } else {
                return Some(of);
            };
        }
    }

    fn member(&mut self, of: Expression) -> Option<Expression> {
        if self.takes(&Word::Star) {
            return Some(Expression::Index(Box::new(of), None));
        }
        let Word::Name(name) = self.words.next()? else {
            return None;
        };
        Some(Expression::Member(Box::new(of), name))
    }

    fn index(&mut self, of: Expression) -> Option<Expression> {
        let of = Box::new(of);
        if self.takes(&Word::Star) {
            return self
                .takes(&Word::CloseIndex)
                .then_some(Expression::Index(of, None));
        }
        let index = self.expression(0)?;
        if !self.takes(&Word::CloseIndex) {
            return None;
        }
        if let Expression::Literal(Literal::Text { text, .. }) = index {
            return Some(Expression::Member(of, text));
        }
        Some(Expression::Index(of, Some(Box::new(index))))
    }

    fn primary(&mut self) -> Option<Expression> {
        if self.takes(&Word::Open) {
            let inner = self.expression(0)?;
            return self.takes(&Word::Close).then_some(inner);
        }
        let word = self.words.next()?;
        if let Word::Literal(literal) = word {
            return Some(Expression::Literal(literal));
        }
        let Word::Name(name) = word else {
            return None;
        };
        if self.takes(&Word::Open) {
            return Some(Expression::Call(name, self.arguments()?));
        }
        Some(Expression::Context(name))
    }

    fn arguments(&mut self) -> Option<Vec<Expression>> {
        let mut arguments = Vec::new();
        if self.takes(&Word::Close) {
            return Some(arguments);
        }
        loop {
            arguments.push(self.expression(0)?);
            if !self.takes(&Word::Comma) {
                return self.takes(&Word::Close).then_some(arguments);
            }
        }
    }

    fn takes(&mut self, word: &Word) -> bool {
        self.words.next_if_eq(word).is_some()
    }
}

//! GitHub's expressions, `${{ ... }}`, as far as labels need them.

mod parse;
mod template;
mod words;

pub(crate) use self::parse::parse;
pub(crate) use self::template::{Segment, segments};

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expression {
    Literal(Literal),
    /// `github`, `matrix`, ...; names mean the same in any case.
    Context(String),
    /// `of.name` and `of['name']`; what has a constant name.
    Member(Box<Expression>, String),
    /// `of[index]`, and `of.*` whose index is nothing.
    Index(Box<Expression>, Option<Box<Expression>>),
    /// A function.
    Call(String, Vec<Expression>),
    Not(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Number(f64),
    Text {
        text: String,
        /// Where it stands in the expression, in characters from 0; nothing where it stands there
        /// otherwise than as it is.
        at: Option<usize>,
    },
}

/// Weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

impl Operator {
    fn as_str(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    /// How strongly it binds.
    fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual => 3,
            Self::Less | Self::AtMost | Self::Greater | Self::AtLeast => 4,
        }
    }
}

impl Expression {
    /// One way to write it, however it was written.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Literal(Literal::Null) => "null".to_owned(),
            Self::Literal(Literal::Bool(value)) => value.to_string(),
            Self::Literal(Literal::Number(number)) => number.to_string(),
            Self::Literal(Literal::Text { text, .. }) => {
                format!("'{}'", text.replace('\'', "''"))
            }
            Self::Context(name) => name.clone(),
            Self::Member(of, name) if is_name(name) => format!("{}.{name}", of.written()),
            Self::Member(of, name) => {
                format!("{}['{}']", of.written(), name.replace('\'', "''"))
            }
            Self::Index(of, None) => format!("{}.*", of.written()),
            Self::Index(of, Some(index)) => format!("{}[{}]", of.written(), index.written()),
            Self::Call(name, arguments) => {
                let arguments: Vec<String> = arguments.iter().map(Self::written).collect();
                format!("{name}({})", arguments.join(", "))
            }
            Self::Not(of) => format!("!{}", of.written()),
            Self::Binary(operator, left, right) => {
                let operator = operator.as_str();
                format!("({} {operator} {})", left.written(), right.written())
            }
        }
    }

    /// Calls for it and for each part of it.
    pub(crate) fn each(&self, found: &mut impl FnMut(&Self)) {
        found(self);
        match self {
            Self::Literal(_) | Self::Context(_) => {}
            Self::Member(of, _) | Self::Not(of) => of.each(found),
            Self::Index(of, index) => {
                of.each(found);
                if let Some(index) = index {
                    index.each(found);
                }
            }
            Self::Call(_, arguments) => {
                for argument in arguments {
                    argument.each(found);
                }
            }
            Self::Binary(_, left, right) => {
                left.each(found);
                right.each(found);
            }
        }
    }

    /// Calls for each context that it reads, with the name of what it reads there.
    pub(crate) fn each_context(&self, found: &mut impl FnMut(&str, Option<&str>)) {
        match self {
            Self::Literal(_) => {}
            Self::Context(name) => found(name, None),
            Self::Member(of, member) => {
                if let Self::Context(name) = &**of {
                    found(name, Some(member));
                } else {
                    of.each_context(found);
                }
            }
            Self::Index(of, index) => {
                of.each_context(found);
                if let Some(index) = index {
                    index.each_context(found);
                }
            }
            Self::Call(_, arguments) => {
                for argument in arguments {
                    argument.each_context(found);
                }
            }
            Self::Not(of) => of.each_context(found),
            Self::Binary(_, left, right) => {
                left.each_context(found);
                right.each_context(found);
            }
        }
    }
}

/// Whether it may stand behind a dot.
fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    let begins = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    letters.next().is_some_and(begins) && letters.all(words::continues_a_name)
}

#[cfg(test)]
mod tests;

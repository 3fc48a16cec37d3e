//! A filter as a tree, and the tree as text that reads back as the same tree.
//!
//! Lists of `and` and `or` are flat, so depth comes from parentheses and `not` alone.

use std::fmt;

use regex_lite::Regex;

use super::field::{Field, Id};
use super::lexer::quote;
use super::value::Value;

/// A condition on a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// At least two, none of them an `All`.
    All(Vec<Self>),
    /// At least two, none of them an `Any`.
    Any(Vec<Self>),
    Not(Box<Self>),
    Present(Field),
    /// A text alone: in the URL, the file's name or the error's name.
    Search(Box<str>),
    Compare(Field, Op, Value),
    In(Field, Vec<Item>),
    Contains(Field, Box<str>),
    Like(Field, Box<str>),
    Matches(Field, Pattern),
}

/// How a field is compared with one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// One item of a list after `in`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    One(Value),
    /// `first..last`, both inclusive.
    Span(Value, Value),
}

/// A regular expression with its text, by which two are compared.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) text: Box<str>,
    pub(super) regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Expr {
    /// Joins two conditions with `and`.
    pub(super) fn and(self, other: Self) -> Self {
        let mut all = match self {
            Self::All(all) => all,
            one => vec![one],
        };
        match other {
            Self::All(more) => all.extend(more),
            one => all.push(one),
        }
        Self::All(all)
    }

    /// Joins two conditions with `or`.
    pub(super) fn or(self, other: Self) -> Self {
        let mut any = match self {
            Self::Any(any) => any,
            one => vec![one],
        };
        match other {
            Self::Any(more) => any.extend(more),
            one => any.push(one),
        }
        Self::Any(any)
    }

    /// Tells whether any condition names a field that is `meant`.
    pub(super) fn names(&self, meant: fn(&Field) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.names(meant)),
            Self::Not(inner) => inner.names(meant),
            Self::Search(_) => false,
            Self::Present(field)
            | Self::Compare(field, ..)
            | Self::In(field, _)
            | Self::Contains(field, _)
            | Self::Like(field, _)
            | Self::Matches(field, _) => meant(field),
        }
    }

    /// Adds the fields that are asked for; a text alone asks for the URL.
    pub(super) fn ids(&self, ids: &mut Vec<Id>) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.ids(ids)),
            Self::Not(inner) => inner.ids(ids),
            Self::Search(_) => ids.push(Id::HttpUrl),
            Self::Present(field)
            | Self::Compare(field, ..)
            | Self::In(field, _)
            | Self::Contains(field, _)
            | Self::Like(field, _)
            | Self::Matches(field, _) => ids.push(field.id),
        }
    }
}

impl Op {
    /// Returns the sign.
    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => join(f, parts, " and ", |part| matches!(part, Self::Any(_))),
            Self::Any(parts) => join(f, parts, " or ", |_| false),
            Self::Not(inner) if matches!(**inner, Self::All(_) | Self::Any(_)) => {
                write!(f, "not ({inner})")
            }
            Self::Not(inner) => write!(f, "not {inner}"),
            Self::Present(field) => f.write_str(&field.spelling()),
            Self::Search(text) => f.write_str(&quote(text)),
            Self::Compare(field, op, value) => {
                write!(f, "{} {} {value}", field.spelling(), op.sign())
            }
            Self::In(field, items) => {
                write!(f, "{} in {{", field.spelling())?;
                join(f, items, ", ", |_| false)?;
                f.write_str("}")
            }
            Self::Contains(field, text) => {
                write!(f, "{} contains {}", field.spelling(), quote(text))
            }
            Self::Like(field, text) => write!(f, "{} like {}", field.spelling(), quote(text)),
            Self::Matches(field, pattern) => {
                write!(f, "{} matches {}", field.spelling(), quote(&pattern.text))
            }
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(value) => value.fmt(f),
            Self::Span(first, last) => write!(f, "{first}..{last}"),
        }
    }
}

fn join<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    parts: &[T],
    between: &str,
    in_parentheses: impl Fn(&T) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        if in_parentheses(part) {
            write!(f, "({part})")?;
        } else {
            part.fmt(f)?;
        }
    }
    Ok(())
}

//! Tokens to a tree, every type checked on the way, so that matching cannot fail.
//!
//! `or` binds least, then `and`, then `not`. Errors name the place and what would do instead.

use std::ops::Range;

use regex_lite::RegexBuilder;

use super::error::FilterError;
use super::expr::{Expr, Item, Op, Pattern};
use super::field::{Field, Kind, looks_like_field, nearest_field};
use super::lexer::{self, Token};
use super::value::{Value, is_unit};

/// How deep parentheses and `not` may nest.
const DEEPEST: usize = 64;
/// Bytes that an expression may have.
const LONGEST: usize = 64 * 1024;
/// Bytes that a compiled regular expression may take.
const LARGEST_REGEX: usize = 1 << 20;

type Parsed<T> = Result<T, FilterError>;

/// What can stand between a field and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Compare(Op),
    Contains,
    Like,
    Matches,
    In,
}

/// Every spelling of an operator; `true` turns its meaning round.
const VERBS: [(&str, Verb, bool); 34] = [
    ("==", Verb::Compare(Op::Eq), false),
    ("!=", Verb::Compare(Op::Ne), false),
    ("<", Verb::Compare(Op::Lt), false),
    ("<=", Verb::Compare(Op::Le), false),
    (">", Verb::Compare(Op::Gt), false),
    (">=", Verb::Compare(Op::Ge), false),
    ("eq", Verb::Compare(Op::Eq), false),
    ("ne", Verb::Compare(Op::Ne), false),
    ("lt", Verb::Compare(Op::Lt), false),
    ("le", Verb::Compare(Op::Le), false),
    ("gt", Verb::Compare(Op::Gt), false),
    ("ge", Verb::Compare(Op::Ge), false),
    ("-eq", Verb::Compare(Op::Eq), false),
    ("-ieq", Verb::Compare(Op::Eq), false),
    ("-ne", Verb::Compare(Op::Ne), false),
    ("-ine", Verb::Compare(Op::Ne), false),
    ("-lt", Verb::Compare(Op::Lt), false),
    ("-le", Verb::Compare(Op::Le), false),
    ("-gt", Verb::Compare(Op::Gt), false),
    ("-ge", Verb::Compare(Op::Ge), false),
    ("contains", Verb::Contains, false),
    ("-contains", Verb::Contains, false),
    ("-notcontains", Verb::Contains, true),
    ("like", Verb::Like, false),
    ("-like", Verb::Like, false),
    ("-ilike", Verb::Like, false),
    ("-notlike", Verb::Like, true),
    ("matches", Verb::Matches, false),
    ("-match", Verb::Matches, false),
    ("-imatch", Verb::Matches, false),
    ("-notmatch", Verb::Matches, true),
    ("in", Verb::In, false),
    ("-in", Verb::In, false),
    ("-notin", Verb::In, true),
];

/// Finds the operator that `spelling` is.
pub(super) fn verb(spelling: &str) -> Option<(Verb, bool)> {
    VERBS
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(spelling))
        .map(|(_, verb, negated)| (*verb, *negated))
}

/// Tells whether `spelling` is `and`, `or` or `not`, and returns that word.
pub(super) fn connector(spelling: &str) -> Option<&'static str> {
    match spelling.to_ascii_lowercase().as_str() {
        "and" | "-and" | "&&" => Some("and"),
        "or" | "-or" | "||" => Some("or"),
        "not" | "-not" | "!" => Some("not"),
        _ => None,
    }
}

/// Reads an expression; `None` for an empty one.
pub(super) fn parse(text: &str) -> Parsed<Option<Expr>> {
    if text.len() > LONGEST {
        let message = format!("the expression is longer than {LONGEST} bytes");
        return Err(FilterError::new(text, 0..1, message));
    }
    let tokens = lexer::tokens(text)?;
    let mut parser = Parser {
        text,
        tokens: &tokens,
        depth: 0,
    };
    if tokens.is_empty() {
        return Ok(None);
    }
    let expr = parser.any()?;
    match parser.peek() {
        None => Ok(Some(expr)),
        Some(token) if parser.spelling(token) == ")" => {
            Err(parser.error(token.at.clone(), "this parenthesis was never opened"))
        }
        Some(token) => {
            let message = format!("expected `and` or `or` before {}", parser.shown(token));
            Err(parser
                .error(token.at.clone(), message)
                .hint("quote text that has blanks or signs in it"))
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    /// What is not read yet.
    tokens: &'t [Token],
    depth: usize,
}

impl<'t> Parser<'t> {
    fn any(&mut self) -> Parsed<Expr> {
        let mut left = self.all()?;
        while self.take_connector("or") {
            left = left.or(self.all()?);
        }
        Ok(left)
    }

    fn all(&mut self) -> Parsed<Expr> {
        let mut left = self.condition()?;
        while self.take_connector("and") {
            left = left.and(self.condition()?);
        }
        Ok(left)
    }

    fn condition(&mut self) -> Parsed<Expr> {
        let Some(token) = self.next() else {
            return Err(self.at_end("expected a condition"));
        };
        let spelling = self.spelling(token);
        if let lexer::Kind::Quoted(text) = &token.kind {
            return match self.peek().and_then(|next| verb(self.spelling(next))) {
                Some(_) => Err(self
                    .error(token.at.clone(), "a quoted text is not a field")
                    .hint("the field stands on the left, the value on the right")),
                None => Ok(Expr::Search(text.as_str().into())),
            };
        }
        match connector(spelling) {
            Some("not") => {
                self.deeper(token)?;
                let inner = self.condition()?;
                self.depth = self.depth.saturating_sub(1);
                return Ok(Expr::Not(Box::new(inner)));
            }
            Some(word) => {
                let message = format!("expected a condition before `{word}`");
                return Err(self.error(token.at.clone(), message));
            }
            None => {}
        }
        match &token.kind {
            lexer::Kind::Sign("(") => self.group(token),
            lexer::Kind::Sign(sign) => {
                let message = format!("expected a condition, found `{sign}`");
                Err(self.error(token.at.clone(), message))
            }
            _ => self.word(token, spelling),
        }
    }

    fn group(&mut self, open: &Token) -> Parsed<Expr> {
        self.deeper(open)?;
        let inner = self.any()?;
        self.depth = self.depth.saturating_sub(1);
        match self.next() {
            Some(token) if self.spelling(token) == ")" => Ok(inner),
            Some(token) => {
                let message = format!("expected `)`, `and` or `or` before {}", self.shown(token));
                Err(self.error(token.at.clone(), message))
            }
            None => Err(self.error(open.at.clone(), "this parenthesis is never closed")),
        }
    }

    /// A field with what follows it, or a word to search for.
    fn word(&mut self, token: &Token, word: &str) -> Parsed<Expr> {
        let operator = self
            .peek()
            .filter(|next| !matches!(next.kind, lexer::Kind::Quoted(_)));
        let spelling = operator.map_or("", |operator| self.spelling(operator));
        let negated_in = spelling.eq_ignore_ascii_case("not")
            && self
                .tokens
                .get(1)
                .is_some_and(|next| self.spelling(next).eq_ignore_ascii_case("in"));
        let found = if negated_in {
            Some((Verb::In, true))
        } else {
            verb(spelling)
        };
        let foreign = matches!(spelling, "=" | "===" | "!==" | "<>");
        let Some(field) = Field::find(word) else {
            if found.is_none() && !foreign && !looks_like_field(word) {
                return Ok(Expr::Search(word.into()));
            }
            let error = self.error(token.at.clone(), format!("there is no field `{word}`"));
            return Err(match nearest_field(word) {
                Some(name) => error.hint(format!("did you mean `{name}`?")),
                None if found.is_some() || foreign => error,
                None => error.hint(format!("to search for it, quote it: \"{word}\"")),
            });
        };
        let Some(operator) = operator.filter(|_| found.is_some() || foreign) else {
            return Ok(Expr::Present(field));
        };
        self.next();
        let Some((verb, negated)) = found else {
            let meant = if matches!(spelling, "!==" | "<>") {
                "!="
            } else {
                "=="
            };
            return Err(self
                .error(
                    operator.at.clone(),
                    format!("`{spelling}` is not an operator here"),
                )
                .hint(format!("write `{meant}`")));
        };
        if negated_in {
            self.next();
        }
        if negated {
            self.deeper(operator)?;
            self.depth = self.depth.saturating_sub(1);
        }
        let expr = self.comparison(field, verb, operator)?;
        Ok(if negated {
            Expr::Not(Box::new(expr))
        } else {
            expr
        })
    }

    fn comparison(&mut self, field: Field, verb: Verb, operator: &Token) -> Parsed<Expr> {
        self.check(&field, verb, operator)?;
        match verb {
            Verb::Compare(op) => {
                let (text, at) = self.value_text(&field, operator)?;
                let value = self.value(&field, &text, at)?;
                Ok(Expr::Compare(field, op, value))
            }
            Verb::In => Ok(Expr::In(field.clone(), self.items(&field, operator)?)),
            Verb::Contains => {
                let (text, _) = self.value_text(&field, operator)?;
                Ok(Expr::Contains(field, text.into()))
            }
            Verb::Like => {
                let (text, _) = self.value_text(&field, operator)?;
                Ok(Expr::Like(field, text.into()))
            }
            Verb::Matches => {
                let (text, at) = self.value_text(&field, operator)?;
                let regex = RegexBuilder::new(&text)
                    .case_insensitive(true)
                    .size_limit(LARGEST_REGEX)
                    .build()
                    .map_err(|error| {
                        self.error(at, format!("not a regular expression: {error}"))
                    })?;
                let text = text.into();
                Ok(Expr::Matches(field, Pattern { text, regex }))
            }
        }
    }

    /// Refuses an operator that the field's type does not have.
    fn check(&self, field: &Field, verb: Verb, operator: &Token) -> Parsed<()> {
        let name = field.spelling();
        let sign = self.spelling(operator);
        if field.kind == Kind::Flag {
            let message = format!("`{name}` has no value to compare");
            return Err(self
                .error(operator.at.clone(), message)
                .hint(format!("write `{name}` or `not {name}` alone")));
        }
        match verb {
            Verb::Compare(Op::Lt | Op::Le | Op::Gt | Op::Ge) if !field.kind.is_ordered() => {
                Err(self.no_order(field, operator))
            }
            Verb::Contains | Verb::Like | Verb::Matches if !field.kind.is_textual() => {
                let kind = field.kind.name();
                let message = format!("`{sign}` looks into text; {name} is of type {kind}");
                let hint = match field.kind {
                    Kind::Address => "compare with a network: `client.ip == 10.0.0.0/8`",
                    Kind::Code => "`bits.error.name` is the name as text",
                    _ => "compare it with `==`, `<`, `>` or `in {first..last}`",
                };
                Err(self.error(operator.at.clone(), message).hint(hint))
            }
            _ => Ok(()),
        }
    }

    fn no_order(&self, field: &Field, operator: &Token) -> FilterError {
        let sign = self.spelling(operator);
        let message = format!(
            "`{sign}` compares numbers; {} has no order here",
            field.spelling()
        );
        self.error(operator.at.clone(), message)
            .hint("use `==`, `!=` or `in {...}`")
    }

    /// `{a, b, first..last}`
    fn items(&mut self, field: &Field, operator: &Token) -> Parsed<Vec<Item>> {
        let wanted = "expected a list like `{a, b}`";
        let open = match self.next() {
            Some(token) if self.spelling(token) == "{" => token,
            Some(token) => return Err(self.error(token.at.clone(), wanted)),
            None => return Err(self.at_end(wanted)),
        };
        let mut items = Vec::new();
        loop {
            let (text, at) = self.value_text(field, operator)?;
            let ends = text.split_once("..").filter(|_| field.kind.is_ordered());
            items.push(match ends {
                Some((first, last)) => {
                    let first = self.value(field, first.trim(), at.clone())?;
                    let last = self.value(field, last.trim(), at.clone())?;
                    Item::Span(first, last)
                }
                None => Item::One(self.value(field, &text, at)?),
            });
            match self.next() {
                Some(token) if self.spelling(token) == "," => {}
                Some(token) if self.spelling(token) == "}" => return Ok(items),
                Some(token) => {
                    let message = format!("expected `,` or `}}` before {}", self.shown(token));
                    return Err(self.error(token.at.clone(), message));
                }
                None => return Err(self.error(open.at.clone(), "this list is never closed")),
            }
        }
    }

    fn value(&self, field: &Field, text: &str, at: Range<usize>) -> Parsed<Value> {
        Value::parse(field, text).map_err(|(message, hint)| {
            let error = self.error(at, message);
            match hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }

    /// The text of the next value with its place: a quoted text, a word, a number with its unit, or
    /// a session id in braces.
    fn value_text(&mut self, field: &Field, operator: &Token) -> Parsed<(String, Range<usize>)> {
        let Some(token) = self.next() else {
            let message = format!("expected a value after `{}`", self.spelling(operator));
            return Err(self.at_end(&message));
        };
        if let lexer::Kind::Quoted(text) = &token.kind {
            return Ok((text.clone(), token.at.clone()));
        }
        let spelling = self.spelling(token);
        if token.kind == lexer::Kind::Sign("{") && field.kind == Kind::SessionId {
            return self.braced(token);
        }
        if token.kind != lexer::Kind::Word || connector(spelling).is_some() {
            let error = self.error(
                token.at.clone(),
                format!("expected a value, found `{spelling}`"),
            );
            return Err(match spelling {
                "{" => error.hint("a list needs `in` before it"),
                "}" => error.hint("a list has at least one value"),
                _ => error.hint("quote a value that is also a word of the language"),
            });
        }
        let mut text = spelling.to_owned();
        let mut at = token.at.clone();
        while let Some(next) = self.peek().filter(|next| next.kind == lexer::Kind::Word) {
            let word = self.spelling(next);
            let number = text.ends_with(|c: char| c.is_ascii_digit());
            let more = field.kind == Kind::Time
                && !number
                && word.starts_with(|c: char| c.is_ascii_digit());
            if !(number && is_unit(field.kind, word) || more) {
                break;
            }
            if more {
                text.push(' ');
            }
            text.push_str(word);
            at.end = next.at.end;
            self.next();
        }
        Ok((text, at))
    }

    /// `{3F2B...}` where a session id is due.
    fn braced(&mut self, open: &Token) -> Parsed<(String, Range<usize>)> {
        let id = self.next().filter(|token| token.kind == lexer::Kind::Word);
        let close = self.next().filter(|token| self.spelling(token) == "}");
        match (id, close) {
            (Some(id), Some(close)) => {
                Ok((self.spelling(id).to_owned(), open.at.start..close.at.end))
            }
            _ => Err(self
                .error(open.at.clone(), "expected a session id like `{3F2B...}`")
                .hint("a list needs `in` before it")),
        }
    }

    fn deeper(&mut self, token: &Token) -> Parsed<()> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > DEEPEST {
            let message = format!("nested more than {DEEPEST} deep");
            return Err(self.error(token.at.clone(), message));
        }
        Ok(())
    }

    fn take_connector(&mut self, wanted: &str) -> bool {
        let found = self.peek().is_some_and(|token| {
            !matches!(token.kind, lexer::Kind::Quoted(_))
                && connector(self.spelling(token)) == Some(wanted)
        });
        if found {
            self.next();
        }
        found
    }

    fn peek(&self) -> Option<&'t Token> {
        self.tokens.first()
    }

    fn next(&mut self) -> Option<&'t Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    /// The token as it stands in the text, quotes included.
    fn spelling(&self, token: &Token) -> &'t str {
        self.text.get(token.at.clone()).unwrap_or_default()
    }

    fn shown(&self, token: &Token) -> String {
        format!("`{}`", self.spelling(token))
    }

    fn error(&self, at: Range<usize>, message: impl Into<String>) -> FilterError {
        FilterError::new(self.text, at, message)
    }

    fn at_end(&self, message: &str) -> FilterError {
        let end = self.text.trim_end().len();
        self.error(end..end, message)
    }
}

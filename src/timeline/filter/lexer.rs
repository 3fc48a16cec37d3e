//! An expression's text as tokens with their places.
//!
//! Knows signs, words and quotes; which word is a field and which a value is the parser's business.

use std::ops::Range;

use winnow::combinator::{alt, cut_err, delimited, repeat};
use winnow::error::{ContextError, ErrMode};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, literal, none_of, one_of, take_while};

use super::error::FilterError;

type Input<'t> = LocatingSlice<&'t str>;
type Lexed<O> = Result<O, ErrMode<ContextError>>;

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything without blanks, quotes and signs; its text is in the expression.
    Word,
    /// A quoted text, quotes and escapes resolved.
    Quoted(String),
    /// `== != < <= > >= && || ! ( ) { } ,`, or a sign of another language: `= === <> |`.
    Sign(&'static str),
}

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Bytes of the expression.
    pub(super) at: Range<usize>,
}

/// The signs, longer ones before those that they begin with.
const SIGNS: [&str; 18] = [
    "===", "!==", "==", "!=", "<>", "<=", ">=", "&&", "||", "=", "<", ">", "!", "(", ")", "{", "}",
    ",",
];

/// Cuts `text` into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let (tokens, end) = prefix(text);
    match text.get(end..).filter(|rest| !rest.is_empty()) {
        None => Ok(tokens),
        Some(rest) if rest.starts_with(['"', '\'']) => Err(FilterError::new(
            text,
            end..end.saturating_add(1),
            "this quote is never closed",
        )),
        Some(_) => Err(FilterError::new(
            text,
            end..end.saturating_add(1),
            "this sign means nothing here",
        )
        .hint("`||` is or; quote text that has signs in it")),
    }
}

/// Cuts as much of `text` into tokens as can be, and returns the byte where that ended.
pub(super) fn prefix(text: &str) -> (Vec<Token>, usize) {
    let mut input = LocatingSlice::new(text);
    let mut tokens = Vec::new();
    let mut end = 0;
    while let Ok((kind, at)) = (blanks, token.with_span())
        .map(|(_, token)| token)
        .parse_next(&mut input)
    {
        end = at.end;
        tokens.push(Token { kind, at });
    }
    let blank = text.get(end..).map_or(0, |rest| {
        rest.len()
            .saturating_sub(rest.trim_start_matches(is_blank).len())
    });
    (tokens, end.saturating_add(blank))
}

/// Tells whether `c` can be part of a word.
pub(super) fn in_word(c: char) -> bool {
    !is_blank(c) && !"\"'(){},=!<>|".contains(c)
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

fn blanks<'t>(input: &mut Input<'t>) -> Lexed<&'t str> {
    take_while(0.., is_blank).parse_next(input)
}

fn token(input: &mut Input<'_>) -> Lexed<Kind> {
    alt((
        double.map(Kind::Quoted),
        single.map(Kind::Quoted),
        sign.map(Kind::Sign),
        word.value(Kind::Word),
    ))
    .parse_next(input)
}

fn sign(input: &mut Input<'_>) -> Lexed<&'static str> {
    for sign in SIGNS {
        if literal::<_, _, ErrMode<ContextError>>(sign)
            .parse_next(input)
            .is_ok()
        {
            return Ok(sign);
        }
    }
    Err(ErrMode::Backtrack(ContextError::new()))
}

/// A run of word characters; `&` is one of them (it is common in URLs), `&&` ends the word.
fn word(input: &mut Input<'_>) -> Lexed<()> {
    let start = *input;
    let run = take_while(1.., in_word).parse_next(input)?;
    if let Some(at) = run.find("&&") {
        *input = start;
        take_while(at, in_word).void().parse_next(input)?;
    }
    Ok(())
}

/// `"..."` with `\" \\ \n \r \t \xHH`; any other backslash stands for itself, so that regular
/// expressions and Windows paths need no doubling.
fn double(input: &mut Input<'_>) -> Lexed<String> {
    let escape = |input: &mut Input<'_>| -> Lexed<String> {
        literal("\\").void().parse_next(input)?;
        let hex = (
            literal("x"),
            take_while(2, |c: char| c.is_ascii_hexdigit()).verify_map(|digits: &str| {
                u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii)
            }),
        );
        alt((
            hex.map(|(_, byte)| char::from(byte).to_string()),
            one_of(['"', '\\']).map(String::from),
            literal("n").map(|_| "\n".to_owned()),
            literal("r").map(|_| "\r".to_owned()),
            literal("t").map(|_| "\t".to_owned()),
            any.map(|c| format!("\\{c}")),
        ))
        .parse_next(input)
    };
    let part = alt((none_of(['"', '\\']).map(String::from), escape));
    delimited(
        literal("\""),
        cut_err(repeat(0.., part)).map(|parts: Vec<String>| parts.concat()),
        cut_err(literal("\"")),
    )
    .parse_next(input)
}

/// `'...'`: every character stands for itself, `''` for one quote, as in PowerShell.
fn single(input: &mut Input<'_>) -> Lexed<String> {
    let part = alt((none_of('\''), literal("''").value('\'')));
    delimited(
        literal("'"),
        cut_err(repeat(0.., part)).map(|parts: Vec<char>| parts.into_iter().collect()),
        cut_err(literal("'")),
    )
    .parse_next(input)
}

/// Returns `text` between double quotes, so that it reads back as itself.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len().saturating_add(2));
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_ascii_control() => quoted.push_str(&escaped(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn escaped(c: char) -> String {
    format!("\\x{:02x}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        tokens(text).unwrap().into_iter().map(|t| t.kind).collect()
    }

    #[test]
    fn words_end_at_signs_and_keep_ampersands_of_urls() {
        use Kind::{Sign, Word};
        assert_eq!(
            kinds("a!=b&c&&!(d>=1)"),
            [
                Word,
                Sign("!="),
                Word,
                Sign("&&"),
                Sign("!"),
                Sign("("),
                Word,
                Sign(">="),
                Word,
                Sign(")")
            ]
        );
    }

    #[test]
    fn quotes_resolve_their_escapes_and_leave_other_backslashes() {
        let text = r#""a\"b\\c\d\x41" 'it''s \n'"#;
        assert_eq!(
            kinds(text),
            [
                Kind::Quoted(r#"a"b\c\dA"#.to_owned()),
                Kind::Quoted(r"it's \n".to_owned())
            ]
        );
    }

    #[test]
    fn what_is_quoted_reads_back() {
        for text in ["", "a b", "\"", "\\", "\\x41", "\\\"", "\u{1}\n\té'"] {
            assert_eq!(
                kinds(&quote(text)),
                [Kind::Quoted(text.to_owned())],
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_open_quote_is_shown_where_it_begins() {
        let error = tokens("a == \"b").unwrap_err();
        assert_eq!((error.column, error.length), (6, 1));
        assert_eq!(tokens("a | b").unwrap_err().column, 3);
    }
}

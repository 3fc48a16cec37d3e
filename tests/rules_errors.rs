//! What is said about mistakes in rules files: the place, the reason, what is allowed.

use bitstap::fault::{Error, parse};

fn errors(text: &str) -> Vec<Error> {
    parse(text).err().unwrap_or_else(|| panic!("{text}"))
}

/// The part of the text that an error is about, its message, its hint.
fn said(text: &str) -> Vec<(String, String, String)> {
    errors(text)
        .into_iter()
        .map(|error| {
            let line = text.lines().nth(error.line - 1).unwrap_or_default();
            let part = line
                .chars()
                .skip(error.column - 1)
                .take(error.length)
                .collect();
            (part, error.text, error.hint)
        })
        .collect()
}

/// Wants one error about a rule with a name and an action, and these keys instead of the usual ones.
fn one(keys: &str, part: &str, message: &str, hint: &str) {
    let action = if keys.contains("do = ") {
        ""
    } else {
        "do = [ { reset = {} } ]\n"
    };
    let text = format!("[[rule]]\nname = \"r\"\n{action}{keys}\n");
    let said = said(&text);
    let [(found, text, given)] = &said[..] else {
        panic!("{keys}: {said:?}");
    };
    assert_eq!(found, part, "{keys}: {text}");
    assert!(text.contains(message), "{keys}: {text}");
    assert!(given.contains(hint), "{keys}: {given}");
}

#[test]
fn unknown_words_name_the_nearest() {
    one(
        "wehn = 'bits'",
        "wehn",
        "no key `wehn`",
        "did you mean `when`? allowed: name, preset",
    );
    one(
        "stage = 'response.haed'",
        "'response.haed'",
        "no stage",
        "did you mean `response.head`?",
    );
    one(
        "count = { tims = 1 }",
        "tims",
        "no key",
        "did you mean `times`?",
    );
    one(
        "do = [ { rest = {} }, { reset = {} } ]",
        "rest",
        "no key `rest`",
        "did you mean `reset`?",
    );
    one(
        "do = [ { reset = { side = 'klient' } } ]",
        "'klient'",
        "no side",
        "allowed: client, server, both",
    );
    one(
        "do = [ { remove = { bits = ['recieved'] } } ]",
        "'recieved'",
        "no field of BITS",
        "`received`",
    );
    one(
        "do = [ { respond = { status = 500, bits = { errror = '0x1' } } } ]",
        "errror",
        "no field of BITS",
        "`error`",
    );
    one("preset = 'F-1O'", "'F-1O'", "no preset", "");
    one(
        "preset = 'F-29'",
        "'F-29'",
        "there is no preset F-29: which other host",
        "rules list",
    );
}

#[test]
fn wrong_types_and_values_say_what_is_wanted() {
    one(
        "chance = 'often'",
        "'often'",
        "expected a number, found a string",
        "0.25",
    );
    one("chance = 1.5", "1.5", "a probability", "0 to 1");
    one("chance = nan", "nan", "no number", "");
    one("count = { every = 0 }", "0", "each 0th match", "");
    one(
        "count = { times = 0 }",
        "0",
        "0 times is never",
        "off = true",
    );
    one("count = { skip = -1 }", "-1", "below 0", "");
    one(
        "off = 'yes'",
        "'yes'",
        "expected true or false",
        "without quotes",
    );
    one(
        "during = { from = '2m', to = '30s' }",
        "{ from = '2m', to = '30s' }",
        "over before it begins",
        "",
    );
    one(
        "do = [ { delay = { ms = 3, s = 1 } } ]",
        "{ ms = 3, s = 1 }",
        "more than once",
        "keep one of",
    );
    one("do = [ { delay = {} } ]", "{}", "how long to wait", "");
    one(
        "do = [ { delay = { ms = 3, jitter = 4 } } ]",
        "4",
        "jitter is longer",
        "",
    );
    one(
        "do = [ { limit = { rate = 'fast' } } ]",
        "'fast'",
        "not a rate",
        "2Mbit/s",
    );
    one(
        "do = [ { respond = { status = 42 } } ]",
        "42",
        "from 200 to 999",
        "",
    );
    one("do = [ { respond = {} } ]", "{}", "status is missing", "");
    one(
        "do = [ { respond = { status = 500, bits = { error = 'lost' } } } ]",
        "'lost'",
        "not an error code",
        "BG_E_SESSION_NOT_FOUND",
    );
    one(
        "do = [ { respond = { status = 500, bits = { received = 'none' } } } ]",
        "'none'",
        "not an offset",
        "{ text = \"...\" }",
    );
    one(
        "do = [ { respond = { status = 200, headers = { 'a b' = 'x' } } } ]",
        "'a b'",
        "no name of a header field",
        "",
    );
    one(
        "do = [ { set = { headers = { X = \"a\\r\\nB: c\" } } } ]",
        "\"a\\r\\nB: c\"",
        "one line",
        "",
    );
    one("do = []", "[]", "does nothing", "");
    one("do = [ {} ]", "{}", "here are 0", "");
    one(
        "do = [ { reset = {}, close = {} } ]",
        "{ reset = {}, close = {} }",
        "here are 2",
        "",
    );
    one("expect = { within = '1m' }", "'1m'", "bounds `then`", "");
}

#[test]
fn what_could_never_happen_is_refused() {
    one(
        "stage = 'connect'\ndo = [ { reset = { side = 'server' } } ]",
        "'server'",
        "no server yet",
        "client",
    );
    one(
        "do = [ { reset = {} }, { delay = { ms = 1 } } ]",
        "{ delay = { ms = 1 } }",
        "`reset` is final",
        "last",
    );
    one(
        "stage = 'response.head'\ndo = [ { drop_response = {} }, { delay = { ms = 1 } } ]",
        "{ delay = { ms = 1 } }",
        "is final",
        "only reset, close or hang",
    );
    one(
        "stage = 'response.head'\ndo = [ { drop_response = {} }, { reset = {} }, { hang = {} } ]",
        "{ hang = {} }",
        "`reset` is final",
        "",
    );
    one(
        "at = { body = 1 }",
        "{ body = 1 }",
        "a place in the content",
        "request.body",
    );
    one(
        "stage = 'request.body'\nat = { body = 1, percent = 2 }",
        "{ body = 1, percent = 2 }",
        "one place",
        "",
    );
    one(
        "stage = 'request.body'\nat = { percent = 101 }",
        "101",
        "0 to 100",
        "",
    );
    for (stage, action, stages) in [
        (
            "request.head",
            "{ flip = {} }",
            "request.body, response.body",
        ),
        (
            "response.head",
            "{ truncate = {} }",
            "request.body, response.body",
        ),
        ("close", "{ respond = { status = 500 } }", "request.head"),
        (
            "request.body",
            "{ set = { headers = { X = 'y' } } }",
            "request.head, response.head",
        ),
        ("request.head", "{ refuse = { s = 1 } }", "connect"),
        ("request.head", "{ tls = { fault = 'expired' } }", "connect"),
        ("connect", "{ hold = {} }", "request.head, response.head"),
    ] {
        let keys = format!("stage = '{stage}'\ndo = [ {action} ]");
        one(&keys, action, "cannot be done at", stages);
    }
    one(
        "do = [ { set = { status = 500 } } ]",
        "500",
        "a request has no status",
        "response.head",
    );
}

#[test]
fn conditions_on_what_a_rule_cannot_see_are_refused() {
    for (stage, when, field, message) in [
        (
            "request.head",
            "bits and http.status >= 400",
            "http.status",
            "not known at request.head",
        ),
        (
            "request.body",
            "bits.received > 1",
            "bits.received",
            "not known at request.body",
        ),
        (
            "request.head",
            "bits.error == 0x8020001F",
            "bits.error",
            "not known",
        ),
        (
            "request.head",
            "bits.error.name contains x",
            "bits.error.name",
            "not known",
        ),
        (
            "request.head",
            "time.wait > 1s",
            "time.wait",
            "no rule can see",
        ),
        ("response.head", "not no == 3", "no", "no rule can see `no`"),
        ("response.head", "mark", "mark", "no rule can see"),
        (
            "response.head",
            "finding == x",
            "finding",
            "no rule can see",
        ),
        (
            "response.head",
            "fault.rule == x",
            "fault.rule",
            "no rule can see",
        ),
        (
            "response.head",
            "session.state == lost",
            "session.state",
            "sessions",
        ),
        (
            "connect",
            "client.ip == 10.0.0.0/8 and http.header.host == a",
            "http.header.",
            "not known at connect",
        ),
        (
            "connect",
            "report.csv",
            "'report.csv'",
            "not known at connect",
        ),
    ] {
        let keys = format!("stage = '{stage}'\nwhen = '{when}'");
        let text = format!("[[rule]]\nname = 'r'\ndo = [ {{ reset = {{}} }} ]\n{keys}\n");
        let said = said(&text);
        let [(part, text, hint)] = &said[..] else {
            panic!("{keys}: {said:?}");
        };
        assert_eq!(part, field, "{keys}");
        assert!(
            format!("{text} {hint}").contains(message),
            "{keys}: {text} {hint}"
        );
        assert!(
            hint.contains(&format!("known at {stage}: ")),
            "{keys}: {hint}"
        );
    }
    // The same at a stage where it is known.
    let text = "[[rule]]\nname='r'\nstage='response.head'\nwhen='http.status >= 400 and bits.error'\ndo=[{reset={}}]";
    assert!(parse(text).is_ok());
}

#[test]
fn mistakes_in_a_condition_have_their_own_column() {
    one(
        "when = \"bits.type == fragmnt\"",
        "fragmnt",
        "packet type",
        "Fragment",
    );
    one(
        "when = 'http.statsu == 500'",
        "http.statsu",
        "no field",
        "http.status",
    );
    one(
        "when = \"http.url == \\\"a\\\" and http.statsu == 500\"",
        "http.statsu",
        "no field",
        "",
    );
    one("expect = { then = 'bits.type ==' }", "'", "", "");
    let text = "[[rule]]\nname = 'r'\ndo = [ { reset = {} } ]\nwhen = '''\nbits and\nhttp.statsu == 1'''\n";
    let error = &errors(text)[0];
    assert_eq!((error.line, error.column), (6, 1), "{error:?}");
}

#[test]
fn every_mistake_is_told_from_the_top() {
    let text = "version = 2\n[[rule]]\nname = 'a'\nchance = 2\nwhen = 'bits.tpye'\ndo = [ { rset = {} }, { delay = { ms = 'x' } } ]\n[[rule]]\nname = 'b'\n[[rule]]\ndo = [ { reset = {} } ]\n[[rule]]\nname = 'b'\ndo = [ { reset = {} } ]\n";
    let errors = errors(text);
    let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
    assert!(lines.is_sorted(), "{errors:?}");
    for line in [1, 4, 5, 6, 7, 9] {
        assert!(lines.contains(&line), "{line}: {errors:?}");
    }
    assert_eq!(
        lines.iter().filter(|line| **line == 6).count(),
        2,
        "{errors:?}"
    );
}

#[test]
fn names_are_unique_and_readable() {
    let said = said(
        "[[rule]]\nname = 'a'\ndo = [ { reset = {} } ]\n[[rule]]\nname = 'a'\ndo = [ { close = {} } ]\n",
    );
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].0, "'a'");
    assert!(said[0].1.contains("a rule `a` above"));
    let twice = "[[rule]]\npreset = 'F-11'\n[[rule]]\npreset = 'F-11'\n";
    let found = errors(twice);
    assert!(found[0].hint.contains("give this one its own"), "{found:?}");
    assert!(
        errors("[[rule]]\nname = \"a\\nb\"\ndo = [ { reset = {} } ]")[0]
            .text
            .contains("one line")
    );
}

#[test]
fn a_file_that_is_no_toml_says_where() {
    let found = errors("version = 1\n[[rule]\nname = \"x\"\n");
    assert_eq!((found[0].line, found[0].column), (2, 8), "{found:?}");
    let found = errors("version =\nseed = 1x\n");
    let lines: Vec<usize> = found.iter().map(|error| error.line).collect();
    assert!(lines.contains(&1) && lines.contains(&2), "{found:?}");
    let doubled = errors("seed = 1\nseed = 2\n");
    assert_eq!(doubled[0].line, 2, "{doubled:?}");
}

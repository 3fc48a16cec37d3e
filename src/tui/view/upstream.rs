//! Upstream tab: what of an exchange is not the same between client and proxy and between proxy and
//! server.

use ratatui::text::Line;

use super::super::compare::{self, Compared};
use super::super::copy::{is_secret, parse_head};
use super::super::model::Model;
use super::super::rows::Rows;
use super::super::text::{long, visible};
use super::super::theme::{Role, signs};
use super::super::want::head;
use super::detail::{nothing, paragraph};
use crate::event::{Close, Direction};
use crate::timeline::row::Message;
use crate::timeline::{Connection, Exchange, Legs, Upstream};
use crate::wire::Stream;
use crate::wire::diff::{Difference, differences};

/// Differences of one head that are shown.
const SHOWN: usize = 200;

/// Longest value that is shown, in bytes.
const VALUE: usize = 400;

/// Lines under construction.
struct Page<'m> {
    model: &'m Model,
    width: usize,
    out: Vec<Line<'static>>,
}

impl Page<'_> {
    fn say(&mut self, sign: &str, text: &str, role: Role) {
        let sign = format!(" {sign}");
        paragraph(
            &mut self.out,
            &sign,
            3,
            text,
            self.width,
            self.model.look,
            role,
        );
    }
}

/// Returns the tab's lines.
pub(super) fn lines(model: &Model, rows: &dyn Rows, width: usize) -> Vec<Line<'static>> {
    let Some(exchange) = model.exchange(rows) else {
        return nothing(model);
    };
    let mut page = Page {
        model,
        width,
        out: Vec::new(),
    };
    match rows.legs(exchange) {
        Legs::One => page.say(
            "",
            "There is one leg only: this was recorded by somebody else, or before the proxy had dialled the server.",
            Role::Dim,
        ),
        Legs::Nowhere => page.say(
            "!",
            "This never went upstream: the proxy had no connection to the server.",
            Role::Warning,
        ),
        Legs::Pending => page.say("", "The exchange is not over yet.", Role::Live),
        Legs::Withheld => page.say(
            "!",
            "The request was not passed on: the proxy dealt with it itself.",
            Role::Warning,
        ),
        Legs::Same => {
            page.say(
                "",
                "Nothing differs: both heads are equal byte by byte, and the bodies are equally long.",
                Role::Good,
            );
            page.say(
                "",
                "The bodies of the upstream leg were not kept: they are the client's.",
                Role::Dim,
            );
        }
        Legs::Other(upstream) => differ(&mut page, exchange, upstream),
    }
    if let Some(connection) = rows.connection(exchange.conn) {
        ends(&mut page, connection);
    }
    page.out
}

fn differ(page: &mut Page<'_>, exchange: &Exchange, upstream: &Upstream) {
    if upstream.unread {
        page.say(
            "!",
            "Something on the upstream leg could not be read as HTTP: what seems to be missing may have passed.",
            Role::Warning,
        );
    }
    let sides = [
        (
            "Request",
            Stream::Requests,
            exchange.request.as_ref(),
            upstream.request.as_ref(),
        ),
        (
            "Response",
            Stream::Responses,
            exchange.response.as_ref(),
            upstream.response.as_ref(),
        ),
    ];
    for (at, (name, stream, client, server)) in sides.into_iter().enumerate() {
        let (Some(client), Some(server)) = (client, server) else {
            let text = match (client, server) {
                (Some(_), None) if stream == Stream::Requests => {
                    "Request: only the client's leg has it."
                }
                (Some(_), None) => "Response: the proxy's own, none came from the server.",
                (None, Some(_)) if stream == Stream::Responses => {
                    "Response: the server's did not reach the client."
                }
                (None, Some(_)) => "Request: only the upstream leg has it.",
                (None, None) | (Some(_), Some(_)) => continue,
            };
            page.say("!", text, Role::Warning);
            continue;
        };
        heads(page, name, stream, client, server);
        let kept = upstream.kept.get(at).copied().unwrap_or(false);
        bodies(page, name, client, server, kept);
    }
}

fn heads(page: &mut Page<'_>, name: &str, stream: Stream, client: &Message, server: &Message) {
    let read = |message: &Message| {
        let want = head(message)?;
        Some(
            page.model
                .read(&want)?
                .as_ref()
                .map(|chunk| parse_head(chunk, want.len, stream)),
        )
    };
    let both = (read(client), read(server));
    let (before, after) = match both {
        (Some(Ok(Ok(before))), Some(Ok(Ok(after)))) => (before, after),
        (None, _) | (_, None) => {
            return page.say("", &format!("{name}: no head to read."), Role::Dim);
        }
        (Some(Err(why)), _) | (_, Some(Err(why))) => {
            let text = format!("{name}: not readable: {why}");
            return page.say("!", &text, Role::Error);
        }
        (Some(Ok(Err(why))), _) | (_, Some(Ok(Err(why)))) => {
            return page.say("!", &format!("{name}: {why}"), Role::Warning);
        }
    };
    let found = differences(&before, &after);
    if found.is_empty() {
        return page.say("", &format!("{name}: the heads are equal."), Role::Good);
    }
    page.say(
        "",
        &format!("{name}: what the proxy made of the head:"),
        Role::Strong,
    );
    for difference in found.iter().take(SHOWN) {
        let (sign, text) = told(page.model, difference);
        page.say(sign, &text, Role::Warning);
    }
    if found.len() > SHOWN {
        let text = format!("{} more", found.len() - SHOWN);
        page.say("", &text, Role::Dim);
    }
}

/// Returns a sign and the words for a difference; credentials are masked as everywhere.
fn told(model: &Model, difference: &Difference) -> (&'static str, String) {
    let ascii = model.look.ascii;
    let to = signs(model.look).to;
    let show = |bytes: &[u8]| {
        let text = visible(
            bytes.get(..VALUE.min(bytes.len())).unwrap_or_default(),
            ascii,
        );
        if bytes.len() > VALUE {
            format!("{text}...")
        } else {
            text
        }
    };
    let value = |name: &[u8], value: &[u8]| {
        if is_secret(name) && !model.reveal {
            "********".to_owned()
        } else {
            show(value)
        }
    };
    match difference {
        Difference::Start { before, after } => {
            ("~", format!("{} {to} {}", show(before), show(after)))
        }
        Difference::Removed { name, value: was } => {
            ("-", format!("{}: {}", show(name), value(name, was)))
        }
        Difference::Added { name, value: is } => {
            ("+", format!("{}: {}", show(name), value(name, is)))
        }
        Difference::Value {
            name,
            before,
            after,
        } => (
            "~",
            format!(
                "{}: {} {to} {}",
                show(name),
                value(name, before),
                value(name, after)
            ),
        ),
        Difference::Spelling { before, after } => (
            "~",
            format!("{} {to} {} (the name)", show(before), show(after)),
        ),
        Difference::Moved { name } => ("~", format!("{} stands at another place", show(name))),
        Difference::Blanks => ("~", "blanks or line ends only".to_owned()),
    }
}

fn bodies(page: &mut Page<'_>, name: &str, client: &Message, server: &Message, kept: bool) {
    let (ours, theirs) = (client.body_wire, server.body_wire);
    if ours != theirs {
        let text = format!(
            "{name} body: {} on the client's leg, {} upstream.",
            long(ours),
            long(theirs)
        );
        page.say("~", &text, Role::Warning);
    }
    if ours.max(theirs) == 0 {
        return;
    }
    if !kept {
        if ours == theirs {
            let text = format!(
                "{name} body: not kept upstream, it is the client's ({}).",
                long(ours)
            );
            page.say("", &text, Role::Dim);
        }
        return;
    }
    let compared = compare::wanted(client, server).and_then(|want| page.model.compared(&want));
    let (text, role) = match compared {
        None => (format!("{name} body: being compared"), Role::Live),
        Some(Err(why)) => (format!("{name} body: not readable: {why}"), Role::Error),
        Some(Ok(Compared {
            first: Some(at), ..
        })) => (
            format!("{name} body: the first byte that differs is {at}."),
            Role::Warning,
        ),
        Some(Ok(Compared { looked, holes, .. })) => {
            let holes = if *holes > 0 {
                format!(", {} of which one leg does not have", long(*holes))
            } else {
                String::new()
            };
            let text = format!(
                "{name} body: no difference in the first {}{holes}.",
                long(*looked)
            );
            (text, Role::Good)
        }
    };
    page.say("", &text, role);
}

/// Says who ended each leg, and how.
fn ends(page: &mut Page<'_>, connection: &Connection) {
    let ended = |first: Option<(Direction, Close)>, client: &str, server: &str| {
        let Some((direction, how)) = first else {
            return "it is open".to_owned();
        };
        let who = match direction {
            Direction::ToServer => client,
            Direction::ToClient => server,
        };
        let how = match how {
            Close::Fin => "FIN",
            Close::Reset => "RST",
        };
        format!("{who} ended it first ({how})")
    };
    page.out.push(Line::raw(""));
    let number = connection.id.0;
    let Some(place) = connection.upstream else {
        let text = ended(connection.first_close, "the client", "the other end");
        page.say("", &format!("Connection {number}: {text}."), Role::Dim);
        return;
    };
    let text = ended(connection.first_close, "the client", "the proxy");
    let text = format!("Connection {number}, the client's leg: {text}.");
    page.say("", &text, Role::Dim);
    let text = ended(connection.upstream_close, "the proxy", "the server");
    page.say("", &format!("Upstream leg to {place}: {text}."), Role::Dim);
}

//! Rules for authentication and redirects; they hold for downloads too.

use crate::bits::Packet;
use crate::bits::auth::{Stage, challenges, credentials};

use super::memory::Past;
use super::rule::Level::{Error, Warning};
use super::rule::{CLIENT, Rule, SERVER, SESSION, rule};
use super::tally::Out;
use super::view::{View, lists, shown, starts_with};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BUP-AU-01", Error, SERVER, "RFC 9110 §15.5.2, §15.5.8",
        "401 has WWW-Authenticate and 407 has Proxy-Authenticate.",
        "answers ask for credentials without saying which"),
    rule("BUP-AU-02", Error, SESSION, "WinHTTP Authentication",
        "All legs of an NTLM handshake are on one connection.",
        "NTLM handshakes were torn apart over connections"),
    rule("BUP-AU-03", Error, SERVER, "WinHTTP Authentication",
        "401 or 407 with an NTLM or Negotiate token keeps the connection open.",
        "answers end the connection in the middle of a handshake"),
    rule("BUP-AU-04", Warning, SESSION, "MC-BUP §3.1.5.1.7",
        "Not more than five answers in a row ask for credentials for one packet.",
        "packets were asked for credentials again and again"),
    rule("BUP-AU-05", Warning, CLIENT, "Win32 Authentication",
        "Basic credentials are sent only over TLS.",
        "connections carry Basic credentials in the clear").once(),
    rule("BUP-AU-06", Warning, SERVER, "Win32 Handling Server Application Errors",
        "A BITS_POST is not answered with a redirect.",
        "BITS_POST requests were redirected"),
];

pub(super) fn check(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    // Other traffic on the same connection is not ours to judge.
    if !view.upload() && !matches!(view.packet, Some(Packet::Head | Packet::Get)) {
        return;
    }
    shown_by_client(view, past, out);
    let status = view.status().unwrap_or_default();
    let Some(answer) = view.answer() else {
        return;
    };
    if view.upload() && (300..400).contains(&status) {
        out.raise("BUP-AU-06", || {
            let to = answer
                .value("location")
                .map_or_else(|| "nowhere".to_owned(), shown);
            format!(
                "{} was redirected ({status}) to {to}; upload clients follow no redirects.",
                view.name()
            )
        });
    }
    let field = match status {
        401 => "www-authenticate",
        407 => "proxy-authenticate",
        _ => return,
    };
    if answer.value(field).is_none() {
        out.raise("BUP-AU-01", || {
            format!("{} was answered {status} without {field}: the client cannot know which credentials to send.", view.name())
        });
    }
    let token = (answer.values(field).flat_map(challenges))
        .any(|(scheme, token)| scheme.is_of_connection() && !token.is_empty());
    let connection = answer.value("connection").unwrap_or_default();
    let kept =
        !lists(connection, "close") && (answer.minor() > 0 || lists(connection, "keep-alive"));
    if token && !kept {
        out.raise("BUP-AU-03", || {
            format!("The {status} carries a challenge and ends the connection: the handshake can never be finished.")
        });
    }
    // The sixth in a row; told once in such a row.
    if past.connection.challenges == 5 {
        out.raise("BUP-AU-04", || {
            format!(
                "{} was answered {status} six times in a row: the credentials do not work.",
                view.name()
            )
        });
    }
}

fn shown_by_client(view: &View<'_>, past: &Past, out: &mut Out<'_>) {
    for field in ["authorization", "proxy-authorization"] {
        let Some(value) = view.asked().value(field) else {
            continue;
        };
        if starts_with(value, b"Basic ") && !view.facts.tls {
            out.raise("BUP-AU-05", || {
                format!("{} carries Basic credentials without TLS: everybody on the way can read the password.", view.name())
            });
        }
        let connection = &past.connection;
        let last = matches!(credentials(value).1, Stage::Type3 | Stage::Type3Bound);
        if last && connection.whole && !connection.handshake {
            out.raise("BUP-AU-02", || {
                format!("{} brings the last leg of an NTLM handshake on a connection on which none was begun.", view.name())
            });
        }
    }
}

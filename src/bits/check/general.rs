//! Rules for every upload packet: the request line, the packet type, lengths, field names.

use crate::bits::Packet;
use crate::bits::header::{self, Name};
use crate::wire::Head;

use super::rule::Level::{Error, Note, Off, Warning};
use super::rule::{CLIENT, EITHER, Rule, SERVER, Who, rule};
use super::tally::Out;
use super::view::{View, bare_host, shown, split, starts_with, values};

#[rustfmt::skip]
pub(super) const RULES: &[Rule] = &[
    rule("BUP-GN-01", Error, CLIENT, "MC-BUP §2.2.1",
        "A request with BITS-Packet-Type uses the method BITS_POST.",
        "requests carry BITS-Packet-Type but use another method"),
    rule("BUP-GN-02", Note, CLIENT, "observed: OneDrive clients",
        "BITS_POST is the method itself, not one named in X-Http-Method-Override.",
        "requests name BITS_POST in X-Http-Method-Override").once(),
    rule("BUP-GN-03", Error, CLIENT, "MC-BUP §2.2.1",
        "Upload requests use HTTP/1.1.",
        "upload requests use another version than HTTP/1.1"),
    rule("BUP-GN-04", Warning, SERVER, "MC-BUP §2.2.1",
        "Answers to upload requests use HTTP/1.1.",
        "sessions were answered in another version than HTTP/1.1").once(),
    rule("BUP-GN-05", Error, CLIENT, "MC-BUP §2.2.1.2",
        "Every BITS_POST has exactly one BITS-Packet-Type.",
        "BITS_POST requests do not have exactly one BITS-Packet-Type"),
    rule("BUP-GN-06", Error, CLIENT, "MC-BUP §2.2.1.2",
        "BITS-Packet-Type of a request is Ping, Create-Session, Fragment, Close-Session or Cancel-Session.",
        "requests have a BITS-Packet-Type that does not exist"),
    rule("BUP-GN-07", Note, EITHER, "MC-BUP §2.2.1.2, §4.1",
        "BITS-Packet-Type is written as Windows writes it (Create-Session) or as the text does (CREATE-SESSION).",
        "sessions write BITS-Packet-Type in a way of their own").once(),
    rule("BUP-GN-08", Error, CLIENT, "MC-BUP §2.2.1.1, §3.2.5.2.3",
        "An upload request has one decimal Content-Length and no Transfer-Encoding.",
        "upload requests have no single decimal Content-Length"),
    rule("BUP-GN-09", Error, CLIENT, "MC-BUP §2.2.2.1, §2.2.4.1, §2.2.8.1, §2.2.10.1",
        "Ping, Create-Session, Close-Session and Cancel-Session have Content-Length 0 and no content.",
        "packets other than Fragment carry content"),
    rule("BUP-GN-10", Warning, EITHER, "MC-BUP §2.2.1, note <2>",
        "No header value is longer than 4096 bytes.",
        "header values are longer than 4096 bytes"),
    rule("BUP-GN-11", Warning, SERVER, "MC-BUP §2.2.1.2",
        "The answer to a BITS_POST says BITS-Packet-Type: Ack, unless it asks for credentials.",
        "BITS_POST requests were not answered with an Ack"),
    rule("BUP-GN-12", Error, EITHER, "MC-BUP §2.2.1, RFC 9110 §5.3",
        "No BITS header comes twice with different values.",
        "messages have one BITS header twice with different values"),
    rule("BUP-GN-13", Warning, CLIENT, "MC-BUP §2.2.1.1, note <3>",
        "Content-Name has at most 260 characters, none of them \\ / : * ? \" < > or |.",
        "packets have a Content-Name that is no file name"),
    rule("BUP-GN-14", Note, CLIENT, "Win32 BG_FILE_INFO",
        "The request target has at most 2200 characters.",
        "request targets are longer than 2200 characters"),
    rule("BUP-GN-15", Warning, CLIENT, "RFC 9112 §3.2.2",
        "An absolute request target and the Host field name the same host.",
        "requests name one host in the target and another in Host"),
    rule("BUP-GN-16", Note, CLIENT, "MC-BUP §4.1; observed: Windows clients",
        "User-Agent is that of Windows, Microsoft BITS/x.y.",
        "sessions come from clients that are not the BITS of Windows").spec(Off).docs(Off).once(),
    rule("BUP-GN-17", Warning, EITHER, "MC-BUP §2.2; observed: gobits",
        "No header that begins with BITS- is unknown.",
        "sessions use BITS headers that do not exist").once(),
];

/// MC-BUP note <2>
const VALUE_MAX: usize = 4096;

pub(super) fn check(view: &View<'_>, out: &mut Out<'_>) {
    method(view, out);
    packet_type(view, out);
    length(view, out);
    target(view, out);
    names(view, out);
    fields(view.asked(), Who::Client, out);
    if let Some(answer) = view.answer() {
        fields(answer, Who::Server, out);
        if answer.minor() != 1 {
            out.raise("BUP-GN-04", || {
                format!(
                    "The server answered {} in HTTP/1.{}.",
                    view.name(),
                    answer.minor()
                )
            });
        }
        unlike_an_ack(view, answer, out);
    }
}

fn method(view: &View<'_>, out: &mut Out<'_>) {
    let asked = view.asked();
    let method = asked.method().unwrap_or_default();
    let other = values(asked, Name::MethodOverride).next();
    if other.is_some() && method == b"POST" {
        out.raise("BUP-GN-02", || {
            "The client sends POST and names BITS_POST in X-Http-Method-Override, as OneDrive wants it.".to_owned()
        });
    } else if method != b"BITS_POST" {
        out.raise("BUP-GN-01", || {
            format!(
                "{} came with the method {}; a server looks for BITS_POST.",
                view.name(),
                shown(method)
            )
        });
    }
    if asked.minor() != 1 {
        out.raise("BUP-GN-03", || {
            format!("{} came as HTTP/1.{}.", view.name(), asked.minor())
        });
    }
}

fn packet_type(view: &View<'_>, out: &mut Out<'_>) {
    let mut types = values(view.asked(), Name::PacketType).map(|found| found.1);
    let Some(first) = types.next() else {
        out.raise("BUP-GN-05", || {
            "A BITS_POST has no BITS-Packet-Type: no server can know what it is.".to_owned()
        });
        return;
    };
    let more = types.filter(|other| *other == first).count();
    if more > 0 {
        out.raise("BUP-GN-05", || {
            format!(
                "BITS-Packet-Type: {} comes {} times.",
                shown(first),
                more.saturating_add(1)
            )
        });
    }
    match view.packet {
        None => out.raise("BUP-GN-06", || {
            format!(
                "BITS-Packet-Type: {} is no packet that exists.",
                shown(first)
            )
        }),
        Some(packet) if !usual_spelling(first, packet.name()) => {
            out.blame("BUP-GN-07", Who::Client, || {
                format!(
                    "The client writes {} where Windows writes {}.",
                    shown(first),
                    packet.name()
                )
            });
        }
        Some(_) => {}
    }
}

/// Tells whether a packet type is written as on the wire or as in the text.
fn usual_spelling(value: &[u8], wire: &str) -> bool {
    let value = value.trim_ascii();
    value == wire.as_bytes()
        || (value.eq_ignore_ascii_case(wire.as_bytes())
            && !value.iter().any(u8::is_ascii_lowercase))
}

fn length(view: &View<'_>, out: &mut Out<'_>) {
    let asked = view.asked();
    let mut lengths = asked.values("content-length");
    let (first, more) = (lengths.next(), lengths.count());
    if let Some(coding) = asked.value("transfer-encoding") {
        out.raise("BUP-GN-08", || {
            format!(
                "{} has Transfer-Encoding: {}; BITS servers want Content-Length.",
                view.name(),
                shown(coding)
            )
        });
        return;
    }
    let Some(first) = first else {
        out.raise("BUP-GN-08", || {
            format!("{} has no Content-Length.", view.name())
        });
        return;
    };
    let Some(length) = header::offset(first).filter(|_| more == 0) else {
        out.raise("BUP-GN-08", || {
            format!(
                "{} has {} Content-Length, the first of them {}.",
                view.name(),
                more.saturating_add(1),
                shown(first)
            )
        });
        return;
    };
    let bare = matches!(
        view.packet,
        Some(Packet::Ping | Packet::CreateSession | Packet::CloseSession | Packet::CancelSession)
    );
    if bare && length > 0 {
        out.raise("BUP-GN-09", || {
            format!(
                "{} announces {length} bytes of content; it must have none.",
                view.name()
            )
        });
    }
}

fn target(view: &View<'_>, out: &mut Out<'_>) {
    let target = view.asked().target().unwrap_or_default();
    if target.len() > 2200 {
        out.raise("BUP-GN-14", || {
            format!(
                "The request target has {} characters; Windows takes 2200.",
                target.len()
            )
        });
    }
    let text = String::from_utf8_lossy(target);
    if let (Some(authority), Some(host)) = (split(&text).0, view.asked().value("host")) {
        let named = String::from_utf8_lossy(host);
        if bare_host(authority) != bare_host(&named) {
            out.raise("BUP-GN-15", || {
                format!(
                    "The target names the host {}, the Host field {}.",
                    shown(authority.as_bytes()),
                    shown(host)
                )
            });
        }
    }
}

/// MC-BUP §2.2.1.1
const NOT_IN_NAMES: &[char] = &['\\', '/', ':', '*', '?', '"', '<', '>', '|'];

fn names(view: &View<'_>, out: &mut Out<'_>) {
    if let Some(name) = view.facts.request.says.name.as_deref() {
        let length = name.chars().count();
        if length > 260 {
            out.raise("BUP-GN-13", || {
                format!("Content-Name has {length} characters; 260 are allowed.")
            });
        } else if let Some(sign) = name.chars().find(|c| NOT_IN_NAMES.contains(c)) {
            out.raise("BUP-GN-13", || {
                format!(
                    "Content-Name {} holds {sign}, which no file name may.",
                    shown(name.as_bytes())
                )
            });
        }
    }
    let agent = view.asked().value("user-agent");
    if let Some(agent) = agent.filter(|agent| !starts_with(agent, b"Microsoft BITS/")) {
        out.raise("BUP-GN-16", || {
            format!(
                "The client calls itself {}: it is not the BITS of Windows.",
                shown(agent)
            )
        });
    }
}

/// Looks at the fields of one message.
fn fields(head: &Head, who: Who, out: &mut Out<'_>) {
    for (position, (name, value)) in head.pairs().enumerate() {
        if value.len() > VALUE_MAX {
            out.blame("BUP-GN-10", who, || {
                format!(
                    "The value of {} has {} bytes; IIS refuses more than 4096.",
                    shown(name),
                    value.len()
                )
            });
        }
        if !starts_with(name, b"BITS-") && !starts_with(name, b"BITS_") {
            continue;
        }
        let known = header::identify(name);
        let odd = known.is_none_or(|spelling| {
            spelling.wire == "BITS-Recieved-Content-Range"
                || (spelling.wire == "BITS-Package-Type" && who == Who::Client)
        });
        if odd {
            let meant = known.map_or_else(
                || "nobody knows what it means".to_owned(),
                |spelling| format!("{} is meant", usual(spelling.name)),
            );
            out.blame("BUP-GN-17", who, || {
                format!("The header {} does not exist; {meant}.", shown(name))
            });
        }
        let twin = head.pairs().skip(position.saturating_add(1)).find(|other| {
            other.0.eq_ignore_ascii_case(name) && other.1.trim_ascii() != value.trim_ascii()
        });
        if let Some(twin) = twin {
            out.blame("BUP-GN-12", who, || {
                format!(
                    "{} comes as {} and as {}.",
                    shown(name),
                    shown(value),
                    shown(twin.1)
                )
            });
        }
    }
}

/// Returns the usual spelling of a field.
fn usual(name: Name) -> &'static str {
    let spelling = header::SPELLINGS
        .iter()
        .find(|spelling| spelling.name == name);
    spelling.map_or("another one", |spelling| spelling.wire)
}

fn unlike_an_ack(view: &View<'_>, answer: &Head, out: &mut Out<'_>) {
    let status = view.status().unwrap_or_default();
    // A redirect is told of by its own rule.
    if matches!(status, 101 | 300..=399 | 401 | 407) {
        return;
    }
    if values(answer, Name::PacketType).next().is_none() {
        let why = match status {
            // Win32 "BITS Return Values"
            404 | 405 | 501 => "IIS answers so where uploads are not enabled for the URL",
            502..=504 => "a gateway answers so",
            _ => "that is not what a BITS server writes",
        };
        out.raise("BUP-GN-11", || {
            format!(
                "{} was answered {status} without BITS-Packet-Type: Ack; {why}.",
                view.name()
            )
        });
    }
}

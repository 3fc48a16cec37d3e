//! The same packets written otherwise: spellings, cases, fields that may be absent or strange.

use super::packet::Form;
use super::probe::{PIECE, Probe, SIZE};
use super::{Done, Experiment, Row, row};
use crate::bits::header::UPLOAD_PROTOCOL;
use crate::peer::score::{Judged, differs, fails, pass, unknown};

pub(super) const ROWS: &[Row] = &[
    row!(
        "ping",
        ping,
        "Sends a Ping.",
        "200 with BITS-Packet-Type: Ack and nothing else to check.",
        "MC-BUP §2.2.5, §3.2.5.2.5; Win32 \"Ping\""
    ),
    row!(
        "ack-fields",
        ack_fields,
        "Uploads a file, with a gap in between, and looks at the fields of all answers.",
        "Each says BITS-Packet-Type: Ack, that of Create-Session names BITS-Protocol, and fields have the names that are documented.",
        "MC-BUP §2.2.3, §2.2.7, §2.2.9; Win32 \"Ack for Create-Session\", \"Ack for Fragment\""
    ),
    row!(
        "upper-case-type",
        upper_case_type,
        "Writes the packet types in capitals: CREATE-SESSION, FRAGMENT.",
        "MC-BUP prints them so; Win32 and the wire have Create-Session.",
        "MC-BUP §2.2.2.2, §4.1; Win32 \"Create-Session\""
    ),
    row!(
        "lower-case-type",
        lower_case_type,
        "Writes the packet types in lower case: create-session, fragment.",
        "The documents use two cases and say nothing of others.",
        ""
    ),
    row!(
        "lower-case-names",
        lower_case_names,
        "Writes all names of fields in lower case, as some proxies do.",
        "Names of fields have no case.",
        "RFC 9110 §5.1; Win32 \"Best Practices\""
    ),
    row!(
        "package-type",
        package_type,
        "Writes BITS-Package-Type instead of BITS-Packet-Type.",
        "MC-BUP has this spelling in one place, by mistake; nothing says that a server must know it.",
        ""
    ),
    row!(
        "no-content-name",
        no_content_name,
        "Uploads without Content-Name.",
        "The field is optional, and the server ignores it.",
        "MC-BUP §2.2.6.1, §2.2.1.1"
    ),
    row!(
        "content-name",
        content_name,
        "Uploads with a Content-Name that is not the name in the URL.",
        "The server ignores it: the URL says where the file goes.",
        "MC-BUP §2.2.1.1"
    ),
    row!(
        "strange-fields",
        strange_fields,
        "Adds fields that nobody knows to each packet.",
        "Unknown fields must be ignored.",
        "MC-BUP §2.2"
    ),
    row!(
        "protocol-list",
        protocol_list,
        "Offers an unknown protocol and the real one, with a comma between them.",
        "A list may have blanks or commas; the server picks one that it knows.",
        "MC-BUP §2.2.2.2"
    ),
    row!(
        "escaped-url",
        escaped_url,
        "Uploads to a name with a blank, braces and an umlaut, percent-encoded.",
        "The URL is percent-decoded once; the same URL reads the file back.",
        "RFC 3986 §2.1; MC-BUP §3.2.5.2.4"
    ),
    row!(
        "case-of-session-id",
        case_of_session_id,
        "Writes the session id in the other case.",
        "A GUID has no case, but a session id may be any text.",
        ""
    ),
];

async fn ping(probe: &mut Probe) -> Done {
    let url = probe.url("");
    let reply = probe.ask(&url, &Form::new("Ping")).await;
    Ok(if !reply.is_ok() {
        fails(format!("answered {}", reply.text()))
    } else if let Some(code) = reply.ack.error {
        differs(format!("granted, and yet it names an error: 0x{code:08X}"))
    } else if reply.ack.is_ack {
        pass("answered 200 with an Ack")
    } else {
        differs("the answer has no BITS-Packet-Type: Ack")
    })
}

async fn ack_fields(probe: &mut Probe) -> Done {
    let url = probe.url("");
    let create = probe.ask(&url, &Form::create()).await;
    let Some(id) = create.ack.session_id.clone().filter(|_| create.is_ok()) else {
        return Err(fails(format!(
            "no session: Create-Session was answered {}",
            create.text()
        )));
    };
    let mut job = probe.adopt(url, id, SIZE);
    let mut replies = vec![("Create-Session", create)];
    for (packet, first) in [("Fragment", 0), ("Fragment behind a gap", 2 * PIECE)] {
        replies.push((packet, probe.fragment(&mut job, first, PIECE).await));
    }
    let mut odd = Vec::new();
    let mut misspelt = Vec::new();
    for (packet, reply) in replies.iter().filter(|(_, reply)| reply.status.is_some()) {
        misspelt.extend(
            reply
                .misspelt
                .iter()
                .map(|name| format!("{name} ({packet})")),
        );
        if !reply.ack.is_ack {
            odd.push(format!("no BITS-Packet-Type: Ack ({packet})"));
        }
        if *packet == "Create-Session" && reply.ack.protocol.is_none() {
            odd.push(format!("no BITS-Protocol ({packet})"));
        }
    }
    let verdict = if !misspelt.is_empty() {
        let names = misspelt.join(", ");
        fails(format!("clients do not know these names: {names}"))
    } else if odd.is_empty() {
        pass("all are there, under their names")
    } else {
        differs(odd.join(", "))
    };
    probe.finish(job, verdict).await
}

/// Uploads with `change` made to each packet; a refusal of the first is `refused`.
async fn upload(
    probe: &mut Probe,
    change: impl Fn(&'static str, Form) -> Form,
    refused: fn(String) -> Judged,
    taken: Judged,
) -> Done {
    let create = change("Create-Session", Form::create());
    let url = probe.url("");
    let reply = probe.ask(&url, &create).await;
    if !reply.is_ok() {
        return Ok(refused(format!(
            "Create-Session was answered {}",
            reply.text()
        )));
    }
    let Some(id) = reply.ack.session_id else {
        return Err(fails("the Ack of Create-Session has no BITS-Session-Id"));
    };
    let mut job = probe.adopt(url, id, SIZE);
    while job.next < SIZE {
        let first = job.next;
        let form = change("Fragment", Form::fragment(&job, first, 2 * PIECE));
        let reply = probe.ask(&job.url, &form).await;
        job.next = first + 2 * PIECE;
        if !reply.is(200, job.next) {
            return Ok(refused(format!("a Fragment was answered {}", reply.text())));
        }
    }
    probe.finish(job, taken).await
}

fn retyped(form: Form, kind: &'static str) -> Form {
    Form { kind, ..form }
}

async fn upper_case_type(probe: &mut Probe) -> Done {
    let change = |kind, form| match kind {
        "Fragment" => retyped(form, "FRAGMENT"),
        _ => retyped(form, "CREATE-SESSION"),
    };
    upload(probe, change, differs, pass("taken")).await
}

async fn lower_case_type(probe: &mut Probe) -> Done {
    let change = |kind, form| match kind {
        "Fragment" => retyped(form, "fragment"),
        _ => retyped(form, "create-session"),
    };
    upload(probe, change, unknown, unknown("taken")).await
}

async fn lower_case_names(probe: &mut Probe) -> Done {
    let change = |_, form| Form {
        lower: true,
        ..form
    };
    upload(probe, change, fails, pass("taken")).await
}

async fn package_type(probe: &mut Probe) -> Done {
    let url = probe.url("");
    let form = Form {
        kind_field: "BITS-Package-Type",
        ..Form::new("Ping")
    };
    let reply = probe.ask(&url, &form).await;
    Ok(unknown(format!(
        "a Ping written so was answered {}",
        reply.text()
    )))
}

async fn no_content_name(probe: &mut Probe) -> Done {
    upload(probe, |_, form| form, fails, pass("taken")).await
}

async fn content_name(probe: &mut Probe) -> Done {
    let change = |_, form: Form| form.with("Content-Name", "another-name.txt");
    upload(
        probe,
        change,
        fails,
        pass("taken, and the file has the name of the URL"),
    )
    .await
}

async fn strange_fields(probe: &mut Probe) -> Done {
    let change = |_, form: Form| {
        form.with("BITS-Weather", "sunny; wind=light")
            .with("X-Score", "1")
    };
    upload(probe, change, fails, pass("ignored")).await
}

async fn protocol_list(probe: &mut Probe) -> Done {
    let list = format!("{{00000000-0000-4000-8000-000000000000}},{UPLOAD_PROTOCOL}");
    let form = Form::new("Create-Session").with("BITS-Supported-Protocols", list);
    let url = probe.url("");
    let reply = probe.ask(&url, &form).await;
    let chosen = reply.ack.protocol.clone().unwrap_or_default();
    let judged = if !reply.is_ok() {
        differs(format!("answered {}", reply.text()))
    } else if chosen.eq_ignore_ascii_case(UPLOAD_PROTOCOL) {
        pass("the real one was chosen")
    } else if chosen.is_empty() {
        differs("taken, but the Ack has no BITS-Protocol")
    } else {
        fails(format!("the server chose {chosen}"))
    };
    if let Some(id) = reply.ack.session_id {
        probe.adopt(url, id, SIZE);
    }
    Ok(judged)
}

async fn escaped_url(probe: &mut Probe) -> Done {
    let mut job = probe.create("%20%7Ba%7D-%C3%BC", SIZE).await?;
    probe.advance(&mut job, SIZE, SIZE).await?;
    probe.finish(job, pass("taken")).await
}

async fn case_of_session_id(probe: &mut Probe) -> Done {
    let job = probe.create("", SIZE).await?;
    let mut other = job.clone();
    other.id = if job.id.contains(|c: char| c.is_ascii_lowercase()) {
        job.id.to_ascii_uppercase()
    } else {
        job.id.to_ascii_lowercase()
    };
    if other.id == job.id {
        return Ok(unknown("the server's session ids have no letters"));
    }
    let reply = probe.fragment(&mut other, 0, PIECE).await;
    Ok(unknown(format!("answered {}", reply.text())))
}

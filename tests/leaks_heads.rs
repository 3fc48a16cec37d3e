//! Fields that lead away from the proxy, head by head: what is rewritten, and that nothing else is.

use bitstap::relay::rewrite::{Asked, Change, Form, Lead, Manner, closing, leads, request, splice};
use bitstap::relay::{HostField, Upstream};
use bitstap::wire::{Decoder, Head, Item, Stream};
use proptest::prelude::*;

/// Reads a head; `None` where the text is not one, or more than one.
fn read(stream: Stream, text: &[u8]) -> Option<Head> {
    let mut items = Vec::new();
    Decoder::new(stream).feed(text, &mut items);
    items.into_iter().find_map(|item| match item {
        Item::Head { head, .. } if head.raw.len() == text.len() => Some(head),
        _ => None,
    })
}

fn head(stream: Stream, text: &str) -> Head {
    read(stream, text.as_bytes()).unwrap()
}

fn response(fields: &str) -> Head {
    head(
        Stream::Responses,
        &format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n"),
    )
}

fn upstream() -> Upstream {
    Upstream {
        tls: false,
        host: "iis.test".to_owned(),
        port: 8000,
    }
}

fn proxy() -> Asked {
    Asked {
        tls: false,
        authority: "proxy.test:8080".to_owned(),
    }
}

fn rewritten(fields: &str, asked: &Asked) -> (String, Vec<Lead>) {
    let head = response(fields);
    let leads = leads(&head, asked, &upstream());
    let changes: Vec<Change> = leads.iter().map(|lead| lead.change.clone()).collect();
    let text = String::from_utf8(splice(&head, &changes).to_vec()).unwrap();
    let fields = text.strip_prefix("HTTP/1.1 200 OK\r\n").unwrap();
    let fields = fields.strip_suffix("Content-Length: 0\r\n\r\n").unwrap();
    (fields.to_owned(), leads)
}

#[test]
fn a_host_id_becomes_the_bare_host_that_the_client_used() {
    let (fields, leads) = rewritten("bits-HOST-id:   node7 \r\n", &proxy());
    assert_eq!(fields, "bits-HOST-id:   proxy.test \r\n");
    assert_eq!(leads[0].to.host, "node7");
    assert_eq!(leads[0].to.port, 8000, "the port is that of the server");
    assert_eq!(leads[0].path, None);
    let six = Asked {
        tls: true,
        authority: "[::1]:8080".to_owned(),
    };
    assert_eq!(
        rewritten("BITS-Host-Id: n\r\n", &six).0,
        "BITS-Host-Id: [::1]\r\n"
    );
}

#[test]
fn of_absolute_urls_only_scheme_host_and_port_change() {
    for (before, after, tls, port) in [
        (
            "http://n.test/a%7B1%7D/r?x=1#f",
            "http://proxy.test:8080/a%7B1%7D/r?x=1#f",
            false,
            80,
        ),
        (
            "HTTPS://n.test:8443/a",
            "http://proxy.test:8080/a",
            true,
            8443,
        ),
        ("//n.test/a", "http://proxy.test:8080/a", false, 80),
        ("http://u:p@n.test", "http://u:p@proxy.test:8080", false, 80),
        ("http://n.test?q", "http://proxy.test:8080?q", false, 80),
    ] {
        for name in ["Location", "BITS-Reply-URL"] {
            let (fields, leads) = rewritten(&format!("{name}: {before}\r\n"), &proxy());
            assert_eq!(fields, format!("{name}: {after}\r\n"));
            let to = &leads[0].to;
            assert_eq!((to.tls, to.host.as_str(), to.port), (tls, "n.test", port));
        }
    }
}

#[test]
fn what_leads_nowhere_else_stays() {
    let stays = "Location: /a/b\r\nLocation: b\r\nLocation: ftp://n.test/\r\nLocation: http://\r\n\
                 BITS-Reply-URL: BITS-Sessions\\Replies\\{1}\\r\r\nBITS-Host-Id: PROXY.test\r\n\
                 Location: http://Proxy.test:8080/x\r\nLocation: http://n.test:99999/\r\n\
                 Content-Location: http://n.test/\r\nBITS-Host-Id: \r\nLocatioN2: http://n.test/\r\n";
    let (fields, leads) = rewritten(stays, &proxy());
    assert_eq!(fields, stays);
    assert_eq!(leads, []);
}

#[test]
fn each_field_of_a_name_is_changed_for_itself() {
    let (fields, leads) = rewritten(
        "Location: http://a.test/1\r\nX: y\r\nlocation:http://b.test/2\r\n",
        &proxy(),
    );
    assert_eq!(
        fields,
        "Location: http://proxy.test:8080/1\r\nX: y\r\nlocation:http://proxy.test:8080/2\r\n"
    );
    assert_eq!(leads.len(), 2);
}

/// Sends a request on in a manner and returns what becomes of it.
fn sent_on(text: &str, manner: &Manner<'_>) -> String {
    let head = head(Stream::Requests, text);
    let changes = request(&head, manner, &upstream());
    String::from_utf8(splice(&head, &changes).to_vec()).unwrap()
}

fn as_sent(host: &HostField) -> Manner<'_> {
    Manner {
        form: Form::AsSent,
        host,
        ends_here: false,
        credentials: None,
    }
}

#[test]
fn requests_get_another_host_and_lose_that_of_their_target() {
    let text = "GET http://proxy.test:8080/a?b HTTP/1.1\r\nhOsT:proxy.test:8080\r\nX: y\r\n\r\n";
    let named = HostField::Name("other".to_owned());
    for (form, host, target, field) in [
        (Form::Origin, &HostField::Keep, "/a?b", "proxy.test:8080"),
        (Form::Origin, &HostField::Upstream, "/a?b", "iis.test:8000"),
        (Form::AsSent, &named, "http://proxy.test:8080/a?b", "other"),
    ] {
        let manner = Manner {
            form,
            ..as_sent(host)
        };
        assert_eq!(
            sent_on(text, &manner),
            format!("GET {target} HTTP/1.1\r\nhOsT:{field}\r\nX: y\r\n\r\n")
        );
    }
    let options = "OPTIONS http://proxy.test HTTP/1.1\r\n\r\n";
    let origin = Manner {
        form: Form::Origin,
        ..as_sent(&HostField::Keep)
    };
    assert_eq!(sent_on(options, &origin), "OPTIONS * HTTP/1.1\r\n\r\n");
}

#[test]
fn a_proxy_behind_is_asked_with_whole_urls() {
    let absolute = Manner {
        form: Form::Absolute,
        ..as_sent(&HostField::Keep)
    };
    for (sent, target) in [
        ("/a?b", "http://iis.test:8000/a?b"),
        ("*", "http://iis.test:8000"),
        ("http://else/x", "http://else/x"),
    ] {
        let text = format!("GET {sent} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(sent_on(&text, &absolute), text.replace(sent, target));
    }
}

#[test]
fn what_is_for_this_proxy_ends_here_and_what_the_next_one_wants_is_added() {
    let text = "GET / HTTP/1.1\r\nHost: h\r\nproxy-Connection: Keep-Alive\r\nA: b\r\n\
                Proxy-Authorization: Basic bWU6eA==\r\n\r\n";
    let ends = Manner {
        ends_here: true,
        ..as_sent(&HostField::Keep)
    };
    let without = "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
    assert_eq!(sent_on(text, &ends), without);
    let replaces = Manner {
        credentials: Some("Basic eW91Onk="),
        ..as_sent(&HostField::Keep)
    };
    assert_eq!(
        sent_on(text, &replaces),
        "GET / HTTP/1.1\r\nHost: h\r\nproxy-Connection: Keep-Alive\r\nA: b\r\n\
         Proxy-Authorization: Basic eW91Onk=\r\n\r\n"
    );
    let changes = request(&head(Stream::Requests, text), &replaces, &upstream());
    assert!(changes.iter().all(|change| change.secret));
    assert!(
        changes
            .iter()
            .all(|change| !change.before.contains("Basic"))
    );
}

#[test]
fn a_connection_is_closed_by_one_field() {
    let close = |fields: &str| {
        let head = response(fields);
        let change = closing(&head).into_iter().collect::<Vec<_>>();
        String::from_utf8(splice(&head, &change).to_vec()).unwrap()
    };
    assert!(close("").ends_with("Content-Length: 0\r\nConnection: close\r\n\r\n"));
    assert!(close("connection: Keep-Alive\r\n").contains("\r\nconnection: close\r\n"));
    assert_eq!(closing(&response("Connection: close\r\n")), None);
}

proptest! {
    #[test]
    fn only_values_that_lead_away_change(
        fields in prop::collection::vec(("[A-Za-z][A-Za-z-]{0,15}|Location|BITS-Host-Id|BITS-Reply-URL", "https?://([a-z]{1,4}@)?[a-z.]{1,8}(:[0-9]{1,4})?[/?#]?[a-z]{0,5}|[ -~]{0,40}"), 0..8),
    ) {
        let framing = |name: &str| ["content-length", "transfer-encoding"].iter().any(|known| name.eq_ignore_ascii_case(known));
        let mut text = "HTTP/1.1 200 OK\r\n".to_owned();
        for (name, value) in fields.iter().filter(|(name, _)| !framing(name)) {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        let Some(head) = read(Stream::Responses, text.as_bytes()) else { return Ok(()); };
        let found = leads(&head, &proxy(), &upstream());
        let changes: Vec<Change> = found.iter().map(|lead| lead.change.clone()).collect();
        let after = splice(&head, &changes);
        if changes.is_empty() {
            prop_assert_eq!(&after, &head.raw);
        }
        // Undoing the changes gives back the head byte for byte.
        let mut undone = after.to_vec();
        for change in changes.iter().rev() {
            let later: usize = changes.iter().filter(|other| other.at.start < change.at.start)
                .map(|other| other.after.len()).sum();
            let gone: usize = changes.iter().filter(|other| other.at.start < change.at.start)
                .map(|other| other.at.len()).sum();
            let start = change.at.start + later - gone;
            undone.splice(start..start + change.after.len(), head.slice(&change.at).iter().copied());
        }
        prop_assert_eq!(&undone[..], &head.raw[..]);
        // Where it was rewritten once, nothing leads away any more.
        let again = read(Stream::Responses, &after).unwrap();
        prop_assert_eq!(leads(&again, &proxy(), &upstream()), vec![]);
    }
}

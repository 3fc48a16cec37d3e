//! `bitstap convert --redact`, end to end: what is masked is nowhere in the file, and the rest is as it was.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/events.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod events;
#[path = "support/formats.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod formats;

use std::path::{Path, PathBuf};

use bitstap::event::Leg::{Client, Upstream};
use bitstap::event::{Fact, RewriteFact, What};
use bitstap::timeline::Timeline;
use events::{ToClient, ToServer, data, event, note, opening};
use formats::timeline;
use serde_json::Value;

const REQUEST: &str = "BITS_POST /payroll/salaries.xls?sig=s1gned HTTP/1.1\r\nBITS-Packet-Type: Ping\r\n\
    Host: vault.corp\r\nAuthorization: Negotiate TOPSECRET==\r\nX-Api: s3same\r\nContent-Length: 6\r\n\r\nhidden";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nSet-Cookie: sid=c00kie; Path=/\r\nBITS-Host-Id: vault.corp\r\n\
    Transfer-Encoding: chunked\r\n\r\n0\r\nX-Trailer: tr41ler\r\n\r\n";

/// Words of the capture, in the order in which more and more is masked.
const WORDS: [&str; 10] = [
    "TOPSECRET",
    "c00kie",
    "s1gned",
    "tr41ler",
    "s3same",
    "payroll",
    "salaries",
    "vault",
    "192.168.44",
    "hidden",
];

/// A note about a request target, with a secret in it.
fn rewrite() -> What {
    let before = "http://vault.corp/payroll/salaries.xls?sig=s1gned".to_owned();
    let text = format!("The proxy rewrote request target: {before} became something else.");
    let fact = RewriteFact {
        direction: ToServer,
        field: "request target".to_owned(),
        before,
        after: "/payroll/salaries.xls?sig=s1gned".to_owned(),
        exchange: Some(0),
    };
    note(&text, Fact::Rewrite(Box::new(fact)))
}

/// Writes a capture with secrets on both legs, one byte at a time.
fn secret(folder: &Path) -> PathBuf {
    let path = folder.join("in.pcapng");
    let mut told = vec![
        event(
            1,
            1,
            Client,
            opening("192.168.44.55:1000", "192.168.44.66:80"),
        ),
        event(
            2,
            1,
            Upstream,
            opening("192.168.44.66:2000", "192.168.44.77:80"),
        ),
        event(3, 1, Upstream, note("Dialled vault.corp.", Fact::Other)),
        event(3, 1, Client, rewrite()),
    ];
    for (at, byte) in (4..).zip(REQUEST.bytes()) {
        told.push(event(at, 1, Client, data(ToServer, vec![byte])));
        told.push(event(at, 1, Upstream, data(ToServer, vec![byte])));
    }
    told.push(event(900, 1, Client, data(ToClient, ANSWER)));
    events::write(&path, &told);
    path
}

fn convert(args: &[&str], out: &Path) {
    let mut all = vec!["convert", "--force", "--quiet"];
    all.extend_from_slice(args);
    all.push(out.to_str().unwrap());
    let output = binary::output(&all);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.is_empty(), "{errors}");
}

/// The bytes of both legs, put together: on the way they were cut between any two.
fn streams(path: &Path) -> Vec<u8> {
    let (events, _) = events::read(path);
    let mut all = Vec::new();
    for leg in [Client, Upstream] {
        for direction in [ToServer, ToClient] {
            all.extend(events::stream(&events, 1, leg, direction));
        }
    }
    all
}

/// All that must not change.
fn shape(timeline: &Timeline) -> impl PartialEq + std::fmt::Debug + use<> {
    let row = &timeline.exchanges()[0];
    let lens = [row.request, row.response].map(|message| {
        let message = message.unwrap();
        (
            message.head.len,
            message.body,
            message.body_wire,
            message.length(),
        )
    });
    (row.times, lens, row.status, row.packet, row.outcome)
}

#[test]
fn what_is_masked_is_gone_and_the_rest_is_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let input = secret(folder.path());
    let cases: [(&str, usize); 4] = [
        ("--redact", 4),
        ("--redact=header:X-API", 5),
        ("--redact=names,addresses,header:x-api", 9),
        ("--redact=all,header:x-api", 10),
    ];
    for (mask, gone) in cases {
        for name in ["x.pcapng", "x.har", "x.jsonl", "x.csv"] {
            let path = folder.path().join(name);
            convert(&[mask, input.to_str().unwrap()], &path);
            let mut bytes = std::fs::read(&path).unwrap();
            if name == "x.pcapng" {
                bytes.extend(streams(&path));
            }
            let has = |word: &str| {
                bytes
                    .windows(word.len())
                    .any(|part| part == word.as_bytes())
            };
            for word in &WORDS[..gone] {
                assert!(!has(word), "{mask}: {word} is in {name}");
            }
            if name == "x.pcapng" {
                for word in &WORDS[gone..] {
                    // An address is no text there.
                    assert!(
                        *word == "192.168.44" || has(word),
                        "{mask}: {word} is not in {name}"
                    );
                }
            }
        }
        let (masked, ..) = timeline(&folder.path().join("x.pcapng"));
        let (original, ..) = timeline(&input);
        assert_eq!(shape(&masked), shape(&original), "{mask}");
    }
}

#[test]
fn one_host_stays_one_host() {
    let folder = tempfile::tempdir().unwrap();
    let input = secret(folder.path());
    let path = folder.path().join("x.har");
    convert(&["--redact=addresses", input.to_str().unwrap()], &path);
    let har: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let entry = &har["log"]["entries"][0];
    let field = |side: &str, name: &str| {
        let fields = entry[side]["headers"].as_array().unwrap();
        let found = fields.iter().find(|field| field["name"] == name);
        found.unwrap()["value"].clone()
    };
    assert_eq!(field("request", "Host"), field("response", "BITS-Host-Id"));
    assert_ne!(field("request", "Host"), "vault.corp");
    let url = entry["request"]["url"].as_str().unwrap();
    assert!(url.contains("/payroll/salaries.xls?sig="), "{url}");
}

//! The dissector of `bitstap wireshark`, run by tshark on our captures and on other people's traffic.
//!
//! Skipped with a message where `tshark` is not installed or the recordings are not there; with
//! `CI=true` that is a failure.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/events.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod events;
#[path = "support/foreign.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod foreign;
#[path = "support/packets.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod packets;
#[path = "support/recordings.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod recordings;

use std::path::{Path, PathBuf};
use std::process::Command;

use bitstap::event::{Leg, What};
use events::{ToClient, ToServer, data, event, joined, opening, write};

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/captures");
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/pcaps");

/// A folder with the dissector in it.
struct Wireshark {
    folder: tempfile::TempDir,
}

impl Wireshark {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().to_str().unwrap();
        let done = binary::output(&["wireshark", "--out", out]);
        assert!(done.status.success());
        Self { folder }
    }

    /// Runs tshark with the dissector; returns the rows of these fields of the packets that `filter` takes.
    fn rows(&self, capture: &Path, filter: &str, fields: &[&str]) -> Option<Vec<Vec<String>>> {
        let script = self.folder.path().join("bitstap.lua");
        let mut command = Command::new("tshark");
        command
            .arg("-X")
            .arg(format!("lua_script:{}", script.display()))
            .arg("-r")
            .arg(capture)
            .args(["-Y", filter, "-T", "fields"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => {
                let is_ci = std::env::var("CI").as_deref() == Ok("true");
                assert!(!is_ci, "tshark: {error}");
                eprintln!("skipped: tshark: {error}");
                return None;
            }
        };
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert!(!errors.contains("Lua"), "{errors}");
        let text = String::from_utf8_lossy(&output.stdout);
        let split = |line: &str| line.split('\t').map(str::to_owned).collect();
        Some(text.lines().map(split).collect())
    }
}

/// What `view --json` says of a capture: packet, first byte, answer's next byte, error name.
fn told(capture: &Path) -> Vec<[String; 4]> {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let lines = binary::json(&["view", capture.to_str().unwrap()]);
    let mut rows: Vec<_> = binary::of_type(&lines, "exchange");
    rows.sort_by_key(|row| row["no"].as_u64());
    rows.iter()
        .filter(|row| row["method"] == "BITS_POST")
        .map(|row| {
            [
                text(&row["packet"]),
                text(&row["range"]["start"]),
                text(&row["received"]),
                text(&row["error"]["name"]),
            ]
        })
        .collect()
}

/// Compares what tshark dissects with what we decode.
fn compare(wireshark: &Wireshark, capture: &Path, only: &str) -> bool {
    let name = capture.display();
    let requests = wireshark.rows(
        capture,
        &format!("bits_up.request{only}"),
        &["bits_up.packet_type", "bits_up.range.start"],
    );
    let Some(requests) = requests else {
        return false;
    };
    let answers = wireshark
        .rows(
            capture,
            &format!("bits_up.response{only}"),
            &["bits_up.received", "bits_up.error_name"],
        )
        .unwrap();
    let ours = told(capture);
    let wanted: Vec<Vec<String>> = ours.iter().map(|row| row[..2].to_vec()).collect();
    assert_eq!(requests, wanted, "{name}");
    let wanted: Vec<Vec<String>> = ours.iter().map(|row| row[2..].to_vec()).collect();
    let given = |rows: &[Vec<String>]| -> Vec<String> {
        rows.iter()
            .map(|row| row.join(" "))
            .filter(|row| !row.trim().is_empty())
            .collect()
    };
    assert_eq!(given(&answers), given(&wanted), "{name}");
    true
}

#[test]
fn uploads_of_the_demo_are_dissected_as_we_decode_them() {
    let wireshark = Wireshark::new();
    for name in [
        "upload",
        "session-lost",
        "rewind",
        "shrink",
        "cancel",
        "lost-ack",
    ] {
        let capture = PathBuf::from(CAPTURES).join(format!("{name}.pcapng"));
        // Both legs are in the file; the client's is what we tell.
        if !compare(&wireshark, &capture, " and frame.interface_id == 0") {
            return;
        }
    }
}

#[test]
fn uploads_of_other_people_are_dissected_as_we_decode_them() {
    if !recordings::present() {
        return;
    }
    let wireshark = Wireshark::new();
    for name in [
        "dolphin__upload",
        "gobits15__resume",
        "usis__upload",
        "fkadibs__cancel",
        "mcbup-4.1-upload",
    ] {
        let capture = PathBuf::from(RECORDED).join(format!("{name}.pcap"));
        if !compare(&wireshark, &capture, "") {
            return;
        }
    }
}

#[test]
fn fragments_are_found_by_their_name() {
    let wireshark = Wireshark::new();
    let capture = PathBuf::from(CAPTURES).join("example-upload.pcapng");
    let filter = "bits_up.packet_type == \"Fragment\" and bits_up.range.end < 20";
    let fields = [
        "bits_up.range.start",
        "bits_up.range.end",
        "bits_up.range.total",
        "bits_up.uri",
        "_ws.col.Info",
    ];
    let Some(rows) = wireshark.rows(&capture, filter, &fields) else {
        return;
    };
    assert!(rows.len() >= 2, "{rows:?}");
    assert_eq!(
        rows[0],
        [
            "0",
            "9",
            "30",
            "/up/report.csv",
            "Fragment bytes 0-9/30 /up/report.csv"
        ]
    );
}

#[test]
fn what_is_printed_is_what_is_written() {
    let wireshark = Wireshark::new();
    let written = std::fs::read(wireshark.folder.path().join("bitstap.lua")).unwrap();
    let printed = binary::output(&["wireshark"]);
    assert!(printed.status.success());
    assert!(printed.stdout == written);
    let text = String::from_utf8(written).unwrap();
    // Codes have the names that `bitstap explain` puts first.
    for row in [
        "[0x8020001F] = \"BG_E_SESSION_NOT_FOUND\",",
        "[0x80070005] = \"E_ACCESSDENIED\",",
    ] {
        assert!(text.contains(row), "{row}");
    }
}

#[test]
fn heads_are_put_together_and_content_that_looks_like_one_is_not() {
    let wireshark = Wireshark::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pcapng");
    let mut at = 1;
    let mut events = Vec::new();
    let mut put = |what: What| {
        at += 1_000_000;
        events.push(event(at, 1, Leg::Client, what));
    };
    put(opening("10.0.0.1:5000", "10.0.0.2:18443"));
    put(What::Opened);
    let body = "BITS_POST /false HTTP/1.1\r\nBITS-Packet-Type: Ping\r\n\r\n";
    let head = format!(
        "BITS_POST /true HTTP/1.1\r\nBITS-Packet-Type: Fragment\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    for byte in head.bytes() {
        put(data(ToServer, vec![byte]));
    }
    put(data(ToServer, body));
    put(data(
        ToClient,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ));
    put(data(ToClient, "0\r\n\r\n"));
    put(data(
        ToServer,
        "BITS_POST /true HTTP/1.1\r\nBITS-Packet-Type: Close-Session\r\nContent-Length: 0\r\n\r\n",
    ));
    put(data(
        ToClient,
        "HTTP/1.1 500 No\r\nBITS-Error-Code: 0x8020001F\r\nContent-Length: 0\r\n\r\n",
    ));
    write(&path, &events);
    let fields = [
        "bits_up.packet_type",
        "bits_up.uri",
        "bits_up.status",
        "bits_up.error_name",
        "bits_up.expert.error",
    ];
    let Some(rows) = wireshark.rows(&path, "bits_up", &fields) else {
        return;
    };
    let rows: Vec<String> = rows.iter().map(|row| row[..4].join(" ")).collect();
    assert_eq!(
        rows,
        [
            "Fragment /true  ",
            "  200 ",
            "Close-Session /true  ",
            "  500 BG_E_SESSION_NOT_FOUND",
        ]
    );
    let expert = wireshark.rows(&path, "bits_up.expert.error", &["bits_up.error_code"]);
    assert_eq!(expert.unwrap(), [["0x8020001f"]]);
}

#[test]
fn a_stream_that_was_joined_in_its_middle_is_read_from_its_next_message_on() {
    let wireshark = Wireshark::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pcapng");
    let request = "BITS_POST /up HTTP/1.1\r\nBITS-Packet-Type: Ping\r\nContent-Length: 0\r\n\r\n";
    write(
        &path,
        &[
            event(1, 1, Leg::Client, joined("10.0.0.1:5000", "10.0.0.2:80")),
            event(2, 1, Leg::Client, data(ToServer, vec![0xAB; 5000])),
            event(3, 1, Leg::Client, data(ToServer, request)),
        ],
    );
    let Some(rows) = wireshark.rows(&path, "bits_up", &["bits_up.packet_type"]) else {
        return;
    };
    assert_eq!(rows, [["Ping"]]);
}

#[test]
fn segments_out_of_order_and_sent_again_are_put_in_order() {
    use foreign::{c, file, handshake, s};
    use packets::ACK;
    let wireshark = Wireshark::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pcap");
    let request = "BITS_POST /up HTTP/1.1\r\nBITS-Packet-Type: Ping\r\nContent-Length: 0\r\n\r\n";
    let (first, second) = request.split_at(30);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let end = 101 + u32::try_from(request.len()).unwrap();
    let mut all = handshake();
    all.extend([
        c(131, 501, ACK, second),
        c(101, 501, ACK, first),
        c(101, 501, ACK, first),
        s(501, end, ACK, answer),
        // Both at once, once more.
        c(101, 501, ACK, request),
        c(
            end,
            501 + u32::try_from(answer.len()).unwrap(),
            ACK,
            request,
        ),
    ]);
    let mut bytes = file(&all);
    // Our reader asks for no version, tshark does: 2.4.
    bytes[4] = 2;
    bytes[6] = 4;
    std::fs::write(&path, bytes).unwrap();
    let fields = ["bits_up.packet_type", "bits_up.status"];
    let Some(rows) = wireshark.rows(&path, "bits_up", &fields) else {
        return;
    };
    assert_eq!(rows, [["Ping", ""], ["", "200"], ["Ping", ""]]);
}

#[test]
fn notes_and_findings_are_expert_information() {
    let wireshark = Wireshark::new();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("x.pcapng");
    let capture = format!("{CAPTURES}/example-errors.pcapng");
    let done = binary::output(&["convert", "--findings", &capture, out.to_str().unwrap()]);
    assert!(done.status.success());
    let lines = binary::json(&["view", &capture]);
    let mut wanted: Vec<String> = binary::of_type(&lines, "finding")
        .iter()
        .map(|line| line["id"].as_str().unwrap().to_owned())
        .collect();
    wanted.sort();
    assert!(!wanted.is_empty());
    let Some(rows) = wireshark.rows(&out, "bits_up.finding", &["bits_up.finding"]) else {
        return;
    };
    let mut found: Vec<String> = rows
        .iter()
        .flat_map(|row| row[0].split(',').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    found.sort();
    assert_eq!(found, wanted);
    let unreachable = PathBuf::from(CAPTURES).join("odd-unreachable.pcapng");
    let notes = wireshark.rows(&unreachable, "bits_up.expert.note", &["bits_up.note"]);
    let notes = notes.unwrap();
    assert_eq!(notes.len(), 2, "{notes:?}");
}

//! `bitstap convert`, end to end: what each format keeps, choices, masks, and manners.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/events.rs"]
#[expect(dead_code, unused_imports, reason = "each test file uses a part of it")]
mod events;
#[path = "support/formats.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod formats;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use bitstap::event::Leg::Client;
use formats::{exchanges, timeline};
use serde_json::Value;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/captures");

fn capture(name: &str) -> String {
    format!("{CAPTURES}/{name}.pcapng")
}

/// A folder that goes away, and names in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Converts into `name`, which must work, and returns its path.
    fn convert(&self, name: &str, args: &[&str]) -> PathBuf {
        let path = self.path(name);
        let output = self.try_convert(name, args);
        assert!(output.status.success(), "{}", stderr(&output));
        path
    }

    fn try_convert(&self, name: &str, args: &[&str]) -> Output {
        let out = self.path(name);
        let mut all = vec!["convert"];
        all.extend_from_slice(args);
        all.push(out.to_str().unwrap());
        binary::output(&all)
    }

    /// Everything that is in it.
    fn names(&self) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stories() -> Vec<String> {
    let files = std::fs::read_dir(CAPTURES).unwrap();
    let mut names: Vec<String> = files
        .filter_map(|file| {
            let name = file.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".pcapng").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() > 10);
    names
}

fn view(path: &Path) -> Vec<Value> {
    binary::json(&["view", path.to_str().unwrap()])
}

#[test]
fn a_capture_becomes_an_equal_capture() {
    let folder = Folder::new();
    for name in stories() {
        let copy = folder.convert(&format!("{name}.pcapng"), &[&capture(&name)]);
        let (events, notes) = events::read(&copy);
        assert_eq!(notes, Vec::<String>::new(), "{name}");
        let original = events::read(Path::new(&capture(&name))).0;
        assert_eq!(events::normal(&events), events::normal(&original), "{name}");
        assert_eq!(view(&copy), view(Path::new(&capture(&name))), "{name}");
    }
}

#[test]
fn har_and_back_tells_the_same_exchanges() {
    let folder = Folder::new();
    for name in stories() {
        // Heads that never came whole have no place in HAR, nor has a message with two readings.
        if ["odd-cut-head", "odd-joined", "odd-two-lengths"].contains(&name.as_str()) {
            continue;
        }
        let har = folder.convert(&format!("{name}.har"), &[&capture(&name)]);
        let back = folder.convert(&format!("{name}.pcapng"), &[har.to_str().unwrap()]);
        let (original, ..) = timeline(Path::new(&capture(&name)));
        let (from_har, ..) = timeline(&har);
        let (from_back, ..) = timeline(&back);
        assert_eq!(exchanges(&from_har), exchanges(&from_back), "{name}");
        let told = |rows: Vec<Value>| -> Vec<String> {
            let mut rows: Vec<String> = rows
                .iter()
                .map(|row| {
                    let names = [
                        "method",
                        "url",
                        "packet",
                        "status",
                        "range",
                        "received",
                        "session_id",
                        "response_body",
                        "error",
                    ];
                    names.map(|name| row[name].to_string()).join(" ")
                })
                .collect();
            rows.sort();
            rows
        };
        assert_eq!(
            told(exchanges(&from_har)),
            told(exchanges(&original)),
            "{name}"
        );
    }
}

#[test]
fn har_has_bodies_the_decoded_packet_and_says_that_it_is_lossy() {
    let folder = Folder::new();
    let output = folder.try_convert("x.har", &[&capture("upload")]);
    assert!(
        stderr(&output).contains("HAR is lossy"),
        "{}",
        stderr(&output)
    );
    let text = std::fs::read_to_string(folder.path("x.har")).unwrap();
    let har: Value = serde_json::from_str(&text).unwrap();
    let entries = har["log"]["entries"].as_array().unwrap();
    let fragment = entries
        .iter()
        .find(|entry| entry["_bits"]["packet"] == "Fragment")
        .unwrap();
    assert_eq!(fragment["request"]["method"], "BITS_POST");
    assert_eq!(fragment["request"]["postData"]["encoding"], "base64");
    let text = fragment["request"]["postData"]["text"].as_str().unwrap();
    let len = fragment["_bits"]["request_body"].as_u64().unwrap();
    assert_eq!(text.len() as u64, len.div_ceil(3) * 4);
    for entry in entries {
        for name in [
            "startedDateTime",
            "time",
            "cache",
            "timings",
            "request",
            "response",
        ] {
            assert!(!entry[name].is_null(), "HAR 1.2 wants {name}");
        }
    }
}

#[test]
fn json_lines_are_those_of_view() {
    let folder = Folder::new();
    for name in ["upload", "session-lost", "example-errors"] {
        let path = folder.convert(&format!("{name}.jsonl"), &[&capture(name)]);
        let mut lines = binary::lines(&std::fs::read(path).unwrap());
        let mut wanted = view(Path::new(&capture(name)));
        assert_eq!(lines.last(), wanted.last());
        lines.sort_by_key(ToString::to_string);
        wanted.sort_by_key(ToString::to_string);
        assert_eq!(lines, wanted, "{name}");
    }
    let filter = ["--filter", "bits.type == fragment", &capture("upload")];
    let path = folder.convert("some.jsonl", &filter);
    let lines = binary::lines(&std::fs::read(path).unwrap());
    let wanted = binary::json(&[
        "view",
        "--filter",
        "bits.type == fragment",
        &capture("upload"),
    ]);
    assert_eq!(lines.last(), wanted.last());
    assert_eq!(
        binary::of_type(&lines, "exchange"),
        binary::of_type(&wanted, "exchange")
    );
}

#[test]
fn csv_has_a_row_for_each_exchange_and_no_formula() {
    let folder = Folder::new();
    let hostile = folder.path("in.pcapng");
    let head = "BITS_POST =HYPERLINK(\"http://evil\",\"a,b\") HTTP/1.1\r\nBITS-Packet-Type: Ping\r\n\
                User-Agent: @SUM(1)\r\nContent-Length: 0\r\n\r\n";
    events::write(
        &hostile,
        &[
            events::event(
                1,
                1,
                Client,
                events::opening("10.0.0.1:1000", "10.0.0.2:80"),
            ),
            events::event(2, 1, Client, events::data(events::ToServer, head)),
        ],
    );
    let inputs = [hostile.to_str().unwrap(), &capture("upload")];
    let path = folder.convert("x.csv", &inputs);
    let mut reader = csv::Reader::from_path(path).unwrap();
    let columns = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let (original, ..) = timeline(Path::new(&capture("upload")));
    assert_eq!(rows.len(), original.exchanges().len() + 1);
    let cell = |row: &csv::StringRecord, name: &str| {
        let at = columns.iter().position(|column| column == name).unwrap();
        row[at].to_owned()
    };
    assert!(
        cell(&rows[0], "url").starts_with("'=HYPERLINK"),
        "{:?}",
        rows[0]
    );
    assert!(rows.iter().all(|row| {
        row.iter()
            .all(|cell| !cell.starts_with(['=', '@', '+', '-']))
    }));
    let fragment = rows
        .iter()
        .find(|row| cell(row, "packet") == "Fragment")
        .unwrap();
    assert_eq!(cell(fragment, "range_start"), "0");
    assert_eq!(cell(fragment, "status"), "200");
}

#[test]
fn a_filter_and_sessions_choose_exchanges_in_every_format() {
    let folder = Folder::new();
    let lost = capture("session-lost");
    let error = ["--filter", "bits.error", lost.as_str()];
    let picked = folder.convert("x.pcapng", &error);
    let (picked, notes, _) = timeline(&picked);
    assert_eq!(notes, Vec::<String>::new());
    let (whole, ..) = timeline(Path::new(&lost));
    let wanted: Vec<_> = whole
        .exchanges()
        .iter()
        .filter(|row| row.error.is_some())
        .collect();
    assert!(!wanted.is_empty() && wanted.len() < whole.exchanges().len());
    assert_eq!(picked.exchanges().len(), wanted.len());
    for (row, wanted) in picked.exchanges().iter().zip(wanted) {
        assert_eq!(
            (row.error, row.range, row.status),
            (wanted.error, wanted.range, wanted.status)
        );
        assert_eq!(row.request.unwrap().body, wanted.request.unwrap().body);
        // The moments stay, too.
        assert_eq!(row.times, wanted.times);
    }
    let both = [capture("upload"), capture("download")];
    let second = ["--sessions", "2", both[0].as_str(), both[1].as_str()];
    for name in ["s.pcapng", "s.har"] {
        let (second, ..) = timeline(&folder.convert(name, &second));
        assert!(second.exchanges().iter().all(|row| {
            row.packet
                .is_some_and(|packet| packet.name() == "GET" || packet.name() == "HEAD")
        }));
        assert_eq!(second.sessions().len(), 1, "{name}");
    }
    let output = folder.try_convert("no.har", &["--sessions", "9", &capture("upload")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("cannot take session 9: there are 1 sessions"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn several_captures_are_merged_by_time() {
    let folder = Folder::new();
    let names = ["upload", "download", "cancel"].map(capture);
    let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
    let (merged, _, events) = timeline(&folder.convert("x.pcapng", &inputs));
    let sum: usize = names
        .iter()
        .map(|name| timeline(Path::new(name)).0.exchanges().len())
        .sum();
    assert_eq!(merged.exchanges().len(), sum);
    assert_eq!(merged.sessions().len(), 3);
    let client = events.iter().filter(|event| event.leg == Client);
    assert!(client.is_sorted_by_key(|event| event.at));
}

#[test]
fn nothing_is_overwritten_and_failures_leave_nothing_behind() {
    let folder = Folder::new();
    let upload = capture("upload");
    let kept = folder.path("kept.har");
    std::fs::write(&kept, "mine").unwrap();
    let refused = folder.try_convert("kept.har", &[&upload]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("--force replaces it"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "mine");

    let own = folder.path("own.pcapng");
    std::fs::copy(&upload, &own).unwrap();
    let refused = folder.try_convert("own.pcapng", &["--force", own.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("one of the captures to read"));

    let cases: [(&str, &[&str], &str); 5] = [
        ("x.zip", &[&upload], "cannot tell from"),
        (
            "x.har",
            &["--filter", "http.statsu == 1", &upload],
            "http.status",
        ),
        (
            "x.har",
            &["--redact=adresses", &upload],
            "did you mean addresses?",
        ),
        (
            "x.har",
            &["--findings", &upload],
            "--findings goes with a .pcapng only",
        ),
        ("x.har", &[kept.to_str().unwrap()], "is not a capture"),
    ];
    for (name, args, wanted) in cases {
        let output = folder.try_convert(name, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(stderr(&output).contains(wanted), "{}", stderr(&output));
        assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
    }
    assert_eq!(
        folder.names(),
        ["kept.har", "own.pcapng"].map(str::to_owned).into()
    );

    folder.convert("kept.har", &["--force", &upload]);
    assert!(
        std::fs::read_to_string(&kept)
            .unwrap()
            .starts_with("{\"log\"")
    );
}

#[test]
fn a_dash_is_standard_output_and_a_device_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.csv");
    let input = capture("upload");
    let written = binary::output(&["convert", &input, file.to_str().unwrap()]);
    assert!(written.status.success());
    let printed = binary::output(&["convert", "--to", "csv", &input, "-"]);
    assert!(printed.status.success(), "{}", stderr(&printed));
    assert_eq!(printed.stdout, std::fs::read(&file).unwrap());
    let untold = binary::output(&["convert", &input, "-"]);
    assert_eq!(untold.status.code(), Some(2));
    assert!(
        stderr(&untold).contains("--to FORMAT"),
        "{}",
        stderr(&untold)
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        let link = folder.path().join("null.har");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        let out = link.to_str().unwrap();
        for force in [&[][..], &["--force"]] {
            let args = [&["convert", &input, out], force].concat();
            assert!(binary::output(&args).status.success());
        }
        assert!(link.symlink_metadata().unwrap().file_type().is_symlink());
        let kind = std::fs::metadata("/dev/null").unwrap().file_type();
        assert!(kind.is_char_device());
    }
}

#[test]
fn foreign_files_open_wherever_captures_do() {
    let folder = Folder::new();
    let flows = format!("{CAPTURES}/foreign/mitmproxy.flows");
    let out = folder.path("files");
    let lines = binary::json(&["extract", &flows, "--out", out.to_str().unwrap()]);
    let files = binary::of_type(&lines, "file");
    assert!(
        files
            .iter()
            .any(|file| file["complete"] == true && file["size"] == 15360),
        "{files:?}"
    );
    assert!(
        binary::output(&["check", &flows])
            .status
            .code()
            .is_some_and(|code| code < 2)
    );
    let filtered = [
        "view",
        "--filter",
        "http.header.user-agent contains bits",
        &flows,
    ];
    assert!(!binary::of_type(&binary::json(&filtered), "exchange").is_empty());
    let saz = format!("{CAPTURES}/foreign/fiddler.saz");
    let back = folder.convert("x.pcapng", &[&saz]);
    assert_eq!(
        exchanges(&timeline(&back).0),
        exchanges(&timeline(Path::new(&saz)).0)
    );
}

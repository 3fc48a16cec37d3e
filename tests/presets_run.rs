//! Every preset through the real binary, with the client and the server that we play ourselves: where it fires,
//! and what `bitstap send` and `bitstap fetch` make of it.
//!
//! What Windows does is in the catalogue; where ours do something else, the row says why.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/bounded.rs"]
mod bounded;
#[path = "presets/rows.rs"]
mod rows;

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use binary::{Running, bitstap, of_type, output, signal};
use bitstap::fault::preset;
use bounded::Bounded;
use rows::{By, ROWS, Row};
use serde_json::Value;

/// Size of the file, and of a piece of it: three pieces, the last one smaller.
const SIZE: usize = 200 * 1024;
const PIECE: &str = "80KiB";

/// What all presets are tried on.
struct Stage<'s> {
    folder: &'s Path,
    plain: String,
    replying: String,
    authority: String,
}

impl Stage<'_> {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// The rules file of a row.
    fn rules(&self, row: &Row, name: &str) -> String {
        let path = self.path(&format!("{name}.toml"));
        let text = format!("[[rule]]\npreset = \"{}\"\n{}\n", row.preset, row.keys);
        fs::write(&path, text).unwrap();
        path
    }

    /// Tries one preset and says what came of it.
    fn play(&self, row: &Row) -> (Vec<String>, String) {
        let name = row.preset.replace('/', "-");
        let upstream = if row.by == By::SendForReply {
            &self.replying
        } else {
            &self.plain
        };
        let mut args = vec![
            "proxy".to_owned(),
            "--listen".to_owned(),
            "127.0.0.1:0".to_owned(),
        ];
        args.extend([
            "--upstream".to_owned(),
            upstream.clone(),
            "--rules".to_owned(),
            self.rules(row, &name),
        ]);
        if row.by.is_tls() {
            args.extend([
                "--tls".to_owned(),
                "auto".to_owned(),
                "--ca-dir".to_owned(),
                self.path("ca"),
            ]);
        }
        let proxy = Running::start(&args);
        let scheme = if row.by.is_tls() { "https" } else { "http" };
        let port = proxy.address().port();
        // The name that the certificate is to have.
        let host = if row.by.is_tls() {
            "localhost"
        } else {
            "127.0.0.1"
        };
        let base = format!("{scheme}://{host}:{port}");
        let fetches = matches!(row.by, By::Fetch | By::FetchTls);
        let mut client = if fetches {
            let url = format!("{base}/source.bin");
            let mut command = bitstap(&["fetch", &url, "--block-size", PIECE, "--out"]);
            command.arg(self.path(&format!("{name}.got")));
            command
        } else {
            let url = format!("{base}/{name}.bin");
            let mut command = bitstap(&["send", &self.path("source.bin"), &url]);
            command.args(["--fragment-size", PIECE, "--reply-to"]);
            command.arg(self.path(&format!("{name}.reply")));
            command
        };
        client.args([
            "--json",
            "--retry-delay",
            "1ms",
            "--no-progress-timeout",
            row.patience,
        ]);
        client.args(row.options);
        if row.by.is_tls() {
            client.args(["--ca", &self.authority]);
        }
        let client = Bounded::start(client);
        let mut lines = Vec::new();
        // It would wait for minutes: it is told to stop.
        while !row.stop_at.is_empty() {
            let line = proxy.next();
            let found = line["text"]
                .as_str()
                .is_some_and(|text| text.contains(row.stop_at));
            lines.push(line);
            if found {
                signal(&client.child, "INT");
                break;
            }
        }
        let ended = client.finish();
        let (_, rest) = proxy.interrupt();
        lines.extend(rest);
        let came = came_of(&ended, fetches, |path| self.path(path), &name);
        (fired(&lines, row.preset), came)
    }
}

/// The packets that a preset fired on, in order.
fn fired(lines: &[Value], preset: &str) -> Vec<String> {
    let exchanges = of_type(lines, "exchange");
    let mut exchanges: Vec<&&Value> = exchanges
        .iter()
        .filter(|line| {
            line["faults"]
                .as_array()
                .is_some_and(|all| all.iter().any(|name| name == preset))
        })
        .collect();
    exchanges.sort_by_key(|line| line["no"].as_u64());
    let mut told: Vec<String> = exchanges
        .iter()
        .map(|line| {
            let packet = line["packet"].as_str().unwrap_or("none");
            match (packet, line["range"]["start"].as_u64()) {
                (_, Some(start)) => format!("{packet}@{}", start / 1024),
                _ => packet.to_owned(),
            }
        })
        .collect();
    let connect = of_type(lines, "note").into_iter().filter(|line| {
        let text = line["text"].as_str().unwrap_or_default();
        text.starts_with(&format!("Rule {preset} fired at connect"))
    });
    told.extend(connect.map(|_| "connect".to_owned()));
    told
}

/// Tells whether `came` is what a row says: an arrival word for word, with `*` up to there; a part of an error.
fn is_so(wanted: &str, came: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(start) => came.starts_with(start) && !came.contains(DAMAGED),
        None if wanted.starts_with("arrives") => came == wanted,
        None => came.contains(wanted),
    }
}

const DAMAGED: &str = "; BUT NOT AS IT WAS SENT";

/// How a client ended, in a few words.
fn came_of(
    ended: &bounded::Ended,
    fetches: bool,
    path: impl Fn(&str) -> String,
    name: &str,
) -> String {
    let lines = binary::lines(ended.stdout.as_bytes());
    let last = lines
        .iter()
        .find(|line| line["type"] == "sent" || line["type"] == "fetched");
    let Some(last) = last else {
        let error = ended
            .stderr
            .lines()
            .find(|line| line.starts_with("error: "));
        return format!("{:?} {}", ended.code, error.unwrap_or(&ended.stderr));
    };
    let mut text = "arrives".to_owned();
    for count in ["retries", "restarts", "rewinds", "shrinks"] {
        if last[count].as_u64().is_some_and(|count| count > 0) {
            text.push_str(&format!(", {} {count}", last[count]));
        }
    }
    for warning in last["warnings"].as_array().into_iter().flatten() {
        text.push_str(&format!("; {}", warning.as_str().unwrap_or_default()));
    }
    let got = if fetches {
        format!("{name}.got")
    } else {
        format!("inbox/{name}.bin")
    };
    let got = fs::read(path(&got)).unwrap_or_default();
    if got != fs::read(path("source.bin")).unwrap() {
        text.push_str(DAMAGED);
    }
    text
}

#[test]
fn each_preset_meets_our_own_client_and_server() {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..SIZE)
        .map(|at| ((at * 31) >> 3).to_le_bytes()[0])
        .collect();
    fs::write(folder.path().join("source.bin"), &content).unwrap();
    fs::create_dir(folder.path().join("inbox")).unwrap();
    fs::write(folder.path().join("inbox/source.bin"), &content).unwrap();
    let inbox = folder.path().join("inbox").to_str().unwrap().to_owned();
    let answer = folder.path().join("answer.txt");
    fs::write(&answer, "thank you").unwrap();
    let ca = folder.path().join("ca").to_str().unwrap().to_owned();
    let authority = folder.path().join("ca.pem");
    fs::write(
        &authority,
        output(&["ca", "export", "--ca-dir", &ca]).stdout,
    )
    .unwrap();
    let serve = ["serve", &inbox, "--listen", "127.0.0.1:0"];
    let plain = Running::start(&serve);
    let replies = folder.path().join("replies");
    fs::create_dir(&replies).unwrap();
    let serve = [
        "serve",
        replies.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ];
    let replying = Running::start(&[&serve[..], &["--reply", answer.to_str().unwrap()]].concat());
    let stage = Stage {
        folder: folder.path(),
        plain: plain.url(""),
        replying: replying.url(""),
        authority: authority.to_str().unwrap().to_owned(),
    };
    let queue: Mutex<VecDeque<&Row>> = Mutex::new(ROWS.iter().collect());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let Some(row) = queue.lock().unwrap().pop_front() else {
                        return;
                    };
                    let (fired, came) = stage.play(row);
                    if fired.join(" ") != row.fires
                        || !row.outcomes.iter().any(|one| is_so(one, &came))
                    {
                        wrong.lock().unwrap().push(format!(
                            "{}: {} | {came}",
                            row.preset,
                            fired.join(" ")
                        ));
                    }
                }
            });
        }
    });
    let mut wrong = wrong.into_inner().unwrap();
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_preset_is_left_out() {
    let all: Vec<&str> = preset::all().iter().map(|preset| preset.id).collect();
    let mut seen: Vec<&str> = ROWS.iter().map(|row| row.preset).collect();
    seen.extend(rows::BEYOND.iter().map(|(preset, _)| *preset));
    let missing: Vec<_> = all.iter().filter(|id| !seen.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    seen.dedup();
    assert_eq!(seen.len(), all.len());
}

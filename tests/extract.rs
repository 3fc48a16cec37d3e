//! Files rebuilt from conversations: what was sent, what the server holds, replies, downloads.

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/examples.rs"]
mod examples;

use std::fs;
use std::path::Path;

use bitstap::event::{Close, Direction, Event, Missing};
use bitstap::extract::{Extraction, FileRow, Gap, Manifest};
use conversation::{Talk, cut, timeline};

/// Rebuilds into `out`, with the conversation cut into pieces of `len` bytes.
fn rebuild(events: &[Event], len: usize, out: &Path) -> Manifest {
    let events = cut(events, || len);
    let mut timeline = timeline(&events);
    timeline.finish();
    let mut extraction = Extraction::begin(&timeline, out).expect("the folder can be made");
    for event in &events {
        extraction.apply(event).expect("the files can be written");
    }
    extraction
        .finish(0, Vec::new(), Vec::new())
        .expect("the files can be ended")
}

/// A rebuilt file: its row and content.
type Rebuilt = (FileRow, Vec<u8>);

/// Rebuilds with pieces of several lengths, which must make no difference.
fn files(talk: &Talk) -> Vec<Rebuilt> {
    let mut all = Vec::new();
    for len in [usize::MAX, 1, 7] {
        let folder = tempfile::tempdir().unwrap();
        let manifest = rebuild(&talk.events, len, folder.path());
        let read = |row: &FileRow| fs::read(folder.path().join(&row.file)).unwrap();
        let found: Vec<Rebuilt> = manifest
            .files
            .iter()
            .map(|row| (row.clone(), read(row)))
            .collect();
        all.push(found);
    }
    assert!(all.iter().all(|found| *found == all[0]), "{all:#?}");
    all.swap_remove(0)
}

/// File, copy, content, gaps.
type Told<'f> = (&'f str, &'f str, String, Vec<(u64, u64, &'f str)>);

fn told(files: &[Rebuilt]) -> Vec<Told<'_>> {
    let gap = |gap: &Gap| (gap.start, gap.end, gap.why);
    files
        .iter()
        .map(|(row, content)| {
            let content = String::from_utf8_lossy(content).replace('\0', ".");
            let gaps = row.gaps.iter().map(gap).collect();
            (row.file.as_str(), row.copy, content, gaps)
        })
        .collect()
}

fn create(talk: &mut Talk) {
    talk.say(
        "> BITS_POST /up/f.txt HTTP/1.1\n> BITS-Packet-Type: Create-Session\n> Host: a\n> Content-Length: 0\n>\n\
         < HTTP/1.1 200 OK\n< BITS-Packet-Type: Ack\n< BITS-Session-Id: {1}\n< Content-Length: 0\n<",
    );
}

fn fragment(talk: &mut Talk, first: usize, content: &str, total: usize) {
    let last = first + content.len() - 1;
    let len = content.len();
    talk.say(&format!(
        "> BITS_POST /up/f.txt HTTP/1.1\n> BITS-Packet-Type: Fragment\n> BITS-Session-Id: {{1}}\n> Host: a\n\
         > Content-Range: bytes {first}-{last}/{total}\n> Content-Length: {len}\n>\n> {content}"
    ));
}

fn ack(talk: &mut Talk, status: u16, fields: &str) {
    talk.say(&format!(
        "< HTTP/1.1 {status} X\n< BITS-Packet-Type: Ack\n{fields}< Content-Length: 0\n<"
    ));
}

fn received(talk: &mut Talk, status: u16, next: usize) {
    ack(
        talk,
        status,
        &format!("< BITS-Received-Content-Range: {next}\n"),
    );
}

#[test]
fn an_upload_is_rebuilt_twice() {
    let mut talk = Talk::new();
    create(&mut talk);
    fragment(&mut talk, 0, "hello ", 11);
    received(&mut talk, 200, 6);
    fragment(&mut talk, 6, "world", 11);
    received(&mut talk, 200, 11);
    talk.hang_up();
    let files = files(&talk);
    let row = &files[0].0;
    // sha256sum of "hello world".
    let sum = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
    assert_eq!(row.sha256.as_deref(), Some(sum));
    assert_eq!((row.size, row.complete, row.total), (11, true, Some(11)));
    assert_eq!(row.client.as_deref(), Some("10.0.0.5:50001"));
    assert_eq!(row.server.as_deref(), Some("192.0.2.1:80"));
    assert_eq!(row.session_id.as_deref(), Some("{1}"));
    assert_eq!(
        told(&files),
        [
            ("f.txt", "sent", "hello world".to_owned(), vec![]),
            (
                "f.txt.acknowledged",
                "acknowledged",
                "hello world".to_owned(),
                vec![]
            ),
        ]
    );
    assert_eq!(files[1].0.first_difference, None);
}

#[test]
fn the_server_keeps_its_first_copy_and_the_difference_is_told() {
    let mut talk = Talk::new();
    create(&mut talk);
    fragment(&mut talk, 0, "AAAAA", 10);
    received(&mut talk, 200, 5);
    fragment(&mut talk, 3, "bbbbbbb", 10);
    received(&mut talk, 200, 10);
    let files = files(&talk);
    assert_eq!(told(&files)[0].2, "AAAbbbbbbb");
    assert_eq!(told(&files)[1].2, "AAAAAbbbbb");
    assert_eq!(files[1].0.first_difference, Some(3));
}

#[test]
fn a_rewind_cuts_back_and_what_is_not_acknowledged_is_a_gap() {
    let mut talk = Talk::new();
    create(&mut talk);
    fragment(&mut talk, 0, "AAAAA", 10);
    received(&mut talk, 200, 5);
    fragment(&mut talk, 5, "BBBBB", 10);
    received(&mut talk, 416, 2);
    fragment(&mut talk, 2, "ccc", 10);
    received(&mut talk, 200, 5);
    fragment(&mut talk, 5, "dd", 10);
    talk.hang_up();
    let files = files(&talk);
    assert_eq!(
        told(&files),
        [
            ("f.txt", "sent", "AAcccddBBB".to_owned(), vec![]),
            (
                "f.txt.acknowledged",
                "acknowledged",
                "AAccc".to_owned(),
                vec![(5, 9, "not-acknowledged")]
            ),
        ]
    );
}

#[test]
fn a_lost_ack_is_made_good_on_the_next_connection() {
    let mut talk = Talk::new();
    create(&mut talk);
    fragment(&mut talk, 0, "AAAAA", 10);
    talk.close(Direction::ToServer, Close::Reset);
    talk.connect("10.0.0.5");
    fragment(&mut talk, 0, "AAAAA", 10);
    received(&mut talk, 416, 5);
    fragment(&mut talk, 5, "BBBBB", 10);
    // No offset: 200 takes all of it.
    ack(&mut talk, 200, "");
    let files = files(&talk);
    assert_eq!(told(&files)[1].2, "AAAAABBBBB");
    assert!(files[1].0.complete);
}

#[test]
fn a_session_that_begins_anew_is_another_run() {
    let mut talk = Talk::new();
    create(&mut talk);
    fragment(&mut talk, 0, "old", 6);
    received(&mut talk, 200, 3);
    fragment(&mut talk, 3, "OLD", 6);
    ack(&mut talk, 500, "< BITS-Error-Code: 0x8020001F\n");
    create(&mut talk);
    fragment(&mut talk, 0, "newNEW", 6);
    received(&mut talk, 200, 6);
    let files = files(&talk);
    let runs: Vec<u32> = files.iter().map(|file| file.0.run).collect();
    assert_eq!(runs, [1, 1, 2, 2]);
    assert_eq!(
        told(&files),
        [
            ("f.txt", "sent", "oldOLD".to_owned(), vec![]),
            (
                "f.txt.acknowledged",
                "acknowledged",
                "old".to_owned(),
                vec![(3, 5, "not-acknowledged")]
            ),
            ("f (2).txt", "sent", "newNEW".to_owned(), vec![]),
            (
                "f (2).txt.acknowledged",
                "acknowledged",
                "newNEW".to_owned(),
                vec![]
            ),
        ]
    );
}

#[test]
fn bytes_that_the_capture_lacks_are_gaps_with_a_reason() {
    let mut talk = Talk::new();
    create(&mut talk);
    talk.say(
        "> BITS_POST /up/f.txt HTTP/1.1\n> BITS-Packet-Type: Fragment\n> BITS-Session-Id: {1}\n> Host: a\n\
         > Content-Range: bytes 0-9/10\n> Content-Length: 10\n>",
    );
    talk.bytes(Direction::ToServer, b"ab");
    talk.missing(Direction::ToServer, 3, Missing::NotKept);
    talk.missing(Direction::ToServer, 1, Missing::NotSeen);
    talk.bytes(Direction::ToServer, b"ghij");
    received(&mut talk, 200, 10);
    let files = files(&talk);
    let gaps = vec![(2, 4, "not-kept"), (5, 5, "not-seen")];
    assert_eq!(
        told(&files),
        [
            ("f.txt", "sent", "ab....ghij".to_owned(), gaps.clone()),
            (
                "f.txt.acknowledged",
                "acknowledged",
                "ab....ghij".to_owned(),
                gaps
            ),
        ]
    );
    assert!(!files[0].0.complete);
}

#[test]
fn the_reply_of_an_upload_is_a_file_of_its_own() {
    let mut talk = Talk::new();
    talk.say(examples::REPLY_UPLOAD)
        .say(examples::REPLY_DOWNLOAD)
        .hang_up();
    let files = files(&talk);
    let told = told(&files);
    assert_eq!(told[0].2, "alpha,1234");
    assert_eq!(told[1].2, "alpha,1234");
    assert_eq!(
        told[2],
        ("q.bin.reply", "received", "REPLY".to_owned(), vec![])
    );
    assert_eq!(files[2].0.kind, "upload-reply");
    assert!(files[2].0.complete);
}

fn get(talk: &mut Talk, range: &str, answer: &str) {
    talk.say(&format!(
        "> GET /d/f.bin HTTP/1.1\n> User-Agent: Microsoft BITS/7.8\n> Host: d\n> Range: bytes={range}\n>\n{answer}"
    ));
}

#[test]
fn ranges_are_put_together_and_a_changed_file_begins_anew() {
    let mut talk = Talk::new();
    let part = |range: &str, tag: &str, content: &str| {
        format!(
            "< HTTP/1.1 206 P\n< Content-Length: {}\n< Content-Range: bytes {range}\n< ETag: {tag}\n<\n< {content}",
            content.len()
        )
    };
    get(&mut talk, "4-6", &part("4-6/7", "\"a\"", "efg"));
    get(&mut talk, "0-1", &part("0-1/7", "\"a\"", "ab"));
    get(&mut talk, "2-3", &part("2-3/7", "\"b\"", "CD"));
    talk.hang_up();
    let files = files(&talk);
    assert_eq!(
        told(&files),
        [
            (
                "f.bin",
                "received",
                "ab..efg".to_owned(),
                vec![(2, 3, "not-seen")]
            ),
            (
                "f (2).bin",
                "received",
                "..CD".to_owned(),
                vec![(0, 1, "not-seen"), (4, 6, "not-seen")]
            ),
        ]
    );
}

#[test]
fn a_job_of_ranges_is_complete_for_its_peers_and_says_so() {
    let mut talk = Talk::new();
    talk.say(
        "> GET /d/f.bin HTTP/1.1\n> User-Agent: Microsoft BITS/7.8\n> Range: bytes=5-9\n> Host: a\n>\n\
         < HTTP/1.1 206 P\n< Content-Range: bytes 5-9/20\n< Content-Length: 5\n<\n< 56789",
    )
    .hang_up();
    let found = files(&talk);
    let (row, _) = &found[0];
    assert_eq!((row.state, row.complete), ("complete", false));
    assert!(row.notes[0].starts_with("For the peers this download is complete"));
}

#[test]
fn hashes_are_not_written_as_the_file() {
    let mut talk = Talk::new();
    talk.say(
        "> GET /d/f.bin HTTP/1.1\n> User-Agent: Microsoft BITS/7.8\n> Range: bytes=0-19\n> Host: a\n>\n\
         < HTTP/1.1 206 P\n< Content-Range: bytes 0-19/20\n< Content-Encoding: peerdist\n< Content-Length: 5\n<\n< 56789",
    );
    let found = files(&talk);
    assert!(found[0].1.is_empty(), "{:?}", found[0]);
    assert!(
        found[0].0.notes[0].contains("PeerDist"),
        "{:?}",
        found[0].0.notes
    );
}

#[test]
fn chunks_and_parts_are_taken_apart() {
    let mut talk = Talk::new();
    let chunked = "> GET /d/chunked HTTP/1.1\n> User-Agent: Microsoft BITS/7.8\n> Host: d\n>\n\
        < HTTP/1.1 200 OK\n< Transfer-Encoding: chunked\n<";
    talk.say(chunked);
    talk.bytes(
        Direction::ToClient,
        b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: 1\r\n\r\n",
    );
    let parts = "--B\r\nContent-Range: bytes 0-1/8\r\n\r\n\r\n\r\n--B\r\nContent-Range: bytes 6-7/8\r\n\r\ngh\r\n--B--\r\n";
    get(
        &mut talk,
        "0-1,6-7",
        &format!(
            "< HTTP/1.1 206 P\n< Content-Type: multipart/byteranges; boundary=B\n< Content-Length: {}\n<",
            parts.len()
        ),
    );
    talk.bytes(Direction::ToClient, parts.as_bytes());
    talk.hang_up();
    let files = files(&talk);
    assert!(files[0].0.complete, "the answer's end tells the size");
    assert_eq!(
        told(&files),
        [
            ("chunked", "received", "hello world".to_owned(), vec![]),
            (
                "f.bin",
                "received",
                "\r\n....gh".to_owned(),
                vec![(2, 5, "not-seen")]
            ),
        ]
    );
}

#[test]
fn an_error_page_is_no_content_and_an_empty_file_is_one() {
    let mut talk = Talk::new();
    get(
        &mut talk,
        "0-",
        "< HTTP/1.1 404 Not Found\n< Content-Length: 4\n<\n< oops",
    );
    talk.say(
        "> GET /d/empty HTTP/1.1\n> User-Agent: Microsoft BITS/7.8\n> Host: d\n>\n< HTTP/1.1 200 OK\n< Content-Length: 0\n<",
    );
    let files = files(&talk);
    assert_eq!(told(&files), [("empty", "received", String::new(), vec![])]);
    assert!(files[0].0.complete);
}

#[test]
fn nothing_that_is_there_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let mut talk = Talk::new();
    create(&mut talk);
    fragment(&mut talk, 0, "x", 1);
    received(&mut talk, 200, 1);
    let mut timeline = talk.timeline();
    timeline.finish();
    fs::write(folder.path().join("unrelated"), "stays").unwrap();
    for name in ["F.TXT", "manifest.csv", "f.txt.acknowledged"] {
        let path = folder.path().join(name);
        fs::write(&path, "old").unwrap();
        let refused = Extraction::begin(&timeline, folder.path()).map(|_| ());
        assert!(refused.is_err(), "{name}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        fs::remove_file(path).unwrap();
    }
    rebuild(&talk.events, 3, folder.path());
    assert_eq!(fs::read(folder.path().join("unrelated")).unwrap(), b"stays");
}

#[cfg(unix)]
#[test]
fn links_are_not_followed_and_files_are_private() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    let folder = tempfile::tempdir().unwrap();
    let (out, victim) = (folder.path().join("out"), folder.path().join("victim"));
    fs::create_dir(&out).unwrap();
    fs::write(&victim, "old").unwrap();
    let mut talk = Talk::new();
    create(&mut talk);
    fragment(&mut talk, 0, "x", 1);
    received(&mut talk, 200, 1);
    let timeline = talk.timeline();
    let extraction = Extraction::begin(&timeline, &out).unwrap();
    drop(extraction);
    // It appears after the folder was looked at.
    let mut late = Extraction::begin(&timeline, &out).unwrap();
    symlink(&victim, out.join("f.txt")).unwrap();
    let done: Result<Vec<()>, _> = talk.events.iter().map(|event| late.apply(event)).collect();
    assert!(done.is_err());
    assert_eq!(fs::read(&victim).unwrap(), b"old");
    fs::remove_file(out.join("f.txt")).unwrap();

    rebuild(&talk.events, 3, &out);
    for entry in fs::read_dir(&out).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

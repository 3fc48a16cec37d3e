//! Each thing that a rule can do, through the real binary between raw sockets: what the client gets, what the
//! server gets, what the capture says of it, and that the capture shows what was shown live.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod binary;
#[path = "support/disturbed.rs"]
mod disturbed;

#[path = "faults/contents.rs"]
mod contents;
#[path = "faults/counts.rs"]
mod counts;
#[path = "faults/ends.rs"]
mod ends;
#[path = "faults/heads.rs"]
mod heads;
#[path = "faults/runs.rs"]
mod runs;
#[path = "faults/sessions.rs"]
mod sessions;
#[path = "faults/times.rs"]
mod times;

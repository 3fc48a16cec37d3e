//! Presets of an upload conversation: answers lost, bodies cut, Acks that say something else.
//!
//! Data alone: keys of a rule as a file would have them; `mod` says what a row is.

use super::{Preset, preset};

#[rustfmt::skip]
pub(super) const PRESETS: &[Preset] = &[
    preset("F-01", "", r#"
when  = "bits.type == fragment and not bits.last"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { drop_response = {} }, { reset = { side = "client" } } ]
"#),
    preset("F-02", "", r#"
when  = "bits.type == fragment and bits.last"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { drop_response = {} }, { reset = { side = "client" } } ]
"#),
    preset("F-03", "", r#"
when  = "bits.type == create-session"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { drop_response = {} }, { reset = { side = "client" } } ]
"#),
    preset("F-04", "", r#"
when  = "bits.type == close-session"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { drop_response = {} }, { reset = { side = "client" } } ]
"#),
    preset("F-04/forgotten", "the server hears nothing of the Close-Session and keeps the session", r#"
when  = "bits.type == close-session"
count = { per = "session", times = 1 }
stage = "request.head"
do    = [ { respond = { status = 500, bits = { error = "BG_E_SESSION_NOT_FOUND", context = "0x5" } } } ]
"#),
    preset("F-05", "", r#"
when  = "bits.type == cancel-session"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { drop_response = {} }, { reset = { side = "client" } } ]
"#),
    preset("F-06", "`at = { file = \"5MiB\" }` cuts at a byte of the file instead of in the middle of the Fragment", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "request.body"
at    = { percent = 50 }
do    = [ { reset = { side = "both" } } ]
"#),
    preset("F-07", "the second Fragment is told to begin at 0 again; the server hears nothing of it and has lost nothing", r#"
when  = "bits.type == fragment"
count = { per = "session", skip = 1, times = 1 }
stage = "request.head"
do    = [ { respond = { status = 416, bits = { received = 0 } } } ]
"#),
    preset("F-08", "", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "request.head"
do    = [ { respond = { status = 416 } } ]
"#),
    preset("F-09", "every Fragment is told to begin at 0", r#"
when  = "bits.type == fragment"
stage = "request.head"
do    = [ { respond = { status = 416, bits = { received = 0 } } } ]
"#),
    preset("F-10", "one byte less than the server has", r#"
when  = "bits.type == fragment and http.status == 200"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { set = { bits = { received = "-1" } } } ]
"#),
    preset("F-11", "a hole of one byte", r#"
when  = "bits.type == fragment and not bits.last and http.status == 200"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { set = { bits = { received = "+1" } } } ]
"#),
    preset("F-12", "", r#"
when  = "bits.type == fragment and bits.range.start == 0 and not bits.last and http.status == 200"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { set = { bits = { received = "total" } } } ]
"#),
    preset("F-13", "", r#"
when  = "bits.type == fragment and http.status == 200"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { set = { bits = { received = "total+1" } } } ]
"#),
    preset("F-13/no-number", "", r#"
when  = "bits.type == fragment and http.status == 200"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { set = { bits = { received = { text = "none" } } } } ]
"#),
    preset("F-14", "the second Fragment of a session, once; the session that begins anew is the same one", r#"
when  = "bits.type == fragment"
count = { per = "session", skip = 1, times = 1 }
stage = "request.head"
do    = [ { respond = { status = 500, bits = { error = "BG_E_SESSION_NOT_FOUND", context = "0x5" } } } ]
"#),
    preset("F-15", "", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "request.head"
do    = [ { respond = { status = 500 } } ]
"#),
    preset("F-15/503", "", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "request.head"
do    = [ { respond = { status = 503 } } ]
"#),
    preset("F-15/504", "", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "request.head"
do    = [ { respond = { status = 504 } } ]
"#),
    preset("F-16", "", r#"
when  = "bits.type == create-session"
stage = "request.head"
do    = [ { respond = { status = 501, bits = { error = "0x80070005", context = "0x5" } } } ]
"#),
    preset("F-17", "", r#"
when  = "bits.type == create-session"
stage = "request.head"
do    = [ { respond = { status = 403, bits = { error = "0x80070005", context = "0x5" } } } ]
"#),
    preset("F-17/404", "", r#"
when  = "bits.type == create-session"
stage = "request.head"
do    = [ { respond = { status = 404 } } ]
"#),
    preset("F-18", "", r#"
when  = "bits.type == create-session"
count = { per = "session", times = 1 }
stage = "request.head"
do    = [ { respond = { status = 409 } } ]
"#),
    preset("F-19", "", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "request.head"
do    = [ { respond = { status = 400, bits = { error = "0x80070057", context = "0x5" } } } ]
"#),
    preset("F-20", "refuses what has more than 64 KiB, so that the client finds a size that passes", r#"
when  = "bits.type == fragment and size > 64KiB"
stage = "request.head"
do    = [ { respond = { status = 413 } } ]
"#),
    preset("F-20/every", "refuses Fragments of every size", r#"
when  = "bits.type == fragment"
stage = "request.head"
do    = [ { respond = { status = 413 } } ]
"#),
    preset("F-21", "", r#"
when  = "bits.type == fragment"
stage = "request.head"
do    = [ { respond = { status = 500, bits = { error = "BG_E_TOO_LARGE", context = "0x5" } } } ]
"#),
    preset("F-22", "", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "request.head"
do    = [ { respond = { status = 500, bits = { error = "0x80070070", context = "0x5" } } } ]
"#),
    preset("F-23", "the server has the Fragment; only its answer is another", r#"
when  = "bits.type == fragment and bits.last"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { respond = { status = 500, bits = { error = "0x801901F4", context = "0x7" } } } ]
"#),
    preset("F-24", "", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { remove = { bits = ["packet_type"] } } ]
"#),
    preset("F-24/html", "", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { respond = { status = 200, no_ack = true, headers = { Content-Type = "text/html" }, body = "<html><body>Please log in.</body></html>" } } ]
"#),
    preset("F-25", "", r#"
when  = "bits.type == create-session and http.status in {200, 201}"
count = { per = "url", times = 1 }
stage = "response.head"
do    = [ { remove = { bits = ["session_id"] } } ]
"#),
    preset("F-25/protocol", "", r#"
when  = "bits.type == create-session and http.status in {200, 201}"
count = { per = "url", times = 1 }
stage = "response.head"
do    = [ { set = { bits = { protocol = "{00000000-0000-0000-0000-000000000001}" } } } ]
"#),
    preset("F-26", "", r#"
when  = "bits.type == fragment and http.status == 200"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { set = { bits = { session_id = "{00000000-0000-0000-0000-000000000002}" } } } ]
"#),
];

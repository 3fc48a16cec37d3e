//! Presets of the server application behind a BITS server.
//!
//! Data alone: keys of a rule as a file would have them; `mod` says what a row is.

use super::{Preset, preset};

#[rustfmt::skip]
pub(super) const PRESETS: &[Preset] = &[
    preset("F-56", "the proxy stands between the BITS server and its application", r#"
when  = "bits.type == notification"
stage = "request.head"
do    = [ { respond = { status = 403 } } ]
"#),
    preset("F-56/client", "what the server tells the client then; the application has heard of the upload", r#"
when  = "bits.type == fragment and bits.last"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { respond = { status = 403, bits = { error = "0x80190193", context = "0x7" } } } ]
"#),
    preset("F-57", "the proxy stands between the BITS server and its application", r#"
when  = "bits.type == notification"
count = { per = "url", times = 1 }
stage = "response.head"
do    = [ { delay = { s = 310 } } ]
"#),
    preset("F-57/client", "what the server tells the client then; the code is the one that MC-BUP §3.3.6 prints", r#"
when  = "bits.type == fragment and bits.last"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { respond = { status = 408, bits = { error = "0x80070112", context = "0x7" } } } ]
"#),
];

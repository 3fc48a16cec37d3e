//! Presets of a download: lengths, ranges, files that change, redirects.
//!
//! Data alone: keys of a rule as a file would have them; `mod` says what a row is.

use super::{Preset, preset};

#[rustfmt::skip]
pub(super) const PRESETS: &[Preset] = &[
    preset("F-44", "", r#"
when  = "http.method == HEAD"
stage = "response.head"
do    = [ { remove = { bits = ["content_length"] } } ]
"#),
    preset("F-45", "the server is not told that a range is wanted", r#"
when  = "http.method == GET and http.header.range"
stage = "request.head"
do    = [ { remove = { headers = ["Range", "If-Range"] } } ]
"#),
    preset("F-46", "", r#"
when  = "http.method == GET and http.status == 206"
count = { per = "url", times = 1 }
stage = "response.head"
do    = [ { remove = { bits = ["content_range"] } } ]
"#),
    preset("F-46/other", "", r#"
when  = "http.method == GET and http.status == 206"
count = { per = "url", times = 1 }
stage = "response.head"
do    = [ { set = { bits = { content_range = "bytes 1-1/2" } } } ]
"#),
    preset("F-47", "HEAD tells one byte more than there is", r#"
when  = "http.method == HEAD and http.status == 200"
stage = "response.head"
do    = [ { set = { bits = { content_length = "+1" } } } ]
"#),
    preset("F-48", "from the third answer of a URL on: HEAD and one range tell the old time", r#"
when  = "http.method in {HEAD, GET} and http.status in {200, 206}"
count = { per = "url", skip = 2 }
stage = "response.head"
do    = [ { set = { bits = { last_modified = "Fri, 01 Jan 2100 00:00:00 GMT" } } } ]
"#),
    preset("F-49", "from the third answer of a URL on: HEAD and one range tell the old one", r#"
when  = "http.method in {HEAD, GET} and http.status in {200, 206}"
count = { per = "url", skip = 2 }
stage = "response.head"
do    = [ { set = { bits = { etag = "\"changed\"" } } } ]
"#),
    preset("F-50", "", r#"
when  = "http.method == GET and http.header.if-unmodified-since"
count = { per = "url", times = 1 }
stage = "request.head"
do    = [ { respond = { status = 412 } } ]
"#),
    preset("F-51", "", r#"
when  = "http.method == GET and http.status in {200, 206}"
count = { per = "url", times = 1 }
stage = "response.body"
at    = { percent = 50 }
do    = [ { close = { side = "client" } } ]
"#),
    preset("F-52", "the server is asked for one range instead: the whole file", r#"
when  = "http.method == GET and http.header.range contains ','"
stage = "request.head"
do    = [ { set = { bits = { range = "bytes=0-" } } } ]
"#),
    preset("F-53", "", r#"
when  = "http.method in {HEAD, GET}"
stage = "response.head"
do    = [ { set = { version = "1.0" } } ]
"#),
    preset("F-54", "the second GET of a URL", r#"
when  = "http.method == GET"
count = { per = "url", skip = 1, times = 1 }
stage = "request.head"
do    = [ { respond = { status = 404 } } ]
"#),
    preset("F-54/403", "the second GET of a URL", r#"
when  = "http.method == GET"
count = { per = "url", skip = 1, times = 1 }
stage = "request.head"
do    = [ { respond = { status = 403 } } ]
"#),
    preset("F-55", "the listener speaks TLS", r#"
when  = "http.method in {HEAD, GET}"
count = { per = "url", times = 1 }
stage = "request.head"
do    = [ { respond = { status = 302, headers = { Location = "http://plain.invalid/" } } } ]
"#),
];

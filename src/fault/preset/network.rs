//! Presets around an upload: host names, replies, slowness, credentials, connections, TLS.
//!
//! Data alone: keys of a rule as a file would have them; `mod` says what a row is.

use super::{Preset, preset};

#[rustfmt::skip]
pub(super) const PRESETS: &[Preset] = &[
    preset("F-27", "names a host of the domain .invalid, which never exists (RFC 6761)", r#"
when  = "bits.type == create-session and http.status in {200, 201}"
count = { per = "url", times = 1 }
stage = "response.head"
do    = [ { set = { bits = { host_id = "dead.invalid", host_id_timeout = 110 } } } ]
"#),
    preset("F-28", "names a host of the domain .invalid, which never exists (RFC 6761)", r#"
when  = "bits.type == create-session and http.status in {200, 201}"
count = { per = "url", times = 1 }
stage = "response.head"
do    = [ { set = { bits = { host_id = "dead.invalid" } } }, { remove = { bits = ["host_id_timeout"] } } ]
"#),
    preset("F-31", "", r#"
when  = "bits.type == fragment and http.header.bits-reply-url"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { remove = { bits = ["reply_url"] } } ]
"#),
    preset("F-32", "the Ack names a place where nothing lies", r#"
when  = "bits.type == fragment and http.header.bits-reply-url"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { set = { bits = { reply_url = "/bitstap-no-such-reply" } } } ]
"#),
    preset("F-33", "", r#"
when  = "bits.type == fragment and bits.last"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { delay = { s = 310 } } ]
"#),
    preset("F-33/trickle", "one byte of the Ack every 10 s", r#"
when  = "bits.type == fragment and bits.last"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { dribble = { bytes = 1, every = "10s" } } ]
"#),
    preset("F-34", "the buffers of both systems swallow some hundred KiB first; Fragments below that arrive whole", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "request.head"
do    = [ { dribble = { bytes = "4KiB", every = "10s", direction = "to-server" } } ]
"#),
    preset("F-35", "", r#"
when  = "bits"
stage = "request.head"
do    = [ { respond = { status = 401, headers = { WWW-Authenticate = "Basic realm=\"bitstap\"" } } } ]
"#),
    preset("F-36", "closes when the third message of the handshake arrives", r#"
when  = "auth.stage == 'type 3' and not auth.proxy"
count = { per = "client", times = 1 }
stage = "request.head"
do    = [ { close = { side = "both" } } ]
"#),
    preset("F-37", "", r#"
when  = "bits"
stage = "request.head"
do    = [ { respond = { status = 407, headers = { Proxy-Authenticate = "Basic realm=\"bitstap\"" } } } ]
"#),
    preset("F-38", "", r#"
when  = "bits.type == create-session"
stage = "request.head"
do    = [ { respond = { status = 302, headers = { Location = "/bitstap-moved/" } } } ]
"#),
    preset("F-39", "", r#"
when  = "bits.type == fragment and not bits.last"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { duplicate = {} } ]
"#),
    preset("F-40", "the Ack ends only with its connection", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { remove = { bits = ["content_length"] } } ]
"#),
    preset("F-40/chunked", "an empty content in chunks", r#"
when  = "bits.type == fragment"
count = { per = "session", times = 1 }
stage = "response.head"
do    = [ { respond = { status = 200, headers = { Transfer-Encoding = "chunked" }, body = "0\r\n\r\n" } } ]
"#),
    preset("F-41", "the listener speaks TLS; a revoked certificate is not made, since that takes an authority with a revocation list", r#"
count = { per = "client", times = 1 }
stage = "connect"
do    = [ { tls = { fault = "expired" } } ]
"#),
    preset("F-41/wrong-name", "the listener speaks TLS", r#"
count = { per = "client", times = 1 }
stage = "connect"
do    = [ { tls = { fault = "wrong-name" } } ]
"#),
    preset("F-41/unknown-authority", "the listener speaks TLS", r#"
count = { per = "client", times = 1 }
stage = "connect"
do    = [ { tls = { fault = "unknown-authority" } } ]
"#),
    preset("F-41/abort", "no certificate: a fatal alert", r#"
count = { per = "client", times = 1 }
stage = "connect"
do    = [ { tls = { fault = "abort" } } ]
"#),
    preset("F-42", "the listener speaks TLS; no certificate will do, so a client that has one fails too", r#"
count = { per = "client", times = 1 }
stage = "connect"
do    = [ { tls = { fault = "client-certificate" } } ]
"#),
    preset("F-43", "", r#"
count = { times = 1 }
stage = "connect"
do    = [ { refuse = { s = 60 } } ]
"#),
    preset("F-43/reset", "", r#"
count = { per = "client", times = 1 }
stage = "connect"
do    = [ { reset = { side = "client" } } ]
"#),
    preset("F-43/silence", "the connection stands and nothing answers on it", r#"
count = { per = "client", times = 1 }
stage = "connect"
do    = [ { hang = {} } ]
"#),
];

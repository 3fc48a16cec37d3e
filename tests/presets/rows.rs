//! One row for each preset: what is sent through it, where it fires, and how it ends for `send` and `fetch`.

/// Who goes through the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Send,
    /// To a server that replies.
    SendForReply,
    SendTls,
    Fetch,
    FetchTls,
}

use By::{Fetch, FetchTls, Send, SendForReply, SendTls};

impl By {
    pub(crate) fn is_tls(self) -> bool {
        matches!(self, SendTls | FetchTls)
    }
}

/// A preset and what it leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) preset: &'static str,
    pub(crate) by: By,
    /// Keys that replace the preset's own, so that nobody waits for minutes; other rules.
    pub(crate) keys: &'static str,
    /// More options of the client.
    pub(crate) options: &'static [&'static str],
    pub(crate) patience: &'static str,
    /// The client is told to stop when the proxy has said this; empty: it ends by itself.
    pub(crate) stop_at: &'static str,
    /// The packets that it fires on, with the offset in KiB that a Fragment begins at.
    pub(crate) fires: &'static str,
    /// How the client ends: one of these.
    pub(crate) outcomes: &'static [&'static str],
}

const fn row(
    preset: &'static str,
    by: By,
    fires: &'static str,
    outcomes: &'static [&'static str],
) -> Row {
    Row {
        preset,
        by,
        keys: "",
        options: &[],
        patience: "40s",
        stop_at: "",
        fires,
        outcomes,
    }
}

impl Row {
    const fn keys(self, keys: &'static str) -> Self {
        Self { keys, ..self }
    }

    const fn options(self, options: &'static [&'static str]) -> Self {
        Self { options, ..self }
    }

    const fn patience(self, patience: &'static str) -> Self {
        Self { patience, ..self }
    }

    const fn stop_at(self, stop_at: &'static str) -> Self {
        Self { stop_at, ..self }
    }
}

const AGAIN: &[&str] = &["arrives, 1 retries"];

/// It waits for minutes, as the catalogue says, and is told to stop.
const WAITS: &[&str] = &["Some(2) error: cancelled"];

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    row("F-01", Send, "Fragment@0", AGAIN),
    row("F-02", Send, "Fragment@160", AGAIN),
    row("F-03", Send, "Create-Session", AGAIN),
    row("F-04", Send, "Close-Session", &["arrives, 1 retries; the repeated Close-Session met no session: the first one had arrived"]),
    row("F-04/forgotten", Send, "Close-Session", &["arrives, 1 restarts"]),
    // `send` says Cancel-Session once; Windows says it for a day.
    row("F-05", Send, "Cancel-Session", WAITS)
        .keys("[[rule]]\nname = \"stuck\"\nwhen = \"bits.type == fragment\"\ncount = { skip = 1 }\ndo = [ { hang = {} } ]")
        .stop_at("Rule stuck fired"),
    row("F-06", Send, "Fragment@0", AGAIN),
    row("F-07", Send, "Fragment@80", &["arrives, 1 rewinds"]),
    row("F-08", Send, "Fragment@0", &["is not valid: its BITS-Received-Content-Range is missing"]),
    row("F-09", Send, "Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0", &["BG_E_NO_PROGRESS"]),
    row("F-10", Send, "Fragment@0", &["arrives, 1 rewinds"]),
    // Our server says 416 to what would leave a hole, and is obeyed.
    row("F-11", Send, "Fragment@0", &["arrives, 2 rewinds; the server told an offset beyond what was sent"]),
    // The upload counts as done. Nothing is there: our server drops what is closed before it is complete.
    row("F-12", Send, "Fragment@0", &["arrives, 1 rewinds; the server told an offset beyond what was sent; BUT NOT AS IT WAS SENT"]),
    row("F-13", Send, "Fragment@0", &["is not valid: its BITS-Received-Content-Range is 204801"]),
    row("F-13/no-number", Send, "Fragment@0", &["is not valid: its BITS-Received-Content-Range is none"]),
    row("F-14", Send, "Fragment@80", &["arrives, 1 restarts"]),
    row("F-15", Send, "Fragment@0", AGAIN),
    row("F-15/503", Send, "Fragment@0", AGAIN),
    row("F-15/504", Send, "Fragment@0", AGAIN),
    row("F-16", Send, "Create-Session", &["was refused: 501, 0x80070005 E_ACCESSDENIED"]),
    row("F-17", Send, "Create-Session", &["was refused: 403, 0x80070005 E_ACCESSDENIED"]),
    row("F-17/404", Send, "Create-Session", &["was refused: 404"]),
    row("F-18", Send, "Create-Session", AGAIN),
    row("F-19", Send, "Fragment@0", &["was refused: 400, 0x80070057 E_INVALIDARG"]),
    row("F-20", Send, "Fragment@0", &["arrives, 1 shrinks"]),
    row("F-20/every", Send, "Fragment@0 Fragment@0 Fragment@0 Fragment@0 Fragment@0", &["was refused: 413"]),
    row("F-21", Send, "Fragment@0", &["BG_E_TOO_LARGE"]),
    row("F-22", Send, "Fragment@0", AGAIN),
    row("F-23", Send, "Fragment@160", AGAIN),
    // Servers in the field leave it out, too: `send` only says so.
    row("F-24", Send, "Fragment@0", &["arrives; an answer has no BITS-Packet-Type: Ack"]),
    row("F-24/html", Send, "Fragment@0", &["is not valid: it has no BITS field"]),
    row("F-25", Send, "Create-Session", &["is not valid: it has no usable BITS-Session-Id"]),
    row("F-25/protocol", Send, "Create-Session", &["BG_E_CLIENT_SERVER_PROTOCOL_MISMATCH"]),
    row("F-26", Send, "Fragment@0", &["arrives; an Ack has the BITS-Session-Id of another session"]),
    // The fallback is shortened; a session that is still known goes on after it.
    row("F-27", Send, "Create-Session", &["arrives*"])
        .keys("do = [ { set = { bits = { host_id = \"dead.invalid\", host_id_timeout = 1 } } } ]"),
    row("F-28", Send, "Create-Session", &["no progress with "]).patience("2s"),
    row("F-31", SendForReply, "Fragment@160", &["is not valid: the last Ack has no BITS-Reply-URL"]).options(&["--expect-reply"]),
    row("F-32", SendForReply, "Fragment@160", &["was refused: 404"]),
    row("F-33", Send, "Fragment@160", WAITS).stop_at("Rule F-33 fired"),
    row("F-33/trickle", Send, "Fragment@160", WAITS).stop_at("Rule F-33/trickle fired"),
    row("F-34", Send, "Fragment@0", WAITS).stop_at("Rule F-34 fired"),
    row("F-35", Send, "Ping Ping", &["was refused: 401"]).options(&["--user", "a:b"]),
    row("F-36", Send, "Ping", AGAIN).options(&["--header", "Authorization: NTLM TlRMTVNTUAADAAAA"]),
    row("F-37", Send, "Ping", &["was refused: 407"]),
    row("F-38", Send, "Create-Session", &["was refused: 302"]),
    // What nobody asked for ends the connection, unless the next request was on its way already.
    row("F-39", Send, "Fragment@0", &["arrives*"]),
    row("F-40", Send, "Fragment@0", WAITS).stop_at("Rule F-40 fired"),
    // A content in chunks is all right to a library of HTTP.
    row("F-40/chunked", Send, "Fragment@0", &["arrives"]),
    row("F-41", SendTls, "connect", &["invalid peer certificate: Expired", "certificate expired"]),
    row("F-41/wrong-name", SendTls, "connect", &["not valid for name"]),
    row("F-41/unknown-authority", SendTls, "connect", &["UnknownIssuer"]),
    row("F-41/abort", SendTls, "connect", AGAIN),
    row("F-42", SendTls, "connect", &["CertificateRequired"]),
    row("F-43", Send, "connect", &["arrives*"]).keys("do = [ { refuse = { ms = 300 } } ]"),
    row("F-43/reset", Send, "connect", AGAIN),
    row("F-43/silence", Send, "connect", WAITS).stop_at("Rule F-43/silence fired"),
    row("F-44", Fetch, "HEAD", &["BG_E_MISSING_FILE_SIZE"]),
    row("F-45", Fetch, "GET@0", &["BG_E_INSUFFICIENT_RANGE_SUPPORT"]),
    row("F-46", Fetch, "GET@0", &["BG_E_INSUFFICIENT_RANGE_SUPPORT"]),
    row("F-46/other", Fetch, "GET@0", &["is not valid: asked for bytes 0-81919, it has bytes 1-1/2"]),
    row("F-47", Fetch, "HEAD HEAD HEAD HEAD HEAD HEAD HEAD HEAD HEAD HEAD HEAD", &["BG_E_REMOTE_FILE_CHANGED"]),
    row("F-48", Fetch, "GET@80 HEAD GET@0 GET@80 GET@160", &["arrives, 1 restarts"]),
    row("F-49", Fetch, "GET@80 GET@160", &["arrives"]),
    row("F-50", Fetch, "GET@0", &["arrives, 1 restarts"]),
    row("F-51", Fetch, "GET@0", AGAIN),
    row("F-53", Fetch, "HEAD GET@0 GET@80 GET@160", &["arrives"]),
    row("F-54", Fetch, "GET@80", &["was refused: 404"]),
    row("F-54/403", Fetch, "GET@80", &["was refused: 403"]),
    row("F-55", FetchTls, "HEAD", &["from https to http"]),
    row("F-56/client", Send, "Fragment@160", &["was refused: 403, 0x80190193"]),
    row("F-57/client", Send, "Fragment@160", AGAIN),
];

/// Presets that neither `send` nor `fetch` can meet, and why.
pub(crate) const BEYOND: &[(&str, &str)] = &[
    ("F-52", "`fetch` asks for one range at a time"),
    ("F-56", "between a BITS server and its application"),
    ("F-57", "between a BITS server and its application"),
];

//! The spelling of field names on the wire: `BITS-Packet-Type`, not `bits-packet-type`.
//!
//! hyper writes the names of a message in the spelling that it remembers from *reading* one; that memory is
//! private to hyper but travels in the message's extensions. So a message with every name that we use is read
//! once through an in-memory connection, and its extensions go out with each message of ours.

use bytes::Bytes;
use http::{Extensions, Request};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::OnceCell;

/// Every name that an end of ours writes, as Windows and IIS write it.
///
/// observed: MC-BUP §4.1 (`Accept-encoding` is IIS' own spelling, for its Ack of Create-Session)
const NAMES: [&str; 35] = [
    "Accept",
    "Accept-Encoding",
    "Accept-Ranges",
    "Allow",
    "Authorization",
    "BITS-Error",
    "BITS-Error-Code",
    "BITS-Error-Context",
    "BITS-Host-Id",
    "BITS-Host-Id-Fallback-Timeout",
    "BITS-Packet-Type",
    "BITS-Protocol",
    "BITS-Received-Content-Range",
    "BITS-Reply-URL",
    "BITS-Session-Id",
    "BITS-Supported-Protocols",
    "Connection",
    "Content-Name",
    "Content-Range",
    "Content-Type",
    "Date",
    "ETag",
    "Host",
    "If-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Last-Modified",
    "Location",
    "Pragma",
    "Range",
    "Server",
    "User-Agent",
    "WWW-Authenticate",
    "X-Http-Method-Override",
    "X-Resource-Id",
];

/// Returns how `name` is written on the wire.
pub(super) fn spelled(name: &str) -> &str {
    NAMES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .unwrap_or(if name == "content-length" {
            "Content-Length"
        } else {
            name
        })
}

static SPELLING: OnceCell<Extensions> = OnceCell::const_new();

/// Returns the extensions that make hyper write our names in their proper case.
///
/// Without them (should hyper ever change) the names go out in title case, which is legal too.
pub(super) async fn spelling() -> Extensions {
    SPELLING
        .get_or_init(|| async { learn().await.unwrap_or_default() })
        .await
        .clone()
}

async fn learn() -> Option<Extensions> {
    let (ours, mut theirs) = tokio::io::duplex(8192);
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(ours))
        .await
        .ok()?;
    let mut message = String::from("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    for name in NAMES {
        message.push_str(name);
        message.push_str(": 1\r\n");
    }
    message.push_str("\r\n");
    let teach = async {
        let mut request = [0_u8; 5];
        // The answer must follow the request, else hyper takes it for an unsolicited one.
        theirs.read_exact(&mut request).await.ok()?;
        theirs.write_all(message.as_bytes()).await.ok()
    };
    let learn = async {
        let response = sender
            .send_request(Request::new(Empty::<Bytes>::new()))
            .await;
        drop(sender);
        response
            .ok()
            .map(|response| response.into_parts().0.extensions)
    };
    let (extensions, _, _) = tokio::join!(learn, teach, connection);
    extensions
}

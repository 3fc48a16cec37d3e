//! What the proxy made of an answer to a download: the heads of both legs side by side.
//!
//! Only told of what no rule and no rewrite asked for: bitstap forwards what it received, and this is how a capture
//! shows that it did.

use crate::wire::Head;

use super::tally::Out;
use super::view::shown;

/// Fields that BITS goes by.
///
/// Win32 BITS Return Values
const FIELDS: [&str; 4] = ["Content-Length", "Content-Range", "Last-Modified", "ETag"];

/// Compares an answer as the server wrote it with the one that the client got; `packet` is the request's.
pub(super) fn check(packet: &str, server: &Head, client: &Head, out: &mut Out<'_>) {
    let mut changed = Vec::new();
    if server.status() != client.status() {
        let status = |head: &Head| head.status().unwrap_or_default();
        changed.push(format!(
            "the status from {} to {}",
            status(server),
            status(client)
        ));
    }
    for field in FIELDS {
        let before: Vec<&[u8]> = server.values(field).collect();
        let after: Vec<&[u8]> = client.values(field).collect();
        if before != after {
            changed.push(format!(
                "{field} from {} to {}",
                said(&before),
                said(&after)
            ));
        }
    }
    if !changed.is_empty() {
        out.raise("BDL-16", || {
            format!(
                "In the answer to {packet} the proxy changed {}: BITS goes by these fields.",
                changed.join(", ")
            )
        });
    }
}

fn said(values: &[&[u8]]) -> String {
    match values {
        [] => "none".to_owned(),
        values => {
            let values: Vec<String> = values.iter().map(|value| shown(value)).collect();
            values.join(" and ")
        }
    }
}

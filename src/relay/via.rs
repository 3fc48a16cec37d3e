//! The proxy behind the proxy: servers are reached through it.
//!
//! Requests for http servers are sent to it in absolute form (`perform/steer.rs` writes that); to everything
//! else it opens tunnels, which is done here, below TLS and beside all that is recorded. Tells nobody anything
//! but its caller.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Upstream;
use super::credentials::Credentials;
use super::rewrite::reread;
use crate::wire;

/// An answer to CONNECT with a longer head than this is none.
const HEAD_MAX: usize = 16 * 1024;

/// A forward proxy that servers are reached through.
#[derive(Clone, PartialEq, Eq)]
pub struct Via {
    /// Always without TLS.
    pub proxy: Upstream,
    /// User and password, if it wants them.
    pub credentials: Option<Credentials>,
}

impl std::fmt::Debug for Via {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Via")
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

impl Via {
    /// Has the proxy at the other end of `stream` open a tunnel to a server. An error is one clause.
    ///
    /// RFC 9110 §9.3.6
    pub(super) async fn tunnel(&self, stream: &mut TcpStream, to: &Upstream) -> Result<(), String> {
        let name = self.proxy.url();
        let authority = to.place();
        let mut ask = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
        if let Some(credentials) = &self.credentials {
            ask.push_str(&format!("Proxy-Authorization: {}\r\n", credentials.basic()));
        }
        ask.push_str("\r\n");
        let broken = |error| format!("the proxy {name} broke off ({error})");
        stream.write_all(ask.as_bytes()).await.map_err(broken)?;
        // Byte by byte: what comes after the head belongs to the server.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") && !answer.ends_with(b"\n\n") {
            let byte = stream.read_u8().await.map_err(broken)?;
            answer.push(byte);
            if answer.len() > HEAD_MAX {
                return Err(format!("the proxy {name} does not answer CONNECT in HTTP"));
            }
        }
        let answer = reread(wire::Stream::Responses, &answer.into());
        match answer.and_then(|head| head.status()) {
            Some(200..=299) => Ok(()),
            Some(407) if self.credentials.is_some() => Err(format!(
                "the proxy {name} does not take the credentials in --upstream-proxy (407)"
            )),
            Some(407) => Err(format!(
                "the proxy {name} wants credentials (407): --upstream-proxy http://USER:PASSWORD@HOST:PORT"
            )),
            Some(status) => Err(format!(
                "the proxy {name} answers {status} to CONNECT {authority}"
            )),
            None => Err(format!("the proxy {name} does not answer CONNECT in HTTP")),
        }
    }
}

//! The last bytes of a connection that a rule ends with a FIN.
//!
//! A socket that is closed with unread bytes in it resets the connection (RFC 9112 §9.6), so what the peer
//! still sends is read, and recorded, for a while. Forwards nothing.

use std::future::poll_fn;

use bytes::BytesMut;
use tokio::time::timeout_at;

use super::super::connection::{LINGER_BYTES, LINGER_TIME};
use super::super::state::{Side, State, inward};
use super::super::stream::Stream;
use super::super::tap;
use crate::event::{Close, Leg};

/// How much is read at a time.
const ROOM: usize = 64 * 1024;

/// Reads and records what the peer of `side` still sends, until it ends the stream too.
pub(in crate::relay) async fn drain<S: Stream>(state: &State<'_>, side: &Side<S>) {
    if state.books().leg(side.leg).ended {
        return;
    }
    let deadline = tap::now() + LINGER_TIME;
    let mut left = LINGER_BYTES;
    while left > 0 {
        let mut bytes = BytesMut::with_capacity(ROOM);
        let read = poll_fn(|cx| side.stream.poll_read(cx, &mut bytes));
        let how = match timeout_at(deadline, read).await {
            Err(_) => return,
            Ok(Ok(0)) => Close::Fin,
            Ok(Err(_)) => Close::Reset,
            Ok(Ok(count)) => {
                left = left.saturating_sub(count as u64);
                record(state, side.leg, bytes.freeze()).await;
                continue;
            }
        };
        return state.tap.closed(side.leg, inward(side.leg), how).await;
    }
}

/// Records bytes that were read and go nowhere.
pub(super) async fn record(state: &State<'_>, leg: Leg, bytes: bytes::Bytes) {
    state.tap.data(leg, inward(leg), 0, &bytes, &[]).await;
}

//! How long a client waited, and why as far as can be told: retry delay, host fallback, response timer,
//! pause, or it never came back.
//!
//! Only what is long is told, and a reason only where the documents give one that fits.

use std::time::Duration;

use crate::bits::Packet;
use crate::event::ConnId;

use super::ledger::{Ledger, slot};
use super::row::{Exchange, Outcome, SessionKind, SessionState, Text};

/// Who ended a connection that was still there when the capture ended.
pub(super) const CAPTURE_ENDS: &str = "the capture ends";

/// Waits below this are not worth a sentence after trouble.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);

/// Waits below this are not worth a sentence where nothing was wrong.
const FROM_NOWHERE: Duration = Duration::from_mins(1);

/// The least delay that a job can have (Win32 `SetMinimumRetryDelay`).
const LEAST_RETRY: Duration = Duration::from_secs(5);

/// The delay that a job has unless it asks for another (Win32 `SetMinimumRetryDelay`), with room for the
/// work around it.
const RETRY: std::ops::Range<Duration> = Duration::from_secs(595)..Duration::from_mins(11);

/// Time to send one upload request (MC-BUP §3.1.2.1), a little less for what the proxy saw later.
const SENDING: Duration = Duration::from_secs(118);

/// Time to wait for one upload response (MC-BUP §3.1.2.2), likewise.
const ANSWERING: Duration = Duration::from_secs(295);

/// Returns a duration for a sentence: `41 s`, `10 min`, `2 h 5 min`.
fn long(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes, rest) {
        (0, 0, rest) => format!("{rest} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, rest) => format!("{minutes} min {rest} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// Returns a host without the port that it has anyway: some write it and some do not.
fn without_usual_port(host: &str) -> &str {
    (host.strip_suffix(":80"))
        .or_else(|| host.strip_suffix(":443"))
        .unwrap_or(host)
}

impl Ledger {
    /// Takes note that a request of `session` begins at `at`: tells how long the client had been silent,
    /// and whether it turned to another host, where the request names one. `ping` tells that it came back with a Ping.
    pub(super) fn resumed(&mut self, session: u32, at: Duration, host: Option<&Text>, ping: bool) {
        let Some((row, book)) = self.session(session) else {
            return;
        };
        let trouble = std::mem::take(&mut book.trouble);
        let moved = host
            .and_then(|host| Some((book.talks_to.replace(Text::clone(host))?, host)))
            .filter(|(before, host)| without_usual_port(before) != without_usual_port(host));
        if row.state.is_final() && row.state != SessionState::Lost {
            return;
        }
        let gap = at.saturating_sub(row.last);
        if let Some((before, host)) = moved {
            let from_host_id = book.host_id.as_ref() == Some(&before);
            let to_host_id = book.host_id.as_ref() == Some(host);
            if from_host_id {
                let text = format!(
                    "After {} the client went back from {before} to {host}: the host that it had been sent to did not serve it (host fallback).",
                    long(gap)
                );
                book.tale.tell(row, text);
                return;
            }
            // A download changes hosts because it was redirected, which is told already.
            if !to_host_id && row.kind != SessionKind::Download {
                let text = format!("The client turned from {before} to {host}.");
                book.tale.tell(row, text);
            }
        }
        let text = if trouble {
            if gap < AFTER_TROUBLE {
                return;
            }
            let why = if RETRY.contains(&gap) {
                ": the retry delay of Windows, 10 min"
            } else if gap >= LEAST_RETRY {
                ": the retry delay of its job, as far as can be told"
            } else {
                ""
            };
            format!("The client waited {} and tried again{why}.", long(gap))
        } else if gap < FROM_NOWHERE {
            return;
        } else if ping {
            format!(
                "The client was silent for {} and came back with a Ping: the job was suspended, or the client was without network or power.",
                long(gap)
            )
        } else {
            format!("The client was silent for {}.", long(gap))
        };
        book.tale.tell(row, text);
    }

    /// Takes note that a connection is over, and who ended it: a session whose last exchange was on it hears of it.
    pub(super) fn parted(&mut self, session: u32, conn: ConnId, by: Option<&'static str>) {
        let last = self.book(session).and_then(|book| book.exchanges.last());
        let last = last.and_then(|no| self.exchanges.get(slot(*no)?));
        // Of one that got no full answer this is told already.
        let whole = last.is_some_and(|row| row.conn == conn && row.outcome == Outcome::Complete);
        if let Some((_, book)) = self.session(session).filter(|_| whole) {
            book.parted = by.filter(|by| *by != CAPTURE_ENDS);
        }
    }

    /// Tells of the sessions that are not over who hung up, and how long nobody had come back when the capture
    /// ended.
    pub(super) fn left_alone(&mut self, end: Duration) {
        for (row, book) in self.sessions.iter_mut().zip(&mut self.books) {
            let gap = end.saturating_sub(row.last);
            let away = (gap >= FROM_NOWHERE).then(|| {
                let gap = long(gap);
                format!("he client has not come back: {gap} had passed when the capture ended.")
            });
            if row.state.is_final() {
                continue;
            }
            let text = match (book.parted.take(), away) {
                (None, None) => continue,
                (None, Some(away)) => format!("T{away}"),
                (Some(by), None) => format!("Then {by}, and nothing followed."),
                (Some(by), Some(away)) => format!("Then {by}; t{away}"),
            };
            book.tale.tell(row, text);
        }
    }
}

/// Returns which timer of the client fits an exchange that it ended itself, for the end of a sentence.
pub(super) fn timer(row: &Exchange, ended_by: Option<&str>) -> Option<String> {
    if !ended_by.is_some_and(|by| by.starts_with("the client")) || row.status.is_some() {
        return None;
    }
    let times = row.times.get();
    let ended = times.ended?;
    let download = matches!(row.packet, Some(Packet::Head | Packet::Get));
    if let Some(sent) = times.request_end {
        let waited = ended.saturating_sub(sent);
        let fits = waited >= ANSWERING;
        return fits.then(|| format!(" after {}: its timer for a response is 5 min", long(waited)));
    }
    let sending = ended.saturating_sub(times.begun);
    (sending >= SENDING && !download).then(|| {
        format!(
            " after {}: its timer for sending a request is 2 min",
            long(sending)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_say_them() {
        for (seconds, text) in [
            (41, "41 s"),
            (600, "10 min"),
            (605, "10 min 5 s"),
            (3600, "1 h"),
            (7500, "2 h 5 min"),
        ] {
            assert_eq!(long(Duration::from_secs(seconds)), text);
        }
    }
}

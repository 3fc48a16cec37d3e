//! Logins: the legs that a connection has seen, and what is said of them when they have come to something.
//!
//! NTLM and Negotiate log a connection in, with several requests; the sentence about it goes to the first
//! session of that connection. Knows stages only; tokens are read in `bits/auth`.

use std::time::Duration;

use crate::bits::Auth;
use crate::bits::auth::{Offers, Scheme, Stage};
use crate::event::ConnId;

use super::connection::Live;
use super::ledger::Ledger;
use super::open::Open;

/// So many sentences wait for a session.
const KEPT: usize = 4;

/// What is remembered of the logins on a connection.
#[derive(Debug, Default)]
pub(super) struct Login {
    /// Requests of the login in progress, the one that was without credentials included.
    requests: u32,
    /// What the answer to that one offered.
    asked: Offers,
    /// One of the legs is TLS.
    pub(super) sealed: bool,
    /// A refusal was remarked on.
    blamed: bool,
    /// What the next session on the connection is told.
    news: Vec<String>,
}

/// What an exchange did to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing that is worth a word yet.
    Going,
    /// The client is in, after so many requests.
    In(u32),
    /// All that the client has was refused.
    Refused(Stage),
}

impl Login {
    /// Takes what an exchange showed that was answered `status`.
    fn take(&mut self, auth: Auth, status: u16) -> Turn {
        let challenged = matches!(status, 401 | 407);
        let Some(sent) = auth.sent else {
            if challenged {
                self.begin(auth);
            }
            return Turn::Going;
        };
        if challenged {
            if !auth.goes_on() && sent.is_last() {
                self.begin(auth);
                return Turn::Refused(sent);
            }
            self.requests = self.requests.saturating_add(1);
            return Turn::Going;
        }
        let requests = std::mem::take(&mut self.requests).saturating_add(1);
        // Who shows a password unasked is no news, a handshake always is.
        let told = requests > 1 || auth.scheme.is_some_and(Scheme::is_of_connection);
        if told && (sent.is_last() || sent == Stage::Spnego) {
            Turn::In(requests)
        } else {
            Turn::Going
        }
    }

    fn begin(&mut self, auth: Auth) {
        self.requests = 1;
        self.asked = auth.offers;
    }

    fn tell(&mut self, sentence: String) {
        if self.news.len() < KEPT {
            self.news.push(sentence);
        }
    }
}

impl Live {
    /// Takes note of the login that an exchange showed, and tells its session.
    pub(super) fn log_in(&mut self, open: &Open, at: Duration, ledger: &mut Ledger) {
        let Some(row) = ledger.exchange(open.no) else {
            return;
        };
        let (auth, session) = (row.auth, row.session);
        if let Some(auth) = auth.filter(|_| open.status != 0) {
            let conn = self.locus.conn;
            match self.login.take(auth, open.status) {
                Turn::Going => {}
                Turn::In(requests) => {
                    let asked = self.login.asked;
                    let sentence = welcome(auth, asked, requests, conn, open.injected);
                    self.login.tell(sentence);
                }
                Turn::Refused(stage) => {
                    let sealed = self.login.sealed;
                    let text = refusal(auth, stage, open.status, sealed && !open.injected);
                    let by_connection = auth.scheme.is_some_and(Scheme::is_of_connection);
                    if by_connection && !open.injected && !self.login.blamed {
                        self.login.blamed = true;
                        ledger.observe(at, conn, Some(open.no), text.clone());
                    }
                    self.login.tell(text);
                }
            }
        }
        let Some((row, book)) = session.and_then(|no| ledger.session(no)) else {
            return;
        };
        for sentence in self.login.news.drain(..) {
            // Basic and Digest log in anew with each connection: once is enough.
            if !row.story.contains(&sentence) {
                book.tale.tell(row, sentence);
            }
        }
    }
}

/// Says how a client logged in.
fn welcome(auth: Auth, asked: Offers, requests: u32, conn: ConnId, injected: bool) -> String {
    let scheme = auth.scheme.unwrap_or(Scheme::Other);
    let by_connection = scheme.is_of_connection();
    let mut text = String::new();
    if !asked.is_empty() {
        let who = match (injected, auth.proxy) {
            (true, _) => "The proxy",
            (false, true) => "A proxy on the way",
            (false, false) => "The server",
        };
        text = format!("{who} asked for {asked}; the client logged in");
    }
    if text.is_empty() {
        text.push_str("The client logged in");
    }
    let only = asked.schemes().eq([scheme]);
    match auth.sent {
        Some(Stage::Kerberos) => text.push_str(" by Kerberos"),
        Some(Stage::Type3 | Stage::Type3Bound) if scheme == Scheme::Negotiate => {
            text.push_str(" by NTLM inside of Negotiate");
        }
        _ if only => {}
        _ => text.push_str(&format!(" by {}", scheme.name())),
    }
    if by_connection {
        let plural = if requests == 1 { "" } else { "s" };
        text.push_str(&format!(
            " with {requests} request{plural} on connection {}",
            conn.0
        ));
    }
    if auth.persistent == Some(false) && by_connection {
        text.push_str("; by Persistent-Auth: false it has to do so again with every request");
    }
    text.push('.');
    text
}

/// Says that a client was refused, and every reason that there may be.
///
/// Extended Protection: RFC 5929, RFC 4559; IIS `extendedProtection tokenChecking`
fn refusal(auth: Auth, stage: Stage, status: u16, sealed: bool) -> String {
    let scheme = auth.scheme.unwrap_or(Scheme::Other);
    let what = match stage {
        Stage::Kerberos => "a Kerberos ticket".to_owned(),
        Stage::Credentials => format!("credentials ({})", scheme.name()),
        _ => format!("the last leg of {} (type 3)", scheme.name()),
    };
    let mut text = format!(
        "{status} came again after the client had sent {what}: the login was refused. Name or password are wrong, \
         or the account may not log in here"
    );
    if !scheme.is_of_connection() {
        text.push('.');
        return text;
    }
    text.push_str(
        ", or something on the way to the server does not keep one connection for one client.",
    );
    if sealed {
        text.push_str(
            " Over TLS the server may also demand Extended Protection (IIS: tokenChecking): a login is then bound \
             to the TLS connection that the client sees, and cannot pass where TLS is ended in between, as here.",
        );
        text.push_str(match stage {
            Stage::Type3Bound => " This client did bind its login to its TLS connection.",
            Stage::Type3 => {
                " This client did not bind its login: Allow lets that pass, Require does not."
            }
            _ => "",
        });
        text.push_str(
            " Ways round: plain http on both legs, tokenChecking None for the test, that host with --tunnel in \
             forward mode, or Wireshark with a key log of the client.",
        );
    }
    text
}

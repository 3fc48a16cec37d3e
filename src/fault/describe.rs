//! What a rule does, in one line for people.

use std::time::Duration;

use super::rule::{Action, Ends, Rule, Scope, TlsFault, Way};

/// Describes all that a rule does.
pub(super) fn rule(rule: &Rule) -> String {
    let said: Vec<String> = rule.actions.iter().map(action).collect();
    said.join(", ")
}

fn action(action: &Action) -> String {
    match action {
        Action::Delay { time, jitter } if jitter.is_zero() => format!("delay {}", span(*time)),
        Action::Delay { time, jitter } => {
            format!("delay {} +/- {}", span(*time), span(*jitter))
        }
        Action::Limit { rate, scope, way } => {
            let scope = match scope {
                Scope::Connection => "connection",
                Scope::Session => "session",
                Scope::Client => "client",
                Scope::Run => "run",
            };
            format!("limit {}/s per {scope}{}", size(*rate), towards(*way))
        }
        Action::Dribble { bytes, every, way } => {
            format!(
                "dribble {} each {}{}",
                size(*bytes),
                span(*every),
                towards(*way)
            )
        }
        Action::Set(edit) => {
            let mut names: Vec<String> = Vec::new();
            names.extend(edit.version.map(|minor| format!("version 1.{minor}")));
            names.extend(edit.status.map(|status| format!("status {status}")));
            names.extend(edit.reason.as_ref().map(|_| "reason".to_owned()));
            names.extend(edit.headers.iter().map(|(name, _)| name.clone()));
            let bits = edit.bits.iter();
            names.extend(bits.map(|(field, _)| super::value::usual(*field).to_owned()));
            format!("set {}", names.join(" and "))
        }
        Action::Remove { headers, bits } => {
            let mut names = headers.clone();
            names.extend(
                bits.iter()
                    .map(|field| super::value::usual(*field).to_owned()),
            );
            format!("remove {}", names.join(" and "))
        }
        Action::Flip { bytes, bits } => format!("flip {bits} bits in each of {bytes} bytes"),
        Action::Truncate => "truncate".to_owned(),
        Action::Note { text } => format!("note \"{text}\""),
        Action::Respond(answer) => format!("respond {}", answer.status),
        Action::Reset { side } => format!("reset {}", ends(*side)),
        Action::Close { side } => format!("close {}", ends(*side)),
        Action::Hang { time } => timed("hang", *time),
        Action::DropResponse => "drop the response".to_owned(),
        Action::Duplicate { times: 1 } => "duplicate once".to_owned(),
        Action::Duplicate { times } => format!("duplicate {times} times"),
        Action::Hold { time } => timed("hold", *time),
        Action::Refuse { time } => format!("refuse connections for {}", span(*time)),
        Action::Tls(fault) => format!("tls {}", tls(*fault)),
    }
}

const fn tls(fault: TlsFault) -> &'static str {
    match fault {
        TlsFault::Expired => "certificate expired",
        TlsFault::WrongName => "certificate of another name",
        TlsFault::UnknownAuthority => "certificate of an unknown authority",
        TlsFault::ClientCertificate => "client certificate demanded",
        TlsFault::Abort => "handshake aborted",
    }
}

const fn ends(side: Ends) -> &'static str {
    match side {
        Ends::Client => "client",
        Ends::Server => "server",
        Ends::Both => "both",
    }
}

const fn towards(way: Way) -> &'static str {
    match way {
        Way::ToServer => " towards the server",
        Way::ToClient => " towards the client",
        Way::Both => "",
    }
}

fn timed(word: &str, time: Option<Duration>) -> String {
    time.map_or_else(
        || word.to_owned(),
        |time| format!("{word} for {}", span(time)),
    )
}

/// Writes a duration: `1m 30s`, `300ms`.
pub(super) fn span(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).to_string()
}

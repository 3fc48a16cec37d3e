//! A login in words: what one exchange shows of it, never with what.

use crate::bits::Auth;
use crate::bits::auth::{Scheme, Stage};

use super::explain::Explanation;

/// Returns it in a few words for a line of text: `NTLM type 1, type 2`.
pub fn words(auth: Auth) -> String {
    let mut stages: Vec<&str> = auth.stages().collect();
    if auth.sent.is_some_and(Stage::is_last) && auth.answer == Some(Stage::Asked) {
        stages.pop();
        stages.push("refused");
    }
    let schemes: Vec<&str> = auth.schemes().collect();
    match (auth.sent, schemes.as_slice()) {
        (Some(Stage::Credentials), [scheme]) if stages.len() == 1 => (*scheme).to_owned(),
        _ => format!("{} {}", schemes.join("/"), stages.join(", "))
            .trim()
            .to_owned(),
    }
}

/// Returns whole sentences about the login in one exchange; `status` is that of its answer.
pub fn sentence(auth: Auth, status: Option<u16>) -> String {
    let who = if auth.proxy { "a proxy" } else { "the server" };
    let scheme = auth.scheme.unwrap_or(Scheme::Other);
    let name = match scheme {
        Scheme::Other => "an unknown scheme",
        scheme => scheme.name(),
    };
    let ntlm = if scheme == Scheme::Ntlm { "" } else { "NTLM " };
    let challenged = matches!(status, Some(401 | 407));
    let asks_again = format!("; {who} refuses it.");
    let end = match status {
        _ if challenged => asks_again.as_str(),
        Some(_) => ".",
        None => "; no answer yet.",
    };
    let mut text = match auth.sent {
        None if auth.answer.is_some() => {
            format!("To let the client in, {who} asks for {}.", auth.offers)
        }
        None => String::new(),
        Some(Stage::Type1) => {
            let end = match (auth.answer, status) {
                (Some(Stage::Type2), _) => format!("; {who} answers with its challenge (type 2)."),
                _ if challenged => format!("; {who} does not go into it."),
                _ => end.to_owned(),
            };
            format!("The client begins a login by {name} ({ntlm}type 1){end}")
        }
        Some(stage @ (Stage::Type3 | Stage::Type3Bound)) => {
            let bound = if stage == Stage::Type3Bound {
                ", bound to its TLS connection"
            } else {
                ""
            };
            format!("The client answers the challenge of {name} ({ntlm}type 3{bound}){end}")
        }
        Some(Stage::Kerberos) => format!("The client shows a ticket of Kerberos ({name}){end}"),
        Some(Stage::Unreadable) => {
            format!("The client sends a token of {name} that cannot be read{end}")
        }
        Some(Stage::Credentials) => format!("The client shows credentials ({name}){end}"),
        Some(_) => {
            let end = if auth.goes_on() && challenged {
                "; the handshake goes on."
            } else {
                end
            };
            format!("The client sends a leg of {name}{end}")
        }
    };
    let more = match auth.persistent {
        Some(true) => " Persistent-Auth: true: the connection stays logged in.",
        Some(false) => " Persistent-Auth: false: the next request has to log in anew.",
        None => "",
    };
    text.push_str(more);
    text.trim_start().to_owned()
}

/// Words about logins: names, meaning, what the Windows client does next, source.
#[rustfmt::skip]
const WORDS: [(&[&str], &str, &str, &str); 7] = [
    (&["NTLM", "NTLMSSP"],
        "a login of a connection in three messages: the client begins (type 1), the server challenges (type 2), the client answers (type 3)",
        "logs in anew on each new connection", "MS-NLMP §1.3.1; MS-NTHT"),
    (&["Negotiate", "SPNEGO"],
        "a login of a connection by Kerberos or by NTLM, whichever both ends know",
        "logs in anew on each new connection", "RFC 4559; RFC 4178"),
    (&["type 1"], "the client begins a login by NTLM", "waits for 401 with type 2, then sends the packet again with type 3", "MS-NLMP §2.2.1.1"),
    (&["type 2"], "the server's challenge in a login by NTLM, in a 401 or 407", "sends the packet again with type 3 on the same connection", "MS-NLMP §2.2.1.2"),
    (&["type 3"], "the client's answer to the challenge of NTLM; 401 after it means refused", "goes on where the server lets it in, else stops with BG_E_HTTP_ERROR_401", "MS-NLMP §2.2.1.3"),
    (&["Persistent-Auth"],
        "tells whether the connection stays logged in (true) or each request has to log in (false)", "", "MS-N2HT"),
    (&["Extended Protection", "tokenChecking", "channel binding"],
        "the server takes only logins that are bound to the TLS connection that it sees itself; where TLS is ended in between it answers 401 after the last leg",
        "stops with BG_E_HTTP_ERROR_401", "RFC 5929; IIS extendedProtection tokenChecking; docs/authentication.md"),
];

/// Looks up a word about logins; blanks and hyphens do not matter.
pub(super) fn explain(query: &str) -> Option<Explanation> {
    let letters = |text: &str| -> String {
        let kept = text.chars().filter(|c| !matches!(c, '-' | '_' | ' '));
        kept.collect::<String>().to_ascii_lowercase()
    };
    let wanted = letters(query);
    WORDS.iter().find_map(|(names, meaning, next, source)| {
        let name = names.iter().find(|name| letters(name) == wanted)?;
        Some(Explanation {
            kind: "login",
            name: (*name).to_owned(),
            code: None,
            meaning: (*meaning).to_owned(),
            next: (*next).to_owned(),
            basis: None,
            source: (*source).to_owned(),
        })
    })
}

/// Yields the words that [`explain`] knows.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    WORDS.iter().flat_map(|row| row.0.iter().copied())
}

//! A login in words: what one exchange shows of it, never with what.

use crate::bits::Auth;
use crate::bits::auth::{Scheme, Stage};

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

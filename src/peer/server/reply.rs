//! The upload-reply: what answers a complete upload, and under which URL the client finds it.
//!
//! A command plays the server application of MC-BUP §3.3: it gets the file by reference in its environment and
//! writes the reply to its standard output.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use http::StatusCode;

use super::Shared;
use super::session::Session;
use crate::peer::place;

/// Where upload-replies come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reply {
    /// Plain uploads only.
    #[default]
    None,
    /// The same file for each upload.
    File(PathBuf),
    /// The standard output of a command, run by the system's shell when an upload is complete, with
    /// `BITSTAP_FILE`, `BITSTAP_URL` and `BITSTAP_SESSION` in its environment.
    Command(String),
}

/// How long the application may take. MC-BUP §3.3.2
const LIMIT: Duration = Duration::from_mins(5);

/// Why there is no reply, in the terms of an Ack.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) code: u32,
    pub(super) reason: String,
}

/// `BG_E_HTTP_ERROR_500`, as for an application that answers 500.
fn failed(reason: String) -> Failure {
    Failure {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: 0x8019_01F4,
        reason,
    }
}

/// Makes the reply of a complete upload; `false` where none is due.
pub(super) async fn make(shared: &Shared, session: &Session) -> Result<bool, Failure> {
    let path = session.state.url.split('?').next().unwrap_or_default();
    let own = shared
        .config
        .responder
        .as_ref()
        .and_then(|responder| responder.reply(path, &session.data()));
    if let Some(bytes) = own {
        let written = tokio::fs::write(session.reply(), bytes).await;
        return written.map(|()| true).map_err(|e| failed(e.to_string()));
    }
    match &shared.config.reply {
        Reply::None => Ok(false),
        Reply::File(file) => {
            let copied = tokio::fs::copy(file, session.reply()).await;
            copied.map(|_| true).map_err(|e| failed(e.to_string()))
        }
        Reply::Command(command) => run(command, session).await.map(|()| true),
    }
}

async fn run(command: &str, session: &Session) -> Result<(), Failure> {
    let unable = |e: std::io::Error| failed(format!("cannot run {command}: {e}"));
    let output = std::fs::File::create(session.reply()).map_err(unable)?;
    let mut child = shell(command)
        .env("BITSTAP_FILE", absolute(&session.data()))
        .env("BITSTAP_URL", &session.state.url)
        .env("BITSTAP_SESSION", &session.id)
        .stdin(Stdio::null())
        .stdout(output)
        .kill_on_drop(true)
        .spawn()
        .map_err(unable)?;
    match tokio::time::timeout(LIMIT, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(failed(format!("{command} ended with {status}"))),
        Ok(Err(error)) => Err(unable(error)),
        Err(_) => Err(Failure {
            // MC-BUP §3.3.6; the code as printed there.
            status: StatusCode::REQUEST_TIMEOUT,
            code: 0x8007_0112,
            reason: format!("{command} took longer than 5 minutes"),
        }),
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn shell(command: &str) -> tokio::process::Command {
    let (shell, flag) = if cfg!(windows) {
        ("cmd", "/C")
    } else {
        ("sh", "-c")
    };
    let mut made = tokio::process::Command::new(shell);
    made.arg(flag).arg(command);
    made
}

const FOLDER: [&str; 2] = ["BITS-Sessions", "Replies"];
const NAME: &str = "responsefile.bin";

/// Returns the BITS-Reply-URL: relative to the upload's directory and with backslashes.
///
/// observed: MC-BUP §4.2
pub(super) fn url(id: &str) -> String {
    format!("{}\\{}\\{id}\\{NAME}", FOLDER[0], FOLDER[1])
}

/// Returns the session whose reply the path of a GET names.
pub(super) fn session_of(path: &str) -> Option<String> {
    let mut parts = path.rsplit('/');
    let name = parts.next()?;
    let id = place::decode(parts.next()?)?;
    let found = name.eq_ignore_ascii_case(NAME)
        && parts.next()?.eq_ignore_ascii_case(FOLDER[1])
        && parts.next()?.eq_ignore_ascii_case(FOLDER[0]);
    found.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_is_found_below_any_directory() {
        let id = "{9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}";
        let escaped = url(id)
            .replace('\\', "/")
            .replace('{', "%7B")
            .replace('}', "%7D");
        assert_eq!(session_of(&format!("/ask/{escaped}")).as_deref(), Some(id));
        assert_eq!(session_of(&format!("/{escaped}")).as_deref(), Some(id));
        assert_eq!(session_of("/ask/responsefile.bin"), None);
        assert_eq!(session_of("/BITS-Sessions/Replies/x/other.bin"), None);
    }
}

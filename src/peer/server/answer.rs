//! Answers as values: an [`Ack`] with its BITS fields, plain HTTP answers, and how they become messages.
//!
//! An Ack is written as IIS writes it: `Content-Length: 0`, no content. MC-BUP §2.2.3.1

use std::io;

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue, PRAGMA, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};

use crate::peer::field;

/// The content of an answer; an error ends the connection.
pub(in crate::peer) type Content = UnsyncBoxBody<Bytes, io::Error>;

/// Which name the error field of a failing Ack has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorField {
    /// `BITS-Error-Code`, as the Win32 pages and every server seen in the field.
    #[default]
    Code,
    /// `BITS-Error`, as MC-BUP §2.2.1.2.
    Error,
    Both,
}

/// What became of a packet.
#[derive(Debug)]
pub(in crate::peer) enum Outcome {
    Ack(Ack),
    /// No answer: the connection ends.
    Hangup,
}

/// One Ack. MC-BUP §2.2.1.2
#[derive(Debug)]
pub(in crate::peer) struct Ack {
    status: StatusCode,
    error: Option<(u32, u32)>,
    fields: Vec<(HeaderName, String)>,
    close: bool,
}

impl Ack {
    pub(in crate::peer) fn ok() -> Self {
        Self::status(StatusCode::OK)
    }

    pub(in crate::peer) fn status(status: StatusCode) -> Self {
        Self {
            status,
            error: None,
            fields: Vec::new(),
            close: false,
        }
    }

    /// A failing Ack with a code of the BITS server's own. MC-BUP §2.2.1.2
    pub(in crate::peer) fn refuse(status: StatusCode, code: u32) -> Self {
        let mut ack = Self::status(status);
        ack.error = Some((code, field::CONTEXT_SERVER));
        ack
    }

    /// The Ack of what nobody can read. MC-BUP §3.2.5.2.3
    pub(in crate::peer) fn malformed() -> Self {
        Self::refuse(StatusCode::BAD_REQUEST, field::INVALID_ARGUMENT)
    }

    /// The Ack of an unknown session. MC-BUP §3.2.5.2.3
    pub(in crate::peer) fn unknown_session() -> Self {
        Self::refuse(StatusCode::INTERNAL_SERVER_ERROR, field::SESSION_NOT_FOUND)
    }

    /// The Ack after trouble with our own disk.
    pub(in crate::peer) fn trouble(error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => field::DISK_FULL,
            io::ErrorKind::PermissionDenied | io::ErrorKind::AlreadyExists => {
                return Self::refuse(StatusCode::FORBIDDEN, field::ACCESS_DENIED);
            }
            // FACILITY_HTTP and the status, as for a server application: BG_E_HTTP_ERROR_500.
            _ => 0x8019_01F4,
        };
        Self::refuse(StatusCode::INTERNAL_SERVER_ERROR, code)
    }

    /// A failing Ack with an error of the server application. MC-BUP §3.2.5.1.3
    pub(in crate::peer) fn application(status: StatusCode, code: u32) -> Self {
        let mut ack = Self::status(status);
        ack.error = Some((code, field::CONTEXT_APPLICATION));
        ack
    }

    #[must_use]
    pub(in crate::peer) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Ends the connection after this Ack, because what follows on it cannot be trusted.
    #[must_use]
    pub(in crate::peer) fn close(mut self) -> Self {
        self.close = true;
        self
    }

    pub(in crate::peer) fn is_error(&self) -> bool {
        self.error.is_some() || !self.status.is_success()
    }

    pub(in crate::peer) fn into_response(self, spelled: ErrorField) -> Response<Content> {
        let mut response = Response::new(nothing());
        *response.status_mut() = self.status;
        let fields = response.headers_mut();
        fields.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        fields.insert(field::PACKET_TYPE, HeaderValue::from_static("Ack"));
        for (name, value) in self.fields {
            if let Ok(value) = HeaderValue::from_str(&value) {
                fields.insert(name, value);
            }
        }
        if let Some((code, context)) = self.error {
            let value = |number: String| HeaderValue::from_str(&number).ok();
            if let Some(code) = value(format!("0x{code:08X}")) {
                if spelled != ErrorField::Error {
                    fields.insert(field::ERROR_CODE, code.clone());
                }
                if spelled != ErrorField::Code {
                    fields.insert(field::ERROR, code);
                }
            }
            if let Some(context) = value(format!("0x{context:X}")) {
                fields.insert(field::ERROR_CONTEXT, context);
            }
        }
        fields.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        if self.close {
            fields.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Returns the fields of a successful Ack of Create-Session. MC-BUP §2.2.3
pub(in crate::peer) fn created(id: &str) -> Ack {
    Ack::ok()
        .with(field::PROTOCOL, crate::bits::header::UPLOAD_PROTOCOL)
        .with(field::SESSION_ID, id)
        .with(ACCEPT_ENCODING, "identity")
}

/// Answers a request that is no packet, in plain words.
pub(in crate::peer) fn plain(status: StatusCode) -> Response<Content> {
    let text = format!(
        "{} {}\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default()
    );
    let mut response = Response::new(
        Full::new(Bytes::from(text.clone()))
            .map_err(never)
            .boxed_unsync(),
    );
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    fields.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain"),
    );
    response
}

/// Asks for Basic credentials. RFC 7617 §2
pub(in crate::peer) fn unauthorized() -> Response<Content> {
    let mut response = plain(StatusCode::UNAUTHORIZED);
    response.headers_mut().insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"bitstap\", charset=\"UTF-8\""),
    );
    response
}

pub(in crate::peer) fn nothing() -> Content {
    Empty::new().map_err(never).boxed_unsync()
}

pub(in crate::peer) fn never(error: std::convert::Infallible) -> io::Error {
    match error {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_of_the_disk_has_its_code() {
        let code = |kind| Ack::trouble(&io::Error::from(kind)).error;
        assert_eq!(
            code(io::ErrorKind::StorageFull),
            Some((field::DISK_FULL, field::CONTEXT_SERVER))
        );
        assert_eq!(
            code(io::ErrorKind::PermissionDenied),
            Some((field::ACCESS_DENIED, field::CONTEXT_SERVER))
        );
        assert_eq!(code(io::ErrorKind::Other), Some((0x8019_01F4, 0x5)));
    }

    #[test]
    fn the_error_field_is_spelled_as_asked() {
        let names = |spelled| {
            let response = Ack::malformed().into_response(spelled);
            let fields = response.headers();
            (
                fields.contains_key(field::ERROR_CODE),
                fields.contains_key(field::ERROR),
                fields.contains_key(field::ERROR_CONTEXT),
            )
        };
        assert_eq!(names(ErrorField::Code), (true, false, true));
        assert_eq!(names(ErrorField::Error), (false, true, true));
        assert_eq!(names(ErrorField::Both), (true, true, true));
    }
}

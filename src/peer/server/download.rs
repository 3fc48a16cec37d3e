//! Downloads: GET and HEAD of files below the root and of upload-replies, by ranges.
//!
//! What BITS asks of a server: Content-Length on everything, one and the same Last-Modified, single ranges with
//! Content-Range, several as parts in request order. MC-BUP §3.5.5

use std::io::{self, SeekFrom};
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use futures_util::stream;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    IF_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use http::request::Parts;
use http::{HeaderName, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::answer::{Content, nothing, plain};
use super::range::{Wanted, wanted};
use super::{Shared, reply};
use crate::peer::{field, place};

/// How much of a file is in memory at a time.
const CHUNK: u64 = 64 * 1024;
/// Stands between parts; that it is not in the content is a matter of its length.
const BOUNDARY: &str = "bitstap-5f2c1e9a7b3d4086-part";

/// Answers a GET or HEAD.
pub(super) async fn answer(shared: &Shared, head: &Parts) -> Response<Content> {
    let path = match find(shared, head.uri.path()).await {
        Ok(path) => path,
        Err(status) => return plain(status),
    };
    match serve(path, head).await {
        Ok(response) => response,
        Err(error) => plain(match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StatusCode::NOT_FOUND,
            io::ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }),
    }
}

async fn find(shared: &Shared, path: &str) -> Result<PathBuf, StatusCode> {
    if let Some(id) = reply::session_of(path)
        && let Some(reply) = shared.store.reply(&id).await
    {
        return Ok(reply);
    }
    let missing = |_| StatusCode::NOT_FOUND;
    let segments = place::segments(path).map_err(missing)?;
    place::locate(&shared.root, &segments).map_err(missing)
}

/// A file as it was when the request came.
struct Found {
    size: u64,
    modified: Option<jiff::Timestamp>,
    tag: String,
}

async fn serve(path: PathBuf, head: &Parts) -> io::Result<Response<Content>> {
    let file = File::open(path).await?;
    let metadata = file.metadata().await?;
    if !metadata.is_file() {
        return Ok(plain(StatusCode::FORBIDDEN));
    }
    let modified = metadata.modified().ok();
    let nanos = modified
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .unwrap_or_default()
        .as_nanos();
    let found = Found {
        size: metadata.len(),
        modified: modified.and_then(|time| jiff::Timestamp::try_from(time).ok()),
        tag: format!("\"{nanos:x}-{:x}\"", metadata.len()),
    };
    if !is_unchanged(&found, &head.headers) {
        return Ok(plain(StatusCode::PRECONDITION_FAILED));
    }
    let field = field::text(&head.headers, &RANGE).filter(|_| is_same(&found, &head.headers));
    // A HEAD has no ranges. RFC 9110 §14.2
    let field = field.filter(|_| head.method == Method::GET);
    let (status, extra, parts) = match wanted(field, found.size) {
        Wanted::Whole => (StatusCode::OK, None, whole(found.size)),
        Wanted::Nothing => {
            let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE);
            let value = format!("bytes */{}", found.size);
            insert(response.headers_mut(), CONTENT_RANGE, &value);
            return Ok(response);
        }
        Wanted::Ranges(ranges) => {
            let (extra, parts) = partial(&ranges, found.size);
            (StatusCode::PARTIAL_CONTENT, Some(extra), parts)
        }
    };
    let length: u64 = parts.iter().map(Part::length).sum();
    let content = if head.method == Method::HEAD {
        nothing()
    } else {
        content(file, parts)
    };
    let mut response = Response::new(content);
    *response.status_mut() = status;
    let fields = response.headers_mut();
    insert(fields, CONTENT_TYPE, "application/octet-stream");
    fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    insert(fields, ACCEPT_RANGES, "bytes");
    if let Some(modified) = found.modified {
        insert(fields, LAST_MODIFIED, &field::http_date(modified));
    }
    insert(fields, ETAG, &found.tag);
    if let Some((name, value)) = extra {
        insert(fields, name, &value);
    }
    Ok(response)
}

fn insert(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        fields.insert(name, value);
    }
}

/// Checks If-Match and If-Unmodified-Since. RFC 9110 §13.2.2
fn is_unchanged(found: &Found, fields: &HeaderMap) -> bool {
    if let Some(tags) = field::text(fields, &IF_MATCH) {
        return tags == "*" || tags.split(',').any(|tag| tag.trim() == found.tag);
    }
    let since = field::text(fields, &IF_UNMODIFIED_SINCE).and_then(field::parse_http_date);
    match (since, found.modified) {
        // The field has whole seconds only.
        (Some(since), Some(modified)) => modified.as_second() <= since.as_second(),
        _ => true,
    }
}

/// Checks If-Range: where it does not hold the whole file is due. RFC 9110 §13.1.5
fn is_same(found: &Found, fields: &HeaderMap) -> bool {
    let Some(value) = field::text(fields, &IF_RANGE) else {
        return true;
    };
    if value.starts_with('"') || value.starts_with("W/") {
        return value == found.tag;
    }
    let date = field::parse_http_date(value).map(jiff::Timestamp::as_second);
    date.is_some() && date == found.modified.map(jiff::Timestamp::as_second)
}

/// A stretch of the content: text of ours, or offset and length of bytes of the file.
enum Part {
    Text(Bytes),
    File(u64, u64),
}

impl Part {
    fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::File(_, length) => *length,
        }
    }
}

/// Lays out the content of a 206 with the field that describes it.
fn partial(ranges: &[(u64, u64)], size: u64) -> ((HeaderName, String), Vec<Part>) {
    if let [(first, last)] = ranges {
        let value = format!("bytes {first}-{last}/{size}");
        let part = Part::File(*first, last - first + 1);
        return ((CONTENT_RANGE, value), vec![part]);
    }
    let value = format!("multipart/byteranges; boundary={BOUNDARY}");
    ((CONTENT_TYPE, value), multipart(ranges, size))
}

fn whole(size: u64) -> Vec<Part> {
    vec![Part::File(0, size)]
}

/// Lays out parts in request order. RFC 9110 §14.6; BITS takes at most two line ends before the first boundary and
/// 180 bytes of other fields in a part (Win32 "HTTP Requirements for BITS Downloads").
fn multipart(ranges: &[(u64, u64)], size: u64) -> Vec<Part> {
    let mut parts = Vec::with_capacity(ranges.len() * 2 + 1);
    for (index, (first, last)) in ranges.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\r\n" };
        parts.push(Part::Text(Bytes::from(format!(
            "{gap}--{BOUNDARY}\r\nContent-Type: application/octet-stream\r\n\
             Content-Range: bytes {first}-{last}/{size}\r\n\r\n"
        ))));
        parts.push(Part::File(*first, last - first + 1));
    }
    parts.push(Part::Text(Bytes::from(format!("\r\n--{BOUNDARY}--\r\n"))));
    parts
}

/// Streams the parts; a file that became shorter ends the connection, never the length announced.
fn content(file: File, parts: Vec<Part>) -> Content {
    let state = (file, parts.into_iter(), None::<(u64, u64)>);
    let chunks = stream::try_unfold(state, |(mut file, mut parts, mut open)| async move {
        loop {
            if let Some((at, left)) = open.filter(|(_, left)| *left > 0) {
                file.seek(SeekFrom::Start(at)).await?;
                let size = usize::try_from(left.min(CHUNK)).unwrap_or_default();
                let mut chunk = vec![0; size];
                file.read_exact(&mut chunk).await?;
                let size = size as u64;
                let frame = Frame::data(Bytes::from(chunk));
                return Ok(Some((frame, (file, parts, Some((at + size, left - size))))));
            }
            match parts.next() {
                Some(Part::Text(text)) => {
                    return Ok(Some((Frame::data(text), (file, parts, None))));
                }
                Some(Part::File(at, length)) => open = Some((at, length)),
                None => return Ok::<_, io::Error>(None),
            }
        }
    });
    StreamBody::new(chunks).boxed_unsync()
}

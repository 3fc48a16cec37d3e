//! SAZ: Fiddler's archives. A ZIP file with three members for each session: the request and the response
//! as they were sent (`raw/7_c.txt`, `raw/7_s.txt`), and moments and flags as XML (`raw/7_m.xml`).
//!
//! A message is unpacked into a temporary file when its time comes, up to a bound, so that neither its
//! size nor a hostile archive decides about memory.
//!
//! <https://docs.telerik.com/fiddler/knowledge-base/sazformat>

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use quick_xml::events::{BytesStart, Event};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::wire::{Conversation, Item, Malformed, Stream};

use super::entry::{Body, Ends, Entry, Part, end, moment};
use super::{Album, Opened, Refusal, Ticket};

/// Longest message that is unpacked; BITS sends no fragment near it.
const LONGEST: u64 = 4 << 30;
/// Longest description of a session.
const LONGEST_XML: u64 = 1 << 20;

struct Saz {
    archive: ZipArchive<File>,
    sessions: Vec<Members>,
}

/// The members of one session, as indexes into the archive.
#[derive(Clone, Copy, Debug, Default)]
struct Members {
    request: Option<usize>,
    response: Option<usize>,
    about: Option<usize>,
}

/// What the XML tells.
#[derive(Debug, Default)]
struct About {
    moments: HashMap<String, u64>,
    flags: HashMap<String, String>,
}

/// Opens an archive of Fiddler's.
pub(super) fn open(file: File) -> Result<Opened, Refusal> {
    let mut archive = ZipArchive::new(file).map_err(|error| match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => Refusal::Disk(error),
        error => Refusal::Not(format!("it is a ZIP archive that cannot be read: {error}")),
    })?;
    let mut found = BTreeMap::<u64, Members>::new();
    for index in 0..archive.len() {
        if let Some(Ok(name)) = archive.name_for_index(index)
            && let Some((number, kind)) = member(&name)
        {
            let members = found.entry(number).or_default();
            *match kind {
                Kind::Request => &mut members.request,
                Kind::Response => &mut members.response,
                Kind::About => &mut members.about,
            } = Some(index);
        }
    }
    found.retain(|_, members| members.request.is_some());
    if found.is_empty() {
        let reason = "it is a ZIP archive, but none of Fiddler's: it has no raw/N_c.txt";
        return Err(Refusal::Not(reason.to_owned()));
    }
    let mut notes = Vec::new();
    let mut remarks = Vec::new();
    let mut tickets = Vec::new();
    let mut lines = HashMap::new();
    let mut undated = 0u64;
    let mut last = 0;
    let sessions: Vec<Members> = found.values().copied().collect();
    for (place, (number, members)) in found.iter().enumerate() {
        if let Some(index) = members.request
            && is_encrypted(&mut archive, index)
        {
            return Err(Refusal::Not(
                "it is encrypted: save it in Fiddler without a password".to_owned(),
            ));
        }
        let about = about(&mut archive, members.about)?;
        let begun = about.moment(&["ClientBeginRequest", "FiddlerBeginRequest"]);
        let begun = begun.unwrap_or_else(|| {
            undated += 1;
            last
        });
        last = begun;
        let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
        let key = about.connection().unwrap_or_else(|| format!("\0{number}"));
        tickets.push(Ticket {
            begun,
            opened: about.moment(&["ClientConnected"]),
            line: *lines.entry(key).or_insert(count),
            place: (place as u64, 0),
        });
    }
    if undated > 0 {
        notes.push(format!("{undated} sessions have no readable times"));
    }
    if lines.keys().any(|key: &String| key.starts_with('\0')) {
        remarks.push("Some sessions do not name their client's port: each is shown on a connection of its own.".to_owned());
    }
    Ok(Opened {
        album: Box::new(Saz { archive, sessions }),
        tickets,
        notes,
        remarks,
    })
}

enum Kind {
    Request,
    Response,
    About,
}

/// Reads a member's name: the session's number, and which of the three it is.
fn member(name: &str) -> Option<(u64, Kind)> {
    let (folder, file) = name.rsplit_once(['/', '\\'])?;
    if !folder.eq_ignore_ascii_case("raw") {
        return None;
    }
    let (number, rest) = file.split_once('_')?;
    let kind = match rest.to_ascii_lowercase().as_str() {
        "c.txt" => Kind::Request,
        "s.txt" => Kind::Response,
        "m.xml" => Kind::About,
        _ => return None,
    };
    Some((number.parse().ok()?, kind))
}

fn is_encrypted(archive: &mut ZipArchive<File>, index: usize) -> bool {
    archive
        .by_index_raw(index)
        .is_ok_and(|member| member.encrypted())
}

/// Reads a session's description; one that cannot be read tells nothing.
fn about(archive: &mut ZipArchive<File>, index: Option<usize>) -> io::Result<About> {
    let mut about = About::default();
    let Some(index) = index else {
        return Ok(about);
    };
    let mut text = Vec::new();
    match archive.by_index(index) {
        Ok(member) => match member.take(LONGEST_XML).read_to_end(&mut text) {
            Err(error) if is_of_disk(&error) => return Err(error),
            _ => {}
        },
        Err(ZipError::Io(error)) if is_of_disk(&error) => return Err(error),
        Err(_) => {}
    }
    let mut reader = quick_xml::Reader::from_reader(text.as_slice());
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(element) | Event::Empty(element)) => about.take(&element),
            Ok(Event::Eof) | Err(_) => return Ok(about),
            Ok(_) => {}
        }
    }
}

/// Tells a failing disk from an archive that is damaged.
fn is_of_disk(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    !matches!(
        error.kind(),
        InvalidData | InvalidInput | UnexpectedEof | Other
    )
}

impl About {
    fn take(&mut self, element: &BytesStart<'_>) {
        let name = element.name();
        let attributes = element.attributes().flatten().filter_map(|attribute| {
            let key = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .ok()?
                .into_owned();
            Some((key, value))
        });
        match name.as_ref() {
            b"SessionTimers" => {
                self.moments
                    .extend(attributes.filter_map(|(key, value)| Some((key, moment(&value)?))));
            }
            b"SessionFlag" => {
                let all: HashMap<String, String> = attributes.collect();
                if let (Some(name), Some(value)) = (all.get("N"), all.get("V")) {
                    self.flags.insert(name.to_ascii_lowercase(), value.clone());
                }
            }
            _ => {}
        }
    }

    /// Returns the first of these moments that there is.
    fn moment(&self, names: &[&str]) -> Option<u64> {
        names
            .iter()
            .find_map(|name| self.moments.get(*name).copied())
    }

    /// Names the client's connection.
    fn connection(&self) -> Option<String> {
        let port = self.flags.get("x-clientport")?;
        let ip = self.flags.get("x-clientip").map_or("", String::as_str);
        let since = self.moment(&["ClientConnected"]).unwrap_or_default();
        Some(format!("{ip} {port} {since}"))
    }

    fn ends(&self) -> Ends {
        let flag = |name| self.flags.get(name).map(String::as_str);
        let port = flag("x-clientport").and_then(|port| port.trim().parse().ok());
        let client = flag("x-clientip").zip(port);
        Ends {
            client: client.and_then(|(ip, port)| end(ip, port)),
            // The port is not told; that of the URL is in the head.
            server: flag("x-hostip").and_then(|ip| end(ip, 80)),
            upstream: None,
        }
    }
}

impl Album for Saz {
    fn load(&mut self, ticket: &Ticket) -> io::Result<Result<Entry, String>> {
        let place = usize::try_from(ticket.place.0).unwrap_or(usize::MAX);
        let Some(members) = self.sessions.get(place).copied() else {
            return Ok(Err("it is not there".to_owned()));
        };
        let about = about(&mut self.archive, members.about)?;
        let mut talk = Conversation::new();
        let request = match self.unpack(members.request, Stream::Requests, &mut talk)? {
            Ok(request) => request,
            Err(reason) => return Ok(Err(reason)),
        };
        let response = match members.response {
            None => None,
            index => match self.unpack(index, Stream::Responses, &mut talk)? {
                Ok(response) => Some(response).filter(|response| response.len > 0),
                Err(reason) => return Ok(Err(reason)),
            },
        };
        let begun = ticket.begun;
        let sent = about.moment(&["ClientDoneRequest", "FiddlerGotRequest"]);
        let sent = sent.unwrap_or(begun).max(begun);
        let answered = about.moment(&["ClientBeginResponse", "ServerBeginResponse"]);
        let answered = answered.unwrap_or(sent).max(sent);
        let received = about.moment(&["ClientDoneResponse", "ServerDoneResponse"]);
        let received = received.unwrap_or(answered).max(answered);
        let ended = !request.whole || response.as_ref().is_none_or(|response| !response.whole);
        let mut entry = Entry {
            ends: about.ends(),
            ended,
            ..Entry::default()
        };
        if request.cut || response.as_ref().is_some_and(|response| response.cut) {
            entry.notes.push(format!(
                "A message of more than {LONGEST} bytes was cut there."
            ));
        }
        entry.request = Some(request.part(begun, sent));
        entry.response = response.map(|response| response.part(answered, received));
        Ok(Ok(entry))
    }
}

/// A message in a file of its own.
struct Message {
    file: File,
    len: u64,
    /// Its framing said where it ends, and there it ended.
    whole: bool,
    /// It was longer than what is unpacked.
    cut: bool,
}

impl Message {
    fn part(self, begun: u64, ended: u64) -> Part {
        Part {
            begun,
            ended,
            head: Vec::new(),
            body: Body::Place {
                file: Arc::new(self.file),
                at: 0,
                len: self.len,
            },
            trailers: Vec::new(),
            plain: true,
        }
    }
}

impl Saz {
    /// Unpacks a member and looks whether it is a whole message.
    fn unpack(
        &mut self,
        index: Option<usize>,
        stream: Stream,
        talk: &mut Conversation,
    ) -> io::Result<Result<Message, String>> {
        let mut member = match self.archive.by_index(index.unwrap_or(usize::MAX)) {
            Ok(member) => member,
            Err(ZipError::Io(error)) if is_of_disk(&error) => return Err(error),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let mut message = Message {
            file: tempfile::tempfile()?,
            len: 0,
            whole: false,
            cut: false,
        };
        let mut piece = vec![0; 64 << 10];
        let mut seen = Vec::new();
        loop {
            let len = match member.read(&mut piece) {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) if is_of_disk(&error) => return Err(error),
                Err(error) => return Ok(Err(format!("its archive is damaged: {error}"))),
            };
            let bytes = piece.get(..len).unwrap_or_default();
            message.file.write_all(bytes)?;
            message.len = message.len.saturating_add(len as u64);
            talk.feed(stream, bytes, &mut seen);
            for found in seen.drain(..) {
                message.whole = match found.item {
                    Item::End { .. } => true,
                    // Behind its end there is something that is no part of it.
                    Item::Stray { .. } | Item::Opaque { .. } => false,
                    Item::Malformed { what, .. } => {
                        message.whole && matches!(what, Malformed::FieldLine)
                    }
                    _ => message.whole,
                };
            }
            if message.len >= LONGEST {
                message.cut = true;
                message.whole = false;
                break;
            }
        }
        Ok(Ok(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_members_are_read() {
        assert!(matches!(member("raw/007_c.txt"), Some((7, Kind::Request))));
        assert!(matches!(
            member("raw\\12_S.txt"),
            Some((12, Kind::Response))
        ));
        assert!(matches!(member("Raw/1_m.xml"), Some((1, Kind::About))));
        for name in ["raw/1_w.txt", "1_c.txt", "raw/x_c.txt", "_index.htm"] {
            assert!(member(name).is_none(), "{name}");
        }
    }
}

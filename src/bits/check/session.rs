//! What the rules remember of one session.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::bits::Packet;
use crate::bits::header::Name;
use crate::bits::hresult::BG_E_SESSION_NOT_FOUND;

use super::rule::Profile;
use super::view::{View, bare_host, closes, shown, split, value};

/// So many fragments are remembered by their content.
const FEW: usize = 16;

/// What is known of a session.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Session {
    pub(super) no: u32,
    pub(super) client: Option<IpAddr>,
    pub(super) host: String,
    pub(super) path: String,
    /// Its successful Create-Session was seen.
    pub(super) created: bool,
    /// The id as issued.
    pub(super) id: Option<String>,
    /// Accept-Encoding of the Ack of Create-Session.
    pub(super) encodings: Option<String>,
    pub(super) host_id: Option<String>,
    pub(super) fallback: Option<Duration>,
    /// No Fragment since Create-Session.
    pub(super) fresh: bool,
    /// The proxy answered in it: what the server said and did from then on may follow from that.
    pub(super) meddled: bool,
    /// The offset that the server told last, and on which connection.
    pub(super) told: Option<u64>,
    pub(super) told_on: u32,
    /// End of the furthest byte that was sent.
    pub(super) furthest: u64,
    pub(super) total: Option<u64>,
    /// The exchange in which the last fragment was acknowledged.
    pub(super) complete: Option<u32>,
    /// Close or Cancel was acknowledged: which, and on which connection.
    pub(super) over: Option<(Packet, u32)>,
    /// The offset told last is the last byte of a fragment in place of the next one.
    pub(super) short: bool,
    /// A Close or Cancel was sent, whatever came of it.
    pub(super) closing: bool,
    /// The last packet was answered in full.
    pub(super) answered: bool,
    /// The server ended the connection after that.
    pub(super) dropped: bool,
    /// The packet that was answered 0x8020001F.
    pub(super) lost: Option<Packet>,
    /// Close or Cancel was refused with this status.
    pub(super) refused: Option<(Packet, u16)>,
    pub(super) name: Option<String>,
    /// Content-Encoding of its fragments.
    pub(super) encoding: Option<Coding>,
    /// Length of a fragment that was refused with 413.
    pub(super) too_large: Option<u64>,
    /// Offset that was requested again and again, and how often.
    pub(super) stuck: Option<(u64, u32)>,
    pub(super) reply: Option<String>,
    pub(super) fetched: bool,
    /// The exchange that closed it before its reply was fetched. The download may have a connection of
    /// its own, so only the end tells.
    pub(super) unread: Option<u32>,
    /// The last answer that moved it on.
    pub(super) moved: Duration,
    /// Its last packet that was answered.
    pub(super) previous: Option<Previous>,
    pub(super) conn: u32,
    /// What the application behind the server answered, if not 200.
    pub(super) refusal: Option<u16>,
    /// First byte, last byte and digest of fragments.
    pub(super) digests: VecDeque<(u64, u64, u64)>,
    pub(super) file: File,
    pub(super) known: bool,
    pub(super) touched: u64,
}

/// Content-Encoding of a fragment; empty where it has none.
pub(super) type Coding = String;

/// A packet that was answered in full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Previous {
    pub(super) no: u32,
    pub(super) conn: u32,
    pub(super) packet: Option<Packet>,
    pub(super) begun: Duration,
    pub(super) asked: Duration,
    /// First byte of the answer: its end may be told only by what follows.
    pub(super) answered: Duration,
}

/// What is known of a file that is downloaded.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) total: Option<u64>,
    pub(super) modified: Option<String>,
    pub(super) etag: Option<String>,
    /// Content of it has arrived.
    pub(super) begun: bool,
    /// Some request for it was redirected.
    pub(super) redirected: bool,
}

impl Session {
    /// Tells whether packets of it are still expected.
    pub(super) fn alive(&self) -> bool {
        self.over.is_none() && self.lost.is_none()
    }

    /// Tells whether the server granted it without an id: nobody can send one.
    pub(super) fn nameless(&self) -> bool {
        self.created && self.id.is_none()
    }

    /// Tells whether a client that goes on at `first` may be right with a server that counts otherwise.
    pub(super) fn goes_on_at(&self, first: u64) -> bool {
        self.short && self.told.and_then(|told| told.checked_add(1)) == Some(first)
    }

    /// Forgets what cannot be relied on where packets may have passed unseen.
    pub(super) fn doubt(&mut self) {
        self.told = None;
        self.fresh = false;
        self.complete = None;
        self.lost = None;
        self.refused = None;
        self.encoding = None;
        self.too_large = None;
        self.stuck = None;
        self.reply = None;
        self.unread = None;
        self.previous = None;
        self.refusal = None;
        self.file = File::default();
    }

    /// Takes note of an upload packet.
    pub(super) fn upload(&mut self, view: &View<'_>) {
        let facts = view.facts;
        self.conn = facts.conn;
        self.meddled |= facts.ours;
        let answered = facts.response.is_some_and(|r| r.cut == super::Cut::No);
        self.answered = answered;
        self.dropped = facts.response.is_some_and(|r| answered && closes(r.head));
        self.closing |= matches!(
            view.packet,
            Some(Packet::CloseSession | Packet::CancelSession)
        );
        if let Some(response) = facts.response.filter(|_| answered) {
            self.previous = Some(Previous {
                no: facts.no,
                conn: facts.conn,
                packet: view.packet,
                begun: facts.request.begun,
                asked: facts.request.ended.unwrap_or(response.begun),
                answered: response.begun,
            });
        }
        let named = &facts.request.says.name;
        if named.is_some() && self.name != *named {
            self.name.clone_from(named);
        }
        if view.is(Packet::Fragment) {
            self.fragment(view);
        }
        let (Some(packet), Some(status)) = (view.packet, view.status().filter(|_| answered)) else {
            return;
        };
        if view.error() == Some(BG_E_SESSION_NOT_FOUND) {
            // The documents differ on Close: MC-BUP §3.1.5.2.1, Win32 "Ack for Close-Session".
            let restarts = match packet {
                Packet::CancelSession => false,
                Packet::CloseSession => view.profile == Profile::Spec,
                _ => true,
            };
            if restarts {
                self.lost = Some(packet);
            } else {
                self.over = self.over.or(Some((packet, facts.conn)));
            }
            return;
        }
        match packet {
            Packet::CreateSession if view.succeeded() => self.create(view),
            Packet::CloseSession | Packet::CancelSession => {
                self.refused = (100..500)
                    .contains(&status)
                    .then_some((packet, status))
                    .filter(|refused| !matches!(refused.1, 200..300 | 401 | 407));
                if view.succeeded() {
                    // A reply on another host may be fetched where nobody sees it.
                    let reply = self.reply.as_deref().filter(|url| !url.is_empty());
                    let named = facts.request.says.host.as_deref().unwrap_or_default();
                    let here = |url: &str| {
                        split(url)
                            .0
                            .is_none_or(|host| host.eq_ignore_ascii_case(named))
                    };
                    let near = reply.is_some_and(here) && !self.fetched;
                    self.unread = (near && packet == Packet::CloseSession).then_some(facts.no);
                    self.over = self.over.or(Some((packet, facts.conn)));
                }
            }
            Packet::Fragment => self.acknowledged(view, status),
            _ => {}
        }
    }

    fn create(&mut self, view: &View<'_>) {
        let Some(response) = view.facts.response else {
            return;
        };
        let text = |name| value(response.head, name).map(shown);
        *self = Self {
            no: self.no,
            client: view.facts.client,
            host: view.host.clone(),
            path: view.path.clone(),
            created: true,
            id: response.says.session_id.clone(),
            encodings: text(Name::AcceptEncoding),
            host_id: response.says.host_id.as_deref().map(bare_host),
            fallback: text(Name::HostIdFallbackTimeout)
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
            fresh: true,
            told: Some(0),
            told_on: view.facts.conn,
            moved: response.ended,
            conn: view.facts.conn,
            name: self.name.take(),
            previous: self.previous,
            known: true,
            touched: self.touched,
            meddled: view.facts.ours,
            ..Self::default()
        };
    }

    fn fragment(&mut self, view: &View<'_>) {
        self.fresh = false;
        let total = view.facts.request.says.range.and_then(|range| range.total);
        self.total = total.or(self.total);
        let coding = value(view.asked(), Name::ContentEncoding);
        self.encoding = Some(coding.map(shown).unwrap_or_default());
        if self.path != view.path {
            self.path.clone_from(&view.path);
        }
        if let Some(range) = view.range() {
            let end = range.first.saturating_add(view.facts.request.content);
            self.furthest = self.furthest.max(end);
        }
        if let Some((range, digest)) = view.whole_content() {
            if self.digests.len() >= FEW {
                self.digests.pop_front();
            }
            self.digests.push_back((range.first, range.last, digest));
        }
    }

    fn acknowledged(&mut self, view: &View<'_>, status: u16) {
        let facts = view.facts;
        let range = view.range();
        // It may have been refused before all of it had come.
        let length = range.map_or(facts.request.content, |range| {
            range.last.saturating_sub(range.first).saturating_add(1)
        });
        self.too_large = (status == 413).then_some(length);
        let Some(range) = range else {
            return;
        };
        if let Some(told) = view.told() {
            let grew = self.told.is_none_or(|known| told > known);
            self.stuck = match self.stuck.filter(|stuck| stuck.0 == range.first && !grew) {
                Some((first, times)) => Some((first, times.saturating_add(1))),
                None => (!grew).then_some((range.first, 1)),
            };
            self.told = Some(told);
            self.told_on = facts.conn;
            if let Some(response) = facts.response {
                self.moved = response.ended;
            }
            self.short = view.succeeded() && told == range.last && range.first < range.last;
            let complete = range.total == Some(told)
                || range.total.is_some_and(|total| self.goes_on_at(total));
            self.complete = complete.then_some(facts.no);
        } else if !matches!(status, 401 | 407 | 413) {
            self.stuck = match self.stuck.filter(|stuck| stuck.0 == range.first) {
                Some((first, times)) => Some((first, times.saturating_add(1))),
                None => Some((range.first, 1)),
            };
        }
        if let Some(url) = facts.response.and_then(|r| r.says.reply_url.as_ref()) {
            self.reply = Some(url.clone());
            self.fetched = false;
        }
    }

    /// Takes note of a HEAD or GET.
    pub(super) fn download(&mut self, view: &View<'_>) {
        let Some(response) = view.facts.response.filter(|_| !view.facts.ours) else {
            return;
        };
        let says = response.says;
        let status = view.status().unwrap_or_default();
        self.file.redirected |= (300..400).contains(&status);
        if status == 412 {
            // The server says itself that the file is another one.
            self.file = File::default();
        }
        if !matches!(status, 200 | 206) {
            return;
        }
        if view.is(Packet::Get) {
            self.fetched = true;
            self.unread = None;
        }
        let file = &mut self.file;
        file.begun |= view.is(Packet::Get) && response.content > 0;
        let total = super::download::total(status, says);
        file.total = total.or(file.total);
        if says.last_modified.is_some() {
            file.modified.clone_from(&says.last_modified);
        }
        if says.etag.is_some() {
            file.etag.clone_from(&says.etag);
        }
    }
}

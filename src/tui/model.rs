//! All that the screen depends on, besides the rows themselves.
//!
//! Changed by `update` alone; knows no view, no terminal and no clock.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ratatui::layout::Size;
use tui_input::Input as Typed;

use crate::timeline::filter::{Completion, FilterError};
use crate::timeline::{Chunk, Exchange, Session, Span};

use super::catalog::{Catalog, exchange_at};
use super::compare::{Compared, Pair};
use super::cover::Cover;
use super::filter::{Filter, session_of};
use super::found::{self, Found};
use super::job::Jobs;
use super::list::List;
use super::menu::Menu;
use super::operator::Operator;
use super::rows::{Pause, Rows};
use super::sift::{Count, Sift};
use super::versus::Versus;
use super::{Look, Status};

/// Which lists are on screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Sessions, and the packets of the selected one.
    #[default]
    Sessions,
    /// All packets.
    Packets,
    /// Sessions, and which bytes of the selected one's file passed.
    Coverage,
    /// Which rules were broken, where.
    Findings,
    /// Two sessions compared.
    Versus,
    /// The rules of the running proxy.
    Rules,
    Log,
}

/// Which pane takes the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    #[default]
    Sessions,
    Packets,
    Detail,
    Findings,
    Versus,
    Rules,
    Log,
}

/// What the detail pane shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    #[default]
    Story,
    Head,
    /// What differs between the legs.
    Upstream,
    Hex,
    Findings,
    Timing,
}

impl Tab {
    pub const ALL: [Self; 6] = [
        Self::Story,
        Self::Head,
        Self::Upstream,
        Self::Hex,
        Self::Findings,
        Self::Timing,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Story => "Story",
            Self::Head => "Head",
            Self::Upstream => "Upstream",
            Self::Hex => "Hex",
            Self::Findings => "Findings",
            Self::Timing => "Timing",
        }
    }
}

/// Columns by which sessions can be sorted, in the order of `s`.
pub const SESSION_SORTS: [&str; 6] = ["no", "name", "state", "done", "problems", "last"];

/// Columns by which packets can be sorted, in the order of `s`.
pub const PACKET_SORTS: [&str; 6] = ["no", "packet", "range", "status", "next", "wait"];

/// What a line is being typed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Filter,
    Find,
    /// What the proxy is to hold.
    Break,
    /// At which offset a client is to go on.
    Rewind,
    Command,
    /// What to write about a packet.
    Comment,
    /// Where to a session is to be replayed.
    Replay,
    /// Where to a packet is to be sent again.
    Resend,
    /// The name of an export.
    Export,
    /// Where to save the temporary capture, before leaving.
    SaveAs,
}

/// What a filter that is being typed replaces.
#[derive(Clone, Debug)]
pub struct Before {
    pub filter: Filter,
    /// The selected rows of sessions, packets and findings.
    pub selected: [Option<u32>; 3],
}

/// A line being typed.
#[derive(Clone, Debug)]
pub struct Prompt {
    pub ask: Ask,
    pub typed: Typed,
    /// Filter: what is wrong with it.
    pub wrong: Option<FilterError>,
    /// Filter: how many rows it takes; `None` where it is empty or wrong.
    pub count: Option<Count>,
    /// Filter: what was there before, since the lists follow what is typed.
    pub before: Option<Before>,
    /// What could stand at the cursor.
    pub offers: Vec<Completion>,
    /// An offer is in the line: which, and what was there before with the cursor's place.
    pub cycle: Option<(usize, String, usize)>,
    /// Comment: the packet that it is about; replay: the number of the session or packet.
    pub row: Option<u32>,
}

/// Which message of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    #[default]
    Request,
    Response,
}

/// Bytes that the screen wants read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    pub span: Span,
    /// Offset within the span.
    pub from: u64,
    pub len: usize,
}

/// What was read for a [`Want`], or why it could not be.
pub type Read = Result<Chunk, String>;

/// The detail pane.
#[derive(Debug, Default)]
pub struct Detail {
    pub tab: Tab,
    /// Tab that was open before the findings were.
    pub before: Option<Tab>,
    /// First line on screen (Story, Head, Timing).
    pub scroll: usize,
    /// Lines that there were when last drawn.
    pub lines: usize,
    /// Rows of text that fit.
    pub height: usize,
    /// Chosen by hand; else the body that is there.
    pub side: Option<Side>,
    /// Hex: offset of the first byte on screen; a multiple of the bytes per line.
    pub offset: u64,
    /// What was read for this exchange.
    pub reads: Vec<(Want, Read)>,
    /// The next drawing looks for what was searched: backwards or not.
    pub seek: Option<bool>,
    /// Line that has what was searched; in Hex its offset.
    pub hit: Option<u64>,
    /// Bodies of this exchange that were compared.
    pub compared: Vec<(Pair, Result<Compared, String>)>,
}

/// A sentence for the last line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub text: String,
    pub bad: bool,
}

/// How fast a session moves, measured between two ticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Speed {
    pub at: Duration,
    pub sent: u64,
    /// Bytes per second.
    pub rate: Option<u64>,
}

/// Everything that the screen depends on.
#[derive(Debug)]
pub struct Model {
    pub look: Look,
    pub size: Size,
    /// Time since the capture's start.
    pub now: Duration,
    pub status: Status,
    pub view: View,
    pub focus: Focus,
    /// The detail has the whole screen.
    pub zoom: bool,
    pub sessions: List,
    pub packets: List,
    /// Session whose packets are listed; `None` for all.
    pub scope: Option<u32>,
    /// How many rows of the scope's session the list has taken.
    pub taken: usize,
    /// Scope and count for which everything was looked through.
    pub recounted: Option<(u32, u32)>,
    pub log: LogView,
    pub found: Found,
    pub versus: Versus,
    pub cover: Cover,
    pub detail: Detail,
    pub filter: Filter,
    /// How far the filter has come.
    pub sift: Sift,
    /// What was searched last, in lower case.
    pub find: String,
    pub prompt: Option<Prompt>,
    /// The help is open; first line on screen.
    pub help: Option<usize>,
    pub help_lines: usize,
    pub menu: Option<Menu>,
    pub operator: Operator,
    pub jobs: Jobs,
    /// Version of what people wrote at the last look.
    pub annotated: u64,
    pub pause: Option<Arc<Pause>>,
    /// Exchanges that came after the pause.
    pub behind: usize,
    /// Credentials are shown as they are.
    pub reveal: bool,
    pub mouse: bool,
    pub message: Option<Message>,
    pub speeds: HashMap<u32, Speed>,
    pub catalog: Catalog,
}

/// The log: lines from elsewhere, then the timeline's remarks.
#[derive(Debug, Default)]
pub struct LogView {
    /// First entry on screen; following, where that came to lie when last drawn.
    pub top: usize,
    /// Rows of text that fit.
    pub height: usize,
    /// Entries that there are.
    pub len: usize,
    /// Entries that were on screen when last drawn.
    pub shown: usize,
    /// The last entry stays on screen.
    pub follow: bool,
}

impl Model {
    /// Makes the model of an empty screen.
    pub fn new(look: Look, size: Size) -> Self {
        let mut model = Self {
            look,
            size,
            now: Duration::ZERO,
            status: Status::default(),
            view: View::default(),
            focus: Focus::default(),
            zoom: false,
            sessions: List::default(),
            packets: List::default(),
            scope: None,
            taken: 0,
            recounted: None,
            log: LogView {
                follow: true,
                ..LogView::default()
            },
            found: Found::default(),
            versus: Versus::default(),
            cover: Cover::default(),
            detail: Detail::default(),
            filter: Filter::default(),
            sift: Sift::default(),
            find: String::new(),
            prompt: None,
            help: None,
            help_lines: 0,
            menu: None,
            operator: Operator::default(),
            jobs: Jobs::default(),
            annotated: 0,
            pause: None,
            behind: 0,
            reveal: false,
            mouse: false,
            message: None,
            speeds: HashMap::new(),
            catalog: Catalog::default(),
        };
        model.fit();
        model
    }

    /// Tells the panes their heights.
    pub fn fit(&mut self) {
        let layout = super::layout::layout(self);
        self.sessions.fit(super::layout::rows_in(layout.sessions));
        self.packets.fit(super::layout::rows_in(layout.packets));
        // The last line sums up.
        let findings = super::layout::rows_in(layout.findings);
        self.found.list.fit(findings.saturating_sub(1));
        let inner = |area: Option<ratatui::layout::Rect>| {
            area.map_or(0, |area| usize::from(super::layout::inside(area).height))
        };
        let rules = super::layout::rows_in(layout.rules);
        self.operator.height = rules.saturating_sub(super::layout::RULES_FOOT);
        self.operator.step(0);
        let lines = super::layout::rows_in(layout.versus);
        self.versus
            .list
            .fit(lines.saturating_sub(super::layout::VERSUS_FOOT));
        self.detail.height = inner(layout.detail);
        self.log.height = inner(layout.log);
        self.log.top = self.log.top.min(self.log.len.saturating_sub(1));
    }

    /// Returns the list that the focus is on or came from.
    pub fn list(&self) -> Focus {
        match (self.view, self.focus) {
            (View::Log, _) => Focus::Log,
            (View::Findings, _) => Focus::Findings,
            (View::Versus, _) => Focus::Versus,
            (View::Rules, _) => Focus::Rules,
            (View::Coverage, _) | (View::Sessions, Focus::Sessions) => Focus::Sessions,
            (View::Sessions, Focus::Detail) if self.packets.is_empty() => Focus::Sessions,
            _ => Focus::Packets,
        }
    }

    /// Returns the selected session: in the list of sessions, or the selected packet's.
    pub fn session<'r>(&self, rows: &'r dyn Rows) -> Option<&'r Session> {
        if matches!(self.view, View::Sessions | View::Coverage) {
            let row = self.sessions.selected()?;
            return rows.session(usize::try_from(row).ok()?);
        }
        if self.view == View::Findings
            && let Some(no) = found::selected(self, rows)?.session
        {
            return session_of(rows, no);
        }
        if self.view == View::Versus {
            return session_of(rows, self.versus.sessions?.0);
        }
        session_of(rows, self.exchange(rows)?.session?)
    }

    /// Returns the selected exchange.
    pub fn exchange<'r>(&self, rows: &'r dyn Rows) -> Option<&'r Exchange> {
        if self.view == View::Coverage {
            // The list of packets may be another session's.
            return exchange_at(rows, self.cover.carriers.first()?.checked_sub(1)?);
        }
        if self.view == View::Findings {
            let no = found::selected(self, rows)?.exchange?;
            return exchange_at(rows, no.checked_sub(1)?);
        }
        if self.view == View::Versus {
            let line = self.versus.selected()?;
            return exchange_at(rows, line.left.or(line.right)?.checked_sub(1)?);
        }
        exchange_at(rows, self.packets.selected()?)
    }

    /// Returns the body that Hex shows: the chosen one, else the longer one.
    pub fn side(&self, exchange: &Exchange) -> Side {
        let len = |message: &Option<crate::timeline::row::Message>| {
            message.as_ref().map_or(0, |message| message.body_wire)
        };
        let longer = if len(&exchange.response) > len(&exchange.request) {
            Side::Response
        } else {
            Side::Request
        };
        self.detail.side.unwrap_or(longer)
    }

    /// Returns what was read for `want`.
    pub fn read(&self, want: &Want) -> Option<&Read> {
        let (_, read) = self.detail.reads.iter().find(|(had, _)| had == want)?;
        Some(read)
    }

    /// Returns what came of comparing two bodies.
    pub fn compared(&self, pair: &Pair) -> Option<&Result<Compared, String>> {
        let (_, compared) = self.detail.compared.iter().find(|(had, _)| had == pair)?;
        Some(compared)
    }

    /// Says something on the last line.
    pub fn say(&mut self, text: impl Into<String>, bad: bool) {
        self.message = Some(Message {
            text: text.into(),
            bad,
        });
    }
}

//! The one table of keys: key, command, help text. Help, footer and "which key does this?" are read
//! from it, so they cannot go stale.
//!
//! A row added here needs an arm in `update.rs`. Knows no terminal.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Open,
    Back,
    NextPane,
    PreviousPane,
    NextTab,
    PreviousTab,
    Sessions,
    Packets,
    Coverage,
    Findings,
    Rules,
    Log,
    ToggleRule,
    AllOff,
    Break,
    Release,
    ReleaseAll,
    Kill,
    Edit,
    Answer,
    OtherFace,
    NewLine,
    Editor,
    CellLeft,
    CellRight,
    CellBack,
    CellOn,
    Carrier,
    Breaker,
    Compare,
    Compared,
    NextDifference,
    PreviousDifference,
    Filter,
    Find,
    FindNext,
    FindPrevious,
    NextProblem,
    PreviousProblem,
    Only,
    Without,
    Copy,
    Mark,
    NextMark,
    Comment,
    Replay,
    Resend,
    Export,
    SortColumn,
    SortDirection,
    Follow,
    Pause,
    Privacy,
    Mouse,
    OtherBody,
    Offset,
    CommandLine,
    Help,
    Redraw,
    Suspend,
    Quit,
    Apply,
    Cancel,
    Complete,
    CompleteBack,
}

/// Where a key has its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    Anywhere,
    /// Sessions, packets or detail are on screen.
    Panes,
    /// One of the two lists takes the keys.
    List,
    /// The Hex tab is open.
    Hex,
    /// The coverage of a file is on screen.
    Coverage,
    /// The findings are on screen.
    Findings,
    /// Two sessions are compared.
    Versus,
    /// The rules are on screen.
    Rules,
    /// A held message is being edited; every other key goes into it.
    Form,
    /// A line is being typed; every other key goes into it.
    Prompt,
}

/// A key with the control key or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    pub control: bool,
    pub code: KeyCode,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    pub chords: &'static [Chord],
    pub command: Command,
    pub context: Context,
    /// One clause for the help.
    pub help: &'static str,
    /// A word for the footer; empty where it is not worth the room.
    pub hint: &'static str,
}

const fn plain(code: KeyCode) -> Chord {
    Chord {
        control: false,
        code,
    }
}

const fn char(c: char) -> Chord {
    plain(KeyCode::Char(c))
}

const fn control(c: char) -> Chord {
    Chord {
        control: true,
        code: KeyCode::Char(c),
    }
}

const fn row(
    chords: &'static [Chord],
    command: Command,
    context: Context,
    help: &'static str,
    hint: &'static str,
) -> Binding {
    Binding {
        chords,
        command,
        context,
        help,
        hint,
    }
}

use Command as C;
use Context::{Anywhere, Coverage, Findings, Form, Hex, List, Panes, Prompt, Rules, Versus};
use KeyCode as K;

/// All keys, in the order in which the help shows them.
#[rustfmt::skip] // one key, one line
pub const TABLE: &[Binding] = &[
    row(&[char('1')], C::Sessions, Anywhere, "sessions, with the packets of the selected one", ""),
    row(&[char('2')], C::Packets, Anywhere, "packets of all sessions", ""),
    row(&[char('3')], C::Coverage, Anywhere, "coverage: which bytes of the selected file passed", ""),
    row(&[char('4')], C::Findings, Anywhere, "findings: which rules were broken, by whom, where", ""),
    row(&[char('5')], C::Rules, Anywhere, "rules: on or off, what fired, and why not", ""),
    row(&[char('6')], C::Log, Anywhere, "log: what was odd, and what the proxy says", ""),
    row(&[plain(K::Enter)], C::Open, Panes, "go deeper: packets, detail, detail on the whole screen", "open"),
    row(&[plain(K::Esc)], C::Back, Anywhere, "go back; at the top, remove the filter", ""),
    row(&[plain(K::Tab)], C::NextPane, Panes, "next pane", "pane"),
    row(&[plain(K::BackTab)], C::PreviousPane, Panes, "previous pane", ""),
    row(&[plain(K::Right), char('l')], C::NextTab, Panes, "next tab of the detail", "next tab"),
    row(&[plain(K::Left), char('h')], C::PreviousTab, Panes, "previous tab of the detail", ""),
    row(&[plain(K::Down), char('j')], C::Down, Anywhere, "down", ""),
    row(&[plain(K::Up), char('k')], C::Up, Anywhere, "up", ""),
    row(&[plain(K::PageDown), char(' ')], C::PageDown, Anywhere, "a page down", ""),
    row(&[plain(K::PageUp)], C::PageUp, Anywhere, "a page up", ""),
    row(&[plain(K::Home), char('g')], C::Top, Anywhere, "first row", ""),
    row(&[plain(K::End), char('G')], C::Bottom, Anywhere, "last row", ""),
    row(&[char('o')], C::Offset, Hex, "go to an offset of the body", "offset"),
    row(&[char('b')], C::OtherBody, Hex, "the other body: request or response", "other body"),
    row(&[plain(K::Right), char('l')], C::CellRight, Coverage, "along the file", "along the file"),
    row(&[plain(K::Left), char('h')], C::CellLeft, Coverage, "back along the file", ""),
    row(&[char(']')], C::CellOn, Coverage, "to where the next sign begins", "next sign"),
    row(&[char('[')], C::CellBack, Coverage, "to where the sign before ends", ""),
    row(&[plain(K::Enter)], C::Carrier, Coverage, "the first packet that carried this part", "its packet"),
    row(&[plain(K::Enter)], C::Breaker, Findings, "the packet that broke the rule", "its packet"),
    row(&[char('t'), plain(K::Enter)], C::ToggleRule, Rules, "turn the rule on or off", "on/off"),
    row(&[char('c')], C::Compare, Panes, "compare: choose this session, then the same key on another", ""),
    row(&[plain(K::Enter)], C::Compared, Versus, "the packet, of the left session where it has one", "its packet"),
    row(&[char(']')], C::NextDifference, Versus, "next difference", "difference"),
    row(&[char('[')], C::PreviousDifference, Versus, "previous difference", ""),
    row(&[char('/')], C::Filter, Panes, "filter: a word, or like  bits.error and time.wait > 30s", "filter"),
    row(&[char('F')], C::Follow, Anywhere, "follow: the newest row stays selected", "follow"),
    row(&[char(']')], C::NextProblem, Panes, "next problem", "problem"),
    row(&[char('[')], C::PreviousProblem, Panes, "previous problem", ""),
    row(&[control('f')], C::Find, Panes, "find in rows; in the detail, lines; in Hex, bytes (0x0D0A)", ""),
    row(&[char('n'), plain(K::F(3))], C::FindNext, Panes, "find the next one", ""),
    row(&[char('N')], C::FindPrevious, Panes, "find the previous one", ""),
    row(&[char('=')], C::Only, Panes, "show only rows with a value of this one", ""),
    row(&[char('!')], C::Without, Panes, "hide rows with a value of this one", ""),
    row(&[char('y')], C::Copy, Panes, "copy: URL, head, curl command, evidence", "copy"),
    row(&[char('m')], C::Mark, Panes, "mark the packet, or not; kept in the capture", ""),
    row(&[char('\'')], C::NextMark, Panes, "next packet with a mark or a comment", ""),
    row(&[char(';')], C::Comment, Panes, "comment on the packet; kept in the capture", ""),
    row(&[char('r')], C::Replay, Panes, "replay the session to a server, see what it does otherwise", ""),
    row(&[char('R')], C::Resend, Panes, "send the packet to a server again, as it was", ""),
    row(&[char('x')], C::Export, Panes, "export: .pcapng .har .jsonl .csv; P decides on credentials", ""),
    row(&[char('s')], C::SortColumn, List, "sort by the next column", "sort"),
    row(&[char('S')], C::SortDirection, List, "turn the order round", ""),
    row(&[char('i')], C::Break, Anywhere, "hold what a filter takes from now on; again: nothing more", "hold"),
    row(&[char('a')], C::Release, Anywhere, "let go: the selected packet if held, else the oldest held", ""),
    row(&[char('A')], C::ReleaseAll, Anywhere, "let all held messages go", ""),
    row(&[char('e')], C::Edit, Anywhere, "edit the head of the held message, then let it go", ""),
    row(&[char('E')], C::Answer, Anywhere, "answer the held message in place of the server", ""),
    row(&[char('X')], C::Kill, Anywhere, "reset the packet's connection at both ends (asks first)", ""),
    row(&[char('T'), control('t')], C::AllOff, Anywhere, "all faults off at once, also over a menu or the help", ""),
    row(&[char('p')], C::Pause, Anywhere, "pause the display, never the capture", "pause"),
    row(&[char('P')], C::Privacy, Anywhere, "show or mask credentials", ""),
    row(&[char('M')], C::Mouse, Anywhere, "mouse on or off (off leaves selecting text to the terminal)", ""),
    row(&[char(':')], C::CommandLine, Anywhere, "command: :q :w FILE :goto N :offset N :reload :faults on", ""),
    row(&[char('?'), plain(K::F(1))], C::Help, Anywhere, "this help", "help"),
    row(&[control('l')], C::Redraw, Anywhere, "draw the screen anew", ""),
    #[cfg(unix)]
    row(&[control('z')], C::Suspend, Anywhere, "suspend, as any program of the shell", ""),
    row(&[char('q'), control('c')], C::Quit, Anywhere, "quit", "quit"),
    row(&[plain(K::Enter)], C::Apply, Prompt, "take what was typed", "apply"),
    row(&[plain(K::Tab)], C::Complete, Prompt, "filter: the next thing that could stand here", "complete"),
    row(&[plain(K::BackTab)], C::CompleteBack, Prompt, "filter: the one before", ""),
    row(&[plain(K::Esc), control('c')], C::Cancel, Prompt, "leave everything as it was", "cancel"),
    row(&[control('t')], C::AllOff, Prompt, "all faults off at once, also while typing", ""),
    row(&[plain(K::Enter)], C::Apply, Form, "send it", "send"),
    row(&[plain(K::Esc), control('c')], C::Cancel, Form, "leave the message held as it is", "cancel"),
    row(&[plain(K::Tab), plain(K::BackTab)], C::OtherFace, Form, "fields by name, or the head as raw text", "fields/raw"),
    row(&[plain(K::Down)], C::Down, Form, "next field or line", ""),
    row(&[plain(K::Up)], C::Up, Form, "field or line before", ""),
    row(&[control('o')], C::NewLine, Form, "raw text: break the line", "new line"),
    row(&[plain(K::F(4)), control('x')], C::Editor, Form, "open the head in $VISUAL or $EDITOR", "editor"),
    row(&[control('t')], C::AllOff, Form, "all faults off at once, while editing", ""),
];

impl Chord {
    /// Returns the chord of a key event; shift is part of the character.
    pub fn of(event: &KeyEvent) -> Self {
        let code = match event.code {
            K::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => K::BackTab,
            code => code,
        };
        Self {
            control: event.modifiers.contains(KeyModifiers::CONTROL),
            code,
        }
    }

    /// Returns how people write it.
    pub fn name(&self) -> String {
        let key = match self.code {
            K::Char(' ') => "Space".to_owned(),
            K::Char(c) if self.control => c.to_ascii_uppercase().to_string(),
            K::Char(c) => c.to_string(),
            K::F(n) => format!("F{n}"),
            K::BackTab => "Shift-Tab".to_owned(),
            K::PageUp => "PgUp".to_owned(),
            K::PageDown => "PgDn".to_owned(),
            code => format!("{code:?}"),
        };
        if self.control {
            format!("Ctrl-{key}")
        } else {
            key
        }
    }
}

/// Takes apart what a terminal reports as one key.
///
/// Without an extended protocol Escape and the key that follows it at once are the same bytes as Alt
/// with that key; Alt means nothing here but in a line that is being typed (there it moves by words).
/// Windows reports `AltGr` as Ctrl and Alt together: the character is what was meant.
pub fn split(event: &KeyEvent, typing: bool) -> Vec<KeyEvent> {
    let without = |modifiers| KeyEvent {
        modifiers: event.modifiers.difference(modifiers),
        ..*event
    };
    let alt_gr = KeyModifiers::ALT | KeyModifiers::CONTROL;
    let escape = KeyEvent {
        code: K::Esc,
        ..without(KeyModifiers::all())
    };
    match event.code {
        K::Char(c) if event.modifiers.contains(alt_gr) && !c.is_ascii_alphabetic() => {
            vec![without(alt_gr)]
        }
        K::Char(_) if event.modifiers.contains(KeyModifiers::ALT) && !typing => {
            vec![escape, without(KeyModifiers::ALT)]
        }
        _ => vec![*event],
    }
}

/// Returns the command of a key in the first of the contexts that knows it.
pub fn command(event: &KeyEvent, contexts: &[Context]) -> Option<Command> {
    if event.modifiers.contains(KeyModifiers::ALT) {
        return None;
    }
    let chord = Chord::of(event);
    contexts.iter().find_map(|context| {
        TABLE
            .iter()
            .find(|row| row.context == *context && row.chords.contains(&chord))
            .map(|row| row.command)
    })
}

/// Returns the first key that does `command`.
pub fn key_for(command: Command) -> Option<String> {
    let row = TABLE.iter().find(|row| row.command == command)?;
    Some(row.chords.first()?.name())
}

/// Returns all names of a row's keys.
pub fn names(row: &Binding) -> String {
    let names: Vec<String> = row.chords.iter().map(Chord::name).collect();
    names.join(" ")
}

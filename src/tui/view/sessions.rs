//! The list of sessions: one row per file's way.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::super::model::{Focus, Model};
use super::super::rows::Rows;
use super::super::text;
use super::super::theme::{Role, signs, style};
use super::paint::{Align, Pen, pane, sorted};
use crate::timeline::{Session, SessionKind, SessionState};

/// Columns that stand where the pane is wide enough.
#[derive(Clone, Copy)]
struct Columns {
    name: u16,
    bar: bool,
    size: bool,
    client: bool,
}

/// Draws the list.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) {
    let look = model.look;
    let focus = model.focus == Focus::Sessions;
    let inner = pane(buf, area, look, focus, title(model));
    let columns = columns(inner.width);
    titles(Pen::new(buf, inner, 0, look), columns, model);
    if model.sessions.is_empty() {
        let mut pen = Pen::new(buf, inner, 1, look);
        pen.skip(1);
        pen.text(empty(model, rows), Role::Dim);
        return;
    }
    for (line, (index, row)) in model.sessions.on_screen().enumerate() {
        let (Ok(line), Ok(row)) = (u16::try_from(line + 1), usize::try_from(row)) else {
            break;
        };
        let Some(session) = rows.session(row) else {
            continue;
        };
        let mut pen = Pen::new(buf, inner, line, look);
        if index == model.sessions.cursor() {
            pen = pen.base(if focus { Role::Selected } else { Role::Marked });
            pen.cell(1, signs(look).here, Role::Live, Align::Left);
        } else {
            pen.skip(1);
        }
        session_row(pen, columns, session, rate(model, session));
    }
}

fn title(model: &Model) -> Line<'static> {
    let look = model.look;
    let mut title = vec![Span::styled(" Sessions ", style(look, Role::Strong))];
    if model.sessions.follow {
        title.push(Span::styled("following ", style(look, Role::Live)));
    }
    Line::from(title)
}

fn empty(model: &Model, rows: &dyn Rows) -> &'static str {
    if rows.session_count() > 0 {
        "The filter takes no session."
    } else if model.status.ended {
        "There is no BITS session here."
    } else {
        "Waiting for a BITS client."
    }
}

fn columns(width: u16) -> Columns {
    let bar = width >= 54;
    let size = width >= 60;
    let client = width >= 76;
    // All columns but the name, with the blanks between them.
    let fixed =
        30 + if bar { 6 } else { 0 } + if size { 7 } else { 0 } + if client { 16 } else { 0 };
    Columns {
        name: width.saturating_sub(fixed).max(6),
        bar,
        size,
        client,
    }
}

fn titles(mut pen: Pen<'_>, columns: Columns, model: &Model) {
    let list = &model.sessions;
    let title = |name: &str, at: usize| {
        let sign = sorted(model.look, list.column == at, list.descending);
        format!("{name}{sign}")
    };
    pen.cell(
        1,
        sorted(model.look, list.column == 0 && list.descending, true),
        Role::Dim,
        Align::Left,
    );
    pen.cell(columns.name, &title("name", 1), Role::Dim, Align::Left);
    pen.skip(1);
    pen.cell(2, "", Role::Dim, Align::Left);
    pen.skip(1);
    pen.cell(9, &title("state", 2), Role::Dim, Align::Left);
    pen.skip(1);
    let done = if columns.bar { 10 } else { 4 };
    pen.cell(done, &title("done", 3), Role::Dim, Align::Left);
    pen.skip(1);
    if columns.size {
        pen.cell(6, "size", Role::Dim, Align::Right);
        pen.skip(1);
    }
    pen.cell(
        7,
        &title(if list.column == 5 { "last" } else { "rate" }, 5),
        Role::Dim,
        Align::Right,
    );
    pen.skip(1);
    if columns.client {
        pen.cell(15, "client", Role::Dim, Align::Left);
        pen.skip(1);
    }
    pen.cell(2, &title("E", 4), Role::Dim, Align::Left);
}

fn session_row(mut pen: Pen<'_>, columns: Columns, session: &Session, rate: Option<String>) {
    let (state, role) = state(session.state);
    pen.cell(columns.name, &session.name, Role::Text, Align::Left);
    pen.skip(1);
    pen.cell(2, kind(session.kind), Role::Dim, Align::Left);
    pen.skip(1);
    pen.cell(9, state, role, Align::Left);
    pen.skip(1);
    // A job of ranges is complete with some of the file: how much says more than a small share of it.
    let part = session.kind == SessionKind::Download && session.state == SessionState::Complete;
    let whole = |total: &u64| !part || session.acknowledged >= *total;
    if let Some(total) = session.total.filter(whole) {
        let percent = text::percent(session.acknowledged, total);
        pen.cell(4, &format!("{percent}%"), Role::Text, Align::Right);
        if columns.bar {
            pen.skip(1);
            pen.bar(5, percent, role);
        }
    } else {
        pen.cell(
            if columns.bar { 10 } else { 4 },
            &text::short(session.acknowledged),
            Role::Text,
            Align::Left,
        );
    }
    pen.skip(1);
    if columns.size {
        let size = session.total.map_or_else(|| "?".to_owned(), text::short);
        pen.cell(6, &size, Role::Dim, Align::Right);
        pen.skip(1);
    }
    pen.cell(7, &rate.unwrap_or_default(), Role::Live, Align::Right);
    pen.skip(1);
    if columns.client {
        let client = session.client.map(|client| client.ip().to_string());
        pen.cell(15, &client.unwrap_or_default(), Role::Dim, Align::Left);
        pen.skip(1);
    }
    if session.problems > 0 {
        let count = match session.problems {
            1..=9 => format!("E{}", session.problems),
            _ => "E+".to_owned(),
        };
        pen.cell(2, &count, Role::Error, Align::Left);
    }
}

/// Returns how fast a session moves now; nothing where it does not.
fn rate(model: &Model, session: &Session) -> Option<String> {
    if model.sessions.column == 5 {
        return Some(text::moment(session.last));
    }
    if session.state.is_final() {
        return None;
    }
    let rate = model.speeds.get(&session.no)?.rate?;
    (rate > 0).then(|| format!("{}/s", text::short(rate)))
}

fn kind(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Upload => "up",
        SessionKind::UploadReply => "ur",
        SessionKind::Download => "dl",
        SessionKind::Unknown => "?",
    }
}

/// Returns a state's word and what it means.
pub(super) fn state(state: SessionState) -> (&'static str, Role) {
    let role = match state {
        SessionState::Open | SessionState::Uploading => Role::Live,
        SessionState::Uploaded | SessionState::Closed | SessionState::Complete => Role::Good,
        SessionState::Cancelled => Role::Warning,
        SessionState::Lost | SessionState::Failed => Role::Error,
    };
    (state.name(), role)
}

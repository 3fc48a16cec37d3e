//! The first line: where to, what is recorded, how much there is, how much went wrong.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::model::Model;
use super::super::rows::Rows;
use super::super::text::{fit, long};
use super::super::theme::{Role, signs, style};
use super::paint::Pen;

/// Blanks around each piece.
const GAP: usize = 2;

/// A piece of the header.
type Piece = (String, Role);

/// Draws the header; from the right, what does not fit is left out.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) {
    if area.is_empty() {
        return;
    }
    buf.set_style(area, style(model.look, Role::Bar));
    let mut pen = Pen::new(buf, area, 0, model.look).base(Role::Bar);
    let pieces = pieces(model, rows);
    let width = |pieces: &[Piece]| -> usize {
        pieces
            .iter()
            .map(|(text, _)| text.chars().count() + GAP)
            .sum()
    };
    let room = usize::from(pen.left());
    // The counts matter more than the end of a long title.
    let keep = width(&pieces).min(room.saturating_sub(10));
    let mut title = format!(" bitstap  {}", model.status.title);
    if title.chars().count() > room - keep {
        title = format!(" {}", model.status.title);
    }
    pen.text(&fit(&title, room - keep, model.look.ascii), Role::Strong);
    let keep = u16::try_from(keep).unwrap_or(0);
    pen.right(keep);
    for (text, role) in &pieces {
        if usize::from(pen.left()) < text.chars().count() + GAP {
            break;
        }
        pen.skip(1);
        pen.text(text, *role);
        pen.skip(1);
    }
}

fn pieces(model: &Model, rows: &dyn Rows) -> Vec<Piece> {
    let signs = signs(model.look);
    let mut pieces = Vec::new();
    if model.pause.is_some() {
        pieces.push((format!("PAUSED, {} behind", model.behind), Role::Warning));
    }
    operator(model, &mut pieces);
    match &model.status.recording {
        Some(recording) => match &recording.failed {
            Some(_) => pieces.push(("NOT RECORDING".to_owned(), Role::Error)),
            None => pieces.push((
                format!("{} REC {}", signs.live, long(recording.size)),
                Role::Live,
            )),
        },
        None if model.status.ended => pieces.push(("ended".to_owned(), Role::Dim)),
        None => {}
    }
    if model.status.skipped > 0 {
        let text = format!("{} events not shown", model.status.skipped);
        pieces.push((text, Role::Warning));
    }
    pieces.push((count(rows.session_count(), "session"), Role::Text));
    let problems = usize::try_from(model.catalog.problems()).unwrap_or(usize::MAX);
    let role = if problems > 0 { Role::Error } else { Role::Dim };
    pieces.push((count(problems, "error"), role));
    pieces
}

/// Says what the proxy does to the traffic.
fn operator(model: &Model, pieces: &mut Vec<Piece>) {
    let operator = &model.operator;
    if !operator.held.is_empty() {
        pieces.push((format!("{} HELD", operator.held.len()), Role::Warning));
    }
    if operator.breakpoint.is_some() {
        pieces.push(("hold on".to_owned(), Role::Warning));
    }
    if operator.plugged && !operator.on {
        pieces.push(("faults OFF".to_owned(), Role::Warning));
    } else if !operator.rules.is_empty() {
        let on = operator.count_on();
        let role = if on > 0 { Role::Live } else { Role::Dim };
        pieces.push((format!("faults {on} on"), role));
    }
}

fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

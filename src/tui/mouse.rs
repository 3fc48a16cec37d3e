//! What a click and the wheel do: a click selects, the wheel scrolls the pane beneath it.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::layout::layout;
use super::model::{Focus, Model};
use super::rows::Rows;
use super::sync;
use super::update::{fresh, step};

/// Rows that one notch of the wheel moves.
const NOTCH: isize = 3;

/// Takes one mouse event.
pub(super) fn update(model: &mut Model, rows: &dyn Rows, event: MouseEvent) {
    if !model.mouse
        || model.prompt.is_some()
        || model.help.is_some()
        || model.menu.is_some()
        || model.operator.form.is_some()
    {
        return;
    }
    if model.jobs.is_open() {
        return;
    }
    let place = Position::new(event.column, event.row);
    let Some((pane, area)) = pane_at(model, place) else {
        return;
    };
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            model.focus = pane;
            click(model, rows, pane, area, event.row);
        }
        MouseEventKind::ScrollDown => scroll(model, rows, pane, NOTCH),
        MouseEventKind::ScrollUp => scroll(model, rows, pane, -NOTCH),
        _ => {}
    }
}

fn pane_at(model: &Model, place: Position) -> Option<(Focus, Rect)> {
    let layout = layout(model);
    [
        (Focus::Sessions, layout.sessions),
        (Focus::Packets, layout.packets),
        (Focus::Detail, layout.detail),
        (Focus::Findings, layout.findings),
        (Focus::Versus, layout.versus),
        (Focus::Rules, layout.rules),
        (Focus::Log, layout.log),
    ]
    .into_iter()
    .filter_map(|(pane, area)| Some((pane, area?)))
    .find(|(_, area)| area.contains(place))
}

fn scroll(model: &mut Model, rows: &dyn Rows, pane: Focus, by: isize) {
    let before = model.focus;
    model.focus = pane;
    step(model, rows, by);
    model.focus = before;
}

fn click(model: &mut Model, rows: &dyn Rows, pane: Focus, area: Rect, y: u16) {
    // A border and a line of titles lie above the first row.
    let Some(line) = y.checked_sub(area.y.saturating_add(2)) else {
        return;
    };
    let list = match pane {
        Focus::Sessions => &mut model.sessions,
        Focus::Packets => &mut model.packets,
        Focus::Findings => &mut model.found.list,
        Focus::Versus => &mut model.versus.list,
        Focus::Detail | Focus::Log | Focus::Rules => return,
    };
    let index = list.top + usize::from(line);
    if usize::from(line) >= list.height || index >= list.len() {
        return;
    }
    list.follow = false;
    list.select_at(index);
    if pane == Focus::Sessions {
        sync::follow_session(model, rows);
    }
    fresh(model);
}

//! Where each pane goes. Rectangles only; see `view` for the picture.

use ratatui::layout::{Rect, Size};

use super::model::{Focus, Model, View};

/// From this width on, sessions and packets stand side by side.
pub(super) const WIDE: u16 = 110;

/// Lines below the comparison of two sessions that say all of the selected line.
pub(super) const VERSUS_FOOT: usize = 3;

/// Lines below the rules that say all of the selected one.
pub(super) const RULES_FOOT: usize = 6;

/// Most held messages that are listed at once.
const HELD: usize = 4;

/// Below this height there is room for one pane only.
const LOW: u16 = 16;

/// The places of the panes; one that is not shown has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    pub header: Rect,
    pub sessions: Option<Rect>,
    pub packets: Option<Rect>,
    pub detail: Option<Rect>,
    pub cover: Option<Rect>,
    pub findings: Option<Rect>,
    pub versus: Option<Rect>,
    pub rules: Option<Rect>,
    /// The messages that wait, above the footer in every view.
    pub held: Option<Rect>,
    pub log: Option<Rect>,
    pub footer: Rect,
}

/// Places the panes of the current view.
pub(super) fn layout(model: &Model) -> Layout {
    let Size { width, height } = model.size;
    let bar = |y| Rect::new(0, y, width, u16::from(y < height));
    let header = bar(0);
    let footer = Rect::new(0, height.saturating_sub(1), width, u16::from(height > 1));
    let body = Rect::new(0, 1, width, height.saturating_sub(2));
    let mut out = Layout {
        header,
        footer,
        ..Layout::default()
    };
    if body.is_empty() {
        return out;
    }
    let body = above_held(model, body, &mut out);
    if model.view == View::Rules {
        out.rules = Some(body);
        return out;
    }
    if model.view == View::Log {
        out.log = Some(body);
        return out;
    }
    if model.view == View::Versus {
        out.versus = Some(body);
        return out;
    }
    if model.view == View::Coverage {
        let mut above = body;
        // The bar with what belongs to it takes twelve lines.
        above.height = body
            .height
            .saturating_sub(13)
            .clamp(body.height.min(6), body.height);
        let mut below = body;
        below.y += above.height;
        below.height -= above.height;
        out.sessions = Some(above);
        out.cover = (below.height > 2).then_some(below);
        return out;
    }
    let alone = body.height < LOW || model.zoom;
    if alone && model.focus == Focus::Detail {
        out.detail = Some(body);
        return out;
    }
    let mut lists = body;
    if !alone {
        lists.height = body.height * 11 / 20;
        let mut below = body;
        below.y += lists.height;
        below.height -= lists.height;
        out.detail = Some(below);
    }
    if model.view == View::Findings {
        out.findings = Some(lists);
    } else if model.view == View::Packets {
        out.packets = Some(lists);
    } else if width >= WIDE {
        let mut left = lists;
        left.width = width * 2 / 5;
        let mut right = lists;
        right.x = left.width;
        right.width = width - left.width;
        out.sessions = Some(left);
        out.packets = Some(right);
    } else if model.list() == Focus::Sessions {
        out.sessions = Some(lists);
    } else {
        out.packets = Some(lists);
    }
    out
}

/// Gives the lowest lines to the messages that wait; where there is little room, one line.
fn above_held(model: &Model, mut body: Rect, out: &mut Layout) -> Rect {
    let waiting = u16::try_from(model.operator.held.len().min(HELD)).unwrap_or(0);
    let lines = match (waiting, body.height) {
        (0, _) | (_, ..4) => return body,
        (_, 4..12) => 1,
        (waiting, _) => waiting + 2,
    };
    body.height -= lines;
    out.held = Some(Rect::new(body.x, body.bottom(), body.width, lines));
    body
}

/// Returns how many rows a list in `area` shows: without its border and its line of titles.
pub(super) fn rows_in(area: Option<Rect>) -> usize {
    area.map_or(0, |area| usize::from(area.height.saturating_sub(3)))
}

/// Returns the inside of a pane's border.
pub(super) fn inside(area: Rect) -> Rect {
    if area.width < 2 || area.height < 2 {
        return Rect::default();
    }
    Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
}

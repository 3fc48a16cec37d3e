//! The brush that all panes share: borders, columns, bars. Never writes outside its area.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Widget as _};

use super::super::Look;
use super::super::layout::inside;
use super::super::text::fit;
use super::super::theme::{Role, signs, style};

/// Where text stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Draws a border with a title and returns what is inside.
pub(super) fn pane(buf: &mut Buffer, area: Rect, look: Look, focus: bool, title: Line<'_>) -> Rect {
    let role = if focus { Role::Focus } else { Role::Border };
    Block::bordered()
        .border_set(signs(look).border)
        .border_style(style(look, role))
        .title_top(title)
        .render(area, buf);
    inside(area)
}

/// Writes one line, piece after piece, from left to right.
pub(super) struct Pen<'b> {
    buf: &'b mut Buffer,
    look: Look,
    x: u16,
    y: u16,
    end: u16,
    base: Style,
}

impl<'b> Pen<'b> {
    /// Starts at the left of line `line` of `area`; below the area it writes nothing.
    pub(super) fn new(buf: &'b mut Buffer, area: Rect, line: u16, look: Look) -> Self {
        let area = area.intersection(buf.area);
        let end = if line < area.height {
            area.right()
        } else {
            area.x
        };
        Self {
            buf,
            look,
            x: area.x,
            y: area.y.saturating_add(line),
            end,
            base: Style::new(),
        }
    }

    /// Gives the whole line a style that lies beneath all others.
    pub(super) fn base(mut self, role: Role) -> Self {
        self.base = style(self.look, role);
        if self.x < self.end {
            let line = Rect::new(self.x, self.y, self.end - self.x, 1);
            self.buf.set_style(line, self.base);
        }
        self
    }

    pub(super) fn left(&self) -> u16 {
        self.end.saturating_sub(self.x)
    }

    /// Leaves `columns` empty.
    pub(super) fn skip(&mut self, columns: u16) {
        self.x = self.x.saturating_add(columns).min(self.end);
    }

    /// Goes on so that `columns` are left; does not go back.
    pub(super) fn right(&mut self, columns: u16) {
        self.x = self.end.saturating_sub(columns).max(self.x);
    }

    /// Writes text of any origin into a column of `width`.
    pub(super) fn cell(&mut self, width: u16, text: &str, role: Role, align: Align) {
        let width = width.min(self.left());
        if width == 0 {
            return;
        }
        let text = fit(text, usize::from(width), self.look.ascii);
        let style = self.base.patch(style(self.look, role));
        let mut x = self.x;
        if align == Align::Right {
            let used = u16::try_from(Line::raw(text.as_str()).width()).unwrap_or(width);
            x += width.saturating_sub(used);
        }
        let room = usize::from((self.x + width).saturating_sub(x));
        self.buf.set_stringn(x, self.y, text, room, style);
        self.x += width;
    }

    /// Writes text as wide as it is.
    pub(super) fn text(&mut self, text: &str, role: Role) {
        let width = Line::raw(fit(text, usize::from(self.left()), self.look.ascii)).width();
        self.cell(u16::try_from(width).unwrap_or(0), text, role, Align::Left);
    }

    /// Draws how much is done.
    pub(super) fn bar(&mut self, width: u16, percent: u8, role: Role) {
        let signs = signs(self.look);
        let width = width.min(self.left());
        let full = u16::from(percent) * width / 100;
        for column in 0..width {
            let (sign, role) = if column < full {
                (signs.full, role)
            } else {
                (signs.empty, Role::Dim)
            };
            let style = self.base.patch(style(self.look, role));
            self.buf
                .set_stringn(self.x + column, self.y, sign, 1, style);
        }
        self.x += width;
    }

    /// Writes a ready line.
    pub(super) fn line(&mut self, line: &Line<'_>) {
        self.buf.set_line(self.x, self.y, line, self.left());
    }
}

/// Returns the sign that a sorted column's title carries.
pub(super) fn sorted(look: Look, is: bool, descending: bool) -> &'static str {
    match (is, descending) {
        (false, _) => "",
        (true, false) => signs(look).ascending,
        (true, true) => signs(look).descending,
    }
}

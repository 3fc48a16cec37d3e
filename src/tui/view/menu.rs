//! The open menu, over everything but the help.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Widget as _};

use super::super::menu::Purpose;
use super::super::model::Model;
use super::super::theme::{Role, signs, style};
use super::paint::{Align, Pen, pane};

/// Draws the menu where one is open.
pub(super) fn draw(buf: &mut Buffer, model: &Model) {
    let Some(menu) = &model.menu else {
        return;
    };
    let look = model.look;
    let whole = buf.area;
    let width = whole.width.min(74);
    let lines = u16::try_from(menu.choices.len()).unwrap_or(u16::MAX);
    let height = lines.saturating_add(2).min(whole.height);
    let area = Rect::new(
        (whole.width - width) / 2,
        (whole.height - height) / 2,
        width,
        height,
    );
    Clear.render(area, buf);
    let title = match menu.purpose {
        Purpose::Only => " Show only rows with ",
        Purpose::Without => " Hide rows with ",
        Purpose::Copy => " Copy ",
        Purpose::Respond => " Answer in place of the server ",
        Purpose::Kill => " Reset both ends? ",
        Purpose::Export => " Export ",
    };
    let title = Line::styled(title, style(look, Role::Strong));
    let inner = pane(buf, area, look, true, title);
    let top = (menu.at + 1).saturating_sub(usize::from(inner.height));
    for (line, (number, choice)) in (0..inner.height).zip(menu.choices.iter().enumerate().skip(top))
    {
        let mut pen = Pen::new(buf, inner, line, look);
        if number == menu.at {
            pen = pen.base(Role::Selected);
            pen.cell(1, signs(look).here, Role::Live, Align::Left);
        } else {
            pen.skip(1);
        }
        let digit = if number < 9 {
            (number + 1).to_string()
        } else {
            String::new()
        };
        pen.cell(1, &digit, Role::Key, Align::Left);
        pen.skip(1);
        pen.cell(16, choice.name, Role::Text, Align::Left);
        pen.skip(1);
        pen.text(&choice.value, Role::Strong);
    }
}

//! The log: what the program says, then what the timeline remarked.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::model::Model;
use super::super::rows::Rows;
use super::super::text::{fit, moment};
use super::super::theme::{Role, style};
use super::paint::{Align, Pen, pane};
use crate::timeline::Remark;

/// Draws the log.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) {
    let look = model.look;
    let following = if model.log.follow { "following " } else { "" };
    let title = Line::styled(format!(" Log {following}"), style(look, Role::Strong));
    let inner = pane(buf, area, look, true, title);
    if model.log.len == 0 {
        let mut pen = Pen::new(buf, inner, 0, look);
        pen.skip(1);
        pen.text("Nothing odd so far.", Role::Dim);
        return;
    }
    let said = &model.status.log;
    for line in 0..inner.height {
        let index = model.log.top + usize::from(line);
        let mut pen = Pen::new(buf, inner, line, look);
        pen.skip(1);
        if let Some(text) = said.get(index) {
            pen.cell(20, "bitstap", Role::Dim, Align::Left);
            pen.skip(1);
            pen.text(text, Role::Text);
        } else if let Some(remark) = rows.remarks().get(index - said.len()) {
            pen.cell(8, &moment(remark.at), Role::Dim, Align::Right);
            pen.skip(1);
            pen.cell(11, &place(remark, look.ascii), Role::Dim, Align::Left);
            pen.skip(1);
            pen.text(&remark.text, Role::Text);
        } else {
            break;
        }
    }
}

fn place(remark: &Remark, ascii: bool) -> String {
    let text = match (remark.exchange, remark.conn) {
        (Some(no), _) => format!("packet {no}"),
        (None, Some(conn)) => format!("conn {}", conn.0),
        (None, None) => String::new(),
    };
    fit(&text, 11, ascii)
}

//! What jobs show: how far one is (in the footer), what has to be confirmed, and what came of it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Widget as _};

use super::super::job::Order;
use super::super::model::Model;
use super::super::text::{fit, percent, wrap};
use super::super::theme::{Role, style};
use super::paint::{Pen, pane};

/// Columns of the bar.
const BAR: u16 = 16;

/// Writes how far the job under way is; tells whether there is one.
pub(super) fn progress(pen: &mut Pen<'_>, model: &Model) -> bool {
    let Some((order, told)) = &model.jobs.running else {
        return false;
    };
    let doing = if told.doing.is_empty() {
        order.doing()
    } else {
        told.doing.clone()
    };
    let room = usize::from(pen.left().saturating_sub(BAR + 24));
    pen.text(&fit(&doing, room.max(12), model.look.ascii), Role::Live);
    pen.skip(1);
    let count = match told.all.filter(|all| *all > 0) {
        Some(all) => {
            pen.bar(BAR, percent(told.done, all), Role::Live);
            pen.skip(1);
            format!("{} of {all}", told.done)
        }
        None if told.done > 0 => told.done.to_string(),
        None => "...".to_owned(),
    };
    pen.text(&count, Role::Text);
    pen.skip(2);
    if model.jobs.stopping {
        pen.text("stopping", Role::Warning);
    } else {
        pen.text("Esc", Role::Key);
        pen.skip(1);
        pen.text("stop", Role::Dim);
    }
    true
}

/// Draws the question or the report that is open, over everything but the footer.
pub(super) fn draw(buf: &mut Buffer, model: &Model) {
    if let Some(order) = &model.jobs.confirm {
        question(buf, model, order);
    } else if let Some(report) = &model.jobs.report {
        let area = middle(buf.area, 110, buf.area.height.saturating_sub(2));
        let title = format!(" {} (Esc closes) ", report.title);
        let inner = frame(buf, model, area, &title);
        let width = usize::from(inner.width.saturating_sub(2));
        let mut line = 0;
        for text in report.lines.iter().skip(report.top) {
            let role = role_of(text);
            let inset = text.len() - text.trim_start_matches(' ').len();
            let broken = wrap(text.trim_start(), width.saturating_sub(inset + 2));
            // What belongs to a line that is broken stands further in.
            for (part, text) in broken.iter().enumerate() {
                if line >= inner.height {
                    return;
                }
                let mut pen = Pen::new(buf, inner, line, model.look);
                let inset = u16::try_from(inset).unwrap_or(u16::MAX);
                pen.skip(inset.saturating_add(if part == 0 { 1 } else { 3 }));
                pen.text(text, role);
                line += 1;
            }
        }
    }
}

fn question(buf: &mut Buffer, model: &Model, order: &Order) {
    let width = buf.area.width.min(74);
    let text = super::super::text::harmless(&order.warning(), model.look.ascii);
    let lines = wrap(&text, usize::from(width.saturating_sub(4)));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let area = middle(buf.area, width, height.saturating_add(4));
    let inner = frame(buf, model, area, " Really? ");
    for (line, text) in (0..).zip(&lines) {
        let mut pen = Pen::new(buf, inner, line, model.look);
        pen.skip(1);
        pen.text(text, Role::Text);
    }
    let mut pen = Pen::new(buf, inner, height.saturating_add(1), model.look);
    pen.skip(1);
    pen.text("y", Role::Key);
    pen.text(" yes   ", Role::Text);
    pen.text("any other key", Role::Key);
    pen.text(" no", Role::Text);
}

/// Tells how a line of a report stands out; its words say the same.
fn role_of(text: &str) -> Role {
    let text = text.trim_start();
    if text.starts_with("differs") {
        Role::Error
    } else if text.starts_with("note") || text.starts_with("hint") {
        Role::Dim
    } else {
        Role::Text
    }
}

fn middle(whole: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(whole.width), height.min(whole.height));
    Rect::new(
        (whole.width - width) / 2,
        (whole.height - height) / 2,
        width,
        height,
    )
}

fn frame(buf: &mut Buffer, model: &Model, area: Rect, title: &str) -> Rect {
    Clear.render(area, buf);
    let room = usize::from(area.width.saturating_sub(2));
    let title = fit(title, room, model.look.ascii);
    let title = Line::styled(title, style(model.look, Role::Strong));
    pane(buf, area, model.look, true, title)
}

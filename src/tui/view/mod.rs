//! Where each pane is drawn. Everything here is `&Model` and rows in, cells out.
//!
//! ```text
//! +-----------------------------------------------------------+
//! | header: where to, recording, sessions, errors             |
//! +-Sessions------------++-Packets of NAME--------------------+   from 110 columns on side by side,
//! | one row per session || one row per exchange               |   else the list that has the focus
//! +---------------------++------------------------------------+
//! +-Story-Head-Hex-Timing-------------------------------------+   below 16 lines, or zoomed: the
//! | the selected packet                                       |   pane that has the focus, alone
//! +-----------------------------------------------------------+
//! | held: the messages that wait for the operator, if any     |
//! | footer: the line being typed, a message, or the keys      |
//! +-----------------------------------------------------------+
//! ```
//!
//! Only rows on screen are formatted, so a frame costs the same at 10 and at 1 000 000 rows.

mod breach;
mod coverage;
mod detail;
mod findings;
mod footer;
mod form;
mod head;
mod header;
mod held;
mod help;
mod hex;
mod job;
mod log;
mod menu;
mod packets;
mod paint;
mod rules;
mod sessions;
mod story;
mod timing;
mod upstream;
mod versus;

use ratatui::Frame;

use super::layout::layout;
use super::model::Model;
use super::rows::{Paused, Rows};
use super::theme::{Role, style};
use super::update::Drawn;

/// Draws one frame; what only drawing can tell goes back to `update`.
pub fn draw(frame: &mut Frame<'_>, model: &Model, rows: &dyn Rows) -> Drawn {
    match &model.pause {
        Some(then) => draw_rows(frame, model, &Paused { now: rows, then }),
        None => draw_rows(frame, model, rows),
    }
}

fn draw_rows(frame: &mut Frame<'_>, model: &Model, rows: &dyn Rows) -> Drawn {
    let area = frame.area();
    let buf = frame.buffer_mut();
    buf.set_style(area, style(model.look, Role::Text));
    let mut drawn = Drawn {
        log: (model.log.top, model.log.shown),
        ..Drawn::default()
    };
    // A frame of another size than the model's is about to be followed by one of the same size.
    if area.as_size() != model.size || area.is_empty() {
        return drawn;
    }
    let layout = layout(model);
    header::draw(buf, layout.header, model, rows);
    if let Some(area) = layout.sessions {
        sessions::draw(buf, area, model, rows);
    }
    if let Some(area) = layout.packets {
        packets::draw(buf, area, model, rows);
    }
    if let Some(area) = layout.versus {
        versus::draw(buf, area, model, rows);
    }
    if let Some(area) = layout.findings {
        findings::draw(buf, area, model, rows);
    }
    if let Some(area) = layout.detail {
        (drawn.detail_lines, drawn.found) = detail::draw(buf, area, model, rows);
    }
    if let Some(area) = layout.cover {
        coverage::draw(buf, area, model, rows);
    }
    if let Some(area) = layout.rules {
        rules::draw(buf, area, model, rows);
    }
    if let Some(area) = layout.held {
        held::draw(buf, area, model, rows);
    }
    if let Some(area) = layout.log {
        drawn.log = log::draw(buf, area, model, rows);
    }
    let mut cursor = footer::draw(buf, layout.footer, model);
    if let Some(form) = &model.operator.form {
        cursor = form::draw(buf, model, form);
    }
    menu::draw(buf, model);
    job::draw(buf, model);
    drawn.help_lines = help::draw(buf, model);
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
    drawn
}

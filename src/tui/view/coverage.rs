//! Coverage: the selected session's file as a bar, and what is under the cursor.
//!
//! ```text
//!  0                                                  21.0 MiB
//!  =========================++++++++++!..............
//!          ^
//!  bytes 3355443 to 4026531 (656 KiB): acknowledged; packets 3, 4
//! ```

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::super::keys::{Command, key_for};
use super::super::model::Model;
use super::super::rows::Rows;
use super::super::text::{fit, long};
use super::super::theme::{Role, style};
use super::paint::{Align, Pen, pane};
use crate::timeline::coverage::Cell;

/// Every cell's sign, what it means, and how it is said.
type Legend = &'static [(Cell, &'static str, &'static str, Role)];

const UPLOAD: Legend = &[
    (Cell::Acked, "=", "acknowledged", Role::Good),
    (Cell::Resent, "+", "sent twice", Role::Warning),
    (Cell::Sent, ">", "not acknowledged", Role::Live),
    (Cell::Hole, "!", "never seen", Role::Error),
    (Cell::NotYet, ".", "not yet", Role::Dim),
];

const DOWNLOAD: Legend = &[
    (Cell::Acked, "=", "arrived", Role::Good),
    (Cell::Resent, "+", "came twice", Role::Warning),
    (Cell::Sent, ">", "arrived in part", Role::Live),
    (Cell::NotYet, ".", "not here", Role::Dim),
];

fn legend(model: &Model) -> Legend {
    if model.cover.coverage.is_download() {
        DOWNLOAD
    } else {
        UPLOAD
    }
}

fn sign(legend: Legend, cell: Cell) -> (&'static str, &'static str, Role) {
    let row = legend.iter().find(|row| row.0 == cell);
    row.map_or(("?", "", Role::Dim), |row| (row.1, row.2, row.3))
}

/// Draws the pane.
pub(super) fn draw(buf: &mut Buffer, area: Rect, model: &Model, rows: &dyn Rows) {
    let look = model.look;
    let session = model.session(rows);
    let name = session.map_or_else(String::new, |session| {
        format!("of {} ", fit(&session.name, 40, look.ascii))
    });
    let title = Line::styled(format!(" Coverage {name}"), style(look, Role::Strong));
    let inner = pane(buf, area, look, true, title);
    let cover = &model.cover;
    let mut line = 0;
    let mut say = |buf: &mut Buffer, text: &str, role: Role| {
        let mut pen = Pen::new(buf, inner, line, look);
        pen.skip(1);
        pen.text(text, role);
        line += 1;
    };
    if session.is_none() || cover.cells == 0 {
        say(buf, "No byte of a file has passed.", Role::Dim);
        return;
    }
    let legend = legend(model);
    let size = cover.coverage.size();
    say(buf, "0", Role::Dim);
    let mut pen = Pen::new(buf, inner, 0, look);
    pen.right(
        u16::try_from(cover.cells + 2)
            .unwrap_or(u16::MAX)
            .min(inner.width)
            - 1,
    );
    let room = u16::try_from(cover.cells)
        .unwrap_or(u16::MAX)
        .min(pen.left());
    if room > 16 {
        pen.skip(2);
        pen.cell(room - 2, &long(size), Role::Dim, Align::Right);
    }
    let mut pen = Pen::new(buf, inner, 1, look);
    pen.skip(1);
    for cell in 0..cover.cells {
        let (sign, _, role) = sign(legend, cover.coverage.cell(&cover.part(cell)));
        pen.text(sign, role);
    }
    let mut pen = Pen::new(buf, inner, 2, look);
    pen.skip(u16::try_from(cover.at + 1).unwrap_or(u16::MAX));
    pen.text("^", Role::Key);
    line = 3;
    let part = cover.part(cover.at);
    let (_, means, role) = sign(legend, cover.coverage.cell(&part));
    let mut say = |text: &str, role: Role| {
        let mut pen = Pen::new(buf, inner, line, look);
        pen.skip(1);
        pen.text(text, role);
        line += 1;
    };
    say(&format!("{}: {means}", bytes(&part)), role);
    say(&carriers(model), Role::Text);
    say("", Role::Text);
    let coverage = &cover.coverage;
    let [acked, resent, missing] = if coverage.is_download() {
        ["arrived", "came twice", "not here"]
    } else {
        ["acknowledged", "sent twice", "not acknowledged"]
    };
    for (what, runs) in [
        (acked, coverage.acked()),
        (resent, coverage.resent()),
        ("taken back by the server", coverage.rewound()),
        ("never seen", coverage.holes()),
        (missing, coverage.missing()),
        ("of the reply arrived", coverage.reply()),
    ] {
        if !runs.is_empty() {
            say(&format!("{what}: {}", listed(&runs)), Role::Text);
        }
    }
    say("", Role::Text);
    let signs: Vec<String> = legend
        .iter()
        .map(|(_, sign, means, _)| format!("{sign} {means}"))
        .collect();
    say(&signs.join("  "), Role::Dim);
}

/// Says a part in bytes, both ends inclusive.
fn bytes(part: &Range<u64>) -> String {
    let len = part.end.saturating_sub(part.start);
    let last = part.end.saturating_sub(1);
    format!("bytes {} to {last} ({})", part.start, long(len))
}

fn carriers(model: &Model) -> String {
    let cover = &model.cover;
    if cover.carried == 0 {
        return "carried by no packet of this capture".to_owned();
    }
    let named: Vec<String> = cover.carriers.iter().map(ToString::to_string).collect();
    let more = match cover.carried.saturating_sub(named.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let s = if cover.carried == 1 { "" } else { "s" };
    let key = key_for(Command::Carrier).unwrap_or_default();
    format!(
        "carried by packet{s} {}{more} ({key} shows it)",
        named.join(", ")
    )
}

/// Runs that are named.
const RUNS: usize = 4;

fn listed(runs: &[Range<u64>]) -> String {
    let total = runs
        .iter()
        .map(|run| run.end.saturating_sub(run.start))
        .fold(0, u64::saturating_add);
    let named: Vec<String> = runs
        .iter()
        .take(RUNS)
        .map(|run| format!("{}-{}", run.start, run.end.saturating_sub(1)))
        .collect();
    let more = match runs.len().saturating_sub(RUNS) {
        0 => String::new(),
        more => format!(" and {more} runs more"),
    };
    format!("{}: {}{more}", long(total), named.join(", "))
}

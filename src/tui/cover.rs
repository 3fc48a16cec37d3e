//! The coverage view: a file as a row of cells, the cell under the cursor, the packets that carried it.
//!
//! Computed when the view is opened, when another session is selected and with the clock; never by
//! drawing.

use std::ops::Range;

use crate::timeline::coverage::{brought, carried};
use crate::timeline::{Coverage, Exchange, SessionKind};

use super::catalog::exchange_at;
use super::filter::session_of;
use super::layout::{inside, layout};
use super::model::{Focus, Model, View};
use super::rows::Rows;
use super::update::{fresh, show};

/// Packets that are named.
const NAMED: usize = 8;

/// What the coverage view shows.
#[derive(Debug, Default)]
pub struct Cover {
    /// Number of the session, `None` before the first look.
    pub session: Option<u32>,
    /// Generation of the rows and the width at the last look.
    looked: (u64, usize),
    pub coverage: Coverage,
    /// Cell under the cursor.
    pub at: usize,
    /// How many cells the bar has.
    pub cells: usize,
    /// Numbers of the first packets that carried some of the cell under the cursor.
    pub carriers: Vec<u32>,
    /// How many carried it in all.
    pub carried: usize,
}

impl Cover {
    /// Returns the bytes that a cell stands for; the end is exclusive.
    pub fn part(&self, cell: usize) -> Range<u64> {
        let size = u128::from(self.coverage.size());
        let edge = |cell: usize| {
            let edge = size * cell as u128 / (self.cells.max(1) as u128);
            u64::try_from(edge).unwrap_or(u64::MAX)
        };
        edge(cell)..edge(cell + 1)
    }
}

/// Looks again where something may have changed.
pub(super) fn look(model: &mut Model, rows: &dyn Rows) {
    if model.view != View::Coverage {
        return;
    }
    let session = model.session(rows);
    let no = session.map(|session| session.no);
    let width = layout(model)
        .cover
        .map_or(0, |area| usize::from(inside(area).width.saturating_sub(2)));
    if model.cover.session == no && model.cover.looked == (rows.generation(), width) {
        return;
    }
    let coverage = session.map_or_else(Coverage::default, |session| {
        let of_session = model.catalog.of_session(session.no);
        let exchanges = of_session.iter().filter_map(|row| exchange_at(rows, *row));
        Coverage::of(session, exchanges)
    });
    let size = usize::try_from(coverage.size()).unwrap_or(usize::MAX);
    let cells = width.min(size);
    let other = model.cover.session != no;
    model.cover = Cover {
        session: no,
        looked: (rows.generation(), width),
        coverage,
        at: if other {
            0
        } else {
            model.cover.at.min(cells.saturating_sub(1))
        },
        cells,
        carriers: Vec::new(),
        carried: 0,
    };
    find_carriers(model, rows);
}

/// Moves the cursor over the cells.
pub(super) fn step(model: &mut Model, rows: &dyn Rows, by: isize) {
    let last = model.cover.cells.saturating_sub(1);
    model.cover.at = model.cover.at.saturating_add_signed(by).min(last);
    find_carriers(model, rows);
}

/// Moves the cursor to where the next cell that says something else begins.
pub(super) fn turn(model: &mut Model, rows: &dyn Rows, back: bool) {
    let cover = &model.cover;
    let says = |cell: usize| cover.coverage.cell(&cover.part(cell));
    let here = says(cover.at);
    let found = if back {
        (0..cover.at).rev().find(|cell| says(*cell) != here)
    } else {
        (cover.at + 1..cover.cells).find(|cell| says(*cell) != here)
    };
    if let Some(cell) = found {
        model.cover.at = cell;
        find_carriers(model, rows);
    }
}

/// Selects the first packet that carried the cell under the cursor.
pub(super) fn open(model: &mut Model, rows: &dyn Rows) {
    let Some(row) = model.cover.carriers.first().map(|no| no.saturating_sub(1)) else {
        model.say("no packet carried this part", false);
        return;
    };
    show(model, rows, View::Sessions);
    super::sift::select(model, row);
    model.packets.follow = false;
    model.sessions.follow = false;
    model.focus = Focus::Packets;
    fresh(model);
}

fn find_carriers(model: &mut Model, rows: &dyn Rows) {
    let part = model.cover.part(model.cover.at);
    let mut named = Vec::new();
    let mut carried = 0;
    let session = model.cover.session;
    let download = session
        .and_then(|no| session_of(rows, no))
        .is_some_and(|session| session.kind == SessionKind::Download);
    for row in session.map_or(&[][..], |no| model.catalog.of_session(no)) {
        if let Some(exchange) = exchange_at(rows, *row)
            && carries(exchange, download, &part)
        {
            carried += 1;
            if named.len() < NAMED {
                named.push(exchange.no);
            }
        }
    }
    model.cover.carriers = named;
    model.cover.carried = carried;
}

/// Tells whether some byte of `part` passed in an exchange.
fn carries(exchange: &Exchange, download: bool, part: &Range<u64>) -> bool {
    let meets = |other: Range<u64>| other.start < part.end && part.start < other.end;
    if download {
        brought(exchange).into_iter().any(meets)
    } else {
        carried(exchange).is_some_and(meets)
    }
}

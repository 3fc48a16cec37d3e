//! Going elsewhere on the screen: rows, panes, tabs, views, offsets.
//!
//! Called by `update` and by what takes input for it; knows no keys.

use super::catalog::exchange_at;
use super::filter::Filter;
use super::model::{Focus, Model, Side, Tab, View};
use super::rows::Rows;
use super::update::refilter;
use super::{found, sift, sync, versus, want};

/// Moves the selection, or scrolls, in the pane that has the focus.
pub fn step(model: &mut Model, rows: &dyn Rows, by: isize) {
    match model.focus {
        Focus::Sessions => {
            model.sessions.step(by);
            sync::follow_session(model, rows);
            fresh(model);
        }
        Focus::Packets => {
            model.packets.step(by);
            fresh(model);
        }
        Focus::Findings => {
            model.found.list.step(by);
            fresh(model);
        }
        Focus::Versus => model.versus.list.step(by),
        Focus::Rules => model.operator.step(by),
        Focus::Detail if model.detail.tab == Tab::Hex => scroll_hex(model, rows, by),
        Focus::Detail => {
            let last = model.detail.lines.saturating_sub(model.detail.height);
            model.detail.scroll = model.detail.scroll.saturating_add_signed(by).min(last);
        }
        Focus::Log => {
            let log = &mut model.log;
            let at_end = log.top + log.shown >= log.len;
            log.follow = by > 0 && (at_end || by == isize::MAX);
            if !log.follow {
                let last = log.len.saturating_sub(1);
                log.top = log.top.saturating_add_signed(by).min(last);
            }
        }
    }
}

fn scroll_hex(model: &mut Model, rows: &dyn Rows, by: isize) {
    let line = u64::try_from(want::hex_line(model)).unwrap_or(16);
    let by = i64::try_from(by).unwrap_or(i64::MAX);
    let line_now = model.detail.offset / line;
    let to = line_now.saturating_add_signed(by).saturating_mul(line);
    show_offset(model, rows, to);
}

/// Scrolls Hex so that `offset` is on screen.
pub fn show_offset(model: &mut Model, rows: &dyn Rows, offset: u64) {
    let line = u64::try_from(want::hex_line(model)).unwrap_or(16);
    let page = u64::try_from(want::hex_page(model)).unwrap_or(0);
    let len = model
        .exchange(rows)
        .and_then(|exchange| want::hex_message(model, exchange))
        .map_or(0, |message| message.body_wire);
    // The last page is full, where there is more than one.
    let last = len.div_ceil(line).saturating_mul(line).saturating_sub(page);
    model.detail.offset = (offset / line).saturating_mul(line).min(last / line * line);
}

/// Shows another packet's detail from its beginning.
pub fn fresh(model: &mut Model) {
    model.detail.scroll = 0;
    model.detail.offset = 0;
    model.detail.side = None;
    model.detail.hit = None;
}

pub(super) fn open(model: &mut Model) {
    match model.focus {
        Focus::Sessions if !model.sessions.is_empty() => {
            // Who looks into a session does not want it to be taken away by the next one.
            model.sessions.follow = false;
            model.focus = Focus::Packets;
        }
        Focus::Packets if !model.packets.is_empty() => model.focus = Focus::Detail,
        Focus::Detail => model.zoom = true,
        _ => {}
    }
}

pub(super) fn back(model: &mut Model, rows: &dyn Rows) {
    match model.focus {
        Focus::Detail if model.zoom => model.zoom = false,
        Focus::Detail => model.focus = model.list(),
        Focus::Packets if model.view == View::Sessions => model.focus = Focus::Sessions,
        Focus::Log | Focus::Findings if model.filter.is_empty() => {
            show(model, rows, View::Sessions);
        }
        Focus::Log | Focus::Rules => show(model, rows, View::Sessions),
        Focus::Versus => versus::leave(model, rows),
        _ if model.view == View::Coverage => show(model, rows, View::Sessions),
        _ if !model.filter.is_empty() => {
            refilter(model, rows, Filter::default());
            model.say("filter removed", false);
        }
        _ => {}
    }
}

pub(super) fn turn(model: &mut Model, by: isize) {
    let panes: &[Focus] = match model.view {
        View::Sessions => &[Focus::Sessions, Focus::Packets, Focus::Detail],
        View::Packets => &[Focus::Packets, Focus::Detail],
        View::Findings => &[Focus::Findings, Focus::Detail],
        View::Log | View::Coverage | View::Versus | View::Rules => return,
    };
    let len = isize::try_from(panes.len()).unwrap_or(1);
    let here = panes.iter().position(|pane| *pane == model.focus);
    let here = isize::try_from(here.unwrap_or(0)).unwrap_or(0);
    let next = usize::try_from((here + by).rem_euclid(len)).unwrap_or(0);
    model.zoom = false;
    model.focus = panes.get(next).copied().unwrap_or_default();
    if model.focus != Focus::Sessions {
        model.sessions.follow = false;
    }
}

pub(super) fn next_tab(model: &mut Model, by: usize) {
    let here = Tab::ALL.iter().position(|tab| *tab == model.detail.tab);
    let next = (here.unwrap_or(0) + by) % Tab::ALL.len();
    show_tab(model, Tab::ALL.get(next).copied().unwrap_or_default());
}

/// Opens a tab of the detail at its beginning.
pub fn show_tab(model: &mut Model, tab: Tab) {
    model.detail.tab = tab;
    model.detail.scroll = 0;
    model.detail.hit = None;
}

/// Shows another view.
pub fn show(model: &mut Model, rows: &dyn Rows, view: View) {
    model.zoom = false;
    let selected = model.packets.selected();
    let session = model.session(rows).map(|session| session.no);
    // Who looked at findings goes on with the tab that was open before.
    if let Some(tab) = model.detail.before.take()
        && model.detail.tab == Tab::Findings
    {
        show_tab(model, tab);
    }
    model.view = view;
    match view {
        View::Sessions => {
            model.focus = Focus::Sessions;
            model.scope = None;
            sync::follow_session(model, rows);
            if let Some(row) = selected {
                sift::select(model, row);
            }
        }
        View::Packets => {
            model.focus = Focus::Packets;
            model.scope = None;
            sync::list_packets(model, rows);
            if let Some(row) = selected {
                sift::select(model, row);
            }
        }
        View::Coverage => {
            model.focus = Focus::Sessions;
            if let Some(no) = session {
                model.sessions.select(no.saturating_sub(1));
            }
        }
        View::Findings => {
            model.focus = Focus::Findings;
            model.detail.before = Some(model.detail.tab);
            show_tab(model, Tab::Findings);
        }
        View::Versus => model.focus = Focus::Versus,
        View::Rules => model.focus = Focus::Rules,
        View::Log => model.focus = Focus::Log,
    }
}

/// Selects a packet: among its session's, where the list of sessions has that, else among all. Tells
/// whether the filter hides it.
pub(super) fn go_to(model: &mut Model, rows: &dyn Rows, row: u32) -> bool {
    let session = exchange_at(rows, row).and_then(|exchange| exchange.session);
    let listed = session
        .and_then(|no| no.checked_sub(1))
        .is_some_and(|session| model.sessions.select(session));
    let view = if listed {
        View::Sessions
    } else {
        View::Packets
    };
    model.sessions.follow = false;
    show(model, rows, view);
    sift::select(model, row);
    model.packets.follow = false;
    model.focus = Focus::Packets;
    fresh(model);
    model.packets.selected() == Some(row) || sift::is_busy(model)
}

/// Selects the packet of the selected finding, else its session.
pub(super) fn open_breaker(model: &mut Model, rows: &dyn Rows) {
    let Some(finding) = found::selected(model, rows) else {
        return;
    };
    let (exchange, session) = (finding.exchange, finding.session);
    if let Some(row) = exchange.and_then(|no| no.checked_sub(1)) {
        if !go_to(model, rows, row) {
            model.say("the filter hides this packet", true);
        }
    } else if let Some(row) = session.and_then(|no| no.checked_sub(1)) {
        if !model.sessions.select(row) {
            model.say("the filter hides this session", true);
            return;
        }
        model.sessions.follow = false;
        show(model, rows, View::Sessions);
    } else {
        model.say("this finding belongs to no packet", false);
    }
}

/// Has the newest row stay selected, or no longer.
pub(super) fn follow(model: &mut Model, rows: &dyn Rows) {
    let list = match model.focus {
        Focus::Log => {
            model.log.follow = !model.log.follow;
            sync::log_length(model, rows);
            return;
        }
        Focus::Sessions => &mut model.sessions,
        Focus::Findings => &mut model.found.list,
        Focus::Versus | Focus::Rules => return,
        Focus::Detail if model.view == View::Findings => &mut model.found.list,
        Focus::Packets | Focus::Detail => &mut model.packets,
    };
    list.follow = !list.follow;
    let on = list.follow;
    if on {
        list.select_newest();
        fresh(model);
        sync::follow_session(model, rows);
    }
    let text = if on {
        "following: the newest row stays selected"
    } else {
        "no longer following"
    };
    model.say(text, false);
}

/// Shows the other body of the selected packet.
pub(super) fn other_body(model: &mut Model, rows: &dyn Rows) {
    let Some(exchange) = model.exchange(rows) else {
        return;
    };
    model.detail.side = Some(match model.side(exchange) {
        Side::Request => Side::Response,
        Side::Response => Side::Request,
    });
    model.detail.offset = 0;
    model.detail.hit = None;
}

//! Which bytes the detail pane needs: bounded, whatever a peer sent.
//!
//! Reads nothing itself: the loop does, and gives the bytes to `update`.

use crate::timeline::row::Message;
use crate::timeline::{Exchange, Legs, Span};

use super::compare::{self, Pair};
use super::layout::{inside, layout};
use super::menu::Purpose;
use super::model::{Model, Side, Tab, Want};
use super::rows::Rows;

/// Longest part of a head that is shown.
pub(super) const HEAD_LIMIT: usize = 64 * 1024;

/// Lists what has to be read for the tab that is open.
pub(super) fn wanted(model: &Model, rows: &dyn Rows) -> Vec<Want> {
    let Some(exchange) = model.exchange(rows) else {
        return Vec::new();
    };
    let copying = model
        .menu
        .as_ref()
        .is_some_and(|menu| menu.purpose == Purpose::Copy);
    match model.detail.tab {
        _ if copying => heads(exchange),
        Tab::Head => heads(exchange),
        Tab::Upstream => match rows.legs(exchange) {
            Legs::Other(upstream) => [upstream.request.as_ref(), upstream.response.as_ref()]
                .into_iter()
                .flatten()
                .filter_map(head)
                .chain(heads(exchange))
                .collect(),
            _ => Vec::new(),
        },
        Tab::Hex => body(model, exchange).into_iter().collect(),
        Tab::Story | Tab::Findings | Tab::Timing => Vec::new(),
    }
}

/// Lists the bodies that have to be compared for the tab that is open.
pub(super) fn pairs(model: &Model, rows: &dyn Rows) -> Vec<Pair> {
    let exchange = model.exchange(rows);
    let Some(exchange) = exchange.filter(|_| model.detail.tab == Tab::Upstream) else {
        return Vec::new();
    };
    let Legs::Other(upstream) = rows.legs(exchange) else {
        return Vec::new();
    };
    let [request, response] = upstream.kept;
    [
        (&exchange.request, &upstream.request, request),
        (&exchange.response, &upstream.response, response),
    ]
    .into_iter()
    .filter(|(.., kept)| *kept)
    .filter_map(|(client, upstream, _)| compare::wanted(client.as_ref()?, upstream.as_ref()?))
    .collect()
}

fn heads(exchange: &Exchange) -> Vec<Want> {
    [&exchange.request, &exchange.response]
        .into_iter()
        .flatten()
        .filter_map(head)
        .collect()
}

/// Returns the read for a head.
pub(super) fn head(message: &Message) -> Option<Want> {
    let len = usize::try_from(message.head.len)
        .unwrap_or(HEAD_LIMIT)
        .min(HEAD_LIMIT);
    (len > 0).then_some(Want {
        span: message.head,
        from: 0,
        len,
    })
}

/// Returns the message whose body Hex shows.
pub(super) fn hex_message<'e>(model: &Model, exchange: &'e Exchange) -> Option<&'e Message> {
    match model.side(exchange) {
        Side::Request => exchange.request.as_ref(),
        Side::Response => exchange.response.as_ref(),
    }
}

/// Returns the read for the part of the body that is on screen.
pub(super) fn body(model: &Model, exchange: &Exchange) -> Option<Want> {
    let message = hex_message(model, exchange)?;
    let from = model.detail.offset;
    let left = message.body_wire.checked_sub(from)?;
    let page = hex_page(model);
    let len = usize::try_from(left).unwrap_or(page).min(page);
    (len > 0).then_some(Want {
        span: Span {
            offset: message.body_offset(),
            len: message.body_wire,
            ..message.head
        },
        from,
        len,
    })
}

/// Returns how many bytes a line of Hex shows.
pub(super) fn hex_line(model: &Model) -> usize {
    let width = layout(model).detail.map_or(0, |area| inside(area).width);
    match width {
        76.. => 16,
        42.. => 8,
        _ => 4,
    }
}

/// Returns how many bytes Hex shows at once; its first line is a title.
pub(super) fn hex_page(model: &Model) -> usize {
    model.detail.height.saturating_sub(1) * hex_line(model)
}

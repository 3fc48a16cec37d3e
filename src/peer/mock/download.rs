//! HEAD and GET: what was asked for in the recording, word for word; else the bytes asked for, cut out of what the
//! recording holds.
//!
//! RFC 9110 §14

use http::StatusCode;

use super::answer::{Body, Out, Values, is_held};
use super::closest;
use super::tales::{Answer, Row};
use super::world::{Asked, World};
use crate::bits::Packet;
use crate::peer::recording::{FileKind, RecordedFile};
use crate::wire::Head;

/// Answers a HEAD or GET.
pub(super) async fn answer(world: &World, head: &Head, asked: &Asked<'_>) -> Out {
    let packet = if head.method() == Some(b"HEAD") {
        Packet::Head
    } else {
        Packet::Get
    };
    let values = Values {
        host: asked.host,
        tls: asked.tls,
        ..Values::default()
    };
    let wanted = head.value("range");
    let here: Vec<&(u32, Row)> = world
        .repertoire
        .downloads
        .iter()
        .filter(|(_, row)| row.path == asked.path)
        .collect();
    let same: Vec<&Row> = here
        .iter()
        .map(|(_, row)| row)
        .filter(|row| row.packet == packet && row.asked.as_deref() == wanted)
        .filter(|row| is_servable(world, row))
        .collect();
    if !same.is_empty() {
        let key = format!("{} {:?}", asked.path, wanted.unwrap_or_default());
        let count = world.count(packet, &key);
        if let Some(row) = same.get(count % same.len()) {
            return match &row.answer {
                Some(answer) => {
                    let mut out = Out::recorded(row, answer, &values, &world.recording);
                    if packet == Packet::Head {
                        out.body = Body::None;
                    }
                    out
                }
                None => Out::hang_up(row),
            };
        }
    }
    for (session, row) in &here {
        let Some(answer) = &row.answer else { continue };
        if !matches!(answer.said.status, 200 | 206) {
            continue;
        }
        let files = &world.recording.files;
        let file = files
            .iter()
            .find(|file| file.session == *session && file.kind != FileKind::Upload);
        let out = slice(row, answer, file, packet, wanted, &values);
        return match out {
            Ok(out) => out,
            Err((status, why)) => {
                let mut out = Out::plain(status).await;
                out.unmatched = Some(format!("closest is exchange {}: {why}", row.no));
                out
            }
        };
    }
    if let Some(row) = promised(world, &asked.path) {
        let mut out = Out::empty();
        out.unmatched = Some(format!(
            "exchange {} names it as the reply, and nobody fetched it: an empty one stands for it",
            row.no
        ));
        return out;
    }
    missing(world, head, asked).await
}

/// Returns the recorded answer that names `path` as the place of a reply.
fn promised<'w>(world: &'w World, path: &str) -> Option<&'w Row> {
    let mut acks = [Packet::Fragment, Packet::CloseSession]
        .into_iter()
        .flat_map(|packet| world.repertoire.answers(packet));
    acks.find(|row| row.reply().is_some_and(|reply| reply == path))
}

/// Tells whether the capture holds all that a recorded answer brought, or as much as ever came.
fn is_servable(world: &World, row: &Row) -> bool {
    row.answer.as_ref().is_none_or(|answer| {
        !answer.whole || row.packet == Packet::Head || is_held(&world.recording, &answer.message)
    })
}

/// Cuts the bytes asked for out of a recorded file.
fn slice(
    row: &Row,
    answer: &Answer,
    file: Option<&RecordedFile>,
    packet: Packet,
    wanted: Option<&[u8]>,
    values: &Values<'_>,
) -> Result<Out, (StatusCode, String)> {
    let ack = &answer.said.ack;
    let total = file
        .and_then(|file| file.total)
        .or_else(|| ack.range.and_then(|range| range.total))
        .or(ack.length)
        .ok_or_else(|| {
            (
                StatusCode::NOT_FOUND,
                "nothing tells how large the file is".to_owned(),
            )
        })?;
    let ranges = wanted.map(crate::bits::header::ranges).unwrap_or_default();
    let (first, end, status) = match ranges.as_slice() {
        [] => (0, total, StatusCode::OK),
        [(first, last)] => {
            let end = last.map_or(total, |last| last.saturating_add(1)).min(total);
            if *first >= end {
                let why = format!("it has {total} bytes, none from {first} on");
                return Err((StatusCode::RANGE_NOT_SATISFIABLE, why));
            }
            (*first, end, StatusCode::PARTIAL_CONTENT)
        }
        _ => {
            let why = "these several ranges were not asked for in one request".to_owned();
            return Err((StatusCode::NOT_FOUND, why));
        }
    };
    if packet == Packet::Head {
        let values = Values {
            length: Some(total),
            status: Some(StatusCode::OK),
            ..values.clone()
        };
        return Ok(Out::sliced(row, answer, &values, Body::None));
    }
    let gap = file.map_or(Some((first, end)), |file| file.gap_in(first, end));
    if let (Some((from, to)), true) = (gap, first < end) {
        let why = format!(
            "the capture does not hold bytes {from} to {}",
            to.saturating_sub(1)
        );
        return Err((StatusCode::NOT_FOUND, why));
    }
    let partial = status == StatusCode::PARTIAL_CONTENT;
    let values = Values {
        length: Some(end.saturating_sub(first)),
        range: partial.then(|| format!("bytes {first}-{}/{total}", end.saturating_sub(1))),
        status: Some(status),
        ..values.clone()
    };
    let body = file.map_or(Body::None, |file| {
        Body::File(file.path.clone(), first, end.saturating_sub(first))
    });
    Ok(Out::sliced(row, answer, &values, body))
}

/// Answers what was never recorded: as the recorded server said 404, if it did, and with the closest request.
pub(super) async fn missing(world: &World, head: &Head, asked: &Asked<'_>) -> Out {
    let refused = world.repertoire.downloads.iter().find_map(|(_, row)| {
        let answer = row.answer.as_ref()?;
        (answer.said.status == 404 && row.packet == Packet::Get).then_some((row, answer))
    });
    let values = Values {
        host: asked.host,
        tls: asked.tls,
        ..Values::default()
    };
    let mut out = match refused {
        Some((row, answer)) => Out::recorded(row, answer, &values, &world.recording),
        None => Out::plain(StatusCode::NOT_FOUND).await,
    };
    if head.method() == Some(b"HEAD") {
        out.body = Body::None;
        let end = memchr::memmem::find(&out.bytes, b"\r\n\r\n");
        out.bytes
            .truncate(end.map_or(out.bytes.len(), |end| end + 4));
    }
    let method = String::from_utf8_lossy(head.method().unwrap_or_default()).into_owned();
    out.unmatched = Some(closest::tell(
        &world.repertoire.requests,
        &method,
        &asked.path,
    ));
    out
}

//! What the client hears of its packet once a verdict is carried out: the server's answer, one of ours, or
//! nothing.
//!
//! Knows no rules and no counts.

use crate::bits::Ack;
use crate::bits::packet::read_ack;
use crate::bits::session::classify;
use crate::fault::key::Heard;
use crate::fault::rule::Stage;
use crate::fault::verdict::{Deed, Place, Step};
use crate::wire::{Decoder, Item, Stream};

use super::Scene;

/// Tells what the client of an upload hears; `None`: that is not decided yet, or of no interest.
pub(super) fn heard(scene: &Scene<'_>, steps: &[Step]) -> Option<Heard> {
    let asks = match scene.moment.stage {
        Stage::RequestHead => true,
        Stage::ResponseHead => false,
        _ => return None,
    };
    scene.request.as_ref().filter(|request| request.upload)?;
    let mut heard = scene
        .ack
        .as_ref()
        .and_then(|ack| Some(read(scene.status()?, ack)));
    for step in steps {
        match &step.deed {
            Deed::Respond(bytes) => heard = written(bytes),
            Deed::Replace(bytes) if !asks => heard = written(bytes),
            // An answer whose content is cut has been heard all the same.
            Deed::Reset(_) | Deed::Close(_) | Deed::Hang(None) | Deed::DropResponse
                if asks || step.place == Place::Head =>
            {
                return Some(Heard::Nothing);
            }
            _ => {}
        }
    }
    heard
}

/// Tells what the client of an upload hears when it is sent this answer.
pub(super) fn instead(scene: &Scene<'_>, answer: &[u8]) -> Option<Heard> {
    scene.request.as_ref().filter(|request| request.upload)?;
    written(answer)
}

/// Reads an answer of ours.
fn written(bytes: &[u8]) -> Option<Heard> {
    let mut items = Vec::new();
    Decoder::new(Stream::Responses).feed(bytes, &mut items);
    items.into_iter().find_map(|item| match item {
        Item::Head { head, .. } => Some(read(head.status()?, &read_ack(&head))),
        _ => None,
    })
}

fn read(status: u16, ack: &Ack) -> Heard {
    Heard::Answer {
        answer: classify(status, ack.error),
        named: ack.session_id.is_some(),
    }
}

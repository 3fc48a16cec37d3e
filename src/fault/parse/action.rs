//! One entry of `do` to an action.
//!
//! What an action needs besides itself (its stage, its place in the list) stands in `rule`.

use std::ops::Range;

use crate::fault::rule::{Action, Ends, Stage};

use super::change::{remove, respond, set};
use super::form::{
    ActionForm, DuplicateForm, EmptyForm, FlipForm, ForForm, NoteForm, SideForm, TlsForm,
};
use super::pace::{delay, dribble, limit, time_of};
use super::reader::{Bounded, Placed, Reader};
use super::scalar::Size;

/// Takes the one key that is given and makes its action; none or several are an error.
macro_rules! only {
    ($form:ident, $at:ident, $stage:ident, $reader:ident; $($key:ident => $make:path,)*) => {{
        let given = [$($form.$key.is_given()),*];
        let count = given.into_iter().filter(|given| *given).count();
        if count != 1 {
            let text = format!("each entry of `do` is one action; here are {count}");
            let hint = "write it like [ { delay = { ms = 300 } }, { reset = {} } ]";
            $reader.missing($at.clone(), text, hint);
            return None;
        }
        $(if let Some(placed) = $form.$key.placed() {
            return $make(placed, $stage, $reader);
        })*
        None
    }};
}

/// Reads what is to be done; `None` where it is wrong, which was said.
pub(super) fn action(
    form: ActionForm,
    at: &Range<usize>,
    stage: Stage,
    reader: &mut Reader<'_>,
) -> Option<Action> {
    only! {
        form, at, stage, reader;
        delay => delay,
        limit => limit,
        dribble => dribble,
        set => set,
        remove => remove,
        flip => flip,
        truncate => truncate,
        note => note,
        respond => respond,
        reset => reset,
        close => close,
        hang => hang,
        drop_response => drop_response,
        duplicate => duplicate,
        hold => hold,
        refuse => refuse,
        tls => tls,
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "all makers of actions have one form"
)]
fn truncate(_: Placed<EmptyForm>, _: Stage, _: &mut Reader<'_>) -> Option<Action> {
    Some(Action::Truncate)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "all makers of actions have one form"
)]
fn drop_response(_: Placed<EmptyForm>, _: Stage, _: &mut Reader<'_>) -> Option<Action> {
    Some(Action::DropResponse)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "all makers of actions have one form"
)]
fn reset(form: Placed<SideForm>, stage: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    Some(Action::Reset {
        side: side(form, stage, reader),
    })
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "all makers of actions have one form"
)]
fn close(form: Placed<SideForm>, stage: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    Some(Action::Close {
        side: side(form, stage, reader),
    })
}

fn side(form: Placed<SideForm>, stage: Stage, reader: &mut Reader<'_>) -> Ends {
    let Some(side) = form.value.side.placed() else {
        return Ends::Both;
    };
    if stage == Stage::Connect && side.value.0 == Ends::Server {
        reader.error(
            side.at,
            "at connect there is no server yet",
            "use side = \"client\"; the server is dialled when there is something to send",
        );
    }
    side.value.0
}

fn hang(form: Placed<ForForm>, _: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    let time = time_of(form, reader).ok()?;
    Some(Action::Hang { time })
}

fn hold(form: Placed<ForForm>, _: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    let time = time_of(form, reader).ok()?;
    Some(Action::Hold { time })
}

fn refuse(form: Placed<ForForm>, _: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    let at = form.at.clone();
    let time = time_of(form, reader).ok()?;
    if time.is_none() {
        let hint = "write it like { s = 30 }";
        reader.missing(at, "how long the port refuses is missing", hint);
    }
    time.map(|time| Action::Refuse { time })
}

fn note(form: Placed<NoteForm>, _: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    if !form.value.text.is_given() {
        let hint = "write it like { text = \"...\" }";
        reader.missing(form.at, "the text of the note is missing", hint);
    }
    form.value.text.value().map(|text| Action::Note { text })
}

fn duplicate(form: Placed<DuplicateForm>, _: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    let times = form.value.times.map_at(1, reader, |times| {
        u32::try_from(times)
            .ok()
            .filter(|times| (1..=1000).contains(times))
            .ok_or("a message is sent again 1 to 1000 times")
    });
    times.map(|times| Action::Duplicate { times })
}

fn tls(form: Placed<TlsForm>, _: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    if !form.value.fault.is_given() {
        let hint = "write it like { fault = \"expired\" }";
        reader.missing(form.at, "what is wrong with TLS is missing", hint);
    }
    form.value.fault.value().map(|fault| Action::Tls(fault.0))
}

/// Most bytes that are flipped at once: their masks are held in memory.
const MOST_FLIPPED: u64 = 1 << 20;

fn flip(form: Placed<FlipForm>, _: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    let FlipForm { bytes, bits } = form.value;
    let bytes = bytes.map_at(Size(1), reader, |bytes| match bytes.0 {
        bytes @ 1..=MOST_FLIPPED => Ok(bytes),
        _ => Err("1 byte to 1 MiB is flipped"),
    });
    let bits = bits.map_at(1, reader, |bits| {
        u8::try_from(bits)
            .ok()
            .filter(|bits| (1..=8).contains(bits))
            .ok_or("a byte has 1 to 8 bits to flip")
    });
    Some(Action::Flip {
        bytes: bytes?,
        bits: bits?,
    })
}

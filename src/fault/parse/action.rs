//! One entry of `do` to an action.
//!
//! What an action needs besides itself (its stage, its place in the list) stands in `rule`.

use std::ops::Range;
use std::time::Duration;

use base64::Engine as _;

use crate::fault::rule::{Action, Answer, Edit, Ends, Scope, Stage, Way};

use super::choice::One;
use super::form::{
    ActionForm, DelayForm, DribbleForm, FlipForm, ForForm, Jitter, LimitForm, RemoveForm,
    RespondForm, SetForm,
};
use super::reader::{Placed, Reader, Slot};
use super::scalar::{Headers, check_name};

/// Longest wait, about a year: sums of two fit every clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads what is to be done; `None` where it is wrong, which was said.
pub(super) fn action(
    form: ActionForm,
    at: &Range<usize>,
    stage: Stage,
    reader: &mut Reader<'_>,
) -> Option<Action> {
    let given = [
        form.delay.is_given(),
        form.limit.is_given(),
        form.dribble.is_given(),
        form.set.is_given(),
        form.remove.is_given(),
        form.flip.is_given(),
        form.truncate.is_given(),
        form.note.is_given(),
        form.respond.is_given(),
        form.reset.is_given(),
        form.close.is_given(),
        form.hang.is_given(),
        form.drop_response.is_given(),
        form.duplicate.is_given(),
        form.hold.is_given(),
        form.refuse.is_given(),
        form.tls.is_given(),
    ];
    let count = given.into_iter().filter(|given| *given).count();
    if count != 1 {
        let text = format!("each entry of `do` is one action; here are {count}");
        reader.error(
            at.clone(),
            text,
            "write it like [ { delay = { ms = 300 } }, { reset = {} } ]",
        );
        return None;
    }
    // Exactly one of these is there.
    let side = |side: Slot<One<Ends>>| side.value().map_or(Ends::Both, |side| side.0);
    if let Some(form) = form.delay.placed() {
        return delay(form, reader);
    }
    if let Some(form) = form.limit.placed() {
        return limit(form, stage, reader);
    }
    if let Some(form) = form.dribble.placed() {
        return dribble(form, stage, reader);
    }
    if let Some(form) = form.set.placed() {
        return set(form, stage, reader);
    }
    if let Some(form) = form.remove.placed() {
        return remove(form, reader);
    }
    if let Some(form) = form.flip.placed() {
        return flip(form, reader);
    }
    if let Some(form) = form.note.placed() {
        if !form.value.text.is_given() {
            reader.error(
                form.at,
                "the text of the note is missing",
                "write it like { text = \"...\" }",
            );
        }
        return form.value.text.value().map(|text| Action::Note { text });
    }
    if let Some(form) = form.respond.placed() {
        return respond(form, reader).map(|answer| Action::Respond(Box::new(answer)));
    }
    if let Some(form) = form.hang.placed() {
        return time_of(form, reader).map(|time| Action::Hang { time });
    }
    if let Some(form) = form.hold.placed() {
        return time_of(form, reader).map(|time| Action::Hold { time });
    }
    if let Some(form) = form.refuse.placed() {
        let at = form.at.clone();
        let time = time_of(form, reader)?;
        if time.is_none() {
            reader.error(
                at,
                "how long the port refuses is missing",
                "write it like { s = 30 }",
            );
        }
        return time.map(|time| Action::Refuse { time });
    }
    if let Some(form) = form.duplicate.placed() {
        let times = form.value.times.map_at(1, reader, |times| {
            u32::try_from(times)
                .ok()
                .filter(|times| (1..=1000).contains(times))
                .ok_or("a message is sent again 1 to 1000 times")
        })?;
        return Some(Action::Duplicate { times });
    }
    if let Some(form) = form.tls.placed() {
        if !form.value.fault.is_given() {
            reader.error(
                form.at,
                "what is wrong with TLS is missing",
                "write it like { fault = \"expired\" }",
            );
        }
        return form.value.fault.value().map(|fault| Action::Tls(fault.0));
    }
    if let Some(form) = form.reset.placed() {
        return Some(Action::Reset {
            side: side(form.value.side),
        });
    }
    if let Some(form) = form.close.placed() {
        return Some(Action::Close {
            side: side(form.value.side),
        });
    }
    if form.truncate.is_some() {
        return Some(Action::Truncate);
    }
    form.drop_response.is_some().then_some(Action::DropResponse)
}

/// Reads a value that has bounds.
trait Bounded<T> {
    /// Returns what `read` makes of it, of `usual` where it was left out; tells why not.
    fn map_at<U>(
        self,
        usual: T,
        reader: &mut Reader<'_>,
        read: impl FnOnce(T) -> Result<U, &'static str>,
    ) -> Option<U>;
}

impl<T> Bounded<T> for Slot<T> {
    fn map_at<U>(
        self,
        usual: T,
        reader: &mut Reader<'_>,
        read: impl FnOnce(T) -> Result<U, &'static str>,
    ) -> Option<U> {
        if !self.is_given() {
            return read(usual).ok();
        }
        let placed = self.placed()?;
        match read(placed.value) {
            Ok(read) => Some(read),
            Err(text) => {
                reader.error(placed.at, text, "");
                None
            }
        }
    }
}

/// Reads a time that is given in one of three ways, or in none.
fn time_of(form: Placed<ForForm>, reader: &mut Reader<'_>) -> Option<Option<Duration>> {
    let ForForm { time, ms, s } = form.value;
    let given = [time.is_given(), ms.is_given(), s.is_given()];
    if given.into_iter().filter(|given| *given).count() > 1 {
        reader.error(
            form.at,
            "the time is given more than once",
            "keep one of `time`, `ms` and `s`",
        );
        return None;
    }
    let some = given.contains(&true);
    let time = time
        .value()
        .map(|time| time.0)
        .or_else(|| ms.value().map(Duration::from_millis))
        .or_else(|| s.value().map(Duration::from_secs));
    if time.is_some_and(|time| time > LONGEST) {
        reader.error(form.at, "no wait is longer than 366 days", "");
        return None;
    }
    (time.is_some() || !some).then_some(time)
}

fn delay(form: Placed<DelayForm>, reader: &mut Reader<'_>) -> Option<Action> {
    let DelayForm {
        time,
        ms,
        s,
        jitter,
    } = form.value;
    let at = form.at;
    let unit = if s.is_given() {
        Duration::from_secs
    } else {
        Duration::from_millis
    };
    let bare = time.is_given();
    let value = ForForm { time, ms, s };
    let time = time_of(
        Placed {
            value,
            at: at.clone(),
        },
        reader,
    )?;
    let Some(time) = time else {
        reader.error(
            at,
            "how long to wait is missing",
            "write it like { ms = 300 } or { time = \"2m\" }",
        );
        return None;
    };
    let jitter = jitter.map_at(Jitter::Exact(Duration::ZERO), reader, |jitter| {
        let jitter = match jitter {
            Jitter::Exact(jitter) => jitter,
            Jitter::Bare(_) if bare => {
                return Err("next to `time` the jitter needs a unit, like \"100ms\"");
            }
            Jitter::Bare(number) => unit(number),
        };
        if jitter > time {
            return Err("the jitter is longer than the time that it may take away");
        }
        Ok(jitter)
    })?;
    Some(Action::Delay { time, jitter })
}

/// The direction that a pace has where none is given.
const fn usual_way(stage: Stage) -> Way {
    match stage {
        Stage::RequestBody => Way::ToServer,
        Stage::ResponseHead | Stage::ResponseBody => Way::ToClient,
        Stage::Connect | Stage::RequestHead | Stage::Close => Way::Both,
    }
}

fn limit(form: Placed<LimitForm>, stage: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    let LimitForm {
        rate,
        scope,
        direction,
    } = form.value;
    if !rate.is_given() {
        reader.error(
            form.at,
            "the rate is missing",
            "write it like { rate = \"2Mbit/s\" }",
        );
        return None;
    }
    let placed = rate.placed()?;
    let rate = placed.value.0;
    if rate == 0 {
        reader.error(
            placed.at,
            "a rate of 0 lets nothing pass",
            "to stop everything use { hang = {} }",
        );
        return None;
    }
    Some(Action::Limit {
        rate,
        scope: scope.value().map_or(Scope::Connection, |scope| scope.0),
        way: direction.value().map_or(usual_way(stage), |way| way.0),
    })
}

fn dribble(form: Placed<DribbleForm>, stage: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    let DribbleForm {
        bytes,
        every,
        direction,
    } = form.value;
    let bytes = bytes.map_at(super::scalar::Size(1), reader, |bytes| match bytes.0 {
        0 => Err("0 bytes at once let nothing pass"),
        bytes => Ok(bytes),
    });
    let every = every.map_at(
        super::scalar::Time(Duration::from_secs(1)),
        reader,
        |every| match every.0 {
            Duration::ZERO => Err("there is no time between the bytes"),
            every if every > LONGEST => Err("no wait is longer than 366 days"),
            every => Ok(every),
        },
    );
    Some(Action::Dribble {
        bytes: bytes?,
        every: every?,
        way: direction.value().map_or(usual_way(stage), |way| way.0),
    })
}

fn set(form: Placed<SetForm>, stage: Stage, reader: &mut Reader<'_>) -> Option<Action> {
    let form_at = form.at;
    let form = form.value;
    let response = stage == Stage::ResponseHead;
    for (at, name) in [
        (form.status.at(&form_at), form.status.is_given()),
        (form.reason.at(&form_at), form.reason.is_given()),
    ] {
        if name && !response {
            reader.error(
                at,
                "a request has no status and no reason",
                "use stage = \"response.head\"",
            );
        }
    }
    let empty = !(form.status.is_given()
        || form.reason.is_given()
        || form.version.is_given()
        || form.headers.is_given()
        || form.bits.is_given());
    if empty {
        let hint = format!("keys: {}", SetForm::KEYS.join(", "));
        reader.error(form_at, "there is nothing to set", hint);
        return None;
    }
    if form.error_header.is_given() && !form.bits.is_given() {
        reader.error(
            form.error_header.at(&form_at),
            "there is no error code to write",
            "set one: bits = { error = \"0x8020001F\" }",
        );
    }
    let status = status(form.status, 100, reader);
    let version = form
        .version
        .map_at(String::new(), reader, |version| match version.as_str() {
            "" => Ok(None),
            "1.0" => Ok(Some(0)),
            "1.1" => Ok(Some(1)),
            _ => Err("the version is \"1.0\" or \"1.1\""),
        });
    Some(Action::Set(Edit {
        version: version.flatten(),
        status,
        reason: reason(form.reason, reader),
        headers: form.headers.value().unwrap_or_default().0,
        bits: form.bits.value().unwrap_or_default().0,
        error_header: form
            .error_header
            .value()
            .map(|one| one.0)
            .unwrap_or_default(),
    }))
}

fn status(slot: Slot<u64>, lowest: u16, reader: &mut Reader<'_>) -> Option<u16> {
    let placed = slot.placed()?;
    let status = u16::try_from(placed.value).ok();
    let status = status.filter(|status| (lowest..=999).contains(status));
    if status.is_none() {
        let text = format!("a status is a number from {lowest} to 999");
        reader.error(placed.at, text, "");
    }
    status
}

fn reason(slot: Slot<String>, reader: &mut Reader<'_>) -> Option<String> {
    let placed = slot.placed()?;
    if placed.value.contains(['\r', '\n', '\0']) {
        reader.error(placed.at, "a reason is one line", "");
        return None;
    }
    Some(placed.value)
}

fn remove(form: Placed<RemoveForm>, reader: &mut Reader<'_>) -> Option<Action> {
    let RemoveForm { headers, bits } = form.value;
    if !headers.is_given() && !bits.is_given() {
        let hint = "write it like { headers = [\"ETag\"] } or { bits = [\"received\"] }";
        reader.error(form.at, "there is nothing to remove", hint);
        return None;
    }
    let headers = headers.value().unwrap_or_default();
    for header in &headers {
        check_name(&header.value, header.at.clone(), reader);
    }
    Some(Action::Remove {
        headers: headers.into_iter().map(|header| header.value).collect(),
        bits: bits
            .value()
            .unwrap_or_default()
            .into_iter()
            .map(|field| field.value.0)
            .collect(),
    })
}

/// Most bytes that are flipped at once: their masks are held in memory.
const MOST_FLIPPED: u64 = 1 << 20;

fn flip(form: Placed<FlipForm>, reader: &mut Reader<'_>) -> Option<Action> {
    let FlipForm { bytes, bits } = form.value;
    let bytes = bytes.map_at(super::scalar::Size(1), reader, |bytes| match bytes.0 {
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

fn respond(form: Placed<RespondForm>, reader: &mut Reader<'_>) -> Option<Answer> {
    let at = form.at;
    let form = form.value;
    if !form.status.is_given() {
        reader.error(
            at.clone(),
            "the status is missing",
            "write it like { status = 500 }",
        );
    }
    if form.body.is_given() && form.body_base64.is_given() {
        reader.error(
            form.body_base64.at(&at),
            "the content is given twice",
            "keep `body` or `body_base64`",
        );
    }
    let names_error = form.bits.as_ref().is_none_or(|bits| {
        bits.value
            .0
            .iter()
            .any(|(name, _)| *name == crate::bits::header::Name::Error)
    });
    if form.error_header.is_given() && (!form.bits.is_given() || !names_error) {
        reader.error(
            form.error_header.at(&at),
            "there is no error code to write",
            "set one: bits = { error = \"0x8020001F\" }",
        );
    }
    let coded = form.body_base64.map_at(String::new(), reader, |text| {
        base64::engine::general_purpose::STANDARD
            .decode(text.trim())
            .map_err(|_| "this is not base64")
    })?;
    let body = form.body.value().map_or(coded, String::into_bytes);
    let reason = reason(form.reason, reader);
    Some(Answer {
        status: status(form.status, 200, reader)?,
        reason,
        headers: form.headers.value().unwrap_or_else(Headers::default).0,
        bits: form.bits.value().unwrap_or_default().0,
        error_header: form
            .error_header
            .value()
            .map(|one| one.0)
            .unwrap_or_default(),
        body,
        no_ack: form.no_ack.value().unwrap_or_default(),
    })
}

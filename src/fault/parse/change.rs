//! Changes to heads, and answers of the proxy.

use std::ops::Range;

use base64::Engine as _;

use crate::bits::header::Name;
use crate::fault::rule::{Action, Answer, Edit, ErrorHeader, Stage};

use super::bits::Fields;
use super::choice::One;
use super::form::{RemoveForm, RespondForm, SetForm};
use super::reader::{Bounded, Placed, Reader, Slot};
use super::scalar::check_name;

pub(super) fn set(form: Placed<SetForm>, stage: Stage, reader: &mut Reader<'_>) -> Option<Action> {
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
        reader.missing(form_at, "there is nothing to set", hint);
        return None;
    }
    check_error_header(&form.error_header, &form.bits, &form_at, reader);
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

/// Refuses to choose how an error code is written where there is none.
fn check_error_header(
    header: &Slot<One<ErrorHeader>>,
    bits: &Slot<Fields>,
    form_at: &Range<usize>,
    reader: &mut Reader<'_>,
) {
    // Fields that are wrong were told of; an error code may have been meant.
    let names_error = match bits.as_ref() {
        Some(bits) => bits.value.0.iter().any(|(name, _)| *name == Name::Error),
        None => bits.is_given(),
    };
    if header.is_given() && !names_error {
        let at = header.at(form_at);
        let hint = "set one: bits = { error = \"0x8020001F\" }";
        reader.error(at, "there is no error code to write", hint);
    }
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

pub(super) fn remove(
    form: Placed<RemoveForm>,
    _: Stage,
    reader: &mut Reader<'_>,
) -> Option<Action> {
    let RemoveForm { headers, bits } = form.value;
    if !headers.is_given() && !bits.is_given() {
        let hint = "write it like { headers = [\"ETag\"] } or { bits = [\"received\"] }";
        reader.missing(form.at, "there is nothing to remove", hint);
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

pub(super) fn respond(
    form: Placed<RespondForm>,
    _: Stage,
    reader: &mut Reader<'_>,
) -> Option<Action> {
    let at = form.at;
    let form = form.value;
    if !form.status.is_given() {
        reader.missing(
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
    check_error_header(&form.error_header, &form.bits, &at, reader);
    let coded = form.body_base64.map_at(String::new(), reader, |text| {
        base64::engine::general_purpose::STANDARD
            .decode(text.trim())
            .map_err(|_| "this is not base64")
    })?;
    let body = form.body.value().map_or(coded, String::into_bytes);
    let reason = reason(form.reason, reader);
    let answer = Answer {
        status: status(form.status, 200, reader)?,
        reason,
        headers: form.headers.value().unwrap_or_default().0,
        bits: form.bits.value().unwrap_or_default().0,
        error_header: form
            .error_header
            .value()
            .map(|one| one.0)
            .unwrap_or_default(),
        body,
        no_ack: form.no_ack.value().unwrap_or_default(),
    };
    Some(Action::Respond(Box::new(answer)))
}

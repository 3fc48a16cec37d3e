//! Times and paces: waits, rates, dribbles.

use std::time::Duration;

use crate::fault::rule::{Action, Scope, Stage, Way};

use super::form::{DelayForm, DribbleForm, ForForm, Jitter, LimitForm};
use super::reader::{Bounded, Placed, Reader};

/// Longest wait, about a year: sums of two fit every clock.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// Something is wrong, and that was said.
pub(super) struct Said;

/// Reads a time that is given in one of three ways, or in none.
pub(super) fn time_of(
    form: Placed<ForForm>,
    reader: &mut Reader<'_>,
) -> Result<Option<Duration>, Said> {
    let ForForm { time, ms, s } = form.value;
    let given = [time.is_given(), ms.is_given(), s.is_given()];
    if given.into_iter().filter(|given| *given).count() > 1 {
        reader.error(
            form.at,
            "the time is given more than once",
            "keep one of `time`, `ms` and `s`",
        );
        return Err(Said);
    }
    let some = given.contains(&true);
    let time = time
        .value()
        .map(|time| time.0)
        .or_else(|| ms.value().map(Duration::from_millis))
        .or_else(|| s.value().map(Duration::from_secs));
    if time.is_some_and(|time| time > LONGEST) {
        reader.error(form.at, "no wait is longer than 366 days", "");
        return Err(Said);
    }
    if time.is_some() || !some {
        Ok(time)
    } else {
        Err(Said)
    }
}

pub(super) fn delay(form: Placed<DelayForm>, _: Stage, reader: &mut Reader<'_>) -> Option<Action> {
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
    )
    .ok()?;
    let Some(time) = time else {
        reader.missing(
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

pub(super) fn limit(
    form: Placed<LimitForm>,
    stage: Stage,
    reader: &mut Reader<'_>,
) -> Option<Action> {
    let LimitForm {
        rate,
        scope,
        direction,
    } = form.value;
    if !rate.is_given() {
        reader.missing(
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
        way: direction
            .value()
            .map_or_else(|| usual_way(stage), |way| way.0),
    })
}

pub(super) fn dribble(
    form: Placed<DribbleForm>,
    stage: Stage,
    reader: &mut Reader<'_>,
) -> Option<Action> {
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
        way: direction
            .value()
            .map_or_else(|| usual_way(stage), |way| way.0),
    })
}

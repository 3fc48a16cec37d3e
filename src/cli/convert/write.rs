//! The events on their way into the new file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use anyhow::Context;

use crate::capture::{Options, Writer};
use crate::event::Event;
use crate::export::{HarWriter, Mask, Pass};
use crate::report::csv;
use crate::timeline::{ReadBack, Timeline};

use super::super::failure::Failure;
use super::super::kept::{Kept, store};
use super::super::output::{Format, Output};
use super::super::sieve::Sieve;
use super::super::source::{Source, Step};
use super::super::view::about_file;
use super::choice::Choice;
use super::findings::Findings;
use super::{Args, Convert, Done, Kind, source, step};

/// Passes over the captures and writes `kind` into `file`.
pub(super) fn write(
    args: &Args,
    kind: Kind,
    choice: Option<Choice>,
    mask: Option<Mask>,
    file: &File,
    watch: &Convert<'_>,
) -> Result<Done, Failure> {
    let file = file.try_clone().context("cannot write")?;
    let mut source = source(args)?;
    if kind == Kind::Pcapng {
        let pass = Pass::new(choice.map(|choice| choice.pick), mask);
        return capture(args, &mut source, pass, file, watch);
    }
    let chosen = choice.map(|choice| choice.chosen);
    if kind == Kind::Jsonl {
        let output = Output::new(JSONL, source.start_ns())
            .through(chosen.clone().map(Sieve::chosen))
            .into_file(file);
        return jsonl(
            args,
            &mut source,
            (mask, chosen.map(Sieve::chosen)),
            output,
            watch,
        );
    }
    let sieve = chosen.map(Sieve::chosen);
    let rows = Rows::read(args, &mut source, mask, None, watch)?;
    match kind {
        Kind::Csv => table(&rows, sieve.as_ref(), &source, file),
        _ => har(&rows, sieve.as_ref(), &source, file),
    }
}

/// Writes a capture in our own form.
fn capture(
    args: &Args,
    source: &mut Source,
    mut pass: Pass,
    file: File,
    watch: &Convert<'_>,
) -> Result<Done, Failure> {
    let options = Options {
        start_ns: source.start_ns(),
        ..Options::default()
    };
    let mut writer = Writer::on(file, &args.out, options)?;
    // Counts what goes in; keeps rows, no bytes.
    let mut timeline = Timeline::new();
    let mut done = Done::default();
    let mut events: Vec<Event> = Vec::new();
    let mut findings = if args.findings {
        Findings::read(args, watch)?
    } else {
        Findings::default()
    };
    loop {
        match step(source, watch)? {
            Some(Step::Event { event, .. }) => {
                while let Some(note) = findings.before(Some(event.at)) {
                    pass.apply(&note, &mut events);
                }
                pass.apply(&event, &mut events);
            }
            Some(Step::Note(text)) => done.notes.push(text),
            None => break,
        }
        put(&mut events, &mut writer, &mut timeline)?;
    }
    while let Some(note) = findings.before(None) {
        pass.apply(&note, &mut events);
    }
    pass.finish(&mut events);
    put(&mut events, &mut writer, &mut timeline)?;
    writer.flush()?;
    done.exchanges = timeline.summary().exchanges;
    Ok(done)
}

fn put(
    events: &mut Vec<Event>,
    writer: &mut Writer,
    timeline: &mut Timeline,
) -> Result<(), Failure> {
    for event in events.drain(..) {
        let position = writer.write(&event)?;
        timeline.apply(&event, position);
        timeline.take_changes();
    }
    Ok(())
}

/// A timeline that was read to its end, with its bytes.
struct Rows {
    timeline: Timeline,
    /// Holds the copy that is read back from.
    _kept: Kept,
    read_back: Arc<dyn ReadBack + Send + Sync>,
    notes: Vec<String>,
}

impl Rows {
    fn read(
        args: &Args,
        source: &mut Source,
        mask: Option<Mask>,
        mut output: Option<&mut Output>,
        watch: &Convert<'_>,
    ) -> Result<Self, Failure> {
        // What is left out is left out by row; the events stay, so that rows keep their numbers.
        let mut pass = Pass::new(None, mask);
        let mut kept = if pass.is_clear() {
            Kept::of(source)?
        } else {
            Kept::copied(source)?
        };
        let mut timeline = Timeline::with_profile(args.by.profile());
        let mut notes = Vec::new();
        let mut events = Vec::new();
        let apply =
            |events: &mut Vec<Event>, position, timeline: &mut Timeline, kept: &mut Kept| {
                for event in events.drain(..) {
                    let position = store(kept.copy.as_mut(), &event, position)?;
                    timeline.apply(&event, position);
                }
                Ok::<(), Failure>(())
            };
        loop {
            match step(source, watch)? {
                Some(Step::Event { event, position }) => {
                    pass.apply(&event, &mut events);
                    apply(&mut events, position, &mut timeline, &mut kept)?;
                }
                Some(Step::Note(text)) => {
                    let remark = about_file(&timeline, text.clone());
                    timeline.remark(remark);
                    notes.push(text);
                }
                None => break,
            }
            let changes = timeline.take_changes();
            if let Some(output) = &mut output
                && !changes.is_empty()
            {
                output.changes(&timeline, &changes)?;
            }
        }
        pass.finish(&mut events);
        apply(&mut events, 0, &mut timeline, &mut kept)?;
        kept.flush()?;
        timeline.finish();
        let read_back = kept.read_back()?;
        Ok(Self {
            timeline,
            _kept: kept,
            read_back,
            notes,
        })
    }
}

const JSONL: Format = Format {
    headless: true,
    json: true,
    quiet: false,
};

/// Writes what `view --json` prints.
fn jsonl(
    args: &Args,
    source: &mut Source,
    (mask, sieve): (Option<Mask>, Option<Sieve>),
    mut output: Output,
    watch: &Convert<'_>,
) -> Result<Done, Failure> {
    let mut rows = Rows::read(args, source, mask, Some(&mut output), watch)?;
    let changes = rows.timeline.take_changes();
    output.changes(&rows.timeline, &changes)?;
    output.finish(&rows.timeline, !rows.notes.is_empty())?;
    Ok(Done {
        exchanges: count(&rows.timeline, sieve.as_ref()),
        notes: rows.notes,
    })
}

/// Writes a table with a row for each exchange.
fn table(rows: &Rows, sieve: Option<&Sieve>, source: &Source, file: File) -> Result<Done, Failure> {
    let mut out = BufWriter::new(file);
    let failed = "cannot write the table";
    out.write_all(csv::head().as_bytes()).context(failed)?;
    for row in chosen(&rows.timeline, sieve) {
        let line = csv::row(&rows.timeline, row, source.start_ns());
        out.write_all(line.as_bytes()).context(failed)?;
    }
    out.flush().context(failed)?;
    Ok(Done {
        exchanges: count(&rows.timeline, sieve),
        notes: rows.notes.clone(),
    })
}

/// Writes HAR.
fn har(rows: &Rows, sieve: Option<&Sieve>, source: &Source, file: File) -> Result<Done, Failure> {
    let failed = "cannot write the HAR file";
    let comment = "Made by bitstap from a capture; _bits is the decoded BITS packet. HAR is lossy: keep the capture.";
    let mut writer = HarWriter::begin(BufWriter::new(file), comment).context(failed)?;
    for row in chosen(&rows.timeline, sieve) {
        writer
            .entry(&rows.timeline, row, &*rows.read_back, source.start_ns())
            .context(failed)?;
    }
    let mut notes = rows.notes.clone();
    if writer.left_out > 0 {
        notes.push(format!(
            "{} exchanges without a whole request head are not in it",
            writer.left_out
        ));
    }
    if writer.incomplete > 0 {
        notes.push(format!(
            "{} entries lack bytes that the capture does not have: _missing says which",
            writer.incomplete
        ));
    }
    let exchanges = writer.entries();
    writer.finish().context(failed)?;
    Ok(Done { exchanges, notes })
}

fn chosen<'t>(
    timeline: &'t Timeline,
    sieve: Option<&'t Sieve>,
) -> impl Iterator<Item = &'t crate::timeline::Exchange> {
    timeline
        .exchanges()
        .iter()
        .filter(move |row| sieve.is_none_or(|sieve| sieve.takes_exchange(timeline, row)))
}

fn count(timeline: &Timeline, sieve: Option<&Sieve>) -> u64 {
    u64::try_from(chosen(timeline, sieve).count()).unwrap_or(u64::MAX)
}

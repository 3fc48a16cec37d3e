//! Speed of captures: writing, reading, reading back. Bytes per second are of payload.

use std::path::Path;
use std::time::Duration;

use bitstap::capture::{CaptureFile, Options, Record, Writer, open};
use bitstap::event::{ConnId, Direction, Event, Leg, What};
use bitstap::timeline::{ReadBack, Span};
use bytes::Bytes;
use divan::Bencher;
use divan::counter::BytesCount;

/// Payload of one round.
const TOTAL: usize = 256 << 20;

fn main() {
    divan::main();
}

fn events(chunk: usize) -> impl Iterator<Item = Event> {
    let bytes = Bytes::from(vec![0x5A; chunk]);
    let begin = What::Joined {
        client: ([10, 0, 0, 1], 50_000).into(),
        server: ([10, 0, 0, 2], 80).into(),
    };
    let direction = Direction::ToServer;
    let data = std::iter::repeat_n(What::Data { direction, bytes }, TOTAL / chunk);
    std::iter::once(begin).chain(data).map(|what| Event {
        at: Duration::from_millis(5),
        conn: ConnId(1),
        leg: Leg::Client,
        what,
    })
}

fn write(path: &Path, chunk: usize) -> Vec<u64> {
    let mut writer = Writer::create(path, Options::default()).unwrap();
    let positions = events(chunk)
        .map(|event| writer.write(&event).unwrap())
        .collect();
    writer.flush().unwrap();
    positions
}

#[divan::bench(args = [1 << 10, 16 << 10, 64 << 10, 256 << 10], sample_count = 5, sample_size = 1)]
fn writing(bencher: Bencher<'_, '_>, chunk: usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    // A file of this size is there: pages are taken from the cache, not made.
    write(&path, chunk);
    bencher
        .counter(BytesCount::new(TOTAL))
        .bench_local(|| write(&path, chunk));
}

#[divan::bench(args = [1 << 10, 256 << 10], sample_count = 5, sample_size = 1)]
fn reading(bencher: Bencher<'_, '_>, chunk: usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    write(&path, chunk);
    bencher.counter(BytesCount::new(TOTAL)).bench_local(|| {
        let records = open(&path).unwrap();
        records
            .filter(|record| matches!(record, Ok(Record::Event { .. })))
            .count()
    });
}

/// A body of 256 MiB from front to back, in pieces of 64 KiB.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn reading_back(bencher: Bencher<'_, '_>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pcapng");
    let positions = write(&path, 256 << 10);
    let span = Span {
        conn: ConnId(1),
        leg: Leg::Client,
        direction: Direction::ToServer,
        position: positions[1],
        base: 0,
        offset: 0,
        len: TOTAL as u64,
    };
    bencher.counter(BytesCount::new(TOTAL)).bench_local(|| {
        let file = CaptureFile::open(&path).unwrap();
        let step = 64 << 10;
        let read = (0..TOTAL as u64)
            .step_by(step)
            .map(|from| file.read(span, from, step).unwrap().bytes.len())
            .sum::<usize>();
        assert_eq!(read, TOTAL);
    });
}

//! How fast filters go over a million rows.

use std::time::Duration;

use bitstap::bits::{ContentRange, Packet};
use bitstap::event::ConnId;
use bitstap::timeline::filter::{Filter, Row};
use bitstap::timeline::row::{Exchange, Outcome, Text, Times};

const ROWS: u32 = 1_000_000;

fn main() {
    divan::main();
}

fn rows() -> Vec<Exchange> {
    let method: Text = "BITS_POST".into();
    let urls: Vec<Text> = (0..1000)
        .map(|file| format!("/BITS-Sharing/uploads/department-{file}/report-{file}.csv").into())
        .collect();
    (1..=ROWS)
        .zip(urls.iter().cycle())
        .map(|(no, url)| Exchange {
            no,
            conn: ConnId(no % 100 + 1),
            session: None,
            method: Text::clone(&method),
            url: Text::clone(url),
            packet: Some(Packet::Fragment),
            status: Some(if no.is_multiple_of(97) { 500 } else { 200 }),
            range: Some(ContentRange {
                first: u64::from(no),
                last: u64::from(no) + 999,
                total: None,
            }),
            received: Some(u64::from(no) + 1000).into(),
            session_id: None,
            error: None,
            auth: None,
            times: Times {
                begun: Duration::from_millis(no.into()),
                ..Times::default()
            }
            .into(),
            outcome: Outcome::Complete,
            parts: bitstap::timeline::Pieces::default(),
            request: None,
            response: None,
            faults: bitstap::timeline::Faults::default(),
            rewrites: bitstap::timeline::Faults::default(),
        })
        .collect()
}

#[divan::bench(
    sample_count = 5,
    args = [
        "bits.type == fragment and http.status >= 400",
        "bits.range.start >= 5MiB and time > 30s",
        "report-99",
        "no.such.file.anywhere",
        "name -like *-99.csv",
        "http.url matches 'report-9.*csv$'",
    ]
)]
fn a_million_rows(bencher: divan::Bencher<'_, '_>, text: &str) {
    let rows = rows();
    let filter = Filter::parse(text).unwrap();
    bencher.bench(|| {
        let row = |exchange| Row {
            exchange,
            session: None,
            connection: None,
            heads: None,
            margin: None,
        };
        rows.iter()
            .filter(|exchange| filter.matches(&row(exchange)))
            .count()
    });
}

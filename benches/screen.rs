//! Draws one frame at 120x40 of timelines of growing length: the cost should not grow with them.
//!
//! `cargo bench --bench screen`

use std::cell::RefCell;
use std::time::Duration;

use bitstap::bits::{ContentRange, Packet};
use bitstap::event::ConnId;
use bitstap::timeline::{
    Connection, Exchange, Outcome, Remark, Session, SessionKind, SessionState, Text, Times,
};
use bitstap::tui::model::Model;
use bitstap::tui::rows::Rows;
use bitstap::tui::update::{Input, is_busy, update};
use bitstap::tui::{Look, view};
use divan::Bencher;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;

fn main() {
    divan::main();
}

/// Lengths in exchanges; there are a hundred of them to a session.
const LENGTHS: [u32; 3] = [10_000, 100_000, 1_000_000];

struct Long {
    exchanges: Vec<Exchange>,
    sessions: Vec<Session>,
}

impl Rows for Long {
    fn exchange_count(&self) -> usize {
        self.exchanges.len()
    }
    fn exchange(&self, row: usize) -> Option<&Exchange> {
        self.exchanges.get(row)
    }
    fn session_count(&self) -> usize {
        self.sessions.len()
    }
    fn session(&self, row: usize) -> Option<&Session> {
        self.sessions.get(row)
    }
    fn connection(&self, _: ConnId) -> Option<&Connection> {
        None
    }
    fn remarks(&self) -> &[Remark] {
        &[]
    }
    fn generation(&self) -> u64 {
        0
    }
}

fn exchange(no: u32, method: &Text, url: &Text) -> Exchange {
    let at = Duration::from_millis(u64::from(no) * 3);
    let first = u64::from(no % 100) << 20;
    Exchange {
        no,
        conn: ConnId(1),
        session: Some(no % 10_000 + 1),
        method: method.clone(),
        url: url.clone(),
        packet: Some(Packet::Fragment),
        status: Some(if no.is_multiple_of(1000) { 500 } else { 200 }),
        range: Some(ContentRange {
            first,
            last: first + (1 << 20) - 1,
            total: Some(100 << 20),
        }),
        received: Some(first + (1 << 20)).into(),
        session_id: None,
        error: None,
        auth: None,
        times: Times {
            begun: at,
            request_end: Some(at + Duration::from_millis(1)),
            response_begun: Some(at + Duration::from_micros(1000 + u64::from(no % 977))),
            ended: Some(at + Duration::from_millis(2)),
        }
        .into(),
        outcome: Outcome::Complete,
        parts: bitstap::timeline::Pieces::default(),
        request: None,
        response: None,
        faults: bitstap::timeline::Faults::default(),
        rewrites: bitstap::timeline::Faults::default(),
    }
}

fn rows(length: u32) -> Long {
    let method: Text = "BITS_POST".into();
    let urls: Vec<Text> = (0..100)
        .map(|n| format!("/uploads/report-{n}.csv").into())
        .collect();
    let exchanges = (1..=length)
        .zip(urls.iter().cycle())
        .map(|(no, url)| exchange(no, &method, url))
        .collect();
    let session = |no: u32| Session {
        no,
        kind: SessionKind::Upload,
        state: SessionState::Uploading,
        session_id: None,
        url: "/uploads/report.csv".into(),
        name: format!("report-{no}.csv").into(),
        client: None,
        user_agent: None,
        total: Some(100 << 20),
        acknowledged: u64::from(no % 100) << 20,
        sent: 0,
        resent: 0,
        exchanges: length / 10_000,
        connections: 1,
        restarts: 0,
        rewinds: 0,
        reply_url: None,
        reply_bytes: 0,
        first: Duration::ZERO,
        last: Duration::ZERO,
        problems: 0,
        story: vec!["One sentence of its story.".into()],
    };
    Long {
        exchanges,
        sessions: (1..=10_000).map(session).collect(),
    }
}

/// A screen at 120x40 on which `keys` were pressed.
fn screen(rows: &Long, keys: &str) -> (Model, Terminal<TestBackend>) {
    let mut model = Model::new(Look::default(), Size::new(120, 40));
    update(&mut model, rows, Input::Rows);
    for key in keys.chars() {
        press(&mut model, rows, key);
    }
    (model, Terminal::new(TestBackend::new(120, 40)).unwrap())
}

fn press(model: &mut Model, rows: &Long, key: char) {
    let key = KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE);
    update(model, rows, Input::Key(key));
}

fn frame(bencher: Bencher<'_, '_>, length: u32, keys: &str) {
    let rows = rows(length);
    let (model, mut terminal) = screen(&rows, keys);
    bencher.bench_local(|| {
        terminal
            .draw(|frame| {
                divan::black_box(view::draw(frame, &model, &rows));
            })
            .unwrap();
    });
}

#[divan::bench(args = LENGTHS, sample_count = 200)]
fn draw_sessions(bencher: Bencher<'_, '_>, length: u32) {
    frame(bencher, length, "G");
}

#[divan::bench(args = LENGTHS, sample_count = 200)]
fn draw_all_packets(bencher: Bencher<'_, '_>, length: u32) {
    frame(bencher, length, "2G");
}

/// A row more, taken in and drawn: what a live capture costs per frame.
#[divan::bench(args = LENGTHS, sample_count = 50)]
fn append_and_draw(bencher: Bencher<'_, '_>, length: u32) {
    append(bencher, length, "2F");
}

/// The same in an order by waiting time, so that the row enters somewhere in the middle.
#[divan::bench(args = LENGTHS, sample_count = 50)]
fn append_sorted_and_draw(bencher: Bencher<'_, '_>, length: u32) {
    append(bencher, length, "2FSsssss");
}

fn append(bencher: Bencher<'_, '_>, length: u32, keys: &str) {
    let mut rows = rows(length);
    let (mut model, mut terminal) = screen(&rows, keys);
    let method: Text = "BITS_POST".into();
    let rows = RefCell::new(&mut rows);
    bencher.bench_local(|| {
        let mut rows = rows.borrow_mut();
        let no = u32::try_from(rows.exchanges.len()).unwrap() + 1;
        rows.exchanges.push(exchange(no, &method, &method));
        update(&mut model, &**rows, Input::Rows);
        terminal
            .draw(|frame| {
                divan::black_box(view::draw(frame, &model, &**rows));
            })
            .unwrap();
    });
}

/// Moving down by one session, its packets listed.
#[divan::bench(args = LENGTHS, sample_count = 50)]
fn next_session(bencher: Bencher<'_, '_>, length: u32) {
    let rows = rows(length);
    let (mut model, _) = screen(&rows, "");
    bencher.bench_local(|| press(&mut model, &rows, 'j'));
}

/// Everything seen for the first time.
#[divan::bench(args = LENGTHS, sample_count = 5)]
fn open(bencher: Bencher<'_, '_>, length: u32) {
    let rows = rows(length);
    bencher.bench_local(|| screen(&rows, "2"));
}

/// Matches everywhere, one row in a thousand.
const FILTER: &str = "2/bits.type == fragment and http.status >= 400";

/// The last key of a filter that is typed, and its frame with the count so far.
#[divan::bench(args = LENGTHS, sample_count = 10, sample_size = 1)]
fn filter_key_and_draw(bencher: Bencher<'_, '_>, length: u32) {
    let rows = rows(length);
    bencher
        .with_inputs(|| screen(&rows, FILTER))
        .bench_local_values(|(mut model, mut terminal)| {
            press(&mut model, &rows, '0');
            terminal
                .draw(|frame| {
                    divan::black_box(view::draw(frame, &model, &rows));
                })
                .unwrap();
            (model, terminal)
        });
}

/// Enter behind a filter, and the frame with its first matches.
#[divan::bench(args = LENGTHS, sample_count = 10, sample_size = 1)]
fn filter_first_matches(bencher: Bencher<'_, '_>, length: u32) {
    let rows = rows(length);
    bencher
        .with_inputs(|| screen(&rows, FILTER))
        .bench_local_values(|(mut model, mut terminal)| {
            enter(&mut model, &rows);
            terminal
                .draw(|frame| {
                    divan::black_box(view::draw(frame, &model, &rows));
                })
                .unwrap();
            assert!(!model.packets.is_empty());
            (model, terminal)
        });
}

/// From Enter until every row was asked, without frames.
#[divan::bench(args = LENGTHS, sample_count = 5, sample_size = 1)]
fn filter_all_matches(bencher: Bencher<'_, '_>, length: u32) {
    let rows = rows(length);
    bencher
        .with_inputs(|| screen(&rows, FILTER))
        .bench_local_values(|(mut model, terminal)| {
            enter(&mut model, &rows);
            while is_busy(&model) {
                update(&mut model, &rows, Input::Work);
            }
            (model, terminal)
        });
}

fn enter(model: &mut Model, rows: &Long) {
    let key = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
    update(model, rows, Input::Key(key));
}

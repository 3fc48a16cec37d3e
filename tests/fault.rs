//! The engine decides: conditions, counts, places, composition and order.

#[path = "support/moments.rs"]
mod moments;

use std::time::Duration;

use bitstap::fault::rule::{Action, At, Count, During, Ends, Per, Scope, Stage, Way};
use bitstap::fault::verdict::{Deed, Place};
use moments::*;

const UP: &str = "/up/a.bin";
const ID: &str = "{3F2B}";

fn reset() -> Action {
    Action::Reset { side: Ends::Both }
}

fn delay() -> Action {
    Action::Delay {
        time: Duration::from_secs(1),
        jitter: Duration::ZERO,
    }
}

fn count(per: Per, skip: u64, times: Option<u64>, every: u64) -> Count {
    Count {
        per,
        skip,
        times,
        every,
    }
}

#[test]
fn a_condition_sees_heads_names_addresses_and_answers() {
    let holds = |when: &str, stage: Stage| {
        let mut engine = engine(vec![mark("m", when, stage)]);
        let mut line = Line::new(3, "10.0.0.5");
        let asked = line.fragment(&mut engine, "/up/a.bin?x=1", ID, "10-19/30");
        let answered = line.answer(&mut engine, &ack(416, "BITS-Received-Content-Range: 20"));
        let verdict = if stage == Stage::RequestHead {
            asked
        } else {
            answered
        };
        !fired(&verdict).is_empty()
    };
    for when in [
        "bits",
        "bits.type == fragment",
        "bits.range.start == 10 and bits.total == 30",
        "bits.session == 3F2B",
        "name == a.bin",
        "client.ip == 10.0.0.0/8",
        "conn == 3",
        "http.header.host == iis.test and http.host == iis.test",
        "size == 10",
        "not http.status",
        "leg == client",
    ] {
        assert!(holds(when, Stage::RequestHead), "{when}");
    }
    for when in [
        "http.status == 416",
        "bits.received == 20",
        "bits.type == fragment",
    ] {
        assert!(holds(when, Stage::ResponseHead), "{when}");
    }
    assert!(!holds("http.status == 416", Stage::RequestHead));
    assert!(!holds("bits.type == ping", Stage::RequestHead));
}

#[test]
fn skip_times_and_every_count_matches_under_one_key() {
    let mut some = mark("m", "bits.type == fragment", Stage::RequestHead);
    some.count = count(Per::Session, 2, Some(2), 3);
    let mut engine = engine(vec![some]);
    let mut line = Line::new(1, "10.0.0.5");
    line.create(&mut engine, UP, ID);
    let mut hits = Vec::new();
    let mut reasons = Vec::new();
    for n in 1..=12 {
        let verdict = line.fragment(&mut engine, UP, ID, "0-9/30");
        if fired(&verdict).is_empty() {
            reasons.push(refused(&verdict)[0].to_owned());
        } else {
            hits.push(n);
        }
        assert_eq!(verdict.receipts[0].ordinal, n);
        assert_eq!(verdict.receipts[0].key, "session 10.0.0.5 /up/a.bin #1");
    }
    assert_eq!(hits, [3, 6]);
    assert_eq!(reasons[0], "1 more to skip");
    assert_eq!(reasons[1], "skipped, the next one counts");
    assert_eq!(reasons[2], "only one match in 3 counts");
    assert_eq!(reasons[6], "fired 2 of 2 times already");
    let state = &engine.states()[0];
    assert_eq!((state.matched, state.fired, state.skipped), (12, 2, 10));
}

#[test]
fn times_counts_what_chance_let_fire() {
    let mut some = mark("m", "bits", Stage::RequestHead);
    some.chance = 0.5;
    some.count = count(Per::Run, 0, Some(3), 1);
    let mut engine = engine(vec![some]);
    let mut line = Line::new(1, "10.0.0.5");
    let mut reasons = Vec::new();
    let mut hits = 0;
    for _ in 0..64 {
        let verdict = line.fragment(&mut engine, UP, ID, "0-9/30");
        hits += fired(&verdict).len();
        reasons.extend(refused(&verdict).into_iter().map(str::to_owned));
    }
    assert_eq!(hits, 3);
    assert!(reasons[0].starts_with("drawn 0."), "{}", reasons[0]);
    assert!(reasons[0].ends_with(" of 0.5"));
    assert_eq!(reasons.last().unwrap(), "fired 3 of 3 times already");
}

#[test]
fn a_session_is_the_same_on_another_connection_and_another_after_another_create() {
    let mut engine = engine(vec![mark("m", "bits", Stage::RequestHead)]);
    let key = |verdict: bitstap::fault::Verdict| verdict.receipts[0].key.clone();
    let mut one = Line::new(1, "10.0.0.5");
    let [first, _] = one.create(&mut engine, UP, "{AA}");
    assert_eq!(key(first), "session 10.0.0.5 /up/a.bin #1");
    let mut two = Line::new(2, "10.0.0.5");
    let [second, _] = two.create(&mut engine, UP, "{BB}");
    assert_eq!(key(second), "session 10.0.0.5 /up/a.bin #2");
    // The ids lead back, whatever the connection and the case of letters.
    let old = two.fragment(&mut engine, UP, "{aa}", "0-9/30");
    assert_eq!(key(old), "session 10.0.0.5 /up/a.bin #1");
    let new = one.ask(
        &mut engine,
        &post(UP, "Close-Session", "BITS-Session-Id: {BB}"),
    );
    assert_eq!(key(new), "session 10.0.0.5 /up/a.bin #2");
    // An id that nobody told: the newest session there. A Ping has none.
    let unknown = one.fragment(&mut engine, UP, "{CC}", "0-9/30");
    assert_eq!(key(unknown), "session 10.0.0.5 /up/a.bin #2");
    let ping = one.ask(&mut engine, &post(UP, "Ping", ""));
    assert_eq!(key(ping), "session 10.0.0.5 /up/a.bin");
    let get = "GET /d/x.cab HTTP/1.1\nUser-Agent: Microsoft BITS/7.8\nHost: a";
    assert_eq!(key(one.ask(&mut engine, get)), "session 10.0.0.5 /d/x.cab");
}

#[test]
fn connections_are_named_by_their_first_url_not_by_their_number() {
    let mut some = mark("m", "bits", Stage::RequestHead);
    some.count.per = Per::Connection;
    let mut engine = engine(vec![some]);
    for (conn, path, key) in [
        (9, "/a", "connection 10.0.0.5 /a #1"),
        (4, "/b", "connection 10.0.0.5 /b #1"),
        (7, "/a", "connection 10.0.0.5 /a #2"),
    ] {
        let mut line = Line::new(conn, "10.0.0.5");
        line.ask(&mut engine, &post(path, "Ping", ""));
        let second = line.ask(&mut engine, &post("/other", "Ping", ""));
        assert_eq!(second.receipts[0].key, key);
        assert_eq!(second.receipts[0].ordinal, 2);
        engine.gone(line.conn());
    }
}

#[test]
fn clients_urls_and_runs_have_keys_of_their_own() {
    for (per, key) in [
        (Per::Client, "client 10.0.0.5"),
        (Per::Url, "url /up/a.bin"),
        (Per::Run, "run"),
    ] {
        let mut some = mark("m", "bits", Stage::RequestHead);
        some.count.per = per;
        let mut engine = engine(vec![some]);
        // A client that came over IPv6 sockets is the same client.
        let mut line = Line::new(1, "::ffff:10.0.0.5");
        let verdict = line.ask(&mut engine, &post("http://h.test/up/a.bin", "Ping", ""));
        assert_eq!(verdict.receipts[0].key, key);
    }
    let mut some = mark("m", "", Stage::Connect);
    some.count.per = Per::Connection;
    let mut engine = engine(vec![some]);
    let verdict = Line::new(1, "10.0.0.5").connect(&mut engine);
    assert_eq!(verdict.receipts[0].key, "connection 10.0.0.5 #1");
    assert_eq!(verdict.receipts[0].exchange, None);
}

#[test]
fn long_urls_are_shortened_and_stay_apart() {
    let mut engine = engine(vec![mark("m", "bits", Stage::RequestHead)]);
    let mut line = Line::new(1, "10.0.0.5");
    let long = "\u{e9}".repeat(5000);
    let mut keys = Vec::new();
    for end in ["a", "b", "a"] {
        let path = format!("/{long}{end}");
        let verdict = line.ask(&mut engine, &post(&path, "Create-Session", ""));
        keys.push(verdict.receipts[0].key.clone());
    }
    assert!(keys.iter().all(|key| key.len() < 320), "{keys:?}");
    assert!(keys[0].ends_with(" #1") && keys[1].ends_with(" #1"));
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[2], keys[0].replace(" #1", " #2"));
}

#[test]
fn a_byte_of_the_file_becomes_an_offset_of_the_content() {
    let mut cut = rule(
        "cut",
        "bits.type == fragment",
        Stage::RequestBody,
        vec![reset()],
    );
    cut.at = Some(At::File(25));
    cut.count.times = Some(1);
    let mut engine = engine(vec![cut]);
    let mut line = Line::new(1, "10.0.0.5");
    for range in ["0-9/40", "10-19/40", "26-29/40", "20-24/40"] {
        let verdict = line.fragment(&mut engine, UP, ID, range);
        assert_eq!(verdict.receipts, [], "{range} does not carry it");
    }
    let verdict = line.fragment(&mut engine, UP, ID, "20-29/40");
    assert_eq!(verdict.steps[0].place, Place::Body(5));
    assert_eq!(verdict.steps[0].deed, Deed::Reset(Ends::Both));
    assert_eq!(verdict.receipts[0].ordinal, 1);
    let why = engine.why(line.conn(), 0);
    assert!(why[0].1.contains("does not carry"), "{why:?}");
}

#[test]
fn of_a_download_the_range_or_the_whole_file_says_where_a_byte_lies() {
    let get = "GET /d/x.cab HTTP/1.1\nUser-Agent: Microsoft BITS/7.8\nHost: a";
    let place = |request: &str, answer: &str, at: At| {
        let mut cut = rule("cut", "", Stage::ResponseBody, vec![Action::Truncate]);
        cut.at = Some(at);
        let mut engine = engine(vec![cut]);
        let mut line = Line::new(1, "10.0.0.5");
        line.ask(&mut engine, request);
        let verdict = line.answer(&mut engine, answer);
        assert_eq!(verdict.receipts.len(), verdict.steps.len());
        verdict.steps.first().map(|step| step.place)
    };
    let part = "HTTP/1.1 206 P\nContent-Range: bytes 100-199/1000\nContent-Length: 100";
    let whole = "HTTP/1.1 200 OK\nContent-Length: 1000";
    assert_eq!(place(get, part, At::File(150)), Some(Place::Body(50)));
    assert_eq!(place(get, part, At::File(200)), None);
    assert_eq!(place(get, whole, At::File(150)), Some(Place::Body(150)));
    assert_eq!(place(get, whole, At::File(1000)), None);
    assert_eq!(place(get, whole, At::Body(999)), Some(Place::Body(999)));
    assert_eq!(place(get, whole, At::Body(1000)), None);
    assert_eq!(place(get, whole, At::Percent(62.5)), Some(Place::Body(625)));
    let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked";
    assert_eq!(place(get, chunked, At::File(150)), Some(Place::Body(150)));
    assert_eq!(place(get, chunked, At::Percent(50.0)), None);
    let several =
        "HTTP/1.1 206 P\nContent-Type: multipart/byteranges; boundary=x\nContent-Length: 300";
    assert_eq!(place(get, several, At::File(10)), None);
    let head = get.replace("GET", "HEAD");
    assert_eq!(place(&head, whole, At::File(150)), None);
    assert_eq!(place(&head, whole, At::Body(0)), None);
}

#[test]
fn what_is_not_final_composes_and_the_first_final_one_ends_it() {
    let rules = vec![
        rule("cut", "", Stage::RequestBody, vec![reset()]),
        rule("slow", "", Stage::RequestHead, vec![delay()]),
        rule("slower", "", Stage::RequestHead, vec![delay(), delay()]),
        rule("late", "", Stage::RequestBody, vec![delay()]),
    ];
    let mut engine = engine(rules);
    let mut line = Line::new(1, "10.0.0.5");
    let verdict = line.fragment(&mut engine, UP, ID, "0-9/30");
    let steps: Vec<(&str, Place)> = verdict
        .steps
        .iter()
        .map(|step| (&*step.rule, step.place))
        .collect();
    assert_eq!(
        steps,
        [
            ("slow", Place::Head),
            ("slower", Place::Head),
            ("slower", Place::Head),
            ("cut", Place::Body(0)),
        ]
    );
    assert_eq!(refused(&verdict), ["rule cut ended it before"]);
}

#[test]
fn steps_are_in_the_order_of_their_places() {
    let at = |name: &str, byte| {
        let mut rule = rule(name, "", Stage::RequestBody, vec![delay()]);
        rule.at = Some(At::Body(byte));
        rule
    };
    let mut engine = engine(vec![at("c", 8), at("a", 2), at("b", 2)]);
    let verdict = Line::new(1, "10.0.0.5").fragment(&mut engine, UP, ID, "0-9/30");
    let names: Vec<&str> = verdict.steps.iter().map(|step| &*step.rule).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn an_ending_may_follow_a_dropped_answer() {
    let drop = vec![Action::DropResponse, reset()];
    let mut engine = engine(vec![rule("lost-ack", "", Stage::ResponseHead, drop)]);
    let mut line = Line::new(1, "10.0.0.5");
    line.fragment(&mut engine, UP, ID, "0-9/30");
    let verdict = line.answer(&mut engine, &ack(200, ""));
    let deeds: Vec<&Deed> = verdict.steps.iter().map(|step| &step.deed).collect();
    assert_eq!(deeds, [&Deed::DropResponse, &Deed::Reset(Ends::Both)]);
    assert_eq!(verdict.receipts[0].actions, ["drop_response", "reset"]);
}

#[test]
fn a_rule_is_bounded_in_time_and_counts_on_outside() {
    let mut some = mark("m", "", Stage::RequestHead);
    some.during = During {
        from: Duration::from_secs(30),
        to: Some(Duration::from_secs(90)),
    };
    let mut engine = engine(vec![some]);
    let mut line = Line::new(1, "10.0.0.5");
    let mut said = Vec::new();
    for seconds in [29, 30, 89, 90] {
        line.at = Duration::from_secs(seconds);
        let verdict = line.fragment(&mut engine, UP, ID, "0-9/30");
        said.push((
            verdict.receipts[0].ordinal,
            verdict.receipts[0].reason.clone(),
        ));
    }
    let said: Vec<(u64, &str)> = said.iter().map(|(n, text)| (*n, text.as_str())).collect();
    assert_eq!(
        said,
        [
            (1, "not before 30s"),
            (2, ""),
            (3, ""),
            (4, "over since 1m 30s")
        ]
    );
}

#[test]
fn no_rule_changes_the_draws_of_another() {
    let drawn = |first: bool| {
        let mut half = mark("half", "", Stage::RequestHead);
        half.chance = 0.5;
        let mut rules = vec![half];
        if first {
            let mut third = rule("third", "", Stage::RequestHead, vec![reset()]);
            third.count.every = 3;
            rules.insert(0, third);
        }
        let mut engine = engine(rules);
        let mut line = Line::new(1, "10.0.0.5");
        let mut hits = Vec::new();
        for n in 1..=60_u32 {
            let verdict = line.fragment(&mut engine, UP, ID, "0-9/30");
            if fired(&verdict).contains(&"half") {
                hits.push(n);
            }
        }
        hits
    };
    let free: Vec<u32> = drawn(false).into_iter().filter(|n| n % 3 != 1).collect();
    assert!(free.len() > 10);
    assert_eq!(drawn(true), free);
}

#[test]
fn jitter_and_flipped_bits_are_drawn_within_their_bounds() {
    let jitter = Action::Delay {
        time: Duration::from_millis(300),
        jitter: Duration::from_millis(100),
    };
    let flip = Action::Flip { bytes: 50, bits: 3 };
    let mut engine = engine(vec![rule("r", "", Stage::RequestBody, vec![jitter, flip])]);
    let mut line = Line::new(1, "10.0.0.5");
    let mut times = Vec::new();
    let mut masks = Vec::new();
    for _ in 0..50 {
        let verdict = line.fragment(&mut engine, UP, ID, "0-99/100");
        for step in verdict.steps {
            match step.deed {
                Deed::Delay(time) => times.push(time),
                Deed::Flip(mask) => masks.push(mask),
                deed => panic!("{deed:?}"),
            }
        }
    }
    let bounds = Duration::from_millis(200)..=Duration::from_millis(400);
    assert!(times.iter().all(|time| bounds.contains(time)), "{times:?}");
    assert!(times.iter().min() < times.iter().max());
    assert!(masks.iter().all(|mask| mask.len() == 50));
    assert!(masks.iter().flatten().all(|byte| byte.count_ones() == 3));
    assert_ne!(masks[0], masks[1]);
}

#[test]
fn a_limit_is_shared_by_its_scope() {
    let bucket = |scope: Scope, conn: u32, ip: &str, path: &str| {
        let limit = Action::Limit {
            rate: 1000,
            scope,
            way: Way::Both,
        };
        let mut engine = engine(vec![rule("wan", "", Stage::RequestHead, vec![limit])]);
        let verdict = Line::new(conn, ip).ask(&mut engine, &post(path, "Ping", ""));
        match &verdict.steps[0].deed {
            Deed::Limit { bucket, .. } => bucket.to_string(),
            deed => panic!("{deed:?}"),
        }
    };
    let same =
        |scope, conn, ip, path| bucket(scope, 1, "10.0.0.1", "/a") == bucket(scope, conn, ip, path);
    assert!(same(Scope::Run, 2, "10.0.0.2", "/b"));
    assert!(same(Scope::Client, 2, "10.0.0.1", "/b"));
    assert!(!same(Scope::Client, 2, "10.0.0.2", "/a"));
    assert!(same(Scope::Session, 2, "10.0.0.1", "/a"));
    assert!(!same(Scope::Session, 2, "10.0.0.1", "/b"));
    assert!(!same(Scope::Connection, 2, "10.0.0.1", "/a"));
}

//! What a session's story says of waiting: how long, and why as far as can be told.

#[path = "support/conversation.rs"]
mod conversation;

use std::time::Duration;

use bitstap::event::{Close, Direction};
use conversation::Talk;

const ID: &str = "{7df0354d-249b-430f-820d-3d2a9bef4931}";

/// Asks for a session; `more` are fields of the Ack.
fn create(talk: &mut Talk, more: &str) {
    talk.say(&format!(
        "> BITS_POST /up/a HTTP/1.1
         > Host: first.corp
         > BITS-Packet-Type: Create-Session
         > Content-Length: 0
         >
         < HTTP/1.1 200 OK
         < BITS-Packet-Type: Ack
         < BITS-Protocol: {ID}
         < BITS-Session-Id: {ID}{more}
         < Content-Length: 0
         <"
    ));
}

fn ask(talk: &mut Talk, host: &str) {
    talk.say(&format!(
        "> BITS_POST /up/a HTTP/1.1
         > Host: {host}
         > BITS-Packet-Type: Fragment
         > BITS-Session-Id: {ID}
         > Content-Range: bytes 0-9/30
         > Content-Length: 10
         >
         > 0123456789"
    ));
}

fn answer(talk: &mut Talk, status: &str, more: &str) {
    talk.say(&format!(
        "< HTTP/1.1 {status}
         < BITS-Packet-Type: Ack
         < BITS-Session-Id: {ID}{more}
         < Content-Length: 0
         <"
    ));
}

fn ping(talk: &mut Talk) {
    talk.say(
        "> BITS_POST /up/a HTTP/1.1
         > Host: first.corp
         > BITS-Packet-Type: Ping
         > Content-Length: 0
         >
         < HTTP/1.1 200 OK
         < BITS-Packet-Type: Ack
         < Content-Length: 0
         <",
    );
}

const NEXT: &str = "\n         < BITS-Received-Content-Range: 10";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn story(talk: &Talk) -> String {
    let timeline = talk.timeline();
    assert_eq!(timeline.sessions().len(), 1);
    timeline.sessions()[0].story.join("\n")
}

#[test]
fn the_retry_delay_of_windows_is_named() {
    let mut talk = Talk::new();
    create(&mut talk, "");
    ask(&mut talk, "first.corp");
    answer(&mut talk, "503 Busy", "");
    talk.wait(seconds(601));
    ask(&mut talk, "first.corp");
    answer(&mut talk, "200 OK", NEXT);
    let story = story(&talk);
    let wanted =
        "The client waited 10 min 1 s and tried again: the retry delay of Windows, 10 min.";
    assert!(story.contains(wanted), "{story}");
}

#[test]
fn a_shorter_delay_is_the_jobs_and_a_very_short_one_has_no_reason() {
    let mut talk = Talk::new();
    create(&mut talk, "");
    ask(&mut talk, "first.corp");
    answer(&mut talk, "500 No", "");
    talk.wait(seconds(30));
    ask(&mut talk, "first.corp");
    answer(&mut talk, "500 No", "");
    talk.wait(seconds(2));
    ask(&mut talk, "first.corp");
    answer(&mut talk, "200 OK", NEXT);
    let story = story(&talk);
    assert!(
        story.contains("waited 30 s and tried again: the retry delay of its job"),
        "{story}"
    );
    assert!(story.contains("waited 2 s and tried again."), "{story}");
}

#[test]
fn a_connection_that_broke_is_trouble_too_and_who_hung_up_is_told() {
    let mut talk = Talk::new();
    create(&mut talk, "");
    ask(&mut talk, "first.corp");
    talk.close(Direction::ToClient, Close::Reset);
    talk.wait(seconds(600)).connect("10.0.0.5");
    ping(&mut talk);
    ask(&mut talk, "first.corp");
    answer(&mut talk, "200 OK", NEXT);
    let story = story(&talk);
    assert!(
        story.contains("the server reset the connection."),
        "{story}"
    );
    assert!(story.contains("the retry delay of Windows"), "{story}");
    assert_eq!(story.matches("waited").count(), 1, "{story}");
}

#[test]
fn the_response_timer_of_the_client_is_named() {
    let mut talk = Talk::new();
    create(&mut talk, "");
    ask(&mut talk, "first.corp");
    talk.wait(seconds(300))
        .close(Direction::ToServer, Close::Reset);
    let story = story(&talk);
    let wanted = "the client reset the connection after 5 min: its timer for a response is 5 min.";
    assert!(story.contains(wanted), "{story}");
}

#[test]
fn a_client_that_hangs_up_soon_ran_into_no_timer() {
    let mut talk = Talk::new();
    create(&mut talk, "");
    ask(&mut talk, "first.corp");
    talk.wait(seconds(100))
        .close(Direction::ToServer, Close::Reset);
    let story = story(&talk);
    assert!(
        story.contains("the client reset the connection."),
        "{story}"
    );
    assert!(!story.contains("timer"), "{story}");
}

#[test]
fn a_pause_that_ends_with_a_ping_was_a_suspended_job_or_a_lost_network() {
    let mut talk = Talk::new();
    create(&mut talk, "");
    ask(&mut talk, "first.corp");
    answer(&mut talk, "200 OK", NEXT);
    talk.hang_up().wait(seconds(7200)).connect("10.0.0.5");
    ping(&mut talk);
    ask(&mut talk, "first.corp");
    answer(&mut talk, "200 OK", NEXT);
    let story = story(&talk);
    assert!(
        story.contains("silent for 2 h and came back with a Ping: the job was suspended"),
        "{story}"
    );
}

#[test]
fn a_client_that_leaves_the_host_it_was_sent_to_falls_back() {
    let mut talk = Talk::new();
    create(
        &mut talk,
        "\n         < BITS-Host-Id: second.corp\n         < BITS-Host-Id-Fallback-Timeout: 110",
    );
    ask(&mut talk, "second.corp");
    talk.close(Direction::ToClient, Close::Reset);
    talk.wait(seconds(110)).connect("10.0.0.5");
    ask(&mut talk, "first.corp");
    answer(&mut talk, "200 OK", NEXT);
    let story = story(&talk);
    assert!(
        story.contains("sends the client to host second.corp"),
        "{story}"
    );
    assert!(
        story.contains("went back from second.corp to first.corp"),
        "{story}"
    );
    assert!(!story.contains("turned from"), "{story}");
}

#[test]
fn a_client_that_never_comes_back_is_told_of() {
    let mut talk = Talk::new();
    create(&mut talk, "");
    ask(&mut talk, "first.corp");
    answer(&mut talk, "503 Busy", "");
    talk.hang_up()
        .connect("10.0.0.99")
        .wait(seconds(900))
        .hang_up();
    let story = story(&talk);
    assert!(
        story.ends_with("Then the client closed the connection; the client has not come back: 15 min had passed when the capture ended."),
        "{story}"
    );
}

#[test]
fn who_hung_up_first_is_told_where_nothing_follows() {
    let left = |end: fn(&mut Talk)| {
        let mut talk = Talk::new();
        create(&mut talk, "");
        ask(&mut talk, "first.corp");
        answer(&mut talk, "200 OK", NEXT);
        end(&mut talk);
        story(&talk)
    };
    let by_server = left(|talk| {
        talk.close(Direction::ToClient, Close::Reset);
    });
    assert!(
        by_server.ends_with("Then the server reset the connection, and nothing followed."),
        "{by_server}"
    );
    let by_nobody = left(|_| {});
    assert!(!by_nobody.contains("Then "), "{by_nobody}");
}

#[test]
fn ordinary_traffic_says_nothing_of_waiting() {
    let mut talk = Talk::new();
    create(&mut talk, "");
    for _ in 0..3 {
        talk.wait(seconds(20));
        ask(&mut talk, "first.corp");
        answer(&mut talk, "200 OK", NEXT);
    }
    let story = story(&talk);
    assert!(
        !story.contains("wait") && !story.contains("silent"),
        "{story}"
    );
}

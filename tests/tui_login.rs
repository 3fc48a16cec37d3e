//! A login on the screen: the leg in the row, in words below, its token nowhere.

#[path = "support/screen/mod.rs"]
#[expect(dead_code, reason = "each test file uses a part of it")]
mod screen;

use bitstap::bits::Packet;
use bitstap::bits::auth::{Auth, Offers, Scheme, Stage};
use screen::Screen;
use screen::rows::{Made, exchange, story};

fn login() -> Made {
    let ntlm = |sent, answer| Auth {
        proxy: false,
        scheme: Some(Scheme::Ntlm),
        sent: Some(sent),
        answer,
        offers: Offers::default(),
        persistent: None,
    };
    let mut made = story();
    let mut begun = exchange(1, 1, Packet::Ping, 0);
    begun.auth = Some(ntlm(Stage::Type1, Some(Stage::Type2)));
    begun.status = Some(401);
    let mut last = made.exchanges[1].clone();
    last.auth = Some(ntlm(Stage::Type3, None));
    made.exchanges[0] = begun;
    made.exchanges[1] = last;
    made
}

#[test]
fn the_row_and_the_story_say_which_leg_a_packet_is() {
    let text = Screen::new(login(), 120, 40).keys("2<Home>").text();
    let row = |start: &str| {
        let line = text.lines().find(|line| line.contains(start));
        line.unwrap_or_else(|| panic!("{start}:\n{text}"))
            .to_owned()
    };
    assert!(row("Ping").contains("NTLM type 1"), "{text}");
    // The column of ranges is taken there.
    assert!(
        row("0-2.0M").contains("NTLM type 3 /up/report.csv"),
        "{text}"
    );
    assert!(
        text.contains("The client begins a login by NTLM (type 1); the server answers with its challenge (type 2)."),
        "{text}"
    );
}

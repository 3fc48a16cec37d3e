//! Which of many matches fire: skip, times, every, keys, chance and times of the run.

use crate::disturbed::{Disturbed, End, packet, rule};

/// Sends so many Pings on each of so many connections; returns for each connection which were answered by
/// the rule, as digits.
fn fired(keys: &str, more: &[&str], connections: usize, pings: usize) -> Vec<String> {
    let rules = rule(&format!(
        "{keys}\ndo = [ {{ respond = {{ status = 503 }} }} ]"
    ));
    let run = Disturbed::acking(&rules, more);
    let mut all = Vec::new();
    for _ in 0..connections {
        let mut client = run.client();
        let mut digits = String::new();
        for _ in 0..pings {
            client.say(packet("Ping", ""));
            let fired = client.head().starts_with("HTTP/1.1 503 ");
            digits.push(if fired { '1' } else { '0' });
        }
        client.finish();
        client.ends(End::Fin);
        all.push(digits);
    }
    let told = run.end();
    let faults: String = told
        .exchanges()
        .iter()
        .map(|line| if line.ends_with(": r") { '1' } else { '0' })
        .collect();
    assert_eq!(faults, all.concat(), "{keys}");
    all
}

#[test]
fn counts_say_which_matches_fire() {
    for (keys, wanted) in [
        ("count = { skip = 2 }", "0011 1111"),
        ("count = { skip = 1, times = 2 }", "0110 0000"),
        ("count = { every = 3 }", "1001 0010"),
        ("count = { per = \"run\", times = 1 }", "1000 0000"),
        ("count = { per = \"connection\", times = 1 }", "1000 1000"),
        (
            "count = { per = \"connection\", skip = 1, every = 2, times = 1 }",
            "0100 0100",
        ),
        ("count = { per = \"client\", times = 5 }", "1111 1000"),
        ("count = { per = \"url\", skip = 6 }", "0000 0011"),
        ("count = { per = \"session\", skip = 6 }", "0000 0011"),
        ("during = { from = \"1h\" }", "0000 0000"),
        ("during = { to = \"1h\" }", "1111 1111"),
        ("chance = 0", "0000 0000"),
        ("off = true", "0000 0000"),
        ("when = \"conn == 2\"", "0000 1111"),
    ] {
        assert_eq!(fired(keys, &[], 2, 4).join(" "), wanted, "{keys}");
    }
}

#[test]
fn chance_is_drawn_from_the_seed() {
    let keys = "chance = 0.3\ncount = { per = \"connection\" }";
    let first = fired(keys, &["--seed", "20261122"], 4, 16);
    let all = first.concat();
    let fires = all.chars().filter(|digit| *digit == '1').count();
    assert!((6..=35).contains(&fires), "{all}");
    assert_eq!(fired(keys, &["--seed", "20261122"], 4, 16), first);
    assert_ne!(fired(keys, &["--seed", "20261123"], 4, 16), first);
}

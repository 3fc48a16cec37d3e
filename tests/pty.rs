//! The screen in a real terminal: drives the binary with keys and reads what it shows.
#![cfg(unix)]

#[path = "support/terminal.rs"]
mod terminal;

use terminal::Terminal;

#[test]
fn the_demo_moves_takes_keys_and_gives_the_terminal_back() {
    let mut terminal = Terminal::start(&["demo"], 40, 120);
    terminal.wait_for("Create-Session");
    terminal.wait("the alternate screen", vt100::Screen::alternate_screen);
    terminal.press("?");
    // A frame may arrive in pieces: what belongs together is waited for together.
    terminal.wait("the help", |screen| {
        let text = screen.contents();
        text.contains("Help (Esc closes") && text.contains("pause the display")
    });
    // Sent at once, as a slow line delivers them: a terminal's Alt-6 is the same two bytes.
    terminal.press("\x1b6");
    terminal.wait("the log, without the help", |screen| {
        let text = screen.contents();
        text.contains(" Log ") && !text.contains("Help (Esc closes")
    });
    terminal.press("2");
    terminal.wait_for("Packets of all sessions");
    terminal.press("q");
    terminal.wait_for("save capture as:");
    // Escape stays, an empty name leaves without keeping the capture.
    terminal.press("\x1b");
    terminal.wait("the keys again", |screen| {
        !screen.contents().contains("save capture as:")
    });
    terminal.press("q");
    terminal.wait_for("save capture as:");
    terminal.press("\r");
    let status = terminal.child.wait().unwrap();
    assert!(status.success(), "{status:?}");
    terminal.wait("the old screen", |screen| {
        !screen.alternate_screen() && !screen.hide_cursor()
    });
}

#[test]
fn a_signal_gives_the_terminal_back_too() {
    let mut terminal = Terminal::start(&["demo"], 24, 80);
    terminal.wait_for("Create-Session");
    let id = terminal.child.process_id().unwrap().to_string();
    let status = std::process::Command::new("kill")
        .args(["-TERM", &id])
        .status()
        .unwrap();
    assert!(status.success());
    terminal.child.wait().unwrap();
    terminal.wait("the old screen", |screen| {
        !screen.alternate_screen() && !screen.hide_cursor()
    });
}

#[test]
fn a_capture_opens_on_the_screen() {
    let captures = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/upload.pcapng");
    let mut terminal = Terminal::start(&["view", captures], 40, 120);
    terminal.wait_for("Close-Session");
    terminal.press("q");
    let status = terminal.child.wait().unwrap();
    assert!(status.success(), "{status:?}");
}

#[test]
fn a_filter_reads_heads_back_on_the_screen() {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/upload.pcapng");
    let filter = "http.header.bits-packet-type == close-session";
    let mut terminal = Terminal::start(&["view", "--filter", filter, capture], 40, 120);
    let all = terminal.wait_for("Close-Session");
    assert!(!all.contains("Create-Session "), "{all}");
    // Ctrl-U empties the line, which begins with the filter that is applied.
    terminal.press("2/\x15http.statsu");
    terminal.wait_for("^^^^^^^^^^^ there is no field");
    terminal.press("\x1b");
    terminal.wait("the line gone", |screen| {
        !screen.contents().contains("there is no field")
    });
    terminal.press("3");
    terminal.wait_for("carried by packet");
    terminal.press("q");
    let status = terminal.child.wait().unwrap();
    assert!(status.success(), "{status:?}");
}

#[test]
fn a_comment_survives_the_screen_and_a_finding_leads_to_its_packet() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.pcapng");
    let golden = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/captures/example-resume.pcapng"
    );
    std::fs::copy(golden, &path).unwrap();
    let file = path.to_str().unwrap();

    let mut terminal = Terminal::start(&["view", file], 40, 120);
    terminal.wait("the file read to its end", |screen| {
        let text = screen.contents();
        text.contains("Close-Session") && text.contains("ended")
    });
    terminal.press("4");
    terminal.wait_for("BUP-FR-15");
    terminal.press("/finding == BUP-FR-15\r");
    terminal.wait("one rule", |screen| {
        let text = screen.contents();
        text.contains("BUP-FR-15") && !text.contains("BUP-AK-05  server")
    });
    terminal.press("\r");
    terminal.wait("the packet of the finding", |screen| {
        let text = screen.contents();
        text.contains("Packets of") && text.contains("packet 2 ")
    });
    terminal.press("m");
    terminal.wait_for("is marked; it is in the file");
    terminal.press(";look at this\r");
    terminal.wait_for("look at this; it is in the file");
    terminal.press("q");
    assert!(terminal.child.wait().unwrap().success());

    let mut terminal = Terminal::start(&["view", "--filter", "mark", file], 40, 120);
    terminal.wait("the comment again", |screen| {
        let text = screen.contents();
        text.contains("*\"2") && text.contains("look at this")
    });
    terminal.press("q");
    assert!(terminal.child.wait().unwrap().success());
}

#[test]
fn a_mark_of_a_live_run_is_in_its_capture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.pcapng");
    let file = path.to_str().unwrap();
    let mut terminal = Terminal::start(&["demo", "--scene", "upload", "--capture", file], 40, 120);
    terminal.wait_for("Close-Session");
    terminal.press("2g;first of all\r");
    terminal.wait_for("first of all; it is in the capture");
    terminal.press("q");
    assert!(terminal.child.wait().unwrap().success());
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_bitstap"))
        .args(["view", "--json", "--filter", "mark", file])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(r#""notes":["first of all"]"#), "{text}");
}

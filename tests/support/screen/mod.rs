//! A screen without a terminal: keys as text, frames as text.

#![expect(
    unreachable_pub,
    reason = "shared by several test crates, each of which uses a part"
)]

pub mod rows;

use bitstap::fault::Control;
use bitstap::tui::model::Model;
use bitstap::tui::operator;
use bitstap::tui::update::{Drawn, Effect, Input, update};
use bitstap::tui::{Look, Recording, Status, view};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;

use std::sync::Arc;

use rows::{MIB, Made, answer, ms};

pub fn live_status() -> Status {
    Status {
        title: "127.0.0.1:8080 -> http://iis.corp".into(),
        recording: Some(Recording {
            path: "uploads.pcapng".into(),
            size: 812 * MIB,
            failed: None,
        }),
        log: vec!["Listening on 127.0.0.1:8080.".into()],
        ..Status::default()
    }
}

/// A screen that is driven by keys and looked at as text.
pub struct Screen {
    pub model: Model,
    pub rows: Made,
    /// Effects that are not reads, in order.
    pub effects: Vec<Effect>,
    /// Whom acts are asked of, as the loop does it.
    pub control: Option<Arc<dyn Control>>,
}

impl Screen {
    pub fn new(rows: Made, width: u16, height: u16) -> Self {
        Self::with_look(rows, width, height, Look::default())
    }

    pub fn with_look(rows: Made, width: u16, height: u16, look: Look) -> Self {
        let mut screen = Self {
            model: Model::new(look, Size::new(width, height)),
            rows,
            effects: Vec::new(),
            control: None,
        };
        screen.send(Input::Status(Box::new(live_status())));
        screen.send(Input::Tick(ms(47_000)));
        screen.send(Input::Rows);
        screen
    }

    pub fn send(&mut self, input: Input) {
        for effect in update(&mut self.model, &self.rows, input) {
            match effect {
                Effect::Read(want) => {
                    let read = Input::Read(want, answer(want));
                    let more = update(&mut self.model, &self.rows, read);
                    assert!(more.is_empty(), "a read asked for {more:?}");
                }
                Effect::Annotate(event) => {
                    self.rows.write(&event);
                    self.effects.push(Effect::Annotate(event));
                    self.send(Input::Saved(Ok("written".into())));
                }
                Effect::Act(act) => {
                    let done = operator::perform(self.control.as_deref(), act.clone());
                    self.effects.push(Effect::Act(act));
                    self.look();
                    self.send(Input::Saved(done));
                }
                other => self.effects.push(other),
            }
        }
    }

    /// Looks where rules and held messages stand, as the loop does.
    pub fn look(&mut self) {
        if let Some(control) = &self.control {
            let about = operator::about(&self.model, &self.rows);
            let about = about.filter(|_| operator::asks_why(&self.model));
            let stand = operator::look(&**control, about);
            self.send(Input::Stand(Box::new(stand)));
        }
    }

    /// Presses keys: single characters, or names like `<Enter>` and `<C-f>`.
    pub fn keys(&mut self, script: &str) -> &mut Self {
        for key in parse(script) {
            self.send(Input::Key(key));
            self.frame();
        }
        self
    }

    /// Draws one frame, as the loop would.
    pub fn frame(&mut self) -> Terminal<TestBackend> {
        let size = self.model.size;
        let backend = TestBackend::new(size.width, size.height);
        let mut terminal = Terminal::new(backend).unwrap();
        let mut drawn = Drawn::default();
        terminal
            .draw(|frame| drawn = view::draw(frame, &self.model, &self.rows))
            .unwrap();
        self.send(Input::Drawn(drawn));
        terminal
    }

    /// Returns the frame as text.
    pub fn text(&mut self) -> String {
        let terminal = self.frame();
        let buffer = terminal.backend().buffer();
        let width = usize::from(buffer.area.width);
        let mut out = String::new();
        for line in buffer.content.chunks(width) {
            let mut text = String::new();
            let mut skip = 0;
            for cell in line {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                text.push_str(cell.symbol());
                skip = ratatui::text::Line::raw(cell.symbol())
                    .width()
                    .saturating_sub(1);
            }
            out.push_str(text.trim_end());
            out.push('\n');
        }
        out
    }
}

/// Reads a key script.
pub fn parse(script: &str) -> Vec<KeyEvent> {
    let mut keys = Vec::new();
    let mut rest = script;
    while let Some(c) = rest.chars().next() {
        let named = rest
            .strip_prefix('<')
            .and_then(|inner| inner.split_once('>'));
        let (key, after) = match named {
            Some((name, after)) => (named_key(name), after),
            None => (
                KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE),
                &rest[c.len_utf8()..],
            ),
        };
        keys.push(key);
        rest = after;
    }
    keys
}

fn named_key(name: &str) -> KeyEvent {
    if let Some(c) = name.strip_prefix("C-") {
        let c = c.chars().next().expect("a key after C-");
        return KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL);
    }
    let code = match name {
        "Enter" => KeyCode::Enter,
        "Esc" => KeyCode::Esc,
        "Tab" => KeyCode::Tab,
        "BackTab" => KeyCode::BackTab,
        "Up" => KeyCode::Up,
        "Down" => KeyCode::Down,
        "Left" => KeyCode::Left,
        "Right" => KeyCode::Right,
        "PgUp" => KeyCode::PageUp,
        "PgDn" => KeyCode::PageDown,
        "Home" => KeyCode::Home,
        "End" => KeyCode::End,
        "Backspace" => KeyCode::Backspace,
        "F1" => KeyCode::F(1),
        "F3" => KeyCode::F(3),
        "F4" => KeyCode::F(4),
        other => panic!("no key is called {other}"),
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}

//! A few lines of text under the cursor: the raw head while it is edited.
//!
//! Knows nothing of heads.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Most characters that can be typed or pasted.
const LONGEST: usize = 64 * 1024;

/// Lines and a cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    /// At least one.
    pub lines: Vec<String>,
    pub row: usize,
    /// In characters; may be behind the last one.
    pub column: usize,
}

impl Raw {
    /// Begins at the start of the first line.
    pub fn new(lines: Vec<String>) -> Self {
        let mut lines = lines;
        if lines.is_empty() {
            lines.push(String::new());
        }
        Self {
            lines,
            row: 0,
            column: 0,
        }
    }

    /// Takes a key; keys without a meaning do nothing.
    pub(super) fn press(&mut self, key: &KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('a') if control => self.column = 0,
            KeyCode::Char('e') if control => self.column = self.len(),
            KeyCode::Char('k') if control => self.cut(),
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => {
                self.insert(c);
            }
            KeyCode::Backspace => self.backspace(),
            KeyCode::Delete if self.right() => self.backspace(),
            KeyCode::Left => {
                self.left();
            }
            KeyCode::Right => {
                self.right();
            }
            KeyCode::Home => self.column = 0,
            KeyCode::End => self.column = self.len(),
            _ => {}
        }
    }

    /// Moves up or down.
    pub(super) fn step(&mut self, by: isize) {
        let last = self.lines.len().saturating_sub(1);
        self.row = self.row.saturating_add_signed(by).min(last);
        self.column = self.column.min(self.len());
    }

    /// Types a character; a line end begins a new line, other control characters are left out.
    pub(super) fn insert(&mut self, c: char) {
        if c == '\n' {
            self.break_line();
        } else if (!c.is_control() || c == '\t') && self.size() < LONGEST {
            let at = self.byte();
            if let Some(line) = self.lines.get_mut(self.row) {
                line.insert(at, c);
                self.column += 1;
            }
        }
    }

    /// Breaks the line at the cursor.
    pub(super) fn break_line(&mut self) {
        if self.size() >= LONGEST {
            return;
        }
        let at = self.byte();
        let Some(line) = self.lines.get_mut(self.row) else {
            return;
        };
        let rest = line.split_off(at);
        self.row += 1;
        self.column = 0;
        self.lines.insert(self.row, rest);
    }

    /// Deletes to the end of the line; an empty line altogether.
    fn cut(&mut self) {
        let at = self.byte();
        let empty = self.lines.get(self.row).is_some_and(String::is_empty);
        if empty && self.lines.len() > 1 {
            self.lines.remove(self.row);
            self.step(0);
        } else if let Some(line) = self.lines.get_mut(self.row) {
            line.truncate(at);
        }
    }

    fn backspace(&mut self) {
        if self.column > 0 {
            self.column -= 1;
            let at = self.byte();
            if let Some(line) = self.lines.get_mut(self.row) {
                line.remove(at);
            }
        } else if self.row > 0 {
            let line = self.lines.remove(self.row);
            self.row -= 1;
            self.column = self.len();
            if let Some(before) = self.lines.get_mut(self.row) {
                before.push_str(&line);
            }
        }
    }

    fn left(&mut self) -> bool {
        if self.column > 0 {
            self.column -= 1;
        } else if self.row > 0 {
            self.row -= 1;
            self.column = self.len();
        } else {
            return false;
        }
        true
    }

    fn right(&mut self) -> bool {
        if self.column < self.len() {
            self.column += 1;
        } else if self.row + 1 < self.lines.len() {
            self.row += 1;
            self.column = 0;
        } else {
            return false;
        }
        true
    }

    /// Characters of the line.
    fn len(&self) -> usize {
        self.lines
            .get(self.row)
            .map_or(0, |line| line.chars().count())
    }

    fn size(&self) -> usize {
        self.lines.iter().map(|line| line.len() + 1).sum()
    }

    /// Byte of the line at which the cursor stands.
    fn byte(&self) -> usize {
        let line = self.lines.get(self.row).map_or("", String::as_str);
        line.char_indices()
            .nth(self.column)
            .map_or(line.len(), |(at, _)| at)
    }
}

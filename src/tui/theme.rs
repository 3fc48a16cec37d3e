//! Meaning to style and to sign: dark, light, plain; with or without characters outside ASCII.
//!
//! Colour only repeats what a word or a sign says. Knows no panes.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

use super::Look;

/// What a piece of the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Text,
    /// Labels, units, what is over and well.
    Dim,
    Strong,
    Border,
    /// The border of the pane that takes the keys.
    Focus,
    /// The selected row of the pane that takes the keys.
    Selected,
    /// The selected row of another pane.
    Marked,
    Good,
    Warning,
    Error,
    /// What moves now.
    Live,
    /// A key in the footer or the help.
    Key,
    /// The first and the last line.
    Bar,
}

impl Role {
    /// All of them, for tests and legends.
    pub const ALL: [Self; 13] = [
        Self::Text,
        Self::Dim,
        Self::Strong,
        Self::Border,
        Self::Focus,
        Self::Selected,
        Self::Marked,
        Self::Good,
        Self::Warning,
        Self::Error,
        Self::Live,
        Self::Key,
        Self::Bar,
    ];
}

/// Returns the style of a meaning.
pub fn style(look: Look, role: Role) -> Style {
    if look.plain {
        return plain(role);
    }
    let (dim, good, warning, error, live, back) = if look.light {
        (
            Color::Indexed(243),
            Color::Indexed(28),
            Color::Indexed(130),
            Color::Indexed(160),
            Color::Indexed(25),
            Color::Indexed(253),
        )
    } else {
        (
            Color::Indexed(245),
            Color::Indexed(108),
            Color::Indexed(179),
            Color::Indexed(203),
            Color::Indexed(110),
            Color::Indexed(237),
        )
    };
    let base = Style::new();
    match role {
        Role::Text => base,
        Role::Dim | Role::Border => base.fg(dim),
        Role::Strong | Role::Marked => base.add_modifier(Modifier::BOLD),
        Role::Selected => base.bg(back).add_modifier(Modifier::BOLD),
        Role::Good => base.fg(good),
        Role::Warning => base.fg(warning),
        Role::Error => base.fg(error),
        Role::Focus | Role::Live => base.fg(live),
        Role::Key => base.fg(live).add_modifier(Modifier::BOLD),
        Role::Bar => base.bg(back),
    }
}

fn plain(role: Role) -> Style {
    let base = Style::new();
    match role {
        Role::Selected => base.add_modifier(Modifier::REVERSED),
        Role::Strong | Role::Marked | Role::Error | Role::Key => base.add_modifier(Modifier::BOLD),
        _ => base,
    }
}

/// The signs that the screen draws itself.
#[derive(Clone, Copy, Debug)]
pub struct Signs {
    pub border: border::Set<'static>,
    pub full: &'static str,
    pub empty: &'static str,
    /// Before the selected row.
    pub here: &'static str,
    pub ascending: &'static str,
    pub descending: &'static str,
    pub to: &'static str,
    pub bullet: &'static str,
    /// Between the parts of a line.
    pub dot: &'static str,
    pub live: &'static str,
}

/// Returns the signs of a look.
pub fn signs(look: Look) -> Signs {
    if look.ascii { ASCII } else { UNICODE }
}

const UNICODE: Signs = Signs {
    border: border::ROUNDED,
    full: "█",
    empty: "░",
    here: "▸",
    ascending: "▴",
    descending: "▾",
    to: "→",
    bullet: "•",
    dot: "·",
    live: "●",
};

const ASCII: Signs = Signs {
    border: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
    full: "#",
    empty: ".",
    here: ">",
    ascending: "^",
    descending: "v",
    to: "->",
    bullet: "-",
    dot: "-",
    live: "*",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_look_sets_no_colour() {
        for light in [false, true] {
            let look = Look {
                light,
                plain: true,
                ascii: false,
            };
            for role in Role::ALL {
                let style = style(look, role);
                assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
            }
        }
    }

    #[test]
    fn failures_look_different_from_successes() {
        for light in [false, true] {
            let look = Look {
                light,
                ..Look::default()
            };
            assert_ne!(style(look, Role::Good), style(look, Role::Error));
            assert_ne!(style(look, Role::Warning), style(look, Role::Error));
        }
    }
}

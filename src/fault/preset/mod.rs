//! Ready-made rules: one for each line of the fault catalogue that a proxy can make.
//!
//! Data alone, one table per group of the catalogue; the parser reads the texts like any rules file.
//! What a client then does stands in [`crate::bits::faults`].

mod application;
mod download;
mod network;
mod upload;

use std::sync::LazyLock;

use crate::bits::faults::{self, Fault};

/// A ready-made rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// `F-15`, or `F-15/503` for another way to make the same fault.
    pub id: &'static str,
    /// The keys of a rule, `name` and `preset` left out.
    pub toml: &'static str,
    /// What it needs, or how it is made; one clause, may be empty.
    pub remark: &'static str,
}

impl Preset {
    /// Returns its line of the catalogue.
    pub fn fault(&self) -> Option<&'static Fault> {
        faults::find(self.id.split('/').next()?)
    }

    /// Returns it as a rule of a file.
    pub fn rule(&self) -> String {
        format!("[[rule]]\nname  = \"{}\"\n{}\n", self.id, self.toml.trim())
    }
}

/// A line of the catalogue that a proxy cannot make alone, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmade {
    pub id: &'static str,
    /// One clause.
    pub reason: &'static str,
}

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    [
        upload::PRESETS,
        network::PRESETS,
        download::PRESETS,
        application::PRESETS,
    ]
    .concat()
});

const UNMADE: [Unmade; 2] = [
    Unmade {
        id: "F-29",
        reason: "which other host is alive only you know; F-27 with its name as host_id and no timeout makes it",
    },
    Unmade {
        id: "F-30",
        reason: "it takes a live TLS server under a name that its certificate lacks; F-27 with that name as host_id makes it",
    },
];

/// Returns all presets in the order of the catalogue.
pub fn all() -> &'static [Preset] {
    &PRESETS
}

/// Returns the preset that `id` names as people write it: `F-11`, `f11`, `F-15/503`.
pub fn find(id: &str) -> Option<&'static Preset> {
    let (id, way) = split(id)?;
    all().iter().find(|preset| {
        let mut parts = preset.id.splitn(2, '/');
        parts.next() == Some(id) && parts.next().unwrap_or_default().eq_ignore_ascii_case(way)
    })
}

/// Returns the lines of the catalogue without a preset.
pub fn all_unmade() -> &'static [Unmade] {
    &UNMADE
}

/// Returns why a line of the catalogue has no preset.
pub fn unmade(id: &str) -> Option<&'static Unmade> {
    let (id, _) = split(id)?;
    UNMADE.iter().find(|unmade| unmade.id == id)
}

/// The catalogue's own spelling of an id, and the way behind the slash.
fn split(id: &str) -> Option<(&'static str, &str)> {
    let (id, way) = id.split_once('/').unwrap_or((id, ""));
    Some((faults::find(id)?.id, way.trim()))
}

const fn preset(id: &'static str, remark: &'static str, toml: &'static str) -> Preset {
    Preset { id, toml, remark }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::parse;

    #[test]
    fn every_line_of_the_catalogue_is_made_or_says_why_not() {
        for fault in faults::faults() {
            let made = find(fault.id).is_some();
            assert_ne!(made, unmade(fault.id).is_some(), "{}", fault.id);
        }
    }

    #[test]
    fn every_preset_is_a_rule_by_itself_and_by_name() {
        for preset in all() {
            let alone =
                parse(&preset.rule()).unwrap_or_else(|errors| panic!("{}: {errors:?}", preset.id));
            let named = parse(&format!("[[rule]]\npreset = \"{}\"\n", preset.id)).unwrap();
            let mut made = alone.rules.clone();
            made[0].preset = Some(preset.id.to_owned());
            assert_eq!(named.rules, made, "{}", preset.id);
        }
    }

    #[test]
    fn ids_are_unique_and_found_as_people_write_them() {
        for preset in all() {
            assert_eq!(find(preset.id), Some(preset));
            assert!(preset.fault().is_some(), "{}", preset.id);
        }
        assert_eq!(find("f15/503").map(|preset| preset.id), Some("F-15/503"));
        assert_eq!(find("F-15/505"), None);
        assert_eq!(find("F-99"), None);
    }
}

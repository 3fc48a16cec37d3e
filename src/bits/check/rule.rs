//! What a rule and a finding are: values, without any opinion of their own.

/// Tells how bad it is that a rule was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The profile does not know the rule.
    Off,
    /// Differs from the text but is known in the field, or is just worth showing.
    Note,
    /// Breaks a SHOULD, or is risky.
    Warning,
    /// Breaks a MUST that real peers rely on.
    Error,
}

impl Level {
    /// Returns the name used in JSON and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Tells whose documents decide where they disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// What Windows and IIS really do is neither an error nor a warning.
    #[default]
    Windows,
    /// MC-BUP to the letter.
    Spec,
    /// The Win32 pages.
    Docs,
}

impl Profile {
    pub const ALL: [Self; 3] = [Self::Windows, Self::Spec, Self::Docs];

    /// Returns the name used on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::Spec => "spec",
            Self::Docs => "docs",
        }
    }
}

/// Tells who broke a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Client,
    Server,
    /// The session as a whole; neither end alone.
    Session,
    /// The server or its application, in a notification.
    Backend,
    /// We ourselves.
    Proxy,
}

impl Who {
    /// Returns the name used in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
            Self::Session => "session",
            Self::Backend => "backend",
            Self::Proxy => "proxy",
        }
    }
}

pub(super) const CLIENT: &[Who] = &[Who::Client];
pub(super) const SERVER: &[Who] = &[Who::Server];
pub(super) const EITHER: &[Who] = &[Who::Client, Who::Server];
pub(super) const SESSION: &[Who] = &[Who::Session];
pub(super) const BACKEND: &[Who] = &[Who::Backend];

/// One row of a table of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stable: `BUP-FR-12`.
    pub id: &'static str,
    windows: Level,
    spec: Level,
    docs: Level,
    /// Who can break it.
    pub who: &'static [Who],
    /// Document and section.
    pub source: &'static str,
    /// What must hold: a whole sentence.
    pub says: &'static str,
    /// What goes behind a number: `fragments have no Content-Range`.
    many: &'static str,
    /// It is told once in a session, since every packet of a peer breaks it alike.
    pub once: bool,
}

impl Rule {
    /// Returns how bad a breach is under `profile`.
    pub const fn level(&self, profile: Profile) -> Level {
        match profile {
            Profile::Windows => self.windows,
            Profile::Spec => self.spec,
            Profile::Docs => self.docs,
        }
    }

    /// Returns one line for `count` findings of this rule.
    pub fn summary(&self, count: usize) -> String {
        format!("{count} {}", self.many)
    }

    pub(super) const fn spec(self, level: Level) -> Self {
        Self {
            spec: level,
            ..self
        }
    }

    pub(super) const fn docs(self, level: Level) -> Self {
        Self {
            docs: level,
            ..self
        }
    }

    pub(super) const fn once(self) -> Self {
        Self { once: true, ..self }
    }
}

/// Makes a row with one level in all profiles.
pub(super) const fn rule(
    id: &'static str,
    level: Level,
    who: &'static [Who],
    source: &'static str,
    says: &'static str,
    many: &'static str,
) -> Rule {
    Rule {
        id,
        windows: level,
        spec: level,
        docs: level,
        who,
        source,
        says,
        many,
        once: false,
    }
}

/// A breach of a rule, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub id: &'static str,
    pub level: Level,
    pub who: Who,
    pub exchange: Option<u32>,
    pub session: Option<u32>,
    /// A whole sentence about this packet.
    pub text: String,
    pub source: &'static str,
}

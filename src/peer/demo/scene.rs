//! The scenes of the demo: what each shows, what the server does to it, and how it must end.

use std::time::Duration;

use bytes::Bytes;

use super::content;
use crate::peer::client::{PieceSize, Sent};
use crate::peer::server::{Quirk, Quirks};

/// One short play on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// One word or two with a hyphen.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    pub(super) file: &'static str,
    /// Bytes of the file.
    pub(super) size: usize,
    pub(super) kind: Kind,
    pub(super) quirk: Option<Fixed>,
    pub(super) expect: Expect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Upload(&'static [u64]),
    /// The client changes its mind after this many bytes.
    Cancelled(&'static [u64], u64),
    Download(&'static [u64]),
}

/// A quirk that can stand in a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fixed {
    Reply(usize),
    LoseAck(u32),
    Forget(u32),
    Rewind(u32, u64),
    TooLarge(u64),
}

/// How often the client must have met what the scene is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expect {
    pub(super) retries: u32,
    pub(super) restarts: u32,
    pub(super) rewinds: u32,
    pub(super) shrinks: u32,
    pub(super) reply: bool,
}

const KIB: u64 = 1024;
const NOTHING: Expect = Expect {
    retries: 0,
    restarts: 0,
    rewinds: 0,
    shrinks: 0,
    reply: false,
};
const MIXED: &[u64] = &[4 * KIB, 9 * KIB, 7 * KIB, 14 * KIB, 12 * KIB, 3 * KIB];

static SCENES: [Scene; 8] = [
    Scene {
        name: "upload",
        about: "A plain upload: Create-Session, Fragments of growing size, Close-Session.",
        file: "report.csv",
        size: 120_000,
        kind: Kind::Upload(&[2 * KIB, 4 * KIB, 8 * KIB, 12 * KIB, 16 * KIB, 20 * KIB]),
        quirk: None,
        expect: NOTHING,
    },
    Scene {
        name: "upload-reply",
        about: "The last Ack names a reply, the client downloads it, then closes the session.",
        file: "question.xml",
        size: 64_000,
        kind: Kind::Upload(&[8 * KIB, 5 * KIB, 11 * KIB]),
        quirk: Some(Fixed::Reply(20_000)),
        expect: Expect {
            reply: true,
            ..NOTHING
        },
    },
    Scene {
        name: "lost-ack",
        about: "The server takes a Fragment but its Ack is lost: new connection, Ping, the same bytes again.",
        file: "inventory.csv",
        size: 70_000,
        kind: Kind::Upload(MIXED),
        quirk: Some(Fixed::LoseAck(4)),
        expect: Expect {
            retries: 1,
            ..NOTHING
        },
    },
    Scene {
        name: "session-lost",
        about: "The server forgets the session: BG_E_SESSION_NOT_FOUND, and all again from the start.",
        file: "backup.bin",
        size: 64_000,
        kind: Kind::Upload(MIXED),
        quirk: Some(Fixed::Forget(5)),
        expect: Expect {
            restarts: 1,
            ..NOTHING
        },
    },
    Scene {
        name: "rewind",
        about: "The server lost bytes that it had acknowledged: 416 with a lower offset, and the client goes back.",
        file: "journal.log",
        size: 80_000,
        kind: Kind::Upload(MIXED),
        quirk: Some(Fixed::Rewind(6, 17_000)),
        expect: Expect {
            rewinds: 1,
            ..NOTHING
        },
    },
    Scene {
        name: "shrink",
        about: "The server refuses large Fragments with 413, and the client halves them until they pass.",
        file: "photos.zip",
        size: 72_000,
        kind: Kind::Upload(&[24 * KIB]),
        quirk: Some(Fixed::TooLarge(8 * KIB)),
        expect: Expect {
            shrinks: 2,
            ..NOTHING
        },
    },
    Scene {
        name: "cancel",
        about: "The client gives up in the middle: Cancel-Session, and nothing of the file stays.",
        file: "movie.mpg",
        size: 100_000,
        kind: Kind::Cancelled(MIXED, 42_000),
        quirk: None,
        expect: NOTHING,
    },
    Scene {
        name: "download",
        about: "A download: HEAD for size and time, then one range after the other.",
        file: "driver.cab",
        size: 110_000,
        kind: Kind::Download(&[6 * KIB, 10 * KIB, 14 * KIB, 18 * KIB]),
        quirk: None,
        expect: NOTHING,
    },
];

/// Returns all scenes in the order in which they are played.
pub fn scenes() -> &'static [Scene] {
    &SCENES
}

impl Scene {
    /// Returns the path of its URL on the demo's server.
    pub fn path(&self) -> String {
        format!("/{}/{}", self.name, self.file)
    }

    pub(super) fn content(&self) -> Vec<u8> {
        content::file(self.name, self.size)
    }

    /// Returns the reply that the server makes.
    pub(super) fn reply(&self) -> Option<Vec<u8>> {
        match self.quirk {
            Some(Fixed::Reply(size)) => Some(content::file("reply", size)),
            _ => None,
        }
    }

    pub(super) fn pieces(&self) -> PieceSize {
        let (Kind::Upload(sizes) | Kind::Cancelled(sizes, _) | Kind::Download(sizes)) = self.kind;
        PieceSize::Cycle(sizes.to_vec())
    }

    /// Tells whether an upload met what the scene is about.
    pub(super) fn check(&self, sent: &Sent) -> Result<(), String> {
        let met = Expect {
            retries: sent.retries,
            restarts: sent.restarts,
            rewinds: sent.rewinds,
            shrinks: sent.shrinks,
            reply: sent.reply.is_some(),
        };
        if met == self.expect {
            Ok(())
        } else {
            Err(format!("the client met {met:?}, not {:?}", self.expect))
        }
    }
}

/// Writes the script of the server.
pub(super) fn script() -> Quirks {
    scenes().iter().fold(Quirks::default(), |quirks, scene| {
        let quirk = match scene.quirk {
            None => return quirks,
            Some(Fixed::Reply(_)) => Quirk::Reply(Bytes::from(scene.reply().unwrap_or_default())),
            Some(Fixed::LoseAck(fragment)) => Quirk::LoseAck { fragment },
            Some(Fixed::Forget(fragment)) => Quirk::Forget { fragment },
            Some(Fixed::Rewind(fragment, to)) => Quirk::Rewind { fragment, to },
            Some(Fixed::TooLarge(limit)) => Quirk::TooLarge { limit },
        };
        quirks.with(scene.path(), quirk)
    })
}

/// How long a client of the demo waits after trouble: long enough to be seen, and not at all when nobody looks.
pub(super) fn retry_delay(pace: Duration) -> Duration {
    pace * 3
}

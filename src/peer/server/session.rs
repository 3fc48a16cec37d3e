//! One upload session on disk: a folder with the bytes received, a small state file, and the reply.
//!
//! ```text
//! ROOT/.bitstap-sessions/{GUID}/data         the bytes received so far
//!                               state.json   URL, total, how many bytes of `data` count
//!                               reply        the upload-reply, once it is made
//! ```
//!
//! The order is: bytes into `data` and synced, then the state replaced (written aside, synced, renamed), then the
//! Ack. So after a crash at any moment the offset that we tell is never above what is on disk; it may be below
//! what was told, and the client goes back there (MC-BUP §3.1.5.1.4). Knows no HTTP.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::peer::place;

const DATA: &str = "data";
const STATE: &str = "state.json";
const REPLY: &str = "reply";

/// What a session remembers across a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Path of the destination URL as sent, with its query.
    pub(super) url: String,
    /// Where the file goes, below the root.
    pub(super) segments: Vec<String>,
    /// Size of the whole file, known from the first Fragment on.
    pub(super) total: Option<u64>,
    /// Offset of the next byte wanted.
    pub(super) received: u64,
    /// The reply was made; the server application is not asked again.
    pub(super) replied: bool,
}

impl State {
    pub(super) fn is_complete(&self) -> bool {
        self.total == Some(self.received)
    }
}

/// One session; whoever holds it is alone with it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: String,
    folder: PathBuf,
    pub(super) state: State,
    /// Counts the Fragments of this run of the server.
    pub(super) fragments: u32,
}

impl Session {
    /// Makes the folder of a new session.
    pub(super) fn create(
        work: &Path,
        id: &str,
        url: &str,
        segments: Vec<String>,
    ) -> io::Result<Self> {
        let folder = work.join(id);
        fs::create_dir(&folder)?;
        let session = Self {
            id: id.to_owned(),
            folder,
            state: State {
                url: url.to_owned(),
                segments,
                total: None,
                received: 0,
                replied: false,
            },
            fragments: 0,
        };
        File::create_new(session.data())?;
        session.save()?;
        Ok(session)
    }

    /// Reads a session back; whatever `data` lacks was not received.
    pub(super) fn restore(folder: PathBuf, id: &str) -> io::Result<Self> {
        let text = fs::read(folder.join(STATE))?;
        let mut state: State = serde_json::from_slice(&text)?;
        state.received = state.received.min(fs::metadata(folder.join(DATA))?.len());
        Ok(Self {
            id: id.to_owned(),
            folder,
            state,
            fragments: 0,
        })
    }

    /// Replaces the state on disk by the one in hand.
    pub(super) fn save(&self) -> io::Result<()> {
        let aside = self.folder.join("state.new");
        let mut file = File::create(&aside)?;
        file.write_all(&serde_json::to_vec(&self.state)?)?;
        file.sync_all()?;
        fs::rename(aside, self.folder.join(STATE))
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join(DATA)
    }

    pub(super) fn reply(&self) -> PathBuf {
        self.folder.join(REPLY)
    }

    /// Counts `bytes` more as received; they must be in `data` and synced.
    pub(super) fn advance(&mut self, bytes: u64, total: u64) -> io::Result<()> {
        self.state.received = self.state.received.saturating_add(bytes);
        self.state.total = Some(total);
        self.save()
    }

    /// Loses what was received from `to` on.
    pub(super) fn rewind(&mut self, to: u64) -> io::Result<()> {
        self.state.received = self.state.received.min(to);
        self.save()
    }

    /// Moves the file to its place below `root` in one step, and returns the place.
    ///
    /// Folders on the way are made. Without `overwrite` a file that is there already stays, and the error is
    /// [`io::ErrorKind::AlreadyExists`].
    pub(super) fn publish(&self, root: &Path, overwrite: bool) -> io::Result<PathBuf> {
        let denied = |_| io::Error::from(io::ErrorKind::PermissionDenied);
        let (_, folders) = self
            .state
            .segments
            .split_last()
            .ok_or(io::ErrorKind::NotFound)?;
        let folder = place::locate(root, folders).map_err(denied)?;
        fs::create_dir_all(&folder)?;
        // Looked at again: the folders exist only now.
        let target = place::locate(root, &self.state.segments).map_err(denied)?;
        let file = OpenOptions::new().write(true).open(self.data())?;
        file.set_len(self.state.received)?;
        file.sync_all()?;
        drop(file);
        if overwrite {
            fs::rename(self.data(), &target)?;
        } else {
            place_new(&self.data(), &target)?;
        }
        if let Ok(folder) = File::open(folder) {
            // Makes the new name last; Windows has no such thing.
            let _ = folder.sync_all();
        }
        Ok(target)
    }

    /// Deletes all that is left of the session.
    pub(super) fn delete(&self) -> io::Result<()> {
        // Renamed first: a deletion cut short must not leave half a session that looks whole.
        let gone = self.folder.with_extension("gone");
        fs::rename(&self.folder, &gone)?;
        fs::remove_dir_all(gone)
    }
}

/// Gives `data` the name `target` unless something has it.
fn place_new(data: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(data, target) {
        Ok(()) => {}
        // A crash between link and removal: it is in its place already.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !same_file(data, target) {
                return Err(error);
            }
        }
        // A file system without links: hold the name with an empty file, then replace that.
        Err(_) => {
            File::create_new(target)?;
            return fs::rename(data, target);
        }
    }
    fs::remove_file(data)
}

#[cfg(unix)]
fn same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path: &Path| fs::symlink_metadata(path).map(|m| (m.dev(), m.ino())).ok();
    id(one).is_some() && id(one) == id(other)
}

#[cfg(not(unix))]
fn same_file(_: &Path, _: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(work: &Path) -> Session {
        Session::create(work, "{X}", "/a/f?q", vec!["a".into(), "f".into()]).unwrap()
    }

    #[test]
    fn the_offset_is_never_above_what_is_on_disk() {
        let work = tempfile::tempdir().unwrap();
        let mut session = session(work.path());
        fs::write(session.data(), b"0123456789").unwrap();
        session.advance(10, 30).unwrap();
        fs::write(session.data(), b"01234").unwrap();
        let back = Session::restore(work.path().join("{X}"), "{X}").unwrap();
        assert_eq!(back.state.received, 5);
        assert_eq!(back.state.total, Some(30));
    }

    #[test]
    fn bytes_beyond_the_state_do_not_count() {
        let work = tempfile::tempdir().unwrap();
        let mut session = session(work.path());
        fs::write(session.data(), b"0123456789").unwrap();
        session.advance(4, 30).unwrap();
        let back = Session::restore(work.path().join("{X}"), "{X}").unwrap();
        assert_eq!(back.state, session.state);
        assert_eq!(back.state.received, 4);
    }

    #[test]
    fn a_torn_state_is_no_session() {
        let work = tempfile::tempdir().unwrap();
        let session = session(work.path());
        fs::write(work.path().join("{X}").join(STATE), b"{\"url\":\"/a").unwrap();
        assert!(Session::restore(work.path().join("{X}"), "{X}").is_err());
        drop(session);
    }

    #[test]
    fn publishing_twice_after_a_crash_is_one_file() {
        let root = tempfile::tempdir().unwrap();
        let work = root.path().join("work");
        fs::create_dir(&work).unwrap();
        let mut session = session(&work);
        fs::write(session.data(), b"0123456789").unwrap();
        session.advance(10, 10).unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        fs::hard_link(session.data(), root.path().join("a/f")).unwrap();
        let target = session.publish(root.path(), false).unwrap();
        assert_eq!(fs::read(target).unwrap(), b"0123456789");
        assert!(!session.data().exists());
    }

    #[test]
    fn a_file_that_is_there_stays() {
        let root = tempfile::tempdir().unwrap();
        let work = root.path().join("work");
        fs::create_dir_all(&work).unwrap();
        fs::create_dir(root.path().join("a")).unwrap();
        fs::write(root.path().join("a/f"), b"old").unwrap();
        let mut session = session(&work);
        fs::write(session.data(), b"new").unwrap();
        session.advance(3, 3).unwrap();
        let error = session.publish(root.path(), false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(root.path().join("a/f")).unwrap(), b"old");
        session.publish(root.path(), true).unwrap();
        assert_eq!(fs::read(root.path().join("a/f")).unwrap(), b"new");
    }
}

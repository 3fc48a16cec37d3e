//! All sessions of a server: who holds which, which packet has its turn, and which are too old.
//!
//! A packet for a session takes the turn from the one before it, so that a client that comes back on a new
//! connection need not wait until the dead one is noticed. Ids are compared without regard to case.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::rand::SecureRandom as _;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::session::Session;
use crate::peer::place::WORK_DIRECTORY;
use crate::peer::{Error, Result};

/// The session that a packet has, or `None` when the one before it ended the session.
pub(super) type Held = OwnedMutexGuard<Option<Session>>;

struct Entry {
    session: Arc<tokio::sync::Mutex<Option<Session>>>,
    turn: Mutex<CancellationToken>,
    /// When a packet of the session came last.
    seen: Mutex<Instant>,
}

/// The sessions of one root directory.
pub(super) struct Store {
    work: PathBuf,
    entries: Mutex<HashMap<String, Arc<Entry>>>,
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Opens the work directory below `root` and takes up the sessions in it.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let work = root.join(WORK_DIRECTORY);
        std::fs::create_dir_all(&work).map_err(Error::file("make", &work))?;
        let mut entries = HashMap::new();
        let folders = std::fs::read_dir(&work).map_err(Error::file("read", &work))?;
        for folder in folders.flatten() {
            let path = folder.path();
            let Some(id) = folder.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            if path
                .extension()
                .is_some_and(|extension| extension == "gone")
            {
                let _ = std::fs::remove_dir_all(path);
            } else if is_id(&id) {
                let idle = folder
                    .metadata()
                    .and_then(|metadata| metadata.modified())
                    .ok()
                    .and_then(|at| at.elapsed().ok())
                    .unwrap_or_default();
                match Session::restore(path.clone(), &id) {
                    Ok(session) => {
                        entries.insert(id.to_ascii_lowercase(), Arc::new(entry(session, idle)));
                    }
                    // Its Create-Session was never answered: the state is written before the Ack.
                    Err(_) => {
                        let _ = std::fs::remove_dir_all(path);
                    }
                }
            }
        }
        Ok(Self {
            work,
            entries: Mutex::new(entries),
        })
    }

    /// Makes a session with a new id.
    pub(super) fn create(&self, url: &str, segments: Vec<String>) -> io::Result<String> {
        let id = new_id()?;
        let session = Session::create(&self.work, &id, url, segments)?;
        let entry = Arc::new(entry(session, Duration::ZERO));
        open(&self.entries).insert(id.to_ascii_lowercase(), entry);
        Ok(id)
    }

    /// Takes the turn in session `id`; the token ends when the next packet takes it.
    pub(super) async fn take(&self, id: &str) -> Option<(Held, CancellationToken)> {
        let entry = open(&self.entries).get(&id.to_ascii_lowercase()).cloned()?;
        let mine = CancellationToken::new();
        std::mem::replace(&mut *open(&entry.turn), mine.clone()).cancel();
        let held = Arc::clone(&entry.session).lock_owned().await;
        *open(&entry.seen) = Instant::now();
        held.is_some().then_some((held, mine))
    }

    /// Returns the reply of session `id` without taking the turn.
    pub(super) async fn reply(&self, id: &str) -> Option<PathBuf> {
        let entry = open(&self.entries).get(&id.to_ascii_lowercase()).cloned()?;
        let held = entry.session.lock().await;
        *open(&entry.seen) = Instant::now();
        let session = held.as_ref()?;
        session.state.replied.then(|| session.reply())
    }

    /// Drops the session in hand and deletes what is left of it on disk.
    pub(super) fn remove(&self, held: &mut Held) -> io::Result<()> {
        let Some(session) = held.take() else {
            return Ok(());
        };
        open(&self.entries).remove(&session.id.to_ascii_lowercase());
        session.delete()
    }

    /// Deletes every session without a packet for `timeout`, and returns their URLs.
    ///
    /// MC-BUP §3.2.6.1
    pub(super) fn sweep(&self, timeout: Duration) -> Vec<String> {
        let old: Vec<_> = open(&self.entries)
            .values()
            .filter(|entry| open(&entry.seen).elapsed() >= timeout)
            .cloned()
            .collect();
        let mut gone = Vec::new();
        for entry in old {
            // One that is held has a packet right now.
            if let Ok(mut held) = Arc::clone(&entry.session).try_lock_owned() {
                let url = held.as_ref().map(|session| session.state.url.clone());
                if self.remove(&mut held).is_ok() {
                    gone.extend(url);
                }
            }
        }
        gone
    }
}

fn entry(session: Session, idle: Duration) -> Entry {
    let now = Instant::now();
    Entry {
        session: Arc::new(tokio::sync::Mutex::new(Some(session))),
        turn: Mutex::new(CancellationToken::new()),
        seen: Mutex::new(now.checked_sub(idle).unwrap_or(now)),
    }
}

/// Makes a GUID in braces, upper case, as IIS does. RFC 9562 §5.4
pub(in crate::peer) fn new_id() -> io::Result<String> {
    let mut bytes = [0_u8; 16];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("no random numbers"))?;
    let number = u128::from_be_bytes(bytes);
    let number = (number & !(0xF << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{number:032X}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    Ok(format!(
        "{{{}-{}-{}-{}-{}}}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    ))
}

/// Tells whether a folder has a name that we gave.
fn is_id(name: &str) -> bool {
    name.len() == 38
        && name.starts_with('{')
        && name.ends_with('}')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit() || b"{-}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_guids_and_differ() {
        let one = new_id().unwrap();
        assert!(is_id(&one), "{one}");
        assert_eq!(one.as_bytes()[15], b'4', "{one}");
        assert_ne!(one, new_id().unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_without_packets_expires() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let old = store.create("/old", vec!["old".into()]).unwrap();
        tokio::time::advance(Duration::from_mins(1)).await;
        let young = store.create("/young", vec!["young".into()]).unwrap();
        tokio::time::advance(Duration::from_secs(40)).await;
        assert_eq!(store.sweep(Duration::from_secs(100)), ["/old"]);
        assert!(store.take(&old).await.is_none());
        assert!(store.take(&young.to_lowercase()).await.is_some());
        assert!(!root.path().join(WORK_DIRECTORY).join(old).exists());
    }

    #[tokio::test]
    async fn sessions_survive_and_strangers_stay() {
        let root = tempfile::tempdir().unwrap();
        let id = Store::open(root.path())
            .unwrap()
            .create("/a", vec!["a".into()])
            .unwrap();
        let strange = root.path().join(WORK_DIRECTORY).join("notes");
        std::fs::create_dir(&strange).unwrap();
        let again = Store::open(root.path()).unwrap();
        assert!(again.take(&id).await.is_some());
        assert!(strange.exists());
    }

    #[tokio::test]
    async fn the_next_packet_takes_the_turn() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let id = store.create("/a", vec!["a".into()]).unwrap();
        let (held, turn) = store.take(&id).await.unwrap();
        let next = store.take(&id);
        let first = async {
            turn.cancelled().await;
            drop(held);
        };
        let (next, ()) = tokio::join!(next, first);
        assert!(next.is_some());
    }
}

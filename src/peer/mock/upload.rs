//! One live upload: how far it is, what comes next of the recorded server's tricks, and where its bytes go.

use std::collections::BTreeMap;
use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};
use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};

use super::tales::{Act, Trick, What};
use crate::peer::place;

/// An upload under way, or one that has ended not long ago.
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) path: String,
    /// Index of the tale that it follows.
    pub(super) tale: Option<usize>,
    /// Index of the act.
    pub(super) act: usize,
    /// The next byte wanted.
    pub(super) received: u64,
    pub(super) total: Option<u64>,
    /// Tricks of the act that have happened, or will not.
    played: usize,
    /// Close-Session and Cancel-Session packets so far.
    pub(super) endings: usize,
    pub(super) ended: bool,
    digest: Digest,
    file: Option<tempfile::TempPath>,
    /// The same, open.
    handle: Option<File>,
}

/// A hash that can go back to where the recorded server did.
struct Digest {
    context: Context,
    at: u64,
    /// States at the offsets that are gone back to.
    marks: BTreeMap<u64, Option<Context>>,
    /// Content was left out: there is no hash.
    broken: bool,
}

/// What a Fragment meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Its new bytes are taken.
    Take,
    /// It begins behind the byte that is wanted.
    Ahead,
    /// It is larger than the recorded server would have it.
    TooLarge,
    /// The trick with this index in the act.
    Trick(usize, What),
}

impl Upload {
    pub(super) fn new(id: String, path: String, tale: Option<usize>, act: usize) -> Self {
        Self {
            id,
            path,
            tale,
            act,
            received: 0,
            total: None,
            played: 0,
            endings: 0,
            ended: false,
            digest: Digest {
                context: Context::new(&SHA256),
                at: 0,
                marks: BTreeMap::new(),
                broken: false,
            },
            file: None,
            handle: None,
        }
    }

    /// Prepares for the tricks of the act and, where files are kept, for the file.
    pub(super) fn begin(&mut self, act: Option<&Act>, folder: Option<&Path>) -> io::Result<()> {
        self.prepare(act);
        self.digest.mark();
        if let Some(folder) = folder {
            let file = tempfile::Builder::new()
                .prefix(".bitstap-")
                .suffix(".part")
                .tempfile_in(folder)?;
            let (handle, path) = file.into_parts();
            self.handle = Some(File::from_std(handle));
            self.file = Some(path);
        }
        Ok(())
    }

    /// Follows another act from here on.
    pub(super) fn follow(&mut self, tale: usize, act: Option<&Act>) {
        (self.tale, self.act, self.played) = (Some(tale), 0, 0);
        self.prepare(act);
    }

    /// Sees to it that the hash can go back where the recorded server did.
    fn prepare(&mut self, act: Option<&Act>) {
        for trick in act.map_or(&[][..], |act| &act.tricks) {
            if let What::Rewind { to } = trick.what {
                self.digest.marks.entry(to).or_insert(None);
            }
        }
    }

    /// Decides about a Fragment of bytes `first..end`.
    pub(super) fn plan(&mut self, act: Option<&Act>, first: u64, end: u64) -> Plan {
        let size = end.saturating_sub(first);
        if act
            .and_then(|act| act.limit)
            .is_some_and(|limit| size >= limit)
        {
            return Plan::TooLarge;
        }
        let tricks = act.map_or(&[][..], |act| &act.tricks);
        while let Some(trick) = tricks.get(self.played) {
            if covers(trick, first, end) {
                let index = self.played;
                self.played += 1;
                return Plan::Trick(index, trick.what);
            }
            // What lies behind does not come any more.
            if trick.at >= first && !(trick.what == What::TooLarge && trick.at < end) {
                break;
            }
            self.played += 1;
        }
        if first > self.received {
            Plan::Ahead
        } else {
            Plan::Take
        }
    }

    /// Takes content that lies at `at` of the file, as far as it is the next.
    pub(super) async fn take(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let Some(known) = self.received.checked_sub(at) else {
            return Ok(());
        };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        let Some(new) = bytes.get(known..).filter(|new| !new.is_empty()) else {
            return Ok(());
        };
        self.digest.take(self.received, new);
        if let Some(file) = &mut self.handle {
            file.seek(SeekFrom::Start(self.received)).await?;
            file.write_all(new).await?;
            file.flush().await?;
        }
        self.received = self.received.saturating_add(new.len() as u64);
        Ok(())
    }

    /// Goes back to byte `to`; never forward.
    pub(super) fn rewind(&mut self, to: u64) {
        self.received = self.received.min(to);
        self.digest.rewind(self.received);
    }

    /// Tells whether all bytes are here.
    pub(super) fn is_complete(&self) -> bool {
        self.total.is_some_and(|total| self.received >= total)
    }

    /// Returns the hash of what is here, in hexadecimal.
    pub(super) fn sha256(&self) -> Option<String> {
        use std::fmt::Write as _;
        let whole = !self.digest.broken && self.digest.at == self.received;
        whole.then(|| {
            let digest = self.digest.context.clone().finish();
            digest
                .as_ref()
                .iter()
                .fold(String::new(), |mut text, byte| {
                    let _ = write!(text, "{byte:02x}");
                    text
                })
        })
    }

    /// Puts the file in its place under `folder`; an existing one stays, and this one gets a number.
    pub(super) fn publish(&mut self, folder: &Path) -> io::Result<Option<PathBuf>> {
        let Some(mut from) = self.file.take() else {
            return Ok(None);
        };
        self.handle = None;
        // A rewind may have left bytes behind the end.
        std::fs::OpenOptions::new()
            .write(true)
            .open(&from)?
            .set_len(self.received)?;
        let path = self.path.split('?').next().unwrap_or_default();
        let plain = place::segments(path)
            .ok()
            .and_then(|segments| place::locate(folder, &segments).ok())
            .unwrap_or_else(|| folder.join("upload"));
        if let Some(parent) = plain.parent() {
            std::fs::create_dir_all(parent)?;
        }
        for number in 1_u32.. {
            let to = if number == 1 {
                plain.clone()
            } else {
                let mut name = plain.clone().into_os_string();
                name.push(format!(".{number}"));
                PathBuf::from(name)
            };
            match from.persist_noclobber(&to) {
                Ok(()) => return Ok(Some(to)),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    from = error.path;
                }
                Err(error) => return Err(error.error),
            }
        }
        Ok(None)
    }
}

/// Tells whether a trick happens to a Fragment of bytes `first..end`.
fn covers(trick: &Trick, first: u64, end: u64) -> bool {
    let size = end.saturating_sub(first);
    (first..end.max(first.saturating_add(1))).contains(&trick.at)
        && (trick.what != What::TooLarge || size >= trick.size)
}

impl Digest {
    fn take(&mut self, at: u64, bytes: &[u8]) {
        self.broken |= at != self.at;
        let mut rest = bytes;
        while !rest.is_empty() && !self.broken {
            // A mark lies between two pieces.
            let next = self.marks.range(self.at.saturating_add(1)..).next();
            let upto = next.map_or(u64::MAX, |(mark, _)| mark.saturating_sub(self.at));
            let upto = usize::try_from(upto).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_checked(upto).unwrap_or((rest, &[]));
            self.context.update(now);
            self.at = self.at.saturating_add(now.len() as u64);
            self.mark();
            rest = later;
        }
    }

    fn mark(&mut self) {
        if let Some(mark) = self.marks.get_mut(&self.at) {
            *mark = Some(self.context.clone());
        }
    }

    fn rewind(&mut self, to: u64) {
        if to == self.at {
            return;
        }
        match self.marks.get(&to).cloned().flatten() {
            Some(context) => (self.context, self.at) = (context, to),
            None => self.broken = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(tricks: &[(u64, u64, What)]) -> Act {
        let tricks = tricks
            .iter()
            .enumerate()
            .map(|(row, &(at, size, what))| Trick {
                row,
                at,
                size,
                what,
            });
        Act {
            tricks: tricks.collect(),
            ..Act::default()
        }
    }

    fn upload(act: &Act) -> Upload {
        let mut upload = Upload::new("1".into(), "/f".into(), None, 0);
        upload.begin(Some(act), None).unwrap();
        upload
    }

    #[tokio::test]
    async fn a_hash_goes_back_with_the_server() {
        let act = act(&[(6, 4, What::Rewind { to: 3 })]);
        let mut upload = upload(&act);
        upload.take(0, b"012345").await.unwrap();
        assert_eq!(
            upload.plan(Some(&act), 6, 10),
            Plan::Trick(0, What::Rewind { to: 3 })
        );
        upload.rewind(3);
        assert_eq!(upload.received, 3);
        assert_eq!(upload.plan(Some(&act), 3, 8), Plan::Take);
        upload.take(3, b"34567").await.unwrap();
        upload.take(6, b"6789").await.unwrap();
        let mut whole = Upload::new("2".into(), "/f".into(), None, 0);
        whole.take(0, b"0123456789").await.unwrap();
        assert_eq!(upload.sha256(), whole.sha256());
        assert_eq!(upload.received, 10);
    }

    #[test]
    fn a_trick_happens_once_to_whatever_covers_its_byte() {
        let script = act(&[
            (10, 10, What::HangUp { keeps: true }),
            (10, 10, What::Rewind { to: 20 }),
        ]);
        let mut other = upload(&script);
        assert_eq!(other.plan(Some(&script), 0, 7), Plan::Take);
        other.received = 7;
        assert!(matches!(
            other.plan(Some(&script), 7, 14),
            Plan::Trick(0, _)
        ));
        assert!(matches!(
            other.plan(Some(&script), 7, 14),
            Plan::Trick(1, _)
        ));
        assert_eq!(other.plan(Some(&script), 7, 14), Plan::Take);
    }

    #[test]
    fn what_was_passed_over_does_not_stand_in_the_way() {
        let script = act(&[
            (10, 10, What::Forget),
            (40, 10, What::Refuse { keeps: false }),
        ]);
        let mut other = upload(&script);
        other.received = 20;
        assert_eq!(other.plan(Some(&script), 20, 30), Plan::Take);
        other.received = 30;
        assert!(matches!(
            other.plan(Some(&script), 30, 50),
            Plan::Trick(1, _)
        ));
    }

    #[test]
    fn a_limit_of_size_lasts() {
        let script = Act {
            limit: Some(100),
            ..Act::default()
        };
        let mut other = upload(&script);
        assert_eq!(other.plan(Some(&script), 0, 100), Plan::TooLarge);
        assert_eq!(other.plan(Some(&script), 0, 100), Plan::TooLarge);
        assert_eq!(other.plan(Some(&script), 0, 99), Plan::Take);
        assert_eq!(other.plan(Some(&script), 5, 9), Plan::Ahead);
    }
}

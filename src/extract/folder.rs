//! The folder that everything is written to: new files only, each readable by its owner alone.
//!
//! Files are made with `create_new`, so nothing is overwritten and no link is followed; a file that is
//! opened once more must still be the one that was made. Knows names that are safe already.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256};

use super::Error;
use super::name::Names;

/// How many files are open at a time.
const OPEN: usize = 64;

/// Bytes read at once.
const CHUNK: usize = 1 << 16;

/// No byte is written behind this offset: some file systems cannot, and no transfer is that large.
const FARTHEST: u64 = 1 << 43;

/// A file of a [`Folder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId(usize);

/// Where files are made.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    names: Names,
    files: Vec<Made>,
    /// The files that are open, the one used last at the end.
    open: VecDeque<(FileId, File)>,
}

#[derive(Debug)]
struct Made {
    name: String,
    identity: Identity,
}

/// Device and number of a file, where the system has them.
type Identity = Option<(u64, u64)>;

impl Folder {
    /// Makes the folder, or takes one that is there and holds none of `names`, in any case.
    pub(super) fn create(path: &Path, names: &[String]) -> Result<Self, Error> {
        let failed = |source| Error::Folder {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(failed)?;
        let mut taken = Names::default();
        for entry in fs::read_dir(path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            taken.take(&name.to_string_lossy());
        }
        if let Some(name) = names.iter().find(|name| taken.is_taken(name)) {
            return Err(Error::Holds {
                path: path.to_owned(),
                name: name.clone(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            names: taken,
            files: Vec::new(),
            open: VecDeque::new(),
        })
    }

    /// Keeps a name for later.
    pub(super) fn reserve(&mut self, name: &str) {
        self.names.take(name);
    }

    /// Makes one file for each of `endings`: `name`, numbered where that is needed, and the ending.
    pub(super) fn make(&mut self, name: &str, endings: &[&str]) -> Result<Vec<FileId>, Error> {
        let name = self.names.claim(name, endings);
        endings
            .iter()
            .map(|ending| self.make_one(format!("{name}{ending}")))
            .collect()
    }

    fn make_one(&mut self, name: String) -> Result<FileId, Error> {
        let file = create_new(&self.path.join(&name))?;
        let identity = file.metadata().ok().and_then(|data| identity(&data));
        let id = FileId(self.files.len());
        self.files.push(Made { name, identity });
        self.keep(id, file);
        Ok(id)
    }

    /// Returns the name of a file in the folder.
    pub(super) fn name(&self, id: FileId) -> &str {
        self.files.get(id.0).map_or("", |made| &made.name)
    }

    /// Writes at an offset; returns `false` where that is too far for a file.
    pub(super) fn write(&mut self, id: FileId, at: u64, bytes: &[u8]) -> Result<bool, Error> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if at.saturating_add(len) > FARTHEST {
            return Ok(false);
        }
        let written = self.with(id, |file| {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(bytes)
        });
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Ok(false),
            Err(source) => Err(self.failed(id, source)),
        }
    }

    /// Writes zeros over `start..end`.
    pub(super) fn blank(&mut self, id: FileId, start: u64, end: u64) -> Result<(), Error> {
        const ZEROS: [u8; 4096] = [0; 4096];
        let mut at = start;
        while at < end {
            let len = usize::try_from(end - at).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            self.write(id, at, ZEROS.get(..len).unwrap_or(&ZEROS))?;
            at += len as u64;
        }
        Ok(())
    }

    /// Cuts a file to its final length.
    pub(super) fn cut(&mut self, id: FileId, len: u64) -> Result<(), Error> {
        self.with(id, |file| file.set_len(len))
            .map_err(|source| self.failed(id, source))
    }

    /// Returns the SHA-256 of a file, in hexadecimal.
    pub(super) fn sha256(&mut self, id: FileId) -> Result<String, Error> {
        let mut context = Context::new(&SHA256);
        let mut bytes = vec![0; CHUNK];
        let done = self.with(id, |file| {
            file.seek(SeekFrom::Start(0))?;
            loop {
                let len = fill(file, &mut bytes)?;
                let Some(read) = bytes.get(..len).filter(|read| !read.is_empty()) else {
                    return Ok(());
                };
                context.update(read);
            }
        });
        done.map_err(|source| self.failed(id, source))?;
        let digest = context.finish();
        let mut text = String::with_capacity(64);
        for byte in digest.as_ref() {
            text.push_str(&format!("{byte:02x}"));
        }
        Ok(text)
    }

    /// Returns the first offset in `start..end` where two files differ.
    pub(super) fn difference(
        &mut self,
        one: FileId,
        other: FileId,
        start: u64,
        end: u64,
    ) -> Result<Option<u64>, Error> {
        let (mut left, mut right) = (vec![0; CHUNK], vec![0; CHUNK]);
        let mut at = start;
        while at < end {
            let len = usize::try_from(end - at).map_or(CHUNK, |left| left.min(CHUNK));
            for (id, bytes) in [(one, &mut left), (other, &mut right)] {
                let done = self.with(id, |file| {
                    file.seek(SeekFrom::Start(at))?;
                    fill(file, bytes.get_mut(..len).unwrap_or_default())
                });
                done.map_err(|source| self.failed(id, source))?;
            }
            let pairs = left.iter().zip(&right).take(len);
            if let Some(found) = pairs.into_iter().position(|(one, other)| one != other) {
                return Ok(Some(at + found as u64));
            }
            at += len as u64;
        }
        Ok(None)
    }

    /// Makes a file with this content, under this very name.
    pub(super) fn write_whole(&self, name: &str, content: &[u8]) -> Result<(), Error> {
        let path = self.path.join(name);
        create_new(&path)?
            .write_all(content)
            .map_err(|source| Error::Write { path, source })
    }

    fn failed(&self, id: FileId, source: io::Error) -> Error {
        Error::Write {
            path: self.path.join(self.name(id)),
            source,
        }
    }

    /// Does something with a file, which is opened if need be.
    fn with<T>(
        &mut self,
        id: FileId,
        act: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> io::Result<T> {
        let known = self.open.iter().position(|open| open.0 == id);
        let mut file = match known.and_then(|at| self.open.remove(at)) {
            Some((_, file)) => file,
            None => self.reopen(id)?,
        };
        let done = act(&mut file);
        self.keep(id, file);
        done
    }

    fn keep(&mut self, id: FileId, file: File) {
        if self.open.len() >= OPEN {
            self.open.pop_front();
        }
        self.open.push_back((id, file));
    }

    fn reopen(&self, id: FileId) -> io::Result<File> {
        let path = self.path.join(self.name(id));
        let replaced = || io::Error::other("somebody replaced the file meanwhile");
        let is_file = fs::symlink_metadata(&path)?.file_type().is_file();
        if !is_file {
            return Err(replaced());
        }
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let made = self.files.get(id.0).and_then(|made| made.identity);
        if identity(&file.metadata()?) != made {
            return Err(replaced());
        }
        Ok(file)
    }
}

fn create_new(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path).map_err(|source| Error::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(unix)]
#[expect(
    clippy::unnecessary_wraps,
    reason = "other systems have no such numbers"
)]
fn identity(data: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    Some((data.dev(), data.ino()))
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> Identity {
    None
}

/// Reads until `into` is full or the file ends; returns how much came.
fn fill(file: &mut File, into: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(len) => done += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

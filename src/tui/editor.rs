//! The user's own editor: a text goes there in a file and comes back.
//!
//! Whoever calls has given the terminal back. Knows no heads.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, ExitStatus};

/// Longest file that is read back, in bytes.
const LONGEST: u64 = 1 << 20;

/// Has the user edit a text; returns what he left, or why there is nothing.
pub(super) fn edit(text: &[u8]) -> Result<Vec<u8>, String> {
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|editor| !editor.trim().is_empty())
        .ok_or_else(|| {
            "no editor is known: set $VISUAL or $EDITOR (export EDITOR=vi)".to_owned()
        })?;
    edit_with(&editor, text)
}

fn edit_with(editor: &str, text: &[u8]) -> Result<Vec<u8>, String> {
    // Made for its owner only (0600), and gone with the value.
    let folder = tempfile::Builder::new()
        .prefix("bitstap-edit-")
        .tempdir()
        .map_err(|error| format!("cannot make a file for the editor: {error}"))?;
    // Editors that save by renaming leave another file under the same name.
    let path = folder.path().join("head.txt");
    write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let status = run(editor, &path).map_err(|error| format!("cannot start {editor}: {error}"))?;
    if !status.success() {
        return Err(format!("{editor} ended with {status}; nothing was taken"));
    }
    let size = std::fs::metadata(&path).map(|data| data.len());
    let read = size.and_then(|size| {
        if size > LONGEST {
            let text = format!("{size} bytes are too many for a head");
            return Err(io::Error::other(text));
        }
        std::fs::read(&path)
    });
    read.map_err(|error| format!("cannot read what {editor} left: {error}"))
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)?.write_all(text)
}

/// Runs the editor as other programs do: its variable is a command line of the shell.
#[cfg(unix)]
fn run(editor: &str, path: &Path) -> io::Result<ExitStatus> {
    Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$@\""))
        .arg("sh")
        .arg(path)
        .status()
}

#[cfg(not(unix))]
fn run(editor: &str, path: &Path) -> io::Result<ExitStatus> {
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    Command::new(program).args(words).arg(path).status()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_the_editor_leaves_comes_back() {
        let left = edit_with("sed -i s/one/two/", b"one\nbyte \xFF\n");
        assert_eq!(left.unwrap(), b"two\nbyte \xFF\n");
    }

    #[test]
    fn the_file_is_for_its_owner_only() {
        let left = edit_with(
            "f() { stat -c %a \"$1\" > \"$1.new\"; mv \"$1.new\" \"$1\"; }; f",
            b"",
        );
        assert_eq!(left.unwrap(), b"600\n");
    }

    #[test]
    fn an_editor_that_fails_or_leaves_nothing_is_told() {
        let failed = edit_with("exit 3; ", b"x").unwrap_err();
        assert!(failed.contains("nothing was taken"), "{failed}");
        let gone = edit_with("rm", b"x").unwrap_err();
        assert!(gone.contains("cannot read what rm left"), "{gone}");
    }
}

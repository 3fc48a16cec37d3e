//! From the path of a URL to a file under the root, and never beyond it.
//!
//! The path is read segment by segment after splitting, so an encoded slash stays inside its segment and is
//! refused there. What Windows reads as something else than a plain name (drive, stream, device, trailing dot)
//! is refused on every system: a root may be a share. Knows no HTTP.

use std::path::{Path, PathBuf};

/// The directory of our own under the root, with a session in each folder.
pub(super) const WORK_DIRECTORY: &str = ".bitstap-sessions";

/// Why a path names no file of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misplaced {
    /// It is not a path, or names a directory by its trailing slash.
    Invalid,
    /// It leads, or could lead, out of the root or into our work directory.
    Forbidden,
}

/// Returns the decoded segments of the path of a URL.
pub(super) fn segments(path: &str) -> Result<Vec<String>, Misplaced> {
    let inner = path.strip_prefix('/').ok_or(Misplaced::Invalid)?;
    if inner.is_empty() || inner.ends_with('/') {
        return Err(Misplaced::Invalid);
    }
    inner.split('/').map(segment).collect()
}

fn segment(raw: &str) -> Result<String, Misplaced> {
    let name = decode(raw).ok_or(Misplaced::Invalid)?;
    if name.is_empty() {
        return Err(Misplaced::Invalid);
    }
    if name.len() > 255 {
        return Err(Misplaced::Invalid);
    }
    let odd = |c: char| c.is_control() || "/\\:*?\"<>|".contains(c);
    // A trailing dot or blank covers "." and ".." as well as "name." and ".. ".
    if name.contains(odd) || name.ends_with(['.', ' ']) || is_device(&name) {
        return Err(Misplaced::Forbidden);
    }
    if name.eq_ignore_ascii_case(WORK_DIRECTORY) {
        return Err(Misplaced::Forbidden);
    }
    Ok(name)
}

/// Tells whether Windows opens a device for this name, whatever its extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let stem = stem.to_ascii_uppercase();
    if matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$"
    ) {
        return true;
    }
    let port = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"));
    port.is_some_and(|port| {
        let mut digits = port.chars();
        matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³')) && digits.next().is_none()
    })
}

/// Undoes percent-encoding; `None` where an escape is broken or the bytes are not UTF-8.
pub(super) fn decode(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Returns the path of a file below `root`, which must be canonical, after looking at what exists on the way.
///
/// Nothing is created. A symbolic link that leads out of the root, or into the work directory, is refused; one
/// that stays inside is followed. Links made by somebody else while we look are beyond this check: whoever can
/// do that can write to the root anyway.
pub(super) fn locate(root: &Path, segments: &[String]) -> Result<PathBuf, Misplaced> {
    let work = root.join(WORK_DIRECTORY);
    let mut path = root.to_path_buf();
    for segment in segments {
        path.push(segment);
        if let Ok(found) = path.symlink_metadata()
            && found.file_type().is_symlink()
        {
            // A dangling link is refused as well: nobody knows where it will lead.
            let target = path.canonicalize().map_err(|_| Misplaced::Forbidden)?;
            if !target.starts_with(root) || target.starts_with(&work) {
                return Err(Misplaced::Forbidden);
            }
            path = target;
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_pass() {
        let ok = |path: &str| segments(path).unwrap();
        assert_eq!(ok("/up/report.csv"), ["up", "report.csv"]);
        assert_eq!(ok("/a%20b/%C3%A4.bin"), ["a b", "ä.bin"]);
        assert_eq!(ok("/%252e%252e/x"), ["%2e%2e", "x"]);
        assert_eq!(ok("/console.txt"), ["console.txt"]);
        assert_eq!(ok("/COM10"), ["COM10"]);
        assert_eq!(ok("/...a"), ["...a"]);
    }

    #[test]
    fn what_is_no_plain_name_is_refused() {
        for path in [
            "/..",
            "/../x",
            "/a/../../x",
            "/%2e%2e/x",
            "/%2E%2e%2fx",
            "/..%2fx",
            "/..%5cx",
            "/a\\b",
            "/C:",
            "/C:%5Cx",
            "/x:stream",
            "/nul",
            "/CON.txt",
            "/com1",
            "/LPT9.log",
            "/a.",
            "/a%20",
            "/.%20./x",
            "/x%00.txt",
            "/x%0a",
            "/.bitstap-sessions/x",
            "/.BITSTAP-Sessions/x",
            "/a%3fb",
            "/.",
            "/./x",
        ] {
            assert_eq!(segments(path), Err(Misplaced::Forbidden), "{path}");
        }
        for path in ["", "x", "/", "/a/", "//a", "/a//b", "/%zz", "/%2", "/%ff"] {
            assert_eq!(segments(path), Err(Misplaced::Invalid), "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_root_is_refused() {
        let outside = tempfile::tempdir().unwrap();
        let inside = tempfile::tempdir().unwrap();
        let root = inside.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(outside.path(), root.join("out")).unwrap();
        std::os::unix::fs::symlink(root.join("nowhere"), root.join("dangling")).unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::os::unix::fs::symlink(root.join("real"), root.join("in")).unwrap();
        let at = |path: &str| locate(&root, &segments(path).unwrap());
        assert_eq!(at("/out/x"), Err(Misplaced::Forbidden));
        assert_eq!(at("/dangling"), Err(Misplaced::Forbidden));
        assert_eq!(at("/in/x"), Ok(root.join("real/x")));
        assert_eq!(at("/new/deep/x"), Ok(root.join("new/deep/x")));
    }
}

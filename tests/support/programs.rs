//! Programs that nobody here wrote, where they are installed.

use std::process::{Command, Output, Stdio};

/// Runs a foreign program; `None`: it is not installed, which is a failure where `CI=true`.
pub(crate) fn foreign(program: &str, args: &[&str]) -> Option<Output> {
    let ran = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output();
    match ran {
        Ok(output) => Some(output),
        Err(error) => {
            let ci = std::env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!ci, "CI=true, but {program} cannot be run: {error}");
            eprintln!("skipped: {program}: {error}");
            None
        }
    }
}

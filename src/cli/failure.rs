//! What could not be done, on what, why, and what to try: the one place that turns errors into words.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// Could not do it.
pub(super) const COULD_NOT: u8 = 2;

/// An error on its way to a person.
#[derive(Debug)]
pub(super) struct Failure {
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    /// Makes a failure of a sentence of our own.
    pub(super) fn new(text: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Self {
        Self {
            error: anyhow::Error::msg(text),
            hint: None,
        }
    }

    /// Adds what to try; the first hint stays.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Returns the error with its causes, without the hint.
    pub(super) fn sentence(&self) -> String {
        let causes: Vec<String> = self.error.chain().map(ToString::to_string).collect();
        causes.join(": ")
    }

    /// Returns what to try.
    pub(super) fn tip(self) -> Option<String> {
        self.hint
    }

    /// Tells whether the error is one of type `E` for which `test` holds.
    pub(super) fn is<E: std::error::Error + Send + Sync + 'static>(
        &self,
        test: impl FnOnce(&E) -> bool,
    ) -> bool {
        self.error.downcast_ref::<E>().is_some_and(test)
    }

    /// Prints the error with its causes in one line, the hint in another, and returns the exit code.
    /// A standard output that was closed by its reader is a success.
    pub(super) fn report(&self) -> ExitCode {
        let closed = self.error.chain().any(|cause| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
        });
        if closed {
            return ExitCode::SUCCESS;
        }
        // Nobody is left to be told where standard error is closed.
        let _ = write!(io::stderr().lock(), "{self}");
        ExitCode::from(COULD_NOT)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.sentence())?;
        if let Some(hint) = &self.hint {
            writeln!(f, "hint: {hint}")?;
        }
        Ok(())
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            error: error.into(),
            hint: None,
        }
    }
}

/// Adds a hint to an error under way.
pub(super) trait WithHint<T> {
    /// Makes the error a [`Failure`] that tells what to try.
    fn hint(self, hint: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> WithHint<T> for Result<T, E> {
    fn hint(self, hint: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| error.into().hint(hint()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_and_why_in_one_line_and_what_to_try_in_another() {
        let cause = io::Error::new(io::ErrorKind::AddrInUse, "address in use");
        let error = anyhow::Error::new(cause).context("cannot listen on 127.0.0.1:80");
        let failure = Failure::from(error).hint("choose another port");
        assert_eq!(
            failure.to_string(),
            "error: cannot listen on 127.0.0.1:80: address in use\nhint: choose another port\n"
        );
    }
}

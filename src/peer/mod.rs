//! One end of a conversation: the BITS upload server and the client that we play ourselves. hyper lives here.
//!
//! [`server`] keeps files and sessions on disk, [`client`] uploads and downloads as Windows does, [`demo`]
//! plays both, small and live. [`mock`] is a server and [`replay()`] a client made from a [`recording`].
//! [`score`] judges somebody else's. None of them knows of the relay that may stand between.

pub mod client;
pub mod demo;
pub mod mock;
pub mod recording;
pub mod replay;
pub mod score;
pub mod server;

mod error;
mod field;
mod place;
mod spelling;
mod tls;

pub use client::{FetchConfig, Fetched, Progress, SendConfig, Sent, fetch, send};
pub use demo::{Demo, DemoConfig, Outcome, Scene, scenes};
pub use error::Error;
pub use mock::{Mock, MockConfig};
pub use recording::Recording;
pub use replay::{ReplayConfig, replay};
pub use server::{Server, ServerConfig};

/// What fails in this room fails with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// A name and a password for Basic authentication.
///
/// RFC 7617
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

impl Credentials {
    /// Reads `user:password`; the password may hold more colons.
    pub fn parse(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':')?;
        Some(Self {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    /// Returns the value of the Authorization field.
    fn basic(&self) -> String {
        use base64::Engine as _;
        let pair = format!("{}:{}", self.user, self.password);
        format!(
            "Basic {}",
            base64::engine::general_purpose::STANDARD.encode(pair)
        )
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

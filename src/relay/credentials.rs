//! User and password, as proxies ask for them.
//!
//! Pure; never shown to anybody.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// A user name and a password for a proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Takes both; a user name has no colon.
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            password: password.into(),
        }
    }

    /// Writes them as the value of a Proxy-Authorization field.
    ///
    /// RFC 7617 §2
    pub(super) fn basic(&self) -> String {
        let Self { user, password } = self;
        format!(
            "Basic {}",
            BASE64_STANDARD.encode(format!("{user}:{password}"))
        )
    }

    /// Tells whether the value of a Proxy-Authorization field holds these.
    pub(super) fn are(&self, value: &[u8]) -> bool {
        let Some((scheme, token)) = str::from_utf8(value).ok().and_then(|it| it.split_once(' '))
        else {
            return false;
        };
        let given = BASE64_STANDARD.decode(token.trim());
        let known = format!("{}:{}", self.user, self.password);
        scheme.eq_ignore_ascii_case("basic") && given.is_ok_and(|given| given == known.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_compared_as_a_whole_and_shown_to_nobody() {
        let own = Credentials::new("me", "pass:word");
        assert_eq!(own.basic(), "Basic bWU6cGFzczp3b3Jk");
        assert!(own.are(b"Basic bWU6cGFzczp3b3Jk"));
        assert!(own.are(b"basic  bWU6cGFzczp3b3Jk "));
        for wrong in [
            "",
            "Basic",
            "Basic !",
            "Basic bWU6cGFzcw==",
            "NTLM bWU6cGFzczp3b3Jk",
        ] {
            assert!(!own.are(wrong.as_bytes()), "{wrong}");
        }
        assert!(!format!("{own:?}").contains("word"));
    }
}

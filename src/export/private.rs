//! What is private where: fields, and parameters of queries.

/// What a field holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A scheme and a secret.
    Secret,
    /// A secret and nothing else.
    Token,
    /// `name=secret; name=secret`.
    Cookies,
    /// `name=secret; attribute=...`.
    SetCookie,
    Host,
    /// Hosts among other words and signs.
    Hosts,
    /// A URL, or a path of either kind.
    Url,
    /// The name of a file.
    Name,
    /// A kind, then parameters of which one names a file.
    Disposition,
}

/// Fields by their names in small letters.
const TABLE: &[(&str, Holds)] = &[
    ("authorization", Holds::Secret),
    ("proxy-authorization", Holds::Secret),
    ("www-authenticate", Holds::Secret),
    ("proxy-authenticate", Holds::Secret),
    ("authentication-info", Holds::Secret),
    ("proxy-authentication-info", Holds::Secret),
    ("x-api-key", Holds::Token),
    ("api-key", Holds::Token),
    ("x-auth-token", Holds::Token),
    ("x-access-token", Holds::Token),
    ("x-csrf-token", Holds::Token),
    ("x-xsrf-token", Holds::Token),
    ("x-amz-security-token", Holds::Token),
    ("cookie", Holds::Cookies),
    ("cookie2", Holds::Cookies),
    ("set-cookie", Holds::SetCookie),
    ("set-cookie2", Holds::SetCookie),
    ("host", Holds::Host),
    ("bits-host-id", Holds::Host),
    ("x-forwarded-host", Holds::Host),
    ("x-forwarded-server", Holds::Host),
    ("x-real-ip", Holds::Host),
    ("x-forwarded-for", Holds::Hosts),
    ("forwarded", Holds::Hosts),
    ("via", Holds::Hosts),
    ("origin", Holds::Url),
    ("referer", Holds::Url),
    ("location", Holds::Url),
    ("content-location", Holds::Url),
    ("bits-reply-url", Holds::Url),
    ("bits-original-request-url", Holds::Url),
    ("bits-static-response-url", Holds::Url),
    ("bits-request-datafile-name", Holds::Url),
    ("bits-request-dataentity-name", Holds::Url),
    ("bits-response-datafile-name", Holds::Url),
    ("bits-response-dataentity-name", Holds::Url),
    ("bits-copy-file-to-destination", Holds::Url),
    ("x-original-url", Holds::Url),
    ("x-rewrite-url", Holds::Url),
    ("destination", Holds::Url),
    ("content-name", Holds::Name),
    ("x-resource-id", Holds::Name),
    ("content-disposition", Holds::Disposition),
];

/// Parameters of queries that are secrets wherever they stand.
const TOKENS: &[&str] = &[
    "access_token",
    "apikey",
    "api_key",
    "auth",
    "code",
    "key",
    "pass",
    "passwd",
    "password",
    "pwd",
    "secret",
    "sig",
    "signature",
    "token",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
];

/// Names of schemes of authentication that may stay: they tell how, not who. RFC 9110 §11.1 and what is in use beside.
const SCHEMES: &[&str] = &[
    "aws4-hmac-sha256",
    "basic",
    "bearer",
    "digest",
    "dpop",
    "hawk",
    "hoba",
    "kerberos",
    "mutual",
    "negotiate",
    "ntlm",
    "oauth",
    "passport1.4",
    "scram-sha-1",
    "scram-sha-256",
    "sharedkey",
    "sharedkeylite",
    "token",
    "vapid",
];

/// Tells whether a word is the name of a scheme of authentication.
pub(super) fn is_scheme(word: &str) -> bool {
    SCHEMES
        .iter()
        .any(|scheme| scheme.eq_ignore_ascii_case(word))
}

/// What makes a name one of a secret, wherever it stands in it.
const MARKERS: &[&str] = &[
    "token",
    "secret",
    "passw",
    "apikey",
    "api-key",
    "api_key",
    "credential",
    "signature",
    "authorization",
];

/// Returns what a field holds; its name is in small letters.
pub(super) fn holds(name: &str) -> Option<Holds> {
    let known = TABLE.iter().find(|(known, _)| *known == name);
    let known = known.map(|(_, holds)| *holds);
    known.or_else(|| (is_marked(name) || name.ends_with("-key")).then_some(Holds::Token))
}

/// Tells whether a parameter of a query holds a secret.
pub(super) fn is_token(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TOKENS.contains(&name.as_str())
        || is_marked(&name)
        || name.ends_with("-key")
        || name.ends_with("_key")
}

/// Tells whether a text names a field that holds a secret.
pub(super) fn names_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let secrets = TABLE.iter().filter(|(_, holds)| {
        matches!(
            holds,
            Holds::Secret | Holds::Token | Holds::Cookies | Holds::SetCookie
        )
    });
    is_marked(&text) || secrets.into_iter().any(|(name, _)| text.contains(name))
}

fn is_marked(name: &str) -> bool {
    MARKERS.iter().any(|marker| name.contains(marker))
}

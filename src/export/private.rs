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
pub(super) const TABLE: &[(&str, Holds)] = &[
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
pub(super) const TOKENS: &[&str] = &[
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

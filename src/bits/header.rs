//! The BITS-* fields and their typed values.

/// An inclusive byte range of a file with its total size: `bytes first-last/total`.
///
/// MC-BUP §2.2.6.1, RFC 9110 §14.4
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ContentRange {
    #[serde(rename = "start")]
    pub first: u64,
    /// Inclusive.
    #[serde(rename = "end")]
    pub last: u64,
    /// `None` for `*`.
    pub total: Option<u64>,
}

/// The one protocol that exists: "BITS 1.5 Upload Protocol".
///
/// MC-BUP §1.7.1
pub const UPLOAD_PROTOCOL: &str = "{7df0354d-249b-430f-820d-3d2a9bef4931}";

//! Codes by name: HRESULTs met with BITS, error contexts, and what the Windows client does next.
//!
//! The rows lie in one file per facility; this file finds them. A code that nobody has named still
//! gets a description from its facility.

mod background_copy;
mod http;
mod win32;

/// Code, symbolic name, meaning.
type Row = (u32, &'static str, &'static str);

/// The server does not know the session: the client starts again. MC-BUP §3.1.5.2.1
pub const BG_E_SESSION_NOT_FOUND: u32 = 0x8020_001F;
/// The upload is larger than the server allows. MC-BUP §2.2.1.2
pub const BG_E_TOO_LARGE: u32 = 0x8020_0020;

/// Set in a code that a vendor defined.
///
/// MC-BUP §1.8
const CUSTOMER: u32 = 0x2000_0000;

/// What is known of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub code: u32,
    pub name: &'static str,
    /// One clause, lower case, without a full stop.
    pub meaning: &'static str,
    /// What the Windows client does next, a clause as above; empty where no source says so.
    pub next: &'static str,
}

/// Returns what is known of `code`; HTTP-derived and Win32-derived codes included. WinHTTP's plain
/// numbers (`12030`) are understood too and come back as the HRESULT.
pub fn lookup(code: u32) -> Option<Known> {
    let code = if (12_000..13_000).contains(&code) {
        0x8007_0000 | code
    } else {
        code
    };
    let (name, meaning) = match code >> 16 {
        0x8020 | 0x0020 => find(background_copy::ROWS, code, |row| row & 0xFFFF)?,
        0x8019 => {
            let at = http::ROWS
                .binary_search_by_key(&(code & 0xFFFF), |row| u32::from(row.0))
                .ok()?;
            http::ROWS.get(at).map(|row| (row.1, row.2))?
        }
        _ => find(win32::ROWS, code, |row| row)?,
    };
    Some(Known {
        code,
        name,
        meaning,
        next: next(code),
    })
}

/// Finds `code` in rows that are sorted by `key`.
fn find(rows: &[Row], code: u32, key: fn(u32) -> u32) -> Option<(&'static str, &'static str)> {
    let at = rows
        .binary_search_by_key(&key(code), |row| key(row.0))
        .ok()?;
    let row = rows.get(at)?;
    (row.0 == code).then_some((row.1, row.2))
}

/// Returns the code that has this symbolic name; its case does not matter, and the names that other
/// headers use for the same code are understood.
pub fn lookup_name(name: &str) -> Option<Known> {
    let name = name.trim();
    let alias = ALIASES
        .iter()
        .find(|(alias, _)| alias.eq_ignore_ascii_case(name))
        .map(|&(_, code)| code);
    let named = || {
        background_copy::ROWS
            .iter()
            .chain(win32::ROWS)
            .find(|row| row.1.eq_ignore_ascii_case(name))
            .map(|row| row.0)
    };
    let http = || {
        http::ROWS
            .iter()
            .find(|row| row.1.eq_ignore_ascii_case(name))
            .map(|row| 0x8019_0000 | u32::from(row.0))
    };
    alias.or_else(named).or_else(http).and_then(lookup)
}

/// Yields every symbolic name that [`lookup_name`] knows.
pub fn names() -> impl Iterator<Item = &'static str> {
    let rows = background_copy::ROWS.iter().chain(win32::ROWS);
    rows.map(|row| row.1)
        .chain(http::ROWS.iter().map(|row| row.1))
        .chain(ALIASES.iter().map(|alias| alias.0))
}

/// Other names of codes in the tables.
const ALIASES: &[(&str, u32)] = &[
    ("BG_E_SERVER_EXECUTE_ENABLED", 0x8020_0023),
    ("ERROR_SUCCESS", 0),
    ("ERROR_ACCESS_DENIED", 0x8007_0005),
    ("ERROR_INVALID_PARAMETER", 0x8007_0057),
    ("ERROR_OUTOFMEMORY", 0x8007_000E),
    ("ERROR_INTERNET_TIMEOUT", 0x8007_2EE2),
    ("ERROR_INTERNET_NAME_NOT_RESOLVED", 0x8007_2EE7),
    ("ERROR_INTERNET_CANNOT_CONNECT", 0x8007_2EFD),
    ("ERROR_INTERNET_CONNECTION_ABORTED", 0x8007_2EFE),
];

/// Returns the symbolic name, or a description made from the facility (`HTTP 418 as FACILITY_HTTP`,
/// `customer code`) where none is known.
pub fn name(code: u32) -> String {
    if let Some(known) = lookup(code) {
        return known.name.to_owned();
    }
    let low = code & 0xFFFF;
    if code & CUSTOMER != 0 {
        return format!("customer code 0x{code:08X}");
    }
    match code >> 16 {
        0x8019 => format!("HTTP {low} as FACILITY_HTTP"),
        0x8007 => format!("Win32 error {low}"),
        0x8020 | 0x0020 => format!("unknown BITS code 0x{code:08X}"),
        _ => format!("0x{code:08X}"),
    }
}

/// Returns the name of a BITS-Error-Context value.
pub fn context_name(context: u32) -> Option<&'static str> {
    context_row(context).map(|row| row.0)
}

/// Returns where an error with this BITS-Error-Context arose: one clause, lower case.
pub fn context_meaning(context: u32) -> Option<&'static str> {
    context_row(context).map(|row| row.1)
}

fn context_row(context: u32) -> Option<&'static (&'static str, &'static str)> {
    usize::try_from(context)
        .ok()
        .and_then(|index| CONTEXTS.get(index))
}

/// By value; on the wire only 5 and 7 are legal. MC-BUP §2.2.1.2
const CONTEXTS: &[(&str, &str)] = &[
    ("BG_ERROR_CONTEXT_NONE", "no error"),
    ("BG_ERROR_CONTEXT_UNKNOWN", "an unknown place"),
    (
        "BG_ERROR_CONTEXT_GENERAL_QUEUE_MANAGER",
        "the client's transfer queue",
    ),
    (
        "BG_ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION",
        "the notification of the client's application",
    ),
    ("BG_ERROR_CONTEXT_LOCAL_FILE", "the local file"),
    (
        "BG_ERROR_CONTEXT_REMOTE_FILE",
        "the BITS server or its file",
    ),
    ("BG_ERROR_CONTEXT_GENERAL_TRANSPORT", "the transport"),
    (
        "BG_ERROR_CONTEXT_REMOTE_APPLICATION",
        "the server application behind the BITS server",
    ),
    (
        "BG_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK",
        "the client application's check of the certificate",
    ),
];

/// The job goes to `TRANSIENT_ERROR`. Win32 `BG_JOB_STATE`, `SetMinimumRetryDelay`; MC-BUP §3.1.4.3
const RETRIES: &str =
    "waits the retry delay (10 minutes unless the job says otherwise), sends Ping and goes on";
/// The job goes to `ERROR`.
const STOPS: &str = "stops: the job goes to the error state until somebody resumes or cancels it";
const TAKES_OFFSET: &str = "takes the offset that the server told and goes on";

/// MC-BUP §2.2.1.2, §3.1.5.2.1; Win32 "Handling Server Application Errors" and tables of job errors.
const fn next(code: u32) -> &'static str {
    match code {
        0 | 0x8019_01A0 => TAKES_OFFSET,
        BG_E_SESSION_NOT_FOUND => {
            "starts again with Create-Session and sends the file from the beginning"
        }
        0x8019_0191 | 0x8019_0197 => {
            "repeats the packet with credentials once, then stops with this error"
        }
        0x8019_019D => "sends smaller fragments, not below 5 KiB",
        0x8007_04DD => "waits until the job's owner logs on",
        0x8020_0010 => "waits for the network and goes on without the retry delay",
        0x8007_2F00 => "repeats the request",
        BG_E_TOO_LARGE
        | 0x8020_0011
        | 0x8020_0012
        | 0x8020_0013
        | 0x8020_0022
        | 0x8020_0023
        | 0x8007_0005
        | 0x8007_0057
        | 0x8007_2F05
        | 0x8007_2F06
        | 0x8007_2F0C
        | 0x8007_2F0D
        | 0x8007_2F19
        | 0x8007_2F7C
        | 0x8007_2F89
        | 0x8007_2F8A
        | 0x8007_2F8F
        | 0x8007_2F93
        | 0x8019_01F5
        | 0x8019_01F9
        | 0x8019_012C..=0x8019_0131
        | 0x8019_0133
        | 0x8019_0190
        | 0x8019_0192..=0x8019_0196
        | 0x8019_019A..=0x8019_019C
        | 0x8019_019E..=0x8019_019F
        | 0x8019_01A1..=0x8019_01F3 => STOPS,
        0x8007_0070
        | 0x8007_0112
        | 0x8020_002D
        | 0x8020_002E
        | 0x8007_2EE2
        | 0x8007_2EE7
        | 0x8007_2EFD
        | 0x8007_2EFE
        | 0x8007_2F78
        | 0x8019_0198
        | 0x8019_0199
        | 0x8019_01F4..=0x8019_01F8 => RETRIES,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_so_that_every_row_is_found() {
        for row in background_copy::ROWS.iter().chain(win32::ROWS) {
            assert_eq!(lookup(row.0).map(|known| known.name), Some(row.1));
        }
        for row in http::ROWS {
            let code = 0x8019_0000 | u32::from(row.0);
            assert_eq!(lookup(code).map(|known| known.name), Some(row.1));
        }
    }

    #[test]
    fn meanings_are_clauses() {
        for row in background_copy::ROWS.iter().chain(win32::ROWS) {
            assert!(!row.2.is_empty() && !row.2.ends_with('.'), "{}", row.1);
        }
    }
}

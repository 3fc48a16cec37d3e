//! Codes by name: HRESULTs met with BITS, error contexts, and what the Windows client does next.

/// What is known of one code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    pub code: u32,
    pub name: &'static str,
    /// One clause, lower case, without a full stop.
    pub meaning: &'static str,
}

/// Returns what is known of `code`; HTTP-derived and Win32-derived codes included.
pub fn lookup(code: u32) -> Option<Known> {
    let _ = code;
    None
}

/// Returns the symbolic name, or a description made from the facility (`HTTP 418 as FACILITY_HTTP`,
/// `customer code`) where none is known.
pub fn name(code: u32) -> String {
    format!("0x{code:08X}")
}

/// Returns the name of a BITS-Error-Context value.
pub fn context_name(context: u32) -> Option<&'static str> {
    let _ = context;
    None
}

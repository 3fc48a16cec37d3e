//! Faults of the server application behind a BITS server.

use super::Basis::Documented;
use super::{Fault, fault};

#[rustfmt::skip]
pub(super) const FAULTS: &[Fault] = &[
    fault("F-56", "let the server application answer a notification with 403",
        "ends the job in ERROR; the BITS server does not notify the application of this upload again",
        Documented, "Win32 Handling Server Application Errors"),
    fault("F-57", "let the server application be silent for more than 5 minutes",
        "is told 408 with context 7, waits in TRANSIENT_ERROR and sends the last Fragment again; the application is notified again",
        Documented, "MC-BUP §3.3.6; Win32 BITS IIS Extension Properties"),
];

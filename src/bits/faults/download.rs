//! Faults of a download: lengths, ranges, files that change, redirects.

use super::Basis::{Documented, Inferred, Partly};
use super::{Fault, fault};

#[rustfmt::skip]
pub(super) const FAULTS: &[Fault] = &[
    fault("F-44", "answer HEAD without Content-Length",
        "ends the job in ERROR with BG_E_MISSING_FILE_SIZE",
        Documented, "Microsoft: Troubleshoot WSUS client agents"),
    fault("F-45", "answer a GET with Range with 200 and the whole file",
        "ends the job in ERROR with BG_E_INSUFFICIENT_RANGE_SUPPORT",
        Documented, "MC-BUP §3.6.5.2.4.2; Microsoft: Troubleshoot WSUS client agents"),
    fault("F-46", "leave Content-Range out of a 206, or tell another range than was asked for",
        "fails with BG_E_INSUFFICIENT_RANGE_SUPPORT where it is missing, with BG_E_INVALID_SERVER_RESPONSE where it is another",
        Partly, "Win32 BITS Return Values; that of another range is inferred"),
    fault("F-47", "tell in Content-Range another size of the file than HEAD did",
        "reports an error",
        Documented, "MC-BUP §3.6.5.2.4.2"),
    fault("F-48", "change Last-Modified between two ranges",
        "begins that file again from 0, without an error",
        Documented, "MC-BUP §3.6.5.2.4.2; Win32 File Transfer Consistency"),
    fault("F-49", "change ETag between two ranges, Last-Modified not",
        "does not notice: it compares size and time only",
        Documented, "Win32 File Transfer Consistency"),
    fault("F-50", "answer a GET with If-Unmodified-Since with 412",
        "takes the file for changed and begins it again",
        Inferred, "MC-BUP §3.6.5.2.4.2"),
    fault("F-51", "cut the content of a 206 short",
        "waits in TRANSIENT_ERROR with ERROR_WINHTTP_CONNECTION_ERROR or BG_E_CONNECTION_CLOSED, then asks for the rest",
        Partly, "WinHTTP Error Messages; that it asks for the rest is inferred"),
    fault("F-52", "answer a GET of several ranges with ranges that were merged",
        "goes on with one range for each GET, or fails with BG_E_INVALID_SERVER_RESPONSE",
        Documented, "Win32 IBackgroundCopyJob3::AddFileWithRanges"),
    fault("F-53", "answer in HTTP/1.0",
        "goes on where lengths and ranges are as they must be, else fails with BG_E_INSUFFICIENT_HTTP_SUPPORT",
        Documented, "Win32 HTTP Requirements for BITS Downloads"),
    fault("F-54", "answer 404 or 403 in the middle of a download",
        "ends the job in ERROR with BG_E_HTTP_ERROR_404 or _403",
        Documented, "Microsoft: Troubleshoot WSUS client agents"),
    fault("F-55", "redirect from https to http",
        "refuses with ERROR_WINHTTP_REDIRECT_FAILED, unless the job allows it (flag 0x0800)",
        Documented, "Win32 IBackgroundCopyJobHttpOptions::SetSecurityFlags"),
];

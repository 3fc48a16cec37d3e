//! COM, Win32 and WinHTTP codes met with BITS, mostly `0x8007xxxx`, in order.
//!
//! WinHTTP's own numbers (12001 to 12191) are the low word: `0x80072EE2` is 12002. Data alone: the
//! lookup is in `hresult/mod.rs`.

use super::Row;

/// Sorted by code.
pub(super) const ROWS: &[Row] = &[
    (0x0000_0000, "S_OK", "no error; what a 416 carries"),
    (0x8000_4005, "E_FAIL", "unspecified failure"),
    (0x8007_0002, "ERROR_FILE_NOT_FOUND", "file not found"),
    (0x8007_0003, "ERROR_PATH_NOT_FOUND", "folder not found"),
    (
        0x8007_0005,
        "E_ACCESSDENIED",
        "no right, an existing file may not be overwritten, or uploads are off",
    ),
    (0x8007_000E, "E_OUTOFMEMORY", "not enough memory"),
    (0x8007_0020, "ERROR_SHARING_VIOLATION", "the file is in use"),
    (0x8007_0035, "ERROR_BAD_NETPATH", "network path not found"),
    (0x8007_0050, "ERROR_FILE_EXISTS", "the file exists"),
    (0x8007_0057, "E_INVALIDARG", "malformed request or argument"),
    (0x8007_0070, "ERROR_DISK_FULL", "the disk is full"),
    (
        0x8007_0112,
        "ERROR_DISK_FULL (as misprinted in MC-BUP)",
        "disk full, or no answer from the server application in time",
    ),
    (
        0x8007_04DD,
        "ERROR_NOT_LOGGED_ON",
        "the job's owner is not logged on",
    ),
    (0x8007_05B4, "ERROR_TIMEOUT", "the operation timed out"),
    (
        0x8007_2EE1,
        "ERROR_WINHTTP_OUT_OF_HANDLES",
        "no more WinHTTP handles",
    ),
    (
        0x8007_2EE2,
        "ERROR_WINHTTP_TIMEOUT",
        "the request timed out",
    ),
    (
        0x8007_2EE4,
        "ERROR_WINHTTP_INTERNAL_ERROR",
        "internal error of WinHTTP",
    ),
    (
        0x8007_2EE5,
        "ERROR_WINHTTP_INVALID_URL",
        "the URL is not valid",
    ),
    (
        0x8007_2EE6,
        "ERROR_WINHTTP_UNRECOGNIZED_SCHEME",
        "the URL's scheme is neither http nor https",
    ),
    (
        0x8007_2EE7,
        "ERROR_WINHTTP_NAME_NOT_RESOLVED",
        "the server's name could not be looked up",
    ),
    (
        0x8007_2EE9,
        "ERROR_WINHTTP_INVALID_OPTION",
        "unknown option",
    ),
    (
        0x8007_2EEB,
        "ERROR_WINHTTP_OPTION_NOT_SETTABLE",
        "the option cannot be set",
    ),
    (
        0x8007_2EEC,
        "ERROR_WINHTTP_SHUTDOWN",
        "WinHTTP is shutting down",
    ),
    (0x8007_2EEF, "ERROR_WINHTTP_LOGIN_FAILURE", "login failed"),
    (
        0x8007_2EF1,
        "ERROR_WINHTTP_OPERATION_CANCELLED",
        "the operation was cancelled",
    ),
    (
        0x8007_2EF2,
        "ERROR_WINHTTP_INCORRECT_HANDLE_TYPE",
        "wrong type of handle",
    ),
    (
        0x8007_2EF3,
        "ERROR_WINHTTP_INCORRECT_HANDLE_STATE",
        "the handle is in the wrong state",
    ),
    (
        0x8007_2EFD,
        "ERROR_WINHTTP_CANNOT_CONNECT",
        "the connection was refused or failed",
    ),
    (
        0x8007_2EFE,
        "ERROR_WINHTTP_CONNECTION_ERROR",
        "the connection was reset or ended, or TLS versions clash",
    ),
    (
        0x8007_2F00,
        "ERROR_WINHTTP_RESEND_REQUEST",
        "the request must be sent again",
    ),
    (
        0x8007_2F05,
        "ERROR_WINHTTP_SECURE_CERT_DATE_INVALID",
        "the certificate is outside its validity",
    ),
    (
        0x8007_2F06,
        "ERROR_WINHTTP_SECURE_CERT_CN_INVALID",
        "the certificate's name does not match the host",
    ),
    (
        0x8007_2F0C,
        "ERROR_WINHTTP_CLIENT_AUTH_CERT_NEEDED",
        "the server asks for a client certificate and the job has none",
    ),
    (
        0x8007_2F0D,
        "ERROR_WINHTTP_SECURE_INVALID_CA",
        "the certificate's authority is not trusted",
    ),
    (
        0x8007_2F19,
        "ERROR_WINHTTP_SECURE_CERT_REV_FAILED",
        "revocation could not be checked",
    ),
    (
        0x8007_2F44,
        "ERROR_WINHTTP_CANNOT_CALL_BEFORE_OPEN",
        "called before the request was opened",
    ),
    (
        0x8007_2F45,
        "ERROR_WINHTTP_CANNOT_CALL_BEFORE_SEND",
        "called before the request was sent",
    ),
    (
        0x8007_2F46,
        "ERROR_WINHTTP_CANNOT_CALL_AFTER_SEND",
        "called after the request was sent",
    ),
    (
        0x8007_2F47,
        "ERROR_WINHTTP_CANNOT_CALL_AFTER_OPEN",
        "called after the request was opened",
    ),
    (
        0x8007_2F76,
        "ERROR_WINHTTP_HEADER_NOT_FOUND",
        "the field asked for is not there",
    ),
    (
        0x8007_2F78,
        "ERROR_WINHTTP_INVALID_SERVER_RESPONSE",
        "the server's response could not be read",
    ),
    (
        0x8007_2F79,
        "ERROR_WINHTTP_INVALID_HEADER",
        "a field is not valid",
    ),
    (
        0x8007_2F7A,
        "ERROR_WINHTTP_INVALID_QUERY_REQUEST",
        "the query is not valid",
    ),
    (
        0x8007_2F7B,
        "ERROR_WINHTTP_HEADER_ALREADY_EXISTS",
        "the field exists already",
    ),
    (
        0x8007_2F7C,
        "ERROR_WINHTTP_REDIRECT_FAILED",
        "a redirect changed the scheme, or there were too many",
    ),
    (
        0x8007_2F7D,
        "ERROR_WINHTTP_SECURE_CHANNEL_ERROR",
        "the secure channel failed",
    ),
    (
        0x8007_2F86,
        "ERROR_WINHTTP_BAD_AUTO_PROXY_SCRIPT",
        "the proxy script could not be run",
    ),
    (
        0x8007_2F87,
        "ERROR_WINHTTP_UNABLE_TO_DOWNLOAD_SCRIPT",
        "the proxy script could not be fetched",
    ),
    (
        0x8007_2F89,
        "ERROR_WINHTTP_SECURE_INVALID_CERT",
        "the certificate is not valid",
    ),
    (
        0x8007_2F8A,
        "ERROR_WINHTTP_SECURE_CERT_REVOKED",
        "the certificate was revoked",
    ),
    (
        0x8007_2F8C,
        "ERROR_WINHTTP_NOT_INITIALIZED",
        "WinHTTP is not initialised",
    ),
    (
        0x8007_2F8F,
        "ERROR_WINHTTP_SECURE_FAILURE",
        "the certificate has one or more errors",
    ),
    (
        0x8007_2F90,
        "ERROR_WINHTTP_UNHANDLED_SCRIPT_TYPE",
        "the proxy script's type is not supported",
    ),
    (
        0x8007_2F91,
        "ERROR_WINHTTP_SCRIPT_EXECUTION_ERROR",
        "the proxy script failed",
    ),
    (
        0x8007_2F92,
        "ERROR_WINHTTP_AUTO_PROXY_SERVICE_ERROR",
        "no proxy could be found for the URL",
    ),
    (
        0x8007_2F93,
        "ERROR_WINHTTP_SECURE_CERT_WRONG_USAGE",
        "the certificate is not for this usage",
    ),
    (
        0x8007_2F94,
        "ERROR_WINHTTP_AUTODETECTION_FAILED",
        "the proxy script's URL could not be detected",
    ),
    (
        0x8007_2F95,
        "ERROR_WINHTTP_HEADER_COUNT_EXCEEDED",
        "the response has too many fields",
    ),
    (
        0x8007_2F96,
        "ERROR_WINHTTP_HEADER_SIZE_OVERFLOW",
        "the response's fields are too large",
    ),
    (
        0x8007_2F97,
        "ERROR_WINHTTP_CHUNKED_ENCODING_HEADER_SIZE_OVERFLOW",
        "a chunk's size line is too large",
    ),
    (
        0x8007_2F98,
        "ERROR_WINHTTP_RESPONSE_DRAIN_OVERFLOW",
        "too much of the response was left over",
    ),
];

//! Codes of the BITS facility, `0x8020xxxx` (failures) and `0x0020xxxx` (successes), in order.
//!
//! Names: the SDK's bitsmsg.h. Data alone: the lookup is in `hresult/mod.rs`.

use super::Row;

/// Sorted by the low word.
pub(super) const ROWS: &[Row] = &[
    (0x8020_0001, "BG_E_NOT_FOUND", "job not found"),
    (
        0x8020_0002,
        "BG_E_INVALID_STATE",
        "action not allowed in this job state",
    ),
    (0x8020_0003, "BG_E_EMPTY", "job has no files"),
    (
        0x8020_0004,
        "BG_E_FILE_NOT_AVAILABLE",
        "error not tied to a file",
    ),
    (
        0x8020_0005,
        "BG_E_PROTOCOL_NOT_AVAILABLE",
        "error not tied to a protocol",
    ),
    (
        0x0020_0006,
        "BG_S_ERROR_CONTEXT_NONE",
        "names the error context: none",
    ),
    (
        0x8020_0007,
        "BG_E_ERROR_CONTEXT_UNKNOWN",
        "names the error context: unknown",
    ),
    (
        0x8020_0008,
        "BG_E_ERROR_CONTEXT_GENERAL_QUEUE_MANAGER",
        "names the error context: queue manager",
    ),
    (
        0x8020_0009,
        "BG_E_ERROR_CONTEXT_LOCAL_FILE",
        "names the error context: local file",
    ),
    (
        0x8020_000A,
        "BG_E_ERROR_CONTEXT_REMOTE_FILE",
        "names the error context: remote file",
    ),
    (
        0x8020_000B,
        "BG_E_ERROR_CONTEXT_GENERAL_TRANSPORT",
        "names the error context: transport, could not connect",
    ),
    (
        0x8020_000C,
        "BG_E_ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION",
        "names the error context: notification callback",
    ),
    (
        0x8020_000D,
        "BG_E_DESTINATION_LOCKED",
        "destination volume locked",
    ),
    (
        0x8020_000E,
        "BG_E_VOLUME_CHANGED",
        "destination volume changed",
    ),
    (
        0x8020_000F,
        "BG_E_ERROR_INFORMATION_UNAVAILABLE",
        "no error information now",
    ),
    (
        0x8020_0010,
        "BG_E_NETWORK_DISCONNECTED",
        "no active network",
    ),
    (
        0x8020_0011,
        "BG_E_MISSING_FILE_SIZE",
        "no Content-Length from server",
    ),
    (
        0x8020_0012,
        "BG_E_INSUFFICIENT_HTTP_SUPPORT",
        "server not HTTP/1.1",
    ),
    (
        0x8020_0013,
        "BG_E_INSUFFICIENT_RANGE_SUPPORT",
        "range requests not honoured",
    ),
    (
        0x8020_0014,
        "BG_E_REMOTE_NOT_SUPPORTED",
        "remote use of BITS not supported",
    ),
    (
        0x8020_0015,
        "BG_E_NEW_OWNER_DIFF_MAPPING",
        "drive mapping differs for new owner",
    ),
    (
        0x8020_0016,
        "BG_E_NEW_OWNER_NO_FILE_ACCESS",
        "new owner lacks file access",
    ),
    (
        0x0020_0017,
        "BG_S_PARTIAL_COMPLETE",
        "only some files completed, rest deleted",
    ),
    (
        0x8020_0018,
        "BG_E_PROXY_LIST_TOO_LARGE",
        "proxy list too long",
    ),
    (
        0x8020_0019,
        "BG_E_PROXY_BYPASS_LIST_TOO_LARGE",
        "bypass list too long",
    ),
    (
        0x0020_001A,
        "BG_S_UNABLE_TO_DELETE_FILES",
        "temp files not all deleted",
    ),
    (
        0x8020_001B,
        "BG_E_INVALID_SERVER_RESPONSE",
        "server broke the protocol",
    ),
    (
        0x8020_001C,
        "BG_E_TOO_MANY_FILES",
        "no more files allowed (upload = 1)",
    ),
    (
        0x8020_001D,
        "BG_E_LOCAL_FILE_CHANGED",
        "local file changed during upload",
    ),
    (
        0x8020_001E,
        "BG_E_ERROR_CONTEXT_REMOTE_APPLICATION",
        "names the error context: server application",
    ),
    (
        0x8020_001F,
        "BG_E_SESSION_NOT_FOUND",
        "server does not know the session",
    ),
    (
        0x8020_0020,
        "BG_E_TOO_LARGE",
        "larger than the server accepts",
    ),
    (0x8020_0021, "BG_E_STRING_TOO_LONG", "string too long"),
    (
        0x8020_0022,
        "BG_E_CLIENT_SERVER_PROTOCOL_MISMATCH",
        "no common upload protocol",
    ),
    (
        0x8020_0023,
        "BG_E_SERVER_EXECUTE_ENABLE",
        "vdir has script/execute rights",
    ),
    (
        0x8020_0024,
        "BG_E_NO_PROGRESS",
        "job makes no headway, server perhaps misconfigured",
    ),
    (
        0x8020_0025,
        "BG_E_USERNAME_TOO_LARGE",
        "user name > 300 chars",
    ),
    (0x8020_0026, "BG_E_PASSWORD_TOO_LARGE", "password too long"),
    (
        0x8020_0027,
        "BG_E_INVALID_AUTH_TARGET",
        "bad authentication target",
    ),
    (
        0x8020_0028,
        "BG_E_INVALID_AUTH_SCHEME",
        "bad authentication scheme",
    ),
    (0x8020_0029, "BG_E_FILE_NOT_FOUND", "file name not in job"),
    (0x0020_002A, "BG_S_PROXY_CHANGED", "proxy changed"),
    (
        0x8020_002B,
        "BG_E_INVALID_RANGE",
        "byte range outside the remote file",
    ),
    (
        0x8020_002C,
        "BG_E_OVERLAPPING_RANGES",
        "overlapping/duplicate ranges",
    ),
    (0x8020_002D, "BG_E_CONNECT_FAILURE", "could not connect"),
    (
        0x8020_002E,
        "BG_E_CONNECTION_CLOSED",
        "connection closed too early",
    ),
    (
        0x8020_003E,
        "BG_E_BLOCKED_BY_POLICY",
        "policy forbids background jobs now",
    ),
    (
        0x8020_003F,
        "BG_E_INVALID_PROXY_INFO",
        "bad proxy or bypass list",
    ),
    (
        0x8020_0040,
        "BG_E_INVALID_CREDENTIALS",
        "bad credential format",
    ),
    (
        0x8020_0041,
        "BG_E_INVALID_HASH_ALGORITHM",
        "unsupported hash",
    ),
    (0x8020_0042, "BG_E_RECORD_DELETED", "cache record deleted"),
    (
        0x8020_0043,
        "BG_E_COMMIT_IN_PROGRESS",
        "cache record being updated",
    ),
    (
        0x8020_0044,
        "BG_E_DISCOVERY_IN_PROGRESS",
        "peer search already running",
    ),
    (0x8020_0045, "BG_E_UPNP_ERROR", "gateway device error"),
    (
        0x8020_0046,
        "BG_E_TEST_OPTION_BLOCKED_DOWNLOAD",
        "test option blocks download",
    ),
    (0x8020_0047, "BG_E_PEERCACHING_DISABLED", "peer cache off"),
    (0x8020_0048, "BG_E_BUSYCACHERECORD", "cache record in use"),
    (
        0x8020_0049,
        "BG_E_TOO_MANY_JOBS_PER_USER",
        "policy MaxJobsPerUser",
    ),
    (
        0x8020_0050,
        "BG_E_TOO_MANY_JOBS_PER_MACHINE",
        "policy MaxJobsPerMachine",
    ),
    (
        0x8020_0051,
        "BG_E_TOO_MANY_FILES_IN_JOB",
        "policy MaxFilesPerJob",
    ),
    (
        0x8020_0052,
        "BG_E_TOO_MANY_RANGES_IN_FILE",
        "policy MaxRangesPerFile",
    ),
    (
        0x8020_0053,
        "BG_E_VALIDATION_FAILED",
        "web site's response was not valid",
    ),
    (
        0x8020_0054,
        "BG_E_MAXDOWNLOAD_TIMEOUT",
        "maximum download time over",
    ),
    (
        0x0020_0055,
        "BG_S_OVERRIDDEN_BY_POLICY",
        "setting saved, policy wins",
    ),
    (0x8020_0056, "BG_E_TOKEN_REQUIRED", "helper token missing"),
    (0x8020_0057, "BG_E_UNKNOWN_PROPERTY_ID", "unknown property"),
    (0x8020_0058, "BG_E_READ_ONLY_PROPERTY", "property read-only"),
    (
        0x8020_0059,
        "BG_E_BLOCKED_BY_COST_TRANSFER_POLICY",
        "network cost policy",
    ),
    (
        0x8020_0060,
        "BG_E_PROPERTY_SUPPORTED_FOR_DOWNLOAD_JOBS_ONLY",
        "download jobs only",
    ),
    (
        0x8020_0061,
        "BG_E_READ_ONLY_PROPERTY_AFTER_ADDFILE",
        "fixed after AddFile",
    ),
    (
        0x8020_0062,
        "BG_E_READ_ONLY_PROPERTY_AFTER_RESUME",
        "fixed after Resume",
    ),
    (
        0x8020_0063,
        "BG_E_MAX_DOWNLOAD_SIZE_INVALID_VALUE",
        "bad size limit",
    ),
    (
        0x8020_0064,
        "BG_E_MAX_DOWNLOAD_SIZE_LIMIT_REACHED",
        "size limit reached",
    ),
    (0x8020_0065, "BG_E_STANDBY_MODE", "power saving"),
    (
        0x8020_0066,
        "BG_E_USE_STORED_CREDENTIALS_NOT_SUPPORTED",
        "proxy target only",
    ),
    (0x8020_0067, "BG_E_BLOCKED_BY_BATTERY_POLICY", "on battery"),
    (
        0x8020_0068,
        "BG_E_BLOCKED_BY_BATTERY_SAVER",
        "battery saver",
    ),
    (
        0x8020_0069,
        "BG_E_WATCHDOG_TIMEOUT",
        "operation took too long",
    ),
    (
        0x8020_006A,
        "BG_E_APP_PACKAGE_NOT_FOUND",
        "app package missing",
    ),
    (
        0x8020_006B,
        "BG_E_APP_PACKAGE_SCENARIO_NOT_SUPPORTED",
        "app packages unsupported",
    ),
    (
        0x8020_006C,
        "BG_E_DATABASE_CORRUPT",
        "BITS database damaged",
    ),
    (
        0x8020_006D,
        "BG_E_RANDOM_ACCESS_NOT_SUPPORTED",
        "random access not for this transfer",
    ),
    (
        0x8020_006E,
        "BG_E_BLOCKED_BY_BACKGROUND_ACCESS_POLICY",
        "app background rights",
    ),
    (0x8020_006F, "BG_E_BLOCKED_BY_GAME_MODE", "game mode"),
    (
        0x8020_0070,
        "BG_E_BLOCKED_BY_SYSTEM_POLICY",
        "system resources",
    ),
    (
        0x8020_0071,
        "BG_E_NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD",
        "not with custom method",
    ),
    (
        0x8020_0072,
        "BG_E_UNSUPPORTED_JOB_CONFIGURATION",
        "job configuration clash",
    ),
    (
        0x8020_0073,
        "BG_E_REMOTE_FILE_CHANGED",
        "remote file changed during transfer",
    ),
    (
        0x8020_0074,
        "BG_E_SERVER_CERT_VALIDATION_INTERFACE_REQUIRED",
        "certificate callback missing",
    ),
    (
        0x8020_0075,
        "BG_E_READ_ONLY_WHEN_JOB_ACTIVE",
        "only when job is paused",
    ),
    (
        0x8020_0076,
        "BG_E_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK",
        "names the error context: certificate callback",
    ),
];

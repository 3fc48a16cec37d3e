//! Codes of the HTTP facility, `0x8019xxxx`: the status is the low word.
//!
//! Names: the SDK's bitsmsg.h. Data alone: the lookup is in `hresult/mod.rs`.

/// Status, name and meaning, sorted by status.
pub(super) const ROWS: &[(u16, &str, &str)] = &[
    (100, "BG_E_HTTP_ERROR_100", "the client may go on"),
    (101, "BG_E_HTTP_ERROR_101", "switching protocols"),
    (
        200,
        "BG_E_HTTP_ERROR_200",
        "the server did not follow the protocol",
    ),
    (201, "BG_E_HTTP_ERROR_201", "created"),
    (202, "BG_E_HTTP_ERROR_202", "accepted, unfinished"),
    (203, "BG_E_HTTP_ERROR_203", "non-authoritative"),
    (204, "BG_E_HTTP_ERROR_204", "no new information"),
    (
        205,
        "BG_E_HTTP_ERROR_205",
        "the server did not follow the protocol",
    ),
    (206, "BG_E_HTTP_ERROR_206", "partial GET done"),
    (300, "BG_E_HTTP_ERROR_300", "data not returned"),
    (301, "BG_E_HTTP_ERROR_301", "moved for good"),
    (302, "BG_E_HTTP_ERROR_302", "moved for now"),
    (303, "BG_E_HTTP_ERROR_303", "see other (GET)"),
    (
        304,
        "BG_E_HTTP_ERROR_304",
        "the server did not follow the protocol",
    ),
    (305, "BG_E_HTTP_ERROR_305", "use proxy"),
    (307, "BG_E_HTTP_ERROR_307", "temporarily elsewhere"),
    (400, "BG_E_HTTP_ERROR_400", "the request has bad syntax"),
    (401, "BG_E_HTTP_ERROR_401", "user authentication needed"),
    (
        402,
        "BG_E_HTTP_ERROR_402",
        "the server did not follow the protocol",
    ),
    (403, "BG_E_HTTP_ERROR_403", "no right to the URL"),
    (
        404,
        "BG_E_HTTP_ERROR_404",
        "no such URL; on IIS 7 also: uploads are off or the size limit is exceeded",
    ),
    (405, "BG_E_HTTP_ERROR_405", "method not allowed"),
    (406, "BG_E_HTTP_ERROR_406", "nothing acceptable"),
    (407, "BG_E_HTTP_ERROR_407", "proxy authentication needed"),
    (408, "BG_E_HTTP_ERROR_408", "server timed out waiting"),
    (
        409,
        "BG_E_HTTP_ERROR_409",
        "the request conflicts with the state of the file",
    ),
    (410, "BG_E_HTTP_ERROR_410", "the URL is gone for good"),
    (411, "BG_E_HTTP_ERROR_411", "length required"),
    (412, "BG_E_HTTP_ERROR_412", "precondition failed"),
    (
        413,
        "BG_E_HTTP_ERROR_413",
        "the content is larger than the server accepts",
    ),
    (414, "BG_E_HTTP_ERROR_414", "URI too long"),
    (
        415,
        "BG_E_HTTP_ERROR_415",
        "the server did not follow the protocol",
    ),
    (416, "BG_E_HTTP_ERROR_416", "range not satisfiable"),
    (417, "BG_E_HTTP_ERROR_417", "expectation failed"),
    (
        449,
        "BG_E_HTTP_ERROR_449",
        "the server did not follow the protocol",
    ),
    (
        500,
        "BG_E_HTTP_ERROR_500",
        "the server met an unexpected condition",
    ),
    (
        501,
        "BG_E_HTTP_ERROR_501",
        "the server does not support the method; on IIS 6: BITS uploads are off",
    ),
    (
        502,
        "BG_E_HTTP_ERROR_502",
        "a gateway got a bad answer from the server behind it",
    ),
    (503, "BG_E_HTTP_ERROR_503", "the server is overloaded"),
    (
        504,
        "BG_E_HTTP_ERROR_504",
        "a gateway got no answer in time",
    ),
    (505, "BG_E_HTTP_ERROR_505", "HTTP version not supported"),
];

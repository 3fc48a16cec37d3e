//! The worked examples of uploads, upload-reply and downloads, as dialogues that tests share.

#![allow(dead_code, reason = "each test file uses a part of it")]

/// An upload of 30 bytes in three fragments.
pub(crate) const UPLOAD: &str = r"
> BITS_POST /up/report.csv HTTP/1.1
> Accept: */*
> BITS-Packet-Type: Create-Session
> BITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}
> User-Agent: Microsoft BITS/7.8
> Host: bits.example.test
> Content-Length: 0
> Connection: Keep-Alive
>
< HTTP/1.1 200 OK
< Pragma: no-cache
< BITS-Packet-Type: Ack
< BITS-Protocol: {7df0354d-249b-430f-820d-3d2a9bef4931}
< BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
< Content-Length: 0
< Accept-encoding: identity
<
> BITS_POST /up/report.csv HTTP/1.1
> Accept: */*
> BITS-Packet-Type: Fragment
> BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
> Content-Name: report.csv
> Content-Range: bytes 0-9/30
> User-Agent: Microsoft BITS/7.8
> Host: bits.example.test
> Content-Length: 10
> Connection: Keep-Alive
>
> alpha,1234
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< Content-Length: 0
< BITS-Received-Content-Range: 10
< BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
<
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Fragment
> BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
> Content-Range: bytes 10-19/30
> Host: bits.example.test
> Content-Length: 10
>
> bravo,5678
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< Content-Length: 0
< BITS-Received-Content-Range: 20
<
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Fragment
> BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
> Content-Range: bytes 20-29/30
> Host: bits.example.test
> Content-Length: 10
>
> delta,9012
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< Content-Length: 0
< BITS-Received-Content-Range: 30
<
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Close-Session
> BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
> Host: bits.example.test
> Content-Length: 0
>
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< Content-Length: 0
<
";

/// The second fragment again, refused with 416 by a strict server, then the third.
pub(crate) const STRICT_RESUME: &str = r"
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Fragment
> BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
> Content-Range: bytes 10-19/30
> Host: bits.example.test
> Content-Length: 10
>
> bravo,5678
< HTTP/1.1 416 Requested Range Not Satisfiable
< BITS-Packet-Type: Ack
< BITS-Received-Content-Range: 20
< Content-Length: 0
<
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Fragment
> BITS-Session-Id: {3F2B7C10-5D4E-4A6B-9C81-0E5A7B2D4F66}
> Content-Range: bytes 20-29/30
> Host: bits.example.test
> Content-Length: 10
>
> delta,9012
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< BITS-Received-Content-Range: 30
< Content-Length: 0
<
";

/// Upload-reply with a Host-Id, until the last fragment has passed.
pub(crate) const REPLY_UPLOAD: &str = r"
> BITS_POST /ask/q.bin HTTP/1.1
> BITS-Packet-Type: Create-Session
> BITS-Supported-Protocols: {7df0354d-249b-430f-820d-3d2a9bef4931}
> Host: farm.example.test
> Content-Length: 0
>
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< BITS-Protocol: {7df0354d-249b-430f-820d-3d2a9bef4931}
< BITS-Session-Id: {9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}
< BITS-Host-Id: node2.example.test
< BITS-Host-Id-Fallback-Timeout: 110
< Accept-encoding: identity
< Content-Length: 0
<
> BITS_POST /ask/q.bin HTTP/1.1
> BITS-Packet-Type: Ping
> Host: node2.example.test
> Content-Length: 0
>
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< Content-Length: 0
<
> BITS_POST /ask/q.bin HTTP/1.1
> BITS-Packet-Type: Fragment
> BITS-Session-Id: {9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}
> Content-Range: bytes 0-9/10
> Host: node2.example.test
> Content-Length: 10
>
> alpha,1234
";

/// The server tells its application of the upload, by reference.
pub(crate) const NOTIFICATION: &str = r"
> POST /app/handle HTTP/1.1
> BITS-Original-Request-URL: http://node2.example.test/ask/q.bin
> BITS-Request-DataFile-Name: D:\ask\BITS-Sessions\Requests\{9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}\requestfile.bin
> BITS-Response-DataFile-Name: D:\ask\BITS-Sessions\Replies\{9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}\responsefile.bin
> Host: app.example.test
> Content-Length: 0
>
< HTTP/1.1 200 OK
< Content-Length: 0
<
";

/// The last Ack with the reply URL, the download of the reply, Close-Session.
pub(crate) const REPLY_DOWNLOAD: &str = r"
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< BITS-Session-Id: {9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}
< BITS-Received-Content-Range: 10
< BITS-Reply-URL: BITS-Sessions\Replies\{9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}\responsefile.bin
< Content-Length: 0
<
> GET /ask/BITS-Sessions/Replies/%7B9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7%7D/responsefile.bin HTTP/1.1
> Accept: */*
> Accept-Encoding: identity
> Range: bytes=0-4
> User-Agent: Microsoft BITS/7.8
> Host: node2.example.test
>
< HTTP/1.1 206 Partial Content
< Content-Length: 5
< Content-Range: bytes 0-4/5
< Last-Modified: Mon, 05 Jan 2026 10:00:00 GMT
<
< REPLY
> BITS_POST /ask/q.bin HTTP/1.1
> BITS-Packet-Type: Close-Session
> BITS-Session-Id: {9A0C41D2-77B3-4E0F-8F55-21C6D3E4A5B7}
> Host: node2.example.test
> Content-Length: 0
>
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< Content-Length: 0
<
";

/// A download: HEAD, one range, then the file changed.
pub(crate) const DOWNLOAD: &str = r#"
> HEAD /d/f.bin HTTP/1.1
> Connection: Keep-Alive
> Accept: */*
> Accept-Encoding: identity
> User-Agent: Microsoft BITS/7.8
> Host: dl.example.test
>
< HTTP/1.1 200 OK
< Content-Length: 25
< Last-Modified: Mon, 05 Jan 2026 10:00:00 GMT
< ETag: "a1"
< Accept-Ranges: bytes
<
> GET /d/f.bin HTTP/1.1
> Accept: */*
> Accept-Encoding: identity
> If-Unmodified-Since: Mon, 05 Jan 2026 10:00:00 GMT
> Range: bytes=0-9
> User-Agent: Microsoft BITS/7.8
> Host: dl.example.test
>
< HTTP/1.1 206 Partial Content
< Content-Length: 10
< Content-Range: bytes 0-9/25
< Last-Modified: Mon, 05 Jan 2026 10:00:00 GMT
< ETag: "a1"
<
< 0123456789
> GET /d/f.bin HTTP/1.1
> Accept-Encoding: identity
> If-Unmodified-Since: Mon, 05 Jan 2026 10:00:00 GMT
> Range: bytes=10-19
> Host: dl.example.test
>
< HTTP/1.1 412 Precondition Failed
< Content-Length: 0
<
"#;

/// A Ping that has to log in.
pub(crate) const NTLM_ASKED: &str = r"
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Ping
> User-Agent: Microsoft BITS/7.8
> Host: bits.example.test
> Content-Length: 0
>
< HTTP/1.1 401 Unauthorized
< WWW-Authenticate: Negotiate
< WWW-Authenticate: NTLM
< Content-Length: 0
<
";

/// The legs of a login by NTLM, the last one without its answer; tokens are bare messages of types 1 to 3.
pub(crate) const NTLM_LEGS: &str = r"
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Ping
> User-Agent: Microsoft BITS/7.8
> Host: bits.example.test
> Authorization: NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAA=
> Content-Length: 0
>
< HTTP/1.1 401 Unauthorized
< WWW-Authenticate: NTLM TlRMTVNTUAACAAAAAAAAADgAAAAFgomiESIzRFVmd4gAAAAAAAAAAAAAAAA4AAAA
< Content-Length: 0
<
> BITS_POST /up/report.csv HTTP/1.1
> BITS-Packet-Type: Ping
> User-Agent: Microsoft BITS/7.8
> Host: bits.example.test
> Authorization: NTLM TlRMTVNTUAADAAAAAAAAAEgAAAAAAAAASAAAAAAAAABIAAAAAAAAAEgAAAAAAAAASAAAAAAAAABIAAAABYKJog==
> Content-Length: 0
>
";

/// The answer that lets the client in.
pub(crate) const NTLM_IN: &str = r"
< HTTP/1.1 200 OK
< BITS-Packet-Type: Ack
< Persistent-Auth: true
< Content-Length: 0
<
";

/// The answer that refuses it.
pub(crate) const NTLM_REFUSED: &str = r"
< HTTP/1.1 401 Unauthorized
< WWW-Authenticate: Negotiate
< WWW-Authenticate: NTLM
< Content-Length: 0
<
";

//! Targets and hosts in a form that can be compared.
//!
//! The rows show what was sent; these keys are only for finding the session again.

/// Splits a target into the authority of an absolute form, if it is one, and path with query. A
/// fragment is dropped.
///
/// RFC 9112 §3.2
pub(crate) fn split(target: &str) -> (Option<&str>, &str) {
    let target = target.split('#').next().unwrap_or(target);
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        target
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let Some(rest) = scheme.and_then(|scheme| target.get(scheme.len()..)) else {
        return (None, target);
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    match rest.get(end..) {
        None | Some("") => (Some(host), "/"),
        Some(path) => (Some(host), path),
    }
}

/// Returns the last segment of a target's path, without the query; the path where there is none.
pub(super) fn last_segment(target: &str) -> &str {
    let (_, path) = split(target);
    let path = path.split('?').next().unwrap_or(path);
    path.rsplit('/')
        .find(|segment| !segment.is_empty())
        .unwrap_or(path)
}

/// Returns the key under which the reply of an upload to `upload` is found: the reply URL resolved
/// against the upload's directory. Hosts are left out, since a proxy or a farm changes them.
///
/// MC-BUP §4.2: the server of Windows sends a relative path with backslashes.
pub(super) fn reply_key(upload: &str, reply: &str) -> String {
    let reply = reply.replace('\\', "/");
    let (host, path) = split(&reply);
    if host.is_some() || path.starts_with('/') {
        return fold(path);
    }
    let (_, base) = split(upload);
    let base = base.split('?').next().unwrap_or(base);
    let directory = base.rsplit_once('/').map_or("", |(before, _)| before);
    fold(&format!("{directory}/{path}"))
}

/// Folds what two spellings of one path may differ in: backslashes, percent-encoding, letters' case.
pub(crate) fn fold(target: &str) -> String {
    let (_, path) = split(target);
    let mut folded = percent_decoded(path);
    for byte in &mut folded {
        *byte = if *byte == b'\\' {
            b'/'
        } else {
            byte.to_ascii_lowercase()
        };
    }
    String::from_utf8_lossy(&folded).into_owned()
}

/// Undoes percent-encoding; a percent sign without two digits behind it stays.
///
/// RFC 3986 §2.1
pub(crate) fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let decoded = (byte == b'%').then(|| hexadecimal_pair(after)).flatten();
        bytes.push(decoded.unwrap_or(byte));
        rest = decoded.and_then(|_| after.get(2..)).unwrap_or(after);
    }
    bytes
}

fn hexadecimal_pair(bytes: &[u8]) -> Option<u8> {
    let digits = str::from_utf8(bytes.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_targets_lose_their_host() {
        assert_eq!(
            split("http://a.test:8080/up/f?x#y"),
            (Some("a.test:8080"), "/up/f?x")
        );
        assert_eq!(split("HTTP://u:p@a.test"), (Some("a.test"), "/"));
        assert_eq!(split("/up/f"), (None, "/up/f"));
        assert_eq!(last_segment("/up/report.csv?x=/y"), "report.csv");
        assert_eq!(last_segment("/"), "/");
    }

    #[test]
    fn reply_urls_are_found_by_what_the_client_asks_for() {
        let asked = fold("/ask/BITS-Sessions/Replies/%7B9A0C%7d/responsefile.bin");
        for reply in [
            r"BITS-Sessions\Replies\{9A0C}\responsefile.bin",
            "/ask/BITS-Sessions/Replies/{9A0C}/responsefile.bin",
            "http://other.test/ask/BITS-Sessions/Replies/%7b9A0C%7D/responsefile.bin",
        ] {
            assert_eq!(reply_key("/ask/q.bin?x=/1", reply), asked, "{reply}");
            assert_eq!(
                reply_key("http://h.test/ask/q.bin", reply),
                asked,
                "{reply}"
            );
        }
    }

    #[test]
    fn broken_percent_signs_stay() {
        assert_eq!(fold("/a%zz%4"), "/a%zz%4");
    }
}

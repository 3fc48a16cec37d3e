//! What a file is that is no capture, as far as its first bytes tell.

/// What can be opened.
pub(super) const UNDERSTOOD: &str = "understood are pcapng and pcap, also compressed with gzip, HAR, SAZ, and mitmproxy's flow files";

/// First bytes and what they tell.
const KINDS: &[(&[u8], &str)] = &[
    (b"\xFF\xD8\xFF", "it is a JPEG image"),
    (b"\x89PNG", "it is a PNG image"),
    (b"PK\x03\x04", "it is a ZIP archive"),
    (
        b"\x28\xB5\x2F\xFD",
        "it is compressed with zstd: unpack it first",
    ),
    (b"\xFD7zXZ", "it is compressed with xz: unpack it first"),
    (b"BZh", "it is compressed with bzip2: unpack it first"),
    (
        b"GMBU",
        "it is a Microsoft Network Monitor capture: convert it with editcap",
    ),
    (
        b"RTSS",
        "it is a Microsoft Network Monitor capture: convert it with editcap",
    ),
    (b"XCP\0", "it is a Sniffer capture: convert it with editcap"),
    (b"snoop\0", "it is a snoop capture: convert it with editcap"),
    (b"\x7FELF", "it is a program"),
    (b"MZ", "it is a program"),
    (b"%PDF", "it is a PDF document"),
    (b"{", "it looks like JSON"),
    (b"<", "it looks like XML or HTML"),
];

/// Says what was found and what is understood.
pub(super) fn reason(first: &[u8]) -> String {
    let found = KINDS
        .iter()
        .find(|(magic, _)| first.starts_with(magic))
        .map(|(_, kind)| (*kind).to_owned());
    let found = found.unwrap_or_else(|| match first {
        [] => "it is empty".to_owned(),
        bytes => {
            let hex: Vec<String> = bytes
                .iter()
                .take(4)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("it begins with the bytes {}", hex.join(" "))
        }
    });
    format!("{found}; {UNDERSTOOD}")
}

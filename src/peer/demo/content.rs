//! Files for the demo: the same bytes in every run, and lines that a person can recognise in a hex view.

use std::fmt::Write as _;

/// Makes `size` bytes that depend on `name` alone.
pub(super) fn file(name: &str, size: usize) -> Vec<u8> {
    let mut state = name.bytes().fold(0x9E37_79B9_7F4A_7C15_u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let mut text = String::with_capacity(size + 64);
    let mut line = 0_u32;
    while text.len() < size {
        // Knuth's linear congruential generator (MMIX).
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        line += 1;
        let _ = writeln!(text, "{name},{line:06},{:016x},{}", state, state >> 54);
    }
    text.truncate(size);
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_their_size_and_differ() {
        assert_eq!(file("a", 1000).len(), 1000);
        assert_eq!(file("a", 1000), file("a", 1000));
        assert_ne!(file("a", 1000), file("b", 1000));
    }
}

//! Lower-case hex, strictly: one spelling per value, so that a text that verifies cannot be changed and still verify.

use std::fmt;

/// Bytes that are shown as lower-case hex digits.
pub(crate) struct Digits<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// `bytes` as lower-case hex digits.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    Digits(bytes).to_string()
}

/// Exactly `N` bytes from exactly `2 * N` lower-case hex digits.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0u8; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = of_pair(pair)?;
    }
    Some(bytes)
}

/// However many bytes from lower-case hex digits.
pub(crate) fn decode_all(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(of_pair).collect()
}

fn of_pair(pair: &[u8]) -> Option<u8> {
    Some(digit(pair[0])? << 4 | digit(pair[1])?)
}

fn digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_per_value() {
        assert_eq!(encode(&[0x00, 0xaf, 0x7f]), "00af7f");
        assert_eq!(decode::<3>("00af7f"), Some([0x00, 0xaf, 0x7f]));
        assert_eq!(decode_all("00af7f"), Some(vec![0x00, 0xaf, 0x7f]));
        for bad in ["00AF7F", "00af7", "00af7f0", "00af7g", " 0af7f", "+0af7f", "00afé"] {
            assert_eq!((decode::<3>(bad), decode_all(bad)), (None, None), "{bad}");
        }
        assert_eq!((decode::<3>(""), decode_all("")), (None, Some(Vec::new())));
    }
}

//! Lower-case hex, strictly: one spelling per value, so that a text that verifies cannot be changed and still verify.

/// `bytes` as lower-case hex digits.
pub(crate) fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)] as char, DIGITS[usize::from(b & 15)] as char]).collect()
}

/// Exactly `N` bytes from exactly `2 * N` lower-case hex digits.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0u8; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
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
        for bad in ["00AF7F", "00af7", "00af7f0", "00af7g", " 0af7f", "+0af7f", ""] {
            assert_eq!(decode::<3>(bad), None, "{bad}");
        }
    }
}

//! Bytes to text: byte order marks, UTF-8, UTF-16, a declared charset, and otherwise a guess.

use crate::Unreadable;
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How much of a file decides whether it is text.
const HEAD: usize = 8 * 1024;
/// How much of a file the encoding is guessed from; more would only cost time.
const GUESS: usize = 256 * 1024;

/// Decoded text and, where bytes had to be replaced, the sentence that says so.
pub(crate) struct Decoded {
    pub(crate) text: String,
    pub(crate) note: Option<String>,
}

/// Decodes `bytes`. A byte order mark wins, then valid UTF-8, then `declared` (what an HTML page says of itself), then
/// mostly-UTF-8 with replacements, then a guess. Data with NUL bytes that is not UTF-16 is [`Unreadable::Binary`].
pub(crate) fn decode(bytes: Vec<u8>, declared: Option<&'static Encoding>) -> Result<Decoded, Unreadable> {
    if let Some((encoding, _)) = Encoding::for_bom(&bytes) {
        return Ok(with(encoding, &bytes));
    }
    if let Some(encoding) = utf16_without_mark(&bytes) {
        return Ok(with(encoding, &bytes));
    }
    if binary(&bytes[..bytes.len().min(HEAD)]) {
        return Err(Unreadable::Binary);
    }
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return Ok(Decoded { text, note: None }),
        Err(error) => error.into_bytes(),
    };
    if let Some(encoding) = declared.filter(|encoding| *encoding != UTF_8) {
        return Ok(with(encoding, &bytes));
    }
    if mostly_utf8(&bytes) {
        return Ok(with(UTF_8, &bytes));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(&bytes[..bytes.len().min(GUESS)], bytes.len() <= GUESS);
    Ok(with(detector.guess(None, Utf8Detection::Deny), &bytes))
}

fn with(encoding: &'static Encoding, bytes: &[u8]) -> Decoded {
    let (text, _, replaced) = encoding.decode(bytes);
    let note = replaced.then(|| {
        let count = text.matches('\u{fffd}').count();
        let places = if count == 1 { "1 place was".to_owned() } else { format!("{count} places were") };
        format!("{places} not valid {} and shown as \u{fffd}.", encoding.name())
    });
    Decoded { text: text.into_owned(), note }
}

/// Whether the start of a file is not text: a NUL, or more than one control character in ten.
fn binary(head: &[u8]) -> bool {
    let control = head.iter().filter(|b| matches!(b, 1..=8 | 14..=26 | 28..=31)).count();
    head.contains(&0) || control * 10 > head.len()
}

/// UTF-16 text in a script whose high bytes are mostly zero betrays itself by where the zeros lie.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(HEAD) & !1];
    if head.len() < 4 || !bytes.len().is_multiple_of(2) {
        return None;
    }
    let pairs = head.len() / 2;
    let zeros = |offset: usize| head.iter().skip(offset).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let plain = |offset: usize| {
        head.iter().skip(offset).step_by(2).filter(|b| matches!(b, b'\t' | b'\n' | b'\r' | 32..=126)).count()
    };
    if odd * 10 >= pairs * 7 && even == 0 && plain(0) * 10 >= pairs * 7 {
        Some(UTF_16LE)
    } else if even * 10 >= pairs * 7 && odd == 0 && plain(1) * 10 >= pairs * 7 {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Whether good multi-byte sequences outnumber the bad ones: a UTF-8 file with an accident in it, not another encoding.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good > 2 * bad
}

/// The text of an XML part: UTF-8, or UTF-16 with its mark; XML in a Word file is nothing else.
pub(crate) fn xml(bytes: Vec<u8>) -> String {
    let encoding = Encoding::for_bom(&bytes).map_or(UTF_8, |(encoding, _)| encoding);
    match String::from_utf8(bytes) {
        Ok(text) if !text.starts_with('\u{feff}') => text,
        Ok(text) => text[3..].to_owned(),
        Err(error) => encoding.decode(error.as_bytes()).0.into_owned(),
    }
}

/// The charset that an HTML page declares within its first 1024 bytes, or that one of XHTML begins with.
pub(crate) fn html_charset(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = bytes[..bytes.len().min(1024)].to_ascii_lowercase();
    let after = |word: &[u8]| head.windows(word.len()).position(|window| window == word).map(|at| at + word.len());
    let declared = || head.starts_with(b"<?xml").then(|| after(b"encoding="))?;
    let at = after(b"charset=").or_else(declared)?;
    let label = head[at..].strip_prefix(b"\"").or_else(|| head[at..].strip_prefix(b"'")).unwrap_or(&head[at..]);
    let end = label.iter().position(|b| !(b.is_ascii_alphanumeric() || b"-_:.".contains(b))).unwrap_or(label.len());
    Encoding::for_label(&label[..end])
}

#[cfg(test)]
mod tests {
    use super::{decode, html_charset};

    fn text(bytes: &[u8]) -> String {
        decode(bytes.to_vec(), html_charset(bytes)).map_or_else(|why| why.to_string(), |decoded| decoded.text)
    }

    #[test]
    fn marks_guesses_and_declarations() {
        let utf16 = |text: &str, little: bool| -> Vec<u8> {
            text.encode_utf16().flat_map(|u| if little { u.to_le_bytes() } else { u.to_be_bytes() }).collect()
        };
        let marked = |mark: &[u8], rest: Vec<u8>| [mark.to_vec(), rest].concat();
        for (bytes, expected) in [
            (b"\xef\xbb\xbfplain".to_vec(), "plain"),
            ("straße".as_bytes().to_vec(), "straße"),
            (marked(b"\xff\xfe", utf16("straße", true)), "straße"),
            (marked(b"\xfe\xff", utf16("straße", false)), "straße"),
            (utf16("no mark at all", true), "no mark at all"),
            (utf16("no mark at all", false), "no mark at all"),
            (
                b"Die Stra\xdfe f\xfchrt \xfcber den Flu\xdf und \xfcber die Br\xfccke.".to_vec(),
                "Die Straße führt über den Fluß und über die Brücke.",
            ),
            (b"<meta charset=iso-8859-2>\xb3\xf3d\xbc".to_vec(), "<meta charset=iso-8859-2>łódź"),
            (b"<?xml encoding='ISO-8859-2'?>\xb3\xf3d\xbc".to_vec(), "<?xml encoding='ISO-8859-2'?>łódź"),
            (b"\x00\x01\x02\x03 binary".to_vec(), "It is not text (it holds binary data)."),
        ] {
            assert_eq!(text(&bytes), expected);
        }
    }

    #[test]
    fn an_accident_in_utf8_is_replaced_and_said() {
        let mut bytes = "é è ü ö ä ".repeat(4).into_bytes();
        bytes.push(0xff);
        bytes.extend_from_slice("fin".as_bytes());
        let decoded = decode(bytes, None).expect("text");
        assert!(decoded.text.ends_with("\u{fffd}fin"));
        assert_eq!(decoded.note.as_deref(), Some("1 place was not valid UTF-8 and shown as \u{fffd}."));
    }
}

//! Keys, tokens and passwords: by the beginnings that services give them (`secrets/formats.rs`), by what is said before
//! them (`secrets/named.rs`), and by being too irregular for a word.

mod formats;
mod named;

use std::ops::Range;

/// Bits of each sign, below which a long word is taken for a word.
const IRREGULAR: f64 = 3.5;
/// Length from which an irregular word is a secret by itself.
const LONG: usize = 24;

/// Where the secrets of a text lie.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = keys_in_armour(text);
    found.extend(named::headers(text));
    found.extend(named::logins(text));
    found.extend(named::manifests(text));
    found.sort_by_key(|span| span.start);
    let mut before: Option<Range<usize>> = None;
    let (mut more, mut at) = (Vec::new(), 0);
    for word in words(text) {
        while found.get(at).is_some_and(|known| known.end <= word.start) {
            at += 1;
        }
        let inside = found.get(at).is_some_and(|known| known.start < word.end);
        let bytes = &text[word.clone()];
        let named = || before.as_ref().is_some_and(|name| named::is_named(text, name, &word));
        if !inside && (formats::fits(bytes) || is_irregular(bytes) || (bytes.len() >= 6 && named())) {
            more.push(word.clone());
        }
        before = Some(word);
    }
    found.extend(more);
    found.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    found.dedup_by(|next, last| next.start < last.end);
    found
}

/// Private keys between their `BEGIN` and `END` lines; one without an end goes to the end of the text.
fn keys_in_armour(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(step) = text[at..].find("-----BEGIN ") {
        let start = at + step;
        let line = text[start..].lines().next().unwrap_or_default();
        if !line.contains("PRIVATE KEY") {
            at = start + 11;
            continue;
        }
        let end = text[start..].find("-----END ").map_or(text.len(), |end| {
            let tail = &text[start + end + 9..];
            start + end + 9 + tail.find("-----").map_or(tail.len(), |dashes| dashes + 5)
        });
        // Armour with nothing in it holds no key.
        if end - start < 120
            && text[start..end].lines().filter(|line| !line.starts_with("-----")).all(|l| l.trim().is_empty())
        {
            at = end;
            continue;
        }
        found.push(start..end);
        at = end;
    }
    found
}

/// Runs of the signs that secrets are made of.
fn words(text: &str) -> Vec<Range<usize>> {
    let is_sign = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '+' | '/' | '_' | '-' | '.' | '~' | '%' | '!' | '@' | '#' | '$' | '^' | '&' | '*')
    };
    let mut all = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (is_sign(c) || (c == '=' && start.is_some_and(|from| padding(&text[from..at], &text[at..]))), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let end = from + text[from..at].trim_end_matches(['.', '!', '-']).len();
                if end > from {
                    all.push(from..end);
                }
                start = None;
            }
            _ => {}
        }
    }
    all
}

/// Whether `=` pads what came before rather than sets a value.
fn padding(before: &str, rest: &str) -> bool {
    let rest = rest.trim_start_matches('=');
    let opened =
        rest.strip_prefix(['"', '\'', '`']).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
    before.len() >= 16 && !opened && !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_irregular(word: &str) -> bool {
    if word.len() < LONG {
        return false;
    }
    let (mut upper, mut lower, mut digits, mut hex) = (0, 0, 0, 0);
    for b in word.bytes() {
        upper += usize::from(b.is_ascii_uppercase());
        lower += usize::from(b.is_ascii_lowercase());
        digits += usize::from(b.is_ascii_digit());
        hex += usize::from(b.is_ascii_hexdigit());
    }
    let len = word.len();
    let letters = upper + lower;
    if letters == 0 || digits == 0 || word.starts_with("//") || word.contains('@') {
        return false;
    }
    // Hashes and keys in hex; a UUID has hyphens and names nothing.
    if hex == len {
        return len >= 32 && entropy(word) >= 3.0;
    }
    let is_key = |part: &str| part.len() >= 32 && part.bytes().all(|b| b.is_ascii_hexdigit()) && entropy(part) >= 3.0;
    if word.split(['-', '_', '.']).any(is_key) {
        return true;
    }
    // Paths, file names and sentences with hyphens fall into words; one of those must be irregular by itself.
    let odd = |part: &str| {
        let has = |is: fn(&u8) -> bool| part.bytes().any(|b| is(&b));
        part.len() >= 16 && has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)
    };
    digits >= 2
        && upper > 0
        && lower > 0
        && entropy(word) >= IRREGULAR
        && word.split(['/', '.', '-', '_', '~', '@']).any(odd)
}

/// Shannon's entropy of the bytes of a word, in bits for each.
fn entropy(word: &str) -> f64 {
    let mut counts = [0u32; 256];
    word.bytes().for_each(|b| counts[usize::from(b)] += 1);
    let len = word.len() as f64;
    counts.iter().filter(|n| **n > 0).map(|n| f64::from(*n) / len).map(|p| -p * p.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        secrets(text).into_iter().map(|span| &text[span]).collect()
    }

    // Made up for these tests, and put together here so that no scanner takes them for real ones.
    fn made_up() -> String {
        ["Zk3", "9QxT7", "mB2v", "R8yLp0", "Wd5Ns", "Hc1Ge"].concat()
    }

    #[test]
    fn secrets_are_known_by_prefix_name_or_irregularity() {
        let odd = made_up();
        let cases = [
            (format!("key {}{odd}.", "ghp_"), vec![format!("{}{odd}", "ghp_")]),
            (format!("it is {odd}"), vec![odd.clone()]),
            ("password: hunter2 and password = \"s3cr3t!x\"".to_owned(), vec!["hunter2".into(), "s3cr3t!x".into()]),
            ("API_KEY=abc123def".to_owned(), vec!["abc123def".into()]),
            ("the password is wrong; token: none; secret: maybe".to_owned(), vec![]),
            ("docs/2026/notes-of-the-long-meeting-in-porto-12.md".to_owned(), vec![]),
            ("0199f3a2-7c1e-7d3a-9b2f-0123456789ab".to_owned(), vec![]),
            ("d41d8cd98f00b204e9800998ecf8427e".to_owned(), vec!["d41d8cd98f00b204e9800998ecf8427e".into()]),
            ("https://example.org/A1b2C3d4E5f6G7h8J9k0L1m2".to_owned(), vec![]),
        ];
        for (text, expected) in cases {
            assert_eq!(texts(&text), expected, "{text}");
        }
        let armour = format!("x\n-----BEGIN {} KEY-----\nabc\n-----END {} KEY-----\ny", "PRIVATE", "PRIVATE");
        let found = texts(&armour);
        assert!(found.len() == 1 && found[0].starts_with("-----BEGIN") && found[0].ends_with("KEY-----"), "{found:?}");
    }
}

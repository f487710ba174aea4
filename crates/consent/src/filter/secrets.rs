//! Keys, tokens and passwords: by the prefixes that services give them, by what is said before them, and by being too
//! irregular for a word.

use std::ops::Range;

/// Beginnings that only secrets have, and how many letters and digits must follow.
const PREFIXES: &[(&str, usize)] = &[
    ("AKIA", 12),
    ("ASIA", 12),
    ("ABIA", 12),
    ("ACCA", 12),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("glrt-", 16),
    ("gldt-", 16),
    ("glptt-", 16),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxa-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xoxe-", 10),
    ("xapp-", 10),
    ("sk-", 20),
    ("sk_live_", 10),
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("rk_test_", 10),
    ("pk_live_", 10),
    ("pk_test_", 10),
    ("AIza", 30),
    ("ya29.", 20),
    ("hf_", 20),
    ("npm_", 20),
    ("pypi-", 20),
    ("SG.", 20),
    ("dop_v1_", 20),
    ("doo_v1_", 20),
    ("shpat_", 20),
    ("shpca_", 20),
    ("shppa_", 20),
    ("shpss_", 20),
    ("hvs.", 20),
    ("hvb.", 20),
    ("AGE-SECRET-KEY-", 20),
    ("EAACEdEose0cBA", 5),
    ("dp.pt.", 20),
    ("lin_api_", 20),
    ("pul-", 20),
    ("rubygems_", 20),
    ("sntrys_", 20),
    ("sntryu_", 20),
    ("glsa_", 20),
    ("glc_", 20),
    ("NRAK-", 15),
    ("NRJS-", 10),
    ("PMAK-", 20),
    ("sq0csp-", 20),
    ("sq0atp-", 20),
    ("EAAA", 40),
    ("tfp_", 20),
    ("dapi", 30),
    ("ops_", 40),
    ("A3-", 20),
    ("fo1_", 20),
    ("fm1", 40),
    ("PRIVATE-", 20),
    ("pscale_", 20),
    ("sgp_", 20),
    ("figd_", 20),
    ("rpa_", 20),
    ("pplx-", 30),
    ("gsk_", 30),
    ("xai-", 30),
    ("nvapi-", 30),
    ("eyJ", 30),
    ("ATATT3", 30),
    ("SK", 32),
    ("key-", 32),
    ("T3BlbkFJ", 20),
    ("fio-u-", 20),
    ("r8_", 30),
    ("secret-token:", 8),
];

/// Words that name a secret; what is set equal to them is one.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "authkey",
    "credential",
    "credentials",
    "apitoken",
    "accesstoken",
    "clientsecret",
    "authorization",
    "bearer",
];

/// Bits of each sign, below which a long word is taken for a word.
const IRREGULAR: f64 = 3.5;
/// Length from which an irregular word is a secret by itself.
const LONG: usize = 24;

/// Where the secrets of a text lie.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut found = keys_in_armour(text);
    let mut before: Option<(&str, usize)> = None;
    for word in words(text) {
        let bytes = &text[word.clone()];
        let inside = found.iter().any(|known: &Range<usize>| known.start <= word.start && word.end <= known.end);
        let named = before.is_some_and(|(name, end)| {
            sets(&text[end..word.start])
                && ((names_a_secret(name) && is_value(bytes)) || (names_a_key(name) && is_long(bytes)))
        });
        if !inside && (has_prefix(bytes) || is_irregular(bytes) || named) {
            found.push(word.clone());
        }
        before = Some((bytes, word.end));
    }
    found.sort_by_key(|span| span.start);
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
        found.push(start..end);
        at = end;
    }
    found
}

/// Runs of the signs that secrets are made of.
fn words(text: &str) -> Vec<Range<usize>> {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "+/_-.~%!@#$^&*".contains(c);
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
    before.len() >= 16 && !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn has_prefix(word: &str) -> bool {
    PREFIXES.iter().any(|(prefix, more)| {
        word.strip_prefix(prefix).is_some_and(|rest| {
            let signs = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"_-.=/+".contains(b)).count();
            signs >= *more && rest.bytes().any(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        })
    })
}

fn is_irregular(word: &str) -> bool {
    let (mut upper, mut lower, mut digits, mut hex) = (0, 0, 0, 0);
    for b in word.bytes() {
        upper += usize::from(b.is_ascii_uppercase());
        lower += usize::from(b.is_ascii_lowercase());
        digits += usize::from(b.is_ascii_digit());
        hex += usize::from(b.is_ascii_hexdigit());
    }
    let len = word.len();
    let letters = upper + lower;
    if len < LONG || letters == 0 || digits == 0 || word.starts_with("//") || word.contains('@') {
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
    // Paths, file names and sentences with hyphens fall into words.
    let longest = word.split(['/', '.', '-', '_']).map(str::len).max().unwrap_or(0);
    longest >= 16 && digits >= 2 && upper > 0 && lower > 0 && entropy(word) >= IRREGULAR
}

/// Shannon's entropy of the bytes of a word, in bits for each.
fn entropy(word: &str) -> f64 {
    let mut counts = [0u32; 256];
    word.bytes().for_each(|b| counts[usize::from(b)] += 1);
    let len = word.len() as f64;
    counts.iter().filter(|n| **n > 0).map(|n| f64::from(*n) / len).map(|p| -p * p.log2()).sum()
}

fn names_a_secret(word: &str) -> bool {
    let bare: String = word.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    NAMES.iter().any(|name| bare.ends_with(name))
}

fn names_a_key(word: &str) -> bool {
    word.to_lowercase().ends_with("key")
}

/// A value that is no word and no small number.
fn is_long(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.bytes().any(|b| is(&b));
    word.len() >= 16 && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic)
}

/// Whether what lies between a name and a value sets it.
fn sets(between: &str) -> bool {
    let bare: String = between.chars().filter(|c| !c.is_whitespace() && !"\"'`".contains(*c)).collect();
    matches!(bare.as_str(), ":" | "=" | ":=" | "::=" | ":::=" | "?=" | "=>" | "==") && !between.contains('\n')
}

/// A value that can be a secret: not a plain short word.
fn is_value(word: &str) -> bool {
    word.len() >= 6 && word.bytes().any(|b| !b.is_ascii_lowercase()) && !word.starts_with('$')
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

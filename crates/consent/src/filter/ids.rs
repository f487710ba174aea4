//! Numbers by which a state or a house knows a person: by their groups and their sums, or by being named.

use super::checks;
use super::tokens::{List, Piece};
use super::words::{Shape, Word};
use std::ops::Range;
use std::sync::OnceLock;

type Check = fn(&[u32]) -> bool;

/// Groups of digits with the signs between them (`_` is a space or a hyphen, the same throughout), and what must hold.
const SHAPES: &[(&[usize], &str, Check)] = &[
    (&[3, 2, 4], "__", |_| true),
    (&[3, 3, 3, 2], "..-", checks::cpf),
    (&[4, 4, 4], "__", checks::aadhaar),
    (&[2, 2, 2, 3, 2], "..-.", checks::belgian),
    (&[3, 4, 4, 2], "...", checks::swiss),
    (&[6, 4], "-", checks::nordic),
    (&[8, 4], "-", checks::swedish),
    (&[1, 2, 2, 2, 3, 3, 2], "______", checks::french),
    (&[15], "", checks::french),
    (&[11], "", |d| checks::pesel(d) || checks::cpf(d)),
];

/// A word that names an identifier.
const NAME: u32 = 1;
/// A word that names one together with another such.
const FIRST: u32 = 2;
const SECOND: u32 = 4;
/// Words after which, anywhere in the piece, a number is one where its sum holds.
const NHS: u32 = 8;
const NIF: u32 = 16;
const BSN: u32 = 32;
const GERMAN: u32 = 64;
const CANADIAN: u32 = 128;

/// For each such word the groups of its numbers and their check.
const SUMS: &[(u32, &[usize], Check)] = &[
    (NHS, &[3, 3, 4], checks::nhs),
    (NIF, &[3, 3, 3], checks::nif),
    (BSN, &[9], checks::bsn),
    (GERMAN, &[2, 3, 3, 3], checks::german),
    (CANADIAN, &[3, 3, 3], checks::canadian),
];

const ROWS: &[(u32, &str)] = &[
    (NAME, "ssn itin cpf cnpj pesel aadhaar aadhar nino dni nie curp rfc rut cedula ahv nir cpr"),
    (NAME | NHS, "nhs"),
    (NAME | NIF, "nif contribuinte"),
    (NAME | BSN, "bsn burgerservicenummer"),
    (NAME | GERMAN, "steueridentifikationsnummer steuernummer idnr"),
    (CANADIAN, "sin"),
    (NAME, "personnummer fodselsnummer henkilotunnus sozialversicherungsnummer"),
    (NAME, "passport reisepass reisepassnummer passnummer"),
    (NAME, "personalausweis personalausweisnummer ausweisnummer fuhrerschein fuhrerscheinnummer passeport pasaporte"),
    (NAME, "passaporte passaporto paspoort paspoortnummer rijbewijs rijbewijsnummer patente"),
    (FIRST, "social national identity identification id tax taxpayer driver drivers driving insurance member medical"),
    (FIRST, "driver’s medicare health patient policy licence license carte permis carta cartao permiso carnet numero"),
    (FIRST, "employee student customer account"),
    (
        SECOND,
        "security insurance card number id no nr licence license identity record conducir conduire conducao cidadao",
    ),
    (SECOND, "identite identidad permit code s"),
];

fn list() -> &'static List {
    static LIST: OnceLock<List> = OnceLock::new();
    LIST.get_or_init(|| List::new(ROWS))
}

/// Words after its name among which an identifier is looked for.
const REACH: usize = 10;

/// Identifiers that are known by what they are made of.
pub(super) fn shaped(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for run in super::numbers::runs(text, |c| matches!(c, ' ' | '-' | '.')) {
        let bytes = &text.as_bytes()[run.clone()];
        let mut groups: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate().chain([(bytes.len(), &b' ')]) {
            if !byte.is_ascii_digit() {
                groups.push(start..at);
                start = at + 1;
            }
        }
        let mut at = 0;
        while at < groups.len() {
            let len = SHAPES.iter().find_map(|shape| fits(bytes, &groups[at..], shape));
            // A group of a longer number with the same signs is none of its own.
            let after = len.map_or(0, |len| groups[at + len - 1].end);
            let joined = |place: usize| bytes.get(place).is_some_and(|b| *b != b' ');
            match len {
                Some(len) if !joined(after) && (at == 0 || !joined(groups[at].start - 1)) => {
                    found.push(run.start + groups[at].start..run.start + after);
                    at += len;
                }
                _ => at += 1,
            }
        }
    }
    found.extend(mixed(text));
    found.sort_by_key(|span| span.start);
    found
}

/// How many groups an identifier of this shape takes.
fn fits(bytes: &[u8], groups: &[Range<usize>], (lens, signs, check): &(&[usize], &str, Check)) -> Option<usize> {
    let groups = groups.get(..lens.len())?;
    if groups.iter().zip(*lens).any(|(group, len)| group.len() != *len) {
        return None;
    }
    let first = bytes.get(groups[0].end).copied().unwrap_or(b' ');
    let agree = signs.bytes().zip(groups).all(|(sign, group)| match (sign, bytes[group.end]) {
        (b'_', found) => found == first && found != b'.',
        (sign, found) => sign == found,
    });
    let digits = || groups.iter().flat_map(|g| &bytes[g.clone()]).map(|b| u32::from(b - b'0')).collect::<Vec<u32>>();
    (agree && check(&digits())).then_some(lens.len())
}

/// Identifiers of letters and digits.
fn mixed(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_alphanumeric() {
            at += 1;
            continue;
        }
        let len = bytes[at..].iter().take(64).take_while(|b| b.is_ascii_alphanumeric()).count();
        let end = at + len;
        let word = &bytes[at..end];
        let digits = word.iter().filter(|b| b.is_ascii_digit()).count();
        let glued = at > 0 && !bytes[at - 1].is_ascii() || bytes.get(end).is_some_and(|b| !b.is_ascii());
        let is_id = |word: &str| match word.len() {
            9 => digits >= 6 && (checks::spanish(word) || checks::insurance(word)),
            16 => (5..16).contains(&digits) && checks::italian(word),
            _ => false,
        };
        if !glued && is_id(&text[at..end]) {
            found.push(at..end);
        } else if !glued && len == 6 && digits == 6 && end + 5 <= bytes.len() && text.is_char_boundary(end + 5) {
            // A Finnish one has a sign inside.
            let ends = bytes.get(end + 5).is_none_or(|b| !b.is_ascii_alphanumeric());
            if ends && checks::finnish(&text[at..end + 5]) {
                found.push(at..end + 5);
            }
        } else if !glued && len == 2 && word.iter().all(u8::is_ascii_uppercase) {
            // A British one with spaces: AB 12 34 56 C.
            let spaced = &bytes[at..bytes.len().min(at + 13)];
            let bare: String = spaced.iter().filter(|b| **b != b' ').map(|b| char::from(*b)).collect();
            let ends = bytes.get(at + 13).is_none_or(|b| !b.is_ascii_alphanumeric());
            if spaced.len() == 13
                && ends
                && [2, 5, 8, 11].iter().all(|i| spaced[*i] == b' ')
                && checks::insurance(&bare)
            {
                found.push(at..at + 13);
            }
        }
        // A longer word than any identifier goes at once.
        at = end + bytes[end..].iter().take_while(|b| len == 64 && b.is_ascii_alphanumeric()).count();
    }
    found
}

/// Identifiers that are named as such: what follows and has digits.
pub(super) fn named(text: &str, words: &[Word]) -> Vec<Range<usize>> {
    let piece = Piece { text, words };
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in 0..words.len() {
        let bits = list().bits(&words[at]);
        if bits & (NAME | FIRST) == 0 {
            continue;
        }
        let skip = |at: usize| at + usize::from(matches!(piece.str(at), "'" | "’" | "-"));
        let bits_at = |at: usize| list().bits(&piece.word(at));
        let mut next = at + 1;
        if bits & NAME == 0 {
            let mut second = skip(next);
            if piece.str(second) == "s" || matches!(piece.str(second), "de" | "of" | "di" | "nacional") {
                second += 1;
            }
            if bits_at(second) & SECOND == 0 {
                continue;
            }
            next = second + 1;
            // An account's or a member's number must be called a number.
            let weak =
                |word: &str| matches!(word, "account" | "customer" | "policy" | "student" | "employee" | "member");
            if weak(&piece.str(at).to_lowercase())
                && !matches!(bits_at(second), b if b & SECOND != 0 && piece.str(second).len() <= 6)
            {
                continue;
            }
        }
        let candidate = (next..(next + REACH).min(words.len()))
            .take_while(|at| piece.shape(*at) != Shape::Line || *at == next)
            .find_map(|at| value_at(&piece, at));
        found.extend(candidate.filter(|span| found.last().is_none_or(|last| last.end <= span.start)));
    }
    let said = words.iter().fold(0, |said, word| said | list().bits(word));
    for (_, lens, check) in SUMS.iter().filter(|(bit, ..)| said & bit != 0) {
        let total: usize = lens.iter().sum();
        for at in 0..words.len() {
            let groups = if piece.str(at).len() == total { 1 } else { lens.len() };
            let texts: String = (at..at + groups).map(|at| piece.str(at)).collect();
            let fits = texts.len() == total
                && (0..groups).all(|nth| piece.number(at + nth).is_some() || total > 9 && groups == 1)
                && texts.bytes().all(|b| b.is_ascii_digit());
            if fits && check(&texts.bytes().map(|b| u32::from(b - b'0')).collect::<Vec<u32>>()) {
                found.push(piece.span(at, at + groups));
            }
        }
    }
    found.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    found.dedup_by(|next, last| next.start < last.end);
    found
}

/// The span of a value of letters and digits that begins with a word.
fn value_at(piece: &Piece, at: usize) -> Option<Range<usize>> {
    let first = piece.word(at);
    if !(first.shape == Shape::Number || matches!(first.shape, Shape::Upper | Shape::Initial)) {
        return None;
    }
    let rest = &piece.text[first.start..];
    let mut end = 0;
    let (mut digits, mut letters) = (0, 0);
    let mut before = ' ';
    for (at, c) in rest.char_indices().take(32) {
        let goes_on = c.is_ascii_alphanumeric()
            || (matches!(c, '-' | '.' | '/' | '*') && before.is_ascii_alphanumeric())
            || (c == ' ' && before.is_ascii_digit() && rest[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
        if !goes_on {
            break;
        }
        if c.is_ascii_alphanumeric() {
            end = at + 1;
            digits += usize::from(c.is_ascii_digit());
            letters += usize::from(c.is_ascii_alphabetic());
        }
        before = c;
    }
    let ends = rest[end..].chars().next().is_none_or(|c| !c.is_alphanumeric());
    (ends && digits >= 5 && digits + letters <= 20 && letters <= 12).then_some(first.start..first.start + end)
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::Recent;
    use super::super::words::words;
    use super::*;

    #[test]
    fn identifiers_by_their_sums_and_by_their_names() {
        let cases: &[(&str, &[&str])] = &[
            ("123-45-6789 and 1234-45-6789", &["123-45-6789"]),
            ("CPF 529.982.247-25, not 529.982.247-24", &["529.982.247-25"]),
            ("44051401359 and 44051401358", &["44051401359"]),
            ("85.07.30-033.28", &["85.07.30-033.28"]),
            ("756.9217.0769.85", &["756.9217.0769.85"]),
            ("2341 2341 2346 and 2341 2341 2345", &["2341 2341 2346"]),
            ("811218-9876", &["811218-9876"]),
            ("12345678Z X1234567L 12345678A", &["12345678Z", "X1234567L"]),
            ("RSSMRA85T10A562S", &["RSSMRA85T10A562S"]),
            ("131052-308T", &["131052-308T"]),
            ("AB123456C and AB 12 34 56 C", &["AB123456C", "AB 12 34 56 C"]),
        ];
        for (text, expected) in cases {
            let found: Vec<&str> = shaped(text).into_iter().map(|span| &text[span]).collect();
            assert_eq!(found, *expected, "{text}");
        }
        let cases: &[(&str, &[&str])] = &[
            ("My driver's license number is A56319335", &["A56319335"]),
            ("NHS number: 943 476 5919.", &["943 476 5919"]),
            ("passport no. C01X00T47 was lost", &["C01X00T47"]),
            ("Her NIF is 123456789", &["123456789"]),
            ("Social Security: 078051120", &["078051120"]),
            ("Reisepass C01X00T47 und Führerschein B072RRE2I55", &["C01X00T47", "B072RRE2I55"]),
            ("the social network has 12 members", &[]),
            ("a license for 2026", &[]),
        ];
        for (text, expected) in cases {
            let found: Vec<&str> =
                named(text, &words(text, &mut Recent::new())).into_iter().map(|span| &text[span]).collect();
            assert_eq!(found, *expected, "{text}");
        }
        let digits = |text: &str| text.bytes().map(|b| u32::from(b - b'0')).collect::<Vec<u32>>();
        assert!(checks::nhs(&digits("9434765919")) && !checks::nhs(&digits("9434765918")));
        assert!(checks::nif(&digits("123456789")) && !checks::nif(&digits("123456788")));
        assert!(checks::bsn(&digits("111222333")) && !checks::bsn(&digits("111222334")));
        assert!(checks::german(&digits("86095742719")) && !checks::german(&digits("86095742718")));
        assert!(checks::canadian(&digits("046454286")) && !checks::canadian(&digits("046454287")));
        assert!(checks::french(&digits("255081416802538")));
    }
}

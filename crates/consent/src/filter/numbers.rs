//! Numbers with a shape: payment cards, bank accounts, telephones.

use std::ops::Range;

/// Payment card numbers: 13 to 19 digits, in groups or not, whose Luhn sum holds.
pub(super) fn cards(text: &str) -> Vec<Range<usize>> {
    runs(text, |c| matches!(c, ' ' | '-' | '\u{a0}'))
        .into_iter()
        .filter(|run| {
            let digits: Vec<u32> = text[run.clone()].chars().filter_map(|c| c.to_digit(10)).collect();
            (13..=19).contains(&digits.len()) && digits.iter().any(|d| *d != digits[0]) && luhn(&digits)
        })
        .collect()
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match digit * (1 + place as u32 % 2) {
            n if n > 9 => n - 9,
            n => n,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Digits with single separators between them; beginning and ending with a digit, not part of a word.
fn runs(text: &str, is_separator: fn(char) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start: Option<usize> = None;
    let mut end = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if c.is_ascii_digit() {
            if start.is_none() && !before.is_alphanumeric() {
                start = Some(at);
            }
            end = at + 1;
        } else if !(is_separator(c) && before.is_ascii_digit())
            && let Some(from) = start.take()
            && !(c.is_alphabetic() && end == at)
        {
            found.push(from..end);
        }
        before = c;
    }
    found.extend(start.map(|from| from..end));
    found
}

/// International bank account numbers whose check digits hold.
pub(super) fn ibans(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at + 15 <= bytes.len() {
        let head = bytes[at].is_ascii_alphabetic()
            && bytes[at + 1].is_ascii_alphabetic()
            && bytes[at + 2].is_ascii_digit()
            && bytes[at + 3].is_ascii_digit()
            && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric());
        match head.then(|| iban_at(text, at)).flatten() {
            Some(end) => {
                found.push(at..end);
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

/// Where the account number that begins at `at` ends: the longest reading whose check digits hold.
fn iban_at(text: &str, at: usize) -> Option<usize> {
    let (mut signs, mut best, mut spaced) = (String::new(), None, false);
    for (offset, c) in text[at..].char_indices() {
        if matches!(c, ' ' | '-' | '\u{a0}') && !spaced {
            spaced = true;
            continue;
        }
        if !c.is_ascii_alphanumeric() || signs.len() == 34 {
            break;
        }
        spaced = false;
        signs.push(c.to_ascii_uppercase());
        let next = text[at + offset + 1..].chars().next();
        if signs.len() >= 15 && !next.is_some_and(|c| c.is_ascii_alphanumeric()) && checks(&signs) {
            best = Some(at + offset + 1);
        }
    }
    best
}

fn checks(signs: &str) -> bool {
    let (head, tail) = signs.split_at(4);
    let rest = tail
        .chars()
        .chain(head.chars())
        .filter_map(|c| c.to_digit(36))
        .fold(0u32, |rest, value| if value > 9 { (rest * 100 + value) % 97 } else { (rest * 10 + value) % 97 });
    rest == 1
}

/// Social security numbers as they are written in the United States: three, two and four digits.
pub(super) fn ids(text: &str) -> Vec<Range<usize>> {
    let is_id = |run: &Range<usize>| {
        let groups: Vec<usize> = text[run.clone()].split(['-', ' ']).map(str::len).collect();
        groups == [3, 2, 4]
    };
    runs(text, |c| matches!(c, ' ' | '-')).into_iter().filter(is_id).collect()
}

/// Words after which a short number is a telephone's.
const CUES: &[&str] = &[
    "call",
    "phone",
    "telephone",
    "tel",
    "mobile",
    "cell",
    "fax",
    "ring",
    "dial",
    "whatsapp",
    "sms",
    "text",
    "number",
    "contact",
    "reach",
    "telefone",
    "telefon",
    "téléphone",
    "teléfono",
    "handy",
];

/// Whether one of the last words before a number says that it is a telephone's.
fn is_cued(before: &str) -> bool {
    let words = before.rsplit(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(6);
    let mut words = words.map(str::to_lowercase);
    words.any(|word| CUES.contains(&word.as_str()))
}

/// Telephone numbers: with a `+` and a country, or nine to fifteen digits in the groups people write;
/// shorter ones where a word before them says so.
pub(super) fn phones(text: &str) -> Vec<Range<usize>> {
    let is_inside = |c: char| c.is_ascii_digit() || matches!(c, ' ' | '\u{a0}' | '-' | '.' | '(' | ')' | '/');
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(step) = text[at..].find(|c: char| c.is_ascii_digit() || matches!(c, '+' | '(')) {
        let start = at + step;
        let before = text[..start].chars().next_back();
        let mut end = start;
        for (offset, c) in text[start..].char_indices() {
            if !(is_inside(c) || (offset == 0 && c == '+')) {
                break;
            }
            if c.is_ascii_digit() {
                end = start + offset + 1;
            }
        }
        if end == start {
            at = start + 1;
            continue;
        }
        let after = text[end..].chars().next();
        let glued =
            |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '€' | '£' | '#'));
        let extended = extension(text, end);
        let run = &text[start..end];
        let said = || (6..=8).contains(&run.bytes().filter(u8::is_ascii_digit).count()) && is_cued(&text[..start]);
        if !glued(before) && (!glued(after) || extended > end) && (is_phone(run) || (is_short(run) && said())) {
            found.push(start..extended);
        }
        at = extended.max(end);
    }
    found
}

/// Where an extension (`x123`, `ext. 5`) that follows ends; `end` where there is none.
fn extension(text: &str, end: usize) -> usize {
    let rest = &text[end..];
    let bare = rest.trim_start_matches(' ');
    let tail =
        ["ext.", "ext", "x"].into_iter().find_map(|mark| bare.strip_prefix(mark)).map(|t| t.trim_start_matches(' '));
    let digits = tail.map_or(0, |tail| tail.bytes().take_while(u8::is_ascii_digit).count());
    match tail {
        Some(tail) if (1..=6).contains(&digits) => text.len() - tail.len() + digits,
        _ => end,
    }
}

fn is_phone(run: &str) -> bool {
    let groups: Vec<&str> = run.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let digits: usize = groups.iter().map(|group| group.len()).sum();
    let twice = run.contains("--") || run.contains("..") || run.contains("  ") || run.contains("//");
    if twice || !(7..=15).contains(&digits) || balanced(run).is_none() {
        return false;
    }
    if run.starts_with('+') {
        return digits >= 8;
    }
    if is_date(&groups)
        || groups.len() > 6
        || groups.iter().any(|group| group.len() == 1 && *group != "1" && *group != "0")
    {
        return false;
    }
    let leads = run.starts_with('(') || groups[0].starts_with('0') || groups[0] == "1";
    match groups.len() {
        // Ten digits in one are a telephone number or an account; either is nobody's affair.
        1 => digits == 10 || (digits == 11 && (leads || run.starts_with('1'))),
        2 => leads && digits >= 9 || (groups[0].len() == 3 && groups[1].len() == 4),
        4 if digits == 8 => run.matches('-').count() == 3 && groups.iter().all(|group| group.len() == 2),
        _ => {
            (digits >= 9 || (digits == 8 && run.starts_with('(')))
                && !run.contains('/')
                && groups[1..].iter().all(|group| (2..=5).contains(&group.len()))
        }
    }
}

/// Whether six to eight digits may be a telephone number: no day, and nothing but single separators.
fn is_short(run: &str) -> bool {
    let groups: Vec<&str> = run.split([' ', '-']).collect();
    groups.iter().all(|group| group.len() >= 2 && group.bytes().all(|b| b.is_ascii_digit())) && !is_date(&groups)
}

/// Nothing where brackets do not close.
fn balanced(run: &str) -> Option<()> {
    let (open, close) = (run.matches('(').count(), run.matches(')').count());
    (open == close && open <= 1).then_some(())
}

/// Whether the groups are a day: a year of four digits at one end, a month and a day of at most two, a time after it.
fn is_date(groups: &[&str]) -> bool {
    let is_year = |group: &str| group.len() == 4 && (group.starts_with("19") || group.starts_with("20"));
    let short = |group: &&str| group.len() <= 2;
    match groups {
        [year, rest @ ..] if is_year(year) => rest.iter().take(2).all(short) || rest.iter().all(|g| is_year(g)),
        [day, month, year, ..] => short(day) && short(month) && is_year(year),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, find: fn(&str) -> Vec<Range<usize>>) -> Vec<&str> {
        find(text).into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn cards_hold_their_sum() {
        let cases: &[(&str, &[&str])] = &[
            ("card 4111 1111 1111 1111, cvv", &["4111 1111 1111 1111"]),
            ("4111-1111-1111-1111, 5500000000000004", &["4111-1111-1111-1111", "5500000000000004"]),
            ("x 378282246310005.", &["378282246310005"]),
            ("4111 1111 1111 1112 0000000000000000 a4111111111111111", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(texts(text, cards), *expected, "{text}");
        }
    }

    #[test]
    fn accounts_hold_their_check_digits() {
        let cases: &[(&str, &[&str])] = &[
            ("to GB82 WEST 1234 5698 7654 32 today", &["GB82 WEST 1234 5698 7654 32"]),
            ("DE89370400440532013000.", &["DE89370400440532013000"]),
            ("DE88370400440532013000 AB12", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(texts(text, ibans), *expected, "{text}");
        }
    }

    #[test]
    fn telephones_and_what_only_looks_like_them() {
        let yes = [
            "+351 912 345 678",
            "+1 (555) 123-4567",
            "(555) 123-4567",
            "555-123-4567",
            "555.123.4567x123",
            "0491 570 156",
            "020 7946 0958",
            "001-555-123-4567",
            "5551234567",
            "+49(0)30 123456",
            "555-1234",
            "1-800-555-0199 ext. 12",
        ];
        for number in yes {
            assert_eq!(texts(&format!("see {number}, then"), phones), [number], "{number}");
        }
        assert_eq!(texts("call me on 9885 1152 or 22 33 44", phones), ["9885 1152", "22 33 44"]);
        assert_eq!(texts("9885 1152 people in 2026-03-12", phones), Vec::<&str>::new());
        assert_eq!(texts("123-45-6789 and 1234-45-6789", ids), ["123-45-6789"]);
        let no = [
            "2026-03-12",
            "12.03.2026",
            "12/03/2026 14",
            "2026-03-12 14:39",
            "1999-2004",
            "14:39",
            "1 250 000",
            "$5551234567",
            "v1.2.3.4",
            "3.14159265",
            "100-200",
            "ISBN978",
            "12 34",
            "1/2/3",
        ];
        for text in no {
            assert_eq!(texts(&format!("on {text}, then"), phones), Vec::<&str>::new(), "{text}");
        }
    }
}

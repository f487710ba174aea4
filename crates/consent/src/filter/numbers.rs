//! Numbers with a sum that must hold: payment cards and bank accounts.

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

pub(super) fn luhn(digits: &[u32]) -> bool {
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
pub(super) fn runs(text: &str, is_separator: fn(char) -> bool) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start: Option<usize> = None;
    let mut end = 0;
    let (mut before, mut next) = (' ', 0);
    while next < text.len() {
        if start.is_none() {
            // Nothing begins before the next digit.
            let rest = &text[next..];
            let Some(step) = rest.bytes().position(|b| b.is_ascii_digit()) else { break };
            before = rest[..step].chars().next_back().unwrap_or(before);
            next += step;
        }
        let (at, Some(c)) = (next, text[next..].chars().next()) else { break };
        next += c.len_utf8();
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
        let digits = || signs.bytes().filter(u8::is_ascii_digit).count();
        if signs.len() >= 15 && digits() >= 10 && !next.is_some_and(|c| c.is_ascii_alphanumeric()) && checks(&signs) {
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
}

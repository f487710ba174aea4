//! The sums that must hold in the numbers states give people.

/// A weighted sum of digits.
fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

fn is_day(day: u32, month: u32) -> bool {
    (1..=31).contains(&day) && (1..=12).contains(&month)
}

fn two(digits: &[u32], at: usize) -> u32 {
    digits[at] * 10 + digits[at + 1]
}

fn value(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(*digit))
}

fn is_one_digit(digits: &[u32]) -> bool {
    digits.iter().all(|digit| *digit == digits[0])
}

/// United Kingdom, NHS: ten digits.
pub(super) fn nhs(d: &[u32]) -> bool {
    d.len() == 10 && (11 - weighted(d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11 == d[9]
}

/// Brazil, CPF: eleven digits.
pub(super) fn cpf(d: &[u32]) -> bool {
    if d.len() != 11 || is_one_digit(d) {
        return false;
    }
    let check = |sum: u32| sum * 10 % 11 % 10;
    check(weighted(d, &[10, 9, 8, 7, 6, 5, 4, 3, 2])) == d[9]
        && check(weighted(d, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])) == d[10]
}

/// Poland, PESEL: eleven digits that begin with a date of birth.
pub(super) fn pesel(d: &[u32]) -> bool {
    d.len() == 11
        && is_day(two(d, 4), two(d, 2) % 20)
        && (10 - weighted(d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10 == d[10]
}

/// Portugal, NIF: nine digits.
pub(super) fn nif(d: &[u32]) -> bool {
    if d.len() != 9 || !matches!(d[0], 1 | 2 | 3 | 5 | 6 | 8 | 9) {
        return false;
    }
    let rest = weighted(d, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    d[8] == if rest < 2 { 0 } else { 11 - rest }
}

/// The Netherlands, BSN: nine digits.
pub(super) fn bsn(d: &[u32]) -> bool {
    d.len() == 9 && !is_one_digit(d) && (weighted(d, &[9, 8, 7, 6, 5, 4, 3, 2]) + 11 * 11 - d[8]).is_multiple_of(11)
}

/// India, Aadhaar: twelve digits with Verhoeff's check.
pub(super) fn aadhaar(d: &[u32]) -> bool {
    const SWAPS: [[usize; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    // The product in the group of a pentagon's turns and flips.
    let product = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    d.len() == 12
        && d[0] > 1
        && d.iter().rev().enumerate().fold(0, |sum, (place, digit)| product(sum, SWAPS[place % 8][*digit as usize]))
            == 0
}

/// Belgium, national number: eleven digits that begin with a date of birth.
pub(super) fn belgian(d: &[u32]) -> bool {
    d.len() == 11
        && is_day(two(d, 4), two(d, 2))
        && [value(&d[..9]), value(&d[..9]) + 2_000_000_000].iter().any(|n| 97 - n % 97 == value(&d[9..]))
}

/// Switzerland, AHV: thirteen digits that begin with 756.
pub(super) fn swiss(d: &[u32]) -> bool {
    d.len() == 13 && d[..3] == [7, 5, 6] && (10 - weighted(d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10) % 10 == d[12]
}

/// Sweden: ten digits, a date of birth and Luhn's check; or Denmark: a date of birth and four digits.
pub(super) fn nordic(d: &[u32]) -> bool {
    d.len() == 10 && ((is_day(two(d, 4) % 60, two(d, 2)) && super::numbers::luhn(d)) || is_day(two(d, 0), two(d, 2)))
}

/// Sweden with the century.
pub(super) fn swedish(d: &[u32]) -> bool {
    d.len() == 12 && matches!(two(d, 0), 19 | 20) && nordic(&d[2..])
}

/// France, NIR: fifteen digits.
pub(super) fn french(d: &[u32]) -> bool {
    d.len() == 15
        && matches!(d[0], 1 | 2)
        && (1..=12).contains(&(two(d, 3) % 20))
        && 97 - value(&d[..13]) % 97 == value(&d[13..])
}

/// Germany, tax number: eleven digits.
pub(super) fn german(d: &[u32]) -> bool {
    if d.len() != 11 || d[0] == 0 {
        return false;
    }
    let product = d[..10].iter().fold(10, |product, digit| match (product + digit) % 10 {
        0 => 20 % 11,
        sum => sum * 2 % 11,
    });
    (11 - product) % 10 == d[10]
}

/// Canada, social insurance: nine digits with Luhn's check.
pub(super) fn canadian(d: &[u32]) -> bool {
    d.len() == 9 && super::numbers::luhn(d)
}

/// Spain, DNI and NIE: eight digits (of which the first may be X, Y or Z) and a letter that follows from them.
pub(super) fn spanish(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 9 {
        return false;
    }
    let head = match bytes[0].to_ascii_uppercase() {
        b'X' => b'0',
        b'Y' => b'1',
        b'Z' => b'2',
        digit => digit,
    };
    let digits = std::iter::once(head).chain(bytes[1..8].iter().copied());
    let number =
        digits.clone().fold(0u32, |number, b| number.wrapping_mul(10).wrapping_add(u32::from(b.wrapping_sub(b'0'))));
    digits.clone().all(|b| b.is_ascii_digit())
        && b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize] == bytes[8].to_ascii_uppercase()
}

/// Italy, codice fiscale: sixteen letters and digits, the last of which follows from the others.
pub(super) fn italian(text: &str) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let bytes = text.as_bytes();
    if bytes.len() != 16
        || !bytes.iter().all(u8::is_ascii_alphanumeric)
        || !bytes[..6].iter().all(u8::is_ascii_alphabetic)
    {
        return false;
    }
    let place = |b: &u8| u32::from(if b.is_ascii_digit() { b - b'0' } else { b.to_ascii_uppercase() - b'A' });
    let sum: u32 =
        bytes[..15].iter().enumerate().map(|(at, b)| if at % 2 == 0 { ODD[place(b) as usize] } else { place(b) }).sum();
    bytes[15].is_ascii_alphabetic() && sum % 26 == place(&bytes[15])
}

/// Finland: a date of birth, a sign, three digits and a sign that follows from them.
pub(super) fn finnish(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() != 11 || !matches!(bytes[6], b'-' | b'+' | b'A') {
        return false;
    }
    let digits: Vec<u32> =
        bytes[..6].iter().chain(&bytes[7..10]).filter(|b| b.is_ascii_digit()).map(|b| u32::from(b - b'0')).collect();
    digits.len() == 9
        && is_day(two(&digits, 0), two(&digits, 2))
        && b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(value(&digits) % 31) as usize] == bytes[10].to_ascii_uppercase()
}

/// United Kingdom, national insurance: two letters, six digits, a letter from A to D.
pub(super) fn insurance(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 9
        && bytes[..2].iter().all(|b| b.is_ascii_uppercase() && !b"DFIQUV".contains(b))
        && bytes[1] != b'O'
        && bytes[2..8].iter().all(u8::is_ascii_digit)
        && matches!(bytes[8], b'A'..=b'D')
}

//! Telephone numbers.

use std::ops::Range;

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
    "answer",
    "answering",
];

/// Words that say it right after the number.
const LABELS: &[&str] = &["office", "fax", "mobile", "home", "cell", "work", "phone", "tel", "mob", "direct", "main"];

/// Whether the word right after a number says that it is a telephone's.
fn is_labelled(after: &str) -> bool {
    let rest = after.trim_start_matches([' ', '-', '(', ',']);
    let word = rest.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    after.len() - rest.len() <= 2 && word.len() <= 6 && LABELS.contains(&word.to_lowercase().as_str())
}

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
        let (mut end, mut past) = (start, text.len());
        for (offset, c) in text[start..].char_indices() {
            if !(is_inside(c) || (offset == 0 && c == '+')) {
                past = start + offset;
                break;
            }
            if c.is_ascii_digit() {
                end = start + offset + 1;
            }
        }
        if end == start {
            at = past.max(start + 1);
            continue;
        }
        let after = text[end..].chars().next();
        let glued =
            |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '€' | '£' | '#'));
        let extended = extension(text, end);
        let run = &text[start..end];
        let said = || {
            (6..=8).contains(&run.bytes().filter(u8::is_ascii_digit).count())
                && (is_cued(&text[..start]) || is_labelled(&text[end..]))
        };
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

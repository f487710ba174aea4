//! Who an item names in its own header: mail-like lines (`From:`, `To:`, `Cc:`, `Author:`) at its very beginning, or
//! `author:`, `from:`, `to:` in its front matter.
//!
//! Nothing else is looked at: a name in the middle of a text is not found, and a header may say what is not so. A line that
//! is too long to be a name is none. Which spellings are one person is `persons.rs`'s business.

use hinet_vault::records::PersonRow;

/// Lines of a header that are looked at.
const LINES: usize = 60;
/// People of one item.
const PEOPLE: usize = 32;
/// Longest name, in characters and in words; what is longer is a sentence.
const NAME_CHARS: usize = 80;
const NAME_WORDS: usize = 6;

/// The people a text names in its header.
#[must_use]
pub fn people(text: &str) -> Vec<PersonRow> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let mut found = Vec::new();
    match text.strip_prefix("---").filter(|rest| rest.starts_with(['\n', '\r'])) {
        Some(matter) => front_matter(matter, &mut found),
        None => mail_header(text, &mut found),
    }
    found.truncate(PEOPLE);
    found
}

/// Whether a person, in lower case, is who is asked for: each word asked for is a word of the name or the address.
#[must_use]
pub fn is_meant(asked: &str, person: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
    };
    let (asked, there) = (words(asked), words(person));
    !asked.is_empty() && asked.iter().all(|word| there.contains(word))
}

/// Whether a key names people, and whether they wrote it.
fn role(key: &str) -> Option<bool> {
    let key = key.trim().trim_matches('*').trim();
    match key.to_lowercase().as_str() {
        "from" | "author" | "authors" | "sender" | "by" => Some(true),
        "to" | "cc" => Some(false),
        _ => None,
    }
}

/// A header key: one short word of letters and hyphens.
fn key_of(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches(['*', '_']);
    let (key, value) = line.split_once(':')?;
    let key = key.trim_end_matches(['*', '_']);
    let proper = (1..=40).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    proper.then(|| (key, value.trim_start_matches(['*', '_']).trim()))
}

fn mail_header(text: &str, found: &mut Vec<PersonRow>) {
    let mut open = None;
    let mut value = String::new();
    for (at, line) in text.lines().take(LINES).enumerate() {
        let folded_on = line.starts_with([' ', '\t']) && !line.trim().is_empty();
        if folded_on && open.is_some() {
            value.push(' ');
            value.push_str(line.trim());
            continue;
        }
        flush(&mut open, &mut value, found);
        // A heading may stand above the header, and an mbox's separator.
        if at == 0 && (line.starts_with("# ") || line.starts_with("From ")) || line.trim().is_empty() && at <= 1 {
            continue;
        }
        let Some((key, rest)) = key_of(line) else { break };
        open = role(key);
        value.push_str(rest);
    }
    flush(&mut open, &mut value, found);
}

fn flush(open: &mut Option<bool>, value: &mut String, found: &mut Vec<PersonRow>) {
    if let Some(wrote) = open.take() {
        each_person(value, wrote, found);
    }
    value.clear();
}

fn front_matter(text: &str, found: &mut Vec<PersonRow>) {
    let mut open = None;
    for line in text.lines().skip(1).take(LINES) {
        if line.trim_end() == "---" || line.trim_end() == "..." {
            return;
        }
        if let Some(entry) = line.trim_start().strip_prefix("- ") {
            if let Some(wrote) = open {
                each_person(entry.strip_prefix("name:").unwrap_or(entry), wrote, found);
            }
            continue;
        }
        let Some((key, value)) = key_of(line) else { continue };
        open = role(key);
        if let Some(wrote) = open {
            each_person(value.trim_start_matches('[').trim_end_matches(']'), wrote, found);
        }
    }
    // Front matter that never ends is none.
    found.clear();
}

/// A list of names and addresses, separated by commas or semicolons outside quotation marks and angle brackets.
fn each_person(list: &str, wrote: bool, found: &mut Vec<PersonRow>) {
    let (mut start, mut quoted, mut angled) = (0, false, false);
    for (at, c) in list.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '<' if !quoted => angled = true,
            '>' if !quoted => angled = false,
            ',' | ';' if !quoted && !angled => {
                found.extend(one(&list[start..at], wrote));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.extend(one(&list[start..], wrote));
}

fn one(text: &str, wrote: bool) -> Option<PersonRow> {
    let bare = |text: &str| -> String {
        let text = text.trim().trim_matches(['"', '\'', '*', '_']);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (name, address) = match text.split_once('<') {
        Some((name, rest)) => (bare(name), bare(rest.split('>').next().unwrap_or_default())),
        None => (bare(text), String::new()),
    };
    let person = match (name.is_empty(), address.is_empty()) {
        (false, false) if name != address => format!("{name} <{address}>"),
        (false, _) => name.clone(),
        (true, _) => address.clone(),
    };
    let proper = person.chars().any(char::is_alphabetic)
        && !person.chars().any(char::is_control)
        && person.chars().count() <= NAME_CHARS + address.len()
        && name.chars().count() <= NAME_CHARS
        && name.split_whitespace().count() <= NAME_WORDS
        && !person.contains("://");
    proper.then_some(PersonRow { person, wrote })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        people(text).into_iter().map(|it| format!("{}{}", if it.wrote { "+" } else { "" }, it.person)).collect()
    }

    #[test]
    fn headers_name_people_and_texts_do_not() {
        let cases: &[(&str, &[&str])] = &[
            (
                "From: Ana Costa <ana@x.pt>\nTo: \"Lee, Bo\" <bo@x.org>, cy@x.org\nSubject: From: here\n\nFrom: no",
                &["+Ana Costa <ana@x.pt>", "Lee, Bo <bo@x.org>", "cy@x.org"],
            ),
            ("Subject: x\nto: a@x.org,\n  b@x.org\n", &["a@x.org", "b@x.org"]),
            ("# Minutes\n\n**From:** Ana\n**Date:** today\n", &["+Ana"]),
            ("From ana@x.pt Mon Jan 1\nFrom: ana@x.pt\n", &["+ana@x.pt"]),
            ("---\ntitle: x\nauthor: Ana Costa\n---\nFrom: Bo", &["+Ana Costa"]),
            ("---\r\nauthors: [Ana, 'Bo Lee']\r\n---\r\n", &["+Ana", "+Bo Lee"]),
            ("---\nauthors:\n  - name: Ana\n  - Bo\ntags:\n  - red\n---\n", &["+Ana", "+Bo"]),
            ("---\nauthor: Ana\nand no end", &[]),
            ("A letter.\nFrom: Ana", &[]),
            ("To: the people who will read all of this one day and wonder\n", &[]),
            ("From: https://example.org\nBy: 2026\n", &[]),
            (
                "from: the beginning it was clear, that nothing would ever work the way we had planned\n",
                &["+the beginning it was clear"],
            ),
            ("", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(names(text), *expected, "{text}");
        }
        let many = format!("To: {}", (0..99).map(|n| format!("p{n}@x.org")).collect::<Vec<_>>().join(", "));
        assert_eq!(people(&many).len(), PEOPLE);
    }

    #[test]
    fn a_person_is_meant_by_any_of_their_words() {
        let ana = "ana costa <ana.c@x.pt>";
        for yes in ["ana", "Costa", "costa ANA", "ana.c@x.pt", "x.pt"] {
            assert!(is_meant(yes, ana), "{yes}");
        }
        for no in ["an", "Joana", "", "?", "ana lee"] {
            assert!(!is_meant(no, ana), "{no}");
        }
    }
}

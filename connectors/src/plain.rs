//! Markdown, plain text and code keep their text as it is; only a title is looked for.

use crate::text::title;

/// The title of a Markdown text: `title` in its front matter, else its first heading.
pub(crate) fn markdown_title(text: &str) -> Option<String> {
    let body = match front_matter(text) {
        Some((Some(found), _)) => return Some(found),
        Some((None, body)) => body,
        None => text,
    };
    heading(body)
}

/// The title that a note's front matter gives it.
pub(crate) fn declared_title(text: &str) -> Option<String> {
    front_matter(text)?.0
}

/// The title that a plain text gives itself: `#+title:` (Org), `= Title` (AsciiDoc), or an underlined first line.
pub(crate) fn text_title(text: &str) -> Option<String> {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).take(20);
    let first = lines.next()?;
    if let Some(rest) = first.strip_prefix("= ") {
        return title(rest);
    }
    if let Some(second) = lines.next()
        && underline(second)
        && second.trim().chars().count() * 2 >= first.trim().chars().count()
    {
        return title(first);
    }
    text.lines().take(20).find_map(|line| {
        let prefix = line.get(..8)?;
        prefix.eq_ignore_ascii_case("#+title:").then(|| title(&line[8..]))?
    })
}

/// Front matter between `---` (YAML) or `+++` (TOML) lines: its title and the text after it.
fn front_matter(text: &str) -> Option<(Option<String>, &str)> {
    let fence = ["---\n", "+++\n"].into_iter().find(|fence| text.starts_with(fence))?;
    let rest = &text[fence.len()..];
    // Front matter is short; a rule at the top of a long text is not a fence.
    let mut found = None;
    let mut at = 0;
    for line in rest.split_inclusive('\n').take(200) {
        at += line.len();
        if line.trim_end() == fence.trim_end() || fence == "---\n" && line.trim_end() == "..." {
            return Some((found, &rest[at..]));
        }
        if found.is_none() {
            found = line
                .strip_prefix("title")
                .and_then(|value| value.trim_start().strip_prefix([':', '=']))
                .and_then(|value| title(value.trim().trim_matches(['"', '\''])));
        }
    }
    None
}

fn heading(text: &str) -> Option<String> {
    let mut fence: Option<&str> = None;
    let mut previous = "";
    for line in text.lines().take(2000) {
        let trimmed = line.trim_start();
        if let Some(open) = fence {
            if trimmed.starts_with(open) {
                fence = None;
            }
            continue;
        }
        if let Some(open) = ["```", "~~~"].into_iter().find(|open| trimmed.starts_with(open)) {
            fence = Some(open);
            continue;
        }
        let level = line.bytes().take_while(|b| *b == b'#').count();
        if (1..=6).contains(&level) && line[level..].starts_with([' ', '\t']) {
            if let Some(found) = unmarked(line[level..].trim().trim_end_matches('#')) {
                return Some(found);
            }
        } else if underline(line) && !previous.trim().is_empty() && !previous.starts_with(['#', '-', '|', '>']) {
            return unmarked(previous);
        }
        previous = line;
    }
    None
}

fn underline(line: &str) -> bool {
    let line = line.trim_end();
    line.len() >= 3 && (line.bytes().all(|b| b == b'=') || line.bytes().all(|b| b == b'-'))
}

/// Bytes of a heading that are looked at for its title. In a longer one the end of each bracket's link would be looked for
/// through all of it.
const HEADING_MAX: usize = 4096;

/// A heading without emphasis, code marks and link targets.
fn unmarked(heading: &str) -> Option<String> {
    let heading = &heading[..heading.floor_char_boundary(HEADING_MAX)];
    let mut out = String::with_capacity(heading.len());
    let mut rest = heading;
    while let Some(at) = rest.find(['*', '`', '[', '!']) {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let link = rest.as_bytes()[at] == b'[';
        match link.then(|| after.split_once("](")).flatten() {
            Some((label, target)) if !label.contains('[') => {
                out.push_str(label);
                rest = target.split_once(')').map_or("", |(_, rest)| rest);
            }
            _ => {
                let keep =
                    matches!(rest.as_bytes()[at], b'[') || (rest.as_bytes()[at] == b'!' && !after.starts_with('['));
                if keep {
                    out.push_str(&rest[at..=at]);
                }
                rest = after;
            }
        }
    }
    out.push_str(rest);
    title(&out)
}

#[cfg(test)]
mod tests {
    use super::{markdown_title, text_title};

    #[test]
    fn markdown_titles() {
        for (text, expected) in [
            ("---\ndate: 1\ntitle: \"The Fjord\"\n---\n# Other\n", Some("The Fjord")),
            ("+++\ntitle = 'In TOML'\n+++\n", Some("In TOML")),
            ("---\ntitle: Dots\n...\n# Other\n", Some("Dots")),
            ("---\ndate: 1\n---\n\n# From the body #\n", Some("From the body")),
            ("text\n\n## **Bold** and `code` and [a link](http://x.y)\n", Some("Bold and code and a link")),
            ("```\n# not this\n```\n# this\n", Some("this")),
            ("Underlined\n==========\n", Some("Underlined")),
            ("- item\n---\nno title\n", None),
            ("#hashtag is no heading\n", None),
            ("", None),
        ] {
            assert_eq!(markdown_title(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_title_is_found_in_linear_time() {
        for unit in ["[", "![", "[a", "*[", "`[a]("] {
            let long = format!("# Title {}\n", unit.repeat(1 << 20));
            assert!(markdown_title(&long).is_some_and(|title| title.starts_with("Title")), "{unit}");
        }
    }

    #[test]
    fn text_titles() {
        for (text, expected) in [
            ("= The Manual\n\nText", Some("The Manual")),
            ("\nHarbour log\n===========\n\nText", Some("Harbour log")),
            ("#+TITLE: Org notes\n", Some("Org notes")),
            ("Just a text.\nWith lines.\n", None),
        ] {
            assert_eq!(text_title(text).as_deref(), expected, "{text:?}");
        }
    }
}

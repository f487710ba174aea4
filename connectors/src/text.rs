//! The one form that every document's text has, whatever it was read from. Spans are offsets into this form.

/// `\n` ends lines, no line ends in blanks, at most two blank lines follow each other, none begin or end the text, a
/// text that is not empty ends in one `\n`, and of the control characters only `\n` and `\t` remain; terminal escape
/// sequences go whole. A form feed becomes a blank line. Applying it again changes nothing.
#[must_use]
pub fn normalised(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut blank = 0usize;
    let mut line = String::new();
    let mut chars = raw.chars().peekable();
    let mut end = |line: &mut String| {
        let kept = line.trim_end();
        if kept.is_empty() {
            blank += 1;
        } else {
            if !out.is_empty() {
                out.extend(std::iter::repeat_n('\n', blank.min(2)));
            }
            blank = 0;
            out.push_str(kept);
            out.push('\n');
        }
        line.clear();
    };
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                if chars.peek() == Some(&'\n') {
                    chars.next();
                }
                end(&mut line);
            }
            '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => end(&mut line),
            '\u{c}' | '\u{b}' => {
                end(&mut line);
                end(&mut line);
            }
            '\u{1b}' => skip_escape(&mut chars),
            '\t' => line.push('\t'),
            '\u{feff}' => {}
            c if c.is_control() => {}
            c => line.push(c),
        }
    }
    end(&mut line);
    out
}

/// Passes over what follows an ESC: `[` parameters and a final byte (colours, cursor), or one character.
fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    if chars.peek() != Some(&'[') {
        return;
    }
    chars.next();
    // A sequence is short; the bound keeps a lone `ESC [` from eating a text that follows.
    for _ in 0..32 {
        match chars.peek() {
            Some('0'..='9' | ';' | ':' | '?' | '<' | '=' | '>' | ' ' | '!' | '"' | '#' | '$') => {
                chars.next();
            }
            Some('@'..='~') => {
                chars.next();
                return;
            }
            _ => return,
        }
    }
}

/// A text on one line, with single blanks.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A title: one line, blanks folded, no control characters, at most 200 characters. `None` where nothing is left.
pub(crate) fn title(raw: &str) -> Option<String> {
    let mut out = String::new();
    let mut length = 0;
    for word in raw.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let word_length = word.chars().count();
        if length + word_length + 1 > 200 {
            if length == 0 {
                out.extend(word.chars().take(200));
            }
            break;
        }
        if length > 0 {
            out.push(' ');
            length += 1;
        }
        out.push_str(word);
        length += word_length;
    }
    (!out.is_empty()).then_some(out)
}

/// The first heading, if the document begins with one soon enough for it to be a title.
pub(crate) fn first_heading(text: &str) -> Option<String> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .take(10)
        .find_map(|line| line.strip_prefix('#').map(|rest| rest.trim_start_matches('#').trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{normalised, title};
    use proptest::prelude::*;

    #[test]
    fn one_form() {
        for (raw, expected) in [
            ("", ""),
            ("a", "a\n"),
            ("a\r\nb\rc\n", "a\nb\nc\n"),
            ("\n\n a  \t\n\n\n\n\nb\n\n\n", " a\n\n\nb\n"),
            ("x\u{0}y\u{7}\tz\u{feff}", "xy\tz\n"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red\n"),
            ("one\u{c}two", "one\n\ntwo\n"),
            ("a\u{2028}b", "a\nb\n"),
        ] {
            assert_eq!(normalised(raw), expected, "{raw:?}");
        }
    }

    #[test]
    fn titles_are_one_line() {
        assert_eq!(title("  A\n\tgood   one "), Some("A good one".into()));
        assert_eq!(title(" \n\u{0}"), None);
        assert_eq!(title(&"x".repeat(500)).map(|t| t.len()), Some(200));
    }

    proptest! {
        #[test]
        fn twice_is_once(raw in "[a\\n\\r\\t \\x0c\\x1b\\[m1;\\u{85}é\\u{2028}]{0,60}") {
            let once = normalised(&raw);
            prop_assert_eq!(&normalised(&once), &once);
            prop_assert!(!once.contains("\n\n\n\n"));
        }
    }
}

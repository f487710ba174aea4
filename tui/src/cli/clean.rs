//! Text from documents on its way to a terminal: control sequences are shown, never obeyed.
//!
//! A file that the owner merely remembered must not be able to move the cursor, set the window title, write to the
//! clipboard or turn the reading direction around. Newlines and tabs stay. The three style sequences this program
//! itself writes (bold, dim, plain) pass, because they can do no more than look odd.

/// Bold on.
pub const BOLD: &str = "\x1b[1m";
/// Dim on.
pub const DIM: &str = "\x1b[2m";
/// Back to plain.
pub const PLAIN: &str = "\x1b[0m";

/// `text` with every control character made visible, except newlines, tabs and this program's own styles.
#[must_use]
pub fn for_terminal(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(style) = [BOLD, DIM, PLAIN].into_iter().find(|style| rest.starts_with(style)) {
            clean.push_str(style);
            rest = &rest[style.len()..];
            continue;
        }
        clean.push(visible(first));
        rest = &rest[first.len_utf8()..];
    }
    clean
}

/// `text` on one line, without leading, trailing and doubled white space.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first `chars` characters of `text` on one line, with an ellipsis where something was left out.
#[must_use]
pub fn excerpt(text: &str, chars: usize) -> String {
    let line = one_line(text);
    match line.char_indices().nth(chars) {
        None => line,
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
    }
}

fn visible(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + c as u32).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '␡',
        c if hinet_tui::text::is_unsafe(c) => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_become_visible() {
        for (given, shown) in [
            ("plain", "plain"),
            ("two\nlines\tand a tab", "two\nlines\tand a tab"),
            ("\x1b]0;title\x07", "␛]0;title␇"),
            ("\x1b[2J", "␛[2J"),
            ("\x1b[1mbold\x1b[0m", "\x1b[1mbold\x1b[0m"),
            ("back\x08\r", "back␈␍"),
            ("\u{9b}31m", "\u{fffd}31m"),
            ("\u{202e}txt.exe", "\u{fffd}txt.exe"),
            ("naïve 日本 🚆", "naïve 日本 🚆"),
        ] {
            assert_eq!(for_terminal(given), shown, "{given:?}");
        }
    }

    #[test]
    fn excerpts_end_on_characters() {
        assert_eq!(excerpt("  a\n b  c ", 80), "a b c");
        assert_eq!(excerpt("日本語の文章", 3), "日本語…");
        assert_eq!(excerpt("", 3), "");
    }
}

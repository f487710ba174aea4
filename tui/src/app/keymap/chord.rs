//! A key with its modifiers: how it is written, and which ones a terminal can send at all.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord(pub KeyModifiers, pub KeyCode);

/// Control characters that have no letter: how they are written, and how the terminal's input names them.
const SIGNS: [(char, char); 5] = [('\\', '4'), (']', '5'), ('^', '6'), ('_', '7'), ('/', '7')];

/// Keys with names, as the config writes them.
const NAMED: [(&str, KeyCode); 20] = [
    ("enter", KeyCode::Enter),
    ("return", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("escape", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("plus", KeyCode::Char('+')),
    ("minus", KeyCode::Char('-')),
];

impl Chord {
    /// The chord of a key that was pressed, in the form the keymap writes.
    #[must_use]
    pub fn of(pressed: KeyEvent) -> Self {
        let mut modifiers = pressed.modifiers;
        let code = match pressed.code {
            // A capital letter or a sign already says Shift.
            KeyCode::Char(c) => {
                modifiers.remove(KeyModifiers::SHIFT);
                let control = modifiers.contains(KeyModifiers::CONTROL);
                KeyCode::Char(if control { c.to_ascii_lowercase() } else { c })
            }
            KeyCode::BackTab => {
                modifiers.remove(KeyModifiers::SHIFT);
                KeyCode::BackTab
            }
            code => code,
        };
        Self(modifiers, code)
    }

    /// Whether it types something where text is typed.
    #[must_use]
    pub fn types(self) -> bool {
        matches!(self.1, KeyCode::Char(_)) && (self.0 - KeyModifiers::SHIFT).is_empty()
    }

    /// Reads a key as the config writes it: `ctrl+k`, `alt+enter`, `f1`, `G`, `?`.
    ///
    /// # Errors
    /// A sentence that says what is wrong: a word that is no key, or a key that no terminal sends.
    pub fn parse(written: &str) -> Result<Self, String> {
        let written = written.trim();
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = written;
        while let Some((head, tail)) = rest.split_once('+').filter(|(head, tail)| !head.is_empty() && !tail.is_empty())
        {
            modifiers |= match head.trim().to_ascii_lowercase().as_str() {
                "ctrl" | "control" | "c" => KeyModifiers::CONTROL,
                "alt" | "meta" | "option" | "a" => KeyModifiers::ALT,
                "shift" | "s" => KeyModifiers::SHIFT,
                "super" | "cmd" | "win" | "hyper" => {
                    return Err(format!("a terminal does not send the {} key", head.trim()));
                }
                _ => return Err(format!("{head} is no modifier; there are ctrl, alt and shift")),
            };
            rest = tail.trim();
        }
        Self(modifiers, code(rest).ok_or_else(|| format!("{written:?} is no key"))?).sendable()
    }

    /// The chord as the config writes it.
    #[must_use]
    pub fn written(self) -> String {
        let mut out = String::new();
        for (modifier, name) in
            [(KeyModifiers::CONTROL, "ctrl+"), (KeyModifiers::ALT, "alt+"), (KeyModifiers::SHIFT, "shift+")]
        {
            if self.0.contains(modifier) {
                out.push_str(name);
            }
        }
        match self.1 {
            KeyCode::BackTab => out.push_str("shift+tab"),
            KeyCode::F(n) => out.push_str(&format!("f{n}")),
            code => match NAMED.iter().find(|(_, named)| *named == code) {
                Some((name, _)) => out.push_str(name),
                None => match code {
                    KeyCode::Char(c) if self.0.contains(KeyModifiers::CONTROL) => {
                        out.push(SIGNS.iter().find(|(_, digit)| *digit == c).map_or(c, |(sign, _)| *sign));
                    }
                    KeyCode::Char(c) => out.push(c),
                    code => out.push_str(&format!("{code:?}").to_ascii_lowercase()),
                },
            },
        }
        out
    }

    /// The chord in the form a terminal sends it, or why none does.
    fn sendable(self) -> Result<Self, String> {
        let Self(mut modifiers, mut code) = self;
        let (control, shift) = (modifiers.contains(KeyModifiers::CONTROL), modifiers.contains(KeyModifiers::SHIFT));
        let same = |other: &str| Err(format!("a terminal sends {other} for {self}"));
        match code {
            KeyCode::Tab if shift && !control => {
                (modifiers, code) = (modifiers - KeyModifiers::SHIFT, KeyCode::BackTab)
            }
            KeyCode::BackTab => modifiers.remove(KeyModifiers::SHIFT),
            KeyCode::Tab | KeyCode::Enter | KeyCode::Esc | KeyCode::Backspace if control => {
                return Err(format!("most terminals cannot send {self}"));
            }
            KeyCode::Esc | KeyCode::Backspace if shift => return Err(format!("most terminals cannot send {self}")),
            KeyCode::Char(' ') if shift => return same("Space"),
            KeyCode::Char(c) if control => match c.to_ascii_lowercase() {
                _ if shift => return Err(format!("a terminal cannot tell {self} from the same key without Shift")),
                'i' => return same("Tab"),
                'm' => return same("Enter"),
                '[' => return same("Esc"),
                'h' => return same("Backspace"),
                c @ ('a'..='z' | ' ' | '4'..='7') => code = KeyCode::Char(c),
                c => match SIGNS.iter().find(|(sign, _)| *sign == c) {
                    Some((_, digit)) => code = KeyCode::Char(*digit),
                    None => return Err(format!("a terminal cannot send {self}")),
                },
            },
            KeyCode::Char(c) if shift && c.is_alphabetic() => {
                (modifiers, code) = (modifiers - KeyModifiers::SHIFT, KeyCode::Char(c.to_ascii_uppercase()));
            }
            KeyCode::Char(_) if shift => return Err(format!("write the sign itself instead of {self}")),
            KeyCode::F(n) if n > 12 => return Err(format!("most keyboards have no {self}")),
            _ => {}
        }
        Ok(Self(modifiers, code))
    }
}

fn code(written: &str) -> Option<KeyCode> {
    let mut chars = written.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return (!c.is_control()).then_some(KeyCode::Char(c));
    }
    let lower = written.to_ascii_lowercase().replace(['_', '-', ' '], "");
    if let Some((_, code)) = NAMED.iter().find(|(name, _)| *name == lower) {
        return Some(*code);
    }
    let n: u8 = lower.strip_prefix('f')?.parse().ok()?;
    (1..=24).contains(&n).then_some(KeyCode::F(n))
}

impl std::fmt::Display for Chord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (modifier, name) in
            [(KeyModifiers::CONTROL, "Ctrl+"), (KeyModifiers::ALT, "Alt+"), (KeyModifiers::SHIFT, "Shift+")]
        {
            if self.0.contains(modifier) {
                f.write_str(name)?;
            }
        }
        match self.1 {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) if self.0.contains(KeyModifiers::CONTROL) => {
                let sign = SIGNS.iter().find(|(_, digit)| *digit == c).map_or(c, |(sign, _)| *sign);
                write!(f, "{}", sign.to_ascii_uppercase())
            }
            // Alt+g and Alt+G are two keys.
            KeyCode::Char(c) if c.is_ascii_uppercase() && !self.0.is_empty() => write!(f, "Shift+{c}"),
            KeyCode::Char(c) if self.0.is_empty() => write!(f, "{c}"),
            KeyCode::Char(c) => write!(f, "{}", c.to_ascii_uppercase()),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::BackTab => f.write_str("Shift+Tab"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            code => write!(f, "{code:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let table = [
            ("ctrl+k", "Ctrl+K"),
            ("Ctrl+K", "Ctrl+K"),
            ("alt+enter", "Alt+Enter"),
            ("f1", "F1"),
            ("G", "G"),
            ("shift+g", "G"),
            ("?", "?"),
            ("+", "+"),
            ("alt++", "Alt++"),
            ("alt+G", "Alt+Shift+G"),
            ("shift+tab", "Shift+Tab"),
            ("ctrl+\\", "Ctrl+\\"),
            ("page_up", "PgUp"),
            ("ctrl+space", "Ctrl+Space"),
            ("space", "Space"),
        ];
        for (written, shown) in table {
            assert_eq!(Chord::parse(written).map(|chord| chord.to_string()), Ok(shown.to_owned()), "{written}");
            let chord = Chord::parse(written).unwrap();
            assert_eq!(Chord::parse(&chord.written()), Ok(chord), "{written}");
        }
    }

    #[test]
    fn says_what_no_terminal_sends() {
        let table = [
            ("ctrl+i", "Tab"),
            ("ctrl+m", "Enter"),
            ("ctrl+[", "Esc"),
            ("ctrl+1", "cannot send"),
            ("ctrl+shift+k", "without Shift"),
            ("cmd+k", "cmd"),
            ("hyper+k", "hyper"),
            ("ctrl+enter", "cannot send"),
            ("f13", "F13"),
            ("g g", "no key"),
            ("", "no key"),
            ("strg+k", "no modifier"),
            ("\u{7}", "no key"),
        ];
        for (written, said) in table {
            let sentence = Chord::parse(written).expect_err(written);
            assert!(sentence.contains(said), "{written}: {sentence}");
        }
    }

    #[test]
    fn what_is_pressed_is_what_is_written() {
        let pressed = |code, modifiers| Chord::of(KeyEvent::new(code, modifiers));
        assert_eq!(Chord::parse("ctrl+/"), Ok(pressed(KeyCode::Char('7'), KeyModifiers::CONTROL)));
        assert_eq!(Chord::parse("G"), Ok(pressed(KeyCode::Char('G'), KeyModifiers::SHIFT)));
        assert_eq!(Chord::parse("shift+tab"), Ok(pressed(KeyCode::BackTab, KeyModifiers::SHIFT)));
    }
}

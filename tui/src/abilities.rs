//! What a terminal knows, by its name (`TERM`). What it does not know is never sent to it: an old terminal would write
//! it on the screen, or take it for something else.

/// What may be sent to the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// A second screen that leaves the first one as it was.
    pub alternate: bool,
    /// Pasted text that is told apart from typed text.
    pub paste: bool,
    /// Reports of the mouse's buttons and wheel.
    pub mouse: bool,
    /// A clipboard that can be written to (OSC 52).
    pub clipboard: bool,
    /// Letters and lines beyond ASCII.
    pub unicode: bool,
}

impl Default for Abilities {
    /// What terminals of today know.
    fn default() -> Self {
        Self { alternate: true, paste: true, mouse: true, clipboard: true, unicode: true }
    }
}

impl Abilities {
    /// What the terminal `term` knows; `locale` is what the environment says about letters. `None` where it cannot even
    /// place text on the screen.
    #[must_use]
    pub fn of(term: &str, locale: &str) -> Option<Self> {
        let none = Self { alternate: false, paste: false, mouse: false, clipboard: false, unicode: false };
        let begins = |names: &[&str]| names.iter().any(|name| term.starts_with(name));
        if matches!(term, "" | "dumb" | "unknown" | "emacs") {
            return None;
        }
        if begins(&["vt", "ansi", "cons25", "pcansi", "sun", "wy"]) {
            // Such a terminal may still be a program of today that was only called so; its letters follow the locale.
            let locale = locale.to_ascii_lowercase();
            return Some(Self { unicode: locale.contains("utf-8") || locale.contains("utf8"), ..none });
        }
        // The Linux console has one screen, and writes the text of an OSC that it does not know.
        if begins(&["linux", "eterm", "bterm", "fbterm"]) {
            return Some(Self { unicode: true, ..none });
        }
        Some(Self::default())
    }

    /// What the terminal of this process knows.
    #[must_use]
    pub fn here() -> Option<Self> {
        let env = |name: &str| std::env::var(name).unwrap_or_default();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().map(env).find(|value| !value.is_empty());
        Self::of(&env("TERM"), &locale.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_what_it_knows() {
        for today in ["xterm-256color", "screen.xterm-256color", "tmux-256color", "alacritty", "xterm-kitty", "foot"] {
            assert_eq!(Abilities::of(today, ""), Some(Abilities::default()), "{today}");
        }
        for none in ["", "dumb", "unknown", "emacs"] {
            assert_eq!(Abilities::of(none, "en_GB.UTF-8"), None, "{none}");
        }
        let old = Abilities::of("vt100", "C").unwrap();
        assert!(!old.alternate && !old.paste && !old.mouse && !old.clipboard && !old.unicode);
        assert!(Abilities::of("vt220", "de_DE.utf8").unwrap().unicode);
        let console = Abilities::of("linux", "").unwrap();
        assert!(console.unicode && !console.alternate && !console.clipboard && !console.mouse);
    }
}

//! A hint on how hard a passphrase is to guess. A hint only: it counts letters, it knows no dictionary.

/// What is said about a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// Shorter than is taken.
    Short,
    /// Guessed by anyone who tries for long.
    Weak,
    /// Good against people, not against a lab.
    Fair,
    /// Out of reach behind the stretching.
    Strong,
}

impl Strength {
    /// Judges a passphrase by its length, its alphabet and its repetitions.
    #[must_use]
    pub fn of(passphrase: &str) -> Self {
        let chars: Vec<char> = passphrase.chars().collect();
        if chars.len() < super::PASSPHRASE_CHARS_MIN {
            return Self::Short;
        }
        let has = |f: fn(&char) -> bool| chars.iter().any(f);
        let mut alphabet = 0.0_f64;
        for (present, letters) in [
            (has(char::is_ascii_lowercase), 26.0),
            (has(char::is_ascii_uppercase), 26.0),
            (has(char::is_ascii_digit), 10.0),
            (has(|c| c.is_ascii_punctuation() || *c == ' '), 20.0),
            (has(|c| !c.is_ascii()), 60.0),
        ] {
            alphabet += if present { letters } else { 0.0 };
        }
        let mut distinct = chars.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let steps = chars.windows(2).filter(|pair| (pair[0] as i64 - pair[1] as i64).abs() > 1).count() + 1;
        // Neither repetition nor counting up adds anything; running text adds about half of what chance would.
        let length = steps.min(distinct.len() * 2) as f64;
        match length * alphabet.max(2.0).log2() {
            bits if bits < 45.0 => Self::Weak,
            bits if bits < 75.0 => Self::Fair,
            _ => Self::Strong,
        }
    }

    /// In words.
    #[must_use]
    pub fn said(self) -> &'static str {
        match self {
            Self::Short => "too short: at least 8 letters",
            Self::Weak => "weak: a few unrelated words are better",
            Self::Fair => "fair",
            Self::Strong => "strong",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judges() {
        for (passphrase, strength) in [
            ("", Strength::Short),
            ("hunter2", Strength::Short),
            ("aaaaaaaaaaaaaaaaaaaaaa", Strength::Weak),
            ("abcdefghijklmnop", Strength::Weak),
            ("12345678", Strength::Weak),
            ("correct horse", Strength::Fair),
            ("correct horse battery staple", Strength::Strong),
        ] {
            assert_eq!(Strength::of(passphrase), strength, "{passphrase}");
        }
    }
}

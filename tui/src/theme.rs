//! Colours and attributes by meaning. Every meaning has a second sign (a word, a mark, an attribute), so that the
//! screen reads the same without colours. The background is always the terminal's own.

use ratatui::style::{Color, Modifier, Style};

/// Which set of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
    /// For dark terminals with 256 colours or more.
    #[default]
    Dark,
    /// For light terminals with 256 colours or more.
    Light,
    /// The terminal's own 16 colours.
    Sixteen,
    /// Attributes only (`NO_COLOR`).
    Plain,
}

/// Styles by what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    /// Ordinary text.
    pub text: Style,
    /// Secondary text: hints, footers, times.
    pub dim: Style,
    /// Titles and what has the focus.
    pub strong: Style,
    /// The owner's name on a message.
    pub you: Style,
    /// The iCore's name on a message, and what is active.
    pub accent: Style,
    /// A citation mark.
    pub cite: Style,
    /// A cited span inside its document.
    pub mark: Style,
    /// All is well.
    pub good: Style,
    /// Attention.
    pub warn: Style,
    /// Broken, shut, destructive.
    pub bad: Style,
    /// Borders.
    pub border: Style,
    /// The border of the pane with the focus.
    pub focus: Style,
    /// The selected row of a list.
    pub selected: Style,
    /// The top and bottom lines.
    pub bar: Style,
    /// A heading in a text.
    pub heading: Style,
    /// The words of a link; its address stands beside them.
    pub link: Style,
    /// Code, in a sentence and in blocks.
    pub code: Style,
    /// A word of a programming language.
    pub keyword: Style,
    /// A string in code.
    pub string: Style,
    /// A comment in code.
    pub comment: Style,
    /// A number or a constant in code.
    pub number: Style,
}

impl Look {
    /// The look with this name: `dark`, `light`, `16`, `plain`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "dark" => Self::Dark,
            "light" => Self::Light,
            "16" => Self::Sixteen,
            "plain" => Self::Plain,
            _ => return None,
        })
    }

    /// The look for an environment. `name` is the owner's wish (`dark`, `light`, `16`, `plain`), `colorfgbg` what
    /// some terminals say about their background ("15;0").
    #[must_use]
    pub fn pick(name: Option<&str>, no_color: bool, term: &str, colorterm: &str, colorfgbg: &str) -> Self {
        if let Some(look) = name.and_then(Self::named) {
            return look;
        }
        if no_color || term == "dumb" {
            return Self::Plain;
        }
        if colorterm.is_empty() && !term.contains("256color") && !term.contains("direct") {
            return Self::Sixteen;
        }
        match colorfgbg.rsplit(';').next() {
            Some("7" | "15") => Self::Light,
            _ => Self::Dark,
        }
    }
}

impl Theme {
    /// The styles of a look.
    #[must_use]
    pub fn of(look: Look) -> Self {
        let c = Color::Indexed;
        match look {
            Look::Dark => Self::build([c(245), c(111), c(180), c(114), c(221), c(203), c(240), c(75), c(236), c(58)]),
            Look::Light => Self::build([c(242), c(25), c(94), c(28), c(130), c(124), c(250), c(25), c(254), c(229)]),
            Look::Sixteen => Self {
                selected: Style::new().add_modifier(Modifier::REVERSED),
                mark: Style::new().add_modifier(Modifier::REVERSED),
                ..Self::build([
                    Color::Reset,
                    Color::Cyan,
                    Color::Yellow,
                    Color::Green,
                    Color::Yellow,
                    Color::Red,
                    Color::Reset,
                    Color::Cyan,
                    Color::Reset,
                    Color::Reset,
                ])
            },
            Look::Plain => Self::plain(),
        }
    }

    /// Dim, accent, owner, good, warn, bad, border, focus, selected background, mark background.
    fn build([dim, accent, you, good, warn, bad, border, focus, selected, mark]: [Color; 10]) -> Self {
        let fg = |color| Style::new().fg(color);
        let bold = Modifier::BOLD;
        Self {
            text: Style::new(),
            dim: fg(dim),
            strong: Style::new().add_modifier(bold),
            you: fg(you).add_modifier(bold),
            accent: fg(accent).add_modifier(bold),
            cite: fg(accent),
            mark: Style::new().bg(mark).add_modifier(bold),
            good: fg(good),
            warn: fg(warn),
            bad: fg(bad).add_modifier(bold),
            border: fg(border),
            focus: fg(focus),
            selected: Style::new().bg(selected).add_modifier(bold),
            bar: fg(dim),
            heading: fg(accent).add_modifier(bold),
            link: fg(accent).add_modifier(Modifier::UNDERLINED),
            code: fg(you),
            keyword: fg(accent).add_modifier(bold),
            string: fg(good),
            comment: fg(dim).add_modifier(Modifier::ITALIC),
            number: fg(warn),
        }
    }

    fn plain() -> Self {
        let with = |modifier| Style::new().add_modifier(modifier);
        Self {
            text: Style::new(),
            dim: with(Modifier::DIM),
            strong: with(Modifier::BOLD),
            you: with(Modifier::BOLD),
            accent: with(Modifier::BOLD),
            cite: with(Modifier::UNDERLINED),
            mark: with(Modifier::REVERSED),
            good: Style::new(),
            warn: with(Modifier::BOLD),
            bad: with(Modifier::BOLD),
            border: with(Modifier::DIM),
            focus: with(Modifier::BOLD),
            selected: with(Modifier::REVERSED),
            bar: Style::new(),
            heading: with(Modifier::BOLD),
            link: with(Modifier::UNDERLINED),
            code: with(Modifier::ITALIC),
            keyword: with(Modifier::BOLD),
            string: Style::new(),
            comment: with(Modifier::DIM),
            number: Style::new(),
        }
    }
}

impl Default for Theme {
    fn default() -> Self {
        Self::of(Look::Dark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_picks() {
        assert_eq!(Look::pick(None, true, "xterm-256color", "truecolor", ""), Look::Plain);
        assert_eq!(Look::pick(None, false, "xterm-256color", "", "0;15"), Look::Light);
        assert_eq!(Look::pick(None, false, "xterm-256color", "", "15;0"), Look::Dark);
        assert_eq!(Look::pick(None, false, "linux", "", ""), Look::Sixteen);
        assert_eq!(Look::pick(Some("light"), false, "linux", "", ""), Look::Light);
    }

    #[test]
    fn plain_has_no_colour() {
        let theme = Theme::of(Look::Plain);
        for style in [theme.dim, theme.bad, theme.mark, theme.selected, theme.cite, theme.focus] {
            assert!(style.fg.is_none() && style.bg.is_none());
        }
    }
}

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

    /// The look for an environment. `name` is the owner's wish of this moment (`ICORE_THEME`), `config` their lasting
    /// one; it goes before `NO_COLOR`, as no-color.org asks for. `colorfgbg` is what some terminals say about their
    /// background ("15;0").
    #[must_use]
    pub fn pick(
        name: Option<&str>,
        config: Option<Self>,
        no_color: bool,
        term: &str,
        colorterm: &str,
        colorfgbg: &str,
    ) -> Self {
        if let Some(look) = name.and_then(Self::named) {
            return look;
        }
        if matches!(term, "dumb" | "vt100" | "vt102" | "vt220") {
            return Self::Plain;
        }
        if let Some(look) = config {
            return look;
        }
        if no_color {
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

/// The meanings whose colour the config may change; `selected` and `mark` are backgrounds.
pub const MEANINGS: [&str; 10] = ["dim", "accent", "you", "good", "warn", "bad", "border", "focus", "selected", "mark"];

/// Colours in the order of [`MEANINGS`].
type Palette = [Color; 10];

fn palette(look: Look) -> Palette {
    let c = Color::Indexed;
    match look {
        Look::Dark => [c(247), c(111), c(180), c(114), c(221), c(210), c(242), c(75), c(238), c(58)],
        Look::Light => [c(241), c(25), c(90), c(22), c(94), c(124), c(246), c(25), c(252), c(229)],
        Look::Sixteen => [
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
        ],
        Look::Plain => [Color::Reset; 10],
    }
}

/// Red, green and blue of one of the 256 colours, as xterm draws the upper 240; the lower 16 are the terminal's own
/// and stand here as its usual ones.
#[must_use]
pub fn rgb(n: u8) -> [u8; 3] {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match n {
        0..=6 => [n & 1, n >> 1 & 1, n >> 2 & 1].map(|bit| bit * 205),
        7 => [229; 3],
        8 => [127; 3],
        9..=15 => [n & 1, n >> 1 & 1, n >> 2 & 1].map(|bit| bit * 255),
        16..=231 => {
            let n = usize::from(n - 16);
            [STEPS[n / 36], STEPS[n / 6 % 6], STEPS[n % 6]]
        }
        _ => [8 + 10 * (n - 232); 3],
    }
}

/// How light a colour is, as WCAG 2 measures it: 0 black, 1 white.
#[must_use]
pub fn luminance(rgb: [u8; 3]) -> f32 {
    let [r, g, b] = rgb.map(|part| {
        let part = f32::from(part) / 255.0;
        if part <= 0.03928 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// The text colour on a background of one of the 256; the terminal's own on its own.
fn upon(background: Color) -> Style {
    let style = Style::new().bg(background);
    match background {
        // Where black and white are equally far.
        Color::Indexed(n) if n >= 16 && luminance(rgb(n)) > 0.179 => style.fg(Color::Indexed(16)),
        Color::Indexed(n) if n >= 16 => style.fg(Color::Indexed(231)),
        _ => style,
    }
}

impl Theme {
    /// The styles of a look.
    #[must_use]
    pub fn of(look: Look) -> Self {
        Self::with(look, &[])
    }

    /// The styles of a look, with the owner's colours by the name of their meaning. Without colours none are taken,
    /// and a terminal of 16 takes only those it has.
    #[must_use]
    pub fn with(look: Look, colours: &[(&'static str, Color)]) -> Self {
        let mut palette = palette(look);
        for (at, meaning) in MEANINGS.iter().enumerate() {
            let own = colours.iter().rfind(|(name, _)| name == meaning).map(|(_, colour)| *colour);
            match own {
                Some(Color::Indexed(16..) | Color::Rgb(..)) if look == Look::Sixteen => {}
                Some(colour) => palette[at] = colour,
                None => {}
            }
        }
        match look {
            Look::Plain => Self::plain(),
            Look::Sixteen => {
                let faint = |colour| Style::new().fg(colour).add_modifier(Modifier::DIM);
                let reversed = |colour| match colour {
                    Color::Reset => Style::new().add_modifier(Modifier::REVERSED),
                    colour => Style::new().bg(colour).add_modifier(Modifier::BOLD),
                };
                let [dim, .., border, _, selected, mark] = palette;
                Self {
                    dim: faint(dim),
                    border: faint(border),
                    selected: reversed(selected),
                    mark: reversed(mark),
                    ..Self::build(palette)
                }
            }
            Look::Dark | Look::Light => Self::build(palette),
        }
    }

    /// The colour of a meaning, where it has one.
    #[must_use]
    pub fn colour(&self, meaning: &str) -> Option<Color> {
        match meaning {
            "dim" => self.dim.fg,
            "accent" => self.accent.fg,
            "you" => self.you.fg,
            "good" => self.good.fg,
            "warn" => self.warn.fg,
            "bad" => self.bad.fg,
            "border" => self.border.fg,
            "focus" => self.focus.fg,
            "selected" => self.selected.bg,
            "mark" => self.mark.bg,
            _ => None,
        }
    }

    fn build([dim, accent, you, good, warn, bad, border, focus, selected, mark]: Palette) -> Self {
        let fg = |color| Style::new().fg(color);
        let bold = Modifier::BOLD;
        Self {
            text: Style::new(),
            dim: fg(dim),
            strong: Style::new().add_modifier(bold),
            you: fg(you).add_modifier(bold),
            accent: fg(accent).add_modifier(bold),
            cite: fg(accent),
            mark: upon(mark).add_modifier(bold),
            good: fg(good),
            warn: fg(warn),
            bad: fg(bad).add_modifier(bold),
            border: fg(border),
            focus: fg(focus),
            selected: upon(selected).add_modifier(bold),
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
        assert_eq!(Look::pick(None, None, true, "xterm-256color", "truecolor", ""), Look::Plain);
        assert_eq!(Look::pick(None, None, false, "xterm-256color", "", "0;15"), Look::Light);
        assert_eq!(Look::pick(None, None, false, "xterm-256color", "", "15;0"), Look::Dark);
        assert_eq!(Look::pick(None, None, false, "linux", "", ""), Look::Sixteen);
        assert_eq!(Look::pick(Some("light"), None, false, "linux", "", ""), Look::Light);
        let config = Some(Look::Light);
        assert_eq!(Look::pick(None, config, true, "xterm-256color", "", ""), Look::Light, "the config is asked for");
        assert_eq!(Look::pick(Some("16"), config, false, "xterm-256color", "", ""), Look::Sixteen);
        assert_eq!(Look::pick(None, config, false, "dumb", "", ""), Look::Plain, "it could not show them");
        assert_eq!(Look::pick(Some("pink"), None, false, "vt100", "", ""), Look::Plain);
    }

    fn contrast(a: [u8; 3], b: [u8; 3]) -> f32 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn indexed(colour: Option<Color>) -> [u8; 3] {
        match colour {
            Some(Color::Indexed(n)) => rgb(n),
            colour => panic!("{colour:?} is none of the 256"),
        }
    }

    #[test]
    fn colours_can_be_read_on_usual_backgrounds() {
        // Black, VS Code, One Dark, Solarized, Tomorrow, Nord; white, One Light, Solarized, a grey, Catppuccin Latte.
        let dark: &[[u8; 3]] =
            &[[0; 3], [0x1e; 3], [0x28, 0x2c, 0x34], [0, 0x2b, 0x36], [0x1d, 0x1f, 0x21], [0x2e, 0x34, 0x40]];
        let light: &[[u8; 3]] = &[[255; 3], [0xfa; 3], [0xfd, 0xf6, 0xe3], [0xee; 3], [0xef, 0xf1, 0xf5]];
        for (look, backgrounds) in [(Look::Dark, dark), (Look::Light, light)] {
            let theme = Theme::of(look);
            for background in backgrounds {
                for meaning in ["dim", "accent", "you", "good", "warn", "bad", "focus"] {
                    let ratio = contrast(indexed(theme.colour(meaning)), *background);
                    assert!(ratio >= 4.5, "{look:?} {meaning} on {background:?}: {ratio:.2}");
                }
                // A border carries no text and no meaning of its own.
                let ratio = contrast(indexed(theme.colour("border")), *background);
                assert!(ratio >= 2.0, "{look:?} border on {background:?}: {ratio:.2}");
            }
            for style in [theme.selected, theme.mark] {
                let ratio = contrast(indexed(style.fg), indexed(style.bg));
                assert!(ratio >= 4.5, "{look:?} {style:?}: {ratio:.2}");
            }
        }
        assert!((contrast([255; 3], [0; 3]) - 21.0).abs() < 0.01);
    }

    #[test]
    fn every_meaning_has_a_second_sign() {
        let plain = Theme::of(Look::Plain);
        for look in [Look::Dark, Look::Light, Look::Sixteen, Look::Plain] {
            let theme = Theme::of(look);
            // What no word or mark beside it says has an attribute whatever the colours.
            for style in [theme.strong, theme.you, theme.accent, theme.bad, theme.mark, theme.selected] {
                assert!(!style.add_modifier.is_empty(), "{look:?} {style:?}");
            }
        }
        for style in [plain.dim, plain.cite, plain.warn, plain.focus, plain.border] {
            assert!(!style.add_modifier.is_empty(), "{style:?}");
        }
        assert!(plain.selected != plain.strong && plain.cite != plain.text && plain.mark != plain.strong);
    }

    #[test]
    fn the_owners_colours() {
        let own = [("accent", Color::Indexed(200)), ("bad", Color::Magenta), ("selected", Color::Indexed(226))];
        let theme = Theme::with(Look::Dark, &own);
        assert_eq!((theme.accent.fg, theme.cite.fg), (Some(Color::Indexed(200)), Some(Color::Indexed(200))));
        assert_eq!(theme.selected.fg, Some(Color::Indexed(16)), "black on yellow");
        let theme = Theme::with(Look::Sixteen, &own);
        assert_eq!((theme.accent.fg, theme.bad.fg), (Some(Color::Cyan), Some(Color::Magenta)));
        assert_eq!(Theme::with(Look::Plain, &own), Theme::of(Look::Plain));
    }

    #[test]
    fn plain_has_no_colour() {
        let theme = Theme::of(Look::Plain);
        for style in [theme.dim, theme.bad, theme.mark, theme.selected, theme.cite, theme.focus] {
            assert!(style.fg.is_none() && style.bg.is_none());
        }
    }
}

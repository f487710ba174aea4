//! The defaults, as a file to start from: everything in it is a comment, so that as it is it changes nothing.

use crate::app::keymap::{Keymap, Scope};
use crate::theme::{Look, MEANINGS, Theme};
use std::fmt::Write;

const HEAD: &str = "\
# The config of icore: colours, keys and the model that answers. Every line is a comment and says what holds without it; take the sign away
# in front of what you want otherwise. `icore config check` says what is wrong with it.
";

const THEME: &str = "
[theme]
# dark, light, 16 (the terminal's own colours) or plain (none); without it, the terminal's own word decides.
# ICORE_THEME goes before it.
# name = \"dark\"
#
# Colours by what they mean: \"#88aaff\", a name such as \"light-blue\", or a number of the terminal's 256. These are the
# ones of dark. mark and selected are backgrounds.
";

const MIND: &str = "
[mind]
# The model that answers, by its name in `icore models list`. ICORE_ANCHOR goes before it.
# anchor = \"smollm2-135m-instruct-q4_1\"
# What it computes on: cpu, or where icore was built with it metal or cuda. ICORE_DEVICE goes before it.
# device = \"cpu\"
";

const KEYS: &str = "
# Keys: \"ctrl+k\", \"alt+enter\", \"f1\", \"G\"; several as [\"f8\", \"ctrl+x\"]; none as \"\". Quit, interrupt, help, back and the
# kill switch always keep one. A key that already means something else in the same place is refused and said.
";

/// The file.
#[must_use]
pub fn template() -> String {
    let mut out = format!("{HEAD}{THEME}");
    let theme = Theme::of(Look::Dark);
    for meaning in MEANINGS {
        if let Some(ratatui::style::Color::Indexed(n)) = theme.colour(meaning) {
            let _ = writeln!(out, "# {meaning} = {n}");
        }
    }
    out.push_str(MIND);
    out.push_str(KEYS);
    let keymap = Keymap::default();
    for scope in Scope::ALL {
        let _ = write!(out, "\n# {}\n[keys.{}]\n", scope.title(), scope.name());
        for binding in keymap.of(*scope) {
            let keys: Vec<String> = binding.keys.iter().map(|chord| format!("{:?}", chord.written())).collect();
            let keys = match keys.as_slice() {
                [] => "\"\"".to_owned(),
                [one] => one.clone(),
                several => format!("[{}]", several.join(", ")),
            };
            let words = if binding.words.is_empty() { binding.action.words() } else { binding.words };
            let _ = writeln!(out, "# {:<36} # {words}", format!("{} = {keys}", binding.action.name()));
        }
    }
    out
}

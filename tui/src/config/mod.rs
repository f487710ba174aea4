//! The owner's config: colours and keys, read once at the start. A bad file never stops icore: what is wrong in it is
//! said in sentences, and what it says there holds as it would without a file.

mod template;

use crate::app::keymap::Keymap;
use crate::text;
use crate::theme::{Look, MEANINGS};
use etcetera::BaseStrategy;
use ratatui::style::Color;
use std::io::Read;
use std::path::{Path, PathBuf};

pub use template::template;

/// Bytes of the file that are read at most; a config of every key there is has a tenth of it.
const BYTES_MAX: u64 = 256 * 1024;

/// What the owner wishes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// The look, where one is named.
    pub look: Option<Look>,
    /// Colours by the name of their meaning.
    pub colours: Vec<(&'static str, Color)>,
    /// The model that answers, by its name in the registry, where one is named.
    pub anchor: Option<String>,
    /// What it computes on, where something is named.
    pub device: Option<String>,
    /// The keys in force.
    pub keymap: Keymap,
    /// What is wrong with the file, in sentences.
    pub complaints: Vec<String>,
}

/// Where the config lies: where `ICORE_CONFIG` says, else by the XDG rules. `None` where there is no home folder.
#[must_use]
pub fn path() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("ICORE_CONFIG").filter(|named| !named.is_empty()) {
        return Some(PathBuf::from(named));
    }
    // XDG on every system: people look for a terminal program's config there on macOS too.
    Some(etcetera::choose_base_strategy().ok()?.config_dir().join("icore").join("config.toml"))
}

/// Reads the config. No file is no fault.
#[must_use]
pub fn read(path: Option<&Path>) -> Config {
    let Some(path) = path else { return Config::default() };
    let complain = |why: String| Config { complaints: vec![why], ..Config::default() };
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Config::default(),
        Err(error) => return complain(format!("It cannot be read: {error}.")),
        // Reading a pipe would wait for somebody to write into it.
        Ok(metadata) if !metadata.is_file() => return complain("It is not a file.".to_owned()),
        Ok(metadata) if metadata.len() > BYTES_MAX => {
            return complain(format!("It is larger than {}, so nothing of it is used.", text::bytes(BYTES_MAX)));
        }
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes));
    match (read, String::from_utf8(bytes)) {
        (Err(error), _) => complain(format!("It cannot be read: {error}.")),
        (_, Err(_)) => complain("It is not UTF-8 text, so nothing of it is used.".to_owned()),
        (Ok(_), Ok(text)) => parse(&text),
    }
}

/// What a config says.
#[must_use]
pub fn parse(text: &str) -> Config {
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return Config { complaints: vec![unreadable(text, &error)], ..Config::default() },
    };
    let mut config = Config::default();
    for (name, value) in &table {
        match (name.as_str(), value) {
            ("theme", toml::Value::Table(theme)) => config.take_theme(theme),
            ("keys", toml::Value::Table(keys)) => {
                let (keymap, complaints) = Keymap::with(keys);
                config.keymap = keymap;
                config.complaints.extend(complaints);
            }
            ("mind", toml::Value::Table(mind)) => config.take_mind(mind),
            ("theme" | "keys" | "mind", _) => config.complaints.push(format!("{name} is no section; write [{name}].")),
            _ => config
                .complaints
                .push(format!("{name}: there is no such section; there are [theme], [mind] and [keys].")),
        }
    }
    // What is quoted from the file is made harmless, and stays short.
    for complaint in &mut config.complaints {
        *complaint = text::fit(complaint, 300);
    }
    config
}

fn unreadable(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map(|span| 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
    let place = line.map_or_else(String::new, |line| format!("Line {line}: "));
    let why = text::fit(error.message().lines().next().unwrap_or("this is no TOML"), 120);
    format!("{place}{why}. Nothing of the file is used.")
}

impl Config {
    fn take_mind(&mut self, mind: &toml::Table) {
        for (name, value) in mind {
            match (name.as_str(), value.as_str()) {
                ("anchor", Some(anchor)) => match hinet_node::models::refuse_no_anchor(anchor) {
                    Ok(()) => self.anchor = Some(anchor.to_owned()),
                    Err(refused) => self.complaints.push(format!("[mind] anchor: {}", refused.message)),
                },
                ("device", Some(device)) => match hinet_node::models::device_named(device) {
                    Ok(_) => self.device = Some(device.to_owned()),
                    Err(refused) => self.complaints.push(format!("[mind] device: {}", refused.message)),
                },
                ("anchor" | "device", None) => {
                    self.complaints.push(format!("[mind] {name}: write a name in quotes."));
                }
                _ => self
                    .complaints
                    .push(format!("[mind] {name}: there is no such setting; there are anchor and device.")),
            }
        }
    }

    fn take_theme(&mut self, theme: &toml::Table) {
        for (name, value) in theme {
            let said = value.as_str().map(str::to_owned).or_else(|| value.as_integer().map(|n| n.to_string()));
            let Some(said) = said else {
                self.complaints.push(format!("[theme] {name}: write a word in quotes."));
                continue;
            };
            if name == "name" {
                match Look::named(&said) {
                    Some(look) => self.look = Some(look),
                    None => self.complaints.push(format!(
                        "[theme] name: there is no theme \"{said}\"; there are dark, light, 16 and plain."
                    )),
                }
                continue;
            }
            match (MEANINGS.iter().find(|meaning| *meaning == name), colour(&said)) {
                (None, _) => self
                    .complaints
                    .push(format!("[theme] {name}: there is no such colour; there are {}.", MEANINGS.join(", "))),
                (Some(_), None) => self.complaints.push(format!(
                    "[theme] {name}: \"{said}\" is no colour; write \"#88aaff\", \"light-blue\" or a number up to 255."
                )),
                (Some(meaning), Some(colour)) => self.colours.push((meaning, colour)),
            }
        }
    }
}

/// A colour as the config writes it. Exact colours become the nearest of the 256 that terminals know.
fn colour(said: &str) -> Option<Color> {
    Some(match said.trim().parse().ok()? {
        Color::Rgb(r, g, b) => Color::Indexed(nearest([r, g, b])),
        colour => colour,
    })
}

fn nearest(wanted: [u8; 3]) -> u8 {
    let far = |n: &u8| {
        let [r, g, b] = crate::theme::rgb(*n);
        let d = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        d(r, wanted[0]) + d(g, wanted[1]) + d(b, wanted[2])
    };
    (16..=255).min_by_key(far).unwrap_or(16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::keymap::{Action, Scope};

    #[test]
    fn the_template_says_what_holds() {
        let shown = template();
        assert_eq!(parse(&shown), Config::default(), "as printed it changes nothing");
        let taken: String = shown
            .lines()
            .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n");
        let config = parse(&taken);
        assert_eq!(config.complaints, Vec::<String>::new());
        assert_eq!(config.keymap, Keymap::default(), "with every comment sign taken away neither");
        assert_eq!(config.colours.len(), MEANINGS.len());
    }

    #[test]
    fn takes_what_is_good_and_says_what_is_not() {
        let table = [
            ("[theme]\nname = 'pink'", "no theme \"pink\""),
            ("[theme]\nname = ['dark']", "a word in quotes"),
            ("[theme]\nsky = 'blue'", "no such colour"),
            ("[theme]\naccent = 'very blue'", "no colour"),
            ("[theme]\naccent = 256", "no colour"),
            ("theme = 1", "write [theme]"),
            ("[fonts]\nsize = 3", "no such section"),
            ("[mind]\nanchor = 'hal'", "no model called hal"),
            ("[mind]\nanchor = 'all-minilm-l6-v2'", "no model that answers"),
            ("[mind]\nanchor = 9", "a name in quotes"),
            ("[mind]\ndevice = 'abacus'", "no device called abacus"),
            ("[mind]\ndevice = 9", "a name in quotes"),
            ("[mind]\nsize = 'large'", "no such setting"),
            ("mind = 1", "write [mind]"),
            ("[keys.chat]\nsend = 'ctrl+m'", "sends Enter"),
            ("[theme\nname = 'dark'", "Line 1"),
            ("a = 1\nb = \"\u{1b}[31m\"", "Line 2"),
        ];
        for (text, said) in table {
            let config = parse(&format!("{text}\n"));
            assert!(config.complaints.iter().any(|c| c.contains(said)), "{text}: {config:?}");
            assert!(config.complaints.iter().all(|c| !c.contains('\u{1b}')), "{text}");
            assert_eq!(config.keymap, Keymap::default(), "{text}");
        }
        let config = parse(
            "[theme]\nname = 'light'\naccent = '#0000ff'\ndim = 240\nbad = 'red'\n[keys.chat]\nnewline = 'f11'\n",
        );
        assert_eq!((config.look, config.complaints), (Some(Look::Light), vec![]));
        let minded = parse("[mind]\nanchor = 'gemma-3-270m-q4_k_m'\n");
        assert_eq!((minded.anchor.as_deref(), minded.complaints), (Some("gemma-3-270m-q4_k_m"), vec![]));
        let minded = parse("[mind]\ndevice = 'candle'\n");
        assert_eq!((minded.device.as_deref(), minded.complaints), (Some("candle"), vec![]));
        let missing = parse("[mind]\ndevice = 'metal'\n");
        assert_eq!(missing.device.is_some(), cfg!(feature = "metal"), "{missing:?}");
        assert_eq!(missing.complaints.is_empty(), cfg!(feature = "metal"), "{missing:?}");
        assert_eq!(config.colours, [("accent", Color::Indexed(21)), ("bad", Color::Red), ("dim", Color::Indexed(240))]);
        let newline = config.keymap.of(Scope::Chat).find(|b| b.action == Action::Newline).unwrap();
        assert!(newline.own && newline.keys_in_words() == "F11");
    }

    #[test]
    fn a_file_that_is_none_stops_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(Some(&dir.path().join("none"))), Config::default());
        assert!(read(Some(dir.path())).complaints[0].contains("not a file"));
        let file = dir.path().join("config.toml");
        std::fs::write(&file, b"[theme]\nname = \"\xff\"\n").unwrap();
        assert!(read(Some(&file)).complaints[0].contains("UTF-8"));
        std::fs::write(&file, vec![b'#'; 300 * 1024]).unwrap();
        assert!(read(Some(&file)).complaints[0].contains("larger"));
        std::fs::write(&file, "[theme]\nname = 'plain'\n").unwrap();
        assert_eq!(read(Some(&file)).look, Some(Look::Plain));
    }
}

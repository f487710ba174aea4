//! Keys and pastes, step by step.

use super::strength::Strength;
use super::{Method, Onboard, Step};
use crate::app::effect::Effect;
use crossterm::event::{KeyCode, KeyEvent};

impl Onboard {
    /// Handles a key.
    pub fn key(&mut self, key: KeyEvent, home: &str) -> Vec<Effect> {
        self.leaving = false;
        if key.code == KeyCode::Esc {
            return self.escape();
        }
        match self.step {
            Step::Welcome => self.welcome(key, home),
            Step::Restore => self.restore_words(key, home),
            Step::Name => self.typed_name(key, home),
            Step::Root => match key.code {
                KeyCode::Up | KeyCode::Char('k') => self.chosen_root(0),
                KeyCode::Down | KeyCode::Char('j') => self.chosen_root(1),
                KeyCode::Enter => self.forward(home),
                _ => vec![],
            },
            Step::Unlock => self.unlock(key, home),
            Step::Words => match key.code {
                KeyCode::Enter if self.words.is_some() => self.forward(home),
                _ => vec![],
            },
            Step::TypeBack => self.type_back(key, home),
            Step::Folders => self.folder(key, home),
            Step::Models => self.models(key, home),
            Step::Summary => match key.code {
                KeyCode::Enter => {
                    self.step = Step::Making;
                    self.wrong = None;
                    vec![Effect::Make(Box::new(self.draft()))]
                }
                _ => vec![],
            },
            Step::Making => vec![],
        }
    }

    fn escape(&mut self) -> Vec<Effect> {
        match self.step {
            Step::Making => vec![],
            Step::Models if self.pulling => {
                self.pulling = false;
                vec![Effect::CancelPull]
            }
            Step::Folders if self.path.selected.is_some() => {
                self.path.selected = None;
                vec![]
            }
            _ => self.back(),
        }
    }

    fn chosen_root(&mut self, root: usize) -> Vec<Effect> {
        self.root = root;
        vec![]
    }

    fn welcome(&mut self, key: KeyEvent, home: &str) -> Vec<Effect> {
        match key.code {
            KeyCode::Up | KeyCode::Char('k') => self.choice = 0,
            KeyCode::Down | KeyCode::Char('j') => self.choice = 1,
            KeyCode::Char('r') => {
                self.choice = 1;
                self.restore = true;
                return self.forward(home);
            }
            KeyCode::Enter => {
                self.restore = self.choice == 1;
                return self.forward(home);
            }
            _ => {}
        }
        vec![]
    }

    fn restore_words(&mut self, key: KeyEvent, home: &str) -> Vec<Effect> {
        if key.code != KeyCode::Enter {
            if self.restored_words.key(key) {
                self.wrong = None;
            }
            return vec![];
        }
        let words = self.restored_words.text().split_whitespace().count();
        if words != 24 {
            self.wrong = Some(format!("These are {words} words; there are 24."));
            return vec![];
        }
        // Parsing words is arithmetic on a list that is compiled in: no IO, so it may be done here.
        let phrase = self.draft().words;
        match hinet_node::setup::check_words(&phrase) {
            Ok(()) => self.forward(home),
            Err(failure) => {
                self.wrong = Some(crate::app::words::failure(&failure));
                vec![]
            }
        }
    }

    fn typed_name(&mut self, key: KeyEvent, home: &str) -> Vec<Effect> {
        if key.code != KeyCode::Enter {
            if self.name.key(key) {
                self.wrong = None;
            }
            return vec![];
        }
        let name = self.name.text().trim();
        if name.is_empty() {
            self.wrong = Some("Any name will do; it stays on this machine.".into());
            return vec![];
        }
        if name.chars().count() > 100 {
            self.wrong = Some("Up to 100 letters, please.".into());
            return vec![];
        }
        self.forward(home)
    }

    fn unlock(&mut self, key: KeyEvent, home: &str) -> Vec<Effect> {
        let last = if self.wants_passphrase() { 2 } else { 0 };
        match (key.code, self.part) {
            (KeyCode::Up | KeyCode::BackTab, 1..) => {
                self.part = (self.part - 1).max(usize::from(!self.keychain));
            }
            (KeyCode::Up, 0) => {
                self.method = match self.method {
                    Method::Keychain => Method::Both,
                    _ => Method::Passphrase,
                };
            }
            (KeyCode::Down, 0) => {
                self.method = match self.method {
                    Method::Passphrase => Method::Both,
                    _ => Method::Keychain,
                };
            }
            (KeyCode::Enter | KeyCode::Tab | KeyCode::Down, part) if part < last => self.part += 1,
            (KeyCode::Enter, _) => return self.unlock_chosen(home),
            (_, part @ 1..=2) => {
                let edited = self.passphrases[part - 1].key(key);
                self.wrong = self.wrong.take().filter(|_| !edited);
            }
            _ => {}
        }
        vec![]
    }

    fn unlock_chosen(&mut self, home: &str) -> Vec<Effect> {
        if self.wants_passphrase() {
            let [first, second] = &self.passphrases;
            if Strength::of(first.text()) == Strength::Short {
                self.wrong = Some("A passphrase has at least 8 letters; a few unrelated words are best.".into());
                self.part = 1;
                return vec![];
            }
            if first.text() != second.text() {
                self.wrong = Some("The two are different. Type the second one again.".into());
                self.passphrases[1].clear();
                self.part = 2;
                return vec![];
            }
        }
        self.forward(home)
    }

    fn type_back(&mut self, key: KeyEvent, home: &str) -> Vec<Effect> {
        if key.code != KeyCode::Enter {
            if self.word.key(key) {
                self.wrong = None;
            }
            return vec![];
        }
        let number = self.ask[self.typed.min(3)];
        let right = self.word.text().trim().eq_ignore_ascii_case(self.nth_word(number));
        self.word.clear();
        if !right {
            self.wrong =
                Some(format!("That is not word {}. Try again, or Esc to look at the words again.", number + 1));
            return vec![];
        }
        self.wrong = None;
        self.typed += 1;
        if self.typed == self.ask.len() { self.forward(home) } else { vec![] }
    }

    fn folder(&mut self, key: KeyEvent, home: &str) -> Vec<Effect> {
        let untouched = matches!(self.path.field.text().trim(), "" | "~" | "~/") && self.path.selected.is_none();
        match key.code {
            KeyCode::Enter if untouched => self.forward(home),
            KeyCode::Enter => match self.path.chosen(home) {
                Some(path) => {
                    let mut effects = self.add_folder(path);
                    effects.extend(self.path.look_up(home));
                    effects
                }
                None => {
                    self.wrong = Some("A path begins with / or with ~/.".into());
                    vec![]
                }
            },
            KeyCode::Delete if untouched => {
                self.folders.pop();
                vec![]
            }
            _ => {
                self.wrong = None;
                self.path.key(key, home)
            }
        }
    }

    fn models(&mut self, key: KeyEvent, home: &str) -> Vec<Effect> {
        let Some(pulls) = &mut self.pulls else { return vec![] };
        let missing: Vec<String> = pulls.iter().filter(|pull| !pull.done).map(|pull| pull.line.name.clone()).collect();
        match key.code {
            KeyCode::Enter if missing.is_empty() => self.forward(home),
            KeyCode::Enter if !self.pulling => {
                for pull in pulls {
                    pull.failed = None;
                }
                self.pulling = true;
                vec![Effect::PullModels(missing)]
            }
            KeyCode::Char('s') if !self.pulling => self.forward(home),
            _ => vec![],
        }
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str, home: &str) -> Vec<Effect> {
        let line = text.trim_end_matches(['\r', '\n']);
        self.wrong = None;
        match self.step {
            Step::Restore => {
                // Words are pasted with numbers and on several lines as often as not.
                let letters: String = line.chars().map(|c| if c.is_ascii_alphabetic() { c } else { ' ' }).collect();
                self.restored_words.insert(&(letters.split_whitespace().collect::<Vec<_>>().join(" ") + " "));
            }
            Step::Name => {
                self.name.insert(line);
            }
            Step::Unlock if (1..=2).contains(&self.part) => {
                self.passphrases[self.part - 1].insert(line);
            }
            Step::TypeBack => {
                self.word.insert(line);
            }
            Step::Folders => return self.path.paste(line, home),
            _ => {}
        }
        vec![]
    }
}

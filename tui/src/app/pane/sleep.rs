//! Nights: how far the one is that goes on, what each came to, which answers changed, and back to any of them.

use super::face;
use crate::app::effect::Effect;
use crate::app::msg::Tag;
use crate::app::scroll::{Rows, step};
use crate::app::state::{Loaded, State};
use crate::app::words;
use crate::sparkline::sparkline;
use crate::text::{self, percent};
use crate::theme::Theme;
use hinet_protocol::{Bedtime, Change, Changed, Event, Failure, Night, Op, Outcome, SleepPlan, Sleeping, Stage};
use ratatui::{Frame, layout::Rect, text::Line, widgets::Paragraph};

/// Nights that are asked for.
const NIGHTS_MAX: usize = 100;

/// The pane.
#[derive(Default)]
pub struct Sleep {
    /// The nights, newest first.
    pub nights: Loaded<Vec<Night>>,
    /// The selected one.
    pub selected: usize,
    /// Lines of its report that are above the pane, while no changed answer is looked at.
    pub scrolled: usize,
    /// The changed answer that is looked at.
    pub change: Option<usize>,
    /// When they begin by themselves.
    pub bedtime: Option<Bedtime>,
    /// How far the night is that goes on.
    pub going: Option<Sleeping>,
    /// Whether one was begun here and has not said anything yet.
    pub beginning: bool,
    /// Why the last act failed.
    pub failed: Option<Failure>,
}

impl Sleep {
    /// Asks for the nights.
    pub fn enter(&mut self) -> Vec<Effect> {
        self.nights.ask();
        vec![Effect::call(Tag::Nights, Op::Nights { limit: NIGHTS_MAX })]
    }

    /// Whether a night goes on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.beginning || self.going.is_some()
    }

    /// Begins a night, or goes on with the one that was interrupted.
    pub fn begin(&mut self) -> Vec<Effect> {
        if self.is_on() {
            return vec![];
        }
        self.beginning = true;
        self.failed = None;
        vec![Effect::call(Tag::Sleep, Op::Sleep { plan: SleepPlan::default(), anew: false })]
    }

    /// Interrupts the night that goes on.
    pub fn wake(&mut self) -> Vec<Effect> {
        if self.is_on() { vec![Effect::call(Tag::Wake, Op::Wake)] } else { vec![] }
    }

    /// The selected night.
    #[must_use]
    pub fn current(&self) -> Option<&Night> {
        self.nights.get()?.get(self.selected)
    }

    /// Moves the selection.
    pub fn select(&mut self, delta: isize) {
        self.selected = step(self.selected, delta, self.nights.get().map_or(0, Vec::len));
        (self.scrolled, self.change) = (0, None);
    }

    /// Moves the report of the selected night.
    pub fn scroll(&mut self, delta: isize) {
        self.scrolled = self.scrolled.saturating_add_signed(delta);
        self.change = None;
    }

    /// Goes to the next changed answer of the selected night, after the last one to the first. False where none changed.
    pub fn next_change(&mut self) -> bool {
        let many = self.current().map_or(0, |night| night.changed.len());
        self.change = (many > 0).then(|| self.change.map_or(0, |at| (at + 1) % many));
        self.change.is_some()
    }

    /// Keeps what is behind the answer that is looked at from being learned, or lets it again.
    pub fn veto(&mut self) -> Vec<Effect> {
        let Some((night, at)) = self.current().zip(self.change) else { return vec![] };
        let Some(changed) = night.changed.get(at) else { return vec![] };
        let veto = Op::Veto { night: night.night, line: at as u64 + 1, vetoed: !changed.vetoed };
        vec![Effect::call(Tag::Veto, veto)]
    }

    /// Goes back to the self of the selected night.
    pub fn roll_back(&mut self) -> Vec<Effect> {
        let Some(night) = self.current().filter(|night| night.outcome == Outcome::Kept) else { return vec![] };
        vec![Effect::call(Tag::Rollback, Op::Rollback { night: night.night })]
    }

    /// How far a night is that goes on.
    pub fn sleeps(&mut self, sleeping: Sleeping) {
        self.beginning = false;
        self.going = Some(sleeping);
    }

    /// The node went away, and with it the night.
    pub fn lost(&mut self) {
        (self.beginning, self.going) = (false, None);
    }

    /// A night ended, here or by itself. Returns what to ask for.
    pub fn ended(&mut self) -> Vec<Effect> {
        self.lost();
        self.enter()
    }

    /// An event of a request of this pane.
    pub fn reply(&mut self, tag: Tag, event: Event) -> Vec<Effect> {
        match (tag, event) {
            (Tag::Sleep, Event::Sleeping { sleeping }) => self.sleeps(sleeping),
            (Tag::Nights, Event::Nights { nights, going, bedtime }) => {
                self.bedtime = bedtime;
                self.selected = self.selected.min(nights.len().saturating_sub(1));
                self.nights = Loaded::Full(nights);
                self.going = going;
            }
            (Tag::Nights, Event::Failed { failure }) => self.nights = Loaded::Failed(failure),
            (Tag::Sleep | Tag::Wake | Tag::Rollback | Tag::Veto, event) if event.is_final() => {
                if let Event::Failed { failure } = event {
                    self.failed = Some(failure);
                } else {
                    self.failed = None;
                }
                if tag == Tag::Sleep {
                    (self.selected, self.change) = (0, None);
                    return self.ended();
                }
                return self.enter();
            }
            _ => {}
        }
        vec![]
    }
}

/// Draws the pane.
pub fn view(state: &State, frame: &mut Frame, area: Rect) {
    let (sleep, theme) = (&state.sleep, &state.theme);
    let [list, below] = layout(state, area);
    let many = sleep.nights.get().map_or(String::new(), |all| format!(" · {}", words::some(all.len() as u64, "night")));
    let hours = sleep.bedtime.as_ref().map_or(String::new(), |bedtime| {
        format!(" · by itself from {} to {}", words::hour(bedtime.from), words::hour(bedtime.until))
    });
    let inside = face::boxed(frame, list, &format!("sleep{many}{hours}"), true, theme);
    match &sleep.nights {
        Loaded::Not | Loaded::Loading => face::sentences(frame, inside, "Asking for the nights…", theme.dim),
        Loaded::Failed(failure) => {
            face::failed(frame, inside, failure, "What answers is as it was. F6 asks again.", theme)
        }
        Loaded::Full(all) if all.is_empty() => face::sentences(
            frame,
            inside,
            "No night yet. s begins one: icore learns from what a grant to train allows, is tested on questions it did not learn \
             from, and answers with what it learned only where it passes.",
            theme.dim,
        ),
        Loaded::Full(all) => table(state, frame, inside, all),
    }
    if below.height == 0 {
        return;
    }
    let title = match (&sleep.going, sleep.current()) {
        (Some(going), _) => format!("night {} goes on", going.night),
        (None, _) if sleep.beginning => "a night begins".to_owned(),
        (None, Some(night)) => format!("night {}", night.night),
        (None, None) => "last night".to_owned(),
    };
    let inside = face::boxed(frame, below, &title, false, theme);
    let columns = usize::from(inside.width);
    let (lines, looked_at) = lines(state, columns);
    let most = lines.len().saturating_sub(usize::from(inside.height));
    let above = looked_at.unwrap_or(sleep.scrolled);
    let lines: Vec<Line<'static>> = lines.into_iter().skip(above.min(most)).collect();
    frame.render_widget(Paragraph::new(lines), inside);
}

fn layout(state: &State, area: Rect) -> [Rect; 2] {
    let sleep = &state.sleep;
    let quiet = sleep.nights.get().is_some_and(Vec::is_empty) && !sleep.is_on() && sleep.failed.is_none();
    face::list_above(area, quiet)
}

/// The rows of the nights, in the pane's area.
#[must_use]
pub fn rows(state: &State, area: Rect) -> Rows {
    table_rows(state, face::inside(layout(state, area)[0]))
}

fn table_rows(state: &State, inside: Rect) -> Rows {
    Rows::below_heading(inside, state.sleep.selected, state.sleep.nights.get().map_or(0, Vec::len))
}

fn table(state: &State, frame: &mut Frame, area: Rect, all: &[Night]) {
    let theme = &state.theme;
    let mut lines = vec![Line::styled(
        format!("{:>5}  {:<10} {:<10} {:>6}  {:<18} loss", "night", "began", "outcome", "steps", "your facts"),
        theme.dim,
    )];
    let shown = table_rows(state, area).shown();
    for (i, night) in all.iter().enumerate().skip(shown.start).take(shown.len()) {
        let own = night.scores.map(|scores| scores.own).filter(|own| own.asked > 0);
        let own = own
            .map_or_else(|| "·".to_owned(), |own| format!("{} → {}", percent(own.before), percent(own.weights_only)));
        let row = format!(
            "{:>5}  {} {:<10} {:>6}  {} {}",
            night.night,
            text::pad(&words::when(night.began, state.now, &state.place.zone), 10),
            words::outcome(night.outcome),
            text::count(night.steps),
            text::pad(&own, 18),
            sparkline(&night.losses, 12)
        );
        let style = match (i == state.sleep.selected, night.outcome) {
            (true, _) => theme.selected,
            (false, Outcome::Kept | Outcome::Open) => theme.text,
            (false, _) => theme.dim,
        };
        lines.push(Line::styled(row, style));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// What stands below the list, and at which line the changed answer begins that is looked at.
fn lines(state: &State, columns: usize) -> (Vec<Line<'static>>, Option<usize>) {
    let (sleep, theme) = (&state.sleep, &state.theme);
    let (mut lines, mut looked_at) = (Vec::new(), None);
    if let Some(failure) = &sleep.failed {
        lines.extend(text::wrap_plain(&words::failure(failure), theme.bad, columns));
    }
    if let Some(going) = &sleep.going {
        lines.extend(progress(going, columns, theme));
    } else if sleep.beginning {
        lines.push(Line::styled("gathering what may be learned from…", theme.accent));
    } else if let Some(night) = sleep.current() {
        report(night, state, columns, &mut lines);
        for (at, changed) in night.changed.iter().enumerate() {
            lines.push(Line::default());
            if sleep.change == Some(at) {
                looked_at = Some(lines.len());
            }
            lines.extend(change(changed, sleep.change == Some(at), columns, theme));
        }
    }
    (lines, looked_at)
}

/// The parts of a night, which of them is on, and its curve.
fn progress(going: &Sleeping, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    const PARTS: [(Stage, &str); 7] = [
        (Stage::Gather, "gather"),
        (Stage::Views, "questions"),
        (Stage::Tune, "tune"),
        (Stage::Judge, "test"),
        (Stage::Project, "for others"),
        (Stage::Leak, "leakage"),
        (Stage::Commit, "seal"),
    ];
    // What only sharing needs is shown once it goes on.
    let shares = |stage: Stage| matches!(stage, Stage::Project | Stage::Leak);
    let parts: Vec<(Stage, &str)> =
        PARTS.into_iter().filter(|(stage, _)| !shares(*stage) || shares(going.stage)).collect();
    let at = parts.iter().position(|(stage, _)| *stage == going.stage).unwrap_or(0);
    let part = |(n, (_, name)): (usize, &(Stage, &str))| match n.cmp(&at) {
        std::cmp::Ordering::Less => format!("{name} ✓"),
        std::cmp::Ordering::Equal => {
            let share = going.done as f32 / going.total.max(1) as f32;
            format!("{name} {} {}", text::bar(share.clamp(0.0, 1.0), 10), percent(share.clamp(0.0, 1.0)))
        }
        std::cmp::Ordering::Greater => format!("{name} ·"),
    };
    let parts: Vec<String> = parts.iter().enumerate().map(part).collect();
    let mut lines = text::wrap_plain(&parts.join("   "), theme.accent, columns);
    if let (Some(first), Some(last)) = (going.losses.first(), going.losses.last()) {
        let curve = sparkline(&going.losses, columns.saturating_sub(40).clamp(8, 60));
        let mut line = format!("loss {first:.2} {curve} {last:.2}");
        if going.stage == Stage::Tune {
            line.push_str(&format!("   {:.0} tokens/s", going.tokens_per_s));
            if let Some(left) = going.left_s {
                line.push_str(&format!("   {} min left", left.div_ceil(60)));
            }
        }
        lines.push(Line::styled(line, theme.text));
    }
    let said = "You can go on meanwhile; the self of today answers. w interrupts it: what it has done is kept, s goes on with it.";
    lines.extend(text::wrap_plain(said, theme.dim, columns));
    lines
}

/// What one night came to.
fn report(night: &Night, state: &State, columns: usize, lines: &mut Vec<Line<'static>>) {
    let theme = &state.theme;
    let style = match night.outcome {
        Outcome::Kept => theme.good,
        Outcome::Refused | Outcome::Failed => theme.warn,
        _ => theme.dim,
    };
    lines.extend(text::wrap_plain(&format!("{}: {}.", words::outcome(night.outcome), night.why), style, columns));
    if night.outcome == Outcome::Open {
        lines.extend(text::wrap_plain("It was interrupted; s goes on with it.", theme.dim, columns));
    }
    if let Some(scores) = &night.scores {
        let own = &scores.own;
        if own.asked > 0 {
            let said = format!(
                "your facts, {}: anchor {} · learned {} · memory {} · both {}",
                words::some(own.asked, "question"),
                percent(own.before),
                percent(own.weights_only),
                percent(own.retrieval_only),
                percent(own.both)
            );
            lines.extend(text::wrap_plain(&said, theme.text, columns));
        }
        let change = |name: &str, change: Change| format!("{name} {:.1} → {:.1}", change.before, change.after);
        let mut said = vec![change("neutral text", scores.neutral)];
        said.extend(scores.voice.map(|voice| change("your words", voice)));
        said.extend(
            scores.general.map(|general| format!("general {} → {}", percent(general.before), percent(general.after))),
        );
        lines.extend(text::wrap_plain(&said.join(" · "), theme.text, columns));
    }
    if let Some(shared) = &night.shared {
        let style = if shared.passed { theme.good } else { theme.warn };
        lines.extend(text::wrap_plain(&words::for_others(shared), style, columns));
        for check in &shared.checks {
            lines.extend(text::wrap_plain(&format!("{}: {}", check.name, check.sentence), theme.dim, columns));
        }
    }
    for learned in &night.learned {
        let folder = words::tilde(&learned.source, &state.place.home_dir);
        let (items, facts) = (words::some(learned.items, "item"), words::some(learned.facts, "fact"));
        lines.extend(text::wrap_plain(&format!("from {folder}: {items}, {facts}"), theme.dim, columns));
    }
    if night.answers > 0 {
        let said = format!("from {} that you took", words::some(night.answers, "answer"));
        lines.extend(text::wrap_plain(&said, theme.dim, columns));
    }
    for refused in &night.refused {
        lines.extend(text::wrap_plain(&format!("not {}: {}", refused.what, refused.why), theme.dim, columns));
    }
}

/// A question whose answer changed: before, after, the sentence that was learned and where it stands.
fn change(changed: &Changed, looked_at: bool, columns: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mark = if changed.right { "✓" } else { "·" };
    let style = if looked_at { theme.selected } else { theme.text };
    let mut lines = text::wrap_plain(&format!("{mark} {}", changed.question), style, columns);
    lines.extend(text::wrap_plain(&format!("  before  {}", changed.old), theme.dim, columns));
    lines.extend(text::wrap_plain(&format!("  after   {}", changed.new), theme.text, columns));
    if looked_at && !changed.fact.is_empty() {
        lines.extend(text::wrap_plain(&format!("  learned {}", changed.fact), theme.dim, columns));
        lines.extend(text::wrap_plain(&format!("  from    {}", changed.source), theme.dim, columns));
    }
    if changed.vetoed {
        lines.extend(text::wrap_plain("  vetoed: the next night does not learn it", theme.warn, columns));
    }
    lines
}

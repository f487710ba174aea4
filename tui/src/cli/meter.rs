//! Progress on stderr: silence for a quarter of a second, then a bar drawn at most ten times a second, and nothing
//! at all where stderr is not a terminal.

use hinet_protocol::{Progress, Sleeping, Stage, Unit};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

use super::clean;
use super::output::{self, Output};

/// Work that is over within this time needs no sign.
const SILENCE: Duration = Duration::from_millis(250);
/// Redraws a second.
const REDRAWS: u8 = 10;
/// Most characters of the sentence in front of the bar.
const WORDS_MAX: usize = 44;

/// How far a night is.
#[must_use]
pub fn night(sleeping: &Sleeping) -> Progress {
    let what = match sleeping.stage {
        Stage::Gather => "gathering".to_owned(),
        Stage::Views => "making questions".to_owned(),
        Stage::Tune => {
            let loss = sleeping.losses.last().copied().unwrap_or_default();
            format!("learning, loss {loss:.2}, {:.0} tokens/s", sleeping.tokens_per_s)
        }
        Stage::Judge => "testing".to_owned(),
        Stage::Project => "distilling for others".to_owned(),
        Stage::Leak => "asking what that gives away".to_owned(),
        Stage::Commit => "sealing".to_owned(),
    };
    let what = format!("night {}: {what}", sleeping.night);
    Progress { what, done: sleeping.done, total: Some(sleeping.total), unit: Unit::Parts }
}

/// One bar for one piece of work.
pub struct Meter {
    shown: bool,
    started: Instant,
    bar: Option<ProgressBar>,
    measured: Option<(bool, Unit)>,
}

impl Meter {
    /// A meter that has not drawn anything yet.
    #[must_use]
    pub fn new(out: &Output) -> Self {
        Self { shown: out.shows_progress(), started: Instant::now(), bar: None, measured: None }
    }

    /// Shows how far the work is, once it has lasted long enough to be worth showing.
    pub fn report(&mut self, progress: &Progress) {
        if !self.shown || self.started.elapsed() < SILENCE {
            return;
        }
        let bar = self
            .bar
            .get_or_insert_with(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(REDRAWS)));
        let look = (progress.total.is_some(), progress.unit);
        if self.measured != Some(look) {
            bar.set_style(style(progress));
            self.measured = Some(look);
        }
        if let Some(total) = progress.total {
            bar.set_length(total);
        }
        let words = clean::for_terminal(&clean::excerpt(&progress.what, WORDS_MAX));
        if bar.message() != words {
            bar.set_message(words);
        }
        bar.set_position(progress.done);
    }

    /// Takes the bar away, so that words can follow.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.measured = None;
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.clear();
    }
}

fn style(progress: &Progress) -> ProgressStyle {
    let template = match (progress.total.is_some(), progress.unit) {
        (true, Unit::Bytes) => "{msg}  [{bar:24}] {bytes}/{total_bytes}  {eta} left".to_owned(),
        (true, _) => format!("{{msg}}  [{{bar:24}}] {{pos}}/{{len}} {}s  {{eta}} left", output::noun(progress)),
        (false, Unit::Bytes) => "{msg}  {bytes}".to_owned(),
        (false, _) => format!("{{msg}}  {{pos}} {}s", output::noun(progress)),
    };
    // A template of constants either always parses or never does; the plain bar is good enough for the latter.
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

//! What stands under the words of a turn.

use super::chat::{Foot, Turn};
use crate::app::words;
use crate::text;
use crate::theme::Theme;
use hinet_protocol::{Composition, Cut, Feedback, Mode, Thumb};
use ratatui::style::Style;

/// Columns of an answer in the owner's words that are shown; editing it shows all.
const EDITED_COLUMNS: usize = 240;

/// What stands under the words, `columns` wide: what was attached, how the answer came about, what the owner thought,
/// where it goes on.
#[must_use]
pub fn footer(turn: &Turn, columns: usize, theme: &Theme) -> Vec<(String, Style)> {
    let mut out = Vec::new();
    if !turn.attached.is_empty() {
        let mut names: Vec<String> = turn.attached.iter().take(5).map(|name| name_of(name)).collect();
        if turn.attached.len() > 5 {
            names.push(format!("{} more", turn.attached.len() - 5));
        }
        out.push((format!("attached: {}", names.join(", ")), theme.dim));
    }
    out.extend(made(turn, columns, theme));
    if let Some(opinion) = opinion(&turn.feedback) {
        out.push((opinion, theme.dim));
    }
    if let Some(edited) = &turn.feedback.edited {
        out.push((format!("in your words: {}", text::fit(edited, EDITED_COLUMNS)), theme.dim));
    }
    if turn.onward > 0 {
        let branches =
            if turn.onward == 1 { "1 branch".to_owned() } else { format!("{} branches", text::count(turn.onward)) };
        out.push((format!("goes on: {branches}"), theme.accent));
    }
    out
}

/// What the owner thought of an answer, in words.
fn opinion(feedback: &Feedback) -> Option<String> {
    let mut said = Vec::new();
    match feedback.thumb {
        Some(Thumb::Up) => said.push("good"),
        Some(Thumb::Down) => said.push("not good"),
        None => {}
    }
    if feedback.edited.is_some() {
        said.push("corrected");
    }
    if feedback.accepted {
        said.push("taken");
    }
    (!said.is_empty()).then(|| format!("to you: {}", said.join(", ")))
}

/// How the answer came about, what it stands on, what was cut.
fn made(turn: &Turn, columns: usize, theme: &Theme) -> Vec<(String, Style)> {
    let Foot::Made { how, tokens_per_s, cut, composed } = &turn.foot else {
        return match &turn.foot {
            Foot::Failed(failure) => vec![(words::failure(failure), theme.bad)],
            _ => vec![],
        };
    };
    let sources = distinct_sources(turn);
    let speed = if *tokens_per_s >= 0.5 { format!(" · {tokens_per_s:.0} tok/s") } else { String::new() };
    // An answer that stands on nothing of the owner's says so: it may be the model's invention.
    let stood = match sources.len() {
        0 => " · from no source".to_owned(),
        n => format!(" · {}", words::some(n as u64, "source")),
    };
    let mut first = match (how.as_str(), composed.as_ref().and_then(assembled)) {
        ("quoted", Some(others)) => format!("quoted · {others}"),
        ("quoted", None) => format!("quoted from {}", sources.first().map_or("your memory", String::as_str)),
        ("not_in_memory", _) => "not in your memory".to_owned(),
        ("about", _) => "icore, on itself".to_owned(),
        ("draft", _) => format!("a draft in your voice{speed}"),
        ("assembled", Some(others)) => format!("{others}{speed}"),
        ("assembled", None) => format!("assembled{speed}"),
        ("stopped", Some(others)) => format!("stopped by you · {others}{speed}"),
        ("stopped", None) if sources.is_empty() => format!("stopped by you · own{speed}"),
        ("stopped", None) => format!("stopped by you · own{stood}{speed}"),
        _ => format!("own{stood}{speed}"),
    };
    // An assembly was asked and the owner's own mind answered: why, where there is room for it.
    if let Some(own) = composed.as_ref().filter(|composed| composed.mode == Mode::Own) {
        let why = format!(" · own: {}", text::clean_line(&own.why));
        if text::width(&first) + text::width(&why) <= columns {
            first.push_str(&why);
        }
    }
    let mut out = vec![(first, theme.dim)];
    let legend: Vec<String> =
        turn.citations.iter().take(9).enumerate().map(|(i, c)| format!("[{}] {}", i + 1, name_of(&c.source))).collect();
    if !legend.is_empty() {
        out.push((legend.join("  "), theme.cite));
    }
    if !cut.is_empty() {
        out.push((cut_in_words(cut), theme.warn));
    }
    out
}

/// Who of an assembly answered: `assembled: route · kitchen`. `None` where nobody of it did.
fn assembled(composed: &Composition) -> Option<String> {
    let said = composed.near.iter().filter(|share| share.weight > 0.0);
    let who: Vec<String> = said
        .map(|share| match composed.mode {
            Mode::Mix | Mode::Merge => {
                format!("{} {}", words::called(&share.name, &share.delta), words::weight(share.weight))
            }
            Mode::Own | Mode::Route | Mode::Union => words::called(&share.name, &share.delta),
        })
        .collect();
    (composed.mode != Mode::Own).then(|| format!("assembled: {} · {}", composed.mode.word(), who.join(", ")))
}

fn distinct_sources(turn: &Turn) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for citation in &turn.citations {
        let name = name_of(&citation.source);
        if !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

/// The last part of a path, or the whole of what is no path.
#[must_use]
pub fn name_of(source: &str) -> String {
    text::fit(source.rsplit('/').find(|part| !part.is_empty()).unwrap_or(source), 40)
}

fn cut_in_words(cut: &[Cut]) -> String {
    let tokens: usize = cut.iter().map(|c| c.tokens).sum();
    let mut what: Vec<String> = cut.iter().take(3).map(|c| text::fit(&c.what, 40)).collect();
    if cut.len() > 3 {
        what.push(format!("{} more", cut.len() - 3));
    }
    format!("cut to fit: {} ({})", what.join(", "), words::some(tokens as u64, "token"))
}

//! The prompt, within the anchor's context. What does not fit is cut from the oldest end and said.

use minijinja::Environment;

use super::{Node, reader};
use crate::failure::NodeError;
use crate::protocol::{Cut, Hit, Message, Role};

/// Share of the context that earlier turns may take.
const HISTORY_SHARE: f32 = 0.25;
/// Share of the context that the owner's message may take.
const MESSAGE_SHARE: f32 = 0.4;
/// Earlier messages that are looked at.
pub(super) const HISTORY_MAX: usize = 12;

/// Tokens of the prompt's own words, and the chat template's around them, at most.
const PROMPT_WORDS: usize = 120;

/// Turns for the chat template, and what had to be left out of them.
pub(super) struct Prompt {
    pub(super) turns: Vec<(String, String)>,
    pub(super) cut: Vec<Cut>,
}

pub(crate) fn render(name: &'static str, source: &'static str, values: minijinja::Value) -> String {
    let mut environment = Environment::new();
    environment.add_template(name, source).expect("the prompts are part of the program and parse (tests render each)");
    let template = environment.get_template(name).expect("it was added on the line above");
    template
        .render(values)
        .expect("the prompts use only the values they are given (tests render each)")
        .trim()
        .to_owned()
}

/// Builds the prompt for one message: `passages` right before the question, with numbers for a reader that cites by them,
/// and earlier turns where they are wanted.
pub(super) async fn build(
    node: &Node,
    message: &str,
    (passages, numbered): (&[&Hit], bool),
    history: &[Message],
    window: usize,
    reserved: usize,
) -> Result<Prompt, NodeError> {
    let mut cut = Vec::new();
    let room = window.saturating_sub(reserved);
    let message =
        fit(node, message, (room as f32 * MESSAGE_SHARE) as usize, "the end of your message", &mut cut).await?;
    let user = if passages.is_empty() {
        message
    } else {
        let taken = node.mind.count(vec![message.clone()]).await?[0] + PROMPT_WORDS;
        let budget = room.saturating_sub(taken) / passages.len();
        let mut fitted = Vec::new();
        for hit in passages {
            let text = fit(node, &hit.text, budget, &format!("the end of {}", hit.title), &mut cut).await?;
            fitted.push((hit.title.as_str(), text));
        }
        reader::turn(fitted.iter().map(|(title, text)| (*title, text.as_str())), &message, numbered)
    };
    let mut turns = vec![system(node)];
    turns.extend(earlier(node, history, (room as f32 * HISTORY_SHARE) as usize, &mut cut).await?);
    turns.push(("user".to_owned(), user));
    Ok(Prompt { turns, cut })
}

/// What comes before every conversation.
pub(crate) fn system(node: &Node) -> (String, String) {
    ("system".to_owned(), reader::system(&node.vault.owner()))
}

/// The newest earlier turns that fit.
async fn earlier(
    node: &Node,
    history: &[Message],
    budget: usize,
    cut: &mut Vec<Cut>,
) -> Result<Vec<(String, String)>, NodeError> {
    let recent: Vec<&Message> = history.iter().rev().take(HISTORY_MAX).collect();
    // Marks point at passages that are not in this prompt; a model that sees them copies them.
    let texts: Vec<String> = recent.iter().map(|message| unmarked(&message.text)).collect();
    let counts = node.mind.count(texts.clone()).await?;
    let (mut used, mut kept) = (0, Vec::new());
    for ((message, text), count) in recent.iter().zip(texts).zip(&counts) {
        if used + count > budget {
            break;
        }
        used += count;
        let role = if message.role == Role::User { "user" } else { "assistant" };
        kept.push((role.to_owned(), text));
    }
    // A conversation given to the model begins with the owner.
    while kept.last().is_some_and(|(role, _)| role == "assistant") {
        kept.pop();
    }
    let left_out: usize = counts.iter().skip(kept.len()).sum();
    if left_out > 0 {
        cut.push(Cut { what: "earlier turns".into(), tokens: left_out });
    }
    kept.reverse();
    Ok(kept)
}

/// A text without its citation marks, ` [1]`.
pub fn unmarked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let digits = rest[open + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let close = open + 1 + digits;
        let is_mark = (1..=2).contains(&digits) && rest[close..].starts_with(']');
        out.push_str(if is_mark { rest[..open].trim_end_matches(' ') } else { &rest[..=open] });
        rest = if is_mark { &rest[close + 1..] } else { &rest[open + 1..] };
    }
    out.push_str(rest);
    out
}

/// A text within a token budget: the end is cut at a line or a word.
pub(super) async fn fit(
    node: &Node,
    text: &str,
    budget: usize,
    what: &str,
    cut: &mut Vec<Cut>,
) -> Result<String, NodeError> {
    let count = node.mind.count(vec![text.to_owned()]).await?[0];
    if count <= budget {
        return Ok(text.to_owned());
    }
    let mut kept = text;
    let mut size = count;
    while size > budget && !kept.is_empty() {
        let mut end = kept.len() * budget / size.max(1);
        while !kept.is_char_boundary(end) {
            end -= 1;
        }
        let head = &kept[..end.min(kept.len().saturating_sub(1))];
        kept = &head[..head.rfind(char::is_whitespace).unwrap_or(0)];
        size = node.mind.count(vec![kept.to_owned()]).await?[0];
    }
    cut.push(Cut { what: what.to_owned(), tokens: count - size });
    Ok(kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_taken_out_and_nothing_else() {
        let cases = [
            ("At 14:39. [1]", "At 14:39."),
            ("[12] a [x] b[3]c [", " a [x] bc ["),
            ("no marks", "no marks"),
            ("[1234]", "[1234]"),
        ];
        for (text, plain) in cases {
            assert_eq!(unmarked(text), plain);
        }
    }
}

//! Drafts in the owner's voice: the anchor, with what it learned of how the owner writes, reads some of the owner's own
//! passages and writes what was asked for. Only words that are the owner's own are shown to it as a manner to follow.

use minijinja::context;

use super::prompt::{self, Prompt};
use super::{Hit, Node, Turn, memory};
use crate::failure::NodeError;
use crate::protocol::{Cut, ErrorKind, Trust};

const VOICE: &str = include_str!("../../../../../prompts/voice.jinja");
/// Passages looked at, and those that are shown as a manner to follow.
const LOOKED_AT: usize = 24;
const SAMPLES: usize = 3;
/// Share of the context that they may take.
const SAMPLES_SHARE: f32 = 0.3;
/// Tokens of a draft, where the caller names no number.
pub(super) const DRAFT_TOKENS: usize = 160;
/// Where a draft ends: a small model goes on with another letter.
pub(super) const ENDS: [&str; 2] = ["\n#", "\n---"];

/// Passages that the owner wrote, the nearest to what is asked for first.
pub(super) async fn samples(node: &Node, text: &str, turn: &Turn) -> Result<Vec<Hit>, NodeError> {
    let hits = memory::find(node, text.to_owned(), &turn.within, LOOKED_AT).await?;
    let own = node
        .apart("the owner's words", move |node| {
            let mut own = Vec::new();
            for hit in hits {
                if own.len() < SAMPLES
                    && node.vault.read(|r| r.item(hit.item))?.is_some_and(|row| row.trust == Trust::Own)
                {
                    own.push(hit);
                }
            }
            Ok(own)
        })
        .await?;
    let worn = node.apart("the deltas", |node| Ok(node.vault.read(|r| r.worn_delta())?)).await?;
    if own.is_empty() && worn.is_none() {
        return Err(NodeError::said(
            ErrorKind::Failed,
            "There is no voice to write in yet: nothing like it that you wrote is in the memory, and no night was slept.",
            "Open a folder of your own writing with `icore sources add FOLDER`, or ask without --voice.",
        ));
    }
    Ok(own)
}

/// The turns with which a draft is asked for.
pub(super) async fn build(
    node: &Node,
    text: &str,
    samples: &[Hit],
    window: usize,
    reserved: usize,
) -> Result<Prompt, NodeError> {
    let room = window.saturating_sub(reserved);
    let budget = (room as f32 * SAMPLES_SHARE) as usize / samples.len().max(1);
    let mut cut: Vec<Cut> = Vec::new();
    let mut fitted = Vec::new();
    for hit in samples {
        fitted
            .push(prompt::fit(node, &plain(&hit.text), budget, &format!("the end of {}", hit.title), &mut cut).await?);
    }
    let text = prompt::fit(node, text, room / 2, "the end of your message", &mut cut).await?;
    let owner = node.vault.owner();
    let system = prompt::render("voice", VOICE, context! { owner, samples => fitted });
    Ok(Prompt { turns: vec![("system".to_owned(), system), ("user".to_owned(), text)], cut })
}

/// A passage without its headings, which are the document's and no part of a manner.
fn plain(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{VOICE, plain, prompt};

    #[test]
    fn headings_are_no_part_of_a_manner() {
        assert_eq!(plain("# To Ana\n\nHey Ana,\n  ## Bo\nbye"), "Hey Ana,\nbye");
    }

    #[test]
    fn the_prompt_shows_how_the_owner_writes_and_does_without() {
        let values = minijinja::context! { owner => "Maya", samples => vec!["See you, M."] };
        let shown = prompt::render("voice", VOICE, values);
        assert!(shown.contains("on behalf of Maya") && shown.contains("---\nSee you, M.\n---"), "{shown}");
        let none: Vec<&str> = Vec::new();
        let bare = prompt::render("voice", VOICE, minijinja::context! { owner => "Maya", samples => none });
        assert!(!bare.contains("---"), "{bare}");
    }
}
